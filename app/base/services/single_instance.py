"""Allow only one window for each data folder: a second start brings the first window to the front and ends."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, Signal

from app.base.errors import AppError
from app.base.services.process_lock import ProcessLock

log = logging.getLogger("kotae")


@contextmanager
def without_window(lock: Path) -> Iterator[None]:
    """Hold the window's lock, for commands that change what a window keeps. Raises AppError("window_is_open")."""
    file = ProcessLock(lock)
    if not file.take():
        raise AppError("window_is_open")
    try:
        yield
    finally:
        file.unlock()


class SingleInstance(QObject):
    """The lock by which one window uses a data folder; a second one writes `raise_request`, the first emits it."""

    raise_requested = Signal()
    file_requested = Signal(
        str
    )  # the path of a file that the second instance was started with; after `raise_requested`

    def __init__(self, lock: Path, raise_request: Path) -> None:
        super().__init__()
        self._raise_request = raise_request
        self._lock = ProcessLock(lock)
        self._is_ours: bool | None = None  # None: `take` was not called yet

    def take(self) -> bool:
        """Lock the data folder. Return False only if another process holds the lock; no QApplication is needed."""
        # The lock file of an ended process may look valid (reused id, other system); the kernel knows who holds it.
        self._is_ours = self._lock.take(100) or (self._lock.removeStaleLockFile() and self._lock.take(100))
        return self._is_ours

    def acquire(self, file: str = "") -> bool:
        """Lock the data folder and watch `raise_request`, or ask the instance that holds it to open `file`; return
        False."""
        is_ours = self.take() if self._is_ours is None else self._is_ours
        if not is_ours:
            self._write(f"{file}\n")
            return False
        self._write("")
        self._watcher = QFileSystemWatcher([str(self._raise_request)], self)
        self._watcher.fileChanged.connect(self._on_touched)
        return True

    def release(self) -> None:
        """Unlock the data folder, so that another window can use it."""
        self._lock.unlock()

    def _write(self, text: str) -> None:
        try:
            self._raise_request.write_text(text, "utf-8", "replace")  # a name may hold bytes that are no text
        except OSError as error:  # a full disk: the window opens, but a second start cannot call it to the front
            log.warning("single instance: %s", error)

    def _on_touched(self, path: str) -> None:
        if not self._raise_request.exists():  # the user may have deleted it
            self._write("")
        self._watcher.addPath(path)  # Qt stops watching a file that is replaced
        text = self._raise_request.read_text("utf-8", "replace")
        if text:
            self._write("")
            self.raise_requested.emit()
        if text.strip():
            self.file_requested.emit(text.removesuffix("\n"))
