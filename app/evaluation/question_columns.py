"""Which columns of a file of questions hold what: told by their names, which `columns.toml` lists."""

import functools
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.base.paths import resources
from app.base.tables import column_mapping as names
from app.base.tables.column_mapping import ColumnMapping

FIELDS = (
    "id", "question", "reference", "must_include", "category", "group", "document", "answerable", "why_unanswerable",
    "origin",
)  # fmt: skip
PARTS = ("quote", "document", "heading", "page")  # of a gold place

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Columns:
    """`fields`: the columns of each field, the surest first: the first one with something in it counts.

    `golds`: of each gold place the columns of its parts. `unused`: the others, in the order of the file.
    """

    fields: dict[str, tuple[str, ...]]
    golds: tuple[dict[str, str], ...]
    unused: tuple[str, ...]

    def named(self) -> dict[str, str]:
        """For people: of each field, and of all gold places, the columns in one text.

        The field "document" is "document_group" where it stands in for the group.
        """
        found = {field: " / ".join(columns) for field, columns in self.fields.items()}
        if "document" in found and "group" not in found:
            found["document_group"] = found.pop("document")
        golds = " / ".join(column for gold in self.golds for column in gold.values())
        return found | ({"gold": golds} if golds else {})


def find(columns: Sequence[str]) -> Columns:
    """`columns`: their names as the file writes them; those of what lies inside a value ("a.b") are none."""
    outer = [column for column in columns if column.partition(".")[0] not in columns or "." not in column]
    fields = {field: found for field in FIELDS if (found := _like(words()[field], outer))}
    golds = _golds([column for column in outer if column not in _all(fields)])
    rest = [column for column in outer if column not in _all(fields) and not any(column in g.values() for g in golds)]
    guessed = names.guess_mapping(rest, ColumnMapping())
    for field, column in (("question", guessed.question), ("reference", guessed.answer)):
        if field not in fields and column:
            fields[field] = (column,)
            rest.remove(column)
    return Columns(fields, golds, tuple(rest))


@functools.cache
def words() -> dict[str, Any]:
    return tomllib.loads((resources() / "evaluation" / "columns.toml").read_text("utf-8"))


def _like(known: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    ranks = {names.normalize_name(word): at for at, word in enumerate(known)}
    found = [column for column in columns if names.normalize_name(column) in ranks]
    return tuple(sorted(found, key=lambda column: ranks[names.normalize_name(column)]))


def _golds(columns: Sequence[str]) -> tuple[dict[str, str], ...]:
    """By their numbers; a place without a column for its quote is none."""
    numbered: dict[int, dict[str, str]] = {}
    for part in PARTS:
        known = [names.normalize_name(word) for word in words()["gold"][part]]
        for column in columns:
            plain = names.normalize_name(column)
            number = _NUMBER.search(plain)
            if _NUMBER.sub("", plain, count=1) in known:
                numbered.setdefault(int(number.group()) if number else 1, {}).setdefault(part, column)
    return tuple(found for _, found in sorted(numbered.items()) if "quote" in found)


def _all(fields: dict[str, tuple[str, ...]]) -> set[str]:
    return {column for found in fields.values() for column in found}
