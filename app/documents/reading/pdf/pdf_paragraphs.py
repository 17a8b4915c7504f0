"""Turn lines into blocks: drop headers and footers, join paragraphs, find headings by outline and font size."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.base import invisible_characters
from app.base.lazy_pattern import lazy_pattern
from app.documents.reading import headings, text_blocks
from app.documents.reading.pdf.pdf_lines import Edges, PageLine, PageRotation
from app.documents.reading.pdf.pdf_tables import PdfTable
from app.documents.reading.text_blocks import Block, fold_for_comparison
from app.documents.records import PageBox


@dataclass(slots=True)
class PageItem:
    """A line or table in reading order, with the edges of its column."""

    content: PageLine | PdfTable
    left: float
    right: float
    pitch: float  # usual distance between the middles of the column's lines; 0: unknown


@dataclass(slots=True)
class TextPage:
    """A page in reading order. `height`: the page's height after rotation, in points."""

    number: int  # from 1
    rotation: PageRotation
    height: float
    items: list[PageItem] = field(default_factory=list)
    ruby_letters: int = 0  # left out, as they repeat how ideographs are read


def count_letters(page: TextPage) -> int:
    """Return the number of letters and digits in the lines and tables of a page."""
    letters = 0
    for item in page.items:
        content = item.content
        texts = [content.text] if isinstance(content, PageLine) else itertools.chain.from_iterable(content.rows)
        letters += sum(map(text_blocks.count_letters, texts))
    return letters


ENTRIES_MOST = 20_000
DEPTH_MOST = 10
TITLE_LONGEST = 200  # characters


@dataclass(slots=True)
class OutlineEntry:
    """An entry of the outline (bookmarks)."""

    title: str
    level: int  # from 1
    page: int  # from 1
    y: float | None  # in PDF's own coordinates; None: the top of the page


@dataclass(frozen=True, slots=True)
class LocatedTitle:
    """An outline entry together with the lines of the page that print its title."""

    title: str
    level: int
    lines: list[PageLine]


def read_outline(document: Any) -> list[OutlineEntry]:
    """Return the outline entries that lead to a page of this document."""
    found: list[OutlineEntry] = []
    for mark in document.get_toc(max_depth=DEPTH_MOST):
        if len(found) >= ENTRIES_MOST:
            break
        title = invisible_characters.to_single_line(mark.get_title())[:TITLE_LONGEST]
        target = mark.get_dest()
        index = target.get_index() if target is not None else None
        if title and index is not None:
            mode, place = target.get_view()
            y = place[1] if mode == 1 and len(place) > 1 and place[1] else None  # 1: XYZ
            found.append(OutlineEntry(title, mark.level + 1, index + 1, y))
    return found


class Outline:
    """The outline entries that are not located yet; the caller asks page by page and line by line."""

    def __init__(self, entries: Sequence[OutlineEntry]) -> None:
        self._by_page: dict[int, list[OutlineEntry]] = {}
        for entry in entries:
            self._by_page.setdefault(entry.page, []).append(entry)
        self.depth = max((entry.level for entry in entries), default=0)
        self._waiting: list[OutlineEntry] = []
        self._page: TextPage | None = None

    def begin_page(self, page: TextPage) -> None:
        self._page = page
        self._waiting = list(self._by_page.get(page.number, ())) if page.items else []
        printed = fold_for_comparison(
            "".join(item.content.text for item in page.items if isinstance(item.content, PageLine))
        )
        self._printed = {entry.title for entry in self._waiting if fold_for_comparison(entry.title) in printed}

    def match(self, line: PageLine, following: Sequence[PageLine]) -> LocatedTitle | None:
        """Return the entry whose title begins at this line, with the lines of the title; None if there is none."""
        if not self._waiting:
            return None
        for count in range(1, len(following) + 2):
            lines = [line, *following[: count - 1]]
            text = fold_for_comparison("".join(one.text for one in lines))
            for entry in self._waiting:
                if _is_same_title(text, fold_for_comparison(entry.title)):
                    self._waiting.remove(entry)
                    printed = " ".join(one.text.strip() for one in lines)
                    title = entry.title if len(fold_for_comparison(entry.title)) > len(text) else printed
                    return LocatedTitle(title, entry.level, lines)
        return None

    def entries_above(self, line: PageLine) -> Iterator[tuple[str, int]]:
        """Yield (title, level) of entries that point above the line and whose title is not printed on the page."""
        while self._waiting and self._waiting[0].title not in self._printed and self._is_passed(self._waiting[0], line):
            entry = self._waiting.pop(0)
            yield entry.title, entry.level

    def remaining_entries(self) -> Iterator[tuple[str, int]]:
        """Yield (title, level) of the entries that are not located by the end of the page."""
        for entry in self._waiting:
            yield entry.title, entry.level
        self._waiting = []

    def _is_passed(self, entry: OutlineEntry, line: PageLine) -> bool:
        assert self._page is not None
        if entry.y is None:
            return True
        return line.top >= self._page.height - entry.y - 2 and line.top <= self._page.height


def _is_same_title(text: str, title: str) -> bool:
    """Whether text and title are equal, apart from a number that only one of them has."""
    if text == title:
        return True
    short, long = sorted((text, title), key=len)
    return len(short) >= 3 and long.endswith(short) and _NUMBER.fullmatch(long[: -len(short)]) is not None


_NUMBER = lazy_pattern(
    r"(?:第?[0-9一二三四五六七八九十.．-]{1,12}[章節編条部]?|chapter[0-9]{1,3}|附録[a-z]|付録[a-z]|[a-z])[.．:：]?"
)


LARGER = 1.12  # smallest font size of a heading, relative to the usual one
HEADING_LONGEST = 80  # characters
CAPTION_LONGEST = 80
MARGIN = 0.13  # share of a page's height at its top and bottom for headers, footers and page numbers
REPEATED = 3  # smallest number of pages with the same line in the margin
LINES_APART_PT = 20.0  # largest gap between two lines of one box
CONTENTS_LEAST = 4  # smallest number of lines with dots and page numbers in a table of contents
LEVELS = 6  # levels of headings that differ only in size

_PAGE_NUMBER = lazy_pattern(
    r"[-–—‐\s(（]*(?:\d{1,4}|[ivxlc]{1,7})(?:\s*[/／]\s*\d{1,4})?[-–—‐\s)）]*|(?:p|page)\.?\s*\d{1,4}", re.I
)
_SIGN = lazy_pattern(
    r"[・●○■□◆◇▪►※→•]\s*\S|[①-⑳]|[(（][0-9０-９ア-ンa-z]{1,2}[)）]|第[0-9０-９一二三四五六七八九十百\s]{1,6}[章節条編款]|[<＜〈【]\s*[^>＞〉】]{1,14}[>＞〉】]"
)
_NUMBERED = lazy_pattern(
    r"[0-9０-９]{1,3}(?:[.．][0-9０-９]{1,3})*[.．)）]?\s+\S|[0-9０-９]{1,2}[)）.．]\s?[^\d\s]|[ア-ンa-z][)）.．]\s?\S|[-*–]\s+\S"
)
_CAPTION = lazy_pattern(r"(?:図|表|写真|Fig(?:ure)?\.?|Table)\s*[-‐‑－.．]?\s*[0-9０-９]", re.I)
_LEADER = lazy_pattern(r"(?:[.…‥・．]{4,}|(?:[.．・] ){4,}[.．・]?)\s*[0-9ivxlcIVXLC０-９-]{0,6}\s*$")
_STOPS = ("。", "．")


def build_blocks(pages: Sequence[TextPage], outline: Outline) -> list[Block]:
    """Return the blocks of a document."""
    _drop_margins(pages)
    flow = _Flow(_usual_size(pages), outline)
    for page in pages:
        flow.take(page)
    return flow.ended()


# ------------------------------------------------------------------ headers and footers


def _drop_margins(pages: Sequence[TextPage]) -> None:
    """Remove headers, footers and page numbers from the pages."""
    seen: dict[tuple[str, int], set[int]] = {}
    for page in pages:
        for key in {_margin_key(page, item) for item in page.items} - {None}:
            assert key is not None
            seen.setdefault(key, set()).add(page.number)
    repeated = {key for key, numbers in seen.items() if len(numbers) >= min(REPEATED, max(2, len(pages)))}
    offset = _offset(pages)
    for page in pages:
        page.items = [
            item
            for item in page.items
            if _margin_key(page, item) not in repeated
            and not _is_number(page, item)
            and (offset is None or page.number + offset not in _numbers_at_ends(page, item))
        ]


def _offset(pages: Sequence[TextPage]) -> int | None:
    """Return the offset between printed page numbers and page indexes; None if no numbers follow the pages."""
    offsets = Counter(
        offset
        for page in pages
        for offset in {number - page.number for item in page.items for number in _numbers_at_ends(page, item)}
    )
    offset, count = offsets.most_common(1)[0] if offsets else (0, 0)
    return offset if count >= max(REPEATED, 0.3 * len(pages)) else None


def _numbers_at_ends(page: TextPage, item: PageItem) -> set[int]:
    """Return the numbers at both ends of a page's first or last line, also beside a title: 3.2 管理者の責務 11."""
    line = item.content
    if not isinstance(line, PageLine) or not _is_in_margin(page, line) or not _is_outermost(page, item):
        return set()
    return {int(number) for number in re.findall(r"^\d{1,4}(?=\s|$)|(?<=\s)\d{1,4}$", line.text.strip())}


def _margin_key(page: TextPage, item: PageItem) -> tuple[str, int] | None:
    """Return (text without numbers, approximate height on the page) of a line in the margin; None for other items."""
    if not isinstance(item.content, PageLine) or not _is_in_margin(page, item.content):
        return None
    return re.sub(r"\d+", "#", text_blocks.fold_for_comparison(item.content.text)), round(item.content.top / 6)


def _is_in_margin(page: TextPage, line: PageLine) -> bool:
    return line.bottom < page.height * MARGIN or line.top > page.height * (1 - MARGIN)


def _is_number(page: TextPage, item: PageItem) -> bool:
    """Whether the item is only a page number, on the first or last line of the page."""
    line = item.content
    if not isinstance(line, PageLine) or not _PAGE_NUMBER.fullmatch(line.text.strip()):
        return False
    return _is_in_margin(page, line) and _is_outermost(page, item)


def _is_outermost(page: TextPage, item: PageItem) -> bool:
    line = item.content
    assert isinstance(line, PageLine)
    others = [one.content for one in page.items if one is not item]
    tops = [one.top if isinstance(one, PageLine) else one.edges[1] for one in others]
    return all(top > line.top for top in tops) or all(top < line.top for top in tops)


def _usual_size(pages: Sequence[TextPage]) -> float:
    sizes: Counter[float] = Counter()
    for page in pages:
        for item in page.items:
            if isinstance(item.content, PageLine):
                sizes[item.content.size] += len(item.content.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


# ------------------------------------------------------------------ paragraphs


@dataclass(slots=True)
class _Open:
    """A paragraph or heading that the next line may continue."""

    text: str
    size: float
    first_line: PageLine
    last_line: PageLine
    item: PageItem
    page: int
    boxes: list[PageBox]
    level: int = 0  # level of an outline entry; 0: no entry
    is_closed: bool = False


class _Flow:
    """The blocks of a document while its lines are joined. `usual`: the most common font size in points."""

    def __init__(self, usual: float, outline: Outline) -> None:
        self._usual = usual
        self._outline = outline
        self._open: _Open | None = None
        self._blocks: list[tuple[Block, bool]] = []  # each with a flag: a heading found by size alone

    def ended(self) -> list[Block]:
        self._close()
        self._keep_text_in_large_letters()
        sizes = sorted({block.size_pt for block, is_sized in self._blocks if is_sized}, reverse=True)
        levels = {size: self._outline.depth + min(LEVELS, place) for place, size in enumerate(sizes, start=1)}
        return [
            Block(
                "heading", block.text, levels[block.size_pt], page=block.page, boxes=block.boxes, size_pt=block.size_pt
            )
            if is_sized
            else block
            for block, is_sized in self._blocks
        ]

    def _keep_text_in_large_letters(self) -> None:
        """Make paragraphs of headings by size without text below, as headings without text are in no section.

        These are authors and dates below a title, forms, and lists in large letters.
        """
        kept = list(self._blocks)
        for place, (block, is_sized) in enumerate(self._blocks[1:], start=1):
            is_numbered = _NUMBERED.match(block.text) or headings.parse_number(headings.fold(block.text))
            if not is_sized or self._blocks[place - 1][0].page != block.page or is_numbered:
                continue
            after, is_also_sized = self._blocks[place + 1] if place + 1 < len(self._blocks) else (block, True)
            if after.kind == "heading" or (is_also_sized and after.size_pt >= block.size_pt):
                kept[place] = block, False
        self._blocks = kept

    def take(self, page: TextPage) -> None:
        _drop_contents(page)
        self._outline.begin_page(page)
        place = 0
        while place < len(page.items):
            item = page.items[place]
            place += 1
            line = item.content
            if isinstance(line, PdfTable):
                self._close()
                self._take_table(line, page)
                continue
            for title, level in self._outline.entries_above(line):
                self._close()
                self._blocks.append((Block("heading", title, level, page=page.number), False))
            following = [one.content for one in page.items[place : place + 2]]
            match = self._outline.match(line, [one for one in following if isinstance(one, PageLine)])
            if match is not None:
                self._heading(item, match.lines, match.title, match.level, page)
                place += len(match.lines) - 1
            else:
                self._take_line(item, line, page)
        for title, level in self._outline.remaining_entries():
            self._close()
            self._blocks.append((Block("heading", title, level, page=page.number), False))

    def _heading(self, item: PageItem, lines: Sequence[PageLine], title: str, level: int, page: TextPage) -> None:
        self._close()
        boxes = [_box(page, (line.left, line.top, line.right, line.bottom)) for line in lines]
        self._open = _Open(title, lines[0].size, lines[0], lines[-1], item, page.number, boxes, level, is_closed=True)

    def _take_table(self, table: PdfTable, page: TextPage) -> None:
        for place, (cells, edges) in enumerate(zip(table.rows, table.row_edges, strict=True)):
            text = text_blocks.join_cells(cells)
            if text:
                is_head = place == 0 and table.has_head
                self._blocks.append(
                    (Block("row", text, is_head=is_head, page=page.number, boxes=(_box(page, edges),)), False)
                )

    def _take_line(self, item: PageItem, line: PageLine, page: TextPage) -> None:
        box = _box(page, (line.left, line.top, line.right, line.bottom))
        is_same_page = self._open is not None and self._open.boxes[-1].page == page.number
        if self._open is not None and self._continues(self._open, item, line, is_same_page):
            self._open.text = text_blocks.join_lines(self._open.text, line.text)
            self._open.last_line, self._open.item = line, item
            self._open.boxes = _with_box(self._open.boxes, box, page.rotation)
        else:
            self._close()
            self._open = _Open(line.text, line.size, line, line, item, page.number, [box])

    def _continues(self, before: _Open, item: PageItem, line: PageLine, is_same_page: bool) -> bool:
        is_same_size = abs(before.size - line.size) <= 0.12 * before.size
        if before.is_closed or not is_same_size or _SIGN.match(line.text) or _CAPTION.match(line.text):
            return False
        is_same_column = is_same_page and before.item.left == item.left and line.top >= before.last_line.top
        distance = (line.top + line.bottom - before.last_line.top - before.last_line.bottom) / 2
        if self._is_large(before.size) and len(before.text) + len(line.text) <= HEADING_LONGEST:
            return is_same_column and distance <= 1.8 * line.size and not _NUMBERED.match(line.text)
        if is_same_column and distance > 1.35 * (item.pitch or 1.5 * line.size):
            return False
        is_full = _is_full(before.last_line, before.item, line)
        if not is_full or (_NUMBERED.match(line.text) and before.text.endswith((*_STOPS, ".", "：", ":", ")", "）"))):
            return False
        indent = line.left - item.left - (before.last_line.left - before.item.left)
        is_listed = _SIGN.match(before.text) is not None or _NUMBERED.match(before.text) is not None
        if indent > 0.7 * line.size:
            return is_listed and before.last_line is before.first_line
        return indent > -0.7 * line.size or before.last_line is before.first_line

    def _is_large(self, size: float) -> bool:
        return size >= LARGER * self._usual

    def _close(self) -> None:
        done = self._open
        self._open = None
        if done is None:
            return
        text = done.text.strip()
        is_title = self._is_large(done.size) and len(text) <= HEADING_LONGEST and not text.endswith(_STOPS)
        is_sized = not done.level and is_title and any(character.isalpha() for character in text)
        kind = "heading" if done.level else "paragraph"
        if kind == "paragraph" and _CAPTION.match(text) and len(text) <= CAPTION_LONGEST and not text.endswith(_STOPS):
            kind, is_sized = "caption", False
        block = Block(kind, text, done.level, page=done.page, boxes=tuple(done.boxes), size_pt=done.size)  # type: ignore[arg-type]
        if text:
            self._blocks.append((block, is_sized))


def _is_full(last: PageLine, item: PageItem, line: PageLine) -> bool:
    """Whether the first word of the next line would not have fitted at the end of the last line."""
    left_over = item.right - last.right
    first_word = line.text.split(" ", 1)[0]
    if text_blocks.is_japanese(first_word[:1]):
        return left_over <= 2.5 * last.size
    letters = next(
        (place for place, letter in enumerate(first_word) if text_blocks.is_japanese(letter)), len(first_word)
    )
    return left_over <= 0.55 * last.size * letters + last.size


def _drop_contents(page: TextPage) -> None:
    """Remove a table of contents with dots and page numbers; its headings follow later in the document."""
    lines = [item.content.text.rstrip() if isinstance(item.content, PageLine) else "" for item in page.items]
    dotted = [place for place, text in enumerate(lines) if _LEADER.search(text)]
    if sum(lines[place][-1] not in ".…‥・．" for place in dotted) < CONTENTS_LEAST:  # the others are to be written on
        return
    entries = [place for place, text in enumerate(lines) if place in dotted or re.search(r"\s\d{1,4}$", text)]
    page.items = page.items[: entries[0]] + page.items[entries[-1] + 1 :]


def _box(page: TextPage, edges: Edges) -> PageBox:
    return PageBox(page.number, *(round(edge, 1) for edge in page.rotation.back(edges)))


def _with_box(boxes: list[PageBox], box: PageBox, rotation: PageRotation) -> list[PageBox]:
    """Add a box to those of a block; join it with the last one if it follows below in the same column."""
    last = boxes[-1]
    before, after = (rotation.forth((one.left, one.top, one.right, one.bottom)) for one in (last, box))
    is_below = last.page == box.page and before[0] < after[2] and after[0] < before[2]
    if not is_below or not -2 <= after[1] - before[3] <= LINES_APART_PT:
        return [*boxes, box]
    whole = PageBox(
        box.page,
        min(last.left, box.left),
        min(last.top, box.top),
        max(last.right, box.right),
        max(last.bottom, box.bottom),
    )
    return [*boxes[:-1], whole]
