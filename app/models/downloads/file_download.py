"""Fetch one file from a source to its place, complete and verified, or report why that failed.

The checksum in the source's own list (git LFS) decides. A file without that checksum is kept as `.bad` and compared
with the source piece by piece; bytes that differ are replaced. When two answers of the source differ, neither is
known to be right, so the comparison is repeated until the checksum agrees, at most twice: the second time only where
the answers differed.

File names from outside never become a path (compare CVE-2024-37032).
"""

import contextlib
import dataclasses
import itertools
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import filelock

from app.base.errors import AppError
from app.base.files.output_file import sync_folder
from app.models.downloads import http_source, part_file
from app.models.downloads.byte_transfer import (
    ByteTransfer,
    PermanentError,
    TransferControl,
    TransferStopped,
    with_retries,
)
from app.models.downloads.download_source import ChangedError, DownloadSource, FileIdentity, FolderSource
from app.models.downloads.messages import (
    Done,
    Event,
    Fetch,
    NetworkContacted,
    Repairing,
    Restarted,
    Verifying,
    WaitingToRetry,
)
from app.models.downloads.part_file import ByteRanges, PartCheckpoint, PartFile, PartPaths, RunningHash

LONGEST_BYTES = 200  # file systems allow 255; `.part.json` and a number must still fit
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = set('<>:"|?*')


def safe_file_name(name: str) -> str:
    """Return the last part of `name` as a plain file name that every system accepts.

    Raises AppError("download_bad_name") if the name is empty, longer than 200 bytes, or could deceive: control
    characters, characters that reverse the writing direction, device names of Windows.
    """
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    is_odd = any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for character in base)
    if is_odd or _FORBIDDEN & set(base) or base.strip(". ") != base or not base or _RESERVED.fullmatch(base):
        raise AppError("download_bad_name", name=repr(name)[:120])
    if len(base.encode("utf-8")) > LONGEST_BYTES:
        raise AppError("download_bad_name", name=repr(name)[:120])
    return base


MAX_RESTARTS = 2
MAX_REPAIRS = 2
_HASH_BYTES = 16 << 20

Send = Callable[[Event], None]


def is_web_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def fetch_file(command: Fetch, control: TransferControl, send: Send) -> Done:
    """Fetch one file; keep received bytes in every case. Raises AppError, and TransferStopped after a pause."""
    folder = Path(command.folder)
    places = PartPaths(folder / safe_file_name(command.name))
    try:
        with filelock.FileLock(places.lock, timeout=0):
            try:
                return _with_source(command, places, control, send)
            finally:
                _delete_lock(places)
    except filelock.Timeout as error:
        raise AppError("download_running", name=places.target.name) from error
    except OSError as error:
        raise part_file.write_error(error, places.target, command.size_bytes) from error


def _delete_lock(places: PartPaths) -> None:
    """Delete the lock file of a finished fetch; call it while holding the lock."""
    if not places.checkpoint.exists():
        with contextlib.suppress(PermissionError):  # Windows deletes the open file on release of the lock
            places.lock.unlink(missing_ok=True)


def _with_source(command: Fetch, places: PartPaths, control: TransferControl, send: Send) -> Done:
    if not is_web_address(command.origin.place):
        name = safe_file_name(command.origin.file or command.name)
        return _FileFetch(command, places, FolderSource(Path(command.origin.place) / name), control, send).run()
    client = http_source.http_client(
        command.access, command.pace, lambda host: send(NetworkContacted(command.id, host))
    )
    with contextlib.closing(client):
        source = http_source.HttpSource(client, command.origin, command.access, command.pace)
        return _FileFetch(command, places, source, control, send).run()


class _FileFetch:
    """Runs one fetch of a file, with its restarts and repairs."""

    def __init__(
        self, command: Fetch, places: PartPaths, source: DownloadSource, control: TransferControl, send: Send
    ) -> None:
        self._command, self._places, self._source = command, places, source
        self._control, self._send = control, send
        self._repaired_bytes = 0

    def run(self) -> Done:
        for _ in range(MAX_RESTARTS + 1):
            identity = self._identity()
            if (done := self._already_there(identity)) is not None:
                return done
            try:
                checkpoint = self._checkpoint_to_resume(identity)
                if checkpoint.attempt == 0:
                    checkpoint, found = self._transfer_missing(checkpoint, identity)
                    if checkpoint.sha256 in ("", found):
                        return self._finish(checkpoint, found)
                    places = self._places
                    places.part_path.replace(places.bad_path)
                    checkpoint = self._next_repair(checkpoint)
                return self._repair(checkpoint, identity)
            except ChangedError:
                self._start_over()
        raise AppError("download_changing", name=self._places.target.name)

    def _identity(self) -> FileIdentity:
        """Return the version of the file that the source has. Raises AppError if it is not the requested one."""
        wanted = self._command
        identity = with_retries(self._source.probe, wanted.pace, self._wait)
        if wanted.size_bytes and identity.size_bytes != wanted.size_bytes:
            raise AppError("download_wrong_size", need_bytes=wanted.size_bytes, have_bytes=identity.size_bytes)
        if wanted.sha256 and identity.sha256 and identity.sha256 != wanted.sha256:
            raise AppError("download_other_file", name=self._places.target.name)
        return identity

    def _wait(self, reason: str, wait_s: float) -> None:
        self._send(WaitingToRetry(self._command.id, reason, wait_s))
        if self._control.stopping.wait(wait_s):
            raise TransferStopped

    def _already_there(self, identity: FileIdentity) -> Done | None:
        """Return Done if the complete file exists, else None. Raises AppError if it exists with another size."""
        target, sha256 = self._places.target, self._command.sha256 or identity.sha256
        if not self._is_name_taken(identity.size_bytes) or not sha256 or self._hash_of_target(identity) != sha256:
            return None
        self._places.discard()  # left by a killed process
        return Done(self._command.id, str(target), identity.size_bytes, sha256, True, 0, was_here=True)

    def _is_name_taken(self, size_bytes: int) -> bool:
        """Return whether the target exists with that size. Raises AppError if it exists with another size."""
        target = self._places.target
        if target.is_symlink() or not target.is_file():
            return False
        if target.stat().st_size != size_bytes:
            raise AppError("download_name_taken", name=target.name, path=str(target.parent))
        return True

    def _hash_of_target(self, identity: FileIdentity) -> str:
        self._send(Verifying(self._command.id))
        with contextlib.closing(RunningHash(self._places.target)) as digest:
            try:
                self._follow(digest, identity.size_bytes)
            except ChangedError:  # another process is writing it
                return ""
            return digest.hexdigest()

    def _follow(self, digest: RunningHash, size_bytes: int) -> None:
        while not digest.follow(size_bytes, _HASH_BYTES):
            if self._control.stopping.is_set():
                raise TransferStopped

    def _checkpoint_to_resume(self, identity: FileIdentity) -> PartCheckpoint:
        """Return the checkpoint to resume from; a new one if there is none or the source has another file now."""
        fresh = part_file.new_checkpoint(self._command, identity)
        checkpoint = part_file.read_checkpoint(self._places.checkpoint)
        if checkpoint is None or not self._places.data(checkpoint.attempt).is_file():
            self._places.discard()
            return fresh
        if not (fresh.sha256 or identity.has_validator):  # nothing distinguishes two versions
            self._start_over()
            return fresh
        if not checkpoint.identity.is_same(dataclasses.replace(identity, sha256=fresh.sha256)):
            self._start_over()
            return fresh
        return dataclasses.replace(
            checkpoint, etag=identity.etag, modified=identity.modified, sha256=fresh.sha256, card_id=fresh.card_id
        )

    def _start_over(self) -> None:
        self._places.discard()
        self._send(Restarted(self._command.id))

    def _transfer_missing(self, checkpoint: PartCheckpoint, identity: FileIdentity) -> tuple[PartCheckpoint, str]:
        """Transfer everything that is missing; return the checkpoint and the checksum of the whole file."""
        file = PartFile(self._places, checkpoint, self._command.pace.sync_bytes)
        digest = RunningHash(self._places.data(checkpoint.attempt))
        transfer = ByteTransfer(self._command.id, self._source, file, identity, self._command.pace)
        try:
            transfer.run(self._control, self._send, None if checkpoint.attempt else digest)
            self._send(Verifying(self._command.id))
            self._follow(digest, checkpoint.size_bytes)
        except PermanentError as error:
            raise AppError(error.code, **error.facts, done_bytes=file.done_bytes) from error
        finally:
            digest.close()
            file.close()
        return file.checkpoint, digest.hexdigest()

    def _next_repair(self, checkpoint: PartCheckpoint) -> PartCheckpoint:
        """Return the checkpoint of the next repair: the first compares all bytes, the second those that differed."""
        agreed = ByteRanges(checkpoint.differing).find_gaps(0, checkpoint.size_bytes)
        same = () if checkpoint.attempt == 0 else tuple(agreed)
        checkpoint = dataclasses.replace(checkpoint, attempt=checkpoint.attempt + 1, ranges=same, differing=())
        part_file.write_checkpoint(self._places, checkpoint)
        return checkpoint

    def _repair(self, checkpoint: PartCheckpoint, identity: FileIdentity) -> Done:
        while True:
            self._send(Repairing(self._command.id, checkpoint.attempt))
            checkpoint, found = self._transfer_missing(checkpoint, identity)
            replaced = ByteRanges(checkpoint.differing).total
            self._repaired_bytes += replaced
            if found == checkpoint.sha256:
                return self._finish(checkpoint, found)
            if checkpoint.attempt >= MAX_REPAIRS or not replaced:
                self._places.forget()
                raise AppError("download_damaged", name=self._places.target.name, path=str(self._places.bad_path))
            checkpoint = self._next_repair(checkpoint)

    def _finish(self, checkpoint: PartCheckpoint, found: str) -> Done:
        """Move the file to its target and sync the folder, so that a power cut does not undo the renaming."""
        places = self._places
        if self._is_name_taken(checkpoint.size_bytes) and self._hash_of_target(checkpoint.identity) != found:
            places.target.rename(_free_name(places.target))
        places.data(checkpoint.attempt).replace(places.target)
        sync_folder(places.target.parent)
        places.forget()
        places.bad_path.unlink(missing_ok=True)  # left by an earlier attempt
        is_verified = checkpoint.sha256 != ""
        return Done(
            self._command.id, str(places.target), checkpoint.size_bytes, found, is_verified, self._repaired_bytes
        )


def _free_name(target: Path) -> Path:
    """Return a free path for an existing file with the target's name, such as `NAME.old` or `NAME.old2`."""
    names = (target.with_name(f"{target.name}.old{number if number > 1 else ''}") for number in itertools.count(1))
    return next(path for path in names if not os.path.lexists(path))
