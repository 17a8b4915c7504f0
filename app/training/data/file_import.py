"""Import a file as rows of training data, and report each line that gives no row with its place and the reason.

A draft also stores the import without its rows (`origin.json`): the columns, the bad rows, and the size and time of the
source file.
"""

import codecs
import dataclasses
import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from app.base import confidentiality, json_lines
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import drive_errors, export_error, write_atomically
from app.base.tables import column_mapping as names
from app.base.tables import table_reader, table_writer
from app.base.tables.column_mapping import ColumnMapping
from app.base.wording import phrase
from app.documents import collection_lookup, encodings
from app.training.data import markdown_pairs, records, split_record
from app.training.data.records import BadRow, DataRecord, DataRecords, Shape
from app.training.data.rows import TrainingRow

JSON_LINES = (".jsonl", ".ndjson")
JSON = (".json",)
TABLES = (".csv", ".tsv")
MARKDOWN = (".md", ".markdown", ".txt")
SUFFIXES = (*JSON_LINES, *JSON, *TABLES, *table_reader.WORKBOOKS, *table_reader.COLUMNAR, *MARKDOWN)
_SPLIT, _CACHE = "train", "cache-"  # of a dataset's folder: the part that is read, and what was computed from it
FILE_BYTES = 300_000_000  # limit; about 150,000 answers of a page each
ROWS = 300_000  # limit; an 8B model on one graphics card would train for weeks on them
TEMPLATE_WIDTHS = (48, 64, 20)  # characters
SAMPLES, SAMPLE_CHARACTERS, SAMPLE_ITEMS = 3, 2_000, 50


@dataclass(frozen=True, slots=True)
class ImportedRows:
    """An imported file. `mapping`: the column for each purpose, including guessed columns.

    `label`: the highest confidentiality label of its rows; "" if none has one. `samples`: its first records, with texts
    cut at SAMPLE_CHARACTERS and lists at SAMPLE_ITEMS.
    """

    name: str
    rows: tuple[TrainingRow, ...]
    bad_rows: tuple[BadRow, ...]  # in the order of the file
    shape: Shape
    mapping: ColumnMapping
    sha256: str = ""  # the file's hash
    columns: tuple[str, ...] = ()
    encoding: str = ""  # Python's name of a text file's encoding; "" for a workbook
    sheet: str = ""  # the imported sheet of a workbook
    other_sheets: tuple[str, ...] = ()  # sheets that were not read
    blank: int = 0  # number of empty rows, which are no problem
    samples: tuple[DataRecord, ...] = ()
    label: str = ""
    origins: tuple[tuple[str, str], ...] = ()  # (collection, document) from which rows were made


def import_file(
    path: Path, mapping: ColumnMapping | None = None, check: Callable[[], None] = lambda: None
) -> ImportedRows:
    """Import a file, or the folder of a dataset of Hugging Face. `mapping`: the columns that the user named.

    `check` is called before each file of a folder and may raise.

    Raises AppError: file_missing, data_is_folder, data_format, data_empty, data_no_columns, data_column_missing,
    data_column_twice, data_no_rows, data_only_heading, data_not_json, data_several_lists, data_without_columns, and the
    errors of `table_reader`.
    """
    path, wanted = Path(os.path.expanduser(path)), mapping or ColumnMapping()  # noqa: PTH111  (Path's raises for an unknown ~user)
    suffix, raw, text, codec = _read(path, check)
    if suffix in MARKDOWN:
        imported = _of_markdown(text, path.name, wanted)
    else:
        imported = _of_records(_records_of(suffix, raw, text, path.name, wanted), path.name, wanted)
    imported = replace(imported, sha256=hashlib.sha256(raw).hexdigest(), encoding=codec)
    if len(imported.rows) > ROWS:
        raise AppError("table_long", name=path.name, limit=f"{ROWS:,}")
    if not imported.rows and not imported.bad_rows:
        raise AppError("data_only_heading" if imported.mapping.answer else "data_no_rows", name=path.name)
    if not wanted.group and len({row.group for row in imported.rows}) == 1:  # a single group separates nothing
        rows = tuple(replace(row, group="") for row in imported.rows)
        imported = replace(imported, rows=rows, mapping=replace(imported.mapping, group=""))
    return _with_record(imported, path.parent)


def _with_record(imported: ImportedRows, folder: Path) -> ImportedRows:
    """Return the import with the label and the origins of the `split.json` next to the file, if there is one."""
    label, origins = split_record.read_label_and_origins(folder)
    known = {one for one in (label, confidentiality.label_from_word(imported.label)) if one is not None}
    highest = confidentiality.highest_label(known) if known else ""
    return replace(imported, label=highest, origins=tuple(sorted({*imported.origins, *origins})))


def read_outline(path: Path) -> tuple[tuple[str, ...], tuple[DataRecord, ...]]:
    """Return the columns of a file and its first records, before a mapping is chosen.

    Raises AppError as `import_file` does.
    """
    suffix, raw, text, _codec = _read(path)
    table, wanted = markdown_pairs.read_table(text) if suffix in MARKDOWN else [], ColumnMapping()
    if table:
        found = records.records_from_table(table, wanted, is_text=True)
    else:
        found = _records_of(suffix, raw, text, path.name, wanted)
    return found.columns, _samples(found)


def write_template(out: Path) -> None:
    """Write an empty workbook to fill in, whose first sheet `import_file` reads; a second one says how to.

    Raises AppError as `export_error` returns them, and clock_unfit.
    """
    head = [phrase(f"common.batch_column.{name}") for name in ("question", "answer")]
    book = table_writer.WorkbookWriter(phrase("common.batch_cut"), "")
    book.add(phrase("training.template.sheet"), TEMPLATE_WIDTHS, (), [*head, phrase("training.template.group")])
    notes = [phrase(f"training.template.{name}") for name in ("how", "group_why", "count", "example")]
    book.add(phrase("training.template.notes"), (sum(TEMPLATE_WIDTHS),), [[note] for note in notes])
    file = io.BytesIO()
    book.save(file)
    try:
        write_atomically(out, file.getvalue())
    except OSError as error:
        raise export_error(error, out) from error


def encoding_name(codec: str) -> str:
    """Return the usual name of a codec, to show to the user."""
    return "UTF-8 (BOM)" if codec == "utf-8-sig" else encodings.encoding_name(codec)


def _read(path: Path, check: Callable[[], None] = lambda: None) -> tuple[str, bytes, str, str]:
    """Return a file's suffix in lower case, its content, text, and codec; of a dataset's folder, those of its files.

    Raises AppError as `import_file` does.
    """
    files = _dataset_files(path) if os.path.isdir(path) else [path]  # noqa: PTH112  (Path.is_dir raises for long names)
    suffix = files[0].suffix.lower()
    if suffix not in table_reader.COLUMNAR:
        raw = _read_bytes(path)
        return suffix, raw, *_decoded(raw, path)
    raws, texts = [], []
    for file in files:
        check()
        raws.append(_read_bytes(file))
        texts.append(table_reader.read_columnar(raws[-1], file.name, ROWS))
        if max(sum(map(len, raws)), sum(map(len, texts))) > FILE_BYTES:  # a small file can hold a long text often
            raise AppError("table_large", name=path.name, limit=f"{FILE_BYTES // 1_000_000} MB")
    return suffix, b"".join(raws), "".join(texts), ""


def _dataset_files(folder: Path) -> list[Path]:
    """Return the files of a dataset's training part, or all its files if it has no parts.

    They lie in the folder itself, in "data" as on the hub, or in "train" as `save_to_disk` writes them. Without any,
    return the folder itself.
    """
    for place in (folder / _SPLIT, folder / "data", folder):
        try:
            found = sorted(
                one
                for one in place.iterdir()
                if one.suffix.lower() in table_reader.COLUMNAR and not one.name.startswith(_CACHE)
            )
        except OSError:
            continue
        if found:
            return [one for one in found if one.name.startswith(_SPLIT)] or found
    return [folder]


def _read_bytes(path: Path) -> bytes:
    raw = table_reader.read_bytes(path, FILE_BYTES, SUFFIXES, missing="file_missing", other="data_format")
    if not raw.strip():
        raise AppError("data_empty", name=path.name)
    return raw


def _decoded(raw: bytes, path: Path) -> tuple[str, str]:
    """Return the text of a file and its codec; ("", "") for a workbook. Raises AppError for text that is unreadable."""
    if path.suffix.lower() in table_reader.WORKBOOKS:
        return "", ""
    codec = encodings.detect(raw)
    if not codec:
        raise AppError("table_unreadable", name=path.name, reason=phrase("common.questions_not_text"))
    text = encodings.decode(raw, codec)
    if not text.strip("\ufeff\0 \t\r\n"):
        raise AppError("data_empty", name=path.name)
    table_reader.check_text(text, path.name)
    return text, "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else codec


def _records_of(suffix: str, raw: bytes, text: str, name: str, requested: ColumnMapping) -> DataRecords:
    """Return the records of a file: a workbook is parsed from the bytes `raw`, other files from `text`."""
    if suffix in table_reader.WORKBOOKS:
        sheets = list(table_reader.read_sheets(raw, name, ROWS + records.HEADING_ROWS))
        if not sheets:
            raise AppError("data_empty", name=name)
        return records.records_from_sheets(sheets, requested)
    if suffix in TABLES:
        return records.records_from_table(list(table_reader.read_delimited(text, name)), requested, is_text=True)
    return records.records_from_json(text, name, is_lines=suffix in (*JSON_LINES, *table_reader.COLUMNAR))


def _samples(data_records: DataRecords) -> tuple[DataRecord, ...]:
    """Return the first records; values that JSON cannot represent, such as dates, become text."""
    return tuple(
        DataRecord(one.line, {name: _cut(value) for name, value in one.values.items()})
        for one in data_records.records[:SAMPLES]
    )


def _cut(value: Any, depth: int = 8) -> Any:
    if isinstance(value, str):
        return value[:SAMPLE_CHARACTERS]
    if isinstance(value, list | dict) and not depth:
        return records.shorten(value)
    if isinstance(value, list):
        return [_cut(one, depth - 1) for one in value[:SAMPLE_ITEMS]]
    if isinstance(value, dict):
        return {name: _cut(one, depth - 1) for name, one in value.items()}
    return value if isinstance(value, int | float | None) else str(value)


def _of_records(data_records: DataRecords, name: str, requested: ColumnMapping) -> ImportedRows:
    mapping, shape = _mapping(data_records, name, requested)
    made = [records.row_from_record(record, mapping) for record in data_records.records]
    bad = sorted([*data_records.bad_rows, *(one for one in made if isinstance(one, BadRow))], key=lambda one: one.line)
    return ImportedRows(
        name=name,
        rows=tuple(one for one in made if isinstance(one, TrainingRow)),
        bad_rows=tuple(bad),
        shape=shape,
        mapping=mapping,
        columns=data_records.columns,
        sheet=data_records.sheet,
        other_sheets=data_records.other_sheets,
        blank=data_records.blank,
        samples=_samples(data_records),
        label=confidentiality.label_of_rows_or_none(record.values for record in data_records.records) or "",
        origins=collection_lookup.origins_of_rows(record.values for record in data_records.records),
    )


def _mapping(data_records: DataRecords, name: str, requested: ColumnMapping) -> tuple[ColumnMapping, Shape]:
    requested = names.resolve_mapping(
        requested, data_records.columns, data_records.columns if data_records.is_table else ()
    )
    column, shape = records.find_conversations(data_records.records, data_records.columns)
    if column and not (requested.question or requested.answer):
        guessed = names.guess_mapping([one for one in data_records.columns if one != column], requested)
        rest = {"system": guessed.system, "group": guessed.group, "rejected": guessed.rejected}
        return ColumnMapping(**rest, messages=column), shape
    mapping = names.guess_mapping(data_records.columns if data_records.has_names else (), requested)
    is_half_known = bool(mapping.question or mapping.answer)
    if data_records.is_table and len(data_records.columns) == 2 and (is_half_known or not data_records.has_names):
        left, right = data_records.columns
        is_turned = mapping.question == right or mapping.answer == left
        mapping = ColumnMapping(*((right, left) if is_turned else (left, right)))
    if data_records.records and not (mapping.question and mapping.answer):
        raise AppError("data_no_columns", name=name, columns=names.list_columns(data_records.columns))
    return mapping, "alpaca" if (mapping.question, mapping.answer) == records.ALPACA else "columns"


def _of_markdown(text: str, name: str, requested: ColumnMapping) -> ImportedRows:
    """Import the question-answer pairs of a Markdown text, or the rows of its tables if it has no pairs."""
    rows, bad = ([], []) if requested.as_dict() else markdown_pairs.read_pairs(text)
    if rows or any(one.code != "outside" for one in bad):
        return ImportedRows(name, tuple(rows), tuple(bad), "markdown", ColumnMapping())
    table = markdown_pairs.read_table(text)
    if table and (requested.as_dict() or any(map(names.is_known_column, map(str, table[0].cells)))):
        return _of_records(records.records_from_table(table, requested, is_text=True), name, requested)
    raise AppError("data_without_columns" if requested.as_dict() else "data_no_rows", name=name)


ORIGIN_FILE = "origin.json"  # name in the folder of the rows

FileState = Literal["same", "changed", "gone"]


@dataclass(frozen=True, slots=True)
class ImportOrigin:
    """The source file of a draft's rows.

    `imported`: the import without its rows. `size_bytes`, `modified_ns`: the file's size and time when it was imported.
    """

    imported: ImportedRows
    size_bytes: int
    modified_ns: int

    def standing(self, path: Path) -> FileState:
        """Return whether the file is "same" (equal size and time), "changed" or "gone"."""
        try:
            found = path.stat()
        except OSError:
            return "gone"
        return "same" if (found.st_size, found.st_mtime_ns) == (self.size_bytes, self.modified_ns) else "changed"


def origin_of(path: Path, imported: ImportedRows) -> ImportOrigin:
    """Return the origin of a file that was just imported; its size and time are 0 if the file has vanished since."""
    without_rows = dataclasses.replace(imported, rows=())
    try:
        found = path.stat()
    except OSError:
        return ImportOrigin(without_rows, 0, 0)
    return ImportOrigin(without_rows, found.st_size, found.st_mtime_ns)


def write_origin(folder: Path, origin: ImportOrigin) -> None:
    """Write the origin into the draft's folder. Raises AppError("draft_unwritable" | "drive_space")."""
    with drive_errors(folder, "draft_unwritable"):
        write_atomically(folder / ORIGIN_FILE, json_lines.encode_line(origin, "Origin"))


def read_origin(folder: Path) -> ImportOrigin | None:
    """Return the origin; None for generated rows, and for an unreadable file, without which the rows are complete."""
    try:
        return json_lines.decode(strict_json.read_bytes(folder / ORIGIN_FILE), {"Origin": ImportOrigin})
    except (OSError, ValueError):
        return None
