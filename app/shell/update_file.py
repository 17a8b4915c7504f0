"""Examine, without installing, whether a chosen file is a newer, complete Kotae, or one of its add-ons."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app import __version__
from app.base.diagnostics import version_key
from app.base.errors import AppError
from app.base.files.input_file import open_regular, too_large_error
from app.inference import engine_packs
from app.models.kits import transfer_kit
from app.training.environment import kit as training_kit

SUFFIXES = (".tar.zst", ".deb", ".exe", ".msi", ".dmg", ".pkg", ".zip")

_SUMS = "SHA256SUMS"  # list of checksums in the same folder, in the format of sha256sum
_NAME = re.compile(r"kotae[-_](\d+(?:\.\d+)+)", re.IGNORECASE)
# The names that packaging/gpu_pack.py produces.
_PACK = re.compile(rf"kotae-({'|'.join(engine_packs.TITLES)})-.*\.zip", re.IGNORECASE)
_STARTER_KIT = "kotae-starter-kit"  # name of a folder, and beginning of the name of an archive of it
_KIT_SUFFIXES = (transfer_kit.PART_SUFFIX, ".whl")
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")  # not a part of a longer digest such as SHA-512
_LARGEST_BYTES = 1 << 33  # a part of a kit has less than 4 GiB, a release less than 1 GiB
_LONGEST_SUMS_BYTES = 1_000_000
_BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 200  # the manifest of a kit begins with its format

Report = Callable[[int, int], None]  # takes bytes done and total bytes; an exception that it raises ends the work


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """The facts about a file. `add_on`: engine_pack | model_kit | training_kit, or "".

    `listed_sha256`: of the list beside the file, or "", which reveals damage but no forgery.
    """

    path: Path
    sha256: str
    listed_sha256: str = ""
    add_on: str = ""
    is_empty: bool = False  # 0 bytes, as after a download that never began

    @property
    def version(self) -> str:
        """Return the version in the file's name; "" if the name is not that of a Kotae release."""
        found = _NAME.match(self.path.name)
        return found[1] if found else ""

    @property
    def is_newer(self) -> bool:
        return version_key(self.version) > version_key(__version__)

    @property
    def is_running_version(self) -> bool:
        return self.version == __version__

    @property
    def matches_listed_checksum(self) -> bool | None:
        """Return whether the file has the SHA-256 in the list next to it; None without a list or an entry."""
        return self.listed_sha256 == self.sha256 if self.listed_sha256 else None

    def matches_checksum(self, text: str) -> bool | None:
        """Return whether a pasted text has the file's SHA-256; None if it has no complete one."""
        wanted = digest_in(text)
        return wanted == self.sha256 if wanted else None


def digest_in(text: str) -> str:
    """Return the SHA-256 in a pasted text in lower case; "" if it has none, or an incomplete one."""
    found = _DIGEST.search(text.lower())
    return found[0] if found else ""


def inspect_update_file(path: Path, report: Report = lambda _done, _total: None) -> UpdateFile:
    """Read the whole file for its facts. Raises AppError("file_unreadable"), also over 8 GiB."""
    digest, done = hashlib.sha256(), 0
    try:
        size_bytes = path.stat().st_size
        if size_bytes > _LARGEST_BYTES:  # a sparse file could take days to read
            raise too_large_error(path)
        with open_regular(path) as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                done += len(block)
                report(done, size_bytes)
    except OSError as error:
        raise AppError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    return UpdateFile(path, digest.hexdigest(), _listed_sha256(path), _add_on(path), is_empty=done == 0)


def _add_on(path: Path) -> str:
    name = path.name.lower()
    is_kit_part = name.endswith(_KIT_SUFFIXES)
    if _PACK.fullmatch(name):
        return "engine_pack"
    if (is_kit_part or name == training_kit.KIT_NAME) and _has_manifest_beside(
        path, training_kit.KIT_NAME, training_kit.KIT_FORMAT
    ):
        return "training_kit"
    if (is_kit_part or name == transfer_kit.MANIFEST_NAME) and _has_manifest_beside(
        path, transfer_kit.MANIFEST_NAME, transfer_kit.FORMAT
    ):
        return "model_kit"
    return "model_kit" if name.startswith(_STARTER_KIT) else ""


def _has_manifest_beside(path: Path, table: str, format_name: str) -> bool:
    try:
        with open_regular(path.with_name(table)) as file:
            return format_name.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def _listed_sha256(path: Path) -> str:
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
