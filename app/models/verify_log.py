"""How the last verification of each model ended, so that it can be told long afterwards: one small file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.models.verify import Verdict

NAME = "verified.json"

_STATES = ("sound", "first", "changed", "damaged", "missing")


@dataclass(frozen=True, slots=True)
class LastVerified:
    """`state` as in `Verdict`; `at`: seconds since 1970."""

    state: str
    at: float
    problem: AppError | None = None


def load(path: Path) -> dict[str, LastVerified]:
    """By the ids of models. What cannot be read was never verified."""
    try:
        data = strict_json.load_file(path)
    except (OSError, ValueError):
        return {}
    entries = data.items() if isinstance(data, dict) else ()
    return {key: found for key, entry in entries if (found := _read(entry)) is not None}


def note(path: Path, verdicts: Sequence[Verdict], at: float) -> dict[str, LastVerified]:
    """Adds these to the file, and gives all that is in it. A disk that is full costs the note alone."""
    known = load(path) | {verdict.model.id: LastVerified(verdict.state, at, verdict.problem) for verdict in verdicts}
    data = {key: _written(entry) for key, entry in known.items()}
    try:
        write_atomically(path, json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
    except OSError:
        return known
    return known


def _read(entry: Any) -> LastVerified | None:
    if not isinstance(entry, dict):
        return None
    state, at, code, facts = (entry.get(name) for name in ("state", "at", "code", "facts"))
    if state not in _STATES or not isinstance(at, int | float):
        return None
    problem = AppError(code, **facts) if isinstance(code, str) and isinstance(facts, dict) else None
    return LastVerified(state, at, problem)


def _written(entry: LastVerified) -> dict[str, Any]:
    written: dict[str, Any] = {"state": entry.state, "at": entry.at}
    if entry.problem is not None:
        facts = {
            key: value if isinstance(value, int | float) else str(value) for key, value in entry.problem.facts.items()
        }
        written |= {"code": entry.problem.code, "facts": facts}
    return written
