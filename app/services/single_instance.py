"""One window a data folder. A second start brings the first window to the front and ends."""

from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QLockFile, QObject, Signal


class SingleInstance(QObject):
    """Holds the lock while it lives. The request to come to the front is a file, so that no socket is needed."""

    raise_requested = Signal()

    def __init__(self, lock: Path, raise_request: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._raise_request = raise_request
        self._lock = QLockFile(str(lock))
        self._lock.setStaleLockTime(0)  # stale only when its process is gone, however long the window is open
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._on_touched)

    def acquire(self) -> bool:
        """False when another instance has the folder; it has then been asked to come to the front."""
        if not self._lock.tryLock(100):
            self._raise_request.write_text("raise\n", "utf-8")
            return False
        self._raise_request.write_text("", "utf-8")
        self._watcher.addPath(str(self._raise_request))
        return True

    def _on_touched(self, path: str) -> None:
        self._watcher.addPath(path)  # dropped by Qt when a file is replaced
        if self._raise_request.stat().st_size > 0:
            self._raise_request.write_text("", "utf-8")
            self.raise_requested.emit()
