"""Remember which parts have ended an engine child, so that no model is loaded with them again.

Projectors are remembered in a file, each until its file changes; GPU packs until this program ends, because a driver
may be mended.
"""

import json
from pathlib import Path

from app.base.files import strict_json
from app.base.files.output_file import write_atomically

_file: Path | None = None
_packs: set[tuple[str, ...]] = set()


def use_file(file: Path | None) -> None:
    """Set where this process remembers projectors; None: nowhere. Call once at startup."""
    global _file
    _file = file


def note_packs(packs: tuple[str, ...]) -> None:
    _packs.add(packs)


def forget_packs(packs: tuple[str, ...]) -> None:
    _packs.discard(packs)


def have_packs_crashed(packs: tuple[str, ...]) -> bool:
    return packs in _packs


def note_projector(path: str) -> None:
    """Remember a projector as its file is now. Raises OSError."""
    if _file is not None:
        write_atomically(_file, json.dumps(_projectors() | {path: _mark(path)}).encode())


def forget_projector(path: str) -> None:
    """Let a projector be loaded again, because the user has chosen it again. Raises OSError."""
    if _file is not None and path in (known := _projectors()):
        write_atomically(_file, json.dumps({one: mark for one, mark in known.items() if one != path}).encode())


def has_projector_crashed(path: str) -> bool:
    """Return whether a child ended while it loaded this projector, whose file is still the same."""
    mark = _projectors().get(path)
    return mark is not None and mark == _mark(path)


def _projectors() -> dict[str, list[int]]:
    try:
        known = strict_json.load_file(_file) if _file is not None else {}
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _mark(path: str) -> list[int]:
    """Return size in bytes and time of change of a file; [] if it is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
