"""What goes over the wire between the window and the reading child, as frozen dataclasses; one JSON object a line.

Each command ends with exactly one `Indexed`, `DocumentRemoved`, `Rendered` or `Failed`, or with the exit of the
process. There is no command to cancel: the process is killed, and a document is in the database whole or as it was
before.
"""

from dataclasses import dataclass, field
from typing import Any, get_args

from app.base import json_lines

PROTOCOL = 1
# A child that is alive says something at least so often while it reads; a page may take 60 s
# (app.documents.reading.limits), and writing the index of the longest document another 60.
SILENCE_S = 150.0


@dataclass(frozen=True, slots=True)
class Index:
    """Reads the document of that id. `ocr`: recognizes the letters of pages that are only pictures, if Tesseract is
    installed."""

    id: str
    document_id: int
    ocr: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Takes documents out of the database, with their sections."""

    id: str
    document_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Render:
    """Draws a page of a PDF document, `width_px` wide, and tells where these texts stand on it."""

    id: str
    document_id: int
    page: int  # from 1
    width_px: int
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hello:
    protocol: int
    pid: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign of life. `total` 0: not known. `phase`: reading | indexing."""

    id: str
    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Indexed:
    """All else is in the database."""

    id: str
    sections: int


@dataclass(frozen=True, slots=True)
class DocumentRemoved:
    id: str
    documents: int


@dataclass(frozen=True, slots=True)
class QuotePlace:
    """A rectangle on a drawn page, in its pixels."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Rendered:
    """`rgb`: rows from the top, 3 bytes a pixel, without padding; deflated (zlib), then base64."""

    id: str
    page: int
    pages: int
    width: int
    height: int
    rgb: str
    places: tuple[QuotePlace, ...] = ()  # a line of letters each


@dataclass(frozen=True, slots=True)
class Failed:
    """An expected error; that of an `Index` is said by the document's row too."""

    id: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)


Command = Index | Remove | Render
Event = Hello | Progress | Indexed | DocumentRemoved | Rendered | Failed

_COMMANDS = {kind.__name__: kind for kind in get_args(Command)}
_EVENTS = {kind.__name__: kind for kind in get_args(Event)}


def to_line(message: Command | Event) -> bytes:
    return json_lines.encode_line(message)


def command_from_json(data: dict[str, Any]) -> Command:
    """Raises ValueError for anything that is not a command of this protocol."""
    command: Command = json_lines.decode_message(data, _COMMANDS)
    return command


def event_from_json(data: dict[str, Any]) -> Event:
    """Raises ValueError for anything that is not an event of this protocol."""
    event: Event = json_lines.decode_message(data, _EVENTS)
    return event
