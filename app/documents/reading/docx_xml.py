"""Parse the XML of Word files: one element at a time, without entities and within limits.

Paragraph text is what is visible after accepting all tracked changes, together with notes and text boxes anchored to
it.
"""

import zipfile
import zlib
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from app.base.errors import AppError
from app.documents.reading import limits


def children_of(archive: zipfile.ZipFile, part: str, parent: str) -> Iterator[Element]:
    """Yield the children of the element named `parent` in a part, each complete; free each one afterwards.

    `parent`: without namespace; "" for the root. Raises AppError("document_damaged" | "document_unsafe_xml" |
    "document_too_deep").
    """
    try:
        with archive.open(part) as file:
            yield from _children(file, parent)
    except DefusedXmlException as error:
        raise AppError("document_unsafe_xml") from error
    except (
        ParseError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        ValueError,
        LookupError,
    ) as error:
        raise AppError("document_damaged", detail=type(error).__name__) from error


def _children(file: IO[bytes], parent: str) -> Iterator[Element]:
    ancestors: list[Element] = []
    level = 0 if parent else 1  # depth of the parent's children; 0: the parent was not found yet
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        if event == "start":
            ancestors.append(element)
            if len(ancestors) > limits.XML_DEPTH:
                raise AppError("document_too_deep")
            if not level and name_of(element) == parent:
                level = len(ancestors)
            continue
        ancestors.pop()
        if level and len(ancestors) == level:
            yield element
            ancestors[-1].remove(element)
        elif not level and ancestors and len(ancestors) == 1:
            ancestors[-1].remove(element)


def name_of(element: Element) -> str:
    """Return an element's name without the namespace, which differs between strict and transitional files."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Element | None, name: str) -> str:
    """Return the value of an element's attribute, "" if the attribute or the element is missing."""
    if element is None:
        return ""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def whole_number(number_text: str, otherwise: int = 0) -> int:
    """Parse an unsigned number; return `otherwise` for anything else and for more than 9 digits."""
    return int(number_text) if number_text.isdecimal() and len(number_text) < 10 else otherwise


def child(element: Element | None, name: str) -> Element | None:
    return None if element is None else next((one for one in element if name_of(one) == name), None)


def relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """Return relation kind (officeDocument, styles, …) -> part name, for a part's relations to parts in the archive."""
    folder, _, name = part.rpartition("/")
    listing = f"{folder}/_rels/{name}.rels".lstrip("/") if part else "_rels/.rels"
    known = {entry.filename for entry in archive.infolist()}
    found: dict[str, str] = {}
    if listing not in known:
        return found
    for relation in children_of(archive, listing, ""):
        target = relation.get("Target", "")
        place = target.lstrip("/") if target.startswith("/") or not folder else f"{folder}/{target}"
        if relation.get("TargetMode") != "External" and place in known:
            found.setdefault(relation.get("Type", "").rpartition("/")[2], place)
    return found


_SKIPPED = frozenset(
    ("del", "moveFrom", "delText", "instrText", "delInstrText", "rt", "pPr", "rPr", "Fallback", "sectPr", "fldData")
)
_BOXES = "txbxContent"
_CHARACTERS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "", "ptab": " "}


@dataclass(slots=True)
class ParagraphText:
    """The text of a paragraph.

    `notes`: (footnote | endnote, id) in order. `boxes`: its text boxes, which contain paragraphs and tables.
    """

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
