"""What is to be known about rows before a model is trained on them: how long they are, and what looks wrong in them.

Nothing is changed or left out; whether a statement is true, nobody here knows.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.training.data import duplicates, personal, quality
from app.training.data.lengths import Lengths, measure
from app.training.data.reading import Imported
from app.training.data.records import short
from app.training.data.rows import Row

NEAR = 0.8  # of 1: two rows that share so much say the same
AROUND = 15  # characters shown before and behind a personal detail
HEAD, TAIL = 20, 40  # characters shown of a text with a flaw
# Questions end as they like; and an odd end is told from an answer alone.
OF_QUESTIONS = frozenset(quality.CODES) - {"unfinished"}
FLAGS = (*quality.CODES, "personal")  # what can be said of a row by itself
CODES = (
    *quality.CODES,
    "same_row",
    "repeated_question",
    "near_duplicate",
    *(f"personal_{kind}" for kind in personal.KINDS),
)

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """One row that a finding is about. `text`: of it, in one line; `detail`: what was taken for personal."""

    line: int
    text: str
    detail: str = ""
    like: int = 0  # line of the earlier row that it is like; 0: the finding is no likeness
    similarity: float = 0.0  # to that row, 0 to 1


@dataclass(frozen=True, slots=True)
class Finding:
    code: str  # one of CODES
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """`characters`, `tokens`: by "question", "answer" and "row", which is all its messages; {} where there are none."""

    rows: int
    bad: int
    turns: int  # rows with more than one question
    systems: int  # rows with a system message
    groups: int
    characters: dict[str, Lengths]
    tokens: dict[str, Lengths]
    findings: tuple[Finding, ...]  # in the order of CODES; only what was found


def check(
    imported: Imported,
    tokens: Sequence[int] | None = None,
    report: Report = lambda _step, _done, _total: None,
) -> CheckReport:
    """`tokens`: of all messages of each row together. `report` is told the step (texts, duplicates) and how far."""
    rows = imported.rows
    found: defaultdict[str, list[Place]] = defaultdict(list)
    for at, row in enumerate(rows):
        if at % 200 == 0:
            report("texts", at, len(rows))
        for code, place in (*_flaws(row), *_personal(row)):
            found[code].append(place)
    report("duplicates", 0, len(rows))
    for code, place in _duplicates(rows):
        found[code].append(place)
    return CheckReport(
        rows=len(rows),
        bad=len(imported.bad),
        turns=sum(len(row.messages) > 3 for row in rows),
        systems=sum(row.messages[0].role == "system" for row in rows),
        groups=len({row.group for row in rows} - {""}),
        characters=_characters(rows),
        tokens={"row": measure(tokens)} if tokens else {},
        findings=tuple(
            Finding(code, tuple(sorted(found[code], key=lambda place: place.line))) for code in CODES if found[code]
        ),
    )


def flagged(rows: Sequence[Row]) -> dict[int, frozenset[str]]:
    """By line, those of FLAGS that hold for a row; only rows that have one."""
    found = {}
    for row in rows:
        codes = {code for code, _ in _flaws(row)} | {"personal" for _ in _personal(row)}
        if codes:
            found[row.line] = frozenset(codes)
    return found


def _characters(rows: Sequence[Row]) -> dict[str, Lengths]:
    if not rows:
        return {}
    return {
        "question": measure([len(row.question) for row in rows]),
        "answer": measure([len(row.answer) for row in rows]),
        "row": measure([sum(len(message.text) for message in row.messages) for row in rows]),
    }


def _flaws(row: Row) -> Iterator[tuple[str, Place]]:
    """Each flaw once a row: in the first message that has it."""
    seen: set[str] = set()
    for message in row.messages:
        codes = quality.flags(message.text)
        for code in codes if message.role == "assistant" else OF_QUESTIONS.intersection(codes):
            if code not in seen:
                seen.add(code)
                yield code, Place(row.line, _shown(message.text))


def _shown(text: str) -> str:
    """Beginning and end: remains and cuts are at the end, mostly."""
    return short(text) if len(text) <= HEAD + TAIL else f"{short(text[:HEAD])}…{short(text[-TAIL:])}"


def _personal(row: Row) -> Iterator[tuple[str, Place]]:
    for message in row.messages:
        for one in personal.found(message.text):
            start, end = max(0, one.start - AROUND), one.end + AROUND
            around = "…" * (start > 0) + message.text[start:end] + "…" * (end < len(message.text))
            yield f"personal_{one.kind}", Place(row.line, short(around), short(message.text[one.start : one.end]))


def _duplicates(rows: Sequence[Row]) -> Iterator[tuple[str, Place]]:
    """Each later row with the earlier one that it is like. What is the same as a whole is not told again as a part."""

    def place(first: int, later: int, similarity: float) -> Place:
        return Place(rows[later].line, short(rows[later].question), "", rows[first].line, round(similarity, 3))

    twins = {later: group[0] for group in duplicates.exact(rows) for later in group[1:]}
    for later, first in twins.items():
        yield "same_row", place(first, later, 1.0)
    for group in duplicates.repeated_questions(rows):
        for later in group[1:]:
            if later not in twins:
                yield "repeated_question", place(group[0], later, 1.0)
    nearest: dict[int, tuple[float, int]] = {}
    for first, later, similarity in duplicates.near(rows, NEAR):
        if first not in twins and later not in twins:
            nearest[later] = max(nearest.get(later, (0.0, 0)), (similarity, first))
    for later, (similarity, first) in nearest.items():
        yield "near_duplicate", place(first, later, similarity)
