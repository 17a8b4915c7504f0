"""Search a hub for models, look one up, or fetch the catalogue, in the downloading child, which ends with the answer.

Which hub that is, and with which credentials, holds for downloads too.
"""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from PySide6.QtCore import QObject, QTimer, Signal

from app.base import json_lines
from app.base.addresses import host_of, origin_of
from app.base.errors import AppError
from app.base.isolation import network_guard
from app.base.services.child_process import ChildExit
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.models import download_queue, hub_models
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
from app.models.services.fetcher import downloading_child

HUB = "https://huggingface.co"
ANSWER_LIMIT_S = 60.0  # of a search; with its retries the hub's library would wait for minutes, or for ever
HUB_VARIABLE = "HF_ENDPOINT"  # the name that the hub's own programs use


def hub_address(settings: Settings) -> str:
    """Return the hub of the settings, else of the environment, else huggingface.co."""
    return settings.hub_endpoint or os.environ.get(HUB_VARIABLE, "") or HUB


def require_network(source: str, settings: Settings) -> None:
    """Raise AppError if what is at `source` may not be fetched: network_forbidden, hub_offline. "": the hub."""
    if download_queue.is_online(source) and not settings.network_allowed:
        raise AppError("network_forbidden")
    if source in ("", hub_address(settings)) and network_guard.is_hub_offline():
        raise AppError("hub_offline")


class HubCredentials:
    """Holds the credentials for the network. A token is sent only to the origin that it was entered for."""

    def __init__(self) -> None:
        self._token, self._origin, self._proxy_login = "", "", ""

    def set_token(self, token: str, source: str) -> None:
        """Keep the token for the origin (scheme, host and port) of the address `source`."""
        self._token, self._origin = token.strip(), origin_of(source)

    def set_proxy_login(self, user: str, password: str) -> None:
        self._proxy_login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""

    def access(self, source: str, settings: Settings) -> NetworkAccess:
        """Return the proxy with its login, and the token if `source` has the token's origin."""
        is_meant = self._origin and origin_of(source) == self._origin
        proxy = settings.proxy.replace("://", f"://{self._proxy_login}", 1)
        return NetworkAccess(self._token if is_meant else "", proxy)


class HubSearch(QObject):
    """Sends one request at a time. Each ends with exactly one of `found` and `failed`, unless it is cancelled."""

    # tuple[ModelCard, ...]; `as_base`: of publishers' weights; after `fetch` the first file, a Path
    found = Signal(object)
    failed = Signal(object)  # AppError
    contacted = Signal(str)  # host

    def __init__(
        self, preferences: Preferences, credentials: HubCredentials, command: list[str], log: Path, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._preferences, self._credentials = preferences, credentials
        self._child = downloading_child(command, log, self)
        self._child.event_received.connect(self._on_event)
        self._child.exited.connect(self._on_exited)
        self._to_card = hub_models.card_of
        self._fetched, self._awaited = Path(), 0  # the first file being fetched, and how many with it
        self._limit = QTimer(self, singleShot=True)
        self._limit.timeout.connect(self._on_no_answer)
        preferences.changed.connect(self._on_preferences)

    @property
    def is_running(self) -> bool:
        return self._child.is_running

    def search(self, words: str) -> "HubSearch":
        """Search the hub of the settings for repositories of GGUF files. Returns itself, as all requests do.

        `words`: also what names a repository, such as the address of its page.
        """
        place = hub_address(self._preferences.value)
        self._to_card = hub_models.card_of
        named = hub_models.parse_reference(words)
        words = named.repository if named is not None else words
        return self._ask(SearchHub("1", place, words=words, access=self._access(place)))

    def look_up(self, wanted: HubReference, *, as_base: bool = False) -> "HubSearch":
        """Describe one repository of the hub of the settings. `as_base`: as weights to train on, not as GGUF files."""
        place = hub_address(self._preferences.value)
        self._to_card = hub_models.base_card_of if as_base else hub_models.card_of
        access = self._access(place)
        return self._ask(SearchHub("1", place, repository=wanted.repository, revision=wanted.revision, access=access))

    def fetch(self, addresses: Sequence[str], folder: Path) -> "HubSearch":
        """Fetch small files from one server into a folder."""
        access = self._access(addresses[0])
        names = [urlsplit(one).path.rpartition("/")[2] for one in addresses]
        self._fetched, self._awaited = folder / names[0], len(addresses)
        return self._ask(
            *(
                Fetch(name, FileOrigin(one), str(folder), name, access=access)
                for one, name in zip(addresses, names, strict=True)
            ),
        )

    def cancel(self) -> None:
        """Stop the request; no signal follows."""
        self._limit.stop()
        self._child.stop()

    # ------------------------------------------------------------------ private

    def _access(self, place: str) -> NetworkAccess:
        return self._credentials.access(place, self._preferences.value)

    def _ask(self, *requests: SearchHub | Fetch) -> "HubSearch":
        """Send requests to the child, or report why not."""
        self.cancel()
        source = next((one.origin.place for one in requests if isinstance(one, Fetch)), "")
        try:
            require_network(source, self._preferences.value)
        except AppError as error:
            self._fail_later(error)
            return self
        self._child.start()
        for request in requests:
            self._child.send(json_lines.encode_line(request))
        if isinstance(requests[0], SearchHub):
            self._limit.start(round(1000 * ANSWER_LIMIT_S))
        return self

    def _on_event(self, event: messages.Event) -> None:
        match event:
            case NetworkContacted():
                self.contacted.emit(event.host)
            case HubSearched():
                self.cancel()
                self._on_found(event)
            case Done():
                self._awaited -= 1
                if not self._awaited:
                    self.cancel()
                    self.found.emit(self._fetched)
            case Failed():
                self.cancel()
                self.failed.emit(AppError(event.code, **event.facts))

    def _on_found(self, event: HubSearched) -> None:
        cards, problem = [], None
        for repository in event.repositories:
            try:
                cards.append(self._to_card(repository))
            except AppError as error:
                problem = error
        if problem is not None and len(event.repositories) == 1:
            self.failed.emit(problem)
        else:
            self.found.emit(tuple(cards))

    def _on_no_answer(self) -> None:
        self.cancel()
        self.failed.emit(AppError("hub_no_answer", place=host_of(hub_address(self._preferences.value))))

    def _on_exited(self, child_exit: ChildExit) -> None:
        self._limit.stop()
        if child_exit.cause != "stopped":
            self._fail_later(AppError("download_crashed", detail=child_exit.reason))

    def _fail_later(self, error: AppError) -> None:
        """Report an error after the caller has connected the signals."""
        QTimer.singleShot(0, self, functools.partial(self.failed.emit, error))

    def _on_preferences(self, settings: Settings) -> None:
        if not settings.network_allowed and self.is_running:
            self.cancel()
            self.failed.emit(AppError("network_forbidden"))
