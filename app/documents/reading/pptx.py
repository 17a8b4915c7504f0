"""Read PowerPoint files: each slide's title as a heading, its texts from top to bottom, tables, diagrams and notes.

python-pptx would hold the whole file in memory and leave out diagrams and formulas, so the XML is parsed here.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element
from zipfile import ZipFile

from app.base.errors import AppError
from app.documents.reading import limits, text_blocks
from app.documents.reading.office_xml import (
    attribute,
    child,
    children_of,
    count_letters_in,
    document_title,
    name_of,
    relations,
    relations_of,
    root_attribute,
    whole_number,
)
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument
from app.documents.records import ReadingReport

TITLES = ("title", "ctrTitle")
REPEATED = ("sldNum", "dt", "ftr", "hdr", "sldImg")  # placeholders for what each slide repeats, and pictures
HEADING_LONGEST = 60  # characters of a first line that serves as the heading of a slide without a title
SAME_LINE_EMU = 360_000  # 1 cm: shapes whose tops differ by less stand side by side
NOTE = "ノート："
COPIES = frozenset(("Fallback",))  # of what newer programs show

Place = tuple[int, int]  # top and left of a shape, in EMU


def read(path: Path, on_progress: ProgressCallback) -> ReadDocument:
    """Read a PowerPoint file. Raises AppError for a damaged, unsafe, protected or too long one, OSError."""
    with limits.open_archive(path) as archive:
        part = relations(archive, "").get("officeDocument", "ppt/presentation.xml")
        if part not in archive.namelist():
            raise AppError("document_damaged", detail="no presentation.xml")
        return _Reader(archive, on_progress).read(part)


class _Reader:
    def __init__(self, archive: ZipFile, on_progress: ProgressCallback) -> None:
        self._archive = archive
        self._on_progress = on_progress
        self._characters = limits.CharacterBudget()
        self._layouts: dict[str, dict[tuple[str, str], Place]] = {}  # part -> placeholder -> place
        self._tables = self._letters = 0
        self._notes: tuple[str, ...] = ()  # about the file

    def read(self, part: str) -> ReadDocument:
        parts = {one.id: one.part for one in relations_of(self._archive, part) if one.kind == "slide"}
        listed = [_relation_id(one) for one in children_of(self._archive, part, "sldIdLst")]
        slides = [parts[one] for one in listed if one in parts]
        if len(slides) > limits.PAGES:
            raise AppError("document_too_many_pages", pages=len(slides), limit=limits.PAGES)
        blocks: list[Block] = []
        for number, slide in enumerate(slides, start=1):
            self._on_progress(number, len(slides))
            if root_attribute(self._archive, slide, "show") in ("0", "false"):
                self._notes = ("hidden_slides",)
                continue
            for block in self._slide(slide, number):
                self._characters.add(len(block.text))
                blocks.append(block)
        report = ReadingReport(pages=len(slides), tables=self._tables, notes=self._notes)
        return ReadDocument(blocks, document_title(self._archive), report, self._letters)

    def _slide(self, part: str, number: int) -> Iterator[Block]:
        related = relations(self._archive, part)
        shapes = self._shapes(part)
        written_below = self._shapes(related["notesSlide"]) if "notesSlide" in related else []
        own = [shape for shape in (*shapes, *written_below) if _placeholder(shape)[0] not in REPEATED]
        self._letters += sum(count_letters_in(shape, COPIES) for shape in own)
        title = " ".join(text for shape in shapes if _placeholder(shape)[0] in TITLES for text in _paragraphs(shape))
        places = self._places(related.get("slideLayout", ""))
        others = [shape for shape in shapes if _placeholder(shape)[0] not in (*TITLES, *REPEATED)]
        blocks = [block for shape in _in_reading_order(others, places) for block in self._blocks(shape, part, number)]
        if not title and blocks:
            first = blocks[0]
            is_heading = first.kind == "paragraph" and len(first.text) <= HEADING_LONGEST
            title = blocks.pop(0).text if is_heading else f"スライド {number}"
        if title:
            yield Block("heading", " ".join(title.split()), 1, page=number)
        yield from blocks
        notes = [
            text for shape in written_below if _placeholder(shape)[0] not in REPEATED for text in _paragraphs(shape)
        ]
        yield from (Block("paragraph", f"{NOTE}{text}", page=number) for text in notes)

    def _shapes(self, part: str) -> list[Element]:
        for element in children_of(self._archive, part, ""):
            tree = child(element, "spTree")
            if tree is not None:
                return list(_shapes_in(tree))
        return []

    def _places(self, layout: str) -> dict[tuple[str, str], Place]:
        """Return the places that a layout gives to the placeholders of its slides."""
        if layout not in self._layouts:
            shapes = self._shapes(layout) if layout else []
            places = {_placeholder(shape): place for shape in shapes if (place := _place(shape)) is not None}
            self._layouts[layout] = places
        return self._layouts[layout]

    def _blocks(self, shape: Element, part: str, number: int) -> Iterator[Block]:
        """Yield the blocks of a shape that is no group."""
        data = child(child(shape, "graphic"), "graphicData")
        table = child(data, "tbl")
        diagram = child(data, "relIds")
        if table is not None:
            self._tables += 1
            yield from _rows(table, number)
        elif diagram is not None:
            parts = {one.id: one.part for one in relations_of(self._archive, part)}
            model = parts.get(attribute(diagram, "dm"), "")
            for point in children_of(self._archive, model, "ptLst") if model else ():
                self._letters += count_letters_in(point, COPIES)
                yield from (Block("paragraph", text, page=number) for text in _paragraphs(point))
        else:
            yield from (Block("paragraph", text, page=number) for text in _paragraphs(shape))


def _relation_id(element: Element) -> str:
    """Return the relation's id; an element of a list of slides also has an id of its own."""
    return next((value for key, value in element.attrib.items() if key.endswith("}id")), "")


def _shapes_in(tree: Element) -> Iterator[Element]:
    """Yield the shapes of a tree; of alternatives, the one for the newest program."""
    for element in tree:
        name = name_of(element)
        if name == "AlternateContent":
            chosen = child(element, "Choice")
            yield from _shapes_in(chosen if chosen is not None else element)
        elif name in ("sp", "graphicFrame", "grpSp", "cxnSp", "pic"):
            yield element


def _in_reading_order(shapes: Iterable[Element], places: dict[tuple[str, str], Place]) -> Iterator[Element]:
    """Yield shapes by their place, and those in a group together. A shape without a place follows the one before."""
    placed: list[tuple[Place, Element]] = []
    for shape in shapes:
        place = _place(shape) or places.get(_placeholder(shape)) or (placed[-1][0] if placed else (0, 0))
        placed.append((place, shape))
    lines: list[list[tuple[Place, Element]]] = []
    for one in sorted(placed, key=lambda one: one[0][0]):
        if lines and one[0][0] - lines[-1][0][0][0] < SAME_LINE_EMU:
            lines[-1].append(one)
        else:
            lines.append([one])
    for line in lines:
        for _, shape in sorted(line, key=lambda one: one[0][1]):
            if name_of(shape) == "grpSp":
                yield from _in_reading_order(_shapes_in(shape), {})
            else:
                yield shape


def _placeholder(shape: Element) -> tuple[str, str]:
    """Return the type and the index of a placeholder; ("", "") for another shape."""
    for properties in shape:
        holder = child(child(properties, "nvPr"), "ph")
        if holder is not None:
            return attribute(holder, "type") or "body", attribute(holder, "idx")
    return "", ""


def _place(shape: Element) -> Place | None:
    frame = child(shape, "xfrm")  # of a table or diagram
    if frame is None:
        frame = next((one for part in shape if (one := child(part, "xfrm")) is not None), None)
    offset = child(frame, "off")
    if offset is None:
        return None
    return whole_number(attribute(offset, "y")), whole_number(attribute(offset, "x"))


def _paragraphs(shape: Element) -> Iterator[str]:
    """Yield the paragraphs of a shape, table cell, or point of a diagram."""
    for part in shape:
        if name_of(part) in ("txBody", "t"):
            for paragraph in part:
                text = "".join(_texts(paragraph)).strip()
                if name_of(paragraph) == "p" and text:
                    yield text


def _texts(paragraph: Element) -> Iterator[str]:
    for part in paragraph:
        name = name_of(part)
        if name == "t":
            yield part.text or ""
        elif name == "br":
            yield "\n"
        elif name == "fld" and attribute(part, "type").startswith(("slidenum", "datetime")):
            continue
        elif name not in ("pPr", "rPr", "endParaRPr", "Fallback"):
            yield from _texts(part)


def _rows(table: Element, number: int) -> Iterator[Block]:
    above: dict[int, str] = {}
    has_head = attribute(child(table, "tblPr"), "firstRow") in ("1", "true")
    rows = [row for row in table if name_of(row) == "tr"]
    for place, row in enumerate(rows):
        texts: list[str] = []
        for column, cell in enumerate([one for one in row if name_of(one) == "tc"][: limits.TABLE_COLUMNS]):
            if attribute(cell, "hMerge") in ("1", "true"):
                continue
            if attribute(cell, "vMerge") not in ("1", "true"):
                above[column] = " ".join(_paragraphs(cell)).replace("\n", " ")
            texts.append(above.get(column, ""))
        is_head = place == 0 and len(rows) > 1 and (has_head or text_blocks.looks_like_header(texts))
        if line := text_blocks.join_cells(texts):
            yield Block("row", line, is_head=is_head, page=number)
