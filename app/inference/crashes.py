"""Remember which parts have ended an engine child, so that no model is loaded with them again.

Projectors are remembered in a file, each until its file or Kotae's version changes; GPU packs until this program ends,
because a driver may be mended.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

from app import __version__
from app.base.files import strict_json, work_folder
from app.base.files.output_file import write_atomically

crashed_packs: set[tuple[str, ...]] = set()
_file: Path | None = None


def use_file(file: Path | None) -> None:
    """Set where this process remembers projectors; None: nowhere. Call once at startup."""
    global _file
    _file = file


def note_projector(path: str) -> None:
    """Remember a projector as its file is now."""
    _change(path, _mark(path))


def forget_projector(path: str) -> None:
    """Let a projector be loaded again, because the user has chosen it again."""
    if path in _projectors():
        _change(path, None)


def has_projector_crashed(path: str) -> bool:
    """Return whether a child ended while it loaded or used this projector, whose file is still the same."""
    mark = _projectors().get(path)
    return mark is not None and mark == _mark(path)


def _projectors() -> dict[str, Any]:
    try:
        known = strict_json.load_file(_file, strict_json.MAX_BYTES) if _file is not None else {}
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _change(path: str, mark: list[str | int] | None) -> None:
    """Store the mark of one projector, None to remove it, and keep what other processes store at the same time."""
    if _file is None:
        return
    with contextlib.suppress(OSError):  # also if another process holds the lock for too long: they are tried once more
        lock = work_folder.acquire_lock(_file.with_name(f"{_file.name}.lock"))
        try:
            known = {name: other for name, other in _projectors().items() if name != path}
            write_atomically(_file, json.dumps(known if mark is None else known | {path: mark}).encode())
        finally:
            lock.release()


def _mark(path: str) -> list[str | int]:
    """Return Kotae's version, size in bytes and time of change of a file; [] if it is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return []
    return [__version__, status.st_size, status.st_mtime_ns]
