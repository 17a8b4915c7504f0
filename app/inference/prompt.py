"""Turns into one prompt, purely. What people and models wrote never becomes markup: it stays in its own segment."""

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
