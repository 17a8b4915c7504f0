"""Define the interface of a download source, its errors, and a folder as a source (network share, USB stick)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.models.downloads.messages import FilesListed, ListedFile


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Distinguishes versions of a file."""

    size_bytes: int
    etag: str = ""  # "": the source provides none
    sha256: str = ""  # as the source states it; "": unknown
    modified: str = ""  # time from the source; compared if there is no etag

    @property
    def has_validator(self) -> bool:
        return bool(self.etag or self.modified)

    def is_same(self, other: "FileIdentity") -> bool:
        """Return whether both are the same version.

        Servers behind one address may give different etags for a file, but never different hashes.
        """
        if self.size_bytes != other.size_bytes:
            return False
        if self.sha256 and other.sha256:
            return self.sha256 == other.sha256
        return self.etag == other.etag and bool(self.etag or self.modified == other.modified)


class TransientError(Exception):
    """Reports a failure that a retry may solve. `reason`: stalled | cut | busy | unreachable | server."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s  # seconds that the server demands; 0: not given


class ChangedError(Exception):
    """Reports that the source has another version of the file; the received bytes belong to the old one."""


class BadRangeError(Exception):
    """Reports that the source answered a range request with another range or an error."""


class NoRangesError(Exception):
    """Reports that the source ignores range requests and sends the whole file."""


class DownloadSource(Protocol):
    """Defines a source from which a transfer reads one file."""

    @property
    def connections(self) -> int:
        """Return how many ranges may be read at the same time."""

    def probe(self) -> FileIdentity:
        """Return the version of the file. Raises TransientError, or AppError if a retry is pointless."""

    def read(self, identity: FileIdentity, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end` (exclusive); may end early.

        Raises also, before the first byte, ChangedError, BadRangeError and NoRangesError.
        """

    def read_whole(self, identity: FileIdentity) -> Iterator[bytes]:
        """Yield all bytes, for a source without range requests."""


_BLOCK_BYTES = 1 << 20


class FolderSource:
    """Reads a file of a folder as a `DownloadSource`."""

    connections = 1  # a disk is fastest when read in order

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
        except OSError as error:  # USB stick removed, share gone
            raise TransientError("cut") from error

    def read_whole(self, identity: FileIdentity) -> Iterator[bytes]:
        return self.read(identity, 0, identity.size_bytes)


def list_folder(command_id: str, folder: Path) -> FilesListed:
    """List the GGUF files in a folder. Raises AppError("download_no_folder")."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".gguf" and path.is_file())
        sizes = [path.stat().st_size for path in files]
    except OSError as error:
        raise AppError("download_no_folder", path=str(folder)) from error
    return FilesListed(
        command_id, "", tuple(ListedFile(p.name, size, "") for p, size in zip(files, sizes, strict=True))
    )
