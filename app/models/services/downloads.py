"""Queue the downloads of models, and run one at a time in the downloading child.

No host is contacted before `start` or `resume`; downloads that were running when the program ended come back paused.
Credentials are kept in memory only. The file is over 450 lines because each of its methods changes the one queue.
"""

import dataclasses
import logging
import time
from pathlib import Path
from uuid import uuid4

from PySide6.QtCore import QObject, QTimer, Signal, SignalInstance

from app.base.addresses import host_of
from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import TimeLeftEstimator
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.inference.services.events import Download, NetworkContact
from app.models import base_models, catalogue, download_queue, hub_models
from app.models.catalogue import ModelCard, ModelFile
from app.models.download_queue import QueuedDownload
from app.models.hf_folders import HfModel
from app.models.services.fetcher import Fetcher, FetchResult, FetchStep
from app.models.services.hub_search import HubCredentials, HubSearch, hub_address, require_network
from app.models.services.model_library import ModelLibrary

__all__ = ["Download", "Downloads", "NetworkContact"]

log = logging.getLogger("kotae")


class Downloads(QObject):
    """Manages the downloads for window and command line. `place` "" means the hub or mirror of the settings."""

    changed = Signal()  # the items, their order or a state
    progressed = Signal(object)  # Download
    finished = Signal(object)  # LocalModel
    base_finished = Signal(object)  # the folder (Path) of publisher's weights
    failed = Signal(object)  # Download
    contacted = Signal(object)  # NetworkContact

    def __init__(
        self,
        library: ModelLibrary,
        preferences: Preferences,
        command: list[str],
        log: Path,
        queue: Path | None,
    ) -> None:
        """Load the queue. `queue`: the file that stores unfinished downloads; None: store none."""
        super().__init__()
        self._library = library
        self._preferences = preferences
        self._path = queue
        self._credentials = HubCredentials()
        self._contacts: list[NetworkContact] = []
        self._step = FetchStep()
        self._active_id = ""  # id of the download that is fetched or being added to the list; "": none
        self._is_adding = self._is_closing = False
        self._time_left = TimeLeftEstimator()
        self._fetcher = Fetcher(command, log, self)
        self._fetcher.stepped.connect(self._on_stepped)
        self._fetcher.learned.connect(self._on_file_facts)
        self._fetcher.ended.connect(self._on_ended)
        self._fetcher.contacted.connect(self._on_contacted)
        self.hub = HubSearch(preferences, self._credentials, command, log.with_name("hub-search.log"), self)
        self.catalogue = HubSearch(preferences, self._credentials, command, log.with_name("catalogue.log"), self)
        self.bases = HubSearch(preferences, self._credentials, command, log.with_name("bases.log"), self)
        look_up, edition = "models.search_of_models", "models.the_catalogue"
        self._requests = ((look_up, self.hub), (look_up, self.bases), (edition, self.catalogue))
        for purpose, request in self._requests:
            request.contacted.connect(lambda host, key=purpose: self._note_contact(host, phrase(key)))
            request.found.connect(self._on_answered)
            request.failed.connect(self._on_answered)
        preferences.changed.connect(self._on_preferences)
        self._queue: list[QueuedDownload] = self._load_queue()
        self._received = {entry.id: self._received_bytes(entry) for entry in self._queue}
        self.discard_cancelled()

    # ------------------------------------------------------------------- state

    def items(self) -> list[Download]:
        """Return the downloads in the order in which they will run."""
        return [self._view(entry) for entry in self._queue if entry.state != "cancelled"]

    def find(self, card_id: str, quantization: str) -> Download | None:
        wanted = (card_id, quantization)
        return next((item for item in self.items() if (item.card_id, item.quantization) == wanted), None)

    @property
    def network_task_count(self) -> int:
        """Return how many downloads and searches use the network now, for the display 外部通信."""
        return int(self._is_fetching_online) + sum(request.is_running for _, request in self._requests)

    @property
    def network_purpose(self) -> str:
        """Return what uses the network now, for the display 外部通信; "" if nothing does."""
        running = [key for key, request in self._requests if request.is_running]
        keys = ["models.fetching_a_model", *running] if self._is_fetching_online else running
        return phrase(keys[0]) if keys else ""

    @property
    def _is_fetching_online(self) -> bool:
        job = self._fetcher.job
        return job is not None and download_queue.is_online(job.place)

    @property
    def is_working(self) -> bool:
        """Return whether a download is running, or was paused and has not ended yet."""
        return self._active_id != ""

    def contacts(self) -> list[NetworkContact]:
        """Return the contacted hosts, oldest first."""
        return list(self._contacts)

    @property
    def child_pid(self) -> int:
        """Return the process id of the child; 0 while no process could use the network."""
        return self._fetcher.pid

    # ------------------------------------------------------------------- requests

    def start(self, card: ModelCard, file: ModelFile, source: str = "", *, is_shared: bool = False) -> None:
        """Add a download to the end of the queue, or resume the one of the same file.

        `source`: a folder, a GGUF file, the address of a mirror, or of the file itself. `is_shared`: other programs
        shall see it. Raises AppError: download_no_source, download_bad_address.
        """
        new = dataclasses.replace(download_queue.plan_download(card, file, source, uuid4().hex), is_shared=is_shared)
        if card.is_found and not new.is_base:
            self._keep_found(card)
        old = next((entry for entry in self._queue if entry.key == new.key), None)
        if old is None:
            self._queue.append(new)
            self._save_and_announce()
            self._advance()
            return
        if old.place != source and old.id != self._active_id:
            self._put(dataclasses.replace(new.with_state(old.state, old.problem), id=old.id, folder=old.folder))
        self.resume(old.id)

    def pause(self, download_id: str) -> None:
        entry = self._entry(download_id)
        if entry is not None and entry.state in ("waiting", "running") and not self._is_being_added(entry):
            self._stop(entry, "paused")

    def resume(self, download_id: str) -> None:
        """Resume a download that was paused, has failed or was just cancelled."""
        entry = self._entry(download_id)
        if entry is not None and entry.state in ("paused", "failed", "cancelled"):
            self._put(entry.with_state("waiting"))
            self._save_and_announce()
            self._advance()

    def cancel(self, download_id: str) -> None:
        """Hide the download; its partial files stay until `discard_cancelled`, so that `undo_cancel` can restore it."""
        entry = self._entry(download_id)
        if entry is not None and not self._is_being_added(entry):
            self._stop(entry, "cancelled")

    def undo_cancel(self, download_id: str) -> None:
        """Restore a cancelled download to its position, paused; do nothing if it is deleted already."""
        entry = self._entry(download_id)
        if entry is not None and entry.state == "cancelled":
            self._put(entry.with_state("paused"))
            self._save_and_announce()

    def discard_cancelled(self) -> None:
        """Delete the partial files of cancelled downloads, except those that the child process still writes."""
        for entry in [entry for entry in self._queue if entry.state == "cancelled" and entry.id != self._active_id]:
            self._discard(entry)

    def move(self, download_id: str, index: int) -> None:
        """Move a download to that index among `items`. The running one keeps running."""
        entry = self._entry(download_id)
        if entry is not None:
            others = [other for other in self._queue if other is not entry]
            visible = [other for other in others if other.state != "cancelled"]
            at = others.index(visible[index]) if 0 <= index < len(visible) else len(others)
            self._queue = [*others[:at], entry, *others[at:]]
            self._save_and_announce()

    def set_token(self, token: str, source: str = "") -> None:
        """Keep an access token in memory for the origin of `source`; "": of the hub in the settings."""
        self._credentials.set_token(token, source or hub_address(self._preferences.value))

    def sign_in(self, download_id: str, token: str) -> None:
        """Resume the download with a token for the origin of its source."""
        entry = self._entry(download_id)
        if entry is not None:
            self.set_token(token, entry.place)
            self.resume(download_id)

    def set_proxy_login(self, user: str, password: str) -> None:
        """Keep the login for the settings' proxy in memory."""
        self._credentials.set_proxy_login(user, password)

    def proxy(self) -> str:
        """Return the proxy with its login, for other parts that use the network at the user's request."""
        return self._credentials.access("", self._preferences.value).proxy

    def close(self) -> None:
        """Pause the running download and end the child. Blocks for a moment."""
        self._is_closing = True
        for _, request in self._requests:
            request.cancel()
        self._fetcher.abort(FetchResult("paused"))
        self.discard_cancelled()
        self._save()

    def _keep_found(self, card: ModelCard) -> None:
        try:
            catalogue.keep_found(card)
        except OSError as error:  # a full disk ends the download, too; the model works without its card
            log.warning("the card of a model was not saved: %s", error)

    # ------------------------------------------------------------------- the queue

    def _entry(self, download_id: str) -> QueuedDownload | None:
        return next((entry for entry in self._queue if entry.id == download_id), None)

    def _put(self, entry: QueuedDownload) -> None:
        """Replace the entry with the same id."""
        self._queue = [entry if other.id == entry.id else other for other in self._queue]

    def _is_being_added(self, entry: QueuedDownload) -> bool:
        """Return whether the download is complete and its model is just being added to the list."""
        return self._is_adding and entry.id == self._active_id

    def _stop(self, entry: QueuedDownload, state: str) -> None:
        self._put(entry.with_state(state))
        self._save_and_announce()
        if entry.id == self._active_id:
            self._fetcher.pause()

    def _advance(self) -> None:
        """Begin the first waiting download unless one is running."""
        while not (self._active_id or self._is_closing):
            entry = next((entry for entry in self._queue if entry.state == "waiting"), None)
            if entry is None:
                QTimer.singleShot(0, self, self._fetcher.stop_idle_child)
                return
            try:
                self._begin(entry)
            except AppError as error:
                self._fail(entry, error)

    def _begin(self, entry: QueuedDownload) -> None:
        """Start fetching an entry in the child. Raises AppError."""
        settings = self._preferences.value
        require_network(entry.place, settings)
        entry = download_queue.with_folder(entry, self._library.folder).with_state("running")
        self._put(entry)
        self._active_id = entry.id
        self._step = FetchStep()
        self._time_left.restart()
        self._received[entry.id] = self._received_bytes(entry)
        self._save_and_announce()
        place = entry.place or hub_address(settings)
        access = self._credentials.access(place, settings)
        self._fetcher.fetch(entry, place, Path(entry.folder), access, settings.download_limit_bytes_per_s)

    def _fail(self, entry: QueuedDownload, problem: AppError) -> None:
        failed = entry.with_state("failed", problem)
        self._put(failed)
        self._save_and_announce()
        self.failed.emit(self._view(failed))

    def _discard(self, entry: QueuedDownload) -> None:
        self._queue = [other for other in self._queue if other.id != entry.id]
        self._received.pop(entry.id, None)
        if entry.folder:
            try:
                download_queue.delete_parts(Path(entry.folder), entry)
            except OSError as error:
                log.warning("a cancelled download was not deleted: %s", error)
        self._save_and_announce()

    # ------------------------------------------------------------- events of the child

    def _on_stepped(self, step: FetchStep) -> None:
        entry, before = self._entry(self._active_id), self._step
        if entry is None:
            return
        self._step = step
        arrived = sum(file.size_bytes for file in entry.files if file.has_arrived)
        if step.phase != "repairing":  # the comparison starts at 0, although all bytes have been received
            self._received[entry.id] = arrived + step.done_bytes
        if step.phase != "verifying":
            self._time_left.note(min(1.0, (arrived + step.done_bytes) / max(entry.size_bytes, 1)))
        if entry.state == "running":
            self.progressed.emit(self._view(entry))
            if (step.phase, step.trouble) != (before.phase, before.trouble):
                self.changed.emit()

    def _on_contacted(self, host: str) -> None:
        entry = self._entry(self._active_id)
        self._note_contact(host, phrase("models.fetching_title", title=entry.title) if entry else "")

    def _on_answered(self, _answer: object) -> None:
        self.changed.emit()  # the network is no longer used

    def _note_contact(self, host: str, purpose: str) -> None:
        contact = NetworkContact(host, time.time(), purpose)
        self._contacts.append(contact)
        self.contacted.emit(contact)

    def _on_file_facts(self, job: QueuedDownload) -> None:
        """Store new sizes, checksums and complete files; the entry keeps the state that the user has set meanwhile."""
        entry = self._entry(job.id)
        if entry is not None:
            self._put(job.with_state(entry.state, entry.problem))
            self._save_and_announce()
        try:
            base_models.check_before_weights(job)
        except AppError as error:
            self._fetcher.abort(FetchResult("failed", error))

    def _on_ended(self, result: FetchResult) -> None:
        """End the active entry, which may have been paused or cancelled meanwhile."""
        entry = self._entry(self._active_id)
        assert entry is not None
        self._received[entry.id] = self._received_bytes(entry)
        if result.kind == "done" and entry.state != "cancelled":
            self._add(entry)
            return
        self._active_id = ""
        if result.problem is not None and entry.state == "running":
            self._fail(entry, result.problem)
        elif entry.state == "running":
            self._put(entry.with_state("paused"))
        self._save_and_announce()
        self._advance()

    def _add(self, entry: QueuedDownload) -> None:
        """Describe the complete file and add it to the library."""
        self._is_adding = True
        self._put(entry.with_state("running"))
        self._step = FetchStep("verifying")
        self.changed.emit()
        folder = Path(entry.folder)
        if entry.is_base:
            background.run(lambda: base_models.read_base_folder(folder), self._on_base_read, self._on_not_added)
        else:
            background.run(lambda: _describe(entry, folder), self._on_described, self._on_not_added)

    def _on_described(self, model: LocalModel) -> None:
        try:
            added = self._library.add(model)
        except AppError as error:
            self._on_not_added(error)
            return
        self._finish(self.finished, added)

    def _on_base_read(self, model: HfModel) -> None:
        self._finish(self.base_finished, model.folder)

    def _finish(self, signal: SignalInstance, found: LocalModel | Path) -> None:
        self._queue = [entry for entry in self._queue if entry.id != self._active_id]
        self._received.pop(self._active_id, None)
        self._end_adding()
        signal.emit(found)
        self._advance()

    def _on_not_added(self, error: AppError) -> None:
        entry = self._entry(self._active_id)
        self._end_adding()
        if entry is not None and error.code in download_queue.REFUSED:
            entry = self._delete_refused(entry)
        if entry is not None:
            self._fail(entry, error)
        self._advance()

    def _delete_refused(self, entry: QueuedDownload) -> QueuedDownload:
        """Delete a file that is not the requested model, so that another attempt starts from the beginning."""
        try:
            download_queue.delete_parts(Path(entry.folder), entry)
        except OSError as error:
            log.warning("a refused file was not deleted: %s", error)
        entry = download_queue.replan_download(entry)
        self._received[entry.id] = 0
        return entry

    def _end_adding(self) -> None:
        self._is_adding, self._active_id = False, ""
        self._save_and_announce()

    def _on_preferences(self, settings: Settings) -> None:
        self._fetcher.limit(settings.download_limit_bytes_per_s)
        if not settings.network_allowed and self._is_fetching_online:
            self._fetcher.abort(FetchResult("failed", AppError("network_forbidden")))

    # ------------------------------------------------------------------- file and view

    def _load_queue(self) -> list[QueuedDownload]:
        if self._path is None:
            return []
        known = download_queue.load_queue(self._path)
        return [*known, *download_queue.find_forgotten_downloads(self._library.folder, known)]

    def _received_bytes(self, entry: QueuedDownload) -> int:
        return download_queue.received_bytes(Path(entry.folder), entry) if entry.folder else 0

    def _save_and_announce(self) -> None:
        self._save()
        self.changed.emit()

    def _save(self) -> None:
        if self._path is None:
            return
        try:
            download_queue.save_queue(self._path, self._queue)
        except OSError as error:  # a full disk ends the download, too; the partial files are found without the list
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
            source=host_of(entry.place or hub_address(self._preferences.value)) or entry.place,
            total_bytes=entry.size_bytes,
            done_bytes=received,
            state=step.phase if is_active else entry.state,
            bytes_per_s=step.bytes_per_s,
            seconds_left=self._time_left.seconds if is_active and step.phase != "verifying" else None,
            problem=AppError(step.trouble, done_bytes=received) if step.trouble else entry.problem,
        )


def _describe(queued: QueuedDownload, folder: Path) -> LocalModel:
    """Return the downloaded model, after linking it for other programs where that is wanted. Raises AppError."""
    model = download_queue.downloaded_model(queued, folder)
    if queued.is_shared:
        try:
            hub_models.share_in_cache(queued, folder)
        except OSError as error:  # the model works without
            log.warning("a download was not shared with other programs: %s", error)
    return model
