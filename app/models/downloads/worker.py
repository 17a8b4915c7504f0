"""The downloading child's loop: commands in, events out, one file at a time.

The reader takes commands from standard input, so that a pause is seen while something runs, and ends the process when
the parent is gone; what was received is marked first, if the disk is quick enough. The main thread fetches.
"""

import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import NoReturn

from app.base.errors import AppError
from app.models.downloads import download_source, messages
from app.models.downloads.byte_transfer import TransferControl, TransferStopped
from app.models.downloads.file_download import fetch_file, is_web_address
from app.models.downloads.messages import Failed, Fetch, FetchPaused, ListFiles, Pause, Progress, SetLimit
from trainer.wire import EventWriter, claim_stdout, read_lines


def main() -> NoReturn:
    """Runs until standard input closes; then the process ends at once."""
    writer = claim_stdout()
    try:
        DownloadWorker(writer).run()
    except BaseException:  # noqa: BLE001  printed, and the process ends
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


HEARTBEAT_S = 1.0
LAST_MARK_S = 1.0  # for the marks when the parent is gone: less is sent again then


class DownloadWorker:
    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._commands: queue.SimpleQueue[ListFiles | Fetch] = queue.SimpleQueue()
        self._controls: dict[str, TransferControl] = {}
        self._done_bytes = 0
        self._at_rest = threading.Event()

    def run(self) -> NoReturn:
        self._send(messages.Hello(messages.PROTOCOL, os.getpid()))
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._beat, name="heart", daemon=True).start()
        while True:
            self._at_rest.set()
            command = self._commands.get()
            self._at_rest.clear()
            try:
                self._answer(command)
            except AppError as error:
                self._send(Failed(command.id, error.code, error.facts))

    def _send(self, event: messages.Event) -> None:
        if isinstance(event, Progress):
            self._done_bytes = event.done_bytes
        try:
            self._writer.write(messages.to_line(event))
        except BrokenPipeError:
            os._exit(0)  # the parent is gone; nobody is left to tell

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_S)
            self._send(messages.Heartbeat())

    def _read(self) -> None:
        try:
            for line in read_lines(sys.stdin.buffer):
                self._take(messages.command_from_json(line))
        except ValueError:
            print("download: unreadable command", file=sys.stderr)  # noqa: T201  the line may hold a token
            os._exit(2)
        fetches = tuple(self._controls.values())
        for control in fetches:
            control.stop()
        if fetches:
            self._at_rest.wait(LAST_MARK_S)
        os._exit(0)

    def _take(self, command: messages.Command) -> None:
        if isinstance(command, Fetch):
            self._controls[command.id] = TransferControl(command.bytes_per_s)
        if isinstance(command, Fetch | ListFiles):
            self._commands.put(command)
            return
        control = self._controls.get(command.id)
        if control is None:
            return  # it has ended already
        match command:
            case Pause():
                control.stop()
            case SetLimit():
                control.limit(command.bytes_per_s)

    def _answer(self, command: ListFiles | Fetch) -> None:
        if isinstance(command, ListFiles):
            self._list(command)
            return
        self._done_bytes = 0
        control = self._controls[command.id]
        try:
            self._send(fetch_file(command, control, self._send))
        except TransferStopped:
            self._send(FetchPaused(command.id, self._done_bytes))
        finally:
            del self._controls[command.id]

    def _list(self, command: ListFiles) -> None:
        if not is_web_address(command.place):
            self._send(download_source.list_folder(command.id, Path(command.place)))
            return
        from app.models.downloads.hub_listing import (
            list_repository,  # a second of imports that fetching a known file does not need
        )

        self._send(list_repository(command, self._send))
