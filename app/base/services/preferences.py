"""Keep the settings in memory, store each change at once, and emit a signal for it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base import settings
from app.base.errors import AppError


class Preferences(QObject):
    """The current settings. `value` is replaced before `changed` is emitted."""

    changed = Signal(object)  # Settings
    failed = Signal(object)  # AppError

    def __init__(self, path: Path, overrides: Mapping[str, Any] | None = None) -> None:
        """Load the settings from `path`. `overrides`: replace stored values until the user changes them (safe mode)."""
        super().__init__()
        self._path = path
        self._overrides = dict(overrides or {})
        self._stored = settings.load(path)
        self.value: settings.Settings = dataclasses.replace(self._stored, **self._overrides)

    def change(self, **fields: Any) -> None:
        """Store changed fields, and keep what others stored; if that fails, emit `failed` and change nothing."""
        kept = settings.load_stored(self._path) or self._stored
        new = dataclasses.replace(kept, **fields)
        try:
            if new != kept:
                settings.save(self._path, new)
        except OSError as error:
            self.failed.emit(AppError("settings_unsaved", path=str(self._path), reason=error.strerror or str(error)))
            return
        self._stored = new = settings.apply_policy(self._path, new)
        self._overrides = {name: value for name, value in self._overrides.items() if name not in fields}
        new = dataclasses.replace(new, **self._overrides)
        if new != self.value:
            self.value = new
            self.changed.emit(new)
