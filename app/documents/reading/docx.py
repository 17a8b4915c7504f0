"""Read Word files: headings by style and outline level, list numbers, tables as rows, notes and text boxes.

python-docx supports neither tracked changes nor text boxes, notes, ruby and list numbers, so the XML is parsed here.
The file is over 450 lines because styles, lists and the text of paragraphs are one grammar.
"""

import re
import zipfile
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element
from zipfile import ZipFile

from app.base.errors import AppError
from app.base.lazy_pattern import lazy_pattern
from app.documents.reading import limits, text_blocks
from app.documents.reading.office_xml import (
    attribute,
    child,
    children_of,
    count_letters_in,
    name_of,
    relations,
    whole_number,
)
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument
from app.documents.records import ReadingReport

HEADING_LEVELS = 9
LEVEL_TEXT_LONGEST = 100  # characters of a number's format, which each paragraph of the list repeats
_HEADING = lazy_pattern(r"(?:heading|見出し)\s*([1-9])", re.IGNORECASE)
_CONTENTS = lazy_pattern(r"(?:toc|目次)\s*(?:[1-9]|heading|の見出し)", re.IGNORECASE)
_AIUEO = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
_IROHA = "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセス"
_KANJI = "〇一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class ParagraphStyle:
    """A paragraph style. `level`: 1 to 9 of a heading, else 0. `numbering`: (list id, level) of its lists, or None."""

    name: str = ""
    level: int = 0
    numbering: tuple[str, int] | None = None
    based_on: str = ""
    is_hidden: bool | None = None  # whether its text is hidden; None: inherited

    @property
    def is_contents(self) -> bool:
        return _CONTENTS.fullmatch(self.name) is not None

    @property
    def is_caption(self) -> bool:
        return self.name.lower() in ("caption", "図表番号", "キャプション")

    @property
    def is_title(self) -> bool:
        return self.name.lower() in ("title", "表題", "標題")


@dataclass(slots=True)
class Styles:
    """The paragraph styles of a document."""

    by_id: dict[str, ParagraphStyle] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)  # ids of styles with hidden text

    @classmethod
    def read_from(cls, archive: zipfile.ZipFile, part: str | None) -> "Styles":
        styles = cls()
        for element in children_of(archive, part, "") if part else ():
            if name_of(element) == "style":
                styles.by_id[attribute(element, "styleId")] = _style(element)
        styles.hidden = {style_id for style_id in styles.by_id if styles._is_hidden(style_id)}
        return styles

    def _is_hidden(self, style_id: str) -> bool:
        for _ in range(10):
            style = self.by_id.get(style_id, ParagraphStyle())
            if style.is_hidden is not None:
                return style.is_hidden
            style_id = style.based_on
        return False

    def style(self, style_id: str) -> ParagraphStyle:
        """Return a style with the properties that it inherits."""
        found = self.by_id.get(style_id, ParagraphStyle())
        level, numbering, ancestor = found.level, found.numbering, found
        for _ in range(10):
            if (level and numbering) or ancestor.based_on not in self.by_id:
                break
            ancestor = self.by_id[ancestor.based_on]
            level = level or ancestor.level
            numbering = numbering or ancestor.numbering
        return ParagraphStyle(found.name, level, numbering)


def _style(element: Element) -> ParagraphStyle:
    name = attribute(child(element, "name"), "val")
    properties = child(element, "pPr")
    match = _HEADING.fullmatch(name.strip())
    level = int(match[1]) if match else outline_level(properties)
    is_hidden = vanishes(child(element, "rPr"))
    based_on = attribute(child(element, "basedOn"), "val")
    return ParagraphStyle(name.strip(), level, numbering_of(properties), based_on, is_hidden)


def outline_level(properties: Element | None) -> int:
    """Return the outline level of a heading, 1 to 9; 0 if the text is not a heading."""
    level = whole_number(attribute(child(properties, "outlineLvl"), "val"), HEADING_LEVELS)
    return level + 1 if level < HEADING_LEVELS else 0


def numbering_of(properties: Element | None) -> tuple[str, int] | None:
    """Return (list id, level in the list) of a paragraph; None if it is not in a list."""
    numbers = child(properties, "numPr")
    if numbers is None:
        return None
    level = whole_number(attribute(child(numbers, "ilvl"), "val"))
    return attribute(child(numbers, "numId"), "val"), min(HEADING_LEVELS - 1, level)


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of a list. `text`: the format of its numbers, such as 第%1章. `is_legal`: all numbers are decimal."""

    kind: str = "decimal"
    text: str = ""
    start: int = 1
    is_legal: bool = False


class Numbering:
    """The counters of a document's lists; call `number` once for each numbered paragraph, in order."""

    def __init__(self, archive: zipfile.ZipFile, part: str | None) -> None:
        self._abstract: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, str] = {}  # list id -> id of its abstract list
        self._starts: dict[tuple[str, int], int] = {}
        self._counts: dict[str, dict[int, int]] = {}  # id of an abstract list -> level -> last number
        self._started_levels: set[tuple[str, int]] = set()
        for element in children_of(archive, part, "") if part else ():
            if name_of(element) == "abstractNum":
                levels = [one for one in element if name_of(one) == "lvl"]
                self._abstract[attribute(element, "abstractNumId")] = {_index(one): _level(one) for one in levels}
            elif name_of(element) == "num":
                self._take_list(element)

    def _take_list(self, element: Element) -> None:
        list_id = attribute(element, "numId")
        self._lists[list_id] = attribute(child(element, "abstractNumId"), "val")
        for override in element:
            start = whole_number(attribute(child(override, "startOverride"), "val"), -1)
            if start >= 0:
                self._starts[list_id, _index(override)] = start

    def number(self, numbering: tuple[str, int]) -> str:
        """Return the text of a paragraph's number: 第3章, 1.2, (1), ア; ・ for a bullet; "" if it has none."""
        list_id, level = numbering
        abstract = self._lists.get(list_id)
        levels = self._abstract.get(abstract or "", {})
        if abstract is None or level not in levels:
            return ""
        counts = self._counts.setdefault(abstract, {})
        start = levels[level].start
        if (list_id, level) in self._starts and (list_id, level) not in self._started_levels:
            counts.pop(level, None)
            start = self._starts[list_id, level]
        self._started_levels.add((list_id, level))
        counts[level] = counts[level] + 1 if level in counts else start
        for deeper in [count for count in counts if count > level]:
            del counts[deeper]
        return self._text(levels, level, counts)

    def _text(self, levels: dict[int, _Level], level: int, counts: dict[int, int]) -> str:
        if levels[level].kind == "bullet":
            return "・"

        def fill(match: re.Match[str]) -> str:
            index = int(match[1]) - 1
            one = levels.get(index, _Level())
            return written_number(counts.get(index, one.start), "decimal" if levels[level].is_legal else one.kind)

        return re.sub(r"%([1-9])", fill, levels[level].text)


def _index(element: Element) -> int:
    return whole_number(attribute(element, "ilvl"))


def _level(element: Element) -> _Level:
    return _Level(
        kind=attribute(child(element, "numFmt"), "val") or "decimal",
        text=attribute(child(element, "lvlText"), "val")[:LEVEL_TEXT_LONGEST],
        start=whole_number(attribute(child(element, "start"), "val"), 1),
        is_legal=child(element, "isLgl") is not None,
    )


def written_number(number: int, kind: str) -> str:
    """Return a number in one of Word's formats (`kind`), in digits if Japanese documents do not use that format."""
    lower = kind.lower()
    match lower:
        case "none":
            return ""
        case "decimalfullwidth" | "decimalfullwidth2":
            return str(number).translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
        case "decimalenclosedcircle" if 1 <= number <= 20:
            return chr(0x245F + number)
        case "upperletter" | "lowerletter" if 1 <= number <= 26:
            return chr((65 if lower == "upperletter" else 97) + number - 1)
        case "upperroman" | "lowerroman" if 1 <= number < 4000:
            return _roman(number) if lower == "upperroman" else _roman(number).lower()
        case "aiueo" | "aiueofullwidth" if 1 <= number <= len(_AIUEO):
            return _AIUEO[number - 1]
        case "iroha" | "irohafullwidth" if 1 <= number <= len(_IROHA):
            return _IROHA[number - 1]
        case "japanesecounting" | "ideographdigital" | "japanesedigitaltenthousand" | "chinesecounting" if number < 100:
            return _counted(number)
        case "decimalzero":
            return f"{number:02}"
    return str(number)


def _roman(number: int) -> str:
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    letters = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")
    found = ""
    for value, letter in zip(values, letters, strict=True):
        found += letter * (number // value)
        number %= value
    return found


def _counted(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("十" if tens == 1 else _KANJI[tens] + "十" if tens else "") + (_KANJI[ones] if ones or not tens else "")


PROGRESS_EVERY = 200  # paragraphs and tables between two reports of progress
DEEPEST = 20  # nested tables and boxes
NOT_LETTERS = frozenset(("moveFrom", "rt", "Fallback"))  # moved text, pronunciation, copies for older programs


def read(path: Path, on_progress: ProgressCallback) -> ReadDocument:
    """Read a Word file. Raises AppError for a damaged, unsafe, protected or too long one, OSError."""
    with limits.open_archive(path) as archive:
        part = relations(archive, "").get("officeDocument", "word/document.xml")
        if part not in archive.namelist():
            raise AppError("document_damaged", detail="no document.xml")
        return _Reader(archive, part, on_progress).read()


class _Reader:
    def __init__(self, archive: ZipFile, part: str, on_progress: ProgressCallback) -> None:
        related = relations(archive, part)
        self._archive = archive
        self._part = part
        self._on_progress = on_progress
        self._styles = Styles.read_from(archive, related.get("styles"))
        self._numbering = Numbering(archive, related.get("numbering"))
        self._notes = {
            kind: _notes(archive, related[f"{kind}s"]) for kind in ("footnote", "endnote") if f"{kind}s" in related
        }
        self._characters = limits.CharacterBudget()
        self._tables = 0
        self._letters = 0  # of the text in the XML
        self._title = ""

    def read(self) -> ReadDocument:
        blocks: list[Block] = []
        for number, element in enumerate(children_of(self._archive, self._part, "body")):
            if number % PROGRESS_EVERY == 0:
                self._on_progress(number, 0)
            self._letters += count_letters_in(element, NOT_LETTERS)
            if name_of(element) == "p":
                blocks += self._paragraph(element, 0)
            elif name_of(element) == "tbl":
                blocks += self._table(element, 0)
            elif name_of(element) == "sdt" and is_contents(element):
                self._letters -= count_letters_in(element, NOT_LETTERS)
            else:
                for part in parts_of(element):
                    blocks += self._paragraph_or_table(part, 0)
        return ReadDocument(blocks, self._title, ReadingReport(tables=self._tables), self._letters)

    def _paragraph_or_table(self, element: Element, depth: int) -> Iterator[Block]:
        return self._paragraph(element, depth) if name_of(element) == "p" else self._table(element, depth)

    def _blocks_inside(self, container: Element, depth: int) -> Iterator[Block]:
        """Yield the blocks of a cell or text box. Raises AppError("document_too_deep")."""
        if depth == DEEPEST:
            raise AppError("document_too_deep")
        for part in parts_of(container):
            yield from self._paragraph_or_table(part, depth + 1)

    def _paragraph(self, element: Element, depth: int) -> Iterator[Block]:
        properties = child(element, "pPr")
        style = self._styles.style(attribute(child(properties, "pStyle"), "val"))
        found = text_of(element, self._styles.hidden)
        text = found.text
        self._characters.add(len(text))
        if style.is_contents:
            self._letters -= text_blocks.count_letters(text)
        elif text:
            yield self._block(text, style, properties)
        for place, (kind, note_id) in enumerate(found.notes, start=1):
            note = self._notes.get(kind, {}).get(note_id, "")
            if note:
                self._characters.add(len(note))
                self._letters += text_blocks.count_letters(note)
                yield Block("paragraph", f"（注{place}）{note}")
        for box in found.boxes:
            yield from self._blocks_inside(box, depth)

    def _block(self, text: str, style: ParagraphStyle, properties: Element | None) -> Block:
        numbering = numbering_of(properties) or style.numbering
        number = self._numbering.number(numbering) if numbering else ""
        whole = f"・{text}" if number == "・" else f"{number} {text}" if number else text
        level = outline_level(properties) or style.level
        if style.is_title and not self._title:
            self._title = text
        if level:
            return Block("heading", whole.replace("\n", " "), level)
        return Block("caption" if style.is_caption else "paragraph", whole)

    # ------------------------------------------------------------------ tables

    def _table(self, element: Element, depth: int) -> Iterator[Block]:
        rows = [one for one in element if name_of(one) == "tr" and child(child(one, "trPr"), "del") is None]
        cells = [cell for row in rows for cell in _cells(row)]
        if len(cells) == 1:  # a frame around text
            yield from self._blocks_inside(cells[0], depth)
            return
        above: dict[int, str] = {}
        self._tables += 1
        lines: list[tuple[str, list[str]]] = []
        for row in rows:
            texts = [text for text in self._cell_texts(row, above, depth) if text is not None]
            lines.append((text_blocks.join_cells(texts), texts))
        has_head = len(lines) > 1 and (text_blocks.looks_like_header(lines[0][1]) or _is_head(rows[0]))
        for place, (line, _) in enumerate(lines):
            if line:
                yield Block("row", line, is_head=has_head and (place == 0 or _is_head(rows[place])))

    def _cell_texts(self, row: Element, above: dict[int, str], depth: int) -> Iterator[str | None]:
        """Yield the text of each cell; a vertically merged cell repeats the text of the one above."""
        column = 0
        for cell in _cells(row)[: limits.TABLE_COLUMNS]:
            properties = child(cell, "tcPr")
            merged = child(properties, "vMerge")
            if merged is not None and attribute(merged, "val") != "restart":
                text = above.get(column, "")
                self._characters.add(len(text))
            else:
                text = " ".join(block.text for block in self._blocks_inside(cell, depth)).replace("\n", " ")
                above[column] = text
            span = attribute(child(properties, "gridSpan"), "val")
            column += max(1, whole_number(span))
            yield text


def _cells(row: Element) -> list[Element]:
    """Return the cells of a row, including those inside content controls."""
    found: list[Element] = []
    for part in row:
        if name_of(part) == "tc":
            found.append(part)
        elif name_of(part) in ("sdt", "sdtContent", "customXml"):
            found += _cells(part)
    return found


def _is_head(row: Element) -> bool:
    return child(child(row, "trPr"), "tblHeader") is not None


def _notes(archive: ZipFile, part: str) -> dict[str, str]:
    """Return note id -> text for the notes in a part of the file, without separator lines."""
    found: dict[str, str] = {}
    for note in children_of(archive, part, ""):
        if attribute(note, "type") not in ("separator", "continuationSeparator"):
            texts = [text_of(one).text for one in parts_of(note) if name_of(one) == "p"]
            found[attribute(note, "id")] = " ".join(text for text in texts if text)
    return found


_SKIPPED = frozenset(
    ("del", "moveFrom", "delText", "instrText", "delInstrText", "rt", "pPr", "rPr", "Fallback", "sectPr", "fldData")
)
_BOXES = "txbxContent"
_CHARACTERS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "", "ptab": " "}


@dataclass(slots=True)
class ParagraphText:
    """The text of a paragraph, its `notes` (footnote | endnote, id) in order, and its text `boxes`."""

    parts: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()


def text_of(paragraph: Element, hidden_styles: Set[str] = frozenset()) -> ParagraphText:
    """Return the visible text of a paragraph. `hidden_styles`: the ids of styles with hidden text."""
    found = ParagraphText()
    style = attribute(child(child(paragraph, "pPr"), "pStyle"), "val")
    _collect(paragraph, found, hidden_styles, style in hidden_styles)
    return found


def _collect(element: Element, paragraph: ParagraphText, hidden_styles: Set[str], is_hidden: bool) -> None:
    for part in element:
        name = name_of(part)
        if name in _SKIPPED or (name == "r" and _is_hidden(part, hidden_styles, is_hidden)):
            continue
        if name == "t":
            paragraph.parts.append(part.text or "")
        elif name in _CHARACTERS:
            paragraph.parts.append(_CHARACTERS[name])
        elif name == "sym":
            paragraph.parts.append(_symbol(part))
        elif name in ("footnoteReference", "endnoteReference"):
            paragraph.notes.append((name.removesuffix("Reference"), attribute(part, "id")))
            paragraph.parts.append(f"（注{len(paragraph.notes)}）")
        elif name == _BOXES:
            paragraph.boxes.append(part)
        else:
            _collect(part, paragraph, hidden_styles, is_hidden)


def _is_hidden(run: Element, hidden_styles: Set[str], is_hidden: bool) -> bool:
    """Whether a run is hidden by its own properties, its style, or its paragraph's style (`is_hidden`)."""
    properties = child(run, "rPr")
    own = vanishes(properties)
    return own if own is not None else is_hidden or attribute(child(properties, "rStyle"), "val") in hidden_styles


def vanishes(properties: Element | None) -> bool | None:
    """Whether a run's properties hide its text; None if they do not define it."""
    hidden = child(properties, "vanish")
    return None if hidden is None else attribute(hidden, "val") not in ("0", "false", "off")


def _symbol(element: Element) -> str:
    """Return the character of a symbol font; "" in the private range, which has no meaning without the font."""
    code = attribute(element, "char")
    try:
        value = int(code, 16)
    except ValueError:
        return ""
    return chr(value) if 0x20 <= value < 0xD800 else ""


def parts_of(container: Element) -> Iterator[Element]:
    """Yield paragraphs and tables of a body, cell, box or note in order, including those in content controls."""
    for part in container:
        name = name_of(part)
        if name in ("p", "tbl"):
            yield part
        elif name in ("ins", "moveTo", "smartTag", "customXml", "sdtContent") or (
            name == "sdt" and not is_contents(part)
        ):
            yield from parts_of(part)


def is_contents(control: Element) -> bool:
    """Whether a content control is Word's own table of contents."""
    part = child(child(child(control, "sdtPr"), "docPartObj"), "docPartGallery")
    return attribute(part, "val") == "Table of Contents"
