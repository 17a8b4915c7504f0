"""Define the messages between a process of Kotae and its reading child, as frozen values; one JSON object a line.

Commands run in order; each ends with one `Indexed`, `DocumentRemoved`, `Rendered` or `Failed`, or the process's exit.
The parent cancels by a kill, which leaves each document complete or as it was.
"""

from typing import Any, get_args

from msgspec import Struct

from app.documents.reading import limits

PROTOCOL = 1
# Longest silence of a working child, in seconds and in seconds of its processor time: a page may take as long
# (app.documents.reading.limits), and writing the index of the longest document another 60 s.
SILENCE_S = limits.STUCK_S + 90.0
SILENT_PROCESSOR_S = limits.PAGE_S + 90.0
# Errors of the database, which would also stop the next document.
DATABASE_ERRORS = frozenset({"disk_full", "database_unusable", "database_damaged", "documents_newer"})


class Index(Struct, frozen=True):
    """Read a document. `ocr`: recognize text on pages that are only images, if a recognizer is installed."""

    id: str
    document_id: int
    ocr: bool = False


class Remove(Struct, frozen=True):
    """Delete documents and their sections from the database."""

    id: str
    document_ids: tuple[int, ...]


class Render(Struct, frozen=True):
    """Draw a page of a PDF document, `width_px` wide, and locate `quotes` on it.

    `region`: the part to draw alone, as (left, top, right, bottom) in shares of the page; None: all of it. `reads`:
    whether its words are wanted, for which OCR may take seconds.
    """

    id: str
    document_id: int
    page: int  # from 1
    width_px: int
    quotes: tuple[str, ...] = ()
    region: tuple[float, float, float, float] | None = None
    reads: bool = False


class Draw(Struct, frozen=True):
    """Draw a picture that is no document. `file`: its content in base64."""

    id: str
    file: str
    width_px: int


class Hello(Struct, frozen=True):
    protocol: int
    pid: int

    def __post_init__(self) -> None:
        if self.protocol != PROTOCOL:
            raise ValueError(f"protocol {self.protocol} is not {PROTOCOL}")


class Progress(Struct, frozen=True):
    """The progress of a document. `phase`: reading | indexing. `total` 0: unknown. A silent child counts as stuck."""

    id: str
    phase: str
    done: int
    total: int


class Indexed(Struct, frozen=True):
    """The end of a successful `Index` command, whose results are in the database."""

    id: str
    sections: int


class DocumentRemoved(Struct, frozen=True):
    id: str
    documents: int


class QuotePlace(Struct, frozen=True):
    """A rectangle on a drawn page, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


class Rendered(Struct, frozen=True):
    """The image of a page or region. `rgb`: rows from the top, 3 bytes a pixel, without padding; zlib, then base64.

    `text`: the words in the region, if they are wanted. `recognized`: None, or as `Section.recognized` if OCR has
    read them.
    """

    id: str
    page: int
    pages: int
    width: int
    height: int
    rgb: str
    places: tuple[QuotePlace, ...] = ()  # one rectangle for each line of a quote
    text: str = ""
    recognized: tuple[tuple[str, int], ...] | None = None


class Failed(Struct, frozen=True):
    """An expected error, stored in the row of a document to index. `is_last`: the process ends after it."""

    id: str
    code: str
    facts: dict[str, Any] = {}
    is_last: bool = False


Command = Index | Remove | Render | Draw
Ended = Indexed | DocumentRemoved | Rendered | Failed  # by which a command ends
Event = Hello | Progress | Ended

COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in get_args(Command)}
EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
