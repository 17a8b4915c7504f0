"""Parse the XML of Office files: one element at a time, without entities and within limits."""

import contextlib
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from app.base.errors import AppError
from app.documents.reading import limits, text_blocks


def children_of(archive: zipfile.ZipFile, part: str, parent: str) -> Iterator[Element]:
    """Yield complete children of the element `parent` ("": the root) of a part, each freed after. Raises AppError."""
    with _converted_errors(), archive.open(part) as file:
        yield from _children(file, parent)


def root_attribute(archive: zipfile.ZipFile, part: str, name: str) -> str:
    """Return an attribute of a part's root element, "" if it is missing. Raises as `children_of`."""
    with _converted_errors(), archive.open(part) as file:
        _, root = next(iter(iterparse(file, events=("start",), forbid_dtd=True)))
        return attribute(root, name)


@contextlib.contextmanager
def _converted_errors() -> Iterator[None]:
    """Convert what the parser raises in the block to AppError("document_damaged" | "document_unsafe_xml")."""
    try:
        yield
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
    level = 0 if parent else 1  # depth of the parent's children; 0: the parent was not found yet, -1: it has ended
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        if event == "start":
            ancestors.append(element)
            if len(ancestors) > limits.XML_DEPTH:
                raise AppError("document_too_deep")
            if not level and name_of(element) == parent:
                level = len(ancestors)
            continue
        ancestors.pop()
        if level > 0 and len(ancestors) == level:
            yield element
            ancestors[-1].remove(element)
        elif level > 0 and len(ancestors) < level:
            level = -1
        elif level <= 0 and len(ancestors) == 1:
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


def count_letters_in(element: Element, skipped: Set[str]) -> int:
    """Return the number of letters in the texts (`t`) below an element. `skipped`: names of elements left out."""
    letters, waiting = 0, [element]
    while waiting:
        part = waiting.pop()
        if part.text and name_of(part) == "t":
            letters += text_blocks.count_letters(part.text)
        waiting += [one for one in part if name_of(one) not in skipped]
    return letters


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of a part to another part of the archive. `kind`: officeDocument, styles, slide, …"""

    id: str
    kind: str
    part: str


def relations_of(archive: zipfile.ZipFile, part: str) -> list[Relation]:
    """Return a part's relations to parts that the archive has. `part`: "" for the archive itself."""
    folder, _, name = part.rpartition("/")
    listing = f"{folder}/_rels/{name}.rels".lstrip("/") if part else "_rels/.rels"
    known = {entry.filename for entry in archive.infolist()}
    found: list[Relation] = []
    for relation in children_of(archive, listing, "") if listing in known else ():
        target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
        if relation.get("TargetMode") != "External" and target in known:
            found.append(Relation(relation.get("Id", ""), relation.get("Type", "").rpartition("/")[2], target))
    return found


def relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """Return the part of the first relation of each kind."""
    return {one.kind: one.part for one in reversed(relations_of(archive, part))}


def document_title(archive: zipfile.ZipFile) -> str:
    """Return the title in a document's properties; "" if there is none."""
    part = relations(archive, "").get("core-properties")
    elements = children_of(archive, part, "") if part else ()
    return next((one.text or "" for one in elements if name_of(one) == "title"), "")
