"""One fetch by the downloader's own code, for tests: in this process, or by the child that the program starts."""

import contextlib
import dataclasses
import hashlib
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from msgspec import structs

from app.base import json_lines
from app.base.errors import AppError
from app.models.downloads import messages, part_file
from app.models.downloads.byte_transfer import TransferControl
from app.models.downloads.download_source import FileIdentity
from app.models.downloads.file_download import fetch_file
from app.models.downloads.messages import (
    Done,
    Event,
    Failed,
    Fetch,
    FileOrigin,
    FilesListed,
    Hello,
    ListFiles,
    TransferPolicy,
)
from app.models.downloads.part_file import PartFile, PartPaths
from tests.line_child import LineChild
from tests.models.downloads.hub import COMMIT, FILE, REPOSITORY, Content, Hub

DEADLINE_S = 60.0  # of one event: what never comes fails the test instead of hanging it
LONGEST_S = 240.0  # of all events until the one that is waited for
QUICK = TransferPolicy(stall_s=0.4, backoff_s=0.01, longest_backoff_s=0.05, patience=4)


def command(hub: Hub, folder: Path, **changes: Any) -> Fetch:
    origin = FileOrigin(hub.place, REPOSITORY, COMMIT, FILE)
    return structs.replace(Fetch("1", origin, str(folder), FILE, pace=QUICK), **changes)


def half_done(wanted: Fetch, content: Content, hub: Hub, *ranges: tuple[int, int]) -> None:
    """Leaves what an earlier fetch of these ranges would have left."""
    identity = FileIdentity(content.size, f'"{hub.sha256}"' if hub.fault.says_sha256 else f'"v{content.seed}"')
    if hub.fault.says_sha256:
        identity = dataclasses.replace(identity, sha256=hub.sha256)
    file = PartFile(PartPaths(Path(wanted.folder) / wanted.name), part_file.new_checkpoint(wanted, identity), 1 << 20)
    for start, end in ranges:
        file.write(start, content.read(start, end))
    file.close()


def run(wanted: Fetch, control: TransferControl | None = None) -> tuple[Done | AppError, list[Event]]:
    events: list[Event] = []
    try:
        return fetch_file(wanted, control or TransferControl(), events.append), events
    except AppError as error:
        return error, events


def fetched(wanted: Fetch, control: TransferControl | None = None) -> tuple[Done, list[Event]]:
    """Fetches what must come, into the right file."""
    done, events = run(wanted, control)
    assert isinstance(done, Done), done
    assert hashlib.sha256(Path(done.path).read_bytes()).hexdigest() == done.sha256
    return done, events


def refused(wanted: Fetch, control: TransferControl | None = None) -> AppError:
    """Fetches what must not come."""
    error, _ = run(wanted, control)
    assert isinstance(error, AppError), error
    return error


class Child(LineChild):
    """The downloading child. `with Child(log) as child:` …"""

    def __init__(self, log: Path, **environment: str) -> None:
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._read: list[bytes] = []
        super().__init__([sys.executable, "-m", "app", "--download"], log, **environment)

    def start(self) -> None:
        super().start()
        threading.Thread(target=self._collect, daemon=True).start()
        hello = self.read()
        assert isinstance(hello, Hello)
        assert hello.protocol == messages.PROTOCOL

    def _collect(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):  # closed, when the process has ended
            for line in self.process.stdout:
                if not line.startswith(b'{"type":"Heartbeat"'):  # proves life, but what is waited for may never come
                    self._lines.put(line)
        self._lines.put(b"")

    def read(self) -> Event:
        """The next event. Raises EOFError when the child has ended; fails the test when nothing comes."""
        try:
            line = self._lines.get(timeout=DEADLINE_S)
        except queue.Empty:
            self.fail(f"nothing came for {DEADLINE_S:.0f} s")
        if not line:
            raise EOFError(self._story())
        self._read.append(line)
        return json_lines.decode(line, messages.EVENTS)

    def answer(self) -> Event:
        """The next event that is not the name of a host."""
        return self.read_until(lambda event: not isinstance(event, messages.NetworkContacted))

    def read_until(self, is_wanted: Callable[[Event], bool]) -> Event:
        """Fails the test when the command ends otherwise."""
        ends_at = time.monotonic() + LONGEST_S
        while not is_wanted(event := self.read()):
            if is_end(event):
                self.fail(f"it ended with {event}")
            if time.monotonic() > ends_at:
                self.fail(f"it went on for {LONGEST_S:.0f} s")
        return event

    def fail(self, what: str) -> NoReturn:
        pytest.fail(f"{what}; {self._story()}")

    def _story(self) -> str:
        log = self.log.read_text("utf-8", "replace")
        return f"read were {b''.join(self._read[-20:]).decode()}, and the log says: {log[-4000:]}"

    def end(self, wanted: Fetch) -> Event:
        """Sends the command and returns what it ends with."""
        self.send(wanted)
        return self.read_until(is_end)

    def done(self, wanted: Fetch) -> Done:
        done = self.end(wanted)
        assert isinstance(done, Done), done
        return done

    def listed(self, wanted: ListFiles) -> FilesListed:
        self.send(wanted)
        listed = self.answer()
        assert isinstance(listed, FilesListed), listed
        return listed

    def refused(self, wanted: Fetch | ListFiles | None = None) -> str:
        """Sends the command, if one is given, and returns the code with which it ends."""
        if wanted is not None:
            self.send(wanted)
        failed = self.read_until(lambda event: is_end(event) or isinstance(event, FilesListed))
        assert isinstance(failed, Failed), failed
        return failed.code

    def leave(self) -> int:
        """Closes its input, as a parent that ends does; returns the exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)


def is_end(event: Event) -> bool:
    return isinstance(event, Done | messages.FetchPaused | messages.Failed)
