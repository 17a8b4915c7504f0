"""HTML files: headings, paragraphs, list items and tables. Nothing is run and nothing is loaded."""

import itertools
import re
from pathlib import Path

from app.base.files.input_file import read_regular
from app.documents import encodings
from app.documents.reading import limits
from app.documents.reading.blocks import Block, Reading, Tell
from app.documents.reading.html_table import Table
from app.documents.reading.html_tags import End, Start, tags_and_texts
from app.documents.reading.hygiene import is_japanese
from app.documents.reading.tabular import SEPARATOR
from app.documents.records import Report

TELL_EVERY = 2_000  # tags
LISTS_DEEPEST = 100

_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})|<\?xml[^>]{0,100}?encoding=[\"']([\w.-]+)", re.I
)
_HIDDEN = frozenset(
    ("script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "rt", "rp", "select", "button")
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARTS = frozenset(
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
_AROUND = frozenset(("toc", "toctree-wrapper", "headerlink", "sphinxsidebar", "navheader", "navfooter", "breadcrumbs"))
# What a page says is not to be seen by anybody, in the element itself: style sheets are not read.
_UNSEEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))(?=[\s;!]|$)")
# Elements that are often left open, and what begins behind them.
_ENDED_BY = {
    "p": _PARTS | _HEADINGS.keys() | {"table", "pre"}, "li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"},
    "tr": {"tr"}, "td": {"td", "th", "tr"}, "th": {"td", "th", "tr"},
}  # fmt: skip
_CONTAINERS = frozenset(("ul", "ol", "dl", "table"))
_TABLE = ("table", "tr", "td", "th", "caption")
_VOID = frozenset(
    ("br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr")
)


def read(path: Path, tell: Tell, wished_encoding: str = "") -> Reading:
    """Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long"), OSError."""
    limits.check_size(path.stat().st_size, limits.TEXT_BYTES)
    data = read_regular(path, limits.TEXT_BYTES)
    codec = wished_encoding or _codec(data)
    text = encodings.decode_wished(data, codec)
    reader = _Reader(tell)
    reader.read(text)
    return Reading(reader.blocks, reader.title, Report(encoding=codec, tables=reader.tables, notes=reader.notes))


def _is_around_the_text(said: dict[str, str]) -> bool:
    """Contents, navigation and the signs of links, as DocBook, Sphinx and others write them."""
    classes = set(said.get("class", "").lower().split())
    is_list = "contents" in classes and bool(classes & {"topic", "local"})  # docutils; alone it is often the main text
    return said.get("role") in ("navigation", "search") or is_list or bool(_AROUND & classes)


def _is_unseen(said: dict[str, str]) -> bool:
    hidden = said.get("hidden")
    return hidden not in (None, "until-found") or bool(_UNSEEN.search(said.get("style", "").lower()))


def _codec(data: bytes) -> str:
    """What the file says of itself, if its bytes agree; else what they look like."""
    guess = encodings.detect(data)
    match = _CHARSET.search(data[:4096])
    said = (match[1] or match[2]).decode("ascii").lower() if match else ""
    if not said or data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or said.startswith("utf-16"):
        return guess
    try:
        codec = encodings.codec_of(said)
        wrong = encodings.decode(data[: encodings.SAMPLE_BYTES], codec).count("\ufffd")
    except LookupError:
        return guess
    return guess if wrong > 1 and guess else codec


class _Reader:
    def __init__(self, tell: Tell) -> None:
        self.blocks: list[Block] = []
        self.title = ""
        self.tables = 0
        self._tell = tell
        self._tags = 0
        self._characters = limits.Characters()
        self._text: list[str] = []
        self.notes: tuple[str, ...] = ()
        self._hidden: list[str] = []  # elements that are left out, the outermost first
        self._inside = 0  # lists and tables within them
        self._is_place_kept = False  # of the outermost, an item or a cell, which is there without its words
        self._level = 0  # of the heading we are in
        self._kind = "paragraph"
        self._is_exact = 0  # inside pre
        self._is_in_title = False
        self._lists: list[int] = []  # of each list around us the number of its next item; 0: it has none
        self._item = ""
        self._around: list[Table] = []

    def read(self, page: str) -> None:
        for one in tags_and_texts(page):
            if isinstance(one, str):
                self._take_text(one)
            elif isinstance(one, End):
                self._end(one.name)
            elif not one.is_whole or one.name in _VOID:
                self._start(one)
        while self._around:  # it ends in the middle of them
            self._end_of_table("table")
        self._end_part()

    # -------------------------------------------------------------------- tags

    def _start(self, start: Start) -> None:
        self._tags += 1
        if self._tags % TELL_EVERY == 0:
            self._tell(self._tags, 0)
        tag, said = start.name, start.attributes
        if self._hidden and not self._inside and tag in _ENDED_BY.get(self._hidden[0], ()):
            self._hidden.clear()
        if self._hidden:
            self._inside += tag in _CONTAINERS
            if tag == self._hidden[0] and tag not in _VOID:
                self._hidden.append(tag)
            return
        if tag in _HIDDEN or (tag not in _VOID and _is_around_the_text(said)):
            self._hidden.append(tag)
        elif tag == "title" and not self.title:
            self._is_in_title = True
        elif tag == "br":
            self._text.append("\n" if self._is_exact else "\v")
        elif tag in _TABLE:
            self._start_of_table(tag, said)
        elif tag in _HEADINGS or tag in _PARTS or tag == "pre":
            self._start_part(tag)
        self._is_place_kept = not self._hidden
        # A whole page is shown by its script once it has loaded.
        if not self._hidden and tag not in _VOID and tag not in ("html", "body") and _is_unseen(said):
            self._hidden.append(tag)
            self.notes = ("hidden_text",)
        self._inside = 0

    def _end(self, tag: str) -> None:
        if self._hidden and tag in _CONTAINERS and tag != self._hidden[0]:
            if not self._inside and self._hidden[0] in _ENDED_BY:  # it began outside
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
        elif tag in _HEADINGS or tag in _PARTS or tag == "pre":
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
        """What was gathered becomes a block, or stays in the table's cell we are in."""
        table = self._around[-1] if self._around else None
        if table is not None and not table.is_frame:
            if self._text and table.is_in_cell:
                self._text.append("\v")
            return
        text = "".join(self._text)
        self._text = []
        text = text.strip("\n").rstrip() if self._is_exact else collapsed(text)
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
            self._characters.add(len(block.text))  # here: a cell that spans rows is said in each
            self.blocks.append(block)

    # ------------------------------------------------------------------ tables

    def _make_frames(self) -> None:
        """The tables around us were there for the look. What their rows hold so far are paragraphs."""
        tables = list(itertools.takewhile(lambda table: not table.is_frame, reversed(self._around)))
        texts = [table.become_frame() for table in reversed(tables)]
        for text in texts:
            self._add(Block("paragraph", text))

    def _start_of_table(self, tag: str, said: dict[str, str]) -> None:
        if tag == "table":
            self._make_frames()
            self._end_part()
            self._around.append(Table())
            self.tables += 1
            return
        if not self._around:
            return
        table = self._around[-1]
        if tag == "tr":
            self._end_cell(table)
            self._put_row(table)
        elif tag in ("td", "th"):
            self._end_cell(table)
            table.begin_cell(tag == "th", said.get("colspan"), said.get("rowspan"))
        else:
            self._text = []

    def _end_of_table(self, tag: str) -> None:
        if not self._around:
            return
        table = self._around[-1]
        if tag == "caption":
            text = collapsed("".join(self._text))
            self._text = []
            self._add(Block("caption", text))
            return
        self._end_cell(table)
        if tag in ("tr", "table"):
            self._put_row(table)
        if tag == "table":
            self._text = []
            self._around.pop()

    def _end_cell(self, table: Table) -> None:
        if table.is_frame:
            self._end_part()
            table.drop()
        elif table.is_in_cell:
            table.end_cell(collapsed("".join(self._text)).replace("\n", " "))
        self._text = []

    def _put_row(self, table: Table) -> None:
        text, is_head = table.end_row()
        if text:
            is_row = SEPARATOR in text  # one cell in a row: a frame around text
            self._add(Block("row", text, is_head=is_head) if is_row else Block("paragraph", text))


def collapsed(text: str) -> str:
    """White space as browsers show it, but none between Japanese lines; vertical tabs become line feeds."""
    lines = []
    for line in text.split("\v"):
        words = re.split(r"([ \t\r\n\f]+)", line.strip())
        for at in range(1, len(words) - 1, 2):
            is_broken = "\n" in words[at] and (is_japanese(words[at - 1][-1:]) and is_japanese(words[at + 1][:1]))
            words[at] = "" if is_broken else " "
        lines.append("".join(words).strip())
    return "\n".join(line for line in lines if line)
