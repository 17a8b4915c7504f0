"""Move the models folder to another drive: copy and compare the files, switch folders, then delete the old files.

A journal in the data folder records the progress, so that the move can be killed at any moment and run again:

    copying    the old folder is complete and in use; the copies can be kept or discarded
    switching  the new folder is complete; only the list, the settings and the deletion are left

Files that were imported in place elsewhere stay where they are; of the old folder only regular files are moved. A
file is deleted only if it still has the size and time in the journal; an old file that has changed since and a file in
the new folder that the move did not write both stay. A journal that this machine has not signed comes from another
machine or an earlier version and could name any folder: the user sees its content, but it causes no action.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.base import authenticity, settings
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.files.output_file import (
    BLOCK_BYTES,
    CopyProgress,
    ReportBytes,
    drive_error,
    hash_file,
    require_space,
    sync_folder,
    write_atomically,
)
from app.base.paths import Paths
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import gguf_build
from app.models.model_store import ModelStore

_JOURNAL = "models-move.json"
_PARTIAL_SUFFIX = ".kotae-moving"
_COARSEST_NS = 2_000_000_000  # resolution of file times: FAT stores even seconds

SizeAndTime = tuple[int, int]  # bytes, and time of last change in ns


@dataclass(frozen=True, slots=True)
class FolderMove:
    """Describes a move as its journal records it.

    `names`: the files, relative to the folders. `made`: those that were not in `target` before. `noted`: size and time
    of each file of `source` when the move began.
    """

    source: Path
    target: Path
    state: str  # copying | switching; in a journal not signed here: over (the models are in `target`) | elsewhere
    names: tuple[str, ...]
    made: tuple[str, ...]
    noted: dict[str, SizeAndTime]

    @property
    def is_own(self) -> bool:
        return self.state in ("copying", "switching")


@dataclass(frozen=True, slots=True)
class FolderMoveResult:
    """Holds the result of a move: the folder now in use and the number of old files that are left."""

    folder: Path
    files_left: int = 0  # in the old folder, because they are in use or changed; `finish` tries again


def move(
    where: Paths, target: Path, store: ModelStore, report: ReportBytes = lambda _done, _total: None
) -> FolderMoveResult:
    """Move the models folder, resuming an interrupted move to the same target and undoing one to another target.

    `report` gets the bytes done and the total, each byte counted twice (copied, compared); an exception from it undoes
    the move. Raises AppError: move_same_place, move_busy, move_target_unusable, move_target_is_file, move_target_taken,
    move_copy_wrong, move_source_unreadable, move_source_changed, drive_space, drive_file_limit, and the codes of
    `ModelStore`.
    """
    target = _resolved(target)
    before = pending(where)
    if before is not None and not before.is_own:
        before = None
    if before is not None and before.state == "switching":
        moved = finish(where, store)
        if before.target == target:
            return moved
        where, before = dataclasses.replace(where, models_folder=before.target), None
    elif before is not None and before.target != target:
        undo(where)
        before = None
    source = _resolved(where.models)
    if _overlap(source, target):
        raise AppError("move_same_place", path=str(target))
    _require_idle(source)
    noted = {str(path.relative_to(source)): _noted(path) for path in _files(source)}
    if before is not None and not before.noted.items() <= noted.items():  # the copies of the earlier move are outdated
        undo(where)
        before = None
    plan = _plan(source, target, noted, before)
    write_journal(where, plan)
    try:
        _copy_all(plan, report)
    except BaseException:
        undo(where)
        raise
    write_journal(where, dataclasses.replace(plan, state="switching"))
    return finish(where, store)


def pending(where: Paths) -> FolderMove | None:
    """Return the interrupted move; None if there is none."""
    try:
        data = strict_json.load_file(where.data / _JOURNAL)
        is_own = authenticity.is_signed_by_this_machine(data.pop("mark", None), _JOURNAL, _canonical(data))
        noted = {name: (size, time) for name, (size, time) in dict(data.get("noted", {})).items()}
        names, made = tuple(data["names"]), tuple(data["made"])
        source, target = Path(data["source"]), Path(data["target"])
        state = data["state"] if is_own else _state_of_foreign_journal(where, source, target)
        return FolderMove(source, target, state, names, made, noted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _state_of_foreign_journal(where: Paths, source: Path, target: Path) -> str:
    """Return the state of a move whose journal another machine has signed.

    "over" if `target` is the models folder and `source` does not overlap it; else "elsewhere".
    """
    try:
        source, target = _resolved(source), _resolved(target)
        is_over = target == _resolved(where.models) and not _overlap(source, target)
    except AppError:  # not a valid path
        return "elsewhere"
    return "over" if is_over else "elsewhere"


def write_journal(where: Paths, plan: FolderMove) -> None:
    """Write the journal. Raises OSError."""
    data = dataclasses.asdict(plan) | {"source": str(plan.source), "target": str(plan.target)}
    data["mark"] = authenticity.sign_for_this_machine(_JOURNAL, _canonical(data))
    write_atomically(where.data / _JOURNAL, json.dumps(data).encode("ascii"))
    sync_folder(where.data)


def finish(where: Paths, store: ModelStore) -> FolderMoveResult:
    """Complete a move whose files are all copied; do nothing for one that is still copying. Called at every start."""
    plan = pending(where)
    if plan is None or plan.state != "switching":
        return FolderMoveResult(where.models)
    for model in store.local_models():
        moved = _as_moved(model, plan)
        if moved is not None:
            store.put_local_model(moved)
    chosen = dataclasses.replace(settings.load(where.settings), models_folder=str(plan.target))
    try:
        settings.save(where.settings, chosen)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AppError("settings_unsaved", path=str(where.settings), reason=reason) from error
    left = sum(not _is_deleted(plan, name) for name in plan.names)
    _remove_empty_folders(plan.source)
    if not left:
        (where.data / _JOURNAL).unlink(missing_ok=True)
    return FolderMoveResult(plan.target, left)


def undo(where: Paths) -> None:
    """Delete the copies that an unfinished move has made; the old folder stays in use.

    Of a move that this machine has not signed, only the journal is deleted.
    """
    plan = pending(where)
    if plan is None or plan.state == "switching":
        return
    if plan.state == "copying":
        _discard_copies(plan)
    (where.data / _JOURNAL).unlink(missing_ok=True)


def _discard_copies(plan: FolderMove) -> None:
    for name in plan.made:
        path = plan.target / name
        with contextlib.suppress(OSError):  # the drive may be gone
            _partial(path).unlink(missing_ok=True)
            if _is_copy(path, plan.noted.get(name)):
                path.unlink()
    _remove_empty_folders(plan.target)


# ---------------------------------------------------------------------- copy


def _require_idle(folder: Path) -> None:
    """Raise AppError("move_busy") while another process downloads or builds in the folder."""
    import filelock  # here, because commands wait for this module

    for path in (*folder.rglob("*.part.lock"), *folder.glob(f"{gguf_build.BUILDS_FOLDER}/*/{gguf_build.LOCK_FILE}")):
        try:
            with filelock.FileLock(str(path), timeout=0):
                pass
        except filelock.Timeout as error:
            raise AppError("move_busy", path=str(path.parent)) from error
        except OSError:  # deleted meanwhile
            continue


def _plan(source: Path, target: Path, noted: dict[str, SizeAndTime], before: FolderMove | None) -> FolderMove:
    """Check that the target folder is writable, and return the move. Raises AppError."""
    names = tuple(sorted(noted))
    try:
        if target.exists() and not target.is_dir():
            raise AppError("move_target_is_file", path=str(target))
        target.mkdir(parents=True, exist_ok=True)
        probe = target / f".probe{_PARTIAL_SUFFIX}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise drive_error(error, target, "move_target_unusable") from error
    taken = {name for name in names if _exists(target / name)} - set(before.made if before else ())
    return FolderMove(source, target, "copying", names, tuple(name for name in names if name not in taken), noted)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the regular files of a folder, without partial copies of an earlier move."""
    for base, _folders, names in os.walk(folder):
        for name in names:
            path = Path(base, name)
            if not name.endswith(_PARTIAL_SUFFIX) and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _noted(path: Path) -> SizeAndTime:
    """Return size and time of a file. Raises AppError("move_source_unreadable")."""
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return (status.st_size, status.st_mtime_ns)


def _require_unchanged(path: Path, mark: SizeAndTime) -> None:
    if _noted(path) != mark:
        raise AppError("move_source_changed", path=str(path))


def _is_copy(path: Path, mark: SizeAndTime | None) -> bool:
    """Return whether a file has the size and time of a copy by `_copy`. `mark`: of its source. Raises OSError."""
    if mark is None or path.is_symlink() or not path.is_file():
        return False
    status = path.stat()
    return status.st_size == mark[0] and abs(status.st_mtime_ns - mark[1]) <= _COARSEST_NS


def _copy_all(plan: FolderMove, report: ReportBytes) -> None:
    sizes = {name: size for name, (size, _time) in plan.noted.items()}
    require_space(plan.target, sum(size for name, size in sizes.items() if not _exists(plan.target / name)))
    meter = CopyProgress(report, sum(sizes.values()), passes=2)
    for name in plan.names:
        source, target = plan.source / name, plan.target / name
        if _exists(target):
            if not _have_same_content(source, target, meter):
                raise AppError("move_target_taken", path=str(target))
        else:
            _copy(source, target, plan.noted[name], meter)
    for name in plan.names:  # the first files were copied a while ago
        _require_unchanged(plan.source / name, plan.noted[name])


def _have_same_content(source: Path, target: Path, meter: CopyProgress) -> bool:
    """Return whether both files are equal: a copy by an interrupted move, or by the user."""
    if target.is_symlink() or not target.is_file() or source.stat().st_size != target.stat().st_size:
        return False
    try:
        return hash_file(source, meter) == hash_file(target, meter)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AppError("move_source_unreadable", path=str(source), reason=reason) from error


def _copy(source: Path, target: Path, mark: SizeAndTime, meter: CopyProgress) -> None:
    partial = _partial(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        written = _write_copy(source, partial, meter)
        os.utime(partial, ns=(mark[1], mark[1]))
        if hash_file(partial, meter) != written:
            raise AppError("move_copy_wrong", path=str(target))
        _require_unchanged(source, mark)
        partial.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise drive_error(error, target.parent, "move_target_unusable", mark[0]) from error


def _write_copy(source: Path, partial: Path, meter: CopyProgress) -> str:
    """Copy the bytes and return the SHA-256 of the bytes read.

    A read error raises AppError("move_source_unreadable"), a write error OSError.
    """
    digest = hashlib.sha256()
    with partial.open("xb") as out:
        try:
            reader = open_regular(source)
        except OSError as error:
            raise _unreadable(source, error) from error
        with reader:
            while block := _read_block(reader, source):
                digest.update(block)
                out.write(block)
                meter.add(len(block))
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _read_block(reader: BinaryIO, source: Path) -> bytes:
    try:
        return reader.read(BLOCK_BYTES)
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: Path, error: OSError) -> AppError:
    return AppError("move_source_unreadable", path=str(source), reason=error.strerror or str(error))


# -------------------------------------------------------------------- switch


def _as_moved(model: LocalModel, plan: FolderMove) -> LocalModel | None:
    """Return the model with its new paths and the times that the new drive stores; None if none was in the folder."""
    name, part = (_name_in(plan, file) for file in (model.path, model.projector))
    projector = str(plan.target / part) if part else model.projector
    if not name:
        return dataclasses.replace(model, projector=projector) if part else None
    path, new = plan.source / name, plan.target / name
    marks = tuple(_as_kept(mark, path.with_name(mark.name), new.with_name(mark.name)) for mark in model.files)
    return dataclasses.replace(model, path=str(new), files=marks, projector=projector)


def _name_in(plan: FolderMove, file: str) -> str:
    """Return the path of a file within the folder that is moved; "" if it is not there."""
    path = _resolved(Path(file).parent) / Path(file).name  # the listed path may contain a link
    name = str(path.relative_to(plan.source)) if file and path.is_relative_to(plan.source) else ""
    return name if name in plan.names else ""


def _as_kept(mark: FileFingerprint, old: Path, new: Path) -> FileFingerprint:
    """Return the fingerprint after the move. A file that had changed before must continue to look changed."""
    try:
        was_as_marked = old.stat().st_mtime_ns == mark.modified_ns
        return dataclasses.replace(mark, modified_ns=new.stat().st_mtime_ns) if was_as_marked else mark
    except OSError:
        return mark


def _is_deleted(plan: FolderMove, name: str) -> bool:
    """Delete the old file if it is unchanged and the new one complete; return whether it no longer exists."""
    old, new = plan.source / name, plan.target / name
    try:
        if not old.is_file() or old.is_symlink():
            return True
        mark = plan.noted.get(name)
        if mark != _noted(old) or not new.is_file() or new.stat().st_size != mark[0]:
            return False
        old.unlink()
    except OSError:  # on Windows another program has it open
        return False
    return True


def _remove_empty_folders(folder: Path) -> None:
    """Delete empty folders below `folder`, but not `folder` itself, which may be the root of a drive."""
    for base, _folders, _names in os.walk(folder, topdown=False):
        if Path(base) != folder:
            with contextlib.suppress(OSError):
                Path(base).rmdir()


# ------------------------------------------------------------------- private


def _canonical(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True).encode("ascii")


def _resolved(folder: Path) -> Path:
    try:
        return folder.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise AppError("move_target_unusable", path=str(folder), reason=str(error)) from error


def _overlap(path: Path, other: Path) -> bool:
    return path == other or path in other.parents or other in path.parents


def _partial(path: Path) -> Path:
    return path.with_name(path.name + _PARTIAL_SUFFIX)


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()
