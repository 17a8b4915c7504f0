"""A PDF file's outline (bookmarks): where its titles are printed, they are headings of that level."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.base import invisible_characters
from app.documents.reading.hygiene import folded
from app.documents.reading.pdf.pdf_lines import Line
from app.documents.reading.pdf.pdf_text import TextPage

ENTRIES_MOST = 20_000
DEPTH_MOST = 10
TITLE_LONGEST = 200  # characters
NEAR_PT = 40.0  # a title stands so near below the place that its entry names


@dataclass(slots=True)
class Entry:
    title: str
    level: int  # from 1
    page: int  # from 1
    y: float | None  # in PDF's own coordinates; None: the top of the page


@dataclass(frozen=True, slots=True)
class Found:
    title: str
    level: int
    lines: list[Line]


def entries_of(document: Any) -> list[Entry]:
    """Those that lead to a page of this document."""
    found: list[Entry] = []
    for mark in document.get_toc(max_depth=DEPTH_MOST):
        if len(found) >= ENTRIES_MOST:
            break
        title = invisible_characters.to_single_line(mark.get_title())[:TITLE_LONGEST]
        target = mark.get_dest()
        index = target.get_index() if target is not None else None
        if title and index is not None:
            mode, place = target.get_view()
            y = place[1] if mode == 1 and len(place) > 1 and place[1] else None  # 1: XYZ
            found.append(Entry(title, mark.level + 1, index + 1, y))
    return found


class Outline:
    """Entries that wait for their line; asked page by page, line by line."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_page: dict[int, list[Entry]] = {}
        for entry in entries:
            self._by_page.setdefault(entry.page, []).append(entry)
        self.depth = max((entry.level for entry in entries), default=0)
        self._waiting: list[Entry] = []
        self._page: TextPage | None = None

    def begin_page(self, page: TextPage) -> None:
        self._page = page
        self._waiting = list(self._by_page.get(page.number, ())) if page.items else []
        printed = folded("".join(item.content.text for item in page.items if isinstance(item.content, Line)))
        self._printed = {entry.title for entry in self._waiting if folded(entry.title) in printed}

    def match(self, line: Line, following: Sequence[Line]) -> Found | None:
        """The entry whose title begins at this line, and the lines that are its title."""
        if not self._waiting:
            return None
        for count in range(1, len(following) + 2):
            lines = [line, *following[: count - 1]]
            text = folded("".join(one.text for one in lines))
            for entry in self._waiting:
                if _is_same(text, folded(entry.title)):
                    self._waiting.remove(entry)
                    printed = " ".join(one.text.strip() for one in lines)
                    title = entry.title if len(folded(entry.title)) > len(text) else printed
                    return Found(title, entry.level, lines)
        return None

    def before(self, line: Line) -> Iterator[tuple[str, int]]:
        """Titles whose place was passed, and which are not printed on the page."""
        while self._waiting and self._waiting[0].title not in self._printed and self._is_passed(self._waiting[0], line):
            entry = self._waiting.pop(0)
            yield entry.title, entry.level

    def rest(self) -> Iterator[tuple[str, int]]:
        for entry in self._waiting:
            yield entry.title, entry.level
        self._waiting = []

    def _is_passed(self, entry: Entry, line: Line) -> bool:
        assert self._page is not None
        if entry.y is None:
            return True
        return line.top >= self._page.height - entry.y - 2 and line.top <= self._page.height


def _is_same(text: str, title: str) -> bool:
    """Equal, but for the number, which only one of them may have."""
    if text == title:
        return True
    short, long = sorted((text, title), key=len)
    return len(short) >= 3 and long.endswith(short) and _NUMBER.fullmatch(long[: -len(short)]) is not None


_NUMBER = re.compile(
    r"(?:第?[0-9一二三四五六七八九十.．-]{1,12}[章節編条部]?|chapter[0-9]{1,3}|附録[a-z]|付録[a-z]|[a-z])[.．:：]?"
)
