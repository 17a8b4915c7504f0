"""Write the file of answers to a file of questions, completely or not at all.

Every row of the questions gets its answer, or the reason why it has none. The suffix of the file decides the format: a
workbook with four sheets (answers, sources, claims, and how the answers were made), CSV for any spreadsheet, or JSON
Lines for other programs.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app import __version__
from app.base import invisible_characters
from app.base.confidentiality import LABELS, Label, Permit, highest_label
from app.base.errors import AppError
from app.base.tables import table_writer
from app.base.tables.table_reader import Cell
from app.base.tables.table_writer import WorkbookWriter
from app.base.wording import format_time, phrase
from app.chat.batch.journal import BatchAnswer, JournalHeader, answer_facts
from app.chat.batch.question_table import BatchFile, BatchQuestion, SkippedRow, column_name
from app.documents.grounding import answer_markup, source_citations
from app.documents.grounding.grounding_record import Grounding

ANSWER_COLUMNS = ("verdict", "answer", "check", "sources", "label", "note", "model", "seconds", "answered_at")


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One row of the questions file, a question or a skipped row, and its answer; None: not answered yet."""

    row: BatchQuestion | SkippedRow
    result: BatchAnswer | None = None

    @property
    def question(self) -> str:
        return self.row.text if isinstance(self.row, BatchQuestion) else ""

    @property
    def verdict(self) -> str:
        """Return the state of the row: answered | near | not_in_documents | length | failed | skipped | waiting."""
        if isinstance(self.row, SkippedRow):
            return "skipped"
        return self.result.verdict if self.result else "waiting"

    @property
    def note(self) -> str:
        """Return why there is no answer, or why no model wrote it from documents; else ""."""
        if isinstance(self.row, SkippedRow):
            return phrase(f"chat.batch_reason.{self.row.reason}")
        if self.result is None:
            return ""
        if self.result.error:
            return self.result.error
        grounding = self.result.grounding
        if grounding is None:
            return phrase("chat.batch_without_documents")
        return phrase("common.excerpts") if grounding.is_excerpt else ""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """The contents of a file of answers. `model_sha256` is "" when the hash of the model file was never computed."""

    questions: BatchFile
    head: JournalHeader
    results: dict[int, BatchAnswer]  # by the line number of the question
    model_sha256: str = ""
    scope_label: Label = LABELS[0]

    @property
    def label(self) -> Label:
        """Return the highest label of the searched collections and of all answers."""
        return highest_label((self.scope_label, *(result.label for result in self.results.values())))

    def lines(self) -> Iterator[ReportLine]:
        """Yield all rows in the order of the questions file."""
        rows: list[BatchQuestion | SkippedRow] = [*self.questions.questions, *self.questions.skipped]
        for row in sorted(rows, key=lambda row: row.line):
            yield ReportLine(row, self.results.get(row.line))


def original_column_names(questions: BatchFile) -> list[str]:
    """Return the names of the other columns; one without a name of its own is named by its letter."""
    found: list[str] = []
    for column, name in enumerate(questions.columns):
        if column != questions.column:
            is_free = bool(name) and name not in found
            found.append(name if is_free else phrase("chat.batch_original", letter=column_name((), column)))
    return found


def original_cells(questions: BatchFile, row: BatchQuestion | SkippedRow) -> list[Cell]:
    return [*row.others, *[None] * (len(questions.columns) - 1 - len(row.others))]


def doubt_lines(result: BatchAnswer) -> str:
    """Return the sentences to check, one a line, with what is lacking; then how many were not compared."""
    grounding = result.grounding or Grounding()
    doubtful = [
        phrase(
            f"chat.batch_doubt.{source_citations.doubt_kind(grounding, [claim])}",
            sentence=claim.sentence,
            missing=phrase("common.batch_gap").join(claim.missing),
        )
        for claim in grounding.claims
        if not claim.is_supported
    ]
    return "\n".join([*doubtful, *source_citations.unchecked_messages(grounding)])


def answer_cells(report: BatchReport, line: ReportLine) -> list[Any]:
    """Return the cells of one row of the answers: line number, the original columns, the question, `ANSWER_COLUMNS`."""
    return [line.row.line, *original_cells(report.questions, line.row), line.question, *_answer_columns(line)]


def _answer_columns(line: ReportLine) -> list[str | int | float]:
    """Return the cells of the columns `ANSWER_COLUMNS`, "" for each that has no value."""
    result = line.result
    verdict = phrase(f"common.batch_verdict.{line.verdict}")
    if result is None:
        return [verdict, "", "", "", "", line.note, "", "", ""]
    marked = source_citations.add_marks(result.answer, result.grounding)
    return [
        verdict, answer_markup.plain_answer(marked), doubt_lines(result),
        "\n".join(source_citations.used_places(result.answer, result.grounding)),
        phrase(f"common.label.{result.label}"), line.note, result.model,
        round(result.total_s, 2), format_time(result.answered_at),
    ]  # fmt: skip


def batch_facts(report: BatchReport) -> list[tuple[str, str]]:
    """Return the settings and circumstances of the batch as pairs (name, value), without empty values."""
    head, questions = report.head, report.questions
    choices = head.choices
    seed = phrase("chat.batch_fact.random") if choices.seed is None else str(choices.seed)
    found = [
        ("questions", questions.name),
        ("questions_sha256", questions.sha256),
        ("column", column_name(questions.columns, questions.column)),
        ("model", head.model_name),
        ("model_sha256", report.model_sha256),
        ("scope", " / ".join(ref.name for ref in head.scope)),
        ("label", phrase(f"common.label.{report.label}")),
        ("temperature", f"{choices.temperature}"),
        ("max_tokens", f"{choices.max_tokens}"),
        ("seed", seed),
        ("context_tokens", f"{head.context_tokens}"),
        ("system_prompt", choices.system_prompt or ""),
        ("started", format_time(head.started_at)),
        ("written", format_time(time.time())),
        ("version", f"Kotae {__version__}"),
    ]
    return [(phrase(f"chat.batch_fact.{key}"), value) for key, value in found if value]


COLUMN_WIDTHS = {"question": 40, "answer": 70, "sources": 50, "check": 40, "quote": 80, "heading": 40, "sentence": 60}
DEFAULT_WIDTH = 14  # characters, for every column that `COLUMN_WIDTHS` does not name
ABOUT_WIDTHS = (28, 90)

_SOURCE_COLUMNS = ("n", "collection", "document", "heading", "tag", "page", "quote", "score")
_CLAIM_COLUMNS = ("n", "sentence", "sources", "supported", "missing")


def write_workbook(report: BatchReport, file: BinaryIO) -> None:
    book = WorkbookWriter(phrase("common.batch_cut"), phrase(f"common.label.{report.label}"))
    others = original_column_names(report.questions)
    lines = list(report.lines())
    columns = ["line", *others, "question", *ANSWER_COLUMNS]
    _add_table(book, "answers", columns, len(others), (answer_cells(report, line) for line in lines))
    _add_table(book, "sources", ["line", *_SOURCE_COLUMNS], 0, (row for line in lines for row in _source_rows(line)))
    _add_table(book, "claims", ["line", *_CLAIM_COLUMNS], 0, (row for line in lines for row in _claim_rows(line)))
    book.add(phrase("chat.batch_sheet.about"), ABOUT_WIDTHS, batch_facts(report))
    book.save(file)


def _add_table(
    book: WorkbookWriter, key: str, columns: Sequence[str], others: int, rows: Iterable[Sequence[object]]
) -> None:
    """Add a sheet. The `others` columns after the first are the user's own and keep their names."""
    own = range(1, 1 + others)
    widths = [DEFAULT_WIDTH if at in own else COLUMN_WIDTHS.get(name, DEFAULT_WIDTH) for at, name in enumerate(columns)]
    names = [name if at in own else phrase(f"common.batch_column.{name}") for at, name in enumerate(columns)]
    book.add(phrase(f"chat.batch_sheet.{key}"), widths, rows, names)


def _source_rows(line: ReportLine) -> list[list[object]]:
    return [
        [line.row.line, number, source.collection_title, source.document, " > ".join(source.heading), source.tag,
         source.page or "", source.text, round(source.score, 4)]
        for number, source in enumerate(line.result.sources if line.result else (), start=1)
    ]  # fmt: skip


def _claim_rows(line: ReportLine) -> list[list[object]]:
    grounding = line.result.grounding if line.result else None
    return [
        [line.row.line, number, claim.sentence, " ".join(f"[{source}]" for source in claim.sources),
         phrase("chat.batch_supported" if claim.is_supported else "chat.batch_unsupported"), "\n".join(claim.missing)]
        for number, claim in enumerate(grounding.claims if grounding else (), start=1)
    ]  # fmt: skip


def write_csv(report: BatchReport, file: BinaryIO) -> None:
    names = [phrase(f"common.batch_column.{name}") for name in ("line", "question", *ANSWER_COLUMNS)]
    head = [names[0], *original_column_names(report.questions), *names[1:]]
    table_writer.write_csv(file, head, (answer_cells(report, line) for line in report.lines()))


def write_json(report: BatchReport, file: BinaryIO) -> None:
    """Write one JSON object a line: question, line number, and the answer as `kotae ask --json` prints it."""
    for line in report.lines():
        written = invisible_characters.escape_json(json.dumps(_json_object(report, line), ensure_ascii=False))
        file.write(written.encode("utf-8", "replace") + b"\n")


def _json_object(report: BatchReport, line: ReportLine) -> dict[str, Any]:
    names = original_column_names(report.questions)
    others = dict(zip(names, original_cells(report.questions, line.row), strict=True))
    data: dict[str, Any] = {"line": line.row.line, "question": line.question, "verdict": line.verdict}
    data["original"] = {name: _plain_value(value) for name, value in others.items()}
    result = line.result
    if result is None:
        return data | {"reason": line.note} if line.note else data
    if result.error_code:
        data["error"] = {"code": result.error_code, "message": result.error}
    return data | answer_facts(result)


def _plain_value(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else str(value)


_WRITERS = {".xlsx": write_workbook, ".csv": write_csv, ".jsonl": write_json}


def check_target(out: Path, questions: Path) -> None:
    """Check a path. Raises AppError("batch_out_format" | "batch_same_file" | "export_folder_gone")."""
    if out.suffix.lower() not in _WRITERS:
        raise AppError("batch_out_format", name=out.name)
    if not out.parent.is_dir():
        raise AppError("export_folder_gone", path=str(out.parent))
    if out.exists() and questions.exists() and out.samefile(questions):
        raise AppError("batch_same_file", path=str(out))


def save_answers(report: BatchReport, out: Path, *, permit: Permit) -> None:
    """Write the file of answers. Raises AppError("batch_out_open") when another program has it open, and as
    `Permit.open_atomically` does."""
    try:
        with permit.open_atomically(out) as file:
            _WRITERS[out.suffix.lower()](report, file)
    except AppError as error:
        # Windows does not replace a file that Excel has open, although the folder is writable.
        if error.code == "export_forbidden" and out.exists() and os.access(out.parent, os.W_OK):
            raise AppError("batch_out_open", path=str(out)) from error
        raise
