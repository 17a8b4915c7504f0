"""Word files: headings by style and outline level, numbers of lists, tables as rows, notes and text boxes.

Read from the XML itself: python-docx knows neither tracked changes nor text boxes, notes, ruby and numbers.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element
from zipfile import ZipFile

from app.base.errors import AppError
from app.documents.reading import limits, tabular
from app.documents.reading.blocks import Block, Reading, Tell
from app.documents.reading.docx_styles import Numbering, Style, Styles, numbering_of, outline_level
from app.documents.reading.docx_text import is_contents, parts_of, text_of
from app.documents.reading.office_xml import attribute, child, children_of, name_of, relations, whole
from app.documents.records import Report

TELL_EVERY = 200  # paragraphs and tables
DEEPEST = 20  # tables and boxes in one another


def read(path: Path, tell: Tell) -> Reading:
    """Raises AppError("document_damaged" | "document_bomb" | "document_unsafe_xml" | "document_too_deep" |
    "document_too_long" | "document_protected"), OSError."""
    with limits.open_archive(path) as archive:
        part = relations(archive, "").get("officeDocument", "word/document.xml")
        if part not in archive.namelist():
            raise AppError("document_damaged", detail="no document.xml")
        return _Reader(archive, part, tell).read()


class _Reader:
    def __init__(self, archive: ZipFile, part: str, tell: Tell) -> None:
        related = relations(archive, part)
        self._archive = archive
        self._part = part
        self._tell = tell
        self._styles = Styles.of(archive, related.get("styles"))
        self._numbering = Numbering(archive, related.get("numbering"))
        self._notes = {
            kind: _notes(archive, related[f"{kind}s"]) for kind in ("footnote", "endnote") if f"{kind}s" in related
        }
        self._characters = limits.Characters()
        self._tables = 0
        self._title = ""

    def read(self) -> Reading:
        blocks: list[Block] = []
        for number, element in enumerate(children_of(self._archive, self._part, "body")):
            if number % TELL_EVERY == 0:
                self._tell(number, 0)
            if name_of(element) == "p":
                blocks += self._paragraph(element, 0)
            elif name_of(element) == "tbl":
                blocks += self._table(element, 0)
            elif not (name_of(element) == "sdt" and is_contents(element)):
                for part in parts_of(element):
                    blocks += self._any(part, 0)
        return Reading(blocks, self._title, Report(tables=self._tables))

    def _any(self, element: Element, depth: int) -> Iterator[Block]:
        return self._paragraph(element, depth) if name_of(element) == "p" else self._table(element, depth)

    def _inside(self, container: Element, depth: int) -> Iterator[Block]:
        if depth == DEEPEST:
            raise AppError("document_too_deep")
        for part in parts_of(container):
            yield from self._any(part, depth + 1)

    def _paragraph(self, element: Element, depth: int) -> Iterator[Block]:
        properties = child(element, "pPr")
        style = self._styles.style(attribute(child(properties, "pStyle"), "val"))
        found = text_of(element, self._styles.unseen)
        text = found.text
        self._characters.add(len(text))
        if text and not style.is_contents:
            yield self._block(text, style, properties)
        for place, (kind, note_id) in enumerate(found.notes, start=1):
            note = self._notes.get(kind, {}).get(note_id, "")
            if note:
                self._characters.add(len(note))
                yield Block("paragraph", f"（注{place}）{note}")
        for box in found.boxes:
            yield from self._inside(box, depth)

    def _block(self, text: str, style: Style, properties: Element | None) -> Block:
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
        cells = [one for row in rows for one in _cells(row)]
        if len(cells) == 1:  # a frame around text
            yield from self._inside(cells[0], depth)
            return
        above: dict[int, str] = {}
        self._tables += 1
        lines: list[tuple[str, list[str]]] = []
        for row in rows:
            texts = [text for text in self._row(row, above, depth) if text is not None]
            lines.append((tabular.joined(texts), texts))
        has_head = len(lines) > 1 and (tabular.looks_like_head(lines[0][1]) or _is_head(rows[0]))
        for place, (line, _) in enumerate(lines):
            if line:
                yield Block("row", line, is_head=has_head and (place == 0 or _is_head(rows[place])))

    def _row(self, row: Element, above: dict[int, str], depth: int) -> Iterator[str | None]:
        """Texts of the cells; a cell that goes on from above says what that one says."""
        column = 0
        for cell in _cells(row)[: limits.TABLE_COLUMNS]:
            properties = child(cell, "tcPr")
            merged = child(properties, "vMerge")
            if merged is not None and attribute(merged, "val") != "restart":
                text = above.get(column, "")
                self._characters.add(len(text))
            else:
                text = " ".join(block.text for block in self._inside(cell, depth)).replace("\n", " ")
                above[column] = text
            span = attribute(child(properties, "gridSpan"), "val")
            column += max(1, whole(span))
            yield text


def _cells(row: Element) -> list[Element]:
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
    """Id -> text of the notes of a part; the lines that separate them are left out."""
    found: dict[str, str] = {}
    for note in children_of(archive, part, ""):
        if attribute(note, "type") not in ("separator", "continuationSeparator"):
            texts = [text_of(one).text for one in parts_of(note) if name_of(one) == "p"]
            found[attribute(note, "id")] = " ".join(text for text in texts if text)
    return found
