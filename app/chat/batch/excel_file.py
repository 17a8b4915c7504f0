"""Answers as a workbook: what a person reads first, then every source and sentence, then how it came about."""

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from app.base.tables.table_writer import WorkbookWriter
from app.base.wording import phrase
from app.chat.batch import report as words
from app.chat.batch.report import Line, Report

WIDTHS = {"question": 40, "answer": 70, "sources": 50, "check": 40, "quote": 80, "heading": 40, "sentence": 60}
WIDTH = 14  # of all others, in characters
ABOUT_WIDTHS = (28, 90)

_SOURCES = ("n", "collection", "document", "heading", "tag", "page", "quote", "score")
_CLAIMS = ("n", "sentence", "sources", "supported", "missing")


def write(report: Report, file: BinaryIO) -> None:
    book = WorkbookWriter(phrase("common.batch_cut"), phrase(f"common.label.{report.label}"))
    others = words.original_names(report.questions)
    lines = list(report.lines())
    columns = ["line", *others, "question", *words.ANSWER_COLUMNS]
    _add_table(book, "answers", columns, len(others), (words.cells(report, line) for line in lines))
    _add_table(book, "sources", ["line", *_SOURCES], 0, (row for line in lines for row in _sources(line)))
    _add_table(book, "claims", ["line", *_CLAIMS], 0, (row for line in lines for row in _claims(line)))
    book.add(phrase("chat.batch_sheet.about"), ABOUT_WIDTHS, words.facts(report))
    book.save(file)


def _add_table(
    book: WorkbookWriter, key: str, columns: Sequence[str], others: int, rows: Iterable[Sequence[object]]
) -> None:
    """`others`: how many of the columns, behind the first, are the questions' own and have their names."""
    own = range(1, 1 + others)
    widths = [WIDTH if at in own else WIDTHS.get(name, WIDTH) for at, name in enumerate(columns)]
    names = [name if at in own else phrase(f"common.batch_column.{name}") for at, name in enumerate(columns)]
    book.add(phrase(f"chat.batch_sheet.{key}"), widths, rows, names)


def _sources(line: Line) -> list[list[object]]:
    return [
        [line.row.line, number, source.collection, source.document, " > ".join(source.heading), source.tag,
         source.page or "", source.text, round(source.score, 4)]
        for number, source in enumerate(line.result.sources if line.result else (), start=1)
    ]  # fmt: skip


def _claims(line: Line) -> list[list[object]]:
    kept = line.result.grounding if line.result else None
    return [
        [line.row.line, number, claim.sentence, " ".join(f"[{source}]" for source in claim.sources),
         phrase("chat.batch_supported" if claim.is_supported else "chat.batch_unsupported"), "\n".join(claim.missing)]
        for number, claim in enumerate(kept.claims if kept else (), start=1)
    ]  # fmt: skip
