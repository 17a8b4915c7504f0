"""How to answer: instructions and sampling under a name, and what comes into force when several levels speak.

The presets: those that come with Kotae, changed ones in their place, and the user's own.
"""

import dataclasses
import functools
import json
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.base import invisible_characters, wording
from app.base.database import Database
from app.base.invisible_characters import is_storable_text
from app.base.paths import resources
from app.models.catalogue import ModelCard

STANDARD_PRESET = "standard"  # the preset of new conversations until the user chooses another

# Lowest and highest value; the engine accepts what lies between (app/inference/engine/generation.py).
LIMITS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 5),
    "top_k": (0, 1000),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "repeat_penalty": (0.5, 2),
    "max_tokens": (1, 1 << 20),
    "seed": (0, (1 << 32) - 1),
}
_WHOLE = ("top_k", "max_tokens", "seed")

KINDS = ("chat", "action")
NAME_MAX = 40  # characters


@dataclass(frozen=True, slots=True)
class Choices:
    """None leaves a value to the level below: conversation, preset, model card, program."""

    system_prompt: str | None = None
    temperature: float | None = None
    top_k: int | None = None  # 0: no limit
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None  # 1: none
    max_tokens: int | None = None
    seed: int | None = None  # None at every level: drawn anew for each answer

    def over(self, below: "Choices") -> "Choices":
        """These choices, and where they are silent those of the level below."""
        return Choices(
            **{
                field.name: getattr(below, field.name) if (own := getattr(self, field.name)) is None else own
                for field in dataclasses.fields(self)
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Only what is chosen."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Any) -> "Choices":
        """What is valid in `data`, which may come from a file: one bad value costs only itself."""
        if not isinstance(data, dict):
            return cls()
        return cls(**{key: value for key, value in data.items() if is_valid_choice(key, value)})


@dataclass(frozen=True, slots=True)
class Preset:
    """`kind` chat: how a conversation is answered. `kind` action: a request about an answer, one click away."""

    id: str
    kind: str
    name: str
    choices: Choices = Choices()
    request: str = ""  # of an action: what is asked
    is_built_in: bool = False


PROGRAM_DEFAULTS = Choices(
    system_prompt="", temperature=0.6, top_k=40, top_p=0.95, min_p=0.05, repeat_penalty=1.0, max_tokens=1024
)


def is_valid_choice(key: str, value: Any) -> bool:
    """Whether `value` may stand in the field `key` of Choices."""
    if key == "system_prompt":
        return is_storable_text(value)
    if key not in LIMITS or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high = LIMITS[key]
    return low <= value <= high and (key not in _WHOLE or isinstance(value, int))


def is_preset_name(value: Any) -> bool:
    """Whether `value` can name a preset: one line that can be seen."""
    is_short = is_storable_text(value, NAME_MAX) and value != "" and value == value.strip()
    return is_short and invisible_characters.is_single_line(value)


def unique_name(name: str, taken: Collection[str]) -> str:
    """`name`, or with the first number from 2 that makes it another than those `taken`."""
    if name not in taken:
        return name
    numbered = re.fullmatch(r"(.+?) ?[(\uff08]\d+[)\uff09]", name)  # a copy of a copy counts on
    stem = numbered.group(1) if numbered else name
    number, found = 2, name
    while found in taken:
        tail = wording.phrase("common.numbered_name", name="", n=number)
        found = wording.phrase("common.numbered_name", name=stem[: NAME_MAX - len(tail)].rstrip(), n=number)
        number += 1
    return found


def in_force(card: ModelCard | None, *levels: Choices) -> Choices:
    """What holds for one answer. `levels`: the most particular first. Only `seed` may stay None."""
    below = PROGRAM_DEFAULTS
    if card is not None:
        recommended = Choices(system_prompt=card.system_prompt or None, **dataclasses.asdict(card.sampling))
        below = recommended.over(below)
    for level in reversed(levels):
        below = level.over(below)
    return below


@functools.cache
def built_in_presets(language: str = "ja") -> tuple[Preset, ...]:
    """The presets of `resources/presets.toml`."""
    document = tomllib.loads((resources() / "presets.toml").read_text("utf-8"))
    return tuple(
        Preset(
            entry["id"],
            kind,
            entry[f"name_{language}"],
            Choices(system_prompt=entry.get(f"system_prompt_{language}"), **entry.get("choices", {})),
            entry.get(f"request_{language}", ""),
            is_built_in=True,
        )
        for kind in KINDS
        for entry in document[kind]
    )


class PresetTable:
    """Raises AppError as `Database` does."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self, language: str = "ja") -> list[Preset]:
        """Those that come with Kotae first (as the user changed them), then the user's own by name."""
        found = self._db.read_as(_preset_from_row, "SELECT * FROM preset ORDER BY name, id")
        stored = {preset.id: preset for preset in found}
        built_in = built_in_presets(language)
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


def _preset_from_row(row: Any) -> Preset:
    body = json.loads(row["body"])
    return Preset(row["id"], row["kind"], row["name"], Choices.from_dict(body.get("choices")), body.get("request", ""))
