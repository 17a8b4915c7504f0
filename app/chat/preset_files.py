"""Read and write preset files, which users exchange. The format is JSON, validated strictly because the files come from
others.

    {"format": "kotae-presets", "version": 1,
     "presets": [{"kind": "chat", "name": "…", "choices": {"temperature": 0.3, …}},
                 {"kind": "action", "name": "…", "request": "…"}]}

Ids are not written: the importing program assigns new ones.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.files.output_file import open_atomically
from app.base.invisible_characters import is_storable_text
from app.base.wording import shorten
from app.chat.presets import KINDS, Choices, Preset, is_preset_name, is_valid_choice

FORMAT = "kotae-presets"
VERSION = 1
SIZE_MAX_BYTES = 1_000_000
PRESETS_MAX = 200
_SHOWN_MAX = 40  # characters of a refused value that an error message shows


class PresetFile(NamedTuple):
    """The presets of a file, without ids, and an error for each entry that could not be read."""

    presets: tuple[Preset, ...]
    problems: tuple[AppError, ...]


def write(path: Path, presets: list[Preset]) -> None:
    """Write presets to a file. Raises AppError as `open_atomically` does."""
    with open_atomically(path) as file:
        file.write(to_bytes(presets))


def to_bytes(presets: Iterable[Preset]) -> bytes:
    document = {"format": FORMAT, "version": VERSION, "presets": [_as_dict(preset) for preset in presets]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def read(path: Path) -> PresetFile:
    """Read a preset file. Raises AppError("preset_file_unreadable") and those of `parse`."""
    try:
        with open_regular(path) as file:
            data = file.read(SIZE_MAX_BYTES + 1)
    except OSError as error:
        raise AppError("preset_file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    return parse(data)


def parse(data: bytes) -> PresetFile:
    """Parse the bytes of a preset file.

    Raises AppError("preset_file_large" | "preset_file_encoding" | "preset_file_foreign" | "preset_file_newer" |
    "preset_file_empty" | "preset_file_many").
    """
    if len(data) > SIZE_MAX_BYTES:
        raise AppError("preset_file_large", limit_mb=SIZE_MAX_BYTES // 1_000_000)
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
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise AppError("preset_file_foreign")
    version, entries = document.get("version"), document.get("presets")
    if version != VERSION or isinstance(version, bool):
        raise AppError("preset_file_newer", version=_value_text(version), known=VERSION)
    if not isinstance(entries, list):
        raise AppError("preset_file_foreign")
    if not entries:
        raise AppError("preset_file_empty")
    if len(entries) > PRESETS_MAX:
        raise AppError("preset_file_many", count=len(entries), limit=PRESETS_MAX)
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
    for field in [*wanted, *(key for key in values if key not in wanted)]:
        _require(number, field, values.get(field), _is_valid_value(field, values.get(field)) and field in wanted)
    choices = entry.get("choices", {})
    for field, value in choices.items():
        _require(number, field, value, is_valid_choice(field, value))
    return Preset("", values["kind"], values["name"], Choices(**choices), values.get("request", ""))


def _is_valid_value(field: str, value: Any) -> bool:
    if field == "kind":
        return value in KINDS
    return is_preset_name(value) if field == "name" else is_storable_text(value) and value.strip() != ""


def _require(number: int, field: str, value: Any, is_right: bool) -> None:
    if not is_right:
        raise AppError("preset_entry_value", number=number, field=_shorten(field), value=_value_text(value))


def _value_text(value: Any) -> str:
    return _shorten(json.dumps(value, ensure_ascii=False, default=str))


def _shorten(text: str) -> str:
    """Shorten a text for an error message, and replace lone surrogates, which no output can encode."""
    return shorten(text.encode("utf-8", "replace").decode("utf-8"), _SHOWN_MAX)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """Return the JSON object of the pairs. When a key occurs twice, return None, which every caller refuses, because
    either value could be meant."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else None
