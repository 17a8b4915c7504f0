"""Search a hub for models, look one up, or fetch small files, in the downloading child, which ends with the answer."""

import functools
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from PySide6.QtCore import QObject, QTimer, Signal

from app.base import json_lines
from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.models import hub_models
from app.models.downloads import messages
from app.models.downloads.messages import (
    Done,
    Failed,
    Fetch,
    FileOrigin,
    HubSearched,
    NetworkAccess,
    NetworkContacted,
    SearchHub,
)
from app.models.hub_models import HubReference

SILENCE_LIMIT_S = 30.0  # the child sends a heartbeat each second


class HubSearch(QObject):
    """Sends one request at a time. Each ends with exactly one of `found` and `failed`, unless it is cancelled."""

    found = Signal(object)  # tuple[ModelCard, ...]; after `fetch` the folder, a Path
    failed = Signal(object)  # AppError
    contacted = Signal(str)  # host

    def __init__(self, command: list[str], log: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        decode = functools.partial(json_lines.decode, kinds=messages.EVENTS)
        self._child = ChildProcess(command, log, decode, self, silence_limit_s=SILENCE_LIMIT_S)
        self._child.event_received.connect(self._on_event)
        self._child.exited.connect(self._on_exited)
        self._folder, self._awaited = Path(), 0

    @property
    def is_running(self) -> bool:
        return self._child.is_running

    def search(self, words: str, place: str, access: NetworkAccess) -> None:
        """Search the hub at the address `place` for repositories of GGUF files."""
        self._ask(SearchHub("1", place, words=words, access=access))

    def look_up(self, wanted: HubReference, place: str, access: NetworkAccess) -> None:
        """Describe one repository."""
        self._ask(SearchHub("1", place, repository=wanted.repository, revision=wanted.revision, access=access))

    def fetch(self, addresses: Sequence[str], folder: Path, access: NetworkAccess) -> None:
        """Fetch files into a folder, each under the last part of its address."""
        self._folder, self._awaited = folder, len(addresses)
        names = [urlsplit(address).path.rpartition("/")[2] for address in addresses]
        self._ask(
            *(
                Fetch(str(number), FileOrigin(address), str(folder), name, access=access)
                for number, (address, name) in enumerate(zip(addresses, names, strict=True))
            )
        )

    def refuse(self, error: AppError) -> None:
        """Report an error instead of sending a request; the caller connects the signals first."""
        QTimer.singleShot(0, self, lambda: self.failed.emit(error))

    def cancel(self) -> None:
        """Stop the request; no signal follows."""
        self._child.stop()

    # ------------------------------------------------------------------ private

    def _ask(self, *requests: SearchHub | Fetch) -> None:
        self.cancel()
        self._child.start()
        for request in requests:
            self._child.send(json_lines.encode_line(request))

    def _on_event(self, event: messages.Event) -> None:
        match event:
            case NetworkContacted():
                self.contacted.emit(event.host)
            case HubSearched():
                self._child.stop()
                self._on_found(event)
            case Done():
                self._awaited -= 1
                if not self._awaited:
                    self._child.stop()
                    self.found.emit(self._folder)
            case Failed():
                self._child.stop()
                self.failed.emit(AppError(event.code, **event.facts))

    def _on_found(self, event: HubSearched) -> None:
        cards, problem = [], None
        for repository in event.repositories:
            try:
                cards.append(hub_models.card_of(repository))
            except AppError as error:
                problem = error
        if problem is not None and len(event.repositories) == 1:
            self.failed.emit(problem)
        else:
            self.found.emit(tuple(cards))

    def _on_exited(self, child_exit: ChildExit) -> None:
        if child_exit.cause != "stopped":
            self.failed.emit(AppError("download_crashed", detail=child_exit.reason))
