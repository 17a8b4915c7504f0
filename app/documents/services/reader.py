"""The reading child, supervised: one command at a time, watched for silence and for memory, ended when it rests."""

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from PySide6.QtCore import QObject, QTimer, Signal

from app.base import json_lines
from app.base.services.child_process import ChildExit, ChildProcess
from app.documents.reading import limits, messages
from app.documents.reading.messages import Failed, Hello, Index, Indexed, Progress, Remove, Removed, Render, Rendered

WATCH_LATE_S = 4.0  # the watch looks every second


@dataclass(frozen=True, slots=True)
class Death:
    """The child has ended amid a command. `cause`: crashed | hung | memory | not_started; `detail` for the log."""

    cause: str
    detail: str = ""


class Reader(QObject):
    """Each command ends with exactly one `ended`, unless `stop` is called. Commands are not queued here."""

    progressed = Signal(object)  # messages.Progress
    ended = Signal(object)  # Indexed | Removed | Rendered | Failed | Death

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
        self._child = ChildProcess(command, log, self)
        self._child.line_received.connect(self._on_line)
        self._child.exited.connect(self._on_exited)
        self._silence_limit_s = silence_limit_s
        self._memory_limit_bytes = memory_limit_bytes  # where the system does not enforce the child's own
        self._ids = itertools.count(1)
        self._command_id = ""  # "": nothing is being done
        self._verdict = ""  # why we killed the child ourselves
        self._heard_at = self._checked_at = time.monotonic()
        self._watch = QTimer(self, interval=1000)
        self._watch.timeout.connect(self._check_life)

    @property
    def is_working(self) -> bool:
        return self._command_id != ""

    @property
    def pid(self) -> int:
        """0 while there is no child."""
        return self._child.pid

    def index(self, document_id: int, *, ocr: bool = False) -> None:
        self._send(Index(self._new_id(), document_id, ocr))

    def remove(self, document_ids: list[int]) -> None:
        self._send(Remove(self._new_id(), tuple(document_ids)))

    def render(self, document_id: int, page: int, width_px: int, quotes: tuple[str, ...]) -> None:
        self._send(Render(self._new_id(), document_id, page, width_px, quotes))

    def stop(self) -> None:
        """Ends the child, whatever it does, and says nothing of it. Blocks for a moment."""
        self._command_id = ""
        self._watch.stop()
        self._child.stop()

    # ------------------------------------------------------------------ private

    def _new_id(self) -> str:
        return str(next(self._ids))

    def _send(self, command: messages.Command) -> None:
        assert not self.is_working
        self._command_id = command.id
        self._heard_at = self._checked_at = time.monotonic()
        if not self._child.is_running:
            self._verdict = ""
            self._child.start()
        self._watch.start()
        self._child.send(messages.to_line(command))

    def _on_line(self, line: bytes) -> None:
        self._heard_at = time.monotonic()
        try:
            event = messages.event_from_json(json_lines.decode_object(line))
        except ValueError:
            self._kill("crashed")
            return
        if isinstance(event, Hello):
            if event.protocol != messages.PROTOCOL:
                self._kill("crashed")
        elif event.id == self._command_id:
            self._take(event)

    def _take(self, event: messages.Event) -> None:
        match event:
            case Progress():
                self.progressed.emit(event)
            case Indexed() | Removed() | Rendered() | Failed():
                self._end(event)

    def _check_life(self) -> None:
        now = time.monotonic()
        if now - self._checked_at > WATCH_LATE_S:  # it is us who slept: a suspended machine, a stopped process
            self._heard_at = now
        self._checked_at = now
        if not self._child.is_running or not self.is_working:
            return
        if now - self._heard_at > self._silence_limit_s:
            self._kill("hung")
        elif _resident_bytes(self._child.pid) > self._memory_limit_bytes:
            self._kill("memory")

    def _kill(self, verdict: str) -> None:
        self._verdict = self._verdict or verdict
        self._child.kill()

    def _on_exited(self, how: ChildExit) -> None:
        if how.cause != "stopped" and self.is_working:
            cause = "not_started" if how.cause == "not_started" else self._verdict or "crashed"
            self._end(Death(cause, how.detail))

    def _end(self, outcome: Indexed | Removed | Rendered | Failed | Death) -> None:
        self._command_id = ""
        self._watch.stop()
        self.ended.emit(outcome)


def _resident_bytes(pid: int) -> int:
    """0 where it cannot be told: the process has just ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    except psutil.Error:
        return 0
