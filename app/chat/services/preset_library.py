"""Provide the presets to the window and to commands, with a signal when they change."""

import dataclasses
import uuid
from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Signal

from app.base import wording
from app.base.errors import AppError
from app.chat import presets
from app.chat.presets import KINDS, STANDARD_PRESET, Choices, Preset, PresetFile, PresetTable
from app.models.model_store import ModelStore


class PresetLibrary(QObject):
    """All presets. A change that fails emits `problem_occurred` and returns False, None or []."""

    changed = Signal()
    problem_occurred = Signal(object)  # AppError

    def __init__(self, store: ModelStore) -> None:
        super().__init__()
        self._table = PresetTable(store.database)

    def presets_of_kind(self, kind: str) -> list[Preset]:
        """Return the presets of a kind: chat | action."""
        return [preset for preset in self._table.all_presets(wording.current_language()) if preset.kind == kind]

    def chat_preset(self, preset_id: str | None) -> Preset:
        """Return the preset with this id, or the standard one if there is none."""
        presets = {preset.id: preset for preset in self.presets_of_kind("chat")}
        return presets.get(preset_id or STANDARD_PRESET) or presets[STANDARD_PRESET]

    def original(self, preset_id: str) -> Preset | None:
        """Return a preset as it comes with Kotae, without the user's changes; None for the user's own."""
        shipped = presets.built_in_presets(wording.current_language())
        return next((preset for preset in shipped if preset.id == preset_id), None)

    def free_name(self, kind: str, name: str) -> str:
        """Return `name`, with a number appended if a preset of this kind has that name."""
        return wording.unique_name(name, {preset.name for preset in self.presets_of_kind(kind)}, presets.NAME_MAX)

    def add(self, kind: str, name: str, choices: Choices, request: str = "") -> Preset | None:
        preset = Preset(uuid.uuid4().hex, kind, name, choices, request)
        return preset if self.put(preset) else None

    def add_all(self, imported: Iterable[Preset]) -> list[Preset]:
        """Add presets from elsewhere with new ids and unused names, all or none; return them, [] for none."""
        taken = {kind: {preset.name for preset in self.presets_of_kind(kind)} for kind in KINDS}
        added: list[Preset] = []
        for preset in imported:
            name = wording.unique_name(preset.name, taken[preset.kind], presets.NAME_MAX)
            taken[preset.kind].add(name)
            added.append(dataclasses.replace(preset, id=uuid.uuid4().hex, name=name))
        return added if self._change(lambda: self._table.put(added)) else []

    def add_new(self, imported: Iterable[Preset]) -> list[Preset]:
        """Add presets as `add_all` does, except those that already exist here with the same name and content."""
        here = [dataclasses.replace(preset, id="") for kind in KINDS for preset in self.presets_of_kind(kind)]
        new = [preset for preset in imported if dataclasses.replace(preset, id="") not in here]
        return self.add_all(new) if new else []

    def own_presets(self) -> list[Preset]:
        """Return the presets that the user wrote or changed."""
        return [preset for kind in KINDS for preset in self.presets_of_kind(kind) if preset != self.original(preset.id)]

    def to_kit(self) -> bytes:
        """Return a file of the presets that the user wrote or changed, for a kit; b"" if there are none."""
        own = self.own_presets()
        return presets.file_content(own) if own else b""

    def from_kit(self, content: bytes) -> PresetFile:
        """Read the preset file of a transfer kit. Raises AppError as `parse_presets` does."""
        return presets.parse_presets(content)

    def put(self, preset: Preset) -> bool:
        """Add or change a preset; one that equals the original is not stored. Return whether that succeeded."""
        if preset == self.original(preset.id):
            return self.remove(preset.id)
        return self._change(lambda: self._table.put([preset]))

    def remove(self, preset_id: str) -> bool:
        """Remove a preset, or the user's changes of one that comes with Kotae; return whether it did."""
        return self._change(lambda: self._table.remove(preset_id))

    def _change(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        self.changed.emit()
        return True
