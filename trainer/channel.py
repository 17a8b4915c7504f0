"""Connect a run with its parent process: send and store events, receive commands and signals."""

import contextlib
import errno
import json
import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

from trainer.events import COMMANDS, Event, RunError, to_json
from trainer.wire import EventWriter

EVENTS_FILE = "events.jsonl"


class TrainerJournal:
    """Sends a run's events to the parent process and stores them in the run's folder.

    In a distributed run only the first process has a writer; the journals of the others drop every event.
    """

    def __init__(self, writer: EventWriter | None) -> None:
        self._writer = writer
        self._file: Path | None = None

    def keep_in(self, folder: Path) -> None:
        """Store all later events in the folder's file too; first cut off a last line that a kill left incomplete."""
        if self._writer is None:
            return
        file = folder / EVENTS_FILE
        if file.is_file():
            end = file.read_bytes().rfind(b"\n") + 1
            os.truncate(file, end)  # in place: a full disk has no space for a copy
        self._file = file

    def send(self, event: Event) -> None:
        """Send an event to the parent and store it, with the time in seconds since 1970 as "at".

        Raises RunError("disk_full") at the first event that cannot be stored; later events are only sent.
        """
        if self._writer is None:
            return
        told = {**to_json(event), "at": round(time.time(), 3)}
        line = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        with contextlib.suppress(BrokenPipeError):  # the parent is gone; a later one reads the file
            self._writer.write(line)
        file = self._file
        if file is None:
            return
        try:
            with file.open("ab") as stream:
                stream.write(line)
        except OSError as error:
            self._file = None
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise RunError("disk_full", path=str(file.parent), needed_bytes=len(line)) from error


class StopRequested(Exception):  # noqa: N818  no error
    """Raised when a pause or a cancel arrives during work that a resumed run can repeat."""


class RunControl:
    """The command that the run has received.

    `requested_command`: one of COMMANDS, or None. The loop reads it after each step; only "cancel" replaces an earlier
    command.
    """

    def __init__(self) -> None:
        self.requested_command: str | None = None
        self._is_alone = os.environ.get("WORLD_SIZE", "1") == "1"

    @property
    def is_over(self) -> bool:
        """Return whether the run must end now.

        A distributed run ends only after a step, when all processes know of the command.
        """
        return self._is_alone and self.requested_command in ("pause", "cancel")

    def check(self) -> None:
        """Raise StopRequested if the run must end now."""
        if self.is_over:
            raise StopRequested(self.requested_command)

    def ask(self, command: str) -> None:
        """Accept a command. Raises ValueError for an unknown one."""
        if command not in COMMANDS:
            raise ValueError(command)
        if self.requested_command is None or command == "cancel":
            self.requested_command = command

    def listen_to_signals(self) -> None:
        """Treat Ctrl+C, a cluster's signal and a closing terminal as a pause: the run saves its state and ends.

        A SIGHUP that nohup made the process ignore stays ignored.
        """
        names = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def listen_to_input(self) -> None:
        """Read commands from standard input, one JSON object per line.

        When the input ends, the parent is gone, and the run pauses.
        """
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask("pause")

    def _read(self) -> None:
        """Read standard input with os.read: a thread in the buffered sys.stdin would keep Python from ending."""
        pending = b""
        while block := os.read(0, 1 << 16):
            *lines, pending = (pending + block).split(b"\n")
            for line in lines:
                self._obey(line)
        self.ask("pause")

    def _obey(self, line: bytes) -> None:
        try:
            self.ask(json.loads(line)["command"])
        except (ValueError, KeyError, TypeError):
            print(f"not a command: {line[:80]!r}", flush=True)  # noqa: T201  standard output is the log by now
