"""Pages of documents as pictures, drawn by a reading child of its own: reading a long document never delays them."""

import base64
import binascii
import zlib
from collections import OrderedDict
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.documents.reading.messages import Failed, Indexed, Place, Removed, Rendered
from app.documents.services.reader import Death, Reader

KEPT = 6  # pictures: going back and forth between two sources draws nothing twice
REST_MS = 30_000  # then the child ends: PDFium keeps what it has opened
BYTES_MOST = 64_000_000  # of one picture; the child keeps to 48 million


@dataclass(frozen=True, slots=True)
class Wanted:
    """`quotes`: texts whose places are told with the picture."""

    document_id: int
    page: int  # from 1
    width_px: int
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PagePicture:
    """`rgb`: rows from the top, 3 bytes a pixel, without padding. `places`: in its pixels."""

    wanted: Wanted
    pages: int
    width: int
    height: int
    rgb: bytes
    places: tuple[Place, ...]


class PagePictures(QObject):
    """Only the last `want` is answered, with one of both signals."""

    drawn = Signal(object)  # PagePicture
    failed = Signal(object, object)  # Wanted, AppError

    def __init__(self, reader: Reader, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reader = reader
        self._kept: OrderedDict[Wanted, PagePicture] = OrderedDict()
        self._wanted: Wanted | None = None
        self._under_way: Wanted | None = None
        self._is_closed = False
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(self._end_child)
        reader.ended.connect(self._on_ended)

    def want(self, wanted: Wanted) -> None:
        if self._is_closed:
            return
        self._rest.stop()
        self._wanted = wanted
        if wanted in self._kept:
            self._kept.move_to_end(wanted)
            self._wanted = None
            self.drawn.emit(self._kept[wanted])
        elif self._under_way is None:
            self._begin(wanted)

    def forget(self) -> None:
        """Nobody waits any more, and files may have changed."""
        self._wanted = None
        self._kept.clear()
        self._rest.start()

    def close(self) -> None:
        """Ends the child; no other one is started."""
        self._is_closed = True
        self._end_child()

    # ------------------------------------------------------------------ private

    def _end_child(self) -> None:
        self._rest.stop()
        self._wanted = self._under_way = None
        self._reader.stop()

    def _begin(self, wanted: Wanted) -> None:
        self._under_way = wanted
        self._reader.render(wanted.document_id, wanted.page, wanted.width_px, wanted.quotes)

    def _on_ended(self, outcome: Indexed | Removed | Rendered | Failed | Death) -> None:
        made, self._under_way = self._under_way, None
        if made is None:
            return
        if isinstance(outcome, Rendered):
            picture = _picture(made, outcome)
            if picture is not None:
                self._kept[made] = picture
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        wanted = self._wanted
        if wanted is None:
            return
        if wanted != made:
            self._begin(wanted)
            return
        self._wanted = None
        if made in self._kept:
            self.drawn.emit(self._kept[made])
        else:
            self.failed.emit(made, _why(outcome))


def _picture(wanted: Wanted, event: Rendered) -> PagePicture | None:
    """None for what is no picture: the child that has opened a foreign file is not trusted with our memory."""
    count = 3 * event.width * event.height
    if min(event.width, event.height) < 1 or count > BYTES_MOST:
        return None
    unpacker = zlib.decompressobj()
    try:
        rgb = unpacker.decompress(base64.b64decode(event.rgb, validate=True), count + 1)
    except (zlib.error, binascii.Error, ValueError):
        return None
    return PagePicture(wanted, event.pages, event.width, event.height, rgb, event.places) if len(rgb) == count else None


def _why(outcome: Indexed | Removed | Rendered | Failed | Death) -> AppError:
    if isinstance(outcome, Failed):
        return AppError(outcome.code, **outcome.facts)
    return AppError("source_no_page", page=0)
