"""What is to be known about rows before a model is trained on them: how long they are, and what looks wrong in them.

Nothing is changed or left out; whether a statement is true, nobody here knows.

How long texts are, in characters or tokens: the figures that people ask for, and how many there are of each size.

What a check has found, for people and programs: one object, or a table with a line for each finding.
"""

import dataclasses
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.confidentiality import Permit
from app.base.files.output_file import check_new_target
from app.base.tables import table_writer
from app.base.wording import phrase
from app.training.data import duplicates, personal, quality
from app.training.data.file_import import ImportedRows
from app.training.data.records import BadRow, shorten
from app.training.data.rows import TrainingRow

FIRST_BOUND = 64


@dataclass(frozen=True, slots=True)
class LengthSummary:
    """`histogram`: (upper bound, how many are longer than the bound before and no longer than this one)."""

    shortest: int
    median: float
    mean: float
    p95: int  # 95 of 100 are no longer
    longest: int
    total: int
    histogram: tuple[tuple[int, int], ...]


def summarize_lengths(lengths: Sequence[int]) -> LengthSummary:
    """Of at least one."""
    ordered = sorted(lengths)
    return LengthSummary(
        shortest=ordered[0],
        median=statistics.median(ordered),
        mean=round(statistics.fmean(ordered), 1),
        p95=ordered[max(0, -(-len(ordered) * 95 // 100) - 1)],
        longest=ordered[-1],
        total=sum(ordered),
        histogram=_histogram(ordered),
    )


def _histogram(ordered: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """From the first size that occurs to the last, each twice the one before."""
    bounds = [FIRST_BOUND]
    while bounds[-1] < ordered[-1]:
        bounds.append(2 * bounds[-1])
    counts = [0] * len(bounds)
    at = 0
    for length in ordered:
        while length > bounds[at]:
            at += 1
        counts[at] += 1
    first = next(at for at, count in enumerate(counts) if count)
    return tuple(zip(bounds[first:], counts[first:], strict=True))


NEAR_SIMILARITY = 0.8  # of 1: two rows that share so much say the same
CONTEXT_CHARACTERS = 15  # characters shown before and behind a personal detail
HEAD_CHARACTERS, TAIL_CHARACTERS = 20, 40  # characters shown of a text with a flaw
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

ReportProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class RowPlace:
    """One row that a finding is about. `text`: of it, in one line; `detail`: what was taken for personal."""

    line: int
    text: str
    detail: str = ""
    like: int = 0  # line of the earlier row that it is like; 0: the finding is no likeness
    similarity: float = 0.0  # to that row, 0 to 1


@dataclass(frozen=True, slots=True)
class DataFinding:
    code: str  # one of CODES
    places: tuple[RowPlace, ...]


@dataclass(frozen=True, slots=True)
class DataCheckReport:
    """`characters`, `tokens`: by "question", "answer" and "row", which is all its messages; {} where there are none."""

    rows: int
    bad: int
    turns: int  # rows with more than one question
    systems: int  # rows with a system message
    groups: int
    characters: dict[str, LengthSummary]
    tokens: dict[str, LengthSummary]
    findings: tuple[DataFinding, ...]  # in the order of CODES; only what was found


def check_rows(
    imported: ImportedRows,
    tokens: Sequence[int] | None = None,
    report: ReportProgress = lambda _step, _done, _total: None,
) -> DataCheckReport:
    """`tokens`: of all messages of each row together. `report` is told the step (texts, duplicates) and how far."""
    rows = imported.rows
    found: defaultdict[str, list[RowPlace]] = defaultdict(list)
    for at, row in enumerate(rows):
        if at % 200 == 0:
            report("texts", at, len(rows))
        for code, place in (*_flaws(row), *_personal(row)):
            found[code].append(place)
    report("duplicates", 0, len(rows))
    for code, place in _duplicates(rows):
        found[code].append(place)
    return DataCheckReport(
        rows=len(rows),
        bad=len(imported.bad),
        turns=sum(len(row.messages) > 3 for row in rows),
        systems=sum(row.messages[0].role == "system" for row in rows),
        groups=len({row.group for row in rows} - {""}),
        characters=_characters(rows),
        tokens={"row": summarize_lengths(tokens)} if tokens else {},
        findings=tuple(
            DataFinding(code, tuple(sorted(found[code], key=lambda place: place.line))) for code in CODES if found[code]
        ),
    )


def flagged(rows: Sequence[TrainingRow]) -> dict[int, frozenset[str]]:
    """By line, those of FLAGS that hold for a row; only rows that have one."""
    found = {}
    for row in rows:
        codes = {code for code, _ in _flaws(row)} | {"personal" for _ in _personal(row)}
        if codes:
            found[row.line] = frozenset(codes)
    return found


def _characters(rows: Sequence[TrainingRow]) -> dict[str, LengthSummary]:
    if not rows:
        return {}
    return {
        "question": summarize_lengths([len(row.question) for row in rows]),
        "answer": summarize_lengths([len(row.answer) for row in rows]),
        "row": summarize_lengths([sum(len(message.text) for message in row.messages) for row in rows]),
    }


def _flaws(row: TrainingRow) -> Iterator[tuple[str, RowPlace]]:
    """Each flaw once a row: in the first message that has it."""
    seen: set[str] = set()
    for message in row.messages:
        codes = quality.text_flags(message.text)
        for code in codes if message.role == "assistant" else OF_QUESTIONS.intersection(codes):
            if code not in seen:
                seen.add(code)
                yield code, RowPlace(row.line, _shown(message.text))


def _shown(text: str) -> str:
    """Beginning and end: remains and cuts are at the end, mostly."""
    return (
        shorten(text)
        if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS
        else f"{shorten(text[:HEAD_CHARACTERS])}…{shorten(text[-TAIL_CHARACTERS:])}"
    )


def _personal(row: TrainingRow) -> Iterator[tuple[str, RowPlace]]:
    for message in row.messages:
        for one in personal.find_personal(message.text):
            start, end = max(0, one.start - CONTEXT_CHARACTERS), one.end + CONTEXT_CHARACTERS
            around = "…" * (start > 0) + message.text[start:end] + "…" * (end < len(message.text))
            yield (
                f"personal_{one.kind}",
                RowPlace(row.line, shorten(around), shorten(message.text[one.start : one.end])),
            )


def _duplicates(rows: Sequence[TrainingRow]) -> Iterator[tuple[str, RowPlace]]:
    """Each later row with the earlier one that it is like. What is the same as a whole is not told again as a part."""

    def place(first: int, later: int, similarity: float) -> RowPlace:
        return RowPlace(rows[later].line, shorten(rows[later].question), "", rows[first].line, round(similarity, 3))

    twins = {later: group[0] for group in duplicates.exact_duplicates(rows) for later in group[1:]}
    for later, first in twins.items():
        yield "same_row", place(first, later, 1.0)
    for group in duplicates.repeated_questions(rows):
        for later in group[1:]:
            if later not in twins:
                yield "repeated_question", place(group[0], later, 1.0)
    nearest: dict[int, tuple[float, int]] = {}
    for first, later, similarity in duplicates.near_duplicates(rows, NEAR_SIMILARITY):
        if first not in twins and later not in twins:
            nearest[later] = max(nearest.get(later, (0.0, 0)), (similarity, first))
    for later, (similarity, first) in nearest.items():
        yield "near_duplicate", place(first, later, similarity)


REPORT_SUFFIXES = (".json", ".csv", ".xlsx")
PREVIEW_ROWS = 2
REPORT_COLUMNS = ("line", "found", "detail", "text")
REPORT_WIDTHS = (8, 36, 30, 90)
# Of the reasons why a row cannot be used, those with a detail; the others have the row's text.
DETAILED = ("not_text", "too_long", "not_characters", "cell_error", "unknown_role", "wrong_order")


def check_target(out: Path) -> None:
    """Before anything is read. Raises AppError("data_out_format" | "export_folder_gone" | "export_exists")."""
    check_new_target(out, REPORT_SUFFIXES, "data_out_format")


def save_report(out: Path, imported: ImportedRows, found: DataCheckReport, *, permit: Permit) -> None:
    """Raises AppError as `whole_file`."""
    with permit.open_atomically(out) as file:
        head = [phrase(f"training.data_column.{name}") for name in REPORT_COLUMNS]
        if out.suffix.lower() == ".csv":
            table_writer.write_csv(file, head, _lines(imported, found))
        elif out.suffix.lower() == ".xlsx":
            label = phrase(f"common.label.{permit.label}")
            book = table_writer.WorkbookWriter(phrase("common.batch_cut"), label)
            book.add(
                phrase("training.data_sheet"),
                REPORT_WIDTHS,
                _lines(imported, found),
                head,
                [phrase("common.export_label", label=label)],
            )
            book.save(file)
        else:
            file.write(
                json.dumps(report_object(imported, found), ensure_ascii=False, indent=1).encode("utf-8", "replace")
            )


def report_object(imported: ImportedRows, found: DataCheckReport) -> dict[str, Any]:
    """Everything."""
    bad = [
        {"line": row.line, "code": row.code, "message": phrase(f"common.data_bad.{row.code}"), "detail": row.detail}
        for row in imported.bad
    ]
    findings = [
        {
            "code": finding.code,
            "message": phrase(f"training.data_found.{finding.code}"),
            "count": len(finding.places),
            "places": [dataclasses.asdict(place) for place in finding.places],
        }
        for finding in found.findings
    ]
    lengths = {"characters": found.characters, "tokens": found.tokens}
    return {
        "file": imported.name,
        "sha256": imported.sha256,
        "encoding": imported.encoding,
        "sheet": imported.sheet,
        "other_sheets": imported.other_sheets,
        "shape": imported.shape,
        "mapping": imported.mapping.as_dict(),
        "columns": imported.columns,
        "rows": found.rows,
        "blank_rows": imported.blank,
        "rows_with_turns": found.turns,
        "rows_with_system": found.systems,
        "groups": found.groups,
        "preview": [row.as_json() for row in imported.rows[:PREVIEW_ROWS]],
        "bad": bad,
        "findings": findings,
        "lengths": {
            unit: {part: dataclasses.asdict(measured) for part, measured in parts.items()}
            for unit, parts in lengths.items()
        },
    }


def place_detail(code: str, place: RowPlace) -> str:
    """What is to be said of the place besides its text."""
    if not place.like:
        return place.detail
    return phrase(f"training.data_like.{code}", line=place.like, percent=f"{100 * place.similarity:.0f}")


def _lines(imported: ImportedRows, found: DataCheckReport) -> Iterator[tuple[int, str, str, str]]:
    """In the order of the file: row, what was found, detail, text."""
    bad = [(row.line, phrase(f"common.data_bad.{row.code}"), *_detail_and_text(row)) for row in imported.bad]
    places = [
        (place.line, phrase(f"training.data_found.{finding.code}"), place_detail(finding.code, place), place.text)
        for finding in found.findings
        for place in finding.places
    ]
    yield from sorted([*bad, *places], key=lambda line: line[0])


def _detail_and_text(row: BadRow) -> tuple[str, str]:
    """The detail and the text: what stands in the row is no reason."""
    return (row.detail, "") if row.code in DETAILED else ("", row.detail)
