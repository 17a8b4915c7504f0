"""Run child processes that speak JSON lines, and report why they ended.

- `ChildProcess`: a child that receives and sends lines until it is stopped.
- `OneShotProcess`: a child that gets one object and answers with one; it is killed when it takes too long.
- `JobProcess`: one job in a child of its own, such as a conversion in the training environment or a quantization.
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
LINE_BYTES_MOST = 32 << 20  # vectors of a whole batch have 1 MB; a compromised child might never end a line
SLICE_S = 0.01  # of reading lines at a time: thousands may wait, and the window must be drawn in between
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class ChildExit:
    """How a child ended. `cause`: stopped (by this program) | finished | killed | crashed | not_started.

    `detail`: the signal's name or the exit code, for the log; `log_tail`: the last lines of its standard error.
    """

    cause: str
    detail: str = ""
    log_tail: str = ""


class ChildProcess(QObject):
    """One child process at a time, which can be started again.

    Its standard error goes to a file. `line_received` emits complete lines of its standard output, all of them before
    `exited`.
    """

    line_received = Signal(bytes)
    exited = Signal(object)  # ChildExit

    def __init__(self, command: list[str], log: Path, parent: QObject | None = None, *, is_apart: bool = False) -> None:
        """Prepare the child. `is_apart`: it gets a session of its own, which Ctrl+C does not reach (not on Windows)."""
        super().__init__(parent)
        self._command = command
        self._is_apart = is_apart
        self._log = log
        self._is_stopping = False
        self._process: QProcess | None = None
        self._exit: ChildExit | None = None  # set when the child has ended and lines of it are still unread
        self._rest = QTimer(self, singleShot=True, interval=0)
        self._rest.timeout.connect(self._on_ready_read)

    @property
    def is_running(self) -> bool:
        """Return whether the child runs or `exited` is still to come."""
        process = self._process
        return process is not None and (self._exit is not None or process.state() != QProcess.ProcessState.NotRunning)

    @property
    def is_stopping(self) -> bool:
        """Return whether the child is being stopped and has not ended yet."""
        return self._is_stopping and self.is_running

    @property
    def pid(self) -> int:
        """Return the process id; 0 while nothing runs."""
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
        """Set the command for the next start."""
        self._command = command

    def send(self, line: bytes) -> None:
        """Write one line to the child. It is lost when the child has ended, which `exited` reports."""
        if self._process is not None and self.is_running:
            self._process.write(line)

    def kill(self) -> None:
        """Kill the child; `exited` reports the cause "killed"."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Close the child's input, which ends it; kill it after a grace period. Block until it has ended."""
        process = self._process
        if process is None or not self.is_running:
            return
        self._is_stopping = True
        process.closeWriteChannel()
        if self._exit is not None:
            self._on_ready_read()
        elif not process.waitForFinished(STOP_GRACE_MS):  # also False where the child could not even start
            process.kill()
            process.waitForFinished(STOP_GRACE_MS)

    def end(self) -> None:
        """Stop the child as `stop` does, without waiting: `exited` reports its end."""
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
        """Keep the log of the previous start, which shows why a restart was needed."""
        try:
            self._log.replace(self._log.with_suffix(".previous.log"))
        except OSError:  # there is no log yet, or a program reads it (Windows): then it is overwritten
            return

    def _on_ready_read(self) -> None:
        """Emit the lines that have arrived; after SLICE_S leave the rest for the next round of the event loop."""
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
    """Wait until a child that was asked to end is gone. `pid` 0: none.

    Call it in a background thread: the event loop must run to notice the end of the child.
    """
    until = time.monotonic() + limit_s
    while pid and psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(_POLL_S)


_SIGKILL = 9  # signal.SIGKILL does not exist on Windows


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(code).name
    except ValueError:
        return f"code {code:#x}"


class OneShotProcess(QObject):
    """A child that answers one request.

    `start` leads to exactly one of `answered` and `ended`, unless it is cancelled.
    """

    answered = Signal(object)  # dict: the child's answer
    ended = Signal(bool)  # no valid answer in time; whether the child could be started

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
        """Kill the child and emit nothing more. `wait_ms`: how long to wait for its end."""
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
            answer = json_lines.decode_object(bytes(self._process.readAllStandardOutput().data()))
        except ValueError:
            self._end(None)
        else:
            self._end(answer)

    def _end(self, answer: object, *, is_started: bool = True) -> None:
        if self._is_over:
            return
        self._is_over = True
        if answer is None:
            self.ended.emit(is_started)
        else:
            self.answered.emit(answer)


JobCommand = Callable[[Path], list[str]]  # the file with the job -> the command


class JobProcess(QObject):
    """One job in a child process. It emits exactly one of `finished`, `failed` and `ended`, unless it is stopped.

    `ended` follows `end`. A partial result is deleted: some are folders of many gigabytes.
    """

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
        self._child = ChildProcess(command, log, self, is_apart=True)  # Ctrl+C would look like a crash of the child
        self._child.line_received.connect(self._on_line)
        self._child.exited.connect(self._on_exited)

    @property
    def pid(self) -> int:
        return self._child.pid

    def start(self) -> None:
        self._child.start()

    def stop(self) -> None:
        """Stop the child, delete its partial result and emit nothing more. Block until it has ended."""
        self._is_stopped, self._is_ending = True, False
        self._child.stop()
        self._delete_partial()

    def end(self) -> None:
        """Stop the job as `stop` does, without waiting: `ended` reports that the child is gone."""
        self._is_stopped = self._is_ending = True
        if self._child.is_running:
            self._child.end()
        else:
            self._delete_partial_then(self._emit_ended)

    def _on_line(self, line: bytes) -> None:
        try:
            event = json_lines.decode(line, convert_job.EVENTS, "event")
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
            self._delete_partial_then(self._emit_ended)
        if self._is_stopped:
            return
        outcome = self._outcome
        if isinstance(outcome, Finished) and how.cause == "finished":
            self.finished.emit(outcome)
            return
        died = AppError("build_died", step=self._step, cause=how.detail or how.cause)
        error = outcome if isinstance(outcome, AppError) else died
        self._delete_partial_then(lambda: None if self._is_stopped else self.failed.emit(error))

    def _delete_partial_then(self, then: Callable[[], None]) -> None:
        background.run(self._delete_partial, lambda _nothing: then(), lambda _error: then())

    def _emit_ended(self) -> None:
        if self._is_ending:
            self.ended.emit()

    def _delete_partial(self) -> None:
        part = part_path(str(self._target))
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            return
        with contextlib.suppress(OSError):  # a virus scanner holds it (Windows): the next build deletes it
            part.unlink(missing_ok=True)


def _as_error(event: Failed) -> AppError:
    """Return the error to show. In a build, an adapter that does not fit needs another next step than in an answer."""
    code = "build_adapter_mismatch" if event.code == "adapter_mismatch" else event.code
    return AppError(code, **event.facts)
