"""One window a data folder. A second start brings the first window to the front and ends."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QLockFile, QObject, Signal

from app.base.errors import AppError

log = logging.getLogger("kotae")


@contextmanager
def without_window(lock: Path) -> Iterator[None]:
    """For commands that change what a window holds in its memory. Raises AppError("window_is_open")."""
    held = QLockFile(str(lock))
    held.setStaleLockTime(0)
    if not held.tryLock(0) and held.error() == QLockFile.LockError.LockFailedError:
        raise AppError("window_is_open")
    try:
        yield
    finally:
        held.unlock()


class SingleInstance(QObject):
    """Holds the lock while it lives. The request to come to the front is a file, so that no socket is needed."""

    raise_requested = Signal()

    def __init__(self, lock: Path, raise_request: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._raise_request = raise_request
        self._lock = QLockFile(str(lock))
        self._lock.setStaleLockTime(0)  # stale only when its process is gone, however long the window is open
        self._is_ours: bool | None = None  # None: nobody has asked

    def take(self) -> bool:
        """Whether the folder is ours. Needs no application yet; `acquire` does the rest.

        A lock that cannot be made for another reason (odd file systems) does not keep the window shut.
        """
        is_taken = not self._lock.tryLock(100) and self._lock.error() == QLockFile.LockError.LockFailedError
        self._is_ours = not is_taken or self._take_over()
        return self._is_ours

    def acquire(self) -> bool:
        """False when another instance has the folder; it has then been asked to come to the front."""
        is_ours = self.take() if self._is_ours is None else self._is_ours
        if not is_ours:
            self._write("raise\n")
            return False
        self._write("")
        self._watcher = QFileSystemWatcher([str(self._raise_request)], self)
        self._watcher.fileChanged.connect(self._on_touched)
        return True

    def release(self) -> None:
        """Another window may have the folder from now on."""
        self._lock.unlock()

    def _write(self, text: str) -> None:
        try:
            self._raise_request.write_text(text, "utf-8")
        except OSError as error:  # a full disk: the window opens, only nobody can call it to the front
            log.warning("single instance: %s", error)

    def _take_over(self) -> bool:
        """A lock that nobody holds, though it does not say so: empty after a power cut, written under another system
        on this disk, or with the number that some other program has by now. A living owner keeps the file locked."""
        return self._lock.removeStaleLockFile() and self._lock.tryLock(100)

    def _on_touched(self, path: str) -> None:
        if not self._raise_request.exists():  # tidied away by somebody
            self._write("")
        self._watcher.addPath(path)  # dropped by Qt when a file is replaced
        if self._raise_request.stat().st_size > 0:
            self._write("")
            self.raise_requested.emit()
