"""Define the values that the documents' database stores, as frozen dataclasses.

Times are seconds since 1970 (UTC). DOCUMENT_SUFFIXES are the file types that a folder is searched for; the reading
child detects the real type from the content.
"""

import re
import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from msgspec import Struct

from app.base import invisible_characters
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.wording import phrase

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
# Suffixes in lower case, in the order of a file dialog: PDF, Word, Excel, PowerPoint, CSV, HTML, Markdown, plain text,
# pictures, and what LibreOffice converts.
DOCUMENT_SUFFIXES = (
    *(".pdf", ".docx", ".docm", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".pptx", ".pptm", ".csv", ".tsv"),
    *(".html", ".htm", ".xhtml", ".md", ".markdown", ".txt", ".text"),
    *PICTURE_SUFFIXES,
    *(".doc", ".rtf", ".odt", ".ppt", ".odp"),
)
_BREAKS = re.compile("[\t\n]")
_RANGES_MOST = 12  # ranges of pages in a list


def shown_name(path: PurePath) -> str:
    """Return a file's name as displayed, with U+FFFD for what could reverse (exe.txt for txt.exe) or break it."""
    return shown_path(path.name)


def shown_path(path: str) -> str:
    """Return a path as it is displayed, with U+FFFD for each invisible character and line break."""
    return _BREAKS.sub("\ufffd", invisible_characters.replace_with_mark(path))


_ATTACHED_NAME = re.compile(" #[a-z]{8}$")


def is_picture_name(path: str | PurePath) -> bool:
    return PurePath(path).suffix.lower() in PICTURE_SUFFIXES


def new_attached_name() -> str:
    """Return a unique name for a hidden collection, as references in conversations find collections by name."""
    token = "".join(secrets.choice(string.ascii_lowercase) for _ in range(8))  # numbers would count as values
    return f"{phrase('documents.attached_file')} #{token}"


def is_attached_name(name: str) -> bool:
    return _ATTACHED_NAME.search(name) is not None


def collection_title(name: str) -> str:
    """Return the name of a collection as people read it."""
    return _ATTACHED_NAME.sub("", name)


State = Literal["waiting", "reading", "done", "doubtful", "failed"]
DOUBTFUL_GARBLED_SHARE = 0.05  # every catalogue has a few odd characters, a lost font spoils more
DOUBTFUL_NOTES = frozenset({"formulas_without_values", "lost_text"})  # other notes are only shown


@dataclass(frozen=True, slots=True)
class PageBox:
    """A rectangle on a page, in points (1/72 inch) from the page's top left corner, as it is displayed."""

    page: int  # from 1
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class DocumentCollection:
    """A set of documents that one question searches together."""

    id: int
    name: str
    label: Label = "internal"
    is_builtin: bool = False  # Kotae's own manual
    documents: int = 0
    sections: int = 0
    unfinished: int = 0  # documents waiting or being read
    troubled: int = 0  # documents that are doubtful or failed
    # "": the user's own. A file that was attached to a question: "conversation", or the process id of its command
    attached: str = ""


class AskableDocument(Struct, frozen=True):
    """A document that was read at least once, so that it can be asked."""

    id: int
    path: str
    name: str


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """The result of reading one document."""

    pages: int = 0  # 0: a format without pages
    pages_without_text: tuple[int, ...] = ()  # from 1
    garbled_share: float = 0.0  # share (0 to 1) of characters that no Japanese or Latin text contains
    invisible: int = 0  # invisible characters that were removed
    lost_share: float = 0.0  # share (0 to 1) of the file's letters that are in no section and no heading
    headings: int = 0
    tables: int = 0
    sections: int = 0
    characters: int = 0
    encoding: str = ""  # encoding of a text file; "": the format defines it
    notes: tuple[str, ...] = ()  # codes of other findings, with sentences in resources/wording

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should check the document before relying on it."""
        is_poor = bool(self.pages_without_text) or self.garbled_share > DOUBTFUL_GARBLED_SHARE
        return is_poor or self.sections == 0 or bool(DOUBTFUL_NOTES.intersection(self.notes))


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a collection, which stays in its folder.

    `size_bytes`, `modified_ns`: of the version that was read; `tried_…`: of the last attempt; 0: none.
    """

    id: int
    collection_id: int
    path: str
    name: str
    state: State
    size_bytes: int = 0
    modified_ns: int = 0
    tried_size_bytes: int = 0
    tried_modified_ns: int = 0
    sha256: str = ""
    chosen_encoding: str = ""  # the user's choice; "": detected
    error_code: str = ""
    error_facts: dict[str, Any] = field(default_factory=dict)
    report: ReadingReport = field(default_factory=ReadingReport)
    added_at: float = 0.0
    indexed_at: float = 0.0

    @property
    def is_picture(self) -> bool:
        return is_picture_name(self.path)

    @property
    def needs_recognition(self) -> bool:
        """Whether it has pages that are only images, which nobody tried to recognize or accepted as they are."""
        if self.state == "failed":
            return self.error_code in ("ocr_missing", "ocr_part_broken", "ocr_part_changed")
        has_images = bool(self.report.pages_without_text) and "recognized" not in self.report.notes
        return self.state == "doubtful" and has_images

    @property
    def failure(self) -> AppError | None:
        """Return why the document could not be read; None if it did not fail."""
        is_known = self.state == "failed" and bool(self.error_code)
        return AppError(self.error_code, **self.error_facts) if is_known else None


@dataclass(frozen=True, slots=True)
class Section:
    """A citable piece of a document: at most one clause, never half a sentence or table row.

    `text`: without headings. `heading`: the path from the outermost heading, as printed (第3章 …, 3.2.1 …).
    """

    heading: tuple[str, ...]
    text: str
    tag: str = ""  # the document's mark of obligation: 必須, 標準, 推奨, 例示, 考え方
    page: int = 0  # first page, from 1; 0: the format has no pages
    page_last: int = 0
    boxes: tuple[PageBox, ...] = ()
    captions: tuple[str, ...] = ()  # numbers of its tables and figures: 表2-1-1, 図7-3
    # Of text that was recognized (OCR): each number with its lowest certainty on the page, in percent; None: other text
    recognized: tuple[tuple[str, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A section that a search found, with its origin. `section`: the text of all `parts`, under the found heading."""

    section_id: int
    section: Section
    document_id: int
    document: str  # name
    path: str
    collection: str  # name
    label: Label
    score: float  # higher is better; comparable within one search only
    rank: int = 0  # from 1
    parts: tuple[Section, ...] = ()  # in the document's order
    # "clause": the question names its clause; "neighbour": the clause before or after one that does not exist
    named: Literal["", "clause", "neighbour"] = ""


def with_heading(heading: Sequence[str], text: str) -> str:
    """Return the text of a section as models for search read it, without their own prefix."""
    return "\n".join([" > ".join(heading), text]) if heading else text


def page_ranges(numbers: Iterable[int]) -> list[str]:
    """Return sorted page numbers as ranges: 3, 5–8 for 3, 5, 6, 7, 8. At most 12 ranges are returned, then "…"."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    shown = [str(first) if first == last else f"{first}–{last}" for first, last in ranges[:_RANGES_MOST]]
    return [*shown, "…"] if len(ranges) > _RANGES_MOST else shown
