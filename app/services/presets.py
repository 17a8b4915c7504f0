"""The presets, with a signal when they change."""

import uuid
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.core import wording
from app.core.errors import AppError
from app.core.preset_table import PresetTable
from app.core.presets import STANDARD, Choices, Preset
from app.core.store import Store


class Presets(QObject):
    """What cannot be done (a full disk) changes nothing and is said by `problem_occurred`."""

    changed = Signal()
    problem_occurred = Signal(object)  # AppError

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = PresetTable(store.database)

    def all(self, kind: str) -> list[Preset]:
        """`kind`: chat | action."""
        return [preset for preset in self._table.all(wording.current_language()) if preset.kind == kind]

    def chat_preset(self, preset_id: str | None) -> Preset:
        """The preset with this id; the standard one when there is none (any more)."""
        presets = {preset.id: preset for preset in self.all("chat")}
        return presets.get(preset_id or STANDARD) or presets[STANDARD]

    def add(self, kind: str, name: str, choices: Choices, request: str = "") -> Preset:
        preset = Preset(uuid.uuid4().hex, kind, name, choices, request)
        self.put(preset)
        return preset

    def put(self, preset: Preset) -> None:
        self._change(lambda: self._table.put(preset))

    def remove(self, preset_id: str) -> None:
        """The user's own goes; one that comes with Kotae is as it came again."""
        self._change(lambda: self._table.remove(preset_id))

    def _change(self, work: Callable[[], None]) -> None:
        try:
            work()
        except AppError as error:
            self.problem_occurred.emit(error)
        self.changed.emit()
