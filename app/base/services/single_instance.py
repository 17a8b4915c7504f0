"""Allow one window per data folder: a second start brings the first window to the front and ends."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QLockFile, QObject, Signal

from app.base.errors import AppError

log = logging.getLogger("kotae")


@contextmanager
def without_window(lock: Path) -> Iterator[None]:
    """Hold the lock of the window, for commands that change what a window keeps in memory.

    Raises AppError("window_is_open").
    """
    file = QLockFile(str(lock))
    file.setStaleLockTime(0)
    if not file.tryLock(0) and file.error() == QLockFile.LockError.LockFailedError:
        raise AppError("window_is_open")
    try:
        yield
    finally:
        file.unlock()


class SingleInstance(QObject):
    """The lock of a data folder, so that only one window uses it.

    A second instance writes the file `raise_request`, on which the first one emits `raise_requested`.
    """

    raise_requested = Signal()

    def __init__(self, lock: Path, raise_request: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._raise_request = raise_request
        self._lock = QLockFile(str(lock))
        self._lock.setStaleLockTime(0)  # stale only when its process is gone, however long the window is open
        self._is_ours: bool | None = None  # None: `take` was not called yet

    def take(self) -> bool:
        """Try to lock the data folder. Return False only if another process holds the lock.

        Return True also where the lock file cannot be made (unusual file systems), so that the window opens there
        without a lock. Can be called before the QApplication is made.
        """
        is_taken = not self._lock.tryLock(100) and self._lock.error() == QLockFile.LockError.LockFailedError
        self._is_ours = not is_taken or self._take_over()
        return self._is_ours

    def acquire(self) -> bool:
        """Lock the folder and watch for requests.

        If another instance has locked it, return False and ask that one to come to the front.
        """
        is_ours = self.take() if self._is_ours is None else self._is_ours
        if not is_ours:
            self._write("raise\n")
            return False
        self._write("")
        self._watcher = QFileSystemWatcher([str(self._raise_request)], self)
        self._watcher.fileChanged.connect(self._on_touched)
        return True

    def release(self) -> None:
        """Unlock the folder, so that another window may use it."""
        self._lock.unlock()

    def _write(self, text: str) -> None:
        try:
            self._raise_request.write_text(text, "utf-8")
        except OSError as error:  # a full disk: the window opens, but a second start cannot call it to the front
            log.warning("single instance: %s", error)

    def _take_over(self) -> bool:
        """Take the lock over if its owner has ended although the lock file looks valid. Return whether it worked.

        The file may be empty after a power cut, written by another system on this disk, or name a process id that
        another program has now. A living owner keeps the file locked.
        """
        return self._lock.removeStaleLockFile() and self._lock.tryLock(100)

    def _on_touched(self, path: str) -> None:
        if not self._raise_request.exists():  # the user may have deleted it
            self._write("")
        self._watcher.addPath(path)  # dropped by Qt when a file is replaced
        if self._raise_request.stat().st_size > 0:
            self._write("")
            self.raise_requested.emit()
