"""The settings, with a signal when they change."""

import dataclasses
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.core import settings
from app.core.settings import Settings


class Preferences(QObject):
    changed = Signal(object)  # Settings

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self.value: Settings = settings.load(path)

    def change(self, **fields: Any) -> None:
        """Stores the changed fields at once. Raises OSError when the file cannot be written; nothing changes then."""
        new = dataclasses.replace(self.value, **fields)
        if new == self.value:
            return
        settings.save(self._path, new)
        self.value = new
        self.changed.emit(new)
