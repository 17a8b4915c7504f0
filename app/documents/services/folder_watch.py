"""Look at the files of all collections each minute, and report collections whose files have changed.

Listing 1,000 files takes 7 ms. Each collection has a thread, so a server that no longer answers delays nothing else;
folders of a network send no notifications.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.base.services import background
from app.documents.collection_updates import FileVersions, ScanResult, scan_sources

LOOK_EVERY_MS = 60_000


class FolderWatch(QObject):
    """The looks at the files of the collections. It rests until `start`."""

    # Id of a collection to compare with its files, the ScanResult of this look, and the versions that the last look
    # has found in a tuple, empty for the first look: a file that differs in them may be half written.
    differed = Signal(int, object, object)

    def __init__(self, sources: Callable[[], dict[int, list[Path]]], parent: QObject) -> None:
        """Create a watch. `sources`: returns the files and folders of each collection by its id."""
        super().__init__(parent)
        self._sources = sources
        self._versions: dict[int, FileVersions] = {}  # found by the last look
        self._settled: set[int] = set()  # collections of which all differences were reported
        self._looking: set[int] = set()  # collections whose look has not ended
        self._timer = QTimer(self, interval=LOOK_EVERY_MS, timerType=Qt.TimerType.VeryCoarseTimer)
        self._timer.timeout.connect(self.look)

    @property
    def is_on(self) -> bool:
        return self._timer.isActive()

    def start(self) -> None:
        self._timer.start()
        self.look()

    def stop(self) -> None:
        self._timer.stop()

    def look(self) -> None:
        """Look at all collections, except those whose last look has not ended."""
        all_sources = self._sources()
        self._versions = {key: versions for key, versions in self._versions.items() if key in all_sources}
        for collection_id, sources in all_sources.items():
            if collection_id not in self._looking:
                self._looking.add(collection_id)
                background.run_detached(partial(scan_sources, sources), partial(self._on_looked, collection_id))

    def report_again(self) -> None:
        """Report each collection at the next look, because files may have changed while they were read."""
        self._settled.clear()

    def _on_looked(self, collection_id: int, scan: ScanResult) -> None:
        self._looking.discard(collection_id)
        last, now = self._versions.get(collection_id), scan.versions
        self._versions[collection_id] = now
        if now != last:
            self._settled.discard(collection_id)
        elif collection_id in self._settled:
            return
        else:
            self._settled.add(collection_id)
        self.differed.emit(collection_id, scan, () if last is None else (last,))
