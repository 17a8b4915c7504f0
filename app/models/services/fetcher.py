"""Supervise the downloading child, which fetches one model at a time and is restarted once if it dies."""

import dataclasses
import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base import json_lines
from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.models import download_queue
from app.models.download_queue import QueuedDownload, QueuedFile
from app.models.downloads import messages
from app.models.downloads.messages import (
    Done,
    Failed,
    Fetch,
    FetchPaused,
    FileOrigin,
    FilesListed,
    Heartbeat,
    Hello,
    ListFiles,
    NetworkAccess,
    NetworkContacted,
    Pause,
    Progress,
    Repairing,
    Restarted,
    SetLimit,
    Verifying,
    WaitingToRetry,
)

SILENCE_LIMIT_S = 30.0  # the child sends a heartbeat each second; a swapping machine can lose many


def downloading_child(
    command: list[str], log: Path, parent: QObject | None = None, silence_limit_s: float = SILENCE_LIMIT_S
) -> ChildProcess:
    """Return the downloading child, which is not started yet. Its events are those of `messages`."""
    decode = functools.partial(json_lines.decode, kinds=messages.EVENTS)
    return ChildProcess(command, log, decode, parent, silence_limit_s=silence_limit_s)


@dataclass(frozen=True, slots=True)
class FetchStep:
    """Reports the progress of the current file.

    `phase`: running | verifying | repairing. `trouble`: AppError code of the failure that is being retried; "" for
    none.
    """

    phase: str = "running"
    done_bytes: int = 0  # of this file
    bytes_per_s: float = 0.0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class FetchResult:
    """Reports the end of a fetch. `kind`: done (all files are complete) | paused | failed."""

    kind: str
    problem: AppError | None = None


class Fetcher(QObject):
    """Fetches the files of one download at a time. Each `fetch` ends with exactly one `ended`."""

    stepped = Signal(object)  # FetchStep
    learned = Signal(object)  # QueuedDownload with new sizes and checksums or a newly complete file
    ended = Signal(object)  # FetchResult
    contacted = Signal(str)  # host

    def __init__(
        self,
        command: list[str],
        log: Path,
        parent: QObject | None = None,
        *,
        silence_limit_s: float = SILENCE_LIMIT_S,
    ) -> None:
        super().__init__(parent)
        self._child = downloading_child(command, log, self, silence_limit_s)
        self._child.event_received.connect(self._on_event)
        self._child.exited.connect(self._on_exited)
        self._ids = itertools.count(1)
        self._job: QueuedDownload | None = None
        self._source = ""
        self._folder = Path()
        self._access = NetworkAccess()
        self._limit = 0
        self._command_id = ""
        self._is_pausing = False
        self._may_restart = True
        self._step = FetchStep()

    @property
    def job(self) -> QueuedDownload | None:
        """Return the download that is being fetched; None if there is none."""
        return self._job

    @property
    def pid(self) -> int:
        """Return the process id of the child; 0 while there is none."""
        return self._child.pid

    def fetch(self, queued: QueuedDownload, source: str, folder: Path, access: NetworkAccess, bytes_per_s: int) -> None:
        """Fetch a download into `folder`, starting the child if necessary.

        `source`: the hub's address or the source.
        """
        assert self._job is None
        self._job, self._source, self._folder, self._access, self._limit = queued, source, folder, access, bytes_per_s
        self._is_pausing, self._may_restart = False, True
        self._send_next()

    def pause(self) -> None:
        """Pause the download and keep the received bytes. A listing of the repository is aborted."""
        if self._job is None:
            return
        self._is_pausing = True
        if self._job.needs_listing:
            self.abort(FetchResult("paused"))
        else:
            self._child.send(json_lines.encode_line(Pause(self._command_id)))

    def abort(self, result: FetchResult) -> None:
        """Stop the child and emit `ended` with this result."""
        self._command_id = ""  # ignore its late events
        self._child.stop()
        self._end_job(result)

    def limit(self, bytes_per_s: int) -> None:
        self._limit = bytes_per_s
        if self._job is not None:
            self._child.send(json_lines.encode_line(SetLimit(self._command_id, bytes_per_s)))

    def stop_idle_child(self) -> None:
        """Stop an idle child, so that no process exists that could use the network."""
        if self._job is None:
            self._child.stop()

    # ------------------------------------------------------------------ private

    def _send_next(self) -> None:
        """Send the next command of the job, or end it if no file is missing."""
        job = self._job
        assert job is not None
        file = next((file for file in job.files if not file.has_arrived), None)
        if file is None:
            self._end_job(FetchResult("done"))
            return
        if not self._child.is_running:
            self._child.start()
            if self._job is None:  # the child could not be started, and `ended` has reported that
                return
        self._command_id = str(next(self._ids))
        self._step = FetchStep()
        revision = job.revision or "main"
        if job.needs_listing:
            command: messages.Command = ListFiles(
                self._command_id, self._source, job.repository, revision, self._access
            )
        else:
            command = self._fetch_command(job, file, revision)
        self._child.send(json_lines.encode_line(command))

    def _fetch_command(self, job: QueuedDownload, file: QueuedFile, revision: str) -> Fetch:
        return Fetch(
            self._command_id,
            _origin(job, file, self._source, revision),
            str(self._folder),
            file.name,
            file.size_bytes,
            file.sha256,
            job.card_id,
            self._limit,
            self._access,
        )

    def _on_event(self, event: messages.Event) -> None:
        if isinstance(event, NetworkContacted):
            self.contacted.emit(event.host)
        elif not isinstance(event, Hello | Heartbeat) and self._job is not None and event.id == self._command_id:
            self._handle(event, self._job)

    def _handle(self, event: messages.Event, job: QueuedDownload) -> None:
        match event:
            case FilesListed():
                self._on_listed(event, job)
            case Done():
                self._on_done(event, job)
            case Failed():
                rest = download_queue.without_listing(job) if event.code in download_queue.NOT_THERE else None
                if rest is None:
                    self._end_job(FetchResult("failed", AppError(event.code, **event.facts)))
                else:
                    self._go_on(rest)
            case FetchPaused():
                self._end_job(FetchResult("paused"))
            case Progress():
                trouble = self._step.trouble if event.done_bytes <= self._step.done_bytes else ""
                phase = self._step.phase if self._step.phase == "repairing" else "running"
                self._set_step(FetchStep(phase, event.done_bytes, event.bytes_per_s, trouble))
            case WaitingToRetry():
                self._set_step(dataclasses.replace(self._step, trouble=f"download_{event.reason}", bytes_per_s=0.0))
            case Verifying():
                self._set_step(FetchStep("verifying", self._step.done_bytes))
            case Repairing():
                self._set_step(FetchStep("repairing"))
            case Restarted():
                self._set_step(FetchStep())

    def _set_step(self, step: FetchStep) -> None:
        self._step = step
        self.stepped.emit(step)

    def _on_listed(self, event: FilesListed, job: QueuedDownload) -> None:
        listed = {file.name: (file.size_bytes, file.sha256) for file in event.files}
        try:
            self._go_on(download_queue.with_listing(job, event.commit, listed))
        except AppError as error:
            self._end_job(FetchResult("failed", error))

    def _go_on(self, job: QueuedDownload) -> None:
        self._job = job
        self.learned.emit(job)
        self._send_next_unless_ended()

    def _on_done(self, event: Done, job: QueuedDownload) -> None:
        self._may_restart = True
        arrived = next(file for file in job.files if not file.has_arrived)
        files = tuple(
            dataclasses.replace(
                file, size_bytes=event.size_bytes, sha256=event.sha256, has_arrived=True, was_here=event.was_here
            )
            if file is arrived
            else file
            for file in job.files
        )
        self._job = dataclasses.replace(job, files=files)
        self.learned.emit(self._job)
        if self._is_pausing and not all(file.has_arrived for file in files):
            self._end_job(FetchResult("paused"))
        else:
            self._send_next_unless_ended()

    def _send_next_unless_ended(self) -> None:
        """Send the next command unless a slot of `learned` has ended the job."""
        if self._job is not None:
            self._send_next()

    def _on_exited(self, child_exit: ChildExit) -> None:
        if child_exit.cause == "stopped" or self._job is None:
            return
        if self._may_restart and child_exit.cause != "not_started" and not self._is_pausing:
            self._may_restart = False
            self._send_next()
        elif self._is_pausing:
            self._end_job(FetchResult("paused"))
        else:
            self._end_job(FetchResult("failed", AppError("download_crashed", detail=child_exit.reason)))

    def _end_job(self, result: FetchResult) -> None:
        if self._job is not None:
            self._job, self._command_id = None, ""
            self.ended.emit(result)


def _origin(job: QueuedDownload, file: QueuedFile, source: str, revision: str) -> FileOrigin:
    match download_queue.source_kind(job.place):
        case "hub":
            return FileOrigin(source, job.repository, revision, file.source)
        case "file":
            return FileOrigin(file.source)
        case "local_file":
            return FileOrigin(str(Path(source).parent), file=file.source)
        case _:
            return FileOrigin(source, file=file.source)
