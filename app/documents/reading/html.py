"""Read HTML files: headings, paragraphs, list items and tables. Nothing is executed and nothing is loaded.

Lexbor builds the tree that a browser builds; 20,000 levels of lists take seconds, much deeper ones end at the limit.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from app.base.files.input_file import read_regular
from app.base.lazy_pattern import lazy_pattern
from app.documents import encodings
from app.documents.reading import limits
from app.documents.reading.text_blocks import (
    CELL_SEPARATOR,
    Block,
    ProgressCallback,
    ReadDocument,
    count_letters,
    is_japanese,
    join_cells,
)
from app.documents.records import ReadingReport

PROGRESS_EVERY = 2_000  # elements between two reports of progress
SPAN_MOST = 1000
ANNOTATION_LONGEST = 20  # letters of a pronunciation

_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})|<\?xml[^>]{0,100}?encoding=[\"']([\w.-]+)", re.I
)
# XHTML's <a id="x"/>. In HTML the slash has no meaning, and the element would contain all that follows.
_SELF_CLOSED = lazy_pattern(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)[a-z][^<>]*/>", re.IGNORECASE
)
_HIDDEN = frozenset(("script", "style", "noscript", "template", "svg", "iframe", "object", "select", "button"))
_ANNOTATIONS = ("rt", "rp")  # the pronunciation of the characters before them, and brackets around it
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    ("p", "div", "section", "article", "main", "header", "footer", "aside", "address", "blockquote", "body", "hr",
     "pre", "ul", "ol", "li", "dl", "dt", "dd", "figure", "figcaption", "form", "fieldset", "details", "summary",
     "center", *_HEADINGS)
)  # fmt: skip
_TABLE = ("table", "tr", "td", "th", "caption")
_NAVIGATION_CLASSES = frozenset(
    ("toc", "toctree-wrapper", "headerlink", "sphinxsidebar", "navheader", "navfooter", "breadcrumbs")
)
_CHAPTERS = "section, div.section"  # which Sphinx puts into the contents of a document in one file
# Inline styles that hide an element; style sheets are not read.
_INVISIBLE = lazy_pattern(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))(?=[\s;!]|$)")


class HtmlTable:
    """A table while it is read. `is_frame`: it is layout with headings or tables inside, and has no rows."""

    def __init__(self) -> None:
        self.is_frame = False
        self.is_in_cell = False
        self._cells: dict[int, str] = {}
        self._column = 0
        self._columns = self._rows = 1  # columns and rows that the open cell spans
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
        """Return the row's text ("" if it is empty), and whether it is a header row."""
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


def _span(attribute: str | None) -> int:
    """Return a colspan or rowspan between 1 and 1,000; 1 if the attribute is missing or invalid."""
    digits = (attribute or "").strip()
    return min(SPAN_MOST, max(1, int(digits))) if digits.isdecimal() and len(digits) < 6 else 1


def read(path: Path, on_progress: ProgressCallback, chosen_encoding: str = "") -> ReadDocument:
    """Read an HTML file. Raises AppError as `read_decoded`, OSError, MemoryError."""
    limits.check_size(path.stat().st_size, limits.TEXT_BYTES)
    data = read_regular(path, limits.TEXT_BYTES)
    codec = chosen_encoding or _codec(data)
    try:
        tree = LexborHTMLParser(_SELF_CLOSED.sub("", encodings.decode_as(data, codec)))
    except SelectolaxError as error:  # any text is a page to it, but its tree may take more than the limit
        raise MemoryError from error
    reader = _Reader(on_progress)
    reader.read(tree)
    letters = (count_letters(tree.root.text()) if tree.root else 0) - reader.left_out
    report = ReadingReport(encoding=codec, tables=reader.tables, notes=reader.notes)
    return ReadDocument(reader.blocks, reader.title, report, letters)


def _is_navigation(attributes: dict[str, str | None]) -> bool:
    """Whether an element is a table of contents, navigation or a link sign, as DocBook, Sphinx and others mark them."""
    classes = set((attributes.get("class") or "").lower().split())
    is_list = "contents" in classes and bool(classes & {"topic", "local"})  # docutils; alone it is often the main text
    return attributes.get("role") in ("navigation", "search") or is_list or bool(_NAVIGATION_CLASSES & classes)


def _is_invisible(attributes: dict[str, str | None]) -> bool:
    """Whether an element's own attributes hide it; style sheets are not read."""
    is_hidden = "hidden" in attributes and attributes["hidden"] != "until-found"
    return is_hidden or bool(_INVISIBLE.search((attributes.get("style") or "").lower()))


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
        self.notes: tuple[str, ...] = ()
        self.left_out = 0  # letters that are left out on purpose
        self._on_progress = on_progress
        self._elements = 0
        self._characters = limits.CharacterBudget()
        self._text: list[str] = []
        self._is_annotation = False
        self._level = 0  # level of the open heading
        self._kind = "paragraph"
        self._is_exact = 0  # number of open pre elements
        self._lists: list[int] = []  # number of the next item of each open list; 0: unnumbered
        self._item = ""
        self._open_tables: list[HtmlTable] = []

    def read(self, tree: LexborHTMLParser) -> None:
        # Each open element with its children that are still to be read.
        walk: list[tuple[str, Iterator[LexborNode | None]]] = [("", iter((tree.root,)))]
        while walk:
            tag, children = walk[-1]
            node = next(children, None)
            if node is None:
                walk.pop()
                self._end_element(tag)
            elif node.is_text_node:
                if not self._is_annotation:
                    self._text.append(node.text_content or "")
            elif self._start_element(node):
                walk.append((node.tag or "", node.iter(include_text=True)))
        self._end_part()

    # -------------------------------------------------------------------- elements

    def _start_element(self, node: LexborNode) -> bool:
        """Begin an element and return whether its content is read."""
        self._elements += 1
        if self._elements % PROGRESS_EVERY == 0:
            self._on_progress(self._elements, 0)
        tag, attributes = node.tag or "", node.attributes
        is_navigation = tag == "nav" or (_is_navigation(attributes) and not node.css_first(_CHAPTERS))
        if is_navigation:  # other text in it than links may be the document's
            self.left_out += sum(count_letters(link.text()) for link in node.css("a"))
            return False
        if tag in _HIDDEN or tag == "title":
            self.left_out += count_letters(node.text())
            if tag == "title":
                self.title = self.title or node.text().strip()
            return False
        if tag in _BLOCKS or tag in ("table", "br"):
            self._is_annotation = False  # its end is missing
        if tag == "br":
            self._text.append("\n" if self._is_exact else "\v")
        elif tag in _TABLE:
            self._start_of_table(tag, attributes)
        elif tag in _BLOCKS:
            self._start_part(tag)
        elif tag in _ANNOTATIONS:
            self._is_annotation = True
            self.left_out += min(ANNOTATION_LONGEST, count_letters(node.text()))
        # A hidden html or body element is shown by a script after loading.
        if tag in ("html", "body") or not _is_invisible(attributes):
            return True
        self.notes = ("hidden_text",)
        self.left_out += count_letters(node.text())
        self._end_element(tag)  # an item or a cell still takes its place, without its text
        return False

    def _end_element(self, tag: str) -> None:
        if tag in _TABLE:
            self._end_of_table(tag)
        elif tag in _BLOCKS:
            self._end_of_part(tag)
        elif tag in _ANNOTATIONS:
            self._is_annotation = False

    # ------------------------------------------------------------------- parts

    def _start_part(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._make_frames()
        self._end_part()
        self._level = _HEADINGS.get(tag, 0)
        self._kind = "caption" if tag == "figcaption" else "paragraph"
        self._is_exact += tag == "pre"
        if tag in ("ul", "ol"):
            self._lists.append(int(tag == "ol"))
        if tag == "li":
            number = self._lists[-1] if self._lists else 0
            self._item = f"{number}. " if number else "・"
            if number:
                self._lists[-1] += 1

    def _end_of_part(self, tag: str) -> None:
        self._end_part()
        self._level, self._kind = 0, "paragraph"
        self._is_exact -= tag == "pre"
        if tag in ("ul", "ol"):
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

    def _start_of_table(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag == "table":
            self._make_frames()
            self._end_part()
            self._open_tables.append(HtmlTable())
            self.tables += 1
        elif self._open_tables and tag in ("td", "th"):
            self._open_tables[-1].begin_cell(tag == "th", attributes.get("colspan"), attributes.get("rowspan"))

    def _end_of_table(self, tag: str) -> None:
        if not self._open_tables:  # a cell in a formula
            return
        table = self._open_tables[-1]
        if tag == "caption":
            text = collapse_whitespace("".join(self._text))
            self._text = []
            self._add(Block("caption", text))
        elif tag == "tr":
            self._put_row(table)
        elif tag == "table":
            self._text = []
            self._open_tables.pop()
        else:
            self._end_cell(table)

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
    """Collapse white space as browsers do, except between Japanese characters; vertical tabs become line feeds."""
    lines = []
    for line in text.split("\v"):
        words = re.split(r"([ \t\r\n\f]+)", line.strip())
        for at in range(1, len(words) - 1, 2):
            is_broken = "\n" in words[at] and (is_japanese(words[at - 1][-1:]) and is_japanese(words[at + 1][:1]))
            words[at] = "" if is_broken else " "
        lines.append("".join(words).strip())
    return "\n".join(line for line in lines if line)
