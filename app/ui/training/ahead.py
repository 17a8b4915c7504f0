"""The modules of the steps, loaded before a step is opened: all at once they would hold the window up."""

import importlib
import pkgutil
import sys

from PySide6.QtCore import QObject, QTimer

from app.core import wording
from app.core.errors import AppError
from app.services import background

AFTER_MS = 200  # the page is drawn first
EVERY_MS = 5
_HERE = "app.ui.training"
_PARTS = ("check", "data", "model", "review", "run", "result")
_DRAWN = f"{_HERE}.run.curves"  # pyqtgraph; loaded when there is a value to be drawn
# What they work with, and what takes longest of it. Without Qt: its classes are made by one thread.
_CORE = ("app.core.datasets.distribution", "app.core.datasets.reviewing", "app.core.training.report")


class Ahead(QObject):
    """Goes on by itself, a module in a round of the event loop; then it does nothing more."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._names: list[str] | None = None
        self._timer = QTimer(self, singleShot=True, interval=AFTER_MS)
        self._timer.timeout.connect(self._load_next)
        self._timer.start()

    # ------------------------------------------------------------------- private

    def _load_next(self) -> None:
        if self._names is None:
            background.run(_load_core, self._on_core_loaded, self._on_failed)
            return
        while self._names:
            name = self._names.pop(0)
            if name not in sys.modules:
                importlib.import_module(name)
                self._timer.start(EVERY_MS)
                return

    def _on_core_loaded(self, _nothing: None) -> None:
        self._names = _modules()
        self._load_next()

    def _on_failed(self, error: AppError) -> None:
        raise error  # loading raises none


def _load_core() -> None:
    wording.codes()  # reading its file takes a tenth of a second
    for name in _CORE:
        importlib.import_module(name)


def _modules() -> list[str]:
    found = []
    for part in _PARTS:
        package = importlib.import_module(f"{_HERE}.{part}")
        found += [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    return [f"{_HERE}.goal_step", *(name for name in found if name != _DRAWN)]
