"""What the transfer asks of a place that has a file, and what can go wrong there.

A folder as a source: a share in the office network, a USB stick.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.models.downloads.messages import FilesListed, ListedFile


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Tells one version of a file from another."""

    size_bytes: int
    etag: str = ""  # "": the source gives none
    sha256: str = ""  # as the source says
    modified: str = ""  # when, as the source says; counts where it gives no etag

    @property
    def has_validator(self) -> bool:
        return bool(self.etag or self.modified)

    def is_same(self, other: "FileIdentity") -> bool:
        """Servers behind one address may disagree about the etag of a file; its sha256 is the same everywhere."""
        if self.size_bytes != other.size_bytes:
            return False
        if self.sha256 and other.sha256:
            return self.sha256 == other.sha256
        return self.etag == other.etag and bool(self.etag or self.modified == other.modified)


class TransientError(Exception):
    """Worth another try. `reason`: stalled | cut | busy | unreachable | server."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s  # as the server asks; 0: it says nothing


class ChangedError(Exception):
    """The source has another file now: what was received belongs to the old one."""


class BadRangeError(Exception):
    """Asked for one part of the file, the source gave another, or said that there is none."""


class NoRangesError(Exception):
    """Asked for a part of the file, the source would send all of it."""


class DownloadSource(Protocol):
    @property
    def connections(self) -> int:
        """How many parts may be read at the same time."""

    def probe(self) -> FileIdentity:
        """Raises TransientError, or AppError where another try is no use."""

    def read(self, identity: FileIdentity, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start`, `end` excluded; may end early. Raises also ChangedError, BadRangeError and
        NoRangesError, each before the first byte."""

    def read_whole(self, identity: FileIdentity) -> Iterator[bytes]:
        """All bytes, for a source that knows no ranges."""


_BLOCK_BYTES = 1 << 20


class FolderSource:
    connections = 1  # a disk is fastest in order

    def __init__(self, path: Path) -> None:
        self._path = path

    def probe(self) -> FileIdentity:
        try:
            found = self._path.stat()
        except OSError as error:
            folder = self._path.parent
            if folder.is_dir():
                raise AppError("download_not_in_folder", name=self._path.name, path=str(folder)) from error
            raise AppError("download_no_folder", path=str(folder)) from error
        return FileIdentity(found.st_size, etag=f"{found.st_mtime_ns:x}-{found.st_size:x}")

    def read(self, identity: FileIdentity, start: int, end: int) -> Iterator[bytes]:
        if not self.probe().is_same(identity):
            raise ChangedError
        try:
            with open_regular(self._path) as file:
                file.seek(start)
                while start < end and (block := file.read(min(_BLOCK_BYTES, end - start))):
                    start += len(block)
                    yield block
        except OSError as error:  # a stick pulled out, a share gone
            raise TransientError("cut") from error

    def read_whole(self, identity: FileIdentity) -> Iterator[bytes]:
        return self.read(identity, 0, identity.size_bytes)


def list_folder(command_id: str, folder: Path) -> FilesListed:
    """The models in a folder. Raises AppError("download_no_folder")."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".gguf" and path.is_file())
        sizes = [path.stat().st_size for path in files]
    except OSError as error:
        raise AppError("download_no_folder", path=str(folder)) from error
    return FilesListed(
        command_id, "", tuple(ListedFile(p.name, size, "") for p, size in zip(files, sizes, strict=True))
    )
