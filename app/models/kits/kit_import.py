"""A transfer kit into the models folder: every part is checked while it is joined, and nothing half is registered.

What is joined already is checked where it lies when the import is run again, so that after one damaged part has been
replaced only that one is read from the kit.

The parts of a transfer kit put together, file by file, under a name that is no model's until all is right.
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
    """`made`: those of `paths` that were not there before. With problems there are neither."""

    paths: tuple[Path, ...] = ()
    made: tuple[Path, ...] = ()
    problems: tuple[AppError, ...] = ()


class KitJoiner:
    """Raises OSError where the target folder cannot be written; what is wrong with the kit is in `JoinedModel`."""

    def __init__(self, kit: Kit, folder: Path, target: Path, report: ReportBytes) -> None:
        """Half joined files of other kits are removed."""
        self._kit = kit
        self._target = target
        self._meter = CopyProgress(report, kit.size_bytes, passes=2)  # joined, read back
        self._joiner = PartJoiner(folder, self._meter)
        own = {_half(target, file) for model in kit.models for file in model.files}
        for path in target.glob(f".*{_SUFFIX}"):
            if path not in own:
                with contextlib.suppress(OSError):
                    path.unlink()

    def missing_bytes(self) -> int:
        """Room that is still needed: without what is there whole or half."""
        missing = 0
        for model in self._kit.models:
            for file, name in zip(model.files, model.file_names(model.stem), strict=True):
                is_there = _has_size(self._target / name, file.size_bytes)
                half = _half(self._target, file)
                there = half.stat().st_size if is_regular(half) else 0
                missing += 0 if is_there else max(0, file.size_bytes - there)
        return missing

    def join(self, model: KitModel) -> JoinedModel:
        stem = self._free_stem(model)
        paths = tuple(self._target / name for name in model.file_names(stem))
        lacking = [(path, file) for path, file in zip(paths, model.files, strict=True) if not path.exists()]
        problems: list[AppError] = []
        try:
            for _path, file in lacking:
                problems += self._joiner.join(file, _half(self._target, file), model.stem)
        except BaseException:
            self._drop(model)
            raise
        if any(problem.code == "kit_content_refused" for problem in problems):
            self._drop(model)
        if problems:
            return JoinedModel(problems=tuple(problems))
        for path, file in lacking:
            _half(self._target, file).replace(path)
        self._drop(model)  # of an earlier import, where the file has come another way meanwhile
        sync_folder(self._target)
        return JoinedModel(paths, tuple(path for path, _file in lacking))

    def _drop(self, model: KitModel) -> None:
        for file in model.files:
            with contextlib.suppress(OSError):
                _half(self._target, file).unlink(missing_ok=True)

    def _free_stem(self, model: KitModel) -> str:
        """One under which nothing else lies. Files of this very model count as free: an import that was interrupted."""
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
    """The parts in one folder. Every byte counts twice: joined, read back."""

    def __init__(self, folder: Path, meter: CopyProgress) -> None:
        self._folder = folder
        self._meter = meter

    def join(self, file: KitFile, half: Path, name: str) -> list[AppError]:
        """All that is wrong with the parts of one file; the others are joined, for the next time.

        `name`: what a file is called whose parts are right but not the whole.
        """
        problems: list[AppError] = []
        offset = 0
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(half, flags, 0o666), "r+b") as out:
            for part in file.parts:
                if not self._is_joined(out, offset, part):
                    problem = self._copy(out, offset, part)
                    problems += [problem] if problem else []
                offset += part.size_bytes
            out.truncate(offset)
            out.flush()
            os.fsync(out.fileno())
            if not problems and self._whole_hash(out, offset) != file.sha256:
                problems.append(AppError("kit_content_refused", name=name))
        return problems

    def _whole_hash(self, out: BinaryIO, size: int) -> str:
        """Of what has reached the drive."""
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


def read_extra(path: Path, extra: KitExtra) -> bytes | None:
    """None when it is not what the table says."""
    try:
        content = read_regular(path, _EXTRA_MAX_BYTES)
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == extra.sha256 else None


def _half(target: Path, file: KitFile) -> Path:
    """The same for the same content, so that the next import finds it."""
    return target / f".{file.sha256[:32]}{_SUFFIX}"


def _has_size(path: Path, size_bytes: int) -> bool:
    return is_regular(path) and path.stat().st_size == size_bytes


def _contents(path: Path, size: int) -> Iterator[bytes]:
    """Ends early where the stick cannot be read: then the hash is wrong."""
    with contextlib.suppress(OSError), open_regular(path) as file:  # since it was looked at it may be another
        yield from _range(file, 0, size)


def _range(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while size > 0 and (block := file.read(min(size, BLOCK_BYTES))):
        yield block
        size -= len(block)


Register = Callable[[LocalModel], LocalModel]  # puts a model into the list and gives it as it stands there
# Returns the presets of a file, and what is wrong with others of it. Raises AppError where it is no such file.
ReadPresets = Callable[[bytes], tuple[Sequence[Any], Sequence[AppError]]]


class KitPresets(Protocol):
    """The user's presets, which a kit carries as one file without knowing what is in it."""

    def to_kit(self) -> bytes:
        """Return the file of the user's own presets; b"" where there are none."""

    def from_kit(self, content: bytes) -> tuple[Sequence[Any], Sequence[AppError]]:
        """Read such a file, as `ReadPresets`, in any thread."""

    def add_new(self, presets: Iterable[Any], /) -> Sequence[Any]:
        """Add the presets that are not here already, and return them as they were added."""


@dataclass(slots=True)
class ImportedModels:
    """`here`: those of `models` whose files were there already, so that the kit's parts were not looked at.
    `waiting`: the models that were not taken in (as the kit calls them), because of `problems`."""

    models: list[LocalModel] = field(default_factory=list)
    here: list[LocalModel] = field(default_factory=list)
    presets: Sequence[Any] = ()  # as `ReadPresets` has read them
    waiting: list[str] = field(default_factory=list)
    problems: list[AppError] = field(default_factory=list)

    @property
    def unchecked(self) -> list[LocalModel]:
        """Models whose content the catalogue does not know: the kit alone says what they are."""
        return [model for model in self.models if not local_models.is_published(model)]


def import_kit(
    folder: Path,
    target: Path,
    register: Register,
    read_presets: ReadPresets,
    report: ReportBytes = lambda _done, _total: None,
) -> ImportedModels:
    """Join the kit's models in `target` and hand each whole one to `register`.

    `report` is told bytes; what it raises ends the import, and what was half joined goes.
    Raises AppError: those of `kit_manifest.read`, drive_space, drive_file_limit, kit_target_unusable, and those of
    `read_presets`. What is wrong with single parts or models is in the outcome.
    """
    kit = transfer_kit.read_kit(folder)
    outcome = ImportedModels()
    try:
        target.mkdir(parents=True, exist_ok=True)
        joining = KitJoiner(kit, folder, target, report)
        require_space(target, joining.missing_bytes())
        for model in kit.models:
            _take(model, joining, register, outcome)
        for extra in kit.extras:
            _take_extra(extra, folder, target, read_presets, outcome)
    except OSError as error:
        raise drive_error(error, target, "kit_target_unusable") from error
    return outcome


def _take(model: KitModel, joining: KitJoiner, register: Register, outcome: ImportedModels) -> None:
    joined = joining.join(model)
    problems = list(joined.problems)
    if not problems:
        try:
            described = _described(model, joined)
            taken = register(described)
        except AppError as error:
            for path in joined.made:  # not one that was there before
                path.unlink(missing_ok=True)
            problems = [error]
        else:
            outcome.models.append(taken)
            outcome.here += [] if joined.made else [taken]
            licence = joined.paths[0].with_name(f"{joined.paths[0].stem}-licence.txt")
            if not licence.exists():
                write_atomically(licence, _terms(described, model).encode("utf-8"))
    if problems:
        outcome.waiting.append(model.stem)
        outcome.problems += problems


def _terms(described: LocalModel, model: KitModel) -> str:
    """What it is, not what it came as: where the catalogue does not know the content, the kit's words are only its own.

    Anybody can make a kit, and name a model in it as a known one.
    """
    if local_models.is_published(described):
        return licence_text(described)
    return "\n\n".join(part for part in (phrase("models.kit_licence_unchecked"), model.licence) if part)


def _described(model: KitModel, joined: JoinedModel) -> LocalModel:
    """With the hashes, which are known. Raises AppError for what is no model, or not the one of the table."""
    described = local_models.describe(joined.paths[0])
    marks = tuple(
        FileFingerprint(path.name, file.size_bytes, path.stat().st_mtime_ns, file.sha256)
        for path, file in zip(joined.paths, model.files, strict=True)
    )
    if [mark.name for mark in described.files] != [mark.name for mark in marks]:
        raise AppError("kit_content_refused", name=model.stem)
    promised = [local_models.promised_sha256(described, path) for path in joined.paths]
    if any(sha256 not in ("", now.sha256) for sha256, now in zip(promised, marks, strict=True)):
        raise AppError("kit_content_refused", name=model.stem)  # the catalogue knows better
    return dataclasses.replace(described, files=marks)


def _take_extra(
    extra: KitExtra, folder: Path, target: Path, read_presets: ReadPresets, outcome: ImportedModels
) -> None:
    name = EXTRA_NAMES[extra.kind]
    if not is_regular(folder / name):
        outcome.problems.append(AppError("kit_part_missing", part=name))
        return
    content = read_extra(folder / name, extra)
    if content is None:
        outcome.problems.append(AppError("kit_part_damaged", part=name))
    elif extra.kind == "presets":
        outcome.presets, problems = read_presets(content)
        outcome.problems += problems
    elif extra.sha256 != starter.TERMS_SHA256:  # a page that a browser opens, under a name that is ours
        outcome.problems.append(AppError("kit_content_unknown", name=name))
    elif not os.path.lexists(target / name):
        write_atomically(target / name, content)
