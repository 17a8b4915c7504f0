"""Install and verify GPU packs of the engine: native libraries supplied as a file and pinned by their hashes.

The program itself computes on the CPU. `resources/engine_packs.json` lists the packs that it may load; the command that
builds packs writes it (packaging/gpu_pack.py), and a bundle takes it along. A checkout without a list accepts no pack.
A pack fits one version of llama.cpp only, because other versions have other structures in memory.
"""

import functools
import hashlib
import json
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.base import settings
from app.base.errors import AppError
from app.base.files.input_file import open_regular, sha256_of, size_of
from app.base.isolation import sandbox
from app.base.paths import resources
from app.base.settings import Settings
from app.inference import crashes

LIST_NAME = "engine_packs.json"
TITLES = {"cuda13": "CUDA 13", "cuda12": "CUDA 12", "rocm": "ROCm", "metal": "Metal", "vulkan": "Vulkan"}  # best first
_BLOCK_BYTES = 1 << 20
# What zipfile raises for damaged files. RuntimeError: a password; ValueError: a name in no encoding.
_DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, KeyError, ValueError, OverflowError)

_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class PackFile:
    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class EnginePack:
    """Describes a pack that this version may load. `name`: a key of `TITLES`.

    `files`: its libraries in the order in which they are loaded, so the engine's own is the last.
    """

    name: str
    files: tuple[PackFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def use_folder(folder: Path | None) -> None:
    """Set where this process and its children look for packs; None: nowhere. Call once at startup."""
    global _folder
    _folder = folder


def folder_in_use() -> Path | None:
    """Return the packs' folder; None if no packs are used or none is installed."""
    return _folder if _folder is not None and installed(_folder) else None


@functools.cache
def known_packs() -> tuple[EnginePack, ...]:
    """Return the packs that this version may load, best first; none in a checkout without a list."""
    try:
        listed = json.loads((resources() / LIST_NAME).read_text("utf-8"))["packs"]
    except FileNotFoundError:
        return ()
    packs = [EnginePack(one["name"], tuple(PackFile(**file) for file in one["files"])) for one in listed]
    return tuple(sorted(packs, key=lambda pack: list(TITLES).index(pack.name)))


def installed(folder: Path) -> tuple[EnginePack, ...]:
    """Return the packs whose files are in `folder` with the right sizes, best first; `verified` compares the
    content."""

    def is_there(pack: EnginePack) -> bool:
        return all(size_of(folder / pack.name / file.name) == file.size_bytes for file in pack.files)

    return tuple(filter(is_there, known_packs()))


def chosen(graphics: str = "") -> tuple[tuple[str, ...], str]:
    """Return the folders of the packs that a model may be loaded with, best first, and why there is none.

    `graphics`: auto | off | the name of a pack, which counts as auto while that pack is not installed; "": what the
    settings beside the packs' folder say. The reason is "" | no_backend | not_requested | crashed.
    """
    folder = folder_in_use()
    if folder is None:
        return (), "no_backend"
    graphics = graphics or (settings.load_stored(folder.with_name("settings.json")) or Settings()).graphics
    if graphics == "off":
        return (), "not_requested"
    packs = installed(folder)
    named = [pack for pack in packs if pack.name == graphics]
    found = tuple(str(folder / pack.name) for pack in named or packs)
    return ((), "crashed") if found in crashes.crashed_packs else (found, "")


def verified(pack_folder: Path) -> tuple[Path, ...]:
    """Return a pack's libraries if all hashes are in the list, as the engine may load no others; else ()."""
    for pack in known_packs():
        if pack.name == pack_folder.name and all(
            _digest(pack_folder / file.name) == file.sha256 for file in pack.files
        ):
            return tuple(pack_folder / file.name for file in pack.files)
    return ()


def install(source: Path, folder: Path) -> EnginePack:
    """Install a pack (a ZIP file, or a folder with its files) into `folder`, completely and verified or not at all.

    Raises AppError: file_missing, engine_pack_unreadable, engine_pack_unknown, disk_full.
    """
    try:
        if source.is_dir():
            sizes = {file.name: size_of(file) for file in source.iterdir()}
            pack = _pack_of(sizes, source)
            _put(pack, folder, source, lambda name: open_regular(source / name))
        else:
            with open_regular(source) as file, zipfile.ZipFile(file) as archive:
                members = [one for one in archive.infolist() if one.compress_type in sandbox.ZIP_METHODS]
                pack = _pack_of({member.filename: member.file_size for member in members}, source)
                _put(pack, folder, source, archive.open)
    except _DAMAGES as error:
        raise AppError("engine_pack_unreadable", path=str(source), reason=str(error)) from error
    except FileNotFoundError as error:
        raise AppError("file_missing", path=str(source)) from error
    except OSError as error:
        raise AppError("engine_pack_unreadable", path=str(source), reason=error.strerror or str(error)) from error
    return pack


def remove(folder: Path) -> None:
    """Delete all packs. A loaded library stays in its process's memory (and on Windows on disk, until it ends)."""
    shutil.rmtree(folder, ignore_errors=True)


def _pack_of(sizes: dict[str, int], source: Path) -> EnginePack:
    """Return the pack whose files have these sizes. Raises AppError("engine_pack_unknown")."""
    for pack in known_packs():
        if all(sizes.get(file.name) == file.size_bytes for file in pack.files):
            return pack
    raise AppError("engine_pack_unknown", path=str(source))


def _put(pack: EnginePack, folder: Path, source: Path, open_file: Callable[[str], IO[bytes]]) -> None:
    """Copy the files into a new folder, and put it in the old one's place if all are right."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < pack.size_bytes:
        raise AppError("disk_full", path=str(folder), need_bytes=pack.size_bytes, free_bytes=free_bytes)
    with tempfile.TemporaryDirectory(dir=folder, suffix=".part", ignore_cleanup_errors=True) as part:
        made, old, target = Path(part) / "new", Path(part) / "old", folder / pack.name
        made.mkdir()
        for file in pack.files:
            with open_file(file.name) as library:
                _copy(library, made / file.name, file, source)
        if target.exists():
            target.rename(old)
        made.rename(target)


def _copy(library: IO[bytes], target: Path, file: PackFile, source: Path) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as copied:
        while block := library.read(_BLOCK_BYTES):
            digest.update(block)
            copied.write(block)
    if digest.hexdigest() != file.sha256:
        raise AppError("engine_pack_unknown", path=str(source))


def _digest(path: Path) -> str:
    """Return the file's SHA-256, or "" if it is unreadable."""
    try:
        return sha256_of(path)
    except OSError:
        return ""
