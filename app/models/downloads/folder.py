"""A folder as a source: a share in the office network, a USB stick."""

from collections.abc import Iterator
from pathlib import Path

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.models.downloads.messages import Listed, ListedFile
from app.models.downloads.source import ChangedError, Identity, TransientError

_BLOCK_BYTES = 1 << 20


class FolderSource:
    connections = 1  # a disk is fastest in order

    def __init__(self, path: Path) -> None:
        self._path = path

    def probe(self) -> Identity:
        try:
            found = self._path.stat()
        except OSError as error:
            folder = self._path.parent
            if folder.is_dir():
                raise AppError("download_not_in_folder", name=self._path.name, path=str(folder)) from error
            raise AppError("download_no_folder", path=str(folder)) from error
        return Identity(found.st_size, etag=f"{found.st_mtime_ns:x}-{found.st_size:x}")

    def read(self, identity: Identity, start: int, end: int) -> Iterator[bytes]:
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

    def read_whole(self, identity: Identity) -> Iterator[bytes]:
        return self.read(identity, 0, identity.size_bytes)


def listing(command_id: str, folder: Path) -> Listed:
    """The models in a folder. Raises AppError("download_no_folder")."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".gguf" and path.is_file())
        sizes = [path.stat().st_size for path in files]
    except OSError as error:
        raise AppError("download_no_folder", path=str(folder)) from error
    return Listed(command_id, "", tuple(ListedFile(p.name, size, "") for p, size in zip(files, sizes, strict=True)))
