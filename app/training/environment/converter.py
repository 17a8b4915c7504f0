"""llama.cpp's converter, copied into the environment: it must be of the engine's version, so it is never fetched."""

import os
from pathlib import Path

from app.base.errors import AppError
from app.base.files import file_permissions
from app.base.paths import resources
from app.models import training_environment
from app.models.training_environment import CONVERTER, DEVELOPMENT_FOLDER, VERSION_FILE

SCRIPT = "convert_hf_to_gguf.py"
_ROOT = Path(__file__).resolve().parents[3]


def find() -> tuple[Path, str]:
    """A folder with the converter, and its version: the shipped one, else a development one.

    Never the copy of another environment, which nothing vouches for. Raises AppError("converter_not_shipped").
    """
    version = training_environment.engine_version()
    shipped = resources() / CONVERTER
    for folder in (shipped, _ROOT / DEVELOPMENT_FOLDER / CONVERTER):
        if (folder / SCRIPT).is_file() and (found := _version(folder)) and version in (None, found):
            return folder, found
    for folder in _build_folders(version) if version else []:  # the name of its parent tells the version
        if (folder / SCRIPT).is_file():
            return folder, str(version)
    raise AppError("converter_not_shipped", path=str(shipped), version=version or "?")


def copy(source: Path, version: str, environment: Path) -> None:
    """Raises OSError."""
    target = environment / CONVERTER
    file_permissions.copy_folder(source, target)
    (target / VERSION_FILE).write_text(f"{version}\n", encoding="utf-8")


def _version(folder: Path) -> str:
    try:
        return (folder / VERSION_FILE).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _build_folders(version: str) -> list[Path]:
    """Where packaging/llama_build.py keeps what it has built."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    cache = (base if base.is_absolute() else Path.home() / ".cache") / "kotae"
    return sorted(cache.glob(f"build/{version}-*/{CONVERTER}"))
