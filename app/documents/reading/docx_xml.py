"""The text of a Word paragraph: what is seen of it when changes are accepted, with what is anchored to it.

The XML of office files: one element at a time, without entities and without limits being passed.
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
    """The elements in the element named `parent` ("": in the outermost) of a part, each whole, forgotten afterwards.

    Elements are named without their namespace. Raises AppError("document_damaged" | "document_unsafe_xml" |
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
    around: list[Element] = []
    level = 0 if parent else 1  # depth of the parent's children; 0: the parent was not met yet
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        if event == "start":
            around.append(element)
            if len(around) > limits.XML_DEPTH:
                raise AppError("document_too_deep")
            if not level and name_of(element) == parent:
                level = len(around)
            continue
        around.pop()
        if level and len(around) == level:
            yield element
            around[-1].remove(element)
        elif not level and around and len(around) == 1:
            around[-1].remove(element)


def name_of(element: Element) -> str:
    """Without the namespace: strict and transitional files have different ones."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Element | None, name: str) -> str:
    """ "" when it is not there."""
    if element is None:
        return ""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def whole_number(written: str, otherwise: int = 0) -> int:
    """A number without sign as files write it; `otherwise` for anything else, and for more digits than have a sense."""
    return int(written) if written.isdecimal() and len(written) < 10 else otherwise


def child(element: Element | None, name: str) -> Element | None:
    return None if element is None else next((one for one in element if name_of(one) == name), None)


def relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """Kind (officeDocument, styles, …) -> name of the part, of those that lie in the archive."""
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


_LEFT_OUT = frozenset(
    ("del", "moveFrom", "delText", "instrText", "delInstrText", "rt", "pPr", "rPr", "Fallback", "sectPr", "fldData")
)
_BOXES = "txbxContent"
_SIGNS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "", "ptab": " "}


@dataclass(slots=True)
class ParagraphText:
    """`notes`: (footnote | endnote, id) in order. `boxes`: text boxes, each with paragraphs and tables in it."""

    parts: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()


def text_of(paragraph: Element, unseen: Set[str] = frozenset()) -> ParagraphText:
    """`unseen`: the ids of styles whose text is hidden."""
    found = ParagraphText()
    _gather(paragraph, found, unseen, attribute(child(child(paragraph, "pPr"), "pStyle"), "val") in unseen)
    return found


def _gather(element: Element, found: ParagraphText, unseen: Set[str], is_unseen: bool) -> None:
    for part in element:
        name = name_of(part)
        if name in _LEFT_OUT or (name == "r" and _is_hidden(part, unseen, is_unseen)):
            continue
        if name == "t":
            found.parts.append(part.text or "")
        elif name in _SIGNS:
            found.parts.append(_SIGNS[name])
        elif name == "sym":
            found.parts.append(_symbol(part))
        elif name in ("footnoteReference", "endnoteReference"):
            found.notes.append((name.removesuffix("Reference"), attribute(part, "id")))
            found.parts.append(f"（注{len(found.notes)}）")
        elif name == _BOXES:
            found.boxes.append(part)
        else:
            _gather(part, found, unseen, is_unseen)


def _is_hidden(run: Element, unseen: Set[str], is_unseen: bool) -> bool:
    """By what the run says itself, by its style, or by its paragraph's (`is_unseen`)."""
    properties = child(run, "rPr")
    own = vanishes(properties)
    return own if own is not None else is_unseen or attribute(child(properties, "rStyle"), "val") in unseen


def vanishes(properties: Element | None) -> bool | None:
    """Return whether properties of a run make text hidden; None: they say nothing of it."""
    hidden = child(properties, "vanish")
    return None if hidden is None else attribute(hidden, "val") not in ("0", "false", "off")


def _symbol(element: Element) -> str:
    """A letter of a symbol font; those in the private range mean nothing without it."""
    code = attribute(element, "char")
    try:
        value = int(code, 16)
    except ValueError:
        return ""
    return chr(value) if 0x20 <= value < 0xD800 else ""


def parts_of(container: Element) -> Iterator[Element]:
    """Paragraphs and tables of a body, cell, box or note, in order, also those inside content controls."""
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
