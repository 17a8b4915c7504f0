"""Turns into one prompt, purely. What people and models wrote never becomes markup: it stays in its own segment.

A prompt for a server that wants messages, not text. Its markup holds who speaks and nothing else.

So everything that makes, counts or repeats prompts works as for a model of this machine.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.base import invisible_characters


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How turns become one prompt. `{text}` stands for what a person or the model wrote; the rest is markup."""

    id: str
    question: str
    answer: str
    answer_start: str
    system: str = ""  # "": no system turn; the text is put before the first question
    stop: tuple[str, ...] = ()
    marker: str = ""  # occurs in chat templates of this form; of several forms the first in the catalogue counts
    is_completion: bool = False  # the model continues text and knows no turns


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer; the answer of the last turn is None."""

    question: str
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt. In `markup` the text of control tokens is read as such; elsewhere it stays plain text."""

    text: str
    markup: bool = False


@dataclass(frozen=True, slots=True)
class ScoredText:
    """An answer after its prompt; only the answer is measured. `line`: the question's number in its set, from 1."""

    segments: tuple[Segment, ...]
    answer: str  # whatever it holds, it is read as plain text
    line: int


def build(form: PromptForm, turns: Sequence[Turn], system: str = "") -> tuple[Segment, ...]:
    """The prompt for the last turn. A form without a system turn gets `system` before the first question.

    Nothing that a person would not see reaches a model.
    """
    pieces: list[Segment] = []
    if system and form.system:
        pieces += _filled(form.system, system)
    for index, turn in enumerate(turns):
        opening = f"{system}\n\n{turn.question}" if system and not form.system and index == 0 else turn.question
        pieces += _filled(form.question, opening)
        if turn.answer is not None:
            pieces += _filled(form.answer, turn.answer)
    pieces += [Segment(form.answer_start, markup=True)]
    return _joined(pieces, form.is_completion)


def _filled(pattern: str, text: str) -> list[Segment]:
    before, _, after = pattern.partition("{text}")
    return [
        Segment(before, markup=True),
        Segment(invisible_characters.to_plain_text(text)),
        Segment(after, markup=True),
    ]


def _joined(pieces: list[Segment], is_completion: bool) -> tuple[Segment, ...]:
    """Drops empty pieces. A completion form has no control tokens: it becomes one plain piece, so that the tokenizer
    sees the text as the model saw it in training, without a cut at every turn."""
    if is_completion:
        return (Segment("".join(piece.text for piece in pieces)),)
    joined: list[Segment] = []
    for piece in pieces:
        if not piece.text:
            continue
        if joined and joined[-1].markup == piece.markup:
            joined[-1] = Segment(joined[-1].text + piece.text, piece.markup)
        else:
            joined.append(piece)
    return tuple(joined)


_ROLE = re.compile(r"<\|(system|user|assistant|reply)\|>")
MESSAGES_FORM = PromptForm(
    id="messages",
    question="<|user|>{text}",
    answer="<|assistant|>{text}",
    answer_start="<|reply|>",
    system="<|system|>{text}",
)
_MESSAGE_TOKENS = 8  # around each message, of the server's own markup
_LATIN_CHARACTERS = 3  # a token, or more
_TOKENS_A_CHARACTER = 1.2  # Japanese; tokenizers in use need 0.5 to 1.1


def to_messages(prompt: Sequence[Segment]) -> list[dict[str, str]]:
    """Role and content of each. What a person or a model wrote is never read as a role: it is no markup."""
    found: list[dict[str, str]] = []
    for segment in prompt:
        if segment.markup:
            roles = _ROLE.findall(segment.text)
            found += [{"role": role, "content": ""} for role in roles if role != "reply"]
        else:
            found = found or [{"role": "user", "content": ""}]
            found[-1]["content"] += segment.text
    return found


def estimate_tokens(text: str) -> int:
    """Rather too many, for servers that do not count."""
    latin = sum(character < "\u0300" for character in text)
    return round(latin / _LATIN_CHARACTERS + (len(text) - latin) * _TOKENS_A_CHARACTER + 0.5)


def estimate_framing_tokens(prompt: Sequence[Segment]) -> int:
    """What the server puts around the messages of a prompt, about."""
    return _MESSAGE_TOKENS * (len(to_messages(prompt)) + 1)
