"""`gate.json` in a run's folder: everything of the gate, for the report, the window and whoever comes later."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from app.base import authenticity, json_lines, wording
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import lines_of
from app.base.files.output_file import drive_error
from app.training.gate import VERSION, Gate, Reason

NAME = "gate.json"


def write(gate: Gate, folder: Path) -> Path:
    """Raises AppError("run_unwritable" | "drive_space")."""
    path = folder / NAME
    told = json.dumps(dataclasses.asdict(gate), ensure_ascii=False).encode("utf-8", "replace")
    try:
        authenticity.write_registered(path, told)
    except OSError as error:
        raise drive_error(error, folder, "run_unwritable") from error
    return path


def read(folder: Path) -> Gate:
    """Raises AppError: gate_missing, gate_unreadable; gate_from_elsewhere for one that was not measured here."""
    path = folder / NAME
    try:
        raw = strict_json.read_bytes(path)
        data = strict_json.loads(raw)
        if not isinstance(data, dict) or data.get("version") != VERSION:
            raise ValueError("another version")
        gate: Gate = json_lines.decode_message({"type": "Gate", **data}, {"Gate": Gate})
    except FileNotFoundError as error:
        raise AppError("gate_missing", id=folder.name) from error
    except (OSError, ValueError) as error:
        raise AppError("gate_unreadable", path=str(path), reason=str(error)[:200]) from error
    if not authenticity.is_registered(NAME, raw):
        raise AppError("gate_from_elsewhere", id=folder.name)
    return gate


def groups_of(rows: Path, numbers: Sequence[int]) -> tuple[str, ...] | None:
    """The group of each of these lines (from 1) of a file of rows; a row without one is its own. None: no such file."""
    try:
        found = {number: _group(line) for number, line in enumerate(lines_of(rows), start=1)}
    except OSError:
        return None
    return tuple(found.get(number) or f"line {number}" for number in numbers)


def _group(line: bytes) -> str:
    try:
        row = strict_json.loads(line)
    except ValueError:
        return ""
    return str(row.get("group") or "") if isinstance(row, dict) else ""


def sentence(reason: Reason) -> str:
    """In the language in use."""
    facts = {name: shown(name, value) for name, value in reason.facts.items()}
    return wording.phrase(f"training.gate_{reason.code}", **facts)


def shown(name: str, value: object) -> object:
    """Nats with three digits, shares as percent, bytes as sizes; the rest as it is."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name.endswith("_nats"):
            return f"{value:+.3f}"
        if name.endswith("_share"):
            return f"{value:.0%}"
        if name.endswith("_bytes"):
            return wording.format_size(int(value))
    return value
