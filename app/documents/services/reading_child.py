"""Supervise the reading child: run its commands in order, with limits on silence and memory.

A second one renders images of pages, which reading a long document never delays.
"""

import base64
import binascii
import dataclasses
import functools
import itertools
import zlib
from collections import OrderedDict, deque
from dataclasses import dataclass
from pathlib import Path

import psutil
from PySide6.QtCore import QObject, QTimer, Signal

from app.base import json_lines
from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.documents.reading import limits, messages
from app.documents.reading.messages import Ended, Failed, Rendered


class ReadingChild(QObject):
    """A child process for reading, which runs its commands in the order in which it gets them.

    Signals are about the first command that has not ended. Each command ends with exactly one signal `ended`, unless
    `stop` is called or the child ends before it begins the command. An unexpected exit is reported for the first one.
    """

    progressed = Signal(object)  # Progress
    ended = Signal(object)  # Ended | ChildExit, also with the cause "memory"

    def __init__(
        self,
        command: list[str],
        log: Path,
        parent: QObject | None = None,
        *,
        silence_limit_s: float = messages.SILENCE_S,
        memory_limit_bytes: int = limits.MEMORY_BYTES,
    ) -> None:
        super().__init__(parent)
        decode = functools.partial(json_lines.decode, kinds=messages.EVENTS)
        self._child = ChildProcess(command, log, decode, self, silence_limit_s=silence_limit_s)
        self._child.event_received.connect(self._on_event)
        self._child.checked.connect(self._check_usage)
        self._child.exited.connect(self._on_exited)
        self._memory_limit_bytes = memory_limit_bytes  # some systems do not enforce the child's own limit
        self._was_heard = True  # since the last check
        self._heard_at_s = 0.0  # the child's processor time when it was last heard
        self._ids = itertools.count(1)
        self._command_ids: deque[str] = deque()  # of the commands that have not ended

    @property
    def is_working(self) -> bool:
        return bool(self._command_ids)

    @property
    def pid(self) -> int:
        """Return the process id; 0 while there is no child."""
        return self._child.pid

    def index(self, document_id: int, *, ocr: bool = False) -> None:
        self._send(messages.Index(self._new_id(), document_id, ocr))

    def remove(self, document_ids: list[int]) -> None:
        self._send(messages.Remove(self._new_id(), tuple(document_ids)))

    def render(self, request: "PageRequest") -> None:
        self._send(messages.Render(self._new_id(), **dataclasses.asdict(request)))

    def draw(self, file: str, width_px: int) -> None:
        """Draw a picture that is no document. `file`: its content in base64."""
        self._send(messages.Draw(self._new_id(), file, width_px))

    def stop(self) -> None:
        """End the child at any point without emitting `ended`. Blocks until it has ended."""
        self._command_ids.clear()
        self._child.stop()

    # ------------------------------------------------------------------ private

    def _new_id(self) -> str:
        return str(next(self._ids))

    def _send(self, command: messages.Command) -> None:
        if not self._child.is_running:
            self._child.start()
        elif not self.is_working:
            self._child.watch()
        self._command_ids.append(command.id)
        self._was_heard = True
        self._child.send(json_lines.encode_line(command))

    def _on_event(self, event: messages.Event) -> None:
        self._was_heard = True
        if isinstance(event, messages.Hello) or not self._command_ids or event.id != self._command_ids[0]:
            return
        if isinstance(event, messages.Progress):
            self.progressed.emit(event)
            return
        self._command_ids.popleft()
        if isinstance(event, Failed) and event.is_last:
            self.stop()  # otherwise its exit would be taken for that of the next command
        elif not self._command_ids:
            self._child.unwatch()
        self.ended.emit(event)

    def _check_usage(self) -> None:
        """End a child that uses too much memory, or computes in silence, as native code keeps its own watch from
        running."""
        resident_bytes, used_s = _usage(self._child.pid)
        if self._was_heard:
            self._was_heard, self._heard_at_s = False, used_s
        if resident_bytes > self._memory_limit_bytes:
            self._child.kill("memory")
        elif used_s - self._heard_at_s > messages.SILENT_PROCESSOR_S:
            self._child.kill("hung")

    def _on_exited(self, child_exit: ChildExit) -> None:
        if child_exit.cause != "stopped" and self.is_working:
            self._command_ids.clear()
            self.ended.emit(child_exit)


def _usage(pid: int) -> tuple[int, float]:
    """Return the resident bytes of a process and its helpers, and its processor seconds; 0 if it has just ended."""
    if pid == 0:
        return 0, 0.0
    try:
        process = psutil.Process(pid)
        resident_bytes = sum(int(one.memory_info().rss) for one in (process, *process.children()))
        return resident_bytes, limits.processor_seconds(process)
    except psutil.Error:
        return 0, 0.0


PICTURES_KEPT = 6  # images kept, so that switching between sources draws no page twice
PICTURES_REST_MS = 30_000  # idle milliseconds before the child ends, as PDFium keeps opened files
PICTURE_BYTES_MAX = 64_000_000  # bytes of one image; the child limits itself to 48 million


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for the image of a page. `quotes`: texts to locate on the page. `region`, `reads`: as in
    `messages.Render`."""

    document_id: int
    page: int  # from 1
    width_px: int
    quotes: tuple[str, ...] = ()
    region: tuple[float, float, float, float] | None = None
    reads: bool = False


@dataclass(frozen=True, slots=True)
class PagePicture:
    """The image of a page: `rgb` rows from the top, 3 bytes a pixel; `places`: of the quotes, in pixels.

    `text`, `recognized`: as in `messages.Rendered`.
    """

    request: PageRequest
    pages: int
    width: int
    height: int
    rgb: bytes
    places: tuple[messages.QuotePlace, ...]
    text: str = ""
    recognized: tuple[tuple[str, int], ...] | None = None


class PagePictures(QObject):
    """A provider of page images. Only the last `request` is answered, with the signal `drawn` or `failed`."""

    drawn = Signal(object)  # PagePicture
    failed = Signal(object, object)  # PageRequest, AppError

    def __init__(self, reader: ReadingChild, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reader = reader
        self._cache: OrderedDict[PageRequest, PagePicture] = OrderedDict()
        self._pending: PageRequest | None = None
        self._drawing: PageRequest | None = None
        self._is_closed = False
        self._idle_timer = QTimer(self, interval=PICTURES_REST_MS, singleShot=True)
        self._idle_timer.timeout.connect(self._end_child)
        reader.ended.connect(self._on_ended)

    def request(self, request: PageRequest) -> None:
        """Request an image, which replaces a pending request."""
        if self._is_closed:
            return
        self._idle_timer.stop()
        self._pending = request
        if request in self._cache:
            self._cache.move_to_end(request)
            self._pending = None
            self.drawn.emit(self._cache[request])
        elif self._drawing is None:
            self._begin(request)

    def forget(self) -> None:
        """Drop the pending request and the stored images, because files may change."""
        self._pending = None
        self._cache.clear()
        self._idle_timer.start()

    def close(self) -> None:
        """End the child; no other one is started."""
        self._is_closed = True
        self._end_child()

    # ------------------------------------------------------------------ private

    def _end_child(self) -> None:
        self._idle_timer.stop()
        self._pending = self._drawing = None
        self._reader.stop()

    def _begin(self, request: PageRequest) -> None:
        self._drawing = request
        self._reader.render(request)

    def _on_ended(self, outcome: Ended | ChildExit) -> None:
        drawn, self._drawing = self._drawing, None
        if drawn is None:
            return
        if isinstance(outcome, Rendered):
            picture = _picture(drawn, outcome)
            if picture is not None:
                self._cache[drawn] = picture
                while len(self._cache) > PICTURES_KEPT:
                    self._cache.popitem(last=False)
        wanted = self._pending
        if wanted is None:
            return
        if wanted != drawn:
            self._begin(wanted)
            return
        self._pending = None
        if drawn in self._cache:
            self.drawn.emit(self._cache[drawn])
        else:
            self.failed.emit(drawn, _why(outcome))


def _picture(request: PageRequest, event: Rendered) -> PagePicture | None:
    """Return the image; None for invalid data, as the child has opened a foreign file."""
    count = 3 * event.width * event.height
    if min(event.width, event.height) < 1 or count > PICTURE_BYTES_MAX:
        return None
    unpacker = zlib.decompressobj()
    try:
        rgb = unpacker.decompress(base64.b64decode(event.rgb, validate=True), count + 1)
    except (zlib.error, binascii.Error, ValueError):
        return None
    if len(rgb) != count:
        return None
    return PagePicture(request, event.pages, event.width, event.height, rgb, event.places, event.text, event.recognized)


def _why(outcome: Ended | ChildExit) -> AppError:
    """Return the error for a command that ended without an image."""
    if isinstance(outcome, Failed):
        return AppError(outcome.code, **outcome.facts)
    return AppError("source_no_page", page=0)
