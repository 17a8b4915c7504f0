"""Define presets, which are named instructions and sampling values, and decide which values apply to an answer.

A conversation, its preset and the model card may each leave a value undefined; the next of these levels then decides
(`in_force`). The table stores the user's own presets and the user's changes of those that come with Kotae. Users
exchange presets in files of JSON, which are validated strictly because they come from others:

    {"format": "kotae-presets", "version": 1,
     "presets": [{"kind": "chat", "name": "…", "choices": {"temperature": 0.3, …}},
                 {"kind": "action", "name": "…", "request": "…"}]}

Ids are not written: the importing program assigns new ones.
"""

import dataclasses
import functools
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from app.base.database import Database
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.files.output_file import open_atomically
from app.base.invisible_characters import is_single_line, is_storable_text
from app.base.paths import resources
from app.base.wording import shorten
from app.models.catalogue import ModelCard

STANDARD_PRESET = "standard"  # the preset of new conversations until the user chooses another

# Lowest and highest value of each field; the engine accepts everything between them
# (app/inference/engine/generation.py).
LIMITS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 5),
    "top_k": (0, 1000),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "repeat_penalty": (0.5, 2),
    "max_tokens": (1, 1 << 20),
    "thought_tokens": (0, 1 << 20),
    "seed": (0, (1 << 32) - 1),
}
_WHOLE = ("top_k", "max_tokens", "thought_tokens", "seed")

KINDS = ("chat", "action")
NAME_MAX = 40  # characters


@dataclass(frozen=True, slots=True)
class Choices:
    """Instructions and sampling values. None leaves a value to the next level, in this order: conversation, preset,
    model card, program defaults."""

    system_prompt: str | None = None
    temperature: float | None = None
    top_k: int | None = None  # 0: no limit
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None  # 1: no penalty
    max_tokens: int | None = None
    seed: int | None = None  # None at every level: each answer gets a new random seed
    thought_tokens: int | None = None  # 0: no thoughts before the answer; None at every level: as the model does

    def with_defaults(self, below: "Choices") -> "Choices":
        """Return these choices, with each None replaced by the value of `below`."""
        return Choices(
            **{
                field.name: getattr(below, field.name) if (own := getattr(self, field.name)) is None else own
                for field in dataclasses.fields(self)
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a dictionary, without those that are None."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Any) -> "Choices":
        """Return the valid values of `data`, which may come from a file; ignore invalid ones."""
        if not isinstance(data, dict):
            return cls()
        return cls(**{key: value for key, value in data.items() if is_valid_choice(key, value)})


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset. "chat" sets how a conversation is answered; "action" is a request about an answer."""

    id: str
    kind: str
    name: str
    choices: Choices = Choices()
    request: str = ""  # text of the request of an action; "" for a chat preset
    is_built_in: bool = False


PROGRAM_DEFAULTS = Choices(
    system_prompt="", temperature=0.6, top_k=40, top_p=0.95, min_p=0.05, repeat_penalty=1.0, max_tokens=1024
)


def is_valid_choice(key: str, value: Any) -> bool:
    """Return whether the field `key` of `Choices` can hold `value`."""
    if key == "system_prompt":
        return is_storable_text(value)
    if key not in LIMITS or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high = LIMITS[key]
    return low <= value <= high and (key not in _WHOLE or isinstance(value, int))


def is_preset_name(value: Any) -> bool:
    """Return whether `value` can name a preset: one visible line."""
    is_short = is_storable_text(value, NAME_MAX) and value != "" and value == value.strip()
    return is_short and is_single_line(value)


def in_force(card: ModelCard | None, *levels: Choices) -> Choices:
    """Return the values that apply to one answer; only `thought_tokens` and `seed` can be None.

    `levels` are ordered from the most specific one, the conversation. `card` None: the model has no card.
    """
    below = PROGRAM_DEFAULTS
    if card is not None:
        own = Choices(system_prompt=card.system_prompt or None, thought_tokens=card.thought_tokens)
        recommended = dataclasses.replace(own, **dataclasses.asdict(card.sampling))
        below = recommended.with_defaults(below)
    for level in reversed(levels):
        below = level.with_defaults(below)
    return below


@functools.cache
def built_in_presets(language: str = "ja") -> tuple[Preset, ...]:
    """Return the presets of `resources/presets.toml` in a language, "ja" or "en"."""
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
    """Reads and changes the table of presets. Methods raise AppError as `Database` does."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all_presets(self, language: str = "ja") -> list[Preset]:
        """Return the presets that come with Kotae, as changed by the user, then the user's own, sorted by name."""
        found = self._db.read_as(_preset_from_row, "SELECT * FROM preset ORDER BY name, id")
        stored = {preset.id: preset for preset in found}
        built_in = built_in_presets(language)
        known = {preset.id for preset in built_in}
        shipped = [_changed(preset, stored.get(preset.id)) for preset in built_in]
        return shipped + [preset for preset in stored.values() if preset.id not in known]

    def put(self, presets: Iterable[Preset]) -> None:
        """Add presets, replacing those with the same ids; store all of them or none."""
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
        """Delete one of the user's presets, or the user's changes of one that comes with Kotae."""
        with self._db.transaction():
            self._db.write("DELETE FROM preset WHERE id = ?", preset_id)


def _changed(preset: Preset, stored_preset: Preset | None) -> Preset:
    return preset if stored_preset is None else dataclasses.replace(stored_preset, kind=preset.kind, is_built_in=True)


def _preset_from_row(row: Any) -> Preset:
    body = json.loads(row["body"])
    return Preset(row["id"], row["kind"], row["name"], Choices.from_dict(body.get("choices")), body.get("request", ""))


FILE_FORMAT = "kotae-presets"
FILE_VERSION = 1
FILE_BYTES_MAX = 1_000_000
FILE_PRESETS_MAX = 200
_SHOWN_CHARACTERS = 40  # characters of a refused value that an error message shows


class PresetFile(NamedTuple):
    """The presets of a file, without ids, and an error for each entry that could not be read."""

    presets: tuple[Preset, ...]
    problems: tuple[AppError, ...]


def write_presets(path: Path, presets: list[Preset]) -> None:
    """Write presets to a file. Raises AppError as `open_atomically` does."""
    with open_atomically(path) as file:
        file.write(file_content(presets))


def file_content(presets: Iterable[Preset]) -> bytes:
    document = {"format": FILE_FORMAT, "version": FILE_VERSION, "presets": [_as_dict(preset) for preset in presets]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def read_presets(path: Path) -> PresetFile:
    """Read a preset file. Raises AppError("preset_file_unreadable") and those of `parse_presets`."""
    try:
        with open_regular(path) as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise AppError("preset_file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    return parse_presets(data)


def parse_presets(data: bytes) -> PresetFile:
    """Parse the bytes of a preset file.

    Raises AppError("preset_file_large" | "preset_file_encoding" | "preset_file_foreign" | "preset_file_newer" |
    "preset_file_empty" | "preset_file_many").
    """
    if len(data) > FILE_BYTES_MAX:
        raise AppError("preset_file_large", limit_mb=FILE_BYTES_MAX // 1_000_000)
    try:
        document = strict_json.loads(data, object_pairs_hook=_unambiguous)
    except UnicodeDecodeError as error:
        raise AppError("preset_file_encoding") from error
    except ValueError as error:
        raise AppError("preset_file_foreign") from error
    entries = _entries(document)
    presets, problems = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            presets.append(_preset(number, entry))
        except AppError as error:
            problems.append(error)
    return PresetFile(tuple(presets), tuple(problems))


def _entries(document: Any) -> list[Any]:
    if not isinstance(document, dict) or document.get("format") != FILE_FORMAT:
        raise AppError("preset_file_foreign")
    version, entries = document.get("version"), document.get("presets")
    if version != FILE_VERSION or isinstance(version, bool):
        raise AppError("preset_file_newer", version=_value_text(version), known=FILE_VERSION)
    if not isinstance(entries, list):
        raise AppError("preset_file_foreign")
    if not entries:
        raise AppError("preset_file_empty")
    if len(entries) > FILE_PRESETS_MAX:
        raise AppError("preset_file_many", count=len(entries), limit=FILE_PRESETS_MAX)
    return entries


def _as_dict(preset: Preset) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": preset.kind, "name": preset.name}
    if preset.kind == "action":
        entry["request"] = preset.request
    return {**entry, "choices": preset.choices.as_dict()}


def _preset(number: int, entry: Any) -> Preset:
    """Return the preset of one entry of the file. `number` is its number from 1, for error messages.

    Raises AppError("preset_entry_shape" | "preset_entry_value") for anything invalid; nothing is repaired or ignored.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("choices", {}), dict):
        raise AppError("preset_entry_shape", number=number)
    values = {key: value for key, value in entry.items() if key != "choices"}
    wanted = ("kind", "name", "request") if values.get("kind") == "action" else ("kind", "name")
    named = {field: values.get(field) for field in [*wanted, *values]}
    found = [(field, value, field in wanted and _FILE_FIELDS[field](value)) for field, value in named.items()]
    choices = entry.get("choices", {})
    found += [(field, value, is_valid_choice(field, value)) for field, value in choices.items()]
    for field, value, is_right in found:
        if not is_right:
            raise AppError("preset_entry_value", number=number, field=_shorten(field), value=_value_text(value))
    return Preset("", values["kind"], values["name"], Choices(**choices), values.get("request", ""))


_FILE_FIELDS: dict[str, Callable[[Any], bool]] = {
    "kind": lambda value: value in KINDS,
    "name": is_preset_name,
    "request": lambda value: is_storable_text(value) and value.strip() != "",
}


def _value_text(value: Any) -> str:
    return _shorten(json.dumps(value, ensure_ascii=False, default=str))


def _shorten(text: str) -> str:
    """Shorten a text for an error message, and replace lone surrogates, which no output can encode."""
    return shorten(text.encode("utf-8", "replace").decode("utf-8"), _SHOWN_CHARACTERS)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """Return an object; None, which every caller refuses, when a key occurs twice: either could be meant."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else None
