"""A stored thread as the turns of a prompt."""

import itertools
from collections.abc import Sequence

from app.chat.records import Message
from app.inference.prompt import Turn


def turns(thread: Sequence[Message], answer_id: int, left_out: int = 0) -> tuple[Turn, ...]:
    """A branch up to the question that `answer_id` is to answer, without questions that got no answer.

    `left_out`: how many of the oldest turns the user chose to leave out.
    """
    found: list[Turn] = []
    for message in thread:
        if message.role == "question":
            found.append(Turn(message.text))
        elif message.id != answer_id and found and message.text:
            found[-1] = Turn(found[-1].question, message.text)
    answered = [turn for turn in found[:-1] if turn.answer is not None]
    return (*answered[left_out:], found[-1])


def answered(line: Sequence[Message]) -> list[Message]:
    """The questions whose turns `turns` would give before the last one: those that got an answer."""
    followed = itertools.pairwise(line)
    return [one for one, next_one in followed if one.role == "question" and next_one.role == "answer" and next_one.text]
