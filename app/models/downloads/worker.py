"""Run the downloading child: read commands, write events, fetch one file at a time.

The reader thread takes commands from standard input, so that a pause works during a fetch, and ends the process when
the parent is gone, after a short wait for the last checkpoint. The main thread fetches.
"""

import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from app.base import json_lines
from app.base.errors import AppError
from app.models.downloads import download_source, messages
from app.models.downloads.byte_transfer import TransferControl, TransferStopped
from app.models.downloads.file_download import fetch_file, is_web_address
from app.models.downloads.messages import (
    Failed,
    Fetch,
    FetchPaused,
    InstallOcr,
    ListFiles,
    Pause,
    Progress,
    SearchHub,
    SetLimit,
)
from trainer.wire import EventWriter, claim_stdout, ends_process, read_lines


@ends_process
def main() -> None:
    """Run until standard input closes, then end the process at once."""
    DownloadWorker(claim_stdout()).run()


HEARTBEAT_S = 1.0
LAST_CHECKPOINT_S = 1.0  # longest wait for the last checkpoint when the parent is gone


class DownloadWorker:
    """Answers the commands of the parent."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._commands: queue.SimpleQueue[ListFiles | SearchHub | Fetch | InstallOcr] = queue.SimpleQueue()
        self._controls: dict[str, TransferControl] = {}
        self._done_bytes = 0
        self._is_idle = threading.Event()

    def run(self) -> NoReturn:
        self._send(messages.Hello(messages.PROTOCOL, os.getpid()))
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._send_heartbeats, name="heart", daemon=True).start()
        while True:
            self._is_idle.set()
            command = self._commands.get()
            self._is_idle.clear()
            try:
                self._execute(command)
            except AppError as error:
                self._send(Failed(command.id, error.code, error.facts))

    def _send(self, event: messages.Event) -> None:
        if isinstance(event, Progress):
            self._done_bytes = event.done_bytes
        try:
            self._writer.write(json_lines.encode_line(event))
        except BrokenPipeError:
            os._exit(0)  # the parent is gone

    def _send_heartbeats(self) -> None:
        while True:
            time.sleep(HEARTBEAT_S)
            self._send(messages.Heartbeat())

    def _read(self) -> None:
        try:
            for line in read_lines(sys.stdin.buffer):
                self._handle(json_lines.convert_message(line, messages.COMMANDS))
        except ValueError:
            print("download: unreadable command", file=sys.stderr)  # noqa: T201  the line may contain a token
            os._exit(2)
        fetches = tuple(self._controls.values())
        for control in fetches:
            control.stop()
        if fetches:
            self._is_idle.wait(LAST_CHECKPOINT_S)
        os._exit(0)

    def _handle(self, command: messages.Command) -> None:
        if isinstance(command, Fetch):
            self._controls[command.id] = TransferControl(command.bytes_per_s)
        if isinstance(command, Fetch | ListFiles | SearchHub | InstallOcr):
            self._commands.put(command)
            return
        control = self._controls.get(command.id)
        if control is None:
            return  # ended already
        match command:
            case Pause():
                control.stop()
            case SetLimit():
                control.limit(command.bytes_per_s)

    def _execute(self, command: ListFiles | SearchHub | Fetch | InstallOcr) -> None:
        if isinstance(command, ListFiles):
            self._list(command)
            return
        if isinstance(command, SearchHub):
            from app.models.downloads.hub_listing import search_hub

            self._send(search_hub(command, self._send))
            return
        if isinstance(command, InstallOcr):
            from app.models.downloads.package_download import install_ocr  # imports what other commands do not need

            self._send(install_ocr(command, self._send))
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
            list_repository,  # imports take a second that fetching a known file does not need
        )

        self._send(list_repository(command, self._send))
