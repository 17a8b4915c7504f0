"""A foreign file into rows of training data: every row that is none is named, with its place and the reason."""

import codecs
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.errors import AppError
from app.base.tables import column_mapping as names
from app.base.tables import table_reader
from app.base.tables.column_mapping import ColumnMapping
from app.base.wording import phrase
from app.documents import collection_lookup, encodings
from app.training.data import markdown_pairs, records, shapes, split_record
from app.training.data.records import BadRow, Record, Records
from app.training.data.rows import Row
from app.training.data.shapes import Shape

JSON_LINES = (".jsonl", ".ndjson")
JSON = (".json",)
TABLES = (".csv", ".tsv")
MARKDOWN = (".md", ".markdown", ".txt")
SUFFIXES = (*JSON_LINES, *JSON, *TABLES, *table_reader.WORKBOOKS, *MARKDOWN)
FILE_BYTES = 300_000_000  # 150,000 answers of a page each
ROWS = 300_000  # an 8B model on a graphics card is weeks at them
SAMPLES, SAMPLE_CHARACTERS, SAMPLE_ITEMS = 3, 2_000, 50

__all__ = ["BadRow", "ColumnMapping", "Imported", "read"]


@dataclass(frozen=True, slots=True)
class Imported:
    """A file, read. `mapping`: what was taken from which column, also where nobody said so.

    `label`: the highest that its rows carry (`app.documents.collection_lookup`); "": none does.

    `samples`: its first records, with texts cut after SAMPLE_CHARACTERS and lists after SAMPLE_ITEMS.
    """

    name: str
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]  # in the order of the file
    shape: Shape
    mapping: ColumnMapping
    sha256: str  # of the file
    columns: tuple[str, ...] = ()
    encoding: str = ""  # of a text file, as Python names it
    sheet: str = ""  # of a workbook
    other_sheets: tuple[str, ...] = ()  # which are not read
    blank: int = 0  # rows without anything, which are no rows and no problems
    samples: tuple[Record, ...] = ()
    label: str = ""
    origins: tuple[tuple[str, str], ...] = ()  # the collections and documents that its rows say they were made of


def read(path: Path, mapping: ColumnMapping | None = None) -> Imported:
    """`mapping`: columns that the user names; the others are guessed.

    Raises AppError: file_missing, data_is_folder, data_format, data_empty, data_no_columns, data_column_missing,
    data_column_twice, data_no_rows, data_only_heading, data_not_json, data_several_lists, data_without_columns, and as
    `table_file` does.
    """
    path, wanted = Path(os.path.expanduser(path)), mapping or ColumnMapping()  # noqa: PTH111  (raises for nobody's ~)
    raw = _bytes(path)
    imported = _parsed(raw, path, wanted)
    if len(imported.rows) > ROWS:
        raise AppError("table_long", name=path.name, limit=f"{ROWS:,}")
    if not imported.rows and not imported.bad:
        raise AppError("data_only_heading" if imported.mapping.answer else "data_no_rows", name=path.name)
    if not wanted.group and len({row.group for row in imported.rows}) == 1:  # it would tell nothing apart
        rows = tuple(replace(row, group="") for row in imported.rows)
        imported = replace(imported, rows=rows, mapping=replace(imported.mapping, group=""))
    return _with_record(imported, path.parent)


def _with_record(imported: Imported, folder: Path) -> Imported:
    """Return it with what the record of a split says where the file is one of its parts."""
    label, origins = split_record.told_of(folder)
    known = {one for one in (label, confidentiality.label_from_word(imported.label)) if one is not None}
    highest = confidentiality.highest_label(known) if known else ""
    return replace(imported, label=highest, origins=tuple(sorted({*imported.origins, *origins})))


def outline(path: Path) -> tuple[tuple[str, ...], tuple[Record, ...]]:
    """The columns of a file and samples of it, where nobody knows yet what they mean. Raises AppError as `read`."""
    raw, suffix = _bytes(path), path.suffix.lower()
    text, _codec = ("", "") if suffix in table_reader.WORKBOOKS else _text(raw, path.name)
    table = markdown_pairs.table(text) if suffix in MARKDOWN else []
    wanted = ColumnMapping()
    found = records.of_table(table, wanted, is_text=True) if table else _found(raw, text, path, wanted)
    return found.columns, _samples(found)


def encoding_name(codec: str) -> str:
    """As people call it."""
    return "UTF-8 (BOM)" if codec == "utf-8-sig" else encodings.encoding_name(codec)


def _bytes(path: Path) -> bytes:
    raw = table_reader.read_bytes(path, FILE_BYTES, SUFFIXES, missing="file_missing", other="data_format")
    if not raw.strip():
        raise AppError("data_empty", name=path.name)
    return raw


def _parsed(raw: bytes, path: Path, wanted: ColumnMapping) -> Imported:
    suffix, sha256 = path.suffix.lower(), hashlib.sha256(raw).hexdigest()
    text, codec = ("", "") if suffix in table_reader.WORKBOOKS else _text(raw, path.name)
    if suffix in MARKDOWN:
        return _of_markdown(text, path.name, sha256, codec, wanted)
    return _of_records(_found(raw, text, path, wanted), path.name, sha256, codec, wanted)


def _text(raw: bytes, name: str) -> tuple[str, str]:
    """And its encoding."""
    codec = encodings.detect(raw)
    if not codec:
        raise AppError("table_unreadable", name=name, reason=phrase("common.questions_not_text"))
    text = encodings.decode(raw, codec)
    if not text.strip("\ufeff\0 \t\r\n"):
        raise AppError("data_empty", name=name)
    table_reader.check_text(text, name)
    return text, "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else codec


def _found(raw: bytes, text: str, path: Path, wanted: ColumnMapping) -> Records:
    """Of a workbook `raw`, of other files `text`."""
    suffix = path.suffix.lower()
    if suffix in table_reader.WORKBOOKS:
        sheets = list(table_reader.read_sheets(raw, path.name, ROWS + records.HEADING_ROWS))
        if not sheets:
            raise AppError("data_empty", name=path.name)
        return records.of_sheets(sheets, wanted)
    if suffix in TABLES:
        return records.of_table(list(table_reader.read_delimited(text, path.name)), wanted, is_text=True)
    return records.of_json(text, path.name, is_lines=suffix in JSON_LINES)


def _samples(found: Records) -> tuple[Record, ...]:
    """What is no JSON (a date) becomes a text."""
    return tuple(
        Record(one.line, {name: _cut(value) for name, value in one.values.items()}) for one in found.found[:SAMPLES]
    )


def _cut(value: Any, depth: int = 8) -> Any:
    if isinstance(value, str):
        return value[:SAMPLE_CHARACTERS]
    if isinstance(value, list | dict) and not depth:
        return records.short(value)
    if isinstance(value, list):
        return [_cut(one, depth - 1) for one in value[:SAMPLE_ITEMS]]
    if isinstance(value, dict):
        return {name: _cut(one, depth - 1) for name, one in value.items()}
    return value if isinstance(value, int | float | None) else str(value)


def _of_records(found: Records, name: str, sha256: str, codec: str, wanted: ColumnMapping) -> Imported:
    mapping, shape = _mapping(found, name, wanted)
    made = [shapes.row_of(record, mapping) for record in found.found]
    bad = sorted([*found.bad, *(one for one in made if isinstance(one, BadRow))], key=lambda one: one.line)
    return Imported(
        name=name,
        rows=tuple(one for one in made if isinstance(one, Row)),
        bad=tuple(bad),
        shape=shape,
        mapping=mapping,
        sha256=sha256,
        columns=found.columns,
        encoding=codec,
        sheet=found.sheet,
        other_sheets=found.other_sheets,
        blank=found.blank,
        samples=_samples(found),
        label=confidentiality.label_of_rows_or_none(record.values for record in found.found) or "",
        origins=collection_lookup.origins_of_rows(record.values for record in found.found),
    )


def _mapping(found: Records, name: str, wanted: ColumnMapping) -> tuple[ColumnMapping, Shape]:
    wanted = names.resolve_mapping(wanted, found.columns, found.columns if found.is_table else ())
    column, shape = shapes.conversations(found.found, found.columns)
    if column and not (wanted.question or wanted.answer):
        guessed = names.guess_mapping([one for one in found.columns if one != column], wanted)
        return ColumnMapping(system=guessed.system, group=guessed.group, messages=column), shape
    mapping = names.guess_mapping(found.columns if found.has_names else (), wanted)
    is_half_known = bool(mapping.question or mapping.answer)
    if found.is_table and len(found.columns) == 2 and (is_half_known or not found.has_names):
        left, right = found.columns
        is_turned = mapping.question == right or mapping.answer == left
        mapping = ColumnMapping(*((right, left) if is_turned else (left, right)))
    if found.found and not (mapping.question and mapping.answer):
        raise AppError("data_no_columns", name=name, columns=names.list_columns(found.columns))
    return mapping, shapes.shape_of(mapping)


def _of_markdown(text: str, name: str, sha256: str, codec: str, wanted: ColumnMapping) -> Imported:
    """Pairs of its text, else the rows of its tables."""
    rows, bad = ([], []) if wanted.as_dict() else markdown_pairs.read(text)
    if rows or any(one.code != "outside" for one in bad):
        return Imported(name, tuple(rows), tuple(bad), "markdown", ColumnMapping(), sha256, encoding=codec)
    table = markdown_pairs.table(text)
    if table and (wanted.as_dict() or any(map(names.is_known_column, map(str, table[0].cells)))):
        return _of_records(records.of_table(table, wanted, is_text=True), name, sha256, codec, wanted)
    raise AppError("data_without_columns" if wanted.as_dict() else "data_no_rows", name=name)
