"""Run child processes that exchange JSON lines with this one, watch them, and report why they ended."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct
from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

LOG_TAIL_LINES = 60
STOP_GRACE_MS = 2000
LINE_BYTES_MOST = 32 << 20  # the vectors of a batch have 1 MB; a compromised child might send a line without end
SLICE_S = 0.01  # how long lines are read before the event loop continues, because thousands may wait
WATCH_LATE_S = 4.0  # a delay of the 1 s timer after which this process counts as suspended
_POLL_S = 0.01
_SIGKILL = 9  # signal.SIGKILL does not exist on Windows


class ChildExit(Struct, frozen=True):
    """The end of a child process.

    `cause`: stopped (this program closed its input) | finished | killed | crashed | not_started; or why this program
    killed it: garbled (it sent an invalid line) | hung (it sent nothing for too long) | the cause given to
    `ChildProcess.kill`.

    `detail`: the name of the signal, the exit code, the missing program, or the start of the invalid line. `log_tail`:
    the last lines of its standard error. `last_event`: its last event; None if there was none or the line was invalid.
    """

    cause: str
    detail: str = ""
    log_tail: str = ""
    last_event: Any = None

    @property
    def reason(self) -> str:
        """Return the detail or the cause, for the text of an error."""
        return self.cause if self.cause == "garbled" else self.detail or self.cause


class ChildProcess(QObject):
    """Runs a child process, one at a time; it can be started again.

    The child's standard error goes to the log. `event_received` emits the event in each line of its standard output,
    all of them before `exited`. An invalid line ends the child.
    """

    event_received = Signal(object)  # what `decode` returns
    checked = Signal()  # each second between `watch` and `unwatch`
    exited = Signal(object)  # ChildExit

    def __init__(
        self,
        command: list[str],
        log: Path | None,
        decode: Callable[[bytes], Any],
        parent: QObject | None = None,
        *,
        is_apart: bool = False,
        silence_limit_s: float = 0.0,
    ) -> None:
        """Prepare the child without starting it.

        `log`: the file for its standard error; None: none. `decode`: returns the event in a line, and raises ValueError
        if the line is invalid. `is_apart`: the child gets a session of its own, so that Ctrl+C does not reach it (not
        on Windows). `silence_limit_s`: the child is killed if it sends nothing for so long; 0: never.
        """
        super().__init__(parent)
        self._command = command
        self._is_apart = is_apart
        self._log = log
        self._decode = decode
        self._is_stopping = False
        self._fault = self._fault_detail = ""  # the cause and detail of `kill`
        self._last_event: Any = None
        self._process: QProcess | None = None
        self._end_cause: tuple[str, str] | None = None  # cause and detail of the end, while lines are still unread
        self._rest = QTimer(self, singleShot=True, interval=0)
        self._rest.timeout.connect(self._on_ready_read)
        self._deadline = QTimer(self, singleShot=True)
        self._deadline.timeout.connect(self.kill)
        self._silence_limit_s = silence_limit_s
        self._heard_at = self._checked_at = 0.0
        self.watched_since = 0.0  # the call of `watch`, or the end of the last suspension
        self._watch = QTimer(self, interval=1000)
        self._watch.timeout.connect(self._check_life)

    @property
    def is_running(self) -> bool:
        """Return whether the child runs, or has ended but `exited` was not emitted yet."""
        process = self._process
        return process is not None and (
            self._end_cause is not None or process.state() != QProcess.ProcessState.NotRunning
        )

    @property
    def is_stopping(self) -> bool:
        """Return whether the child is being stopped and has not ended yet."""
        return self._is_stopping and self.is_running

    @property
    def pid(self) -> int:
        """Return the process id; 0 while no child runs."""
        return int(self._process.processId()) if self._process else 0

    def start(self) -> None:
        """Start the child, which must not be running. The log of the previous start is kept."""
        assert not self.is_running
        self._is_stopping = False
        self._fault = self._fault_detail = ""
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("GGML_NO_BACKTRACE", "1")  # a crash must not start a debugger
        environment.insert("PYTHONUNBUFFERED", "1")
        environment.insert("RUST_BACKTRACE", "0")  # its 60 lines would hide the reason in the log
        process.setProcessEnvironment(environment)
        self._keep_old_log()
        process.setStandardErrorFile(str(self._log) if self._log else QProcess.nullDevice())
        if self._is_apart and os.name == "posix":
            process.setUnixProcessParameters(QProcess.UnixProcessFlag.CreateNewSession)
        process.readyReadStandardOutput.connect(self._on_ready_read)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        process.start(self._command[0], self._command[1:])
        if self._silence_limit_s and self.is_running:
            self.watch()

    def ask(self, request: bytes, limit_s: float) -> None:
        """Start the child, send one line, close its input, kill it after `limit_s`; the answer is the `last_event`."""
        self.start()
        self.send(request)
        if self._process is not None:
            self._process.closeWriteChannel()
        self.limit(limit_s)

    def use_command(self, command: list[str]) -> None:
        """Set the command for the next start."""
        self._command = command

    def send(self, line: bytes) -> None:
        """Write one line, including its line end, to the child; do nothing if the child has ended."""
        if self._process is not None and self.is_running:
            self._process.write(line)

    def limit(self, limit_s: float) -> None:
        """Kill the child if it has not ended `limit_s` from now."""
        if self.is_running:
            self._deadline.start(int(limit_s * 1000))

    def watch(self) -> None:
        """From now on, kill the child if it sends nothing for `silence_limit_s`; until `unwatch` or its end."""
        self._heard_at = self._checked_at = self.watched_since = time.monotonic()
        self._watch.start()

    def unwatch(self) -> None:
        """Let the child be silent for as long as it likes, until `watch`."""
        self._watch.stop()

    def kill(self, cause: str = "", detail: str = "") -> None:
        """Kill the child. `exited` reports the cause of the first call; "killed" if that is ""."""
        if self._process is not None:
            if not self._fault:
                self._fault, self._fault_detail = cause, detail
            self._process.kill()

    def stop(self) -> None:
        """Close the child's input, at which it ends, and kill it after STOP_GRACE_MS. Block until it has ended."""
        process = self._process
        if process is None or not self.is_running:
            return
        self._is_stopping = True
        process.closeWriteChannel()
        if self._end_cause is not None:
            self._on_ready_read()
        elif not process.waitForFinished(STOP_GRACE_MS):  # also False where the child could not even start
            process.kill()
            process.waitForFinished(STOP_GRACE_MS)

    def end(self) -> None:
        """Stop the child as `stop` does, but return at once; `exited` is emitted later."""
        process = self._process
        if process is None or not self.is_running or self._is_stopping:
            return
        self._is_stopping = True
        process.closeWriteChannel()
        QTimer.singleShot(STOP_GRACE_MS, process, process.kill)

    def _log_tail(self) -> str:
        if self._log is None:
            return ""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - 16_384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])

    def _keep_old_log(self) -> None:
        """Rename the log of the previous start, which may show why a restart was needed."""
        if self._log is not None:
            with contextlib.suppress(OSError):  # none yet, or open in another program (Windows): it is overwritten
                self._log.replace(self._log.with_suffix(".previous.log"))

    def _on_ready_read(self) -> None:
        """Process the lines that have arrived; after SLICE_S leave the rest to the next round of the event loop."""
        process, until = self._process, time.monotonic() + SLICE_S
        while process is not None and process is self._process and process.canReadLine():
            self._take(bytes(process.readLine().data()))
            if time.monotonic() > until and not self._is_stopping:
                self._rest.start()
                return
        if process is not None and process is self._process and process.bytesAvailable() > LINE_BYTES_MOST:
            self.kill("garbled", "a line without an end")
        if self._end_cause is not None and process is self._process:
            self._report_end(*self._end_cause)

    def _take(self, line: bytes) -> None:
        self._heard_at = time.monotonic()
        try:
            self._last_event = self._decode(line)
        except ValueError:
            self._last_event = None
            self.kill("garbled", repr(line[:80]))
        else:
            self.event_received.emit(self._last_event)

    def _check_life(self) -> None:
        now = time.monotonic()
        if now - self._checked_at > WATCH_LATE_S:  # this process was suspended, so the silence is not the child's fault
            self._heard_at = self.watched_since = now
        self._checked_at = now
        if now - self._heard_at > self._silence_limit_s:
            self.kill("hung")
        self.checked.emit()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._report_end("not_started", self._command[0])

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        if status == QProcess.ExitStatus.CrashExit:
            self._end_cause = ("killed" if code == _SIGKILL else "crashed", _signal_name(code))
        else:
            self._end_cause = ("finished" if code == 0 else "crashed", f"exit code {code}")
        self._on_ready_read()

    def _report_end(self, cause: str, detail: str) -> None:
        for timer in (self._rest, self._deadline, self._watch):
            timer.stop()
        last_event, self._last_event, self._end_cause = self._last_event, None, None
        if self._process is not None:
            self._process.deleteLater()
            self._process = None
        if self._is_stopping:
            cause, detail = "stopped", ""
        elif self._fault:
            cause, detail = self._fault, self._fault_detail
        self.exited.emit(ChildExit(cause, detail, self._log_tail(), last_event))


def wait_for_end(pid: int, limit_s: float = 2 * STOP_GRACE_MS / 1000) -> None:
    """Wait at most `limit_s` for the end of a child (`pid` 0: none), in a thread, as the event loop must run."""
    import psutil  # here, because its import takes 6 ms, and a question without a model needs none of it

    until = time.monotonic() + limit_s
    while pid and psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(_POLL_S)


def _signal_name(code: int) -> str:
    try:
        return signal.Signals(code).name
    except ValueError:
        return f"code {code:#x}"
