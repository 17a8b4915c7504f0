"""Import a transfer kit into the models folder: join each file from its parts, check it, then add it to the list.

A file is joined under a hidden name until its hash is correct. When an import is run again, the joined bytes are
checked in place, so that after a damaged part has been replaced only that part is read from the kit.
"""

import contextlib
import dataclasses
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from app.base.errors import AppError
from app.base.files.input_file import open_regular, read_regular
from app.base.files.output_file import (
    BLOCK_BYTES,
    CopyProgress,
    ReportBytes,
    drive_error,
    drop_from_cache,
    hash_file,
    require_space,
    sync_folder,
    write_atomically,
)
from app.base.wording import phrase
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import local_models, starter
from app.models.kits import transfer_kit
from app.models.kits.kit_export import licence_text
from app.models.kits.transfer_kit import EXTRA_NAMES, Kit, KitExtra, KitFile, KitModel, KitPart

_SUFFIX = ".kotae-joining"
_EXTRA_MAX_BYTES = 1 << 20
_NAMES_TRIED = 99


@dataclass(frozen=True, slots=True)
class JoinedModel:
    """Holds a joined model's files. `created_files`: those of `paths` that are new. With `problems` both are empty."""

    paths: tuple[Path, ...] = ()
    created_files: tuple[Path, ...] = ()
    problems: tuple[AppError, ...] = ()


class KitJoiner:
    """Joins a kit's models in the target folder.

    Raises OSError if the target folder cannot be written; errors in the kit are returned in `JoinedModel`.
    """

    def __init__(self, kit: Kit, folder: Path, target: Path, report: ReportBytes) -> None:
        """Prepare to join, and delete the partly joined files of other kits."""
        self._kit = kit
        self._target = target
        self._meter = CopyProgress(report, kit.size_bytes, passes=2)  # each byte counts twice: joined, read back
        self._joiner = PartJoiner(folder, self._meter)
        own = {_temporary_path(target, file) for model in kit.models for file in model.files}
        for path in target.glob(f".*{_SUFFIX}"):
            if path not in own:
                with contextlib.suppress(OSError):
                    path.unlink()

    def missing_bytes(self) -> int:
        """Return the bytes still needed in the target folder, beyond complete and partly joined files."""
        missing_bytes = 0
        for model in self._kit.models:
            for file, name in zip(model.files, model.file_names(model.stem), strict=True):
                is_there = _has_size(self._target / name, file.size_bytes)
                temporary = _temporary_path(self._target, file)
                joined_bytes = temporary.stat().st_size if is_regular(temporary) else 0
                missing_bytes += 0 if is_there else max(0, file.size_bytes - joined_bytes)
        return missing_bytes

    def join(self, model: KitModel) -> JoinedModel:
        stem = self._free_stem(model)
        paths = tuple(self._target / name for name in model.file_names(stem))
        missing = [(path, file) for path, file in zip(paths, model.files, strict=True) if not path.exists()]
        problems: list[AppError] = []
        try:
            for _path, file in missing:
                problems += self._joiner.join(file, _temporary_path(self._target, file), model.stem)
        except BaseException:
            self._delete_temporary(model)
            raise
        if any(problem.code == "kit_content_refused" for problem in problems):
            self._delete_temporary(model)
        if problems:
            return JoinedModel(problems=tuple(problems))
        for path, file in missing:
            _temporary_path(self._target, file).replace(path)
        self._delete_temporary(model)  # left by an earlier import, if the complete file exists since
        sync_folder(self._target)
        return JoinedModel(paths, tuple(path for path, _file in missing))

    def _delete_temporary(self, model: KitModel) -> None:
        for file in model.files:
            with contextlib.suppress(OSError):
                _temporary_path(self._target, file).unlink(missing_ok=True)

    def _free_stem(self, model: KitModel) -> str:
        """Return a stem whose file names are free.

        Existing files of this very model, from an interrupted import, count as free.
        """
        for number in range(1, _NAMES_TRIED + 1):
            stem = model.stem if number == 1 else f"{model.stem} ({number})"
            names = model.file_names(stem)
            if all(self._is_free_for(name, file) for name, file in zip(names, model.files, strict=True)):
                return stem
        raise AppError("export_exists", path=str(self._target / model.file_names(model.stem)[0]))

    def _is_free_for(self, name: str, file: KitFile) -> bool:
        path = self._target / name
        if not path.exists() and not path.is_symlink():
            return True
        return _has_size(path, file.size_bytes) and hash_file(path, self._meter) == file.sha256


class PartJoiner:
    """Joins parts from one folder. Every byte counts twice in `meter`: joined, read back."""

    def __init__(self, folder: Path, meter: CopyProgress) -> None:
        self._folder = folder
        self._meter = meter

    def join(self, file: KitFile, temporary: Path, name: str) -> list[AppError]:
        """Join a file's parts and return the errors; correct parts are kept for the next import.

        `name`: names the file in the error if all parts are correct but the whole is not.
        """
        problems: list[AppError] = []
        offset = 0
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, 0o666), "r+b") as out:
            for part in file.parts:
                if not self._is_joined(out, offset, part):
                    problem = self._copy(out, offset, part)
                    problems += [problem] if problem else []
                offset += part.size_bytes
            out.truncate(offset)
            out.flush()
            os.fsync(out.fileno())
            if not problems and self._hash_on_drive(out, offset) != file.sha256:
                problems.append(AppError("kit_content_refused", name=name))
        return problems

    def _hash_on_drive(self, out: BinaryIO, size: int) -> str:
        """Return the SHA-256 of the first `size` bytes as read from the drive, not from the cache."""
        drop_from_cache(out)
        digest = hashlib.sha256()
        for block in _range(out, 0, size):
            digest.update(block)
            self._meter.add(len(block))
        return digest.hexdigest()

    def _is_joined(self, out: BinaryIO, offset: int, part: KitPart) -> bool:
        if os.fstat(out.fileno()).st_size < offset + part.size_bytes:
            return False
        digest = hashlib.sha256()
        for block in _range(out, offset, part.size_bytes):
            digest.update(block)
        if digest.hexdigest() != part.sha256:
            return False
        self._meter.add(part.size_bytes)
        return True

    def _copy(self, out: BinaryIO, offset: int, part: KitPart) -> AppError | None:
        path = self._folder / part.name
        try:
            status = path.lstat()
        except OSError:
            return AppError("kit_part_missing", part=part.name)
        if not stat.S_ISREG(status.st_mode):
            return AppError("kit_part_irregular", part=part.name)
        digest = hashlib.sha256()
        if status.st_size == part.size_bytes:
            out.seek(offset)
            for block in _contents(path, part.size_bytes):
                out.write(block)
                digest.update(block)
                self._meter.add(len(block))
        return None if digest.hexdigest() == part.sha256 else AppError("kit_part_damaged", part=part.name)


def is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _temporary_path(target: Path, file: KitFile) -> Path:
    """Return the path of a partly joined file; it is derived from the content, so that the next import finds it."""
    return target / f".{file.sha256[:32]}{_SUFFIX}"


def _has_size(path: Path, size_bytes: int) -> bool:
    return is_regular(path) and path.stat().st_size == size_bytes


def _contents(path: Path, size: int) -> Iterator[bytes]:
    """Yield a part's content; end early if the drive becomes unreadable, so that the hash differs."""
    with (
        contextlib.suppress(OSError),
        open_regular(path) as file,
    ):  # it may have been replaced meanwhile
        yield from _range(file, 0, size)


def _range(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while size > 0 and (block := file.read(min(size, BLOCK_BYTES))):
        yield block
        size -= len(block)


Register = Callable[[LocalModel], LocalModel]  # adds a model to the list and returns the listed one
# Returns the presets in a file, and the errors of unreadable ones. Raises AppError if it is no presets file.
ReadPresets = Callable[[bytes], tuple[Sequence[Any], Sequence[AppError]]]


class KitPresets(Protocol):
    """Converts the user's presets to and from the one file that a kit contains."""

    def to_kit(self) -> bytes:
        """Return the file of the user's own presets; b"" if there are none."""

    def from_kit(self, content: bytes) -> tuple[Sequence[Any], Sequence[AppError]]:
        """Read such a file in any thread; see `ReadPresets`."""

    def add_new(self, presets: Iterable[Any], /) -> Sequence[Any]:
        """Add the presets that do not exist yet, and return the added ones."""


@dataclass(slots=True)
class ImportedModels:
    """Holds the outcome of an import.

    `existing`: those of `models` whose files existed already, so that the kit's parts were not read. `waiting`: names
    of the models that were not imported because of `problems`.
    """

    models: list[LocalModel] = field(default_factory=list)
    existing: list[LocalModel] = field(default_factory=list)
    presets: Sequence[Any] = ()  # as `ReadPresets` returns them
    waiting: list[str] = field(default_factory=list)
    problems: list[AppError] = field(default_factory=list)

    @property
    def unchecked(self) -> list[LocalModel]:
        """Return the models whose hashes are not in the catalogue, so that only the kit identifies them."""
        return [model for model in self.models if not local_models.is_published(model)]


def import_kit(
    folder: Path,
    target: Path,
    register: Register,
    read_presets: ReadPresets,
    report: ReportBytes = lambda _done, _total: None,
) -> ImportedModels:
    """Join the kit's models in `target` and pass each complete one to `register`.

    `report` gets the bytes done and the total; an exception from it ends the import and deletes partly joined files.
    Raises AppError: the codes of `transfer_kit.read_kit` and `read_presets`, drive_space, drive_file_limit,
    kit_target_unusable. Errors of single parts or models are in the outcome.
    """
    kit = transfer_kit.read_kit(folder)
    outcome = ImportedModels()
    try:
        target.mkdir(parents=True, exist_ok=True)
        joiner = KitJoiner(kit, folder, target, report)
        require_space(target, joiner.missing_bytes())
        for model in kit.models:
            _import_model(model, joiner, register, outcome)
        for extra in kit.extras:
            _import_extra(extra, folder, target, read_presets, outcome)
    except OSError as error:
        raise drive_error(error, target, "kit_target_unusable") from error
    return outcome


def _import_model(model: KitModel, joiner: KitJoiner, register: Register, outcome: ImportedModels) -> None:
    joined = joiner.join(model)
    problems = list(joined.problems)
    if not problems:
        try:
            described = _describe(model, joined)
            listed = register(described)
        except AppError as error:
            for path in joined.created_files:  # only new files
                path.unlink(missing_ok=True)
            problems = [error]
        else:
            outcome.models.append(listed)
            outcome.existing += [] if joined.created_files else [listed]
            licence = joined.paths[0].with_name(f"{joined.paths[0].stem}-licence.txt")
            if not licence.exists():
                write_atomically(licence, _licence_for(described, model).encode("utf-8"))
    if problems:
        outcome.waiting.append(model.stem)
        outcome.problems += problems


def _licence_for(described: LocalModel, model: KitModel) -> str:
    """Return the licence text of a joined model.

    The catalogue's text is used only if its hashes match: anyone can make a kit with a model of a well-known name.
    Otherwise the kit's own text follows a note that it is unchecked.
    """
    if local_models.is_published(described):
        return licence_text(described)
    return "\n\n".join(part for part in (phrase("models.kit_licence_unchecked"), model.licence) if part)


def _describe(model: KitModel, joined: JoinedModel) -> LocalModel:
    """Describe a joined model, with its hashes. Raises AppError if it is no model or differs from the table."""
    described = local_models.describe(joined.paths[0])
    paths = joined.paths
    if model.has_projector:
        described = local_models.with_projector(described, paths[-1])
        paths = paths[:-1]
    fingerprints = tuple(
        FileFingerprint(path.name, file.size_bytes, path.stat().st_mtime_ns, file.sha256)
        for path, file in zip(paths, model.files, strict=False)
    )
    if [fingerprint.name for fingerprint in described.files] != [fingerprint.name for fingerprint in fingerprints]:
        raise AppError("kit_content_refused", name=model.stem)
    promised = [local_models.promised_sha256(described, path) for path in paths]
    if any(sha256 not in ("", now.sha256) for sha256, now in zip(promised, fingerprints, strict=True)):
        raise AppError("kit_content_refused", name=model.stem)  # the catalogue knows another hash
    return dataclasses.replace(described, files=fingerprints)


def _import_extra(
    extra: KitExtra, folder: Path, target: Path, read_presets: ReadPresets, outcome: ImportedModels
) -> None:
    name = EXTRA_NAMES[extra.kind]
    if not is_regular(folder / name):
        outcome.problems.append(AppError("kit_part_missing", part=name))
        return
    try:
        content = read_regular(folder / name, _EXTRA_MAX_BYTES)
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != extra.sha256:
        outcome.problems.append(AppError("kit_part_damaged", part=name))
    elif extra.kind == "presets":
        outcome.presets, problems = read_presets(content)
        outcome.problems += problems
    elif extra.sha256 != starter.TERMS_SHA256:  # a browser would open an unknown page
        outcome.problems.append(AppError("kit_content_unknown", name=name))
    elif not os.path.lexists(target / name):
        write_atomically(target / name, content)
