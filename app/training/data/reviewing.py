"""What a person is told of a row while deciding of it, and how long the rest will take at this person's pace.

Only forms are looked at: whether an answer is right, the person says.
"""

import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.documents.grounding import evidence as grounds
from app.documents.values import quantities
from app.training.data import check, personal, quality
from app.training.data.curation import Evidence, Item
from app.training.data.rows import Message, Row

LEAST_INTERVALS = 4  # before a pace is told
LAST_INTERVALS = 40  # people become quicker, and tired
BREAK_S = 180.0  # who decides nothing for so long was doing something else


@dataclass(frozen=True, slots=True)
class Looked:
    """`flaws`: of `quality.CODES`; `personal`: of `personal.KINDS`; in any message. `numbers`: with or without units,
    in the answer; `missing`: those of them, as written, that the quote does not have; () where there is no quote."""

    flaws: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    numbers: int = 0
    missing: tuple[str, ...] = ()


def look(row: Row, evidence: Evidence | None) -> Looked:
    flaws = {code for message in row.messages for code in _flaws(message)}
    kinds = {one.kind for message in row.messages for one in personal.found(message.text)}
    values = quantities.parse(row.answer)
    missing: list[str] = []
    if values and evidence is not None and evidence.quote:
        known = grounds.of_text(evidence.quote)
        written = ((value, row.answer[value.start : value.end]) for value in values)
        missing = [text.strip() for value, text in written if not known.holds(value, text)]
    return Looked(
        tuple(code for code in quality.CODES if code in flaws),
        tuple(kind for kind in personal.KINDS if kind in kinds),
        len(values),
        tuple(dict.fromkeys(missing)),
    )


def is_quoted(evidence: Evidence) -> bool:
    """Whether the quote stands in the passage, letter by letter."""
    return evidence.quote != "" and evidence.quote in evidence.passage


def with_same_passage(items: Sequence[Item]) -> Counter[tuple[str, str]]:
    """How many pairs are from each passage, by its document and text."""
    found = (item.evidence for item in items)
    return Counter((one.document, one.passage) for one in found if one is not None)


class Pace:
    """Told of each decision; breaks do not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._decided_at = float("-inf")
        self._intervals: deque[float] = deque(maxlen=LAST_INTERVALS)  # seconds

    def note(self) -> None:
        now = self._clock()
        if now - self._decided_at <= BREAK_S:
            self._intervals.append(now - self._decided_at)
        self._decided_at = now

    def seconds(self, left: int) -> float | None:
        """For so many items; None while the pace is not known."""
        if len(self._intervals) < LEAST_INTERVALS:
            return None
        return left * statistics.fmean(self._intervals)


def _flaws(message: Message) -> set[str]:
    codes = set(quality.flags(message.text))
    return codes if message.role == "assistant" else codes & check.OF_QUESTIONS
