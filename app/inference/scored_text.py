"""A prompt with the answer whose likelihood the scoring child measures."""

from dataclasses import dataclass

from app.inference.prompt import Segment


@dataclass(frozen=True, slots=True)
class Text:
    """An answer after its prompt; only the answer is measured. `line`: the question's number in its set, from 1."""

    segments: tuple[Segment, ...]
    answer: str  # whatever it holds, it is read as plain text
    line: int
