"""GPU parts of the engine: one native library each, carried as a file beside the program and pinned by its hash.

The program itself computes on the processor. What it may load besides is listed in `resources/engine_packs.json`, which
is written when a bundle is built; in a checkout there is no such list, and no pack is taken. A pack belongs to one
version of llama.cpp: another one's would have other structures in memory.
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
    """`name`: vulkan | cuda, what the library computes with. `file`: the library's name in the pack and on disk."""

    name: str
    file: str
    size_bytes: int
    sha256: str


def use_folder(folder: Path | None) -> None:
    """Where this process and its children look for packs; None: nowhere. Called once, when it starts."""
    global _folder
    _folder = folder


def folder_in_use() -> Path | None:
    """None: no packs are used, or none is there."""
    return _folder if _folder is not None and installed(_folder) else None


@functools.cache
def known() -> tuple[EnginePack, ...]:
    """What this version of the program may load; nothing in a checkout."""
    try:
        listed = json.loads((resources() / LIST_NAME).read_text("utf-8"))
    except FileNotFoundError:
        return ()
    return tuple(EnginePack(one["name"], one["file"], one["size_bytes"], one["sha256"]) for one in listed["packs"])


def installed(folder: Path) -> tuple[EnginePack, ...]:
    """By name and size; `verified` reads them."""
    return tuple(pack for pack in known() if _size(folder / pack.file) == pack.size_bytes)


def verified(folder: Path) -> tuple[Path, ...]:
    """The libraries whose bytes are those of the list, for the process that loads them: another file never is."""
    return tuple(folder / pack.file for pack in installed(folder) if _digest(folder / pack.file) == pack.sha256)


def install(source: Path, folder: Path) -> EnginePack:
    """Takes the library out of a pack (a ZIP file) into `folder`, whole and verified or not at all.

    Raises AppError: file_missing, engine_pack_unreadable, engine_pack_unknown, disk_full.
    """
    try:
        with open_regular(source) as file, zipfile.ZipFile(file) as archive:
            pack = _pack_in(archive, source)
            with archive.open(pack.file) as library:
                _take(library, pack, folder, source)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, KeyError) as error:  # RuntimeError: a password
        raise AppError("engine_pack_unreadable", path=str(source), reason=str(error)) from error
    except FileNotFoundError as error:
        raise AppError("file_missing", path=str(source)) from error
    except OSError as error:
        raise AppError("engine_pack_unreadable", path=str(source), reason=error.strerror or str(error)) from error
    return pack


def remove(folder: Path) -> None:
    """All of them. A library that is loaded at the moment stays in its process's memory (Windows: until it ends)."""
    shutil.rmtree(folder, ignore_errors=True)


def _pack_in(archive: zipfile.ZipFile, source: Path) -> EnginePack:
    sizes = {member.filename: member.file_size for member in archive.infolist()}
    for pack in known():
        if sizes.get(pack.file) == pack.size_bytes:
            return pack
    raise AppError("engine_pack_unknown", path=str(source))


def _take(library: IO[bytes], pack: EnginePack, folder: Path, source: Path) -> None:
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
    """ "" for what cannot be read: the engine computes without it."""
    try:
        return sha256_of(path)
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
