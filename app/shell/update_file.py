"""A newer Kotae as a file that somebody has carried here: is it whole, and which version. Nothing is installed.

What is given out beside it (parts for graphics cards, kits) is told apart: it is added elsewhere.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app import __version__
from app.base.diagnostics import version_key
from app.base.errors import AppError
from app.base.files.input_file import open_regular, too_large_error
from app.models.kits import transfer_kit
from app.training.environment import kit as training_kit

SUFFIXES = (".tar.zst", ".deb", ".exe", ".msi", ".dmg", ".pkg", ".zip")

_SUMS = "SHA256SUMS"  # beside the files, as sha256sum writes it
_NAME = re.compile(r"kotae[-_](\d+(?:\.\d+)+)", re.IGNORECASE)
_PACK = re.compile(r"kotae-(vulkan|cuda)-.*\.zip", re.IGNORECASE)  # as packaging/gpu_pack.py calls it
_STARTER_KIT = "kotae-starter-kit"  # a folder, which somebody may have packed
_KIT_SUFFIXES = (transfer_kit.PART_SUFFIX, ".whl")
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")  # no part of a longer one, as of SHA-512
_LARGEST_BYTES = 1 << 33  # a part of a kit has less than 4 GiB, a release less than 1
_LONGEST_SUMS_BYTES = 1_000_000
_BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 200  # a kit's table begins with its format

Report = Callable[[int, int], None]  # bytes done, of how many; what it raises ends the work


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """`expected`: what the list of sums beside the file says; "": there is none, or the file is not in it. Whoever has
    changed the file can have changed the list: it shows damage on the way, and nothing about where both come from.

    `other`: engine_pack | model_kit | training_kit, what else of ours it is, or is a part of; "": none of these.
    """

    path: Path
    sha256: str
    expected: str = ""
    other: str = ""
    is_empty: bool = False  # 0 bytes, as of a download that never began

    @property
    def version(self) -> str:
        """From the name; "": it is no Kotae."""
        found = _NAME.match(self.path.name)
        return found[1] if found else ""

    @property
    def is_newer(self) -> bool:
        return version_key(self.version) > version_key(__version__)

    @property
    def is_this(self) -> bool:
        return self.version == __version__

    @property
    def matches_listed_checksum(self) -> bool | None:
        """Whether it is undamaged by the list beside it; None: that says nothing."""
        return self.expected == self.sha256 if self.expected else None

    def matches_checksum(self, told: str) -> bool | None:
        """Whether it is what its makers gave out. `told`: what the user has from them; None: no whole sum is in it."""
        wanted = digest_in(told)
        return wanted == self.sha256 if wanted else None


def digest_in(text: str) -> str:
    """The SHA-256 in what somebody has pasted; "" where there is none, or not a whole one."""
    found = _DIGEST.search(text.lower())
    return found[0] if found else ""


def inspect_update_file(path: Path, report: Report = lambda _done, _total: None) -> UpdateFile:
    """Reads the whole file. Raises AppError("file_unreadable")."""
    digest, done = hashlib.sha256(), 0
    try:
        size_bytes = path.stat().st_size
        if size_bytes > _LARGEST_BYTES:  # what takes no room on a drive can be read for days
            raise too_large_error(path)
        with open_regular(path) as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                done += len(block)
                report(done, size_bytes)
    except OSError as error:
        raise AppError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    return UpdateFile(path, digest.hexdigest(), _expected(path), _other(path), is_empty=done == 0)


def _other(path: Path) -> str:
    name = path.name.lower()
    is_of_kit = name.endswith(_KIT_SUFFIXES)
    if _PACK.fullmatch(name):
        return "engine_pack"
    if (is_of_kit or name == training_kit.KIT_NAME) and _is_beside(
        path, training_kit.KIT_NAME, training_kit.KIT_FORMAT
    ):
        return "training_kit"
    if (is_of_kit or name == transfer_kit.MANIFEST_NAME) and _is_beside(
        path, transfer_kit.MANIFEST_NAME, transfer_kit.FORMAT
    ):
        return "model_kit"
    return "model_kit" if name.startswith(_STARTER_KIT) else ""


def _is_beside(path: Path, table: str, format_name: str) -> bool:
    try:
        with open_regular(path.with_name(table)) as file:
            return format_name.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def _expected(path: Path) -> str:
    for sums in (path.with_name(_SUMS), path.with_name(f"{path.name}.sha256")):
        try:
            with open_regular(sums) as file:
                text = file.read(_LONGEST_SUMS_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        for line in text.splitlines():
            digest, _, name = line.strip().partition(" ")
            if name.strip().removeprefix("*") == path.name and _DIGEST.fullmatch(digest.lower()):
                return digest.lower()
    return ""
