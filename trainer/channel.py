"""A run's two ways to its parent: the events that it sends and keeps, and the commands and signals that it gets."""

import contextlib
import errno
import json
import os
import signal
import threading
from pathlib import Path
from types import FrameType

from trainer.events import COMMANDS, Event, RunError, to_json
from trainer.wire import EventWriter

EVENTS_FILE = "events.jsonl"


class TrainerJournal:
    """Send events to the parent and keep them in the run's folder.

    In a distributed run only the first process has one that writes; the others' are mute.
    """

    def __init__(self, writer: EventWriter | None) -> None:
        self._writer = writer
        self._file: Path | None = None

    def keep_in(self, folder: Path) -> None:
        """Write each event from now on into the folder's file too. A line at its end that a kill has torn goes."""
        if self._writer is None:
            return
        file = folder / EVENTS_FILE
        if file.is_file():
            end = file.read_bytes().rfind(b"\n") + 1
            os.truncate(file, end)  # in place: a full disk has no room for a copy
        self._file = file

    def send(self, event: Event) -> None:
        """Raises RunError("disk_full") once, when the file cannot take it; afterwards only the parent gets it."""
        if self._writer is None:
            return
        line = json.dumps(to_json(event), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more; who comes later reads the file
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
    """A pause or a cancel was asked for in the middle of what can be done again."""


class RunControl:
    """`wanted`: None, or one of COMMANDS. The loop looks at it after each step; only "cancel" overrules another."""

    def __init__(self) -> None:
        self.wanted: str | None = None
        self._is_alone = os.environ.get("WORLD_SIZE", "1") == "1"

    @property
    def is_over(self) -> bool:
        """Whether it is to end at once. In a distributed run only after a step, when all processes know of it."""
        return self._is_alone and self.wanted in ("pause", "cancel")

    def check(self) -> None:
        """Raises Stopped."""
        if self.is_over:
            raise StopRequested(self.wanted)

    def ask(self, command: str) -> None:
        """Raises ValueError for what is no command."""
        if command not in COMMANDS:
            raise ValueError(command)
        if self.wanted is None or command == "cancel":
            self.wanted = command

    def listen_to_signals(self) -> None:
        """Ctrl+C, a cluster's notice and a terminal that closes become a pause: the state is saved and the process ends
        by itself. What nohup has made deaf to SIGHUP stays so."""
        names = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def listen_to_input(self) -> None:
        """One JSON object a line; at the end of the input the parent is gone, which is a pause too."""
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask("pause")

    def _read(self) -> None:
        """os.read, not sys.stdin: a thread inside a buffered reader would stop the interpreter from ending."""
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
