"""Check rows of training data: measure their lengths and find what looks wrong in them.

The check changes and excludes nothing, and it cannot judge whether a statement is true. Its result can be saved as
JSON or as a table with a line for each finding.
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
    """Statistics of a set of lengths, in characters or tokens.

    `histogram`: pairs (upper bound, number of lengths above the previous bound and up to this one).
    """

    shortest: int
    median: float
    mean: float
    p95: int  # 95th percentile
    longest: int
    total: int
    histogram: tuple[tuple[int, int], ...]


def summarize_lengths(lengths: Sequence[int]) -> LengthSummary:
    """Return the statistics of one or more lengths."""
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
    """Return (upper bound, number of lengths) from the first to the last non-empty bin; the upper bounds double."""
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


NEAR_SIMILARITY = 0.8  # Jaccard index from which two rows count as near-duplicates
CONTEXT_CHARACTERS = 15  # characters shown before and after a personal detail
HEAD_CHARACTERS, TAIL_CHARACTERS = 20, 40  # characters shown from the start and the end of a flawed text
FLAGS = (*quality.CODES, "personal")  # flags that a row gets without comparing it to other rows
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
    """One row with a finding. `text`: an excerpt on one line; `detail`: the personal detail that was detected."""

    line: int
    text: str
    detail: str = ""
    like: int = 0  # line of the similar earlier row; 0: none
    similarity: float = 0.0  # similarity to the row `like`, 0 to 1


@dataclass(frozen=True, slots=True)
class DataFinding:
    code: str  # one of CODES
    places: tuple[RowPlace, ...]


@dataclass(frozen=True, slots=True)
class DataCheckReport:
    """The result of a check.

    `rows`, `bad`: numbers of usable and unusable rows. `characters`, `tokens`: statistics of "question", "answer" and
    "row" (all messages of a row); {} if nothing was measured.
    """

    rows: int
    bad: int
    turns: int  # rows with more than one question
    systems: int  # rows with a system message
    groups: int
    characters: dict[str, LengthSummary]
    tokens: dict[str, LengthSummary]
    findings: tuple[DataFinding, ...]  # in the order of CODES; only those with places


def check_rows(
    imported: ImportedRows,
    tokens: Sequence[int] | None = None,
    report: ReportProgress = lambda _step, _done, _total: None,
) -> DataCheckReport:
    """Check all rows.

    `tokens`: the number of tokens of all messages of each row; None if not counted. `report` is called with the step
    ("texts" or "duplicates"), the number of checked rows and the number of all rows.
    """
    rows = imported.rows
    found: defaultdict[str, list[RowPlace]] = defaultdict(list)
    for at, row in enumerate(rows):
        if at % 200 == 0:
            report("texts", at, len(rows))
        for code, place in (*find_flaws(row), *find_personal(row)):
            found[code].append(place)
    report("duplicates", 0, len(rows))
    for code, place in _duplicates(rows):
        found[code].append(place)
    return DataCheckReport(
        rows=len(rows),
        bad=len(imported.bad_rows),
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
    """Return the FLAGS of each flagged row. The keys are line numbers."""
    found = {}
    for row in rows:
        codes = {code for code, _ in find_flaws(row)} | {"personal" for _ in find_personal(row)}
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


def find_flaws(row: TrainingRow) -> Iterator[tuple[str, RowPlace]]:
    """Yield each code of `quality.CODES` that applies to the row, once, with an excerpt of the first flawed message.

    Questions need no full stop, so "unfinished" applies only to answers.
    """
    seen: set[str] = set()
    for message in row.messages:
        codes = quality.text_flags(message.text)
        for code in codes:
            if code not in seen and (code != "unfinished" or message.role == "assistant"):
                seen.add(code)
                yield code, RowPlace(row.line, _both_ends(message.text))


def _both_ends(text: str) -> str:
    """Return the beginning and the end of a text, since most flaws are at the end."""
    return (
        shorten(text)
        if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS
        else f"{shorten(text[:HEAD_CHARACTERS])}…{shorten(text[-TAIL_CHARACTERS:])}"
    )


def find_personal(row: TrainingRow) -> Iterator[tuple[str, RowPlace]]:
    """Yield "personal_" + one of `personal.KINDS` for each personal detail of a row, with the place."""
    for message in row.messages:
        for one in personal.find_personal(message.text):
            start, end = max(0, one.start - CONTEXT_CHARACTERS), one.end + CONTEXT_CHARACTERS
            around = "…" * (start > 0) + message.text[start:end] + "…" * (end < len(message.text))
            yield (
                f"personal_{one.kind}",
                RowPlace(row.line, shorten(around), shorten(message.text[one.start : one.end])),
            )


def _duplicates(rows: Sequence[TrainingRow]) -> Iterator[tuple[str, RowPlace]]:
    """Yield a finding's code and place for each row that duplicates an earlier row.

    An exact duplicate is not reported again as a repeated question or a near-duplicate.
    """

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
# Codes of bad rows whose `BadRow.detail` is a detail; for all other codes it is the row's text.
DETAILED = ("not_text", "too_long", "not_characters", "cell_error", "unknown_role", "wrong_order")


def check_target(out: Path) -> None:
    """Raise an error before any work is done if the report cannot be written to `out`.

    Raises AppError("data_out_format" | "export_folder_gone" | "export_exists").
    """
    check_new_target(out, REPORT_SUFFIXES, "data_out_format")


def save_report(out: Path, imported: ImportedRows, report: DataCheckReport, *, permit: Permit) -> None:
    """Write the report as JSON, CSV or XLSX, by the suffix of `out`.

    Raises AppError as `Permit.open_atomically` does.
    """
    with permit.open_atomically(out) as file:
        head = [phrase(f"training.data_column.{name}") for name in REPORT_COLUMNS]
        if out.suffix.lower() == ".csv":
            table_writer.write_csv(file, head, _lines(imported, report))
        elif out.suffix.lower() == ".xlsx":
            label = phrase(f"common.label.{permit.label}")
            book = table_writer.WorkbookWriter(phrase("common.batch_cut"), label)
            book.add(
                phrase("training.data_sheet"),
                REPORT_WIDTHS,
                _lines(imported, report),
                head,
                [phrase("common.export_label", label=label)],
            )
            book.save(file)
        else:
            file.write(
                json.dumps(report_object(imported, report), ensure_ascii=False, indent=1).encode("utf-8", "replace")
            )


def report_object(imported: ImportedRows, report: DataCheckReport) -> dict[str, Any]:
    """Return the whole report as an object for JSON."""
    bad = [
        {"line": row.line, "code": row.code, "message": phrase(f"common.data_bad.{row.code}"), "detail": row.detail}
        for row in imported.bad_rows
    ]
    findings = [
        {
            "code": finding.code,
            "message": phrase(f"training.data_found.{finding.code}"),
            "count": len(finding.places),
            "places": [dataclasses.asdict(place) for place in finding.places],
        }
        for finding in report.findings
    ]
    lengths = {"characters": report.characters, "tokens": report.tokens}
    return {
        "file": imported.name,
        "sha256": imported.sha256,
        "encoding": imported.encoding,
        "sheet": imported.sheet,
        "other_sheets": imported.other_sheets,
        "shape": imported.shape,
        "mapping": imported.mapping.as_dict(),
        "columns": imported.columns,
        "rows": report.rows,
        "blank_rows": imported.blank,
        "rows_with_turns": report.turns,
        "rows_with_system": report.systems,
        "groups": report.groups,
        "preview": [row.as_json() for row in imported.rows[:PREVIEW_ROWS]],
        "bad": bad,
        "findings": findings,
        "lengths": {
            unit: {part: dataclasses.asdict(measured) for part, measured in parts.items()}
            for unit, parts in lengths.items()
        },
    }


def place_detail(code: str, row_place: RowPlace) -> str:
    """Return the detail of a place; for a row like another, a text with the other's line and their similarity."""
    if not row_place.like:
        return row_place.detail
    return phrase(f"training.data_like.{code}", line=row_place.like, percent=f"{100 * row_place.similarity:.0f}")


def _lines(imported: ImportedRows, report: DataCheckReport) -> Iterator[tuple[int, str, str, str]]:
    """Yield the report's lines (line number, finding, detail, text) in the order of the file."""
    bad = [(row.line, phrase(f"common.data_bad.{row.code}"), *_detail_and_text(row)) for row in imported.bad_rows]
    places = [
        (place.line, phrase(f"training.data_found.{finding.code}"), place_detail(finding.code, place), place.text)
        for finding in report.findings
        for place in finding.places
    ]
    yield from sorted([*bad, *places], key=lambda line: line[0])


def _detail_and_text(row: BadRow) -> tuple[str, str]:
    """Return the bad row's detail and its text, one of which is always ""."""
    return (row.detail, "") if row.code in DETAILED else ("", row.detail)
