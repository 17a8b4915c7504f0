"""Which columns of training data hold what: as the user says, else by their names, which `columns.toml` lists."""

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

NAME_CHARACTERS = 100  # looked at; a longer one is no name
NO_COLUMN = "-"  # asked for by this name: no column, also where one could be guessed
FIELDS = ("question", "answer", "input", "system", "group")

_BRACKETED = re.compile(r"[(\[{<〔【〈《「『].*?[)\]}>〕】〉》」』]")
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Names of columns; "" for none. What lies in an object of a cell has a dot in its name: metadata.source.

    `messages`: holds whole conversations; then there is no question, answer and input.
    """

    question: str = ""
    answer: str = ""
    input: str = ""
    system: str = ""
    group: str = ""
    messages: str = ""

    def as_dict(self) -> dict[str, str]:
        """Only what there is."""
        return {name: column for name, column in dataclasses.asdict(self).items() if column}


@functools.cache
def column_words() -> dict[str, Any]:
    return tomllib.loads((resources() / "datasets" / "columns.toml").read_text("utf-8"))


def normalize_name(name: str) -> str:
    """Without width, case, blanks, signs and what stands in brackets: 質問（必須） is 質問, and so is 【質問】."""
    folded = unicodedata.normalize("NFKC", name[:NAME_CHARACTERS]).casefold()
    return _SIGNS.sub("", _BRACKETED.sub("", folded)) or _SIGNS.sub("", folded)


def is_known_column(name: str) -> bool:
    """Whether a column of this name would be taken for a question or an answer."""
    guessed = guess_mapping((name,), ColumnMapping())
    return bool(guessed.question or guessed.answer)


def guess_mapping(columns: Sequence[str], wanted: ColumnMapping) -> ColumnMapping:
    """What `wanted` leaves open, by the names; without a question or an answer where no name tells."""
    found = {name: column for name, column in wanted.as_dict().items() if name in FIELDS}
    for name in FIELDS:
        if name not in found and (column := _named(name, columns, found)):
            found[name] = column
    return ColumnMapping(**{name: column for name, column in found.items() if column != NO_COLUMN})


def messages_column(columns: Sequence[str]) -> str:
    """The column that holds conversations by its name, or ""."""
    return _named("messages", columns, {})


def resolve_mapping(wanted: ColumnMapping, columns: Sequence[str], lettered: Sequence[str] = ()) -> ColumnMapping:
    """`wanted` with the names as the file writes them. `lettered`: of a sheet, whose columns have letters too.

    Raises AppError("data_column_missing" | "data_column_twice").
    """
    found: dict[str, str] = {}
    for name, written in wanted.as_dict().items():
        column = _find(written, columns, lettered)
        if column is None and written == NO_COLUMN and name not in ("question", "answer"):
            column = NO_COLUMN
        if column is None:
            raise AppError("data_column_missing", option=f"--{name}", wanted=written, columns=list_columns(columns))
        if column != NO_COLUMN and column in found.values():
            raise AppError("data_column_twice", column=column)
        found[name] = column
    return ColumnMapping(**found)


def list_columns(columns: Sequence[str], most: int = 20) -> str:
    """For people."""
    shown = " / ".join(column for column in columns[:most] if column)
    return f"{shown} …" if len(columns) > most else shown or "-"


def column_value(row: dict[str, Any], column: str) -> Any:
    """None where it has none."""
    if column in row or "." not in column:
        return row.get(column)
    outer, _, inner = column.partition(".")
    held = row.get(outer)
    return column_value(held, inner) if isinstance(held, dict) else None


@functools.cache
def _plain_words(name: str) -> tuple[str, ...]:
    return tuple(normalize_name(word) for word in column_words()[name])


def _named(name: str, columns: Sequence[str], taken: dict[str, str]) -> str:
    free = {normalize_name(column): column for column in reversed(columns) if column and column not in taken.values()}
    known = next((free[word] for word in _plain_words(name) if word in free), "")
    like = column_words()["like"].get(name, "$.")
    return known or next((free[word] for word in reversed(free) if re.search(like, word)), "")


def _find(written: str, columns: Sequence[str], lettered: Sequence[str]) -> str | None:
    if written in columns:
        return written
    folded = unicodedata.normalize("NFKC", written).strip().casefold()
    same = [column for column in columns if unicodedata.normalize("NFKC", column).strip().casefold() == folded]
    if same:
        return same[0]
    letters = {column_letter(at).casefold(): column for at, column in enumerate(lettered)}
    return letters.get(folded)
