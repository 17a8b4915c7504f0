"""A child process that speaks JSON lines: start, send, receive, and the cause when it ends.

A child process that is sent one object, answers with one, and ends; killed when it takes too long.

One job in a child of its own: a conversion in the training environment, or a quantization; its end named.
"""

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from app.base import json_lines
from app.base.errors import AppError
from app.base.services import background
from trainer import convert_job
from trainer.convert_job import Failed, Finished, Progress, part_path

LOG_TAIL_LINES = 60
STOP_GRACE_MS = 2000
LINE_BYTES_MOST = 32 << 20  # vectors of a whole batch have 1 MB; a child that was taken over might never end a line
SLICE_S = 0.01  # of lines in one go: thousands may be waiting, and the window has to be drawn in between
_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class ChildExit:
    """How a child ended. `cause`: stopped (by us) | finished | killed | crashed | not_started.

    `detail`: the signal's name or the exit code, for the log; `log_tail`: the last lines of its standard error.
    """

    cause: str
    detail: str = ""
    log_tail: str = ""


class ChildProcess(QObject):
    """One child at a time. Its standard error goes to a file; lines of its standard output arrive whole, and all of
    them before `exited`."""

    line_received = Signal(bytes)
    exited = Signal(object)  # Exit

    def __init__(self, command: list[str], log: Path, parent: QObject | None = None, *, is_apart: bool = False) -> None:
        """`is_apart`: Ctrl+C in the terminal reaches us alone, who tell the child in other words (not on Windows)."""
        super().__init__(parent)
        self._command = command
        self._is_apart = is_apart
        self._log = log
        self._is_stopping = False
        self._process: QProcess | None = None
        self._exit: ChildExit | None = None  # it has gone, and lines of it are left
        self._rest = QTimer(self, singleShot=True, interval=0)
        self._rest.timeout.connect(self._on_ready_read)

    @property
    def is_running(self) -> bool:
        """Until `exited`."""
        process = self._process
        return process is not None and (self._exit is not None or process.state() != QProcess.ProcessState.NotRunning)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end, and is still there."""
        return self._is_stopping and self.is_running

    @property
    def pid(self) -> int:
        """0 while nothing runs."""
        return int(self._process.processId()) if self._process else 0

    def start(self) -> None:
        assert not self.is_running
        self._is_stopping = False
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("GGML_NO_BACKTRACE", "1")  # a crash must not start a debugger
        environment.insert("PYTHONUNBUFFERED", "1")
        process.setProcessEnvironment(environment)
        self._keep_old_log()
        process.setStandardErrorFile(str(self._log))
        if self._is_apart and os.name == "posix":
            process.setUnixProcessParameters(QProcess.UnixProcessFlag.CreateNewSession)
        process.readyReadStandardOutput.connect(self._on_ready_read)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        process.start(self._command[0], self._command[1:])

    def use_command(self, command: list[str]) -> None:
        """From the next start on."""
        self._command = command

    def send(self, line: bytes) -> None:
        """Writes one line. Lost without a word when the child is gone: its exit is reported by `exited`."""
        if self._process is not None and self.is_running:
            self._process.write(line)

    def kill(self) -> None:
        """Ends the child now; `exited` tells the cause "killed"."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Closes the child's input, which ends it; kills it after a grace period. Blocks until it is gone."""
        process = self._process
        if process is None or not self.is_running:
            return
        self._is_stopping = True
        process.closeWriteChannel()
        if self._exit is not None:
            self._on_ready_read()
        elif not process.waitForFinished(STOP_GRACE_MS):  # also where it could not even start, which ends it here
            process.kill()
            process.waitForFinished(STOP_GRACE_MS)

    def end(self) -> None:
        """As `stop`, without waiting: `exited` tells that it is gone."""
        process = self._process
        if process is None or not self.is_running or self._is_stopping:
            return
        self._is_stopping = True
        process.closeWriteChannel()
        QTimer.singleShot(STOP_GRACE_MS, process, process.kill)

    def log_tail(self) -> str:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - 16_384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])

    def _keep_old_log(self) -> None:
        """A restart must not wipe what tells why it was needed."""
        try:
            self._log.replace(self._log.with_suffix(".previous.log"))
        except OSError:  # there is none yet, or it is being read (Windows): then it is overwritten
            return

    def _on_ready_read(self) -> None:
        """What has come; where that is much, the rest of it after a round of the event loop."""
        process, until = self._process, time.monotonic() + SLICE_S
        while process is not None and process is self._process and process.canReadLine():
            self.line_received.emit(process.readLine().data())
            if time.monotonic() > until and not self._is_stopping:
                self._rest.start()
                return
        if process is not None and process is self._process and process.bytesAvailable() > LINE_BYTES_MOST:
            process.kill()
        if self._exit is not None and process is self._process:
            self._end(self._exit)

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(ChildExit("not_started", self._command[0]))

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        if self._is_stopping:
            self._exit = ChildExit("stopped")
        elif status == QProcess.ExitStatus.CrashExit:
            self._exit = ChildExit("killed" if code == _SIGKILL else "crashed", _signal_name(code), self.log_tail())
        else:
            self._exit = ChildExit("finished" if code == 0 else "crashed", f"exit code {code}", self.log_tail())
        self._on_ready_read()

    def _end(self, how: ChildExit) -> None:
        self._rest.stop()
        self._exit = None
        if self._process is not None:
            self._process.deleteLater()
            self._process = None
        self.exited.emit(how)


def wait_for_end(pid: int, limit_s: float = 2 * STOP_GRACE_MS / 1000) -> None:
    """Of a child of this program that was told to end; in the background: the event loop takes note of its end. 0: of
    none."""
    until = time.monotonic() + limit_s
    while pid and psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(_LOOK_S)


_SIGKILL = 9  # signal.SIGKILL does not exist on Windows


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(code).name
    except ValueError:
        return f"code {code:#x}"


class OneShotProcess(QObject):
    """After `start` exactly one of `answered` and `ended`, unless it is cancelled."""

    answered = Signal(object)  # what the child has said: a dict
    ended = Signal(bool)  # without an answer in time; whether it could be started at all

    def __init__(self, command: list[str], request: Mapping[str, Any], limit_ms: int, parent: QObject) -> None:
        super().__init__(parent)
        self._command = command
        self._line = json.dumps(request).encode("ascii") + b"\n"
        self._is_over = False
        self._process = QProcess(self)
        self._process.setStandardErrorFile(QProcess.nullDevice())
        self._process.readyReadStandardOutput.connect(self._on_ready_read)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._deadline = QTimer(self, singleShot=True, interval=limit_ms)
        self._deadline.timeout.connect(self._process.kill)

    def start(self) -> None:
        if self._is_over:
            return
        self._process.start(self._command[0], self._command[1:])
        self._process.write(self._line)
        self._process.closeWriteChannel()
        self._deadline.start()

    def cancel(self, wait_ms: int = 0) -> None:
        """Nothing is told any more. `wait_ms`: for its end."""
        self._is_over = True
        self._process.kill()
        if wait_ms:
            self._process.waitForFinished(wait_ms)

    def _on_ready_read(self) -> None:
        if self._process.bytesAvailable() > LINE_BYTES_MOST:
            self._process.kill()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(None, is_started=False)

    def _on_finished(self) -> None:
        self._deadline.stop()
        try:
            told = json_lines.decode_object(bytes(self._process.readAllStandardOutput().data()))
        except ValueError:
            told = None
        self._end(told)

    def _end(self, told: object, *, is_started: bool = True) -> None:
        if self._is_over:
            return
        self._is_over = True
        if told is None:
            self.ended.emit(is_started)
        else:
            self.answered.emit(told)


JobCommand = Callable[[Path], list[str]]  # the file with the job -> what to start


class JobProcess(QObject):
    """Ends with exactly one of `finished`, `failed` and `ended` (by `end`), unless it is stopped. A half-written result
    is deleted: some are folders of many gigabytes."""

    progressed = Signal(object)  # convert_job.Progress
    finished = Signal(object)  # convert_job.Finished
    failed = Signal(object)  # AppError
    ended = Signal()

    def __init__(self, command: list[str], target: Path, log: Path, step: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._target = target
        self._step = step
        self._outcome: Finished | AppError | None = None
        self._is_stopped = self._is_ending = False
        self._child = ChildProcess(command, log, self, is_apart=True)  # Ctrl+C would look like a crash of its own
        self._child.line_received.connect(self._on_line)
        self._child.exited.connect(self._on_exited)

    @property
    def pid(self) -> int:
        return self._child.pid

    def start(self) -> None:
        self._child.start()

    def stop(self) -> None:
        """Ends the child and deletes what it has begun; says nothing more. Blocks until it is gone."""
        self._is_stopped, self._is_ending = True, False
        self._child.stop()
        self._delete_half()

    def end(self) -> None:
        """As `stop`, without waiting: `ended` tells that the child is gone."""
        self._is_stopped = self._is_ending = True
        if self._child.is_running:
            self._child.end()
        else:
            self._delete_half_and(self._tell_end)

    def _on_line(self, line: bytes) -> None:
        try:
            event = convert_job.event_from_json(json_lines.decode_object(line))
        except ValueError:
            self._outcome = AppError("build_died", step=self._step, cause=f"garbled: {line[:80]!r}")
            self._child.kill()
            return
        match event:
            case Progress():
                self.progressed.emit(event)
            case Finished():
                self._outcome = event
            case Failed():
                self._outcome = _as_error(event)

    def _on_exited(self, how: ChildExit) -> None:
        if self._is_ending:
            self._delete_half_and(self._tell_end)
        if self._is_stopped:
            return
        outcome = self._outcome
        if isinstance(outcome, Finished) and how.cause == "finished":
            self.finished.emit(outcome)
            return
        died = AppError("build_died", step=self._step, cause=how.detail or how.cause)
        error = outcome if isinstance(outcome, AppError) else died
        self._delete_half_and(lambda: None if self._is_stopped else self.failed.emit(error))

    def _delete_half_and(self, then: Callable[[], None]) -> None:
        background.run(self._delete_half, lambda _nothing: then(), lambda _error: then())

    def _tell_end(self) -> None:
        if self._is_ending:
            self.ended.emit()

    def _delete_half(self) -> None:
        part = part_path(str(self._target))
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            return
        with contextlib.suppress(OSError):  # a virus scanner holds it (Windows): whoever builds next deletes it
            part.unlink(missing_ok=True)


def _as_error(event: Failed) -> AppError:
    """In a build an adapter that does not fit has another next step than one that is chosen for an answer."""
    code = "build_adapter_mismatch" if event.code == "adapter_mismatch" else event.code
    return AppError(code, **event.facts)
