"""The presets, with a signal when they change."""

import dataclasses
import uuid
from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Signal

from app.base import wording
from app.base.errors import AppError
from app.chat import preset_files, presets
from app.chat.preset_files import PresetFile
from app.chat.presets import KINDS, STANDARD_PRESET, Choices, Preset, PresetTable
from app.models.model_store import ModelStore


class PresetLibrary(QObject):
    """What cannot be done (a full disk) changes nothing, is said by `problem_occurred`, and gives False or None."""

    changed = Signal()
    problem_occurred = Signal(object)  # AppError

    def __init__(self, store: ModelStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = PresetTable(store.database)

    def all(self, kind: str) -> list[Preset]:
        """`kind`: chat | action."""
        return [preset for preset in self._table.all(wording.current_language()) if preset.kind == kind]

    def chat_preset(self, preset_id: str | None) -> Preset:
        """The preset with this id; the standard one when there is none (any more)."""
        presets = {preset.id: preset for preset in self.all("chat")}
        return presets.get(preset_id or STANDARD_PRESET) or presets[STANDARD_PRESET]

    def original(self, preset_id: str) -> Preset | None:
        """What comes with Kotae under this id, as it came."""
        shipped = presets.built_in_presets(wording.current_language())
        return next((preset for preset in shipped if preset.id == preset_id), None)

    def free_name(self, kind: str, name: str) -> str:
        """`name`, numbered when there is a preset of that name."""
        return presets.unique_name(name, {preset.name for preset in self.all(kind)})

    def add(self, kind: str, name: str, choices: Choices, request: str = "") -> Preset | None:
        preset = Preset(uuid.uuid4().hex, kind, name, choices, request)
        return preset if self.put(preset) else None

    def add_all(self, strangers: Iterable[Preset]) -> list[Preset]:
        """Adds presets that come from elsewhere, under ids of their own and under names that were free. All or none."""
        taken = {kind: {preset.name for preset in self.all(kind)} for kind in KINDS}
        added: list[Preset] = []
        for stranger in strangers:
            name = presets.unique_name(stranger.name, taken[stranger.kind])
            taken[stranger.kind].add(name)
            added.append(dataclasses.replace(stranger, id=uuid.uuid4().hex, name=name))
        return added if self._change(lambda: self._table.put(added)) else []

    def add_new(self, strangers: Iterable[Preset]) -> list[Preset]:
        """As `add_all`, without those that are here already under the same name."""
        here = [dataclasses.replace(preset, id="") for kind in KINDS for preset in self.all(kind)]
        new = [stranger for stranger in strangers if dataclasses.replace(stranger, id="") not in here]
        return self.add_all(new) if new else []

    def own(self) -> list[Preset]:
        """What the user has written or changed."""
        return [preset for kind in KINDS for preset in self.all(kind) if preset != self.original(preset.id)]

    def to_kit(self) -> bytes:
        """Return what a transfer kit of models carries: the file of the user's own presets; b"" without any."""
        own = self.own()
        return preset_files.to_bytes(own) if own else b""

    def from_kit(self, content: bytes) -> PresetFile:
        """Read that file. Raises AppError as `preset_files.parse`."""
        return preset_files.parse(content)

    def put(self, preset: Preset) -> bool:
        """Adds a preset or changes it. One that comes with Kotae and is as it came is not stored."""
        if preset == self.original(preset.id):
            return self.remove(preset.id)
        return self._change(lambda: self._table.put([preset]))

    def remove(self, preset_id: str) -> bool:
        """The user's own goes; one that comes with Kotae is as it came again."""
        return self._change(lambda: self._table.remove(preset_id))

    def _change(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        self.changed.emit()
        return True
