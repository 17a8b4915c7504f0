"""What a record means: conversations in OpenAI's or ShareGPT's form, or a question and an answer in columns."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from app.base.files import strict_json
from app.base.tables import column_mapping as names
from app.base.tables.column_mapping import ColumnMapping
from app.training.data.records import RECORD_CHARACTERS, BadRow, Record, Twice, short
from app.training.data.rows import Message, Row

TEXT_CHARACTERS = 100_000  # of one message; a longer one is a document
SAMPLE_RECORDS = 100
CELL_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"))
ALPACA = ("instruction", "output")

Shape = str  # alpaca | sharegpt | messages | columns | markdown


class RefusedError(Exception):
    """A record gives no row; `code` and `detail` as in BadRow."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def conversations(found: Sequence[Record], columns: Sequence[str]) -> tuple[str, Shape]:
    """The column with lists of messages and their form; ("", "") where there is none."""
    column = names.messages_column(columns)
    for record in found[:SAMPLE_RECORDS] if column else ():
        for message in as_list(record.values.get(column)) or ():
            if isinstance(message, dict):
                return column, "sharegpt" if "from" in message else "messages"
    return "", ""


def shape_of(mapping: ColumnMapping) -> Shape:
    return "alpaca" if (mapping.question, mapping.answer) == ALPACA else "columns"


def row_of(record: Record, mapping: ColumnMapping) -> Row | BadRow:
    try:
        group = _plain_value(names.column_value(record.values, mapping.group)) if mapping.group else ""
        return Row(record.line, _messages(record.values, mapping), group)
    except RefusedError as error:
        return BadRow(record.line, error.code, error.detail)


def pair(question: str, answer: str, system: str = "") -> tuple[Message, ...]:
    """Raises RefusedError."""
    if not question:
        raise RefusedError("empty_question", short(answer))
    if not answer:
        raise RefusedError("empty_answer", short(question))
    return (*_system(system), Message("user", question), Message("assistant", answer))


def text_of(value: Any, where: str = "") -> str:
    """A value as text without blanks around it; "" for none. `where`: its column, to be told. Raises RefusedError."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusedError("not_text", f"{where}: {short(value)}" if where else short(value))
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > TEXT_CHARACTERS:
        raise RefusedError("too_long", f"{len(text):,}")
    if text in CELL_ERRORS:
        raise RefusedError("cell_error", text)
    if wrong := _not_character(text):
        raise RefusedError("not_characters", f"U+{ord(wrong):04X}")
    return text if any(unicodedata.category(character)[0] not in "CZ" for character in text) else ""


def _not_character(text: str) -> str:
    """A zero or half a character, which no text has; or ""."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return text[error.start]
    return "\0" if "\0" in text else ""


def _plain_value(value: Any) -> str:
    """What a group is called, whole: what differs only at its end is another. Numbers and lists are names, too."""
    if value is None or isinstance(value, str):
        return short(value or "", RECORD_CHARACTERS)
    return str(value) if isinstance(value, int | float) else short(value, RECORD_CHARACTERS)


def _system(text: str) -> tuple[Message, ...]:
    return (Message("system", text),) if text else ()


def _messages(values: dict[str, Any], mapping: ColumnMapping) -> tuple[Message, ...]:
    system = text_of(names.column_value(values, mapping.system), mapping.system) if mapping.system else ""
    if mapping.messages:
        return _conversation(values.get(mapping.messages), system)
    asked, answered = names.column_value(values, mapping.question), names.column_value(values, mapping.answer)
    if isinstance(asked, list) and isinstance(answered, list):  # prompt and completion as TRL has them
        return _conversation([*asked, *answered], system)
    question, answer = text_of(asked, mapping.question), text_of(answered, mapping.answer)
    more = text_of(names.column_value(values, mapping.input), mapping.input) if mapping.input else ""
    return pair(f"{question}\n\n{more}" if question and more else question, answer, system)


# ----------------------------------------------------------------- conversations


def _conversation(value: Any, system: str) -> tuple[Message, ...]:
    listed = as_list(value)
    if not listed:
        raise RefusedError("no_messages", short(value or ""))
    found = [_message(one) for one in listed]
    if found and found[0].role == "system":
        system = found.pop(0).text or system
    for at, message in enumerate(found):
        if message.role != ("user", "assistant")[at % 2]:
            raise RefusedError("wrong_order", " → ".join(one.role for one in found[: at + 1][-3:]))
        if not message.text:
            raise RefusedError("empty_answer" if at % 2 else "empty_question", short(found[at - 1].text if at else ""))
    if not found or found[-1].role != "assistant":
        raise RefusedError("no_answer_at_end", short(found[-1].text if found else system))
    return (*_system(system), *found)


def as_list(value: Any) -> list[Any] | None:
    """A list (of messages, of words); in a table it is written as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = strict_json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, list) else None


def _message(one: Any) -> Message:
    if not isinstance(one, dict):
        raise RefusedError("bad_message", short(one))
    if isinstance(one, Twice):
        raise RefusedError("key_twice", short(one))
    role, content = one.get("role", one.get("from")), one.get("content", one.get("value"))
    if not isinstance(role, str):
        raise RefusedError("bad_message", short(one))
    plain = role.strip().casefold()
    known = next((name for name, words in names.column_words()["roles"].items() if plain in words), None)
    if known is None:
        raise RefusedError("unknown_role", short(role))
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        content = "\n".join(text_of(part.get("text")) for part in content)  # OpenAI's form for parts
    return Message(known, text_of(content, role))
