"""Read Markdown, including pandoc's output from word processors.

Such output has anchors, tables of contents, and tables as frames around text. Clauses of contracts and regulations are
recognized where they begin, as they are not Markdown lists and often have no blank line before them.
"""

import itertools
import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from app.base.isolation import sandbox
from app.base.lazy_pattern import lazy_pattern
from app.documents.reading import headings
from app.documents.reading import markdown_elements as tables
from app.documents.reading.helpers import NO_HELPERS, Helpers
from app.documents.reading.markdown_elements import MarkdownTable, join_paragraph, strip_inline
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument, count_letters
from app.documents.records import ReadingReport

# 1 …, １　…, （１）…, ①… and 一　….
_CLAUSE = lazy_pattern(r"[ 　]{0,3}[（(]?(\d{1,2}|[①-⑳]|[一二三四五六七八九十]{1,3})(?:[）)．、 　]|(?<=[①-⑳]))")
_ITEM = lazy_pattern(r"[ 　]{0,3}(?:[ア-ヲ]|[一二三四五六七八九十]{1,3})[ 　]+\S")  # no sentence has a space there
_PARAGRAPH = lazy_pattern(
    r"[ 　]{0,3}(?:\d{1,2}　+|[０-９]{1,2} +|[0-9]{1,2} +(?![回度人名日月年週時分秒件個箇か本枚台種点倍割歳組m%％]))\S"
)
_REACH = 50  # lines searched backwards for the clause before


def begins_clause(lines: Sequence[str], at: int) -> bool:
    """Whether a line begins an article, an item, or a numbered clause that counts on or follows a sentence."""
    line, before = lines[at], lines[at - 1].rstrip()
    if _ITEM.match(line) or headings.begins_article(line, is_sure=True):
        return True
    if headings.begins_article(line) or headings.is_article_heading(line):
        has_ended = before.endswith(headings.SENTENCE_ENDS) or _is_clause(before) or headings.is_article_heading(before)
        return has_ended or (
            headings.is_article_title(line.strip()) and headings.begins_article("".join(lines[at + 1 : at + 2]))
        )
    kind, number = _clause(line)
    if not number:
        return False
    if before.endswith(headings.SENTENCE_ENDS) or (_PARAGRAPH.match(line) and _is_clause(before)):
        return True
    if number == 1:  # below a title in brackets, or another clause
        return before.endswith(("）", ")")) or _is_clause(before)
    block = itertools.takewhile(str.strip, reversed(lines[max(0, at - _REACH) : at]))
    return (kind, number - 1) in map(_clause, block)


def _is_clause(line: str) -> bool:
    return bool(_clause(line)[1] or _ITEM.match(line) or headings.begins_article(line))


def _clause(line: str) -> tuple[str, int]:
    """Return the kind and value of the number at the beginning of a line; ("", 0) if there is none."""
    found = _CLAUSE.match(line)
    if not found:
        return "", 0
    number = unicodedata.normalize("NFKC", found[1])
    signs = unicodedata.normalize("NFKC", found[0].replace(found[1], "")).strip()
    kind = "digits" if found[1].isdecimal() else "circled" if number.isdecimal() else "kanji"
    return f"{kind}{signs}", headings.number_value(number)


DEPTH_MAX = 8  # levels of nested quotes and frames
PART_CHARACTERS = 60_000  # of a part that a helper reads
PROGRESS_EVERY = 2000  # lines between two reports of progress

_INDENT = "    "  # indent of code
_FENCE = lazy_pattern(r"^\s*(`{3,}|~{3,})(.*)$")
_ATX = lazy_pattern(r"^ {0,3}(#{1,6})\s++(.*)$")
_SETEXT = lazy_pattern(r"^(=+|-+)\s*$")  # not indented: those are tables
_QUOTE = lazy_pattern(r"^\s*>\s?")
_MARKER = lazy_pattern(r"^\s*(?:[-*+]|\d{1,4}\\?[.)])\s+")
_ANCHOR = lazy_pattern(r"\[\]\{#([^\s}]+)[^}]*\}")
_BOLD = lazy_pattern(r"\*\*(?!\s)([^*]+)\*\*(?:\s*\{[^}]*\})?")
# Atomic groups and short repeats, so that hostile brackets do not cause exponential or quadratic search.
_INSIDE = r"(?>[^\[\]]|\[[^\[\]]{0,100}+\](?:\([^)]{0,100}+\))?){1,200}+"
_LINKS_ONLY = lazy_pattern(rf"(?:\[{_INSIDE}\]\(#[^)]{{0,200}}+\)\s*+)+")
_LINK = lazy_pattern(rf"\[({_INSIDE})\]\(#([^)]{{0,200}}+)\)")
_PAGE_NUMBER = lazy_pattern(r"[\s.…·・]*\d{1,4}$")
_CONTENTS = lazy_pattern(r"(?:目次|contents|table of contents|もくじ)", re.IGNORECASE)
_CAPTION = lazy_pattern(r"(?:[図表]|写真|Fig(?:ure)?\.?|Table)\s*[-‐‑－.．0-9０-９]")
# Tags, targets of links, attributes and character references.
_MARKUP = lazy_pattern(r"<[a-zA-Z/!][^<>]{0,500}>|\]\([^()\s]{0,500}\)|\{[^{}]{0,200}\}|&#?\w{1,10};")
_RULE = lazy_pattern(r"^\s*([-*_])(?:\s*\1){2,}\s*$")


def read(text: str, on_progress: ProgressCallback, helpers: Helpers = NO_HELPERS) -> ReadDocument:
    """Read a Markdown text. Its table of contents is dropped, after supplying numbers of headings."""
    lines = text.expandtabs(4).splitlines()
    numbers = _numbers_in_contents(lines)

    def read_here(part: _Part) -> _PartRead:
        return _read_part(part, lambda line: on_progress(part.start + line, len(lines)))

    blocks: list[Block] = []
    tables = left_out = 0
    for found in helpers.map(_read_in_helper, _parts(lines, numbers), read_here):
        blocks += found.blocks
        tables += found.tables
        left_out += found.left_out
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    letters = count_letters(_MARKUP.sub("", text)) - left_out
    return ReadDocument(blocks, title, ReadingReport(tables=tables), letters)


class _Part(NamedTuple):
    """Lines that are read without the rest of the document. `start`: the index of the first one. `numbers`: of all."""

    text: str
    start: int
    numbers: dict[str, str]


class _PartRead(NamedTuple):
    blocks: list[Block]
    tables: int
    left_out: int  # letters of the table of contents


def _parts(lines: list[str], numbers: dict[str, str]) -> Iterator[_Part]:
    """Yield parts of at least PART_CHARACTERS, each of which gives the blocks that it gives within the whole text.

    They end where `_is_between_blocks` and outside of fences and tables; the last one begins before a fence that may
    belong to something else.
    """
    start = characters = table_end = 0
    fence = ""
    for at, line in enumerate(lines):
        if fence:
            fence = "" if line.strip().startswith(fence) else fence
        elif ("```" in line or "~~~" in line) and (found := _FENCE.match(line)):
            if (at and lines[at - 1].strip()) or (at <= table_end and "`" in found[2]):
                break
            fence = found[1]
        elif characters >= PART_CHARACTERS and at > max(start + 2, table_end) and _is_between_blocks(lines, at):
            yield _Part("\n".join(lines[start:at]), start, numbers)
            start, characters = at, 0
        elif "---" in line and tables.DASHES.match(line):
            # A rule above a blank line ends the table that may be open; any other rule may begin one.
            ends = at > 0 and not tables.DASHES.match(lines[at - 1]) and not "".join(lines[at + 1 : at + 2]).strip()
            table_end = 0 if ends else at + tables.DASHED_LINES
        characters += len(line)
    yield _Part("\n".join(lines[start:]), start, numbers)


def _is_between_blocks(lines: list[str], at: int) -> bool:
    """Whether line `at` follows a paragraph that is one line with a sentence and without markup."""
    above, before, between, line = (lines[at + distance] for distance in (-3, -2, -1, 0))
    is_alone = not above.strip() and not between.strip() and line.strip() != "" and not line.startswith(" ")
    return (
        is_alone
        and before.endswith("。")
        and before[0] not in " +-"
        and "|" not in before
        and not tables.INLINE_SIGNS.search(before)
    )


def _read_in_helper(part: _Part) -> _PartRead:
    """Read a part where no file can be opened, as the reading child does."""
    return sandbox.run_confined(lambda: _read_part(part, lambda _line: None), (), ())


def _read_part(part: _Part, on_line: Callable[[int], None]) -> _PartRead:
    reader = _Reader(part.numbers, on_line)
    reader.read(part.text.split("\n"), 0, 0)
    return _PartRead(reader.blocks, reader.tables, reader.left_out)


class _Reader:
    def __init__(self, numbers: dict[str, str], on_line: Callable[[int], None]) -> None:
        self.blocks: list[Block] = []
        self.tables = 0
        self.left_out = 0
        self._on_line = on_line
        self._numbers = numbers
        self._is_in_contents = False

    def read(self, lines: list[str], depth: int, width: int) -> None:
        """Read lines. `width`: columns of the cell that contains them; 0: they belong to the document itself."""
        at = 0
        while at < len(lines):
            if depth == 0 and at % PROGRESS_EVERY == 0:
                self._on_line(at)
            at = self._next(lines, at, depth, width)

    def _next(self, lines: list[str], at: int, depth: int, width: int) -> int:
        """Read the element at line `at` and return the number of the line after it."""
        line = lines[at]
        if not line.strip():
            return at + 1
        if fence := _FENCE.match(line):
            return self._fenced(lines, at, fence[1], fence[2])
        if _QUOTE.match(line) and depth < DEPTH_MAX:
            return self._quoted(lines, at, depth, width)
        table = self._table_at(lines, at)
        if table is not None:
            self._take_table(table, depth)
            return table.end
        if heading := _ATX.match(line):
            self._heading(heading[2].rstrip().rstrip("#").rstrip(), len(heading[1]))
            return at + 1
        if _RULE.match(line):
            return at + 1
        if depth == 0 and _is_code(lines, at):
            return self._indented(lines, at)
        return self._paragraph(lines, at, width)

    def _fenced(self, lines: list[str], at: int, fence: str, kind: str) -> int:
        end = at + 1
        while end < len(lines) and not lines[end].strip().startswith(fence):
            end += 1
        if "{=" not in kind:  # {=html}: raw content of another format
            self._add("paragraph", "\n".join(lines[at + 1 : end]).strip("\n"))
        return end + 1

    def _indented(self, lines: list[str], at: int) -> int:
        end = at
        while end < len(lines) and lines[end].startswith(_INDENT):
            end += 1
        self._add("paragraph", textwrap.dedent("\n".join(line.rstrip() for line in lines[at:end])))
        return end

    def _quoted(self, lines: list[str], at: int, depth: int, width: int) -> int:
        """Read a quote up to a blank line, including lines without its sign: pandoc breaks lines in cells anywhere."""
        end = at
        inner: list[str] = []
        while end < len(lines) and lines[end].strip():
            if inner and not _QUOTE.match(lines[end]) and self._table_at(lines, end) is not None:
                break
            inner.append(_QUOTE.sub("", lines[end], count=1))
            end += 1
        self.read(inner, depth + 1, width)
        return end

    def _table_at(self, lines: list[str], at: int) -> MarkdownTable | None:
        line = lines[at]
        if tables.GRID_BORDER.match(line):
            return tables.grid(lines, at)
        if tables.DASHES.match(line) and line.startswith(" "):
            return tables.dashed(lines, at)
        if line.startswith(" ") and at + 1 < len(lines) and tables.DASHES.match(lines[at + 1]):
            return tables.headed(lines, at)
        return tables.piped(lines, at) if "|" in line else None

    def _take_table(self, table: MarkdownTable, depth: int) -> None:
        if table.is_frame:
            cell = table.rows[0][0]
            if depth < DEPTH_MAX:
                self.read([line[1:] if line.startswith(" ") else line for line in cell.lines], depth + 1, cell.width)
            return
        self.tables += 1
        for place, row in enumerate(table.rows):
            cells = [strip_inline(join_paragraph(cell.lines, cell.width)) for cell in row]
            if any(cells):
                text = " | ".join(cells).strip()
                self.blocks.append(Block("row", text, is_head=place < table.heads))

    def _paragraph(self, lines: list[str], at: int, width: int) -> int:
        end = at + 1
        is_whole = not width and headings.is_article_heading(lines[at])
        while end < len(lines) and lines[end].strip() and not self._begins_new_block(lines, end, width):
            if (level := _SETEXT.match(lines[end])) and not width:
                self._heading(join_paragraph(lines[at:end]), 1 if level[1].startswith("=") else 2)
                return end + 1
            if is_whole:
                break
            end += 1
        rest = [_QUOTE.sub("", line, count=1) for line in lines[at + 1 : end]]
        self._take_text(join_paragraph([lines[at], *rest], width))
        return end

    def _begins_new_block(self, lines: list[str], at: int, width: int) -> bool:
        line = lines[at]
        if lines[at - 1].count("{") > lines[at - 1].count("}"):  # an anchor that continues on this line
            return False
        return bool(
            _FENCE.match(line)
            or _ATX.match(line)
            or _MARKER.match(line)
            or tables.GRID_BORDER.match(line)
            or (_QUOTE.match(line) and not _QUOTE.match(lines[at - 1]))
            or (not width and begins_clause(lines, at))
        )

    def _take_text(self, raw: str) -> None:
        """Add a paragraph as a heading, caption or text, or drop it as an entry of the contents."""
        if _LINKS_ONLY.fullmatch(raw):
            self.left_out += count_letters(_MARKUP.sub("", raw))
            return
        unmarked = _MARKER.sub("", raw)
        if anchor := _ANCHOR.search(unmarked):
            title = strip_inline(_ANCHOR.sub("", unmarked))
            if (
                title
                and (anchor.start() == 0 or len(title) < headings.LONGEST)
                and self._is_heading_anchor(anchor[1], title)
            ):
                self._heading(self._numbers.get(anchor[1], title), 0)
                return
        bold = _BOLD.fullmatch(unmarked.strip())
        if bold and len(bold[1]) <= headings.LONGEST and not _is_no_heading(bold[1]):
            self._heading(bold[1], 0)
            return
        text = strip_inline(raw)
        if self._is_in_contents and (len(re.findall(r"\d", text)) > len(text) / 12 and "。" not in text):
            self.left_out += count_letters(text)
            return
        numbered = self._numbers.get(_title_key(strip_inline(unmarked)))
        if numbered and unmarked != raw:
            self._heading(numbered, 0)
        elif (
            len(text) <= headings.LONGEST
            and _CAPTION.match(headings.fold(text))
            and not headings.reads_like_prose(text)
        ):
            self._add("caption", text)
        else:
            self._add("paragraph", text)

    def _is_heading_anchor(self, anchor: str, title: str) -> bool:
        """Return whether an anchor before a paragraph marks it as a heading. `title`: the paragraph's text."""
        return anchor in self._numbers or (anchor.startswith("_Toc") and not headings.reads_like_prose(title))

    def _heading(self, raw: str, level: int) -> None:
        text = strip_inline(raw)
        self._is_in_contents = bool(_CONTENTS.fullmatch(text.replace(" ", "").replace("\u3000", "")))
        if self._is_in_contents and self.blocks and self.blocks[-1].kind == "paragraph":
            self._promote(self.blocks.pop())
        if self._is_in_contents:
            self.left_out += count_letters(text)
        elif text:
            for part in headings.split_joined_headings(text):
                self._add("heading", part, level)

    def _promote(self, block: Block) -> None:
        """Make a title above the table of contents a heading, whatever style it has."""
        title = _MARKER.sub("", block.text)
        is_title = len(title) <= headings.LONGEST and not headings.reads_like_prose(headings.fold(title))
        self.blocks.append(Block("heading", title) if is_title else block)

    def _add(self, kind: str, text: str, level: int = 0) -> None:
        if text:
            if kind == "paragraph":
                self._is_in_contents = False
            self.blocks.append(Block(kind, text, level))  # type: ignore[arg-type]


def _numbers_in_contents(lines: list[str]) -> dict[str, str]:
    """Return anchor, or unique title, -> heading as in the contents, where alone word processors print numbers."""
    found: dict[str, str] = {}
    titles: dict[str, set[str]] = {}
    for match in itertools.chain.from_iterable(map(_LINK.finditer, _with_links(lines))):
        entry = _PAGE_NUMBER.sub("", strip_inline(match[1]))
        if not entry or len(entry) > headings.LONGEST:
            continue
        found[match[2]] = entry
        number = headings.parse_number(headings.fold(entry))
        if number is not None and number.ordinal:
            titles.setdefault(_title_key(headings.fold(entry)[number.length :]), set()).add(entry)
    found.update((title, next(iter(entries))) for title, entries in titles.items() if len(entries) == 1)
    return found


def _with_links(lines: list[str]) -> Iterator[str]:
    """Yield the paragraphs with a link into the document, each on one line."""
    paragraph: list[str] = []
    for line in [*lines, ""]:
        inner = _QUOTE.sub("", line, count=1)
        if inner.strip() and not inner.startswith("|"):
            paragraph.append(inner)
            continue
        if any("](#" in part for part in paragraph):
            yield " ".join(part.strip() for part in paragraph)
        paragraph = []


def _is_code(lines: list[str], at: int) -> bool:
    """Whether an indented line begins code: it follows a blank line and does not continue a list or table."""
    if not lines[at].startswith(_INDENT) or _MARKER.match(lines[at]) or at == 0 or lines[at - 1].strip():
        return False
    before = next((lines[place] for place in range(at - 1, -1, -1) if lines[place].strip()), "")
    return bool(before) and not before.startswith(" ") and not _MARKER.match(before)


def _is_no_heading(bold: str) -> bool:
    folded = headings.fold(bold)
    return headings.reads_like_prose(folded) or bool(_CAPTION.match(folded))


def _title_key(title: str) -> str:
    """Return a title in the form that comparisons of titles use."""
    return headings.fold(title).replace(" ", "")
