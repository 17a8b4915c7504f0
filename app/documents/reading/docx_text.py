"""The text of a Word paragraph: what is seen of it when changes are accepted, with what is anchored to it."""

from collections.abc import Iterator, Set
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


def text_of(paragraph: Element, unseen: Set[str] = frozenset()) -> Text:
    """`unseen`: the ids of styles whose text is hidden."""
    found = Text()
    _gather(paragraph, found, unseen, attribute(child(child(paragraph, "pPr"), "pStyle"), "val") in unseen)
    return found


def _gather(element: Element, found: Text, unseen: Set[str], is_unseen: bool) -> None:
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
