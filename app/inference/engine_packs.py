"""Install and verify GPU packs of the engine: one native library each, supplied as a file and pinned by its hash.

The program itself computes on the CPU. `resources/engine_packs.json` lists the packs that it may load; the list is
written when a bundle is built. A checkout has no list and accepts no pack. A pack fits one version of llama.cpp only,
because other versions have other structures in memory.
"""

import functools
import hashlib
import json
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.base.errors import AppError
from app.base.files.input_file import open_regular, sha256_of
from app.base.paths import resources

LIST_NAME = "engine_packs.json"
_BLOCK_BYTES = 1 << 20

_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class EnginePack:
    """Describes a pack that this version may load. `name`: vulkan | cuda. `file`: name of its library."""

    name: str
    file: str
    size_bytes: int
    sha256: str


def use_folder(folder: Path | None) -> None:
    """Set where this process and its children look for packs; None: nowhere. Call once at startup."""
    global _folder
    _folder = folder


def folder_in_use() -> Path | None:
    """Return the packs' folder; None if no packs are used or none is installed."""
    return _folder if _folder is not None and installed(_folder) else None


@functools.cache
def known_packs() -> tuple[EnginePack, ...]:
    """Return the packs that this version may load; none in a checkout."""
    try:
        listed = json.loads((resources() / LIST_NAME).read_text("utf-8"))
    except FileNotFoundError:
        return ()
    return tuple(EnginePack(one["name"], one["file"], one["size_bytes"], one["sha256"]) for one in listed["packs"])


def installed(folder: Path) -> tuple[EnginePack, ...]:
    """Return the packs whose library is in `folder` with the right size; `verified` also compares the content."""
    return tuple(pack for pack in known_packs() if _size(folder / pack.file) == pack.size_bytes)


def verified(folder: Path) -> tuple[Path, ...]:
    """Return the libraries whose hashes are in the list: the only ones that the engine may load."""
    return tuple(folder / pack.file for pack in installed(folder) if _digest(folder / pack.file) == pack.sha256)


def install(source: Path, folder: Path) -> EnginePack:
    """Install the library in a pack (a ZIP file) into `folder`, completely and verified or not at all.

    Raises AppError: file_missing, engine_pack_unreadable, engine_pack_unknown, disk_full.
    """
    try:
        with open_regular(source) as file, zipfile.ZipFile(file) as archive:
            pack = _pack_in(archive, source)
            with archive.open(pack.file) as library:
                _extract(library, pack, folder, source)
    except (
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        EOFError,
        KeyError,
    ) as error:  # RuntimeError: a password
        raise AppError("engine_pack_unreadable", path=str(source), reason=str(error)) from error
    except FileNotFoundError as error:
        raise AppError("file_missing", path=str(source)) from error
    except OSError as error:
        raise AppError("engine_pack_unreadable", path=str(source), reason=error.strerror or str(error)) from error
    return pack


def remove(folder: Path) -> None:
    """Delete all packs. A loaded library stays in its process's memory (and on Windows on disk, until it ends)."""
    shutil.rmtree(folder, ignore_errors=True)


def _pack_in(archive: zipfile.ZipFile, source: Path) -> EnginePack:
    sizes = {member.filename: member.file_size for member in archive.infolist()}
    for pack in known_packs():
        if sizes.get(pack.file) == pack.size_bytes:
            return pack
    raise AppError("engine_pack_unknown", path=str(source))


def _extract(library: IO[bytes], pack: EnginePack, folder: Path, source: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < pack.size_bytes:
        raise AppError("disk_full", path=str(folder), need_bytes=pack.size_bytes, free_bytes=free_bytes)
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
        try:
            while block := library.read(_BLOCK_BYTES):
                digest.update(block)
                part.write(block)
            part.close()
            if digest.hexdigest() != pack.sha256:
                raise AppError("engine_pack_unknown", path=str(source))
            Path(part.name).replace(folder / pack.file)
        finally:
            Path(part.name).unlink(missing_ok=True)


def _digest(path: Path) -> str:
    """Return the file's SHA-256, or "" if it is unreadable."""
    try:
        return sha256_of(path)
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
