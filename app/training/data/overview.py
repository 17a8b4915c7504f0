"""What became of everything that was imported or generated, and which of it has something wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.training.data import personal
from app.training.data.check import CODES
from app.training.data.curation import TOLD, TRAINED, Curation, Item
from app.training.data.records import BadRow
from app.training.data.rows import Row


@dataclass(frozen=True, slots=True)
class Overview:
    """Rows; the others together are `total`. `duplicates` and `flawed` are left out until somebody keeps them."""

    total: int
    used: int
    duplicates: int = 0
    flawed: int = 0
    undecided: int = 0
    rejected: int = 0
    unusable: int = 0  # lines of the file that are no rows


def overview(rows: Curation, unusable: int) -> Overview:
    counts = rows.counts
    flagged = [item for item in rows.items if item.flags]
    duplicates = sum("same_row" in item.flags and rows.state_of(item) == "left_out" for item in flagged)
    return Overview(
        total=len(rows.items) + unusable,
        used=sum(counts[state] for state in TRAINED),
        duplicates=duplicates,
        flawed=counts["left_out"] - duplicates,
        undecided=counts["undecided"],
        rejected=counts["rejected"],
        unusable=unusable,
    )


Flawed = Item | BadRow
UNUSABLE, OPEN = "unusable", "open"


class Flaws:
    """Rows that have something wrong, and lines that are no rows, in the order of the file.

    A kind is OPEN (left out, and nobody has decided), one of `check.CODES`, or UNUSABLE.
    """

    def __init__(self, rows: Curation, bad: Sequence[BadRow]) -> None:
        self._rows = rows
        self._flagged = [item for item in rows.items if item.flags]
        self._bad = tuple(bad)
        self._found = Counter(flag for item in self._flagged for flag in item.flags)

    def kinds(self) -> list[tuple[str, int]]:
        """How many there are of each now; without those that do not occur."""
        counts = [(OPEN, self.open), *((code, self._found[code]) for code in CODES), (UNUSABLE, len(self._bad))]
        return [(kind, count) for kind, count in counts if count]

    @property
    def open(self) -> int:
        return self._rows.counts["left_out"]

    def of(self, kind: str) -> list[Flawed]:
        """ "": all that are left out unless somebody keeps them, and those that cannot be used."""
        if kind == UNUSABLE:
            return list(self._bad)
        if kind == OPEN:
            return [item for item in self._flagged if self._rows.state_of(item) == "left_out"]
        if kind:
            return [item for item in self._flagged if kind in item.flags]
        grave: list[Flawed] = [item for item in self._flagged if not TOLD.issuperset(item.flags)]
        return sorted([*grave, *self._bad], key=line)


def line(one: Flawed) -> int:
    """Of the file, from 1."""
    return one.line if isinstance(one, BadRow) else one.row.line


def personal_words(row: Row, code: str) -> list[str]:
    """What was taken for a personal detail of that kind (a code of `check.CODES`); none for the other codes."""
    kind = code.removeprefix("personal_")
    return [
        message.text[one.start : one.end]
        for message in row.messages
        for one in personal.found(message.text)
        if one.kind == kind
    ]
