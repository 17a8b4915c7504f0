"""Base Pythons of our own: unpacked from an archive of a kit, or put there by uv. Each in a folder that never moves.

An archive is laid out as python-build-standalone's "install_only": `python/bin/python3`; `python/python.exe` on
Windows.
"""

import os
import shutil
import tarfile
from pathlib import Path

from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.models import training_environment
from app.training.environment import folders
from app.training.environment.folders import Folders, unwritable


def programs(where: Folders) -> list[Path]:
    """What is there, unpacked here or by uv."""
    names = ("python.exe", "*/python.exe") if os.name == "nt" else ("bin/python3", "*/bin/python3")
    return sorted(path for name in names for path in where.pythons.glob(f"*/{name}"))


def trusted(where: Folders, data: Path) -> list[Path]:
    """Return the programs beside the environment that is in use; none in a folder that something else may have filled.

    `data`: the data folder, which knows where that environment is.
    """
    is_known = any(folders.is_same(where.base, base) for base in (training_environment.base_folder(data), data))
    return programs(where) if is_known and training_environment.is_ours(where.final, data) else []


def unpack(archive: Path, sha256: str, where: Folders) -> None:
    """For `programs` to find. `archive`: verified, with a hash that is pinned. Raises AppError.

    One that is there already is replaced: it does not work.
    """
    target, half = where.pythons / sha256[:16], where.discarded / "python"
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(half, filter="data")  # nothing outside, no devices, no absolute links
        where.pythons.mkdir(mode=0o700, exist_ok=True)
        if target.exists():
            target.rename(where.discarded / target.name)
        half.rename(target)
    except (EOFError, tarfile.TarError) as error:
        raise AppError("python_archive_unusable", path=str(archive), reason=str(error)) from error
    except OSError as error:
        raise unwritable(error, where.pythons) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)  # a full disk


def discard_unused(where: Folders, data: Path) -> None:
    """Those that neither the environment in use nor the one before is made from, if these are of this data folder."""
    if not where.pythons.is_dir():
        return
    ours = [folder for folder in (where.final, where.old) if training_environment.is_ours(folder, data)]
    used = {folder for home in map(_home, ours) if home for folder in Path(home).resolve().parents}
    for folder in where.pythons.iterdir():
        if folder.resolve() not in used:
            shutil.rmtree(folder, ignore_errors=True)  # the next attempt tries again
    if not any(where.pythons.iterdir()):
        shutil.rmtree(where.pythons, ignore_errors=True)


def _home(environment: Path) -> str:
    """Where the base Python of a venv is, by its pyvenv.cfg; "" where there is none."""
    try:
        lines = read_regular(environment / "pyvenv.cfg", 1 << 16).decode("utf-8").splitlines()
    except (OSError, ValueError):
        return ""
    return next((line.partition("=")[2].strip() for line in lines if line.partition("=")[0].strip() == "home"), "")
