"""The XML of office files: one element at a time, without entities and without limits being passed."""

import zipfile
import zlib
from collections.abc import Iterator
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


def whole(written: str, otherwise: int = 0) -> int:
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
