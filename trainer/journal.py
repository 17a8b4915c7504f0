"""The events of a run, to whoever listens and into the run's `events.jsonl`."""

import contextlib
import errno
import json
import os
from pathlib import Path

from trainer.events import Event, to_json
from trainer.failure import RunError
from trainer.wire import EventWriter

FILE = "events.jsonl"


class Journal:
    """In a distributed run only the first process has one that speaks; the others' are mute."""

    def __init__(self, writer: EventWriter | None) -> None:
        self._writer = writer
        self._file: Path | None = None

    def keep_in(self, folder: Path) -> None:
        """From now on also into the folder's file, after what is there; a line that a kill has torn goes."""
        if self._writer is None:
            return
        file = folder / FILE
        if file.is_file():
            end = file.read_bytes().rfind(b"\n") + 1
            os.truncate(file, end)  # in place: a full disk has no room for a copy
        self._file = file

    def send(self, event: Event) -> None:
        """Raises RunError("disk_full") once, when the file cannot take it; afterwards only listeners are told."""
        if self._writer is None:
            return
        line = json.dumps(to_json(event), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more; the file tells it to who comes later
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
