"""The modules of the steps, loaded before a step is opened: all at once they would hold the window up."""

import importlib
import pkgutil
import sys
from collections.abc import Iterator

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject, QTimer

from app.base import wording
from app.base.errors import AppError
from app.base.services import background

AFTER_MS = 200  # the page is drawn first
EVERY_MS = 5
_HERE = "app.training.ui"
_PARTS = ("check", "data", "model", "review", "run", "result")
DRAWN = f"{_HERE}.run.curves"
# What they work with, and what takes longest of it. Without Qt: its classes are made by one thread.
_CORE = ("numpy", "app.training.data.distribution", "app.training.data.reviewing", "app.training.runs.report")
_CLASSES = 40  # of Qt in a round: 5 to 15 ms


class Ahead(QObject):
    """Goes on by itself, a piece in a round of the event loop; then it does nothing more."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pieces: Iterator[object] | None = None
        self._timer = QTimer(self, singleShot=True, interval=AFTER_MS)
        self._timer.timeout.connect(self._load_next)
        self._timer.start()

    # ------------------------------------------------------------------- private

    def _load_next(self) -> None:
        if self._pieces is None:
            background.run(_load_core, self._on_core_loaded, self._on_failed)
        elif next(self._pieces, self) is not self:
            self._timer.start(EVERY_MS)

    def _on_core_loaded(self, _nothing: None) -> None:
        self._pieces = _load()
        self._load_next()

    def _on_failed(self, error: AppError) -> None:
        raise error  # loading raises none


def _load_core() -> None:
    wording.error_codes()  # reading its file takes a tenth of a second
    for name in _CORE:
        importlib.import_module(name)


def _load() -> Iterator[object]:
    for name in _modules():
        if name not in sys.modules:
            yield importlib.import_module(name)
    # PySide makes a class when it is first asked for, and pyqtgraph asks for all of them: half of its 200 ms.
    for module in (QtCore, QtGui, QtWidgets):
        names = dir(module)
        for start in range(0, len(names), _CLASSES):
            yield [getattr(module, name, None) for name in names[start : start + _CLASSES]]
    yield importlib.import_module(DRAWN)


def _modules() -> list[str]:
    found = []
    for part in _PARTS:
        package = importlib.import_module(f"{_HERE}.{part}")
        found += [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    return [f"{_HERE}.goal_step", *(name for name in found if name != DRAWN)]
