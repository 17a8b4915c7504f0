"""Which rows of a text's tables only name the columns: they answer nothing, and say what the rows below them mean."""

import re
from dataclasses import dataclass

_RULE = re.compile(r"[\s|:+=-]*-[\s|:+=-]*$")  # below a head, in Markdown
_NAMED = re.compile(r"\S[:：]\s")  # 列名: 値, which needs no head
_COLUMNS_MIN = 3  # without a rule: the first row of a table of two columns is as often a name and its value


@dataclass(frozen=True, slots=True)
class Head:
    """`start`, `end`: of the head row in the text. `last`: where its table ends."""

    start: int
    end: int
    last: int


def find(text: str) -> list[Head]:
    """The head of each table that has one, in order."""
    found: list[Head] = []
    rows: list[tuple[int, int]] = []
    has_rule = False
    at = 0
    for line in [*text.split("\n"), ""]:
        if is_row(line):
            if _RULE.match(line):
                has_rule |= len(rows) == 1
            else:
                rows.append((at, at + len(line)))
        else:
            if len(rows) > 1 and _is_head(text[slice(*rows[0])], has_rule=has_rule):
                found.append(Head(*rows[0], rows[-1][1]))
            rows, has_rule = [], False
        at += len(line) + 1
    return found


def is_row(line: str) -> bool:
    return " | " in line or line.lstrip().startswith("|")


def _is_head(row: str, *, has_rule: bool) -> bool:
    cells = [cell.strip() for cell in row.split("|") if cell.strip()]
    if has_rule or len(cells) < _COLUMNS_MIN:
        return has_rule
    return len(set(cells)) == len(cells) and not any(re.search(r"\d", cell) or _NAMED.search(cell) for cell in cells)
