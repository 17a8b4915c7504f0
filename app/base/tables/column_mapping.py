"""Map columns of training data to fields, as the user has chosen, else by the names in `datasets/columns.toml`."""

import dataclasses
import functools
import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.base.errors import AppError
from app.base.paths import resources
from app.base.tables.table_reader import column_letter

NAME_CHARACTERS = 100  # a longer text is no column name, and only its beginning is compared
NO_COLUMN = "-"  # means that the user has chosen no column, even if one could be guessed
FIELDS = ("question", "answer", "rejected", "input", "system", "group")

_BRACKETED = re.compile(r"[(\[{<〔【〈《「『].*?[)\]}>〕】〉》」』]")
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The name of the column for each field; "" for none. A dot leads into an object in a cell, as in metadata.source.

    `messages`: the column with whole conversations; `question`, `answer` and `input` are then "". `rejected`: the
    column with answers that are liked less, for preference tuning.
    """

    question: str = ""
    answer: str = ""
    input: str = ""
    system: str = ""
    group: str = ""
    messages: str = ""
    rejected: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the fields that have a column."""
        return {name: column for name, column in dataclasses.asdict(self).items() if column}


@functools.cache
def known_column_names() -> dict[str, Any]:
    """Return the content of columns.toml: names for each field, and under "like" a regular expression for some."""
    return tomllib.loads((resources() / "datasets" / "columns.toml").read_text("utf-8"))


def normalize_name(name: str) -> str:
    """Return a column name in NFKC and lower case, without spaces, signs and, if text is left, brackets."""
    folded = unicodedata.normalize("NFKC", name[:NAME_CHARACTERS]).casefold()
    return _SIGNS.sub("", _BRACKETED.sub("", folded)) or _SIGNS.sub("", folded)


def is_known_column(name: str) -> bool:
    """Return whether `guess_mapping` would choose a column with this name for the question or the answer."""
    guessed = guess_mapping((name,), ColumnMapping())
    return bool(guessed.question or guessed.answer)


def guess_mapping(columns: Sequence[str], requested: ColumnMapping) -> ColumnMapping:
    """Return `requested` with a guessed column, or "", for each field that has none; NO_COLUMN becomes ""."""
    mapped = {name: column for name, column in requested.as_dict().items() if name in FIELDS}
    for name in FIELDS:
        if name not in mapped and (column := _guess_column(name, columns, mapped)):
            mapped[name] = column
    return ColumnMapping(**{name: column for name, column in mapped.items() if column != NO_COLUMN})


def messages_column(columns: Sequence[str]) -> str:
    """Return the column whose name is one for whole conversations (`ColumnMapping.messages`); "" for none."""
    return _guess_column("messages", columns, {})


def resolve_mapping(mapping: ColumnMapping, columns: Sequence[str], lettered: Sequence[str] = ()) -> ColumnMapping:
    """Return `mapping` with each name as the file spells it; the user's may differ in width and case.

    `lettered`: the columns of a sheet in order, which the user can also name by letters (A, B, …). Raises AppError:
    "data_column_missing" for a name that the file lacks, "data_column_twice" for a column with two fields.
    """
    mapped: dict[str, str] = {}
    for name, requested in mapping.as_dict().items():
        column = _find_column(requested, columns, lettered)
        if column is None and requested == NO_COLUMN and name not in ("question", "answer"):
            column = NO_COLUMN
        if column is None:
            raise AppError("data_column_missing", option=f"--{name}", wanted=requested, columns=list_columns(columns))
        if column != NO_COLUMN and column in mapped.values():
            raise AppError("data_column_twice", column=column)
        mapped[name] = column
    return ColumnMapping(**mapped)


def list_columns(columns: Sequence[str], most: int = 20) -> str:
    """Return the first `most` names of columns as one text to show; "-" for none."""
    shown = " / ".join(column for column in columns[:most] if column)
    return f"{shown} …" if len(columns) > most else shown or "-"


def column_value(row: dict[str, Any], column: str) -> Any:
    """Return the value of a column in a row, following dots in its name into objects; None if there is none."""
    if column in row or "." not in column:
        return row.get(column)
    outer, _, inner = column.partition(".")
    cell = row.get(outer)
    return column_value(cell, inner) if isinstance(cell, dict) else None


@functools.cache
def _known_names(name: str) -> tuple[str, ...]:
    """Return the column names that columns.toml lists for a field, as `normalize_name` returns them."""
    return tuple(normalize_name(word) for word in known_column_names()[name])


def _guess_column(name: str, columns: Sequence[str], used_columns: dict[str, str]) -> str:
    """Return the unused column that columns.toml lists for the field `name`, else one of its pattern, else ""."""
    free = {
        normalize_name(column): column for column in reversed(columns) if column and column not in used_columns.values()
    }
    known = next((free[word] for word in _known_names(name) if word in free), "")
    like = known_column_names()["like"].get(name, "$.")
    return known or next((free[word] for word in reversed(free) if re.search(like, word)), "")


def _find_column(requested: str, columns: Sequence[str], lettered: Sequence[str]) -> str | None:
    if requested in columns:
        return requested
    folded = unicodedata.normalize("NFKC", requested).strip().casefold()
    same = [column for column in columns if unicodedata.normalize("NFKC", column).strip().casefold() == folded]
    if same:
        return same[0]
    letters = {column_letter(at).casefold(): column for at, column in enumerate(lettered)}
    return letters.get(folded)
