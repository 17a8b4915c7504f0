"""What tables and lists say of each thing that they name: a cell of another row is not of this one."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.documents.values import numerals, quantities

_LABELLED = re.compile(
    r"\s*(?:[（(]?(?:\d{1,2}|[ア-ヲ一二三四五六七八九十])[)）.．、]|[-*・●①-⑳])?\s*(?P<label>[^：:|。、\s]{2,20})\s?[：:]\s*(?P<items>[^|]+)"
)
_BETWEEN = re.compile(r"。|、|,|，|・|及び|および|並びに|又は|または")
_DENIES = re.compile(r"(?:[でに]は|じゃ|[はがも])?(?:な[いくし]|ありませ|以外|を除|のほか|よりも?)")
_OTHERS = re.compile("その他|他の|ほか|以外|それぞれ")


@dataclass(frozen=True, slots=True)
class Entry:
    """`place`: of which column of which table, or of which list."""

    place: tuple[int, int]
    label: str
    items: frozenset[str]


def misplaced(text: str, source: str) -> Iterator[tuple[int, int]]:
    """Yield what a sentence says of the one thing it names and what tables and lists have only of others."""
    flat, origin = numerals.flatten(text)
    whole = numerals.flatten(source)[0]
    found = of_text(whole)
    named = {one.label for one in found if one.label in flat}
    labels = [one for one in named if not any(one != other and one in other for other in named)]
    if not labels or _OTHERS.search(flat):
        return
    start = 0
    for part in [flat] if len(labels) == 1 else re.split("(?<=[、。])", flat):
        named = {label for label in labels if label in part}
        if len(named) == 1:
            for at, item in _of_others(part, named.pop(), found, whole):
                yield origin(start + at), origin(start + at + len(item))
        start += len(part)


def _of_others(part: str, label: str, found: Sequence[Entry], whole: str) -> Iterator[tuple[int, str]]:
    """Yield the items in a part of a sentence that only other things than the one it names have, and their places."""
    own = [one for one in found if one.label == label]
    mine = frozenset(item for one in own for item in one.items)
    everywhere = [item for one in found for item in one.items]
    for place in dict.fromkeys(one.place for one in own if not any(item in part for item in one.items)):
        theirs = {item for one in found if one.place == place and one.label != label for item in one.items}
        for item in sorted(theirs - mine):
            at = part.find(item)
            if at < 0 or item in label or _DENIES.match(part, at + len(item)):
                continue
            if any(item in other for other in mine):
                continue
            if whole.count(item) == sum(item in other for other in everywhere):  # and nowhere else in the source
                yield at, item


@functools.lru_cache(maxsize=64)
def of_text(text: str) -> tuple[Entry, ...]:
    """The entries of a flattened text: those of tables with a head, and of lists of at least two labels."""
    found: list[Entry] = []
    rows: list[list[str]] = []
    listed: list[Entry] = []
    group = 0
    for line in [*text.split("\n"), ""]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        is_row = len(cells) > 1
        if is_row and not re.search(r"[^\s|:+=*_-]", line):
            continue
        labelled = None if is_row else _LABELLED.fullmatch(line)
        if rows and not is_row:
            found += _of_rows(rows, group)
            rows, group = [], group + 1
        if listed and not labelled:
            found += listed if len(listed) > 1 else []
            listed, group = [], group + 1
        if is_row:
            rows.append(cells)
        elif labelled:
            items = frozenset(filter(None, map(_bare, _BETWEEN.split(labelled["items"]))))
            listed.append(Entry((group, 0), labelled["label"], items))
    return tuple(found)


def _of_rows(rows: list[list[str]], group: int) -> Iterator[Entry]:
    for row in rows[1:]:
        for column, cell in enumerate(row[1:], 1):
            item = _bare(cell)
            yield Entry((group, column), row[0], frozenset([item] if item else []))


def _bare(item: str) -> str:
    """Return the words of an item before its value, and "" for what is a value or too short to be found."""
    values = quantities.parse(item)
    words = item[: values[0].start] if values else item
    words = words.strip()
    return words if len(words) > 1 and re.search("[ァ-ヺ一-鿿]", words) else ""
