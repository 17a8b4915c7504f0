"""Convert one row of a file to a question, and a question to a row: a JSON object, or the cells of a table.

`columns.toml` lists the names by which the columns are recognised.
"""

import functools
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.paths import resources
from app.base.tables import column_mapping as names
from app.base.tables.column_mapping import ColumnMapping
from app.base.wording import phrase
from app.chat.batch.question_table import QUESTION_CHARACTERS_MAX
from app.evaluation.judge import rule_scoring
from app.evaluation.records import Gold, Question
from app.training.data.records import DataRecord, RowRefusedError, as_list, shorten, text_from_value

FIELDS = (
    "id", "question", "reference", "must_include", "category", "group", "document", "answerable", "why_unanswerable",
    "origin",
)  # fmt: skip
PARTS = ("quote", "document", "heading", "page")  # fields of a gold passage

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class QuestionColumns:
    """The columns of a file that hold each field of a question.

    `fields`: the columns of each field, the most certain first; the first one with a value in the row counts. `golds`:
    for each gold passage the column of each part. `unused`: the other columns, in file order.
    """

    fields: dict[str, tuple[str, ...]]
    golds: tuple[dict[str, str], ...]
    unused: tuple[str, ...]

    def column_texts(self) -> dict[str, str]:
        """Return for each field, and for all gold passages together, the names of its columns as one text to show.

        The field "document" is called "document_group" where it serves as the group.
        """
        found = {field: " / ".join(columns) for field, columns in self.fields.items()}
        if "document" in found and "group" not in found:
            found["document_group"] = found.pop("document")
        golds = " / ".join(column for gold in self.golds for column in gold.values())
        return found | ({"gold": golds} if golds else {})


def find_columns(columns: Sequence[str]) -> QuestionColumns:
    """Recognise the columns by their names as the file writes them. A column "a.b" inside a column "a" is ignored."""
    outer = [column for column in columns if column.partition(".")[0] not in columns or "." not in column]
    fields = {field: found for field in FIELDS if (found := _similar_columns(known_column_names()[field], outer))}
    golds = _gold_columns([column for column in outer if column not in _all_columns(fields)])
    rest = [
        column
        for column in outer
        if column not in _all_columns(fields) and not any(column in g.values() for g in golds)
    ]
    guessed = names.guess_mapping(rest, ColumnMapping())
    for field, column in (("question", guessed.question), ("reference", guessed.answer)):
        if field not in fields and column:
            fields[field] = (column,)
            rest.remove(column)
    return QuestionColumns(fields, golds, tuple(rest))


@functools.cache
def known_column_names() -> dict[str, Any]:
    return tomllib.loads((resources() / "evaluation" / "columns.toml").read_text("utf-8"))


def _similar_columns(known_names: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    ranks = {names.normalize_name(word): at for at, word in enumerate(known_names)}
    found = [column for column in columns if names.normalize_name(column) in ranks]
    return tuple(sorted(found, key=lambda column: ranks[names.normalize_name(column)]))


def _gold_columns(columns: Sequence[str]) -> tuple[dict[str, str], ...]:
    """Group the gold columns by the number in their names; a group without a quote column is dropped."""
    numbered: dict[int, dict[str, str]] = {}
    for part in PARTS:
        known = [names.normalize_name(word) for word in known_column_names()["gold"][part]]
        for column in columns:
            plain = names.normalize_name(column)
            number = _NUMBER.search(plain)
            if _NUMBER.sub("", plain, count=1) in known:
                numbered.setdefault(int(number.group()) if number else 1, {}).setdefault(part, column)
    return tuple(found for _, found in sorted(numbered.items()) if "quote" in found)


def _all_columns(fields: dict[str, tuple[str, ...]]) -> set[str]:
    return {column for found in fields.values() for column in found}


NAME_CHARACTERS = 200  # limit for an id, a category or a group
ORIGINS = ("written", "imported", "conversation", "generated")
TABLE_FIELDS = ("id", "question", "reference", "must_include", "category", "group", "answerable", "origin")
COLLECTIONS = "collections"  # a field that only JSON files have
HEADING_GAP = " > "

_BETWEEN_WORDS = re.compile(r"[、；;\n]")
# what looks like a separator between entries, but stays part of an entry
_LOOKS_BETWEEN = re.compile(r"(?<=[^\x00-\x7f])[,，]|[,，]\s*(?=[^\x00-\x7f])|\u3000")


# ------------------------------------------------------------------------ reading


def question_of(record: DataRecord, columns: QuestionColumns) -> Question:
    """Return the question of a row; its id is "" where the row has none.

    If the reference says that the documents do not have the answer, and the row quotes no passage, the question counts
    as unanswerable whatever its other columns say. Raises RowRefusedError.
    """
    row = {field: _first_value(record.values, found) for field, found in columns.fields.items()}
    text = text_from_value(row.get("question"), "question")
    if not text:
        raise RowRefusedError("empty_question", shorten(_name(row.get("id"))))
    if not any(unicodedata.category(character)[0] == "L" for character in text):
        raise RowRefusedError("not_text", shorten(text))
    if len(text) > QUESTION_CHARACTERS_MAX:
        raise RowRefusedError("too_long", f"{len(text):,}")
    document, origin = _name(row.get("document")), _name(row.get("origin"))
    reference = _text(row.get("reference"))
    gold = _golds(record.values, columns, document)
    is_unanswerable = bool(_text(row.get("why_unanswerable"))) or (not gold and rule_scoring.abstains(reference))
    return Question(
        id=_name(row.get("id")),
        text=text,
        reference=reference,
        must_include=_words(row.get("must_include")),
        gold=gold,
        category=_name(row.get("category")),
        group=_name(row.get("group")) or document,
        is_answerable=_is_answerable(row.get("answerable")) and not is_unanswerable,
        origin=origin if origin in ORIGINS else "",
        collections=tuple(name for name in as_list(record.values.get(COLLECTIONS)) or () if isinstance(name, str)),
    )


def doubts(record: DataRecord, columns: QuestionColumns, question: Question) -> Iterator[tuple[str, str]]:
    """Return the values of a question's row that look wrong, each as code and detail of a BadRow."""
    for value in _places(record.values, columns):
        page = _text(value.get("page")) if isinstance(value, dict) else ""
        if page and not _page(page):
            yield "no_page", shorten(page)
    for entry in filter(_LOOKS_BETWEEN.search, question.must_include):
        yield "one_word", shorten(entry)
    if not rule_scoring.can_be_scored(question):
        yield "not_scored", ""


def _first_value(values: dict[str, Any], columns: Sequence[str]) -> Any:
    """Return the first value of the columns that is not empty; None if all are."""
    return next((value for column in columns if (value := values.get(column)) not in (None, "", [])), None)


def _text(value: Any) -> str:
    """Return a value as text. Numbers are valid answers; a spreadsheet stores 5 as 5.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return text_from_value(str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value)


def _name(value: Any) -> str:
    """Return a value as text on one line. Raises RowRefusedError if it is too long for a name."""
    name = " ".join(_text(value).split())
    if len(name) > NAME_CHARACTERS:
        raise RowRefusedError("too_long", shorten(name))
    return name


def _words(value: Any) -> tuple[str, ...]:
    items = as_list(value)
    if items is None:
        items = _BETWEEN_WORDS.split(_text(value))
    return tuple(word for word in map(_text, items) if word)


def _golds(values: dict[str, Any], columns: QuestionColumns, document: str) -> tuple[Gold, ...]:
    """Return the gold passages of a row. `document`: the row's document, used for a passage that names none."""
    return tuple(_gold(one, document) for one in _places(values, columns))


def _places(values: dict[str, Any], columns: QuestionColumns) -> list[Any]:
    """Return the gold passages of a row unconverted, as strings, objects or other JSON values."""
    found: list[Any] = []
    for place in columns.golds:
        quote = values.get(place["quote"])
        if isinstance(quote, list):
            found += quote
        elif isinstance(quote, dict):
            found.append(quote)
        elif _text(quote):
            found.append({part: values.get(column) for part, column in place.items()})
    return found


def _gold(value: Any, document: str) -> Gold:
    if isinstance(value, str):
        value = {"quote": value}
    if not isinstance(value, dict):
        raise RowRefusedError("not_text", shorten(value))
    quote = _text(value.get("quote"))
    if not quote:
        raise RowRefusedError("no_quote")
    heading = value.get("heading")
    parts = heading if isinstance(heading, list) else _text(heading).split(HEADING_GAP)
    return Gold(
        quote,
        _name(value.get("document") or value.get("file")) or document,
        tuple(part for part in map(_name, parts) if part),
        _page(_text(value.get("page"))),
    )


def _page(text: str) -> int:
    """Return the first number of a page reference such as "p. 12"; 0 if there is none."""
    found = re.search(r"\d{1,6}", text)
    return int(found.group()) if found else 0


def _is_answerable(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return value is not False
    plain = unicodedata.normalize("NFKC", _text(value)).casefold()
    for answer, known in known_column_names()["answers"].items():
        if plain in known:
            return bool(answer == "yes")
    raise RowRefusedError("not_yes_or_no", shorten(plain))


# ------------------------------------------------------------------------ writing


def as_object(question: Question) -> dict[str, Any]:
    """Return the question as a JSON object without default values."""
    found = {
        "id": question.id,
        "question": question.text,
        "reference": question.reference,
        "must_include": list(question.must_include),
        "gold": [_gold_object(gold) for gold in question.gold],
        "category": question.category,
        "group": question.group,
        "origin": question.origin,
        COLLECTIONS: list(question.collections),
    }
    return _filled(found) | ({} if question.is_answerable else {"answerable": False})


def _gold_object(gold: Gold) -> dict[str, Any]:
    """Return what `dataclasses.asdict` does, in a tenth of its time, without default values."""
    return _filled({"quote": gold.quote, "document": gold.document, "heading": gold.heading, "page": gold.page})


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}


def table_head(golds: int) -> list[str]:
    """Return the headings of a table of questions. `golds`: the largest number of gold passages of one question."""
    fields = [phrase(f"evaluation.question_column.{field}") for field in TABLE_FIELDS]
    return fields + [
        phrase(f"evaluation.question_gold.{part}", number=n if n > 1 else "")
        for n in range(1, golds + 1)
        for part in PARTS
    ]


def cells(question: Question) -> list[object]:
    """Return the cells of a question in the order of `table_head`."""
    known: list[object] = [
        question.id,
        question.text,
        question.reference,
        _joined(question.must_include),
        question.category,
        question.group,
        phrase("evaluation.question_yes" if question.is_answerable else "evaluation.question_no"),
        question.origin,
    ]
    places = ([gold.quote, gold.document, HEADING_GAP.join(gold.heading), gold.page or ""] for gold in question.gold)
    return known + [cell for place in places for cell in place]


def _joined(words: Sequence[str]) -> str:
    joined = "\n".join(words)
    is_plain = not words or (_BETWEEN_WORDS.split(joined) == list(words) and not joined.startswith("["))
    return joined if is_plain else json.dumps(words, ensure_ascii=False)
