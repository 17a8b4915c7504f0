"""Collect the text of Word paragraphs with all tracked changes accepted, and their notes and text boxes."""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from app.documents.reading.office_xml import attribute, child, name_of

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
