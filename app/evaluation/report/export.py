"""An evaluation as a file to pass on: a workbook, one table, or the report; the name says which."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from app.base import html_report
from app.base.confidentiality import Permit, highest_label
from app.base.files.output_file import check_new_target
from app.base.tables import table_writer
from app.base.wording import phrase
from app.evaluation.report import answer_table, blind_table, facts, grids, report, tables
from app.evaluation.report.grids import WORDS, Column, Grid
from app.evaluation.report_parts import Section, Table
from app.evaluation.results import Evaluation

SUFFIXES = (".xlsx", ".csv", ".html")
_WIDTH, _NAME_WIDTH, _TEXT_WIDTH = 14, 28, 60  # of columns, in characters
_TEXT_LENGTH = 40  # of what needs a wide column
_FACT_WIDTHS = (28, 90)
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,14}|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?")  # 007 is none


def check_target(out: Path) -> None:
    """Raises AppError("evaluation_out_format" | "export_folder_gone" | "export_exists")."""
    check_new_target(out, SUFFIXES, "evaluation_out_format")


def save(
    evaluation: Evaluation, sections: Sequence[Section], out: Path, folder: Path | None = None, *, permit: Permit
) -> None:
    """In the language in use, with the label that the permit found: what was asked may say more than the questions.

    `folder`: of the study, whose blind comparisons become sheets; None: of several.
    Raises AppError as `check_target` and `Permit.whole_file`.
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
            votes = blind_table.sections(evaluation, folder) if folder is not None else ()
            _write_book(evaluation, (*sections, *votes), file)


def _one_table(evaluation: Evaluation, sections: Sequence[Section]) -> tuple[list[str], list[list[object]]]:
    """Of the systems; where there are none, as of a judge or of trainings alone, the first table with rows."""
    found = [table for section in sections for table in section.tables if table.rows]
    return grids.cells(tables.summary(evaluation)) if evaluation.systems or not found else _cells(found[0])


def _write_book(evaluation: Evaluation, sections: Sequence[Section], file: BinaryIO) -> None:
    word = html_report.load_words(WORDS)
    book = table_writer.WorkbookWriter(phrase("common.batch_cut"), phrase(f"common.label.{evaluation.questions.label}"))
    found = (
        ("summary", tables.summary(evaluation)),
        ("differences", _differences(evaluation)),
        ("categories", tables.categories(evaluation)),
        ("questions", answer_table.every(evaluation)),
    )
    for key, grid in found:
        if grid.rows:
            head, rows = grids.cells(grid)
            book.add(word[f"sheet_{key}"], _widths(head, rows), rows, head)
    for section in sections:
        for table in section.tables:
            head, rows = _cells(table)
            book.add(section.title, _widths(head, rows), rows, head, table.notes)
    book.add(word["sheet_facts"], _FACT_WIDTHS, facts.of(evaluation))
    book.save(file)


def _differences(evaluation: Evaluation) -> Grid:
    """Of all measures, each said in words, too."""
    found = [pair for measure in tables.measures(evaluation) for pair in tables.pairs(evaluation, measure)]
    if not found:
        return Grid((), ())
    word, grid = html_report.load_words(WORDS), tables.differences(evaluation, found)
    rows = (
        (phrase(f"evaluation.measure.{pair.comparison.measure}"), *row, pair.sentence)
        for row, pair in zip(grid.rows, found, strict=True)
    )
    return Grid((Column(word["compared_on"]), *grid.columns, Column(word["sentence"])), tuple(rows))


def _cells(table: Table) -> tuple[list[str], list[list[object]]]:
    return list(table.head), [[_value(cell) for cell in row] for row in table.rows]


def _value(cell: str) -> object:
    """A number where it is shown as one; what is not known is empty."""
    if _NUMBER.fullmatch(cell):
        plain = cell.replace(",", "")
        return float(plain) if "." in plain else int(plain)
    return None if cell == grids.NONE else cell


def _widths(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[int]:
    """By what stands in a column: numbers, names, or texts."""
    found = []
    for at in range(len(head)):
        texts = [len(cell) for row in rows if isinstance(cell := row[at], str)]
        wide = _TEXT_WIDTH if max(texts, default=0) > _TEXT_LENGTH else _NAME_WIDTH
        found.append(wide if texts else _WIDTH)
    return found
