"""The presets: those that come with Kotae, changed ones in their place, and the user's own."""

import json
from collections.abc import Iterable
from typing import Any

from app.base.database import Database
from app.chat import presets
from app.chat.presets import Choices, Preset


class PresetTable:
    """Raises AppError as `Database` does."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self, language: str = "ja") -> list[Preset]:
        """Those that come with Kotae first (as the user changed them), then the user's own by name."""
        found = self._db.read_as(_preset, "SELECT * FROM preset ORDER BY name, id")
        stored = {preset.id: preset for preset in found}
        built_in = presets.built_in(language)
        known = {preset.id for preset in built_in}
        shipped = [_changed(preset, stored.get(preset.id)) for preset in built_in]
        return shipped + [preset for preset in stored.values() if preset.id not in known]

    def put(self, presets: Iterable[Preset]) -> None:
        """Adds presets or replaces those with their ids: all or none."""
        with self._db.transaction():
            for preset in presets:
                body = {"choices": preset.choices.as_dict(), "request": preset.request}
                self._db.write(
                    "INSERT OR REPLACE INTO preset(id, kind, name, body) VALUES (?, ?, ?, ?)",
                    preset.id,
                    preset.kind,
                    preset.name,
                    json.dumps(body, ensure_ascii=False),
                )

    def remove(self, preset_id: str) -> None:
        """Forgets the user's preset; one that comes with Kotae is as it came again."""
        with self._db.transaction():
            self._db.write("DELETE FROM preset WHERE id = ?", preset_id)


def _changed(preset: Preset, stored: Preset | None) -> Preset:
    if stored is None:
        return preset
    return Preset(preset.id, preset.kind, stored.name, stored.choices, stored.request, is_built_in=True)


def _preset(row: Any) -> Preset:
    body = json.loads(row["body"])
    return Preset(row["id"], row["kind"], row["name"], Choices.from_dict(body.get("choices")), body.get("request", ""))
