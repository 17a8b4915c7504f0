"""The models folder moved to another drive: copied, compared, switched, and only then deleted.

A journal in the data folder says how far it came, so that it can be killed at any moment and run again:

    copying    the old folder is whole and in use; what was copied can be kept or thrown away
    switching  the new folder is whole; from here it only goes forward: list, settings, deletion

Files that were imported in place elsewhere stay where they are. In the old folder only regular files are moved.
Nothing is deleted that is not as the journal has noted it: neither an old file that has changed since, nor one in the
new folder that no move has made. A journal without this machine's mark is somebody else's, or of an earlier version:
it could name any folder of ours, so the user sees what it says, and nothing is done by it.
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

import filelock

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
_HALF_SUFFIX = ".kotae-moving"
_COARSEST_NS = 2_000_000_000  # FAT keeps even seconds

Mark = tuple[int, int]  # bytes, and the time of the last change in ns


@dataclass(frozen=True, slots=True)
class FolderMove:
    """`names` are those of the files, relative to the folders. `made`: the ones that were not in `target` before.

    `noted`: each file of `source` as it was when the move began.
    """

    source: Path
    target: Path
    state: str  # copying | switching; not marked by this machine: over (the models are in `target`) | elsewhere
    names: tuple[str, ...]
    made: tuple[str, ...]
    noted: dict[str, Mark]

    @property
    def is_own(self) -> bool:
        return self.state in ("copying", "switching")


@dataclass(frozen=True, slots=True)
class FolderMoveResult:
    folder: Path
    files_left: int = 0  # in the old folder, because something holds or has changed them; `finish` tries again


def move(
    where: Paths, target: Path, store: ModelStore, report: ReportBytes = lambda _done, _total: None
) -> FolderMoveResult:
    """Moves the models folder. `report` is told bytes (each counts twice: copied, compared); what it raises undoes all.

    Goes on with a move to the same folder that was interrupted, and undoes one to another.
    Raises AppError: move_same_place, move_busy, move_target_unusable, move_target_taken, move_copy_wrong,
    move_source_unreadable, move_source_changed, drive_space, drive_file_limit, and `ModelStore`'s.
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
    if before is not None and not before.noted.items() <= noted.items():  # its copies are old
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
    """Return the move that was interrupted, if there is one."""
    try:
        data = strict_json.load_file(where.data / _JOURNAL)
        is_own = authenticity.is_signed_by_this_machine(data.pop("mark", None), _JOURNAL, _canonical(data))
        noted = {name: (size, time) for name, (size, time) in dict(data.get("noted", {})).items()}
        names, made = tuple(data["names"]), tuple(data["made"])
        source, target = Path(data["source"]), Path(data["target"])
        state = data["state"] if is_own else _foreign_state(where, source, target)
        return FolderMove(source, target, state, names, made, noted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _foreign_state(where: Paths, source: Path, target: Path) -> str:
    """Return "over" only where all that would be left to do is to clear a folder that is surely another one."""
    try:
        source, target = _resolved(source), _resolved(target)
        is_over = target == _resolved(where.models) and not _overlap(source, target)
    except AppError:  # no path at all
        return "elsewhere"
    return "over" if is_over else "elsewhere"


def write_journal(where: Paths, plan: FolderMove) -> None:
    """Write the journal. Raises OSError."""
    data = dataclasses.asdict(plan) | {"source": str(plan.source), "target": str(plan.target)}
    data["mark"] = authenticity.sign_for_this_machine(_JOURNAL, _canonical(data))
    write_atomically(where.data / _JOURNAL, json.dumps(data).encode("ascii"))
    sync_folder(where.data)


def finish(where: Paths, store: ModelStore) -> FolderMoveResult:
    """Completes a move whose files are all copied; does nothing to one that is still copying. For each start."""
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
    """Throw away what a move has copied that did not come to its switch. The old folder was in use all the time.

    Of a move that this machine has not marked only the journal goes.
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
        with contextlib.suppress(OSError):  # the drive may be gone with them
            _half(path).unlink(missing_ok=True)
            if _is_copy(path, plan.noted.get(name)):
                path.unlink()
    _remove_empty_folders(plan.target)


# ---------------------------------------------------------------------- copy


def _require_idle(folder: Path) -> None:
    """Raises AppError("move_busy") while another program downloads or builds in there."""
    for path in (*folder.rglob("*.part.lock"), *folder.glob(f"{gguf_build.BUILDS_FOLDER}/*/{gguf_build.LOCK_FILE}")):
        try:
            with filelock.FileLock(str(path), timeout=0):
                pass
        except filelock.Timeout as error:
            raise AppError("move_busy", path=str(path.parent)) from error
        except OSError:  # gone meanwhile
            continue


def _plan(source: Path, target: Path, noted: dict[str, Mark], before: FolderMove | None) -> FolderMove:
    """Raises AppError for a target that cannot take the files."""
    names = tuple(sorted(noted))
    try:
        if target.exists() and not target.is_dir():
            raise AppError("move_target_is_file", path=str(target))
        target.mkdir(parents=True, exist_ok=True)
        probe = target / f".probe{_HALF_SUFFIX}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise drive_error(error, target, "move_target_unusable") from error
    taken = {name for name in names if _exists(target / name)} - set(before.made if before else ())
    return FolderMove(source, target, "copying", names, tuple(name for name in names if name not in taken), noted)


def _files(folder: Path) -> Iterator[Path]:
    """Regular files, without half copies of an earlier move."""
    for base, _folders, names in os.walk(folder):
        for name in names:
            path = Path(base, name)
            if not name.endswith(_HALF_SUFFIX) and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _noted(path: Path) -> Mark:
    """Raises AppError("move_source_unreadable")."""
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return (status.st_size, status.st_mtime_ns)


def _require_unchanged(path: Path, mark: Mark) -> None:
    if _noted(path) != mark:
        raise AppError("move_source_changed", path=str(path))


def _is_copy(path: Path, mark: Mark | None) -> bool:
    """Whether the file is as `_copy` leaves it. Raises OSError."""
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
            if not _is_same(source, target, meter):
                raise AppError("move_target_taken", path=str(target))
        else:
            _copy(source, target, plan.noted[name], meter)
    for name in plan.names:  # the first were copied a while ago
        _require_unchanged(plan.source / name, plan.noted[name])


def _is_same(source: Path, target: Path, meter: CopyProgress) -> bool:
    """A copy that an interrupted move has made, or one the user had made."""
    if target.is_symlink() or not target.is_file() or source.stat().st_size != target.stat().st_size:
        return False
    try:
        return hash_file(source, meter) == hash_file(target, meter)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AppError("move_source_unreadable", path=str(source), reason=reason) from error


def _copy(source: Path, target: Path, mark: Mark, meter: CopyProgress) -> None:
    half = _half(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        half.unlink(missing_ok=True)
        written = _write(source, half, meter)
        os.utime(half, ns=(mark[1], mark[1]))
        if hash_file(half, meter) != written:
            raise AppError("move_copy_wrong", path=str(target))
        _require_unchanged(source, mark)
        half.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise drive_error(error, target.parent, "move_target_unusable", mark[0]) from error


def _write(source: Path, half: Path, meter: CopyProgress) -> str:
    """Gives the hash of what was read. A failure to read is told apart from one to write."""
    digest = hashlib.sha256()
    with half.open("xb") as out:
        try:
            reader = open_regular(source)
        except OSError as error:
            raise _unreadable(source, error) from error
        with reader:
            while block := _read(reader, source):
                digest.update(block)
                out.write(block)
                meter.add(len(block))
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _read(reader: BinaryIO, source: Path) -> bytes:
    try:
        return reader.read(BLOCK_BYTES)
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: Path, error: OSError) -> AppError:
    return AppError("move_source_unreadable", path=str(source), reason=error.strerror or str(error))


# -------------------------------------------------------------------- switch


def _as_moved(model: LocalModel, plan: FolderMove) -> LocalModel | None:
    """With its new path, and the times that the new drive keeps (FAT: even seconds). None: it was not in there."""
    listed = Path(model.path)
    path = _resolved(listed.parent) / listed.name  # the data folder may have been reached through a link
    if not path.is_relative_to(plan.source) or str(path.relative_to(plan.source)) not in plan.names:
        return None
    new = plan.target / path.relative_to(plan.source)
    marks = tuple(_as_kept(mark, path.with_name(mark.name), new.with_name(mark.name)) for mark in model.files)
    return dataclasses.replace(model, path=str(new), files=marks)


def _as_kept(mark: FileFingerprint, old: Path, new: Path) -> FileFingerprint:
    """A file that had changed before the move must go on to look changed."""
    try:
        was_as_marked = old.stat().st_mtime_ns == mark.modified_ns
        return dataclasses.replace(mark, modified_ns=new.stat().st_mtime_ns) if was_as_marked else mark
    except OSError:
        return mark


def _is_deleted(plan: FolderMove, name: str) -> bool:
    """Deletes the old file, if it is still what was copied and the new one is there whole."""
    old, new = plan.source / name, plan.target / name
    try:
        if not old.is_file() or old.is_symlink():
            return True
        mark = plan.noted.get(name)
        if mark != _noted(old) or not new.is_file() or new.stat().st_size != mark[0]:
            return False
        old.unlink()
    except OSError:  # Windows: some program has it open
        return False
    return True


def _remove_empty_folders(folder: Path) -> None:
    """Below `folder`, not itself: it may be a drive's own."""
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


def _overlap(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def _half(path: Path) -> Path:
    return path.with_name(path.name + _HALF_SUFFIX)


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()
