"""Parse files of training data into records (names and values), and records into rows.

The first half extracts records from tables and JSON texts without interpreting their values. The second half interprets
a record as a conversation in OpenAI's or ShareGPT's form, or as a question and an answer in columns. The file is long
because both halves share the reasons for which a line is bad.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.tables import column_mapping as names
from app.base.tables import table_reader
from app.base.tables.column_mapping import ColumnMapping
from app.base.tables.table_reader import TableRow
from app.training.data.rows import RowMessage, TrainingRow

RECORD_CHARACTERS = 4_000_000  # limit for one line or object; a longer one is no conversation
HEADING_ROWS = 20  # first rows in which the column names are searched
HEADING_CHARACTERS = 40
DETAIL_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class BadRow:
    """A place in the file that gives no row. `code`: key below `common.data_bad`; `detail`: the text at that place."""

    line: int
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DataRecord:
    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DataRecords:
    """The records of one file.

    `columns`: names in the order of their first occurrence. `is_table`: a column can also be named by its letter (A, B,
    …). `has_names` is false for a table without a heading row, whose columns have only letters. `blank`: number of
    empty rows. `sheet`, `other_sheets`: the sheet of a workbook that was read, and the others.
    """

    records: list[DataRecord] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    is_table: bool = False
    has_names: bool = True
    blank: int = 0
    sheet: str = ""
    other_sheets: tuple[str, ...] = ()


class DuplicateKeyObject(dict[str, Any]):
    """A JSON object in which a key occurs twice, so that the key's value is ambiguous."""


def shorten(value: object, limit: int = DETAIL_CHARACTERS) -> str:
    """Return the value as one line of at most `limit` characters, without characters that control a terminal."""
    text = value if isinstance(value, str) else _value_text(value)
    line = " ".join(text[: 20 * limit].split())
    cut = line if len(line) <= limit and len(text) <= 20 * limit else f"{line[: limit - 1]}…"
    return invisible_characters.replace_with_mark(cut)


def _value_text(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:  # the encoder allows less nesting than the decoder
        return "…"


# ------------------------------------------------------------------------ tables


def records_from_sheets(sheets: Sequence[tuple[str, list[TableRow]]], requested: ColumnMapping) -> DataRecords:
    """Return the records of the first sheet with a recognizable heading, otherwise of the sheet with the most rows."""
    longest = max(range(len(sheets)), key=lambda at: len(_filled(sheets[at][1])))
    best = next((at for at, (_, rows) in enumerate(sheets) if _heading(_filled(rows), requested) is not None), longest)
    title, rows = sheets[best]
    others = tuple(other for at, (other, _) in enumerate(sheets) if at != best)
    return replace(records_from_table(rows, requested), sheet=title, other_sheets=others)


def records_from_table(rows: Sequence[TableRow], requested: ColumnMapping, *, is_text: bool = False) -> DataRecords:
    """Return the records of a table's rows; unusable rows are listed as `bad`.

    `is_text`: the table comes from a text file, where a row with more cells than the heading is unusable.
    """
    filled = _filled(rows)
    widths = [len(table_reader.trim_cells(row.cells)) for row in filled if not row.problem] or [0]
    heading = _heading(filled, requested)
    if heading is None:
        heading = _likely_heading(filled, max(set(widths), key=widths.count))
    names_row = filled[heading] if heading is not None else None
    most = max(widths)
    if is_text:
        most = len(names_row.cells) if names_row else max(set(widths), key=widths.count)
    columns = _column_names(names_row, most)
    bad = [
        BadRow(row.line, row.problem or "above_heading", shorten(_joined_cells(row))) for row in filled[: heading or 0]
    ]
    records: list[DataRecord] = []
    for row in filled[heading + 1 :] if heading is not None else filled:
        cells = table_reader.trim_cells(row.cells)
        if row.problem or len(cells) > most:
            bad.append(BadRow(row.line, row.problem or "too_many_cells", shorten(_joined_cells(row))))
        else:
            records.append(DataRecord(row.line, dict(zip(columns, cells, strict=False))))
    blank = sum(row.line <= filled[-1].line for row in rows) - len(filled) if filled else 0
    return DataRecords(records, bad, columns, is_table=True, has_names=heading is not None, blank=blank)


def _filled(rows: Sequence[TableRow]) -> list[TableRow]:
    return [row for row in rows if row.problem or table_reader.trim_cells(row.cells)]


def _heading(filled: Sequence[TableRow], requested: ColumnMapping) -> int | None:
    """Return the index of the row with column names that the user named or that are known; None if there is none."""
    named = {names.normalize_name(column) for column in requested.as_dict().values() if column != names.NO_COLUMN}
    for at, row in enumerate(filled[:HEADING_ROWS]):
        cells = [cell for cell in row.cells if isinstance(cell, str) and 0 < len(cell) <= HEADING_CHARACTERS]
        guessed = names.guess_mapping(cells, ColumnMapping())
        if (guessed.question and guessed.answer) or names.messages_column(cells):
            return at
        if named & set(map(names.normalize_name, cells)):
            return at
    return None


def _likely_heading(filled: Sequence[TableRow], width: int) -> int | None:
    """Return the index of the first row with at least `width` cells if it looks like a heading, otherwise None.

    It looks like one if it holds a known column name, or only short names while another row has a longer cell.
    """
    at = next(
        (at for at, row in enumerate(filled[:HEADING_ROWS]) if len(table_reader.trim_cells(row.cells)) >= width), None
    )
    if at is None or at + 1 == len(filled) or filled[at].problem:
        return None
    cells, short_name = table_reader.trim_cells(filled[at].cells), HEADING_CHARACTERS // 2
    if any(isinstance(cell, str) and 0 < len(cell) <= short_name and names.is_known_column(cell) for cell in cells):
        return at
    is_short = all(
        isinstance(cell, str) and 0 < len(cell) <= short_name and not re.search(r"[?？。、!！\d]", cell)
        for cell in cells
    )
    return at if is_short and any(len(str(cell or "")) > short_name for row in filled for cell in row.cells) else None


def _column_names(row: TableRow | None, width: int) -> tuple[str, ...]:
    """Return unique column names; a column without a name gets its letter."""
    given = [str(cell or "").strip() for cell in (row.cells[:width] if row else ())]
    found: list[str] = []
    for at in range(width):
        name = given[at] if at < len(given) else ""
        if name in found:
            name = f"{name} ({table_reader.column_letter(at)})"
        found.append(name or table_reader.column_letter(at))
    return tuple(found)


def _joined_cells(row: TableRow) -> str:
    return " ".join(str(cell) for cell in row.cells if cell not in (None, ""))


# -------------------------------------------------------------------------- JSON


def records_from_json(text: str, name: str, *, is_lines: bool) -> DataRecords:
    """Return the records of JSON Lines, of a list of objects, or of an object that holds one list.

    `is_lines`: the file's suffix is that of JSON Lines; if the content is of another form, the content decides. Raises
    AppError("data_not_json" | "data_several_lists" | "table_crowded").
    """
    if strict_json.is_crowded(text):
        raise AppError("table_crowded", name=name)
    first = next((line for line in text.split("\n") if line.strip()), "").strip()
    is_alone = first == text.strip()
    is_object = _parsed(first) is not None
    if is_object and (is_lines or not is_alone):
        return _of_lines(text)
    if is_lines and first not in ("[", "{", "[{") and not (is_alone and first.startswith("[")):
        return _of_lines(text)
    if text.lstrip().startswith("["):
        return _of_items(text, text.index("["))
    return _of_object(text, name)


def _of_lines(text: str) -> DataRecords:
    def numbered_values() -> Iterator[tuple[int, Any]]:
        for line, written in enumerate(text.split("\n"), start=1):
            if not written.strip():
                blank.append(line)
            elif len(written) > RECORD_CHARACTERS:
                yield line, BadRow(line, "too_long", f"{len(written):,}")
            else:
                try:
                    yield line, _DECODER.decode(written.strip())
                except (ValueError, RecursionError):
                    yield line, BadRow(line, "not_json", shorten(written))

    blank: list[int] = []
    read = _sorted(numbered_values())
    last = max([record.line for record in read.records] + [row.line for row in read.bad_rows], default=0)
    return DataRecords(read.records, read.bad_rows, read.columns, blank=sum(line < last for line in blank))


def _of_items(text: str, start: int) -> DataRecords:
    """Return the records of a JSON list that begins at `start`, or of several values one after the other.

    The first value that is not valid JSON ends the parsing: the rest of the text becomes one bad row.
    """
    is_list = text.startswith("[", start)

    def items() -> Iterator[tuple[int, Any]]:
        at, place = _after_blanks(text, start + is_list), 1
        while at < len(text) and not (is_list and text[at] == "]"):
            try:
                value, end = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):
                break
            too_long = BadRow(place, "too_long", f"{end - at:,}") if end - at > RECORD_CHARACTERS else None
            yield place, too_long or value
            place += 1
            at = _after_blanks(text, end)
            if is_list and text.startswith(",", at):
                at = _after_blanks(text, at + 1)
            elif is_list and not text.startswith("]", at):
                break
        end_at = _after_blanks(text, at + 1) if is_list and text.startswith("]", at) else at
        if end_at < len(text) or (is_list and not text.startswith("]", at)):
            yield place, BadRow(place, "rest_damaged", shorten(text[at : at + 200]))

    return _sorted(items())


def _of_object(text: str, name: str) -> DataRecords:
    """Return the object as one record, or the records of the only list of objects in it."""
    start = _after_blanks(text, 0)
    try:
        data, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else start
        raise AppError("data_not_json", name=name, line=text.count("\n", 0, at) + 1) from error
    if _after_blanks(text, end) < len(text):
        return _of_items(text, start)
    lists = {key: value for key, value in data.items() if _is_list_of_objects(value)} if isinstance(data, dict) else {}
    if not lists or names.messages_column(list(lists)):
        return _sorted([(1, data)])
    if len(lists) > 1:
        raise AppError("data_several_lists", name=name, lists=" / ".join(lists))
    return _sorted(enumerate(next(iter(lists.values())), start=1))


def _sorted(places: Iterable[tuple[int, Any]]) -> DataRecords:
    records: list[DataRecord] = []
    bad: list[BadRow] = []
    columns: dict[str, None] = {}
    for line, value in places:
        if isinstance(value, BadRow):
            bad.append(value)
        elif isinstance(value, DuplicateKeyObject):
            bad.append(BadRow(line, "key_twice", shorten(value)))
        elif not isinstance(value, dict):
            bad.append(BadRow(line, "not_object", shorten(value)))
        else:
            records.append(DataRecord(line, value))
            for key, held in value.items():
                columns[key] = None
                if isinstance(held, dict):
                    columns |= {f"{key}.{inner}": None for inner in held}
    return DataRecords(records, bad, tuple(columns))


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = _DECODER.decode(line) if len(line) <= RECORD_CHARACTERS else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else DuplicateKeyObject(pairs)


_BLANKS = re.compile(r"[ \t\r\n]*")
# NaN, which pandas writes for an empty cell, becomes None.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=lambda _name: None)


TEXT_CHARACTERS = 100_000  # limit for one message; a longer text is a document
SAMPLE_RECORDS = 100
CELL_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"))
ALPACA = ("instruction", "output")

Shape = str  # alpaca | sharegpt | messages | columns | markdown


class RowRefusedError(Exception):
    """Raised for a record that gives no row; `code` and `detail` have the meaning of those of BadRow."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def find_conversations(records: Sequence[DataRecord], columns: Sequence[str]) -> tuple[str, Shape]:
    """Return the name and shape of the column that holds lists of messages; ("", "") if there is none."""
    column = names.messages_column(columns)
    for record in records[:SAMPLE_RECORDS] if column else ():
        for message in as_list(record.values.get(column)) or ():
            if isinstance(message, dict):
                return column, "sharegpt" if "from" in message else "messages"
    return "", ""


def row_from_record(record: DataRecord, mapping: ColumnMapping) -> TrainingRow | BadRow:
    try:
        group = _plain_value(names.column_value(record.values, mapping.group)) if mapping.group else ""
        messages = _messages(record.values, mapping)
        return TrainingRow(record.line, messages, group, _rejected(record.values, mapping, messages[-1].text))
    except RowRefusedError as error:
        return BadRow(record.line, error.code, error.detail)


def question_answer_messages(question: str, answer: str, system: str = "") -> tuple[RowMessage, ...]:
    """Return the messages of one question and answer. Raises RowRefusedError if either is empty."""
    if not question:
        raise RowRefusedError("empty_question", shorten(answer))
    if not answer:
        raise RowRefusedError("empty_answer", shorten(question))
    return (*_system_message(system), RowMessage("user", question), RowMessage("assistant", answer))


def text_from_value(value: Any, where: str = "") -> str:
    """Return a value as text without surrounding blanks; "" for None and for text without a visible character.

    `where`: name of the column, for the error's detail. Raises RowRefusedError for a value that is not usable text.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowRefusedError("not_text", f"{where}: {shorten(value)}" if where else shorten(value))
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > TEXT_CHARACTERS:
        raise RowRefusedError("too_long", f"{len(text):,}")
    if text in CELL_ERRORS:
        raise RowRefusedError("cell_error", text)
    if text.isprintable():  # then nothing in it is invisible but blanks, and it begins with none
        return text
    if wrong := _not_character(text):
        raise RowRefusedError("not_characters", f"U+{ord(wrong):04X}")
    return text if any(unicodedata.category(character)[0] not in "CZ" for character in text) else ""


def _not_character(text: str) -> str:
    """Return the first NUL or lone surrogate in `text`, which no real text contains; "" if there is none."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return text[error.start]
    return "\0" if "\0" in text else ""


def _plain_value(value: Any) -> str:
    """Return a group's name in full: two names that differ only at the end are different groups."""
    if value is None or isinstance(value, str):
        return shorten(value or "", RECORD_CHARACTERS)
    return str(value) if isinstance(value, int | float) else shorten(value, RECORD_CHARACTERS)


def _system_message(text: str) -> tuple[RowMessage, ...]:
    return (RowMessage("system", text),) if text else ()


def _messages(values: dict[str, Any], mapping: ColumnMapping) -> tuple[RowMessage, ...]:
    system = text_from_value(names.column_value(values, mapping.system), mapping.system) if mapping.system else ""
    if mapping.messages:
        return _conversation(values.get(mapping.messages), system)
    asked, answered = names.column_value(values, mapping.question), names.column_value(values, mapping.answer)
    if isinstance(answered, list):  # TRL's format: prompt and completion, or the prompt repeated in the completion
        return _conversation([*asked, *answered] if isinstance(asked, list) else answered, system)
    question, answer = text_from_value(asked, mapping.question), text_from_value(answered, mapping.answer)
    more = text_from_value(names.column_value(values, mapping.input), mapping.input) if mapping.input else ""
    return question_answer_messages(f"{question}\n\n{more}" if question and more else question, answer, system)


def _rejected(values: dict[str, Any], mapping: ColumnMapping, chosen: str) -> str:
    """Return the answer that is liked less than `chosen`; "" without a column for it. Raises RowRefusedError."""
    if not mapping.rejected:
        return ""
    value = names.column_value(values, mapping.rejected)
    text = _row_message(value[-1]).text if isinstance(value, list) and value else text_from_value(value)
    if not text or text == chosen:
        raise RowRefusedError("rejected_same" if text else "empty_rejected", shorten(chosen))
    return text


# ----------------------------------------------------------------- conversations


def _conversation(value: Any, system: str) -> tuple[RowMessage, ...]:
    listed = as_list(value)
    if not listed:
        raise RowRefusedError("no_messages", shorten(value or ""))
    found = [_row_message(one) for one in listed]
    if found and found[0].role == "system":
        system = found.pop(0).text or system
    for at, message in enumerate(found):
        if message.role != ("user", "assistant")[at % 2]:
            raise RowRefusedError("wrong_order", " → ".join(one.role for one in found[: at + 1][-3:]))
        if not message.text:
            raise RowRefusedError(
                "empty_answer" if at % 2 else "empty_question", shorten(found[at - 1].text if at else "")
            )
    if not found or found[-1].role != "assistant":
        raise RowRefusedError("no_answer_at_end", shorten(found[-1].text if found else system))
    return (*_system_message(system), *found)


def as_list(value: Any) -> list[Any] | None:
    """Return a list, which a table may hold as JSON text; None if the value is neither a list nor such a text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = strict_json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, list) else None


def _row_message(one: Any) -> RowMessage:
    if not isinstance(one, dict):
        raise RowRefusedError("bad_message", shorten(one))
    if isinstance(one, DuplicateKeyObject):
        raise RowRefusedError("key_twice", shorten(one))
    role, content = one.get("role", one.get("from")), one.get("content", one.get("value"))
    if not isinstance(role, str):
        raise RowRefusedError("bad_message", shorten(one))
    plain = role.strip().casefold()
    known = next((name for name, words in names.known_column_names()["roles"].items() if plain in words), None)
    if known is None:
        raise RowRefusedError("unknown_role", shorten(role))
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        content = "\n".join(text_from_value(part.get("text")) for part in content)  # OpenAI's message parts
    return RowMessage(known, text_from_value(content, role))
