"""Hold a whole document as it is read: its sections, its outline, words found in it, and what a model wrote of it."""

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.base import invisible_characters, search_text
from app.base.confidentiality import HIGHEST_LABEL, Label
from app.base.database import Row
from app.documents import document_tables
from app.documents.grounding.grounding_record import CitedSource
from app.documents.library import Library
from app.documents.records import Document, DocumentCollection

# The window's thread waits up to 5 ms each time that it wants to run beside another that is busy, unless that pauses.
SECTIONS_AT_ONCE, PAUSE_S = 100, 0.0005


@dataclass(frozen=True, slots=True)
class WholeSection:
    """A section as the reader shows it. `new_heading`: the part of `heading` that the section before does not have."""

    id: int
    heading: tuple[str, ...]
    new_heading: tuple[str, ...]
    text: str
    tag: str = ""
    page: int = 0  # from 1; 0: the format has no pages
    is_recognized: bool = False
    is_markdown: bool = False  # only of Kotae's own manual
    picture: tuple[Path, str] | None = None  # shown below the text: its file, and what it shows

    @property
    def shown(self) -> str:
        """Return the headings and the text, as they are searched."""
        return "\n".join((*self.new_heading, self.text))


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of the outline. `row`: the index of the first section below it. `depth`: 0 for an outermost heading.

    `parent`: the index of the heading above it in the outline; -1: none.
    """

    title: str
    depth: int
    row: int
    parent: int = -1


@dataclass(frozen=True, slots=True)
class WholeDocument:
    """A document with its sections and outline. `document` is None for a text that is not in the library.

    `sizes`: of each section the number of headings that it shows, of characters and of line breaks in its text.
    """

    name: str
    sections: tuple[WholeSection, ...]
    outline: tuple[Heading, ...]
    sizes: tuple[tuple[int, int, int], ...]
    document: Document | None = None
    collection: DocumentCollection | None = None

    @property
    def page_count(self) -> int:
        """Return the number of its pages of which pictures can be shown; 0 for a format without pages."""
        return self.document.report.pages if self.document is not None else 0

    @property
    def label(self) -> Label:
        return self.collection.label if self.collection is not None else HIGHEST_LABEL

    def heading_at(self, row: int) -> tuple[str, ...]:
        return self.sections[row].heading if 0 <= row < len(self.sections) else ()

    def row_of(self, place: "ReadingPlace") -> int:
        """Return the index of the section at a place: by its id, else by its quote, else by its page; 0 if unknown."""
        rows = enumerate(self.sections)
        if place.section_id:
            return next((row for row, section in rows if section.id == place.section_id), 0)
        quote = "".join(place.quote.split())
        if quote:
            found = (row for row, one in rows if one.page >= place.page and quote in "".join(one.text.split()))
            return next(found, self.row_of_page(place.page))
        return self.row_of_page(place.page)

    def row_of_page(self, page: int) -> int:
        """Return the index of the first section on a page, or else the last one before it; 0 if there is none."""
        before = [row for row, section in enumerate(self.sections) if 0 < section.page < page]
        on_page = (row for row, section in enumerate(self.sections) if page and section.page == page)
        return next(on_page, before[-1] if before else 0)

    def row_of_text(self, text: str, page: int) -> int:
        """Return the index of the section around `page` that has the most lines of a text, as `row_of_page` if none."""
        first = self.row_of_page(page)
        lines = [squeezed for line in text.splitlines() if (squeezed := "".join(line.split()))]

        def shared(row: int) -> int:
            own = "".join(self.sections[row].shown.split())
            return sum(len(line) for line in lines if line in own)

        rows = [row for row, one in enumerate(self.sections) if row == first - 1 or one.page == page]
        return max([first, *rows], key=shared)

    def source_of(self, row: int, text: str = "") -> CitedSource:
        """Return a section, or a part `text` of it, as the source of a citation."""
        section = self.sections[row]
        collection, path = (
            (self.collection.name if self.collection else ""),
            (self.document.path if self.document else ""),
        )
        return CitedSource(
            collection, self.label, self.name, path, text or section.text, section.heading, section.tag, section.page,
            section.page, recognized=() if section.is_recognized else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadingPlace:
    """Where a document is to be opened: at a section, or where the text `quote` stands on `page` or after it.

    `query`: words to find in the document, "" for none.
    """

    document_id: int
    section_id: int = 0
    query: str = ""
    quote: str = ""
    page: int = 0


def load(path: Path, document_id: int, check: Callable[[], None] = lambda: None) -> WholeDocument | None:
    """Read a document of the database at `path`; None if it is gone. `check` may raise. Raises as `Database`."""
    library = Library.open(path)
    try:
        document = library.document(document_id)
        collections = library.collections(has_attached=True) if document is not None else []
        collection = next((one for one in collections if document and one.id == document.collection_id), None)
        if document is None or collection is None:
            return None
        return assemble(document.name, _sections(library, document_id, check), document, collection)
    finally:
        library.close()


def _sections(library: Library, document_id: int, check: Callable[[], None]) -> Iterator[WholeSection]:
    """Yield the sections of a document, with pauses in which the window's thread can run."""
    last = -1
    while True:
        check()
        part = library.database.read_as(
            lambda row: (int(row["position"]), _section(row)),
            """SELECT id, position, heading, tag, text, page, recognized <> 'null' AS is_recognized FROM section
               WHERE document_id = ? AND position > ? ORDER BY position LIMIT ?""",
            document_id,
            last,
            SECTIONS_AT_ONCE,
        )
        yield from (section for _, section in part)
        if len(part) < SECTIONS_AT_ONCE:
            return
        last = part[-1][0]
        time.sleep(PAUSE_S)


def assemble(
    name: str,
    sections: Iterable[WholeSection],
    document: Document | None = None,
    collection: DocumentCollection | None = None,
) -> WholeDocument:
    """Return a document of sections, with its outline. The `new_heading` of each section is set here."""
    outline: list[Heading] = []
    shown: list[WholeSection] = []
    sizes: list[tuple[int, int, int]] = []
    path: list[int] = []
    before: tuple[str, ...] = ()
    for row, section in enumerate(sections):
        pairs = zip(before, section.heading, strict=False)
        known = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        new = section.heading[known:]
        del path[known:]  # the indices of the headings above
        for depth, title in enumerate(new, start=known):
            outline.append(Heading(title, depth, row, path[-1] if path else -1))
            path.append(len(outline) - 1)
        shown.append(dataclasses.replace(section, new_heading=new) if new else section)
        sizes.append((len(new), len(section.text), section.text.count("\n")))
        before = section.heading
    return WholeDocument(name, tuple(shown), tuple(outline), tuple(sizes), document, collection)


def _section(row: Row) -> WholeSection:
    text, tag = document_tables.text_of(row, "text"), invisible_characters.to_single_line(row["tag"])
    return WholeSection(
        row["id"], _heading(document_tables.text_of(row, "heading")), (), text, tag, row["page"],
        bool(row["is_recognized"]),
    )  # fmt: skip


_heading = functools.lru_cache(maxsize=1024)(document_tables.parse_heading)  # many sections share one


class WordCounter:
    """Counts words in each section of a document, in any thread, and keeps its folded texts."""

    def __init__(self, document: WholeDocument) -> None:
        self._document = document
        self._folded: list[str | None] = [None] * len(document.sections)

    def count(self, query_words: Sequence[str], check: Callable[[], None] = lambda: None) -> list[int]:
        """Return the number of places in each section. `query_words`: folded. `check` is as for `load`."""
        counts = []
        for row, section in enumerate(self._document.sections):
            if row % SECTIONS_AT_ONCE == 0:
                check()
                time.sleep(PAUSE_S)
            folded = self._folded[row]
            if folded is None:
                folded = self._folded[row] = search_text.fold(section.shown)
            counts.append(search_text.count_occurrences(folded, query_words))
        return counts


def summary_journal_of(documents: Path, sha256: str) -> Path:
    """Return the file of what a model wrote for a document's summary, so that it goes on after any interruption.

    `documents`: the path of the library's database."""
    return _summaries_folder(documents) / f"{sha256[:32]}.jsonl"


def remove_orphaned_summaries(documents: Path) -> None:
    """Delete the replies about documents that are not in the library any more."""
    files = list(_summaries_folder(documents).iterdir()) if _summaries_folder(documents).is_dir() else []
    if not files:
        return
    with closing(Library.open_second(documents)) as library:
        collections = library.collections(has_attached=True)
        kept = {one.sha256[:32] for collection in collections for one in library.documents(collection.id)}
    for file in files:
        if file.name.partition(".")[0] not in kept:
            file.unlink(missing_ok=True)


def _summaries_folder(documents: Path) -> Path:
    return documents.with_name("documents-summaries")
