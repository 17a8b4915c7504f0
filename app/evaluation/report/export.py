"""Export an evaluation as a workbook (.xlsx), one table (.csv) or the report (.html).

Blind comparisons become two sheets of a workbook: each vote with the systems behind A and B, and the results.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from app.base.confidentiality import Permit, highest_label
from app.base.errors import AppError
from app.base.files.output_file import check_new_target
from app.base.tables import table_writer
from app.base.wording import describe_error, phrase
from app.evaluation.records import Evaluation, ReportSection, ReportTable
from app.evaluation.report import answer_table, blind, grids, report, tables
from app.evaluation.report.blind import BlindComparison, BlindFile, BlindOutcome
from app.evaluation.report.grids import ValueGrid, column_of

SUFFIXES = (".xlsx", ".csv", ".html")
_WIDTH, _NAME_WIDTH, _TEXT_WIDTH = 14, 28, 60  # widths of columns, in characters
_TEXT_LENGTH = 40  # number of characters; a longer text needs a wide column
_FACT_WIDTHS = (28, 90)
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,14}|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?")  # 007 stays text


def check_target(out: Path) -> None:
    """Check that an export can be written to `out`.

    Raises AppError("evaluation_out_format" | "export_folder_gone" | "export_exists").
    """
    check_new_target(out, SUFFIXES, "evaluation_out_format")


def save(
    evaluation: Evaluation, sections: Sequence[ReportSection], out: Path, folder: Path | None = None, *, permit: Permit
) -> None:
    """Write an evaluation to the file `out` in the language in use.

    The file gets the permit's label if that is higher than the questions' label. `folder`: folder of the study, whose
    blind comparisons become sheets; None: the results are of several studies. Raises AppError as `check_target` and
    `Permit.open_atomically`.
    """
    check_target(out)
    label = highest_label((evaluation.questions.label, permit.label))
    evaluation = replace(evaluation, questions=replace(evaluation.questions, label=label))
    suffix = out.suffix.lower()
    with permit.open_atomically(out) as file:
        if suffix == ".html":
            file.write(report.content(evaluation, sections))
        elif suffix == ".csv":
            table_writer.write_csv(file, *_one_table(evaluation, sections))
        else:
            votes = blind_sections(evaluation, folder) if folder is not None else ()
            _write_book(evaluation, (*sections, *votes), file)


def _one_table(evaluation: Evaluation, sections: Sequence[ReportSection]) -> tuple[list[str], list[list[object]]]:
    """Return the table of the systems; without systems (a judge or trainings only), the first table with rows."""
    found = [table for section in sections for table in section.tables if table.rows]
    return grids.cells(tables.summary(evaluation)) if evaluation.systems or not found else _cells(found[0])


def _write_book(evaluation: Evaluation, sections: Sequence[ReportSection], file: BinaryIO) -> None:
    book = table_writer.WorkbookWriter(phrase("common.batch_cut"), phrase(f"common.label.{evaluation.questions.label}"))
    found = (
        ("summary", tables.summary(evaluation)),
        ("differences", _differences(evaluation)),
        ("categories", tables.categories(evaluation)),
        ("questions", answer_table.every_answer(evaluation)),
    )
    for key, grid in found:
        if grid.rows:
            head, rows = grids.cells(grid)
            book.add(phrase(f"evaluation.report_sheet.{key}"), _widths(head, rows), rows, head)
    for section in sections:
        for table in section.tables:
            head, rows = _cells(table)
            book.add(section.title, _widths(head, rows), rows, head, table.notes)
    book.add(phrase("evaluation.report_sheet.facts"), _FACT_WIDTHS, report.evaluation_facts(evaluation))
    book.save(file)


def _differences(evaluation: Evaluation) -> ValueGrid:
    """Return a table of the differences from the first system by every measure, with a sentence for each."""
    found = [pair for measure in tables.measures(evaluation) for pair in tables.pairs(evaluation, measure)]
    if not found:
        return ValueGrid((), ())
    grid = tables.differences(evaluation, found)
    rows = (
        (phrase(f"evaluation.measure.{pair.comparison.measure}"), *row, pair.sentence)
        for row, pair in zip(grid.rows, found, strict=True)
    )
    return ValueGrid((column_of("compared_on"), *grid.columns, column_of("sentence")), tuple(rows))


def _cells(table: ReportTable) -> tuple[list[str], list[list[object]]]:
    return list(table.head), [[_value(cell) for cell in row] for row in table.rows]


def _value(cell: str) -> object:
    """Return the number that a text shows, None for an unknown value, or else the text."""
    if _NUMBER.fullmatch(cell):
        plain = cell.replace(",", "")
        return float(plain) if "." in plain else int(plain)
    return None if cell == grids.NONE else cell


def _widths(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[int]:
    """Return a width in characters for each column by its content: numbers, names or long texts."""
    found = []
    for at in range(len(head)):
        texts = [len(cell) for row in rows if isinstance(cell := row[at], str)]
        wide = _TEXT_WIDTH if max(texts, default=0) > _TEXT_LENGTH else _NAME_WIDTH
        found.append(wide if texts else _WIDTH)
    return found


_VOTE_COLUMNS = ("id", "question", "a", "b", "vote", "preferred", "when")
_SUM_COLUMNS = (
    "first", "second", "votes", "first_wins", "second_wins", "same", "both_wrong", "open", "difference", "low",
    "high", "verdict", "kappa", "win_rate",
)  # fmt: skip


def blind_sections(evaluation: Evaluation, folder: Path) -> tuple[ReportSection, ...]:
    """Return the sections on blind comparisons; () without votes. Takes a moment, as `blind.blind_outcome` does.

    `folder`: folder of the study. Comparisons whose names are still hidden are only counted as hidden, because the
    person who continues must not learn the systems.
    """
    try:
        compared = list(_blind_comparisons(evaluation, BlindFile(folder)))
    except AppError as error:  # the rest of the workbook does not depend on the votes
        return (
            ReportSection(
                phrase("evaluation.blind_sheet"), tables=(_blind_table(_VOTE_COLUMNS, (), str(describe_error(error))),)
            ),
        )
    if not compared:
        return ()
    revealed = [one for one in compared if one.is_revealed]
    note = phrase("evaluation.blind_hidden") if len(revealed) < len(compared) else ""
    votes = _blind_table(_VOTE_COLUMNS, tuple(row for one in revealed for row in _vote_rows(one)), note)
    if not revealed:
        return (ReportSection(phrase("evaluation.blind_sheet"), tables=(votes,)),)
    sums = _blind_table(
        _SUM_COLUMNS, tuple(_outcome_row(blind.blind_outcome(one.pairing, one.votes)) for one in revealed)
    )
    return (
        ReportSection(phrase("evaluation.blind_sheet"), tables=(votes,)),
        ReportSection(phrase("evaluation.blind_sheet_sum"), tables=(sums,)),
    )


def _blind_comparisons(evaluation: Evaluation, blind_file: BlindFile) -> Iterator[BlindComparison]:
    for one, other in itertools.combinations([result.system.id for result in evaluation.systems], 2):
        if blind_file.votes(one, other):
            comparison = BlindComparison(blind.blind_pairing(evaluation, one, other), blind_file)
            if comparison.votes:
                yield comparison


def _blind_table(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...], note: str = "") -> ReportTable:
    return ReportTable(
        tuple(phrase(f"evaluation.blind_column.{key}") for key in columns), rows, (note,) if note else ()
    )


def _vote_rows(comparison: BlindComparison) -> Iterator[tuple[str, ...]]:
    """Yield a row for each vote, in the order in which the votes were given."""
    names = {system.id: system.name for system in (comparison.pairing.first, comparison.pairing.second)}
    texts = {pair.question.id: pair.question.text for pair in comparison.pairing.pairs}
    for voted in comparison.votes:
        preferred = {"a_better": names[voted.a], "b_better": names[voted.b]}.get(voted.vote, "")
        yield (
            voted.question,
            texts[voted.question],
            names[voted.a],
            names[voted.b],
            phrase(f"evaluation.blind_vote.{voted.vote}"),
            preferred,
            phrase("evaluation.blind_when_open" if voted.is_open else "evaluation.blind_when_blind"),
        )


def _outcome_row(outcome: BlindOutcome) -> tuple[str, ...]:
    names = {"first": outcome.first.name, "second": outcome.second.name}
    counts = (outcome.n, outcome.first_wins, outcome.second_wins, outcome.ties, outcome.both_wrong, outcome.when_open)
    has_interval = outcome.difference is not None and outcome.verdict != "few"
    interval = (outcome.difference.mean, outcome.difference.low, outcome.difference.high) if has_interval else ()  # type: ignore[union-attr]
    kappa, rate = outcome.agreement.kappa, outcome.second_rate
    return (
        *names.values(),
        *map(str, counts),
        *([f"{value:.2f}" for value in interval] or [""] * 3),
        phrase(f"evaluation.blind_verdict.{outcome.verdict}", name=names.get(outcome.verdict, "")),
        "" if kappa is None else f"{kappa:.2f}",
        "" if rate is None else blind.rate_text(rate),
    )
