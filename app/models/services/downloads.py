"""Models on their way to this machine: a queue, one at a time, by the downloading child.

Nothing is asked of any machine before `start` or `resume`; what was under way when the program ended waits, paused.

How the network is reached: the hub, and what is said to it. Secrets are in memory, unless the user asks for more.
"""

import dataclasses
import logging
import os
import time
import uuid
from pathlib import Path
from urllib.parse import quote

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.addresses import host_of, origin_of
from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import TimeLeftEstimator
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.inference.local_model import LocalModel
from app.inference.services.events import Download, NetworkContact
from app.models import download_queue
from app.models.catalogue import ModelCard, ModelFile
from app.models.download_queue import QueuedDownload
from app.models.downloads.messages import NetworkAccess
from app.models.services.fetcher import Fetcher, FetchResult, FetchStep
from app.models.services.model_library import ModelLibrary

HUB = "https://huggingface.co"
HUB_VARIABLE = "HF_ENDPOINT"  # as the hub's own programs call it


def hub_address(settings: Settings) -> str:
    return settings.hub_endpoint or os.environ.get(HUB_VARIABLE, "") or HUB


class HubCredentials:
    """A token goes to the machine that it is for and to no other, whatever the settings say later."""

    def __init__(self) -> None:
        self._token, self._origin, self._proxy_login = "", "", ""

    def set_token(self, token: str, place: str) -> None:
        """`place`: an address. Scheme and port count too."""
        self._token, self._origin = token.strip(), origin_of(place)

    def set_proxy_login(self, user: str, password: str) -> None:
        self._proxy_login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""

    def access(self, place: str, settings: Settings) -> NetworkAccess:
        is_meant = self._origin and origin_of(place) == self._origin
        proxy = settings.proxy.replace("://", f"://{self._proxy_login}", 1)
        return NetworkAccess(self._token if is_meant else "", proxy)


__all__ = ["Download", "Downloads", "NetworkContact"]

log = logging.getLogger("kotae")


class Downloads(QObject):
    """What the window and the command line ask for; `place` "" is the hub or mirror of the settings."""

    changed = Signal()  # what there is, its order or its states
    progressed = Signal(object)  # Download
    finished = Signal(object)  # LocalModel
    failed = Signal(object)  # Download
    contacted = Signal(object)  # Contact

    def __init__(
        self,
        library: ModelLibrary,
        preferences: Preferences,
        command: list[str],
        log: Path,
        queue: Path | None,
        parent: QObject | None = None,
    ) -> None:
        """`queue`: the file that remembers what is not finished; None: nothing is remembered."""
        super().__init__(parent)
        self._library = library
        self._preferences = preferences
        self._path = queue
        self._secrets = HubCredentials()
        self._contacts: list[NetworkContact] = []
        self._step = FetchStep()
        self._active_id = ""  # of what the child brings, or of what has arrived and is being looked at
        self._is_adding = self._is_closing = False
        self._time_left = TimeLeftEstimator()
        self._fetcher = Fetcher(command, log, self)
        self._fetcher.stepped.connect(self._on_stepped)
        self._fetcher.learned.connect(self._on_learned)
        self._fetcher.ended.connect(self._on_ended)
        self._fetcher.contacted.connect(self._on_contacted)
        preferences.changed.connect(self._on_preferences)
        self._queue: list[QueuedDownload] = self._remembered()
        self._received = {entry.id: self._received_bytes(entry) for entry in self._queue}
        self.discard_cancelled()

    # ------------------------------------------------------------------- what there is

    def items(self) -> list[Download]:
        """In the order in which they come."""
        return [self._view(entry) for entry in self._queue if entry.state != "cancelled"]

    def find(self, card_id: str, quantization: str) -> Download | None:
        wanted = (card_id, quantization)
        return next((item for item in self.items() if (item.card_id, item.quantization) == wanted), None)

    @property
    def online_count(self) -> int:
        """Downloads that use the network now: what 外部通信 shows."""
        job = self._fetcher.job
        return 1 if job is not None and download_queue.is_online(job.place) else 0

    @property
    def is_working(self) -> bool:
        """Whether one is under way; also one that was paused and has not ended yet."""
        return self._active_id != ""

    def contacts(self) -> list[NetworkContact]:
        """Oldest first."""
        return list(self._contacts)

    @property
    def child_pid(self) -> int:
        """0 while no process is there that could use the network."""
        return self._fetcher.pid

    # ------------------------------------------------------------------- what is asked for

    def start(self, card: ModelCard, file: ModelFile, place: str = "") -> None:
        """Puts it at the end of the queue. One that is there already goes on.

        `place`: a folder, a GGUF file, the address of a mirror, or of the file itself.
        Raises AppError("download_no_source") where the catalogue does not say where it is.
        """
        new = download_queue.plan_download(card, file, place, uuid.uuid4().hex)
        old = next((entry for entry in self._queue if entry.key == new.key), None)
        if old is None:
            self._queue.append(new)
            self._note_change()
            self._advance()
            return
        if old.place != place and old.id != self._active_id:
            self._put(dataclasses.replace(new.with_state(old.state, old.problem), id=old.id, folder=old.folder))
        self.resume(old.id)

    def pause(self, download_id: str) -> None:
        entry = self._entry(download_id)
        if entry is not None and entry.state in ("waiting", "running") and not self._is_arriving(entry):
            self._leave(entry, "paused")

    def resume(self, download_id: str) -> None:
        """Also of one that failed, or was cancelled a moment ago."""
        entry = self._entry(download_id)
        if entry is not None and entry.state in ("paused", "failed", "cancelled"):
            self._put(entry.with_state("waiting"))
            self._note_change()
            self._advance()

    def cancel(self, download_id: str) -> None:
        """Takes it off the list. What was received is kept until `discard_cancelled`, for `undo_cancel`."""
        entry = self._entry(download_id)
        if entry is not None and not self._is_arriving(entry):
            self._leave(entry, "cancelled")

    def undo_cancel(self, download_id: str) -> None:
        """Back where it was, paused; nothing where it is gone for good."""
        entry = self._entry(download_id)
        if entry is not None and entry.state == "cancelled":
            self._put(entry.with_state("paused"))
            self._note_change()

    def discard_cancelled(self) -> None:
        """Deletes what cancelled downloads have received. One that is still being stopped goes when it has been."""
        for entry in [entry for entry in self._queue if entry.state == "cancelled" and entry.id != self._active_id]:
            self._discard(entry)

    def move(self, download_id: str, index: int) -> None:
        """To that place among `items`. What runs goes on."""
        entry = self._entry(download_id)
        if entry is not None:
            others = [other for other in self._queue if other is not entry]
            visible = [other for other in others if other.state != "cancelled"]
            at = others.index(visible[index]) if 0 <= index < len(visible) else len(others)
            self._queue = [*others[:at], entry, *others[at:]]
            self._note_change()

    def set_limit(self, bytes_per_s: int) -> None:
        """0: none. At once, and kept in the settings."""
        self._preferences.change(download_limit_bytes_per_s=bytes_per_s)

    def set_token(self, token: str, place: str = "") -> None:
        """For repositories that ask who it is. In memory only, and for the machine that `place` means now only."""
        self._secrets.set_token(token, place or hub_address(self._preferences.value))

    def sign_in(self, download_id: str, token: str) -> None:
        """The download goes on with it; the token is for the machine that the download comes from."""
        entry = self._entry(download_id)
        if entry is not None:
            self.set_token(token, entry.place)
            self.resume(download_id)

    def set_proxy_login(self, user: str, password: str) -> None:
        """For the proxy of the settings. In memory only."""
        self._secrets.set_proxy_login(user, password)

    def proxy(self) -> str:
        """With name and password, for others who reach the network because somebody has asked for it."""
        return self._secrets.access("", self._preferences.value).proxy

    def close(self) -> None:
        """Pauses what runs and ends the child. Blocks for a moment."""
        self._is_closing = True
        self._fetcher.abort(FetchResult("paused"))
        self.discard_cancelled()
        self._save()

    # ------------------------------------------------------------------- the queue

    def _entry(self, download_id: str) -> QueuedDownload | None:
        return next((entry for entry in self._queue if entry.id == download_id), None)

    def _put(self, entry: QueuedDownload) -> None:
        """In the place of the entry of that id."""
        self._queue = [entry if other.id == entry.id else other for other in self._queue]

    def _is_arriving(self, entry: QueuedDownload) -> bool:
        return self._is_adding and entry.id == self._active_id

    def _leave(self, entry: QueuedDownload, state: str) -> None:
        self._put(entry.with_state(state))
        self._note_change()
        if entry.id == self._active_id:
            self._fetcher.pause()

    def _advance(self) -> None:
        """Begins the first that waits, unless one is under way."""
        while not (self._active_id or self._is_closing):
            entry = next((entry for entry in self._queue if entry.state == "waiting"), None)
            if entry is None:
                QTimer.singleShot(0, self, self._fetcher.rest)
                return
            try:
                self._begin(entry)
            except AppError as error:
                self._fail(entry, error)

    def _begin(self, entry: QueuedDownload) -> None:
        """Raises AppError where it cannot be begun."""
        settings = self._preferences.value
        if download_queue.is_online(entry.place) and not settings.network_allowed:
            raise AppError("network_forbidden")
        entry = download_queue.with_folder(entry, self._library.folder).with_state("running")
        self._put(entry)
        self._active_id = entry.id
        self._step = FetchStep()
        self._time_left.restart()
        self._received[entry.id] = self._received_bytes(entry)
        self._note_change()
        place = entry.place or hub_address(settings)
        access = self._secrets.access(place, settings)
        self._fetcher.fetch(entry, place, Path(entry.folder), access, settings.download_limit_bytes_per_s)

    def _fail(self, entry: QueuedDownload, problem: AppError) -> None:
        failed = entry.with_state("failed", problem)
        self._put(failed)
        self._note_change()
        self.failed.emit(self._view(failed))

    def _discard(self, entry: QueuedDownload) -> None:
        self._queue = [other for other in self._queue if other.id != entry.id]
        self._received.pop(entry.id, None)
        if entry.folder:
            try:
                download_queue.delete_parts(Path(entry.folder), entry)
            except OSError as error:
                log.warning("a cancelled download was not deleted: %s", error)
        self._note_change()

    # ------------------------------------------------------------------- what the child tells

    def _on_stepped(self, step: FetchStep) -> None:
        entry, before = self._entry(self._active_id), self._step
        if entry is None:
            return
        self._step = step
        arrived = sum(file.size_bytes for file in entry.files if file.has_arrived)
        if step.phase != "repairing":  # the comparison begins at nothing, but all of it is here
            self._received[entry.id] = arrived + step.done_bytes
        if step.phase != "verifying":
            self._time_left.note(min(1.0, (arrived + step.done_bytes) / max(entry.size_bytes, 1)))
        if entry.state == "running":
            self.progressed.emit(self._view(entry))
            if (step.phase, step.trouble) != (before.phase, before.trouble):
                self.changed.emit()

    def _on_contacted(self, host: str) -> None:
        entry = self._entry(self._active_id)
        contact = NetworkContact(host, time.time(), entry.title if entry else "")
        self._contacts.append(contact)
        self.contacted.emit(contact)

    def _on_learned(self, job: QueuedDownload) -> None:
        """Sizes, checksums, arrived files; what was asked for meanwhile stands."""
        entry = self._entry(job.id)
        if entry is not None:
            self._put(job.with_state(entry.state, entry.problem))
            self._note_change()

    def _on_ended(self, how: FetchResult) -> None:
        """Of the entry that runs, or of one that was paused or cancelled meanwhile."""
        entry = self._entry(self._active_id)
        assert entry is not None
        self._received[entry.id] = self._received_bytes(entry)
        if how.kind == "done" and entry.state != "cancelled":
            self._add(entry)
            return
        self._active_id = ""
        if how.problem is not None and entry.state == "running":
            self._fail(entry, how.problem)
        elif entry.state == "running":
            self._put(entry.with_state("paused"))
        self._note_change()
        self._advance()

    def _add(self, entry: QueuedDownload) -> None:
        """Everything is here: into the library, after a look into the file."""
        self._is_adding = True
        self._put(entry.with_state("running"))
        self._step = FetchStep("verifying")
        self.changed.emit()
        folder = Path(entry.folder)
        background.run(lambda: download_queue.downloaded_model(entry, folder), self._on_described, self._on_not_added)

    def _on_described(self, model: LocalModel) -> None:
        try:
            added = self._library.add(model)
        except AppError as error:
            self._on_not_added(error)
            return
        self._queue = [entry for entry in self._queue if entry.id != self._active_id]
        self._received.pop(self._active_id, None)
        self._end_adding()
        self.finished.emit(added)
        self._advance()

    def _on_not_added(self, error: AppError) -> None:
        entry = self._entry(self._active_id)
        self._end_adding()
        if entry is not None and error.code in download_queue.REFUSED:
            entry = self._emptied(entry)
        if entry is not None:
            self._fail(entry, error)
        self._advance()

    def _emptied(self, entry: QueuedDownload) -> QueuedDownload:
        """What was fetched is not what was asked for: it does not stay, and another try begins at nothing."""
        try:
            download_queue.delete_parts(Path(entry.folder), entry)
        except OSError as error:
            log.warning("a refused file was not deleted: %s", error)
        entry = download_queue.replan_download(entry)
        self._received[entry.id] = 0
        return entry

    def _end_adding(self) -> None:
        self._is_adding, self._active_id = False, ""
        self._note_change()

    def _on_preferences(self, settings: Settings) -> None:
        self._fetcher.limit(settings.download_limit_bytes_per_s)
        if not settings.network_allowed and self.online_count:
            self._fetcher.abort(FetchResult("failed", AppError("network_forbidden")))

    # ------------------------------------------------------------------- what is remembered and shown

    def _remembered(self) -> list[QueuedDownload]:
        if self._path is None:
            return []
        known = download_queue.load_queue(self._path)
        return [*known, *download_queue.find_forgotten_downloads(self._library.folder, known)]

    def _received_bytes(self, entry: QueuedDownload) -> int:
        return download_queue.received_bytes(Path(entry.folder), entry) if entry.folder else 0

    def _note_change(self) -> None:
        self._save()
        self.changed.emit()

    def _save(self) -> None:
        if self._path is None:
            return
        try:
            download_queue.save_queue(self._path, self._queue)
        except OSError as error:  # a full disk ends the download too, and says so; the parts are found without this
            log.warning("the list of downloads was not saved: %s", error)

    def _view(self, entry: QueuedDownload) -> Download:
        is_active = entry.id == self._active_id and entry.state == "running"
        step = self._step if is_active else FetchStep()
        received = min(self._received.get(entry.id, 0), entry.size_bytes)
        return Download(
            id=entry.id,
            card_id=entry.card_id,
            title=entry.title,
            quantization=entry.quantization,
            names=tuple(file.name for file in entry.files),
            place=host_of(entry.place or hub_address(self._preferences.value)) or entry.place,
            total_bytes=entry.size_bytes,
            done_bytes=received,
            state=step.phase if is_active else entry.state,
            bytes_per_s=step.bytes_per_s,
            seconds_left=self._time_left.seconds if is_active and step.phase != "verifying" else None,
            problem=AppError(step.trouble, done_bytes=received) if step.trouble else entry.problem,
        )
