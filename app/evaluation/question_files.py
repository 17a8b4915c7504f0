"""Read question sets from JSON (lines or one list), Excel and CSV; write them as JSON Lines, Excel and CSV.

Each row is one question. A row that is no question is reported with the reason. In JSON a row is an object with the
keys
    id, question, reference (or answer), must_include [..], gold [{quote, document, heading [..], page}],
    category (or type), group (or volume, document), answerable (false: the documents do not contain the answer; a
    reference that says so means the same), origin
of which only the question is required. In tables the headings tell the columns apart (`app.evaluation.question_rows`).
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.base import confidentiality
from app.base.confidentiality import LABELS, Label, Permit
from app.base.errors import AppError
from app.base.files.output_file import check_new_target
from app.base.tables import table_reader, table_writer
from app.base.tables.column_mapping import ColumnMapping, is_known_column, list_columns
from app.base.tables.table_reader import Cell
from app.base.wording import phrase
from app.documents import encodings
from app.evaluation import question_rows
from app.evaluation.question_rows import NAME_CHARACTERS, QuestionColumns
from app.evaluation.records import Question
from app.training.data import records
from app.training.data.records import BadRow, DataRecord, DataRecords, RowRefusedError, shorten

JSON_LINES = ".jsonl"
TABLES = (".csv", ".tsv")
SUFFIXES = (*table_reader.WORKBOOKS, *TABLES, JSON_LINES, ".json")
WRITTEN = (".xlsx", ".csv", JSON_LINES)
FILE_BYTES = 50_000_000
ROWS = 100_000  # at one answer a second this takes more than a day
WIDTHS = (12, 50, 60, 24, 16, 20, 12, 12)  # widths of a sheet's columns, in characters
GOLD_WIDTHS = (50, 24, 30, 8)

_DIGITS = 12  # digits of a generated id: at 20 million questions two are likely to share one


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """The questions of a file, and what the user should know about its rows.

    `renamed`: pairs of an id that occurred twice and the new id of the later question.
    """

    name: str
    questions: tuple[Question, ...]
    columns: QuestionColumns
    skipped: tuple[BadRow, ...] = ()  # rows that are no question, in file order
    renamed: tuple[tuple[str, str], ...] = ()
    blank: int = 0  # number of empty rows, which are neither questions nor problems
    sheet: str = ""  # the sheet of a workbook that was read
    other_sheets: tuple[str, ...] = ()  # the sheets that were not read
    label: Label = LABELS[0]  # the highest label that the rows carry
    doubts: tuple[BadRow, ...] = ()  # questions whose row has a value that looks wrong


# ------------------------------------------------------------------------ reading


def read(path: Path) -> QuestionFile:
    """Read a file of questions.

    Raises AppError: question_file_missing, data_is_folder, batch_format, questions_unreadable (for tables
    questions_table_unreadable), questions_no_text, data_not_json, data_several_lists, and as `table_reader` does.
    """
    data_records = _records(_bytes(path), path)
    if len(data_records.records) > ROWS:
        raise AppError("table_long", name=path.name, limit=f"{ROWS:,}")
    columns, questions, skipped = _sorted(data_records)
    if not questions:
        raise _unreadable(path, _why_none(data_records, columns, skipped))
    named, renamed = with_ids(question for _, question in questions)
    label = confidentiality.label_of_rows(row.values for row in data_records.records)
    doubts = tuple(
        BadRow(row.line, code, detail)
        for row, question in questions
        for code, detail in question_rows.doubts(row, columns, question)
    )
    return QuestionFile(
        path.name, named, columns, tuple(skipped), renamed, data_records.blank, data_records.sheet,
        data_records.other_sheets, label, doubts,
    )  # fmt: skip


def from_lines(raw: bytes, name: str) -> tuple[Question, ...]:
    """Read the output of `to_lines`, where every line must be a question.

    `name`: name of the data for the error message. Raises AppError("questions_unreadable").
    """
    try:
        found = records.records_from_json(raw.decode("utf-8"), name, is_lines=True)
    except UnicodeDecodeError as error:
        raise AppError("questions_unreadable", path=name, reason=phrase("common.questions_not_text")) from error
    columns, questions, skipped = _sorted(found)
    if skipped or not questions:
        raise AppError("questions_unreadable", path=name, reason=_why_none(found, columns, skipped))
    return with_ids(question for _, question in questions)[0]


def as_stored(question: Question) -> Question | None:
    """Return the question as reading it from a file would return it; None if a file cannot hold it."""
    try:
        return from_lines(to_lines([question]), "")[0]
    except AppError:
        return None


def with_ids(questions: Iterable[Question]) -> tuple[tuple[Question, ...], tuple[tuple[str, str], ...]]:
    """Give each question an id of its own; also return the pairs of old and new id where an id had to change.

    A question without an id gets "q" and 12 hexadecimal digits of its text's hash; the letter keeps a spreadsheet from
    taking it for a number. If an id is taken, the later question gets it with a number appended.
    """
    questions = tuple(questions)
    given = {one.id for one in questions}
    taken: dict[str, int] = {}  # key: id; value: number of questions that had it
    named: list[Question] = []
    for question in questions:
        wanted = question.id or "q" + hashlib.sha256(question.text.encode("utf-8", "replace")).hexdigest()[:_DIGITS]
        id = wanted
        while id in taken or (id in given and id != question.id):
            taken[wanted] = number = taken.get(wanted, 1) + 1
            id = f"{wanted[: NAME_CHARACTERS - 10]}-{number}"
        taken.setdefault(id, 1)
        named.append(question if id == question.id else replace(question, id=id))
    pairs = zip(questions, named, strict=True)
    return tuple(named), tuple((old.id, new.id) for old, new in pairs if old.id not in ("", new.id))


def _bytes(path: Path) -> bytes:
    raw = table_reader.read_bytes(path, FILE_BYTES, SUFFIXES, missing="question_file_missing", other="batch_format")
    if not raw.strip():
        raise _unreadable(path, phrase("evaluation.questions_empty"))
    return raw


def _unreadable(path: Path, reason: str) -> AppError:
    """Return the error for an unreadable file of questions; its advice is that for JSON, or for a table.

    `reason`: a sentence in the language in use.
    """
    is_json = path.suffix.lower() in (JSON_LINES, ".json")
    return AppError("questions_unreadable" if is_json else "questions_table_unreadable", path=str(path), reason=reason)


def _records(raw: bytes, path: Path) -> DataRecords:
    suffix = path.suffix.lower()
    if suffix in table_reader.WORKBOOKS:
        sheets = list(table_reader.read_sheets(raw, path.name, ROWS + records.HEADING_ROWS))
        return records.records_from_sheets(sheets, ColumnMapping()) if sheets else DataRecords()
    codec = encodings.detect(raw)
    if not codec:
        raise AppError("questions_no_text", name=path.name)
    text = encodings.decode(raw, codec)
    table_reader.check_text(text, path.name)
    if suffix in TABLES:
        rows = [
            replace(row, cells=tuple(map(_unquoted, row.cells))) for row in table_reader.read_delimited(text, path.name)
        ]
        return records.records_from_table(rows, ColumnMapping(), is_text=True)
    return records.records_from_json(text, path.name, is_lines=suffix == JSON_LINES)


def _unquoted(cell: Cell) -> Cell:
    """Remove the apostrophe that `table_writer` puts before text that a spreadsheet would take for a formula."""
    return table_writer.remove_formula_apostrophe(cell) if isinstance(cell, str) else cell


def _sorted(data_records: DataRecords) -> tuple[QuestionColumns, list[tuple[DataRecord, Question]], list[BadRow]]:
    """Return the field of each column, the rows that are questions, and the rows that are not."""
    columns, rows = (
        question_rows.find_columns(data_records.columns if data_records.has_names else ()),
        data_records.records,
    )
    if (
        not data_records.has_names and len(data_records.columns) == 1
    ):  # a file with one unnamed column is a list of questions
        (only,) = data_records.columns
        columns = QuestionColumns({"question": (only,)}, (), ())
        rows = rows[1:] if rows and is_known_column(str(rows[0].values.get(only))) else rows
    questions, skipped = [], list(data_records.bad_rows)
    for row in rows if "question" in columns.fields else ():
        try:
            questions.append((row, question_rows.question_of(row, columns)))
        except RowRefusedError as error:
            skipped.append(BadRow(row.line, error.code, error.detail))
    return columns, questions, sorted(skipped, key=lambda row: row.line)


def _why_none(data_records: DataRecords, columns: QuestionColumns, skipped: Sequence[BadRow]) -> str:
    if data_records.records and "question" not in columns.fields:
        first = data_records.records[0].values
        names = data_records.columns if data_records.has_names else [shorten(value) for value in first.values()]
        return phrase("evaluation.questions_no_column", columns=list_columns(names))
    if not skipped:
        return phrase("evaluation.questions_empty")
    return phrase("common.data_bad.row", line=skipped[0].line, reason=phrase(f"common.data_bad.{skipped[0].code}"))


# ------------------------------------------------------------------------ writing

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


def to_lines(questions: Iterable[Question]) -> bytes:
    """Write the questions in the canonical form: one JSON object a line with sorted keys, without default values."""
    rows = (_ENCODER.encode(question_rows.as_object(one)) for one in questions)
    return "".join(f"{row}\n" for row in rows).encode("utf-8", "replace")


def sha256(questions: Iterable[Question]) -> str:
    """Return a hash that is equal for two sets with the same questions in the same order."""
    return hashlib.sha256(to_lines(questions)).hexdigest()


def check_target(out: Path) -> None:
    """Check that a file of questions can be written to `out`.

    Raises AppError("questions_out_format" | "export_folder_gone" | "export_exists").
    """
    check_new_target(out, WRITTEN, "questions_out_format")


def write(out: Path, questions: Sequence[Question], *, permit: Permit) -> None:
    """Write the questions in the format of the suffix. Raises AppError as `Permit.open_atomically`."""
    golds = max((len(question.gold) for question in questions), default=0)
    head = question_rows.table_head(golds)
    with permit.open_atomically(out) as file:
        if out.suffix.lower() == JSON_LINES:
            file.write(to_lines(questions))
        elif out.suffix.lower() == ".csv":
            table_writer.write_csv(file, head, map(question_rows.cells, questions))
        else:
            book = table_writer.WorkbookWriter(phrase("common.batch_cut"), phrase(f"common.label.{permit.label}"))
            book.add(
                phrase("evaluation.question_sheet"),
                WIDTHS + GOLD_WIDTHS * golds,
                map(question_rows.cells, questions),
                head,
            )
            book.save(file)
