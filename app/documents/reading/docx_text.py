"""The text of a Word paragraph: what is seen of it when changes are accepted, with what is anchored to it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from app.documents.reading.office_xml import attribute, child, name_of

_LEFT_OUT = frozenset(
    ("del", "moveFrom", "delText", "instrText", "delInstrText", "rt", "pPr", "rPr", "Fallback", "sectPr", "fldData")
)
_BOXES = "txbxContent"
_SIGNS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "", "ptab": " "}


@dataclass(slots=True)
class Text:
    """`notes`: (footnote | endnote, id) in order. `boxes`: text boxes, each with paragraphs and tables in it."""

    parts: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()


def text_of(paragraph: Element) -> Text:
    found = Text()
    _gather(paragraph, found)
    return found


def _gather(element: Element, found: Text) -> None:
    for part in element:
        name = name_of(part)
        if name in _LEFT_OUT or (name == "r" and _is_hidden(part)):
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
            _gather(part, found)


def _is_hidden(run: Element) -> bool:
    hidden = child(child(run, "rPr"), "vanish")
    return hidden is not None and attribute(hidden, "val") not in ("0", "false", "off")


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
