"""Read HTML files: headings, paragraphs, list items and tables. Nothing is executed and nothing is loaded.

Tags and texts are tokenized in one pass that looks at no position twice, even if tags are unclosed: the standard
library's parser searches for the end of each unclosed tag again, so that a file of 1 MB can take hours. The file is
over 450 lines because tokenizer, tables and reader form one format.
"""

import html
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.base.files.input_file import read_regular
from app.documents import encodings
from app.documents.reading import limits
from app.documents.reading.text_blocks import (
    CELL_SEPARATOR,
    Block,
    ProgressCallback,
    ReadDocument,
    is_japanese,
    join_cells,
)
from app.documents.records import ReadingReport

_KIND = re.compile(r"<(?:([!?]|/[^a-zA-Z])|/?[a-zA-Z])")  # group 1: a comment, or what browsers treat as one
# A quotation mark begins a value only after an equals sign; elsewhere (title=don't) it is a character.
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)((?:=\s*+(?:"[^"]*+"|'[^']*+')|[^>=]|=)*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>]*+))?+""")
_END_OF_RAW = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style")}
_HUGE_NUMBER = re.compile(r"&#0*+\d{8,};?")  # numeric entities that are too high, whose digits Python would convert


@dataclass(frozen=True, slots=True)
class StartTag:
    """A start tag. `is_whole`: it closes itself (<br/>). Names are in lower case; an attribute without a value has
    ""."""

    name: str
    is_whole: bool = False
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndTag:
    name: str


def tags_and_texts(page: str) -> Iterator[StartTag | EndTag | str]:
    """Yield tags and texts without comments, declarations and the content of scripts. An unclosed tag is text."""
    at = 0
    while (start := page.find("<", at)) >= 0:
        if start > at:
            yield unescape_entities(page[at:start])
        kind = _KIND.match(page, start)
        if kind is None:
            yield "<"
            at = start + 1
        elif kind[1]:
            at = _end_of_comment(page, start)
        elif tag := _TAG.match(page, start):
            at = tag.end()
            yield _event(tag)
            raw = _END_OF_RAW.get(tag[2].lower())
            if raw is not None and not tag[1] and not tag[3].endswith("/"):
                end = raw.search(page, at)
                at = end.start() if end else len(page)
        else:
            yield unescape_entities(page[start:])
            return
    if at < len(page):
        yield unescape_entities(page[at:])


def unescape_entities(text: str) -> str:
    """Return the text with entities replaced by their characters."""
    return html.unescape(_HUGE_NUMBER.sub("\ufffd", text)) if "&" in text else text


def _end_of_comment(page: str, start: int) -> int:
    is_comment = page.startswith("<!--", start)
    end = page.find("-->" if is_comment else ">", start + 4 if is_comment else start)
    return len(page) if end < 0 else end + (3 if is_comment else 1)


def _event(tag: re.Match[str]) -> StartTag | EndTag:
    name = tag[2].lower()
    if tag[1]:
        return EndTag(name)
    attributes: dict[str, str] = {}
    for attribute in _ATTRIBUTE.finditer(tag[3]):
        value = attribute[2] or ""
        attributes.setdefault(
            attribute[1].lower(), unescape_entities(value.strip("\"'") if value[:1] in ("'", '"') else value)
        )
    return StartTag(name, tag[3].endswith("/"), attributes)


SPAN_MOST = 1000


class HtmlTable:
    """A table while it is read. `is_frame`: it is for layout, contains headings or other tables, and has no rows of its
    own."""

    def __init__(self) -> None:
        self.is_frame = False
        self.is_in_cell = False
        self._cells: dict[int, str] = {}
        self._column = 0
        self._columns = self._rows = 1  # spanned by the open cell
        self._below: dict[int, tuple[int, str]] = {}  # column -> rows still spanned, text
        self._heads = 0
        self._has_rows = False

    def begin_cell(self, is_head: bool, columns: str | None, rows: str | None) -> None:
        self.is_in_cell = True
        self._columns, self._rows = _span(columns), _span(rows)
        self._heads += is_head

    def end_cell(self, text: str) -> None:
        while self._column in self._below:
            self._column += 1
        if self._column < limits.TABLE_COLUMNS:
            self._cells[self._column] = text
            if self._rows > 1:
                self._below[self._column] = (self._rows, text)
            self._column += self._columns
        self.is_in_cell = False

    def become_frame(self) -> str:
        """Mark the table as a frame and return the cells of the current row as text."""
        self.is_frame = True
        text = join_cells(self._cells[column] for column in sorted(self._cells))
        self.drop()
        return text

    def drop(self) -> None:
        """Drop the current row."""
        self.is_in_cell = False
        self._cells, self._below, self._column, self._heads = {}, {}, 0, 0

    def end_row(self) -> tuple[str, bool]:
        """Return the row's text, "" if it is empty, and whether it is a header row."""
        cells = self._cells
        for column, (left, text) in list(self._below.items()):
            cells.setdefault(column, text)
            if left > 1:
                self._below[column] = (left - 1, text)
            else:
                del self._below[column]
        text = join_cells(cells[column] for column in sorted(cells)) if cells and self._column else ""
        is_head = bool(text) and not self._has_rows and self._heads == len(cells)
        self._has_rows = self._has_rows or (bool(text) and not is_head)
        self._cells, self._column, self._heads = {}, 0, 0
        return text, is_head


def _span(written: str | None) -> int:
    """Return a colspan or rowspan between 1 and 1,000; 1 if the attribute is missing or invalid."""
    digits = (written or "").strip()
    return min(SPAN_MOST, max(1, int(digits))) if digits.isdecimal() and len(digits) < 6 else 1


PROGRESS_EVERY = 2_000  # tags
LISTS_DEEPEST = 100

_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})|<\?xml[^>]{0,100}?encoding=[\"']([\w.-]+)", re.I
)
_HIDDEN = frozenset(
    ("script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "rt", "rp", "select", "button")
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCK_TAGS = frozenset(
    (
        *("p", "div", "section", "article", "main", "header", "footer", "aside", "address", "blockquote", "body", "hr"),
        *(
            "ul",
            "ol",
            "li",
            "dl",
            "dt",
            "dd",
            "figure",
            "figcaption",
            "form",
            "fieldset",
            "details",
            "summary",
            "center",
        ),
    )
)
_NAVIGATION_CLASSES = frozenset(
    ("toc", "toctree-wrapper", "headerlink", "sphinxsidebar", "navheader", "navfooter", "breadcrumbs")
)
# Inline styles that hide an element; style sheets are not read.
_INVISIBLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))(?=[\s;!]|$)")
# Elements that are often unclosed, and the tags that end them.
_ENDED_BY = {
    "p": _BLOCK_TAGS | _HEADINGS.keys() | {"table", "pre"}, "li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"},
    "tr": {"tr"}, "td": {"td", "th", "tr"}, "th": {"td", "th", "tr"},
}  # fmt: skip
_CONTAINERS = frozenset(("ul", "ol", "dl", "table"))
_TABLE = ("table", "tr", "td", "th", "caption")
_VOID = frozenset(
    ("br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr")
)


def read(path: Path, on_progress: ProgressCallback, chosen_encoding: str = "") -> ReadDocument:
    """Read an HTML file.

    Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long"), OSError.
    """
    limits.check_size(path.stat().st_size, limits.TEXT_BYTES)
    data = read_regular(path, limits.TEXT_BYTES)
    codec = chosen_encoding or _codec(data)
    text = encodings.decode_as(data, codec)
    reader = _Reader(on_progress)
    reader.read(text)
    return ReadDocument(
        reader.blocks, reader.title, ReadingReport(encoding=codec, tables=reader.tables, notes=reader.notes)
    )


def _is_navigation(attributes: dict[str, str]) -> bool:
    """Whether an element is a table of contents, navigation or a link sign, as DocBook, Sphinx and others mark them."""
    classes = set(attributes.get("class", "").lower().split())
    is_list = "contents" in classes and bool(classes & {"topic", "local"})  # docutils; alone it is often the main text
    return attributes.get("role") in ("navigation", "search") or is_list or bool(_NAVIGATION_CLASSES & classes)


def _is_invisible(attributes: dict[str, str]) -> bool:
    """Whether an element's own attributes hide it; style sheets are not read."""
    hidden = attributes.get("hidden")
    return hidden not in (None, "until-found") or bool(_INVISIBLE.search(attributes.get("style", "").lower()))


def _codec(data: bytes) -> str:
    """Return the codec that the file declares if its bytes agree; else the detected one."""
    guess = encodings.detect(data)
    match = _CHARSET.search(data[:4096])
    declared = (match[1] or match[2]).decode("ascii").lower() if match else ""
    if not declared or data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or declared.startswith("utf-16"):
        return guess
    try:
        codec = encodings.codec_of(declared)
        wrong = encodings.decode(data[: encodings.SAMPLE_BYTES], codec).count("\ufffd")
    except LookupError:
        return guess
    return guess if wrong > 1 and guess else codec


class _Reader:
    def __init__(self, on_progress: ProgressCallback) -> None:
        self.blocks: list[Block] = []
        self.title = ""
        self.tables = 0
        self._on_progress = on_progress
        self._tags = 0
        self._characters = limits.CharacterBudget()
        self._text: list[str] = []
        self.notes: tuple[str, ...] = ()
        self._hidden: list[str] = []  # open elements that are skipped, the outermost first
        self._inside = 0  # open lists and tables within them
        self._is_place_kept = False  # whether the outermost, an item or a cell, still takes its place without its text
        self._level = 0  # of the open heading
        self._kind = "paragraph"
        self._is_exact = 0  # number of open pre elements
        self._is_in_title = False
        self._lists: list[int] = []  # number of the next item of each open list; 0: unnumbered
        self._item = ""
        self._open_tables: list[HtmlTable] = []

    def read(self, page: str) -> None:
        for one in tags_and_texts(page):
            if isinstance(one, str):
                self._take_text(one)
            elif isinstance(one, EndTag):
                self._end(one.name)
            elif not one.is_whole or one.name in _VOID:
                self._start(one)
        while self._open_tables:  # the file ends inside them
            self._end_of_table("table")
        self._end_part()

    # -------------------------------------------------------------------- tags

    def _start(self, start: StartTag) -> None:
        self._tags += 1
        if self._tags % PROGRESS_EVERY == 0:
            self._on_progress(self._tags, 0)
        tag, attributes = start.name, start.attributes
        if self._hidden and not self._inside and tag in _ENDED_BY.get(self._hidden[0], ()):
            self._hidden.clear()
        if self._hidden:
            self._inside += tag in _CONTAINERS
            if tag == self._hidden[0] and tag not in _VOID:
                self._hidden.append(tag)
            return
        if tag in _HIDDEN or (tag not in _VOID and _is_navigation(attributes)):
            self._hidden.append(tag)
        elif tag == "title" and not self.title:
            self._is_in_title = True
        elif tag == "br":
            self._text.append("\n" if self._is_exact else "\v")
        elif tag in _TABLE:
            self._start_of_table(tag, attributes)
        elif tag in _HEADINGS or tag in _BLOCK_TAGS or tag == "pre":
            self._start_part(tag)
        self._is_place_kept = not self._hidden
        # A hidden html or body element is shown by a script after loading.
        if not self._hidden and tag not in _VOID and tag not in ("html", "body") and _is_invisible(attributes):
            self._hidden.append(tag)
            self.notes = ("hidden_text",)
        self._inside = 0

    def _end(self, tag: str) -> None:
        if self._hidden and tag in _CONTAINERS and tag != self._hidden[0]:
            if not self._inside and self._hidden[0] in _ENDED_BY:  # the list or table began before the hidden element
                self._hidden.clear()
                self._item = ""
            self._inside = max(0, self._inside - 1)
        if self._hidden:
            if tag != self._hidden[0]:
                return
            self._hidden.pop()
            if self._hidden or not self._is_place_kept:
                return
        if tag == "title":
            self._is_in_title = False
        elif tag in _TABLE:
            self._end_of_table(tag)
        elif tag in _HEADINGS or tag in _BLOCK_TAGS or tag == "pre":
            self._end_of_part(tag)

    def _take_text(self, data: str) -> None:
        if self._is_in_title:
            self.title += data.strip()
        elif not self._hidden:
            self._text.append(data)

    # ------------------------------------------------------------------- parts

    def _start_part(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._make_frames()
        self._end_part()
        self._level = _HEADINGS.get(tag, 0)
        self._kind = "caption" if tag == "figcaption" else "paragraph"
        self._is_exact += tag == "pre"
        if tag in ("ul", "ol") and len(self._lists) < LISTS_DEEPEST:
            self._lists.append(int(tag == "ol"))
        if tag == "li":
            number = self._lists[-1] if self._lists else 0
            self._item = f"{number}. " if number else "・"
            if number:
                self._lists[-1] += 1

    def _end_of_part(self, tag: str) -> None:
        self._end_part()
        self._level, self._kind = 0, "paragraph"
        if tag == "pre" and self._is_exact:
            self._is_exact -= 1
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        if tag == "li":
            self._item = ""

    def _end_part(self) -> None:
        """Turn the collected text into a block, unless it belongs to the current cell of a table."""
        table = self._open_tables[-1] if self._open_tables else None
        if table is not None and not table.is_frame:
            if self._text and table.is_in_cell:
                self._text.append("\v")
            return
        text = "".join(self._text)
        self._text = []
        text = text.strip("\n").rstrip() if self._is_exact else collapse_whitespace(text)
        if not text.strip():
            return
        if self._level:
            self._add(Block("heading", text.replace("\n", " "), self._level))
        elif self._kind == "caption":
            self._add(Block("caption", text))
        else:
            self._add(Block("paragraph", self._item + text))
            self._item = ""

    def _add(self, block: Block) -> None:
        if block.text:
            self._characters.add(len(block.text))  # counted here, because a cell that spans rows is repeated in each
            self.blocks.append(block)

    # ------------------------------------------------------------------ tables

    def _make_frames(self) -> None:
        """Treat the open tables as layout: the cells of their current rows become paragraphs."""
        tables = list(itertools.takewhile(lambda table: not table.is_frame, reversed(self._open_tables)))
        texts = [table.become_frame() for table in reversed(tables)]
        for text in texts:
            self._add(Block("paragraph", text))

    def _start_of_table(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table":
            self._make_frames()
            self._end_part()
            self._open_tables.append(HtmlTable())
            self.tables += 1
            return
        if not self._open_tables:
            return
        table = self._open_tables[-1]
        if tag == "tr":
            self._end_cell(table)
            self._put_row(table)
        elif tag in ("td", "th"):
            self._end_cell(table)
            table.begin_cell(tag == "th", attributes.get("colspan"), attributes.get("rowspan"))
        else:
            self._text = []

    def _end_of_table(self, tag: str) -> None:
        if not self._open_tables:
            return
        table = self._open_tables[-1]
        if tag == "caption":
            text = collapse_whitespace("".join(self._text))
            self._text = []
            self._add(Block("caption", text))
            return
        self._end_cell(table)
        if tag in ("tr", "table"):
            self._put_row(table)
        if tag == "table":
            self._text = []
            self._open_tables.pop()

    def _end_cell(self, table: HtmlTable) -> None:
        if table.is_frame:
            self._end_part()
            table.drop()
        elif table.is_in_cell:
            table.end_cell(collapse_whitespace("".join(self._text)).replace("\n", " "))
        self._text = []

    def _put_row(self, table: HtmlTable) -> None:
        text, is_head = table.end_row()
        if text:
            is_row = CELL_SEPARATOR in text  # a row with one cell is a frame around text
            self._add(Block("row", text, is_head=is_head) if is_row else Block("paragraph", text))


def collapse_whitespace(text: str) -> str:
    """Collapse white space as browsers do, and remove line breaks between Japanese characters.

    Vertical tabs become line feeds.
    """
    lines = []
    for line in text.split("\v"):
        words = re.split(r"([ \t\r\n\f]+)", line.strip())
        for at in range(1, len(words) - 1, 2):
            is_broken = "\n" in words[at] and (is_japanese(words[at - 1][-1:]) and is_japanese(words[at + 1][:1]))
            words[at] = "" if is_broken else " "
        lines.append("".join(words).strip())
    return "\n".join(line for line in lines if line)
