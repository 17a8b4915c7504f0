"""Import a run that another machine has finished from its job's folder (`app.training.remote_job`).

The folder is untrusted. Only plain files with known names are imported. They are copied first, and only the copies are
validated, because a file on removable media may change at any time. Hashes are computed again; the adapter must fit the
run's base, which is checked without loading weights; and the run is marked as trained elsewhere
(`run_folders.RETURNED`) until it is measured here. The file is long because each file of the folder is validated in its
own way.
"""

import dataclasses
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from app.base import json_lines
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import NotPlainError, open_plain, read_plain, require_folder
from app.base.files.output_file import (
    BLOCK_BYTES,
    CopyProgress,
    ReportBytes,
    require_space,
    safe_name,
    write_atomically,
)
from app.base.wording import phrase
from app.inference import gguf
from app.inference import scoring_files as holdouts
from app.models import hf_folders, peft_adapter
from app.training import remote_job
from app.training.data.rows import PARTS
from app.training.runs import run_folders, run_journal
from app.training.runs.run_folders import TrainingRunFolder
from trainer import adapter, events, spec
from trainer.events import Event
from trainer.spec import RunSpec, SpecError


def check_adapter(folder: Path, effective: RunSpec, base: Path) -> None:
    """Raise an error if the adapter does not fit the base; if the base is missing, check only the adapter itself.

    `effective`: the spec with all settings decided. Raises AppError: hf_*, job_adapter_differs.
    """
    found = hf_folders.read_hf_adapter(folder)
    if (found.rank, found.alpha) != (effective.rank, effective.alpha):
        raise _adapter_differs(folder, f"r={found.rank}, alpha={found.alpha:g}")
    if base.is_dir():
        hf_folders.read_hf_adapter(folder, hf_folders.read_hf_model(base))
    header = gguf.read_header(base) if base.is_file() else None
    for target, shape in found.shapes.items():
        name = peft_adapter.gguf_tensor(target)
        if name is None:
            raise _adapter_differs(folder, target)
        if header is not None:
            weight = header.tensors.get(name)
            if weight is None or tuple(reversed(weight.shape)) != shape:
                raise _adapter_differs(folder, target)


def _adapter_differs(folder: Path, where: str) -> AppError:
    return AppError("job_adapter_differs", path=str(folder), where=where[:80])


_MIB = 1 << 20
# The files to import, with their size limits in bytes. Checkpoints are no longer useful and are not imported.
_REWRITTEN_FILES = {
    run_journal.JOURNAL_FILE: 64 * _MIB,
    run_folders.EFFECTIVE: _MIB,
}  # rewritten with paths of this machine
_FILES = _REWRITTEN_FILES | {run_folders.ADAPTER: 1 << 34, run_folders.HOLDOUT: 256 * _MIB, run_folders.LOG: 64 * _MIB}
_ADAPTER_FILES = {adapter.CONFIG: _MIB, adapter.RECORD: _MIB, adapter.ROWS: 64 * _MIB, adapter.WEIGHTS: 1 << 34}
_DESKTOP_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")  # file managers leave these in any folder
_SMALL_BYTES, _ROWS_BYTES = _MIB, 256 * _MIB
_BASE_BYTES = 1 << 40
_SHIPPED_BYTES = 1 << 33  # limit for all files in SUMS (data and programs) together; the base has its own
_MOST_SUMS = 10_000  # limit of files in SUMS; a trainer has about a hundred
_PART_FOLDER = "taken.part"  # in the run's folder while an import is incomplete
_PLACES = ("folder", "base", "adapter", "bases", "converter", *PARTS)
# Fields that the other machine decides, so they may differ from the requested spec.
_SETTLED_THERE = (
    "hashes", "device", "micro_batch", "accumulation", "gradient_checkpointing", "checkpoint_every", "learning_rate",
    *_PLACES,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Manifest:
    """The content of job.json."""

    version: int
    run: str
    hashes: dict[str, str]
    base_sha256: str = ""


@dataclass(frozen=True, slots=True)
class _Returned:
    """The validated content of the finished run."""

    effective: RunSpec
    journal: tuple[Event, ...] = field(repr=False)


def import_job(folder: Path, where: Path, report: ReportBytes = lambda _done, _total: None) -> TrainingRunFolder:
    """Import the trained result into the run from which the job was made, or into a new run.

    `folder`: the job's folder. `where`: the folder of all runs. `report` gets the bytes done and the total; an
    exception from it stops the import and leaves the runs unchanged. Raises AppError: job_missing, job_unreadable,
    job_refused, job_unfinished, job_changed, job_taken_before, job_unwritable, drive_space, run_busy, run_unwritable,
    and as `check_adapter` does.
    """
    folder = folder.expanduser().absolute()
    manifest = _manifest(folder)
    target = where / manifest.run
    known = run_folders.read(target).spec if run_folders.is_planned_here(target) else None
    asked = known or _foreign_spec(folder, target)
    try:
        sums = _sums(folder)
        shipped_bytes = sum(map(_size_bytes, (folder / name for name in sums)))
        if shipped_bytes > _SHIPPED_BYTES:
            raise NotPlainError(folder, "too_large")
        meter = CopyProgress(report, shipped_bytes + sum(map(_size_bytes, _present(folder / remote_job.RUN))))
    except NotPlainError as error:
        raise _refused(error.path, error.kind) from error
    is_new, is_taken = not target.exists(), False
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = run_folders.lock_run(target)
        try:
            if run_journal.replay_status(target).state != "waiting":
                raise AppError("job_taken_before", id=target.name)
            part = target / _PART_FOLDER
            shutil.rmtree(part, ignore_errors=True)
            try:
                _copy(folder, part, meter)
                _fill(target, folder, asked, _validated(folder, part, manifest, asked, sums, meter))
            finally:
                shutil.rmtree(part, ignore_errors=True)
        finally:
            held.release()
        is_taken = True
    except OSError as error:
        unwritable = AppError("job_unwritable", path=str(target), reason=error.strerror or str(error))
        raise _read_error(error, target, unwritable) from error
    finally:
        if is_new and not is_taken:
            shutil.rmtree(target, ignore_errors=True)
    return run_folders.read(target)


def _fill(target: Path, folder: Path, requested: RunSpec, returned_job: _Returned) -> None:
    """Move the validated copies into the run. Raises OSError, AppError("run_unwritable").

    The journal is written last: until then the run is "waiting" and the import can be repeated.
    """
    shutil.rmtree(target / run_folders.PEFT_ADAPTER, ignore_errors=True)
    for path in (target / _PART_FOLDER).iterdir():
        if path.name not in _REWRITTEN_FILES:
            path.replace(target / path.name)
    settled = dataclasses.replace(returned_job.effective, **{name: getattr(requested, name) for name in _PLACES})
    (target / run_folders.EFFECTIVE).write_text(json.dumps(spec.to_json(settled), ensure_ascii=False), encoding="utf-8")
    write_atomically(target / run_folders.RETURNED, str(folder).encode("utf-8", "replace"))
    run_folders.write_spec(target, requested)
    lines = (
        json.dumps(events.to_json(_with_local_paths(event, target)), ensure_ascii=False)
        for event in returned_job.journal
    )
    write_atomically(
        target / run_journal.JOURNAL_FILE, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    )


# ------------------------------------------------------------------ validation


def _manifest(folder: Path) -> _Manifest:
    """Read job.json. Raises AppError: job_missing, job_unreadable, job_refused."""
    path = folder / remote_job.JOB_FILE
    try:
        found = json_lines.convert(json_lines.parse_object(read_plain(path, _SMALL_BYTES)), _Manifest)
        if found.version != remote_job.VERSION:
            raise ValueError(f"version {remote_job.VERSION}")
        if not found.run or safe_name(found.run, "") != found.run or not set(found.hashes) <= {*PARTS, "adapter"}:
            raise ValueError(f"run: {found.run[:40]!r}")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AppError("job_missing", path=str(folder)) from error
    except (OSError, ValueError) as error:
        raise _read_error(error, folder) from error
    return found


def _foreign_spec(folder: Path, target: Path) -> RunSpec:
    """Return the spec of a job that this data folder does not know; its data and base must be inside the job's folder.

    Raises AppError: job_unreadable, job_refused.
    """
    try:
        fields = strict_json.parse_object(read_plain(folder / run_folders.SPEC, _SMALL_BYTES))
        asked = spec.from_json(fields)
        for name in (*PARTS, "base", "adapter"):
            if fields.get(name) and not _is_inside(fields[name]):
                raise SpecError(name, fields[name], "a place in the job's folder")
    except (OSError, ValueError) as error:
        raise _read_error(error, folder / run_folders.SPEC) from error
    own = {name: str(folder / getattr(asked, name)) for name in (*PARTS, "base", "adapter") if getattr(asked, name)}
    return dataclasses.replace(asked, **{**own, "folder": str(target), "bases": "", "converter": ""})  # type: ignore[arg-type]


def _sums(folder: Path) -> dict[str, str]:
    """Return the expected hash of each file, by name. Raises AppError("job_unreadable"), NotPlainError."""
    path = folder / remote_job.SUMS
    try:
        entries = [line.partition("  ") for line in read_plain(path, _SMALL_BYTES).decode("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise _read_error(error, path) from error
    if len(entries) > _MOST_SUMS:
        raise _refused(path, "too_large")
    return {name: wanted for wanted, _, name in entries}


def _validated(
    folder: Path, copied: Path, manifest: _Manifest, requested: RunSpec, sums: Mapping[str, str], meter: CopyProgress
) -> _Returned:
    """Validate and return the run that was copied to `copied`. Raises AppError as `import_job` does, NotPlainError."""
    journal = _journal(folder, copied)
    for name, wanted in sums.items():
        if not _is_inside(name) or _digest(folder, name, meter) != wanted:
            raise AppError("job_changed", path=str(folder / Path(name).name))
    named = {name for name in (*PARTS, "adapter") if getattr(requested, name)}
    if manifest.hashes.keys() != named:  # a part without a hash would not be compared
        raise AppError("job_changed", path=str(folder / remote_job.JOB_FILE))
    for part, wanted in manifest.hashes.items():
        name = f"{remote_job.DATA}/{part}.jsonl"
        if requested.hashes.get(part, wanted) != wanted or (part in PARTS and sums.get(name) != wanted):
            raise AppError("job_changed", path=str(folder / name))
    _check_included_base(folder, Path(requested.base))
    effective = _effective(folder, copied, manifest, requested)
    _check_adapter(folder, copied, manifest, effective, requested)
    _check_holdout(copied, folder / remote_job.DATA / "holdout.jsonl", manifest.hashes.get("holdout", ""))
    return _Returned(effective, journal)


def _check_included_base(folder: Path, base: Path) -> None:
    """Raise an error if a base inside the job is not a plain, readable file or folder.

    Raises OSError, NotPlainError.
    """
    if not base.is_relative_to(folder) or not os.path.lexists(base):
        return
    for parent in [*base.relative_to(folder).parents][:-1]:
        require_folder(folder / parent)
    if base.is_symlink() or not base.is_dir():
        open_plain(base, _BASE_BYTES).close()


def _journal(folder: Path, copied: Path) -> tuple[Event, ...]:
    """Return the events of the run's journal. Raises AppError("job_unfinished"), NotPlainError.

    `folder`: the returned job, for the error. `copied`: the copy of its run, which is read.
    """
    found: list[Event] = []
    state = run_journal.RunStatus()
    try:
        raw = read_plain(copied / run_journal.JOURNAL_FILE, _FILES[run_journal.JOURNAL_FILE])
    except NotPlainError:
        raise
    except OSError:
        raw = b""
    for line in raw.splitlines():
        try:
            event = run_journal.event_from_json(json_lines.parse_object(line))
        except ValueError:  # an incomplete line, or JSON that is not an event
            continue
        state = run_journal.status_after(state, event)
        found.append(event)
    if state.state != "finished":
        raise AppError("job_unfinished", path=str(folder), state=state.state)
    return tuple(found)


def _effective(folder: Path, copied: Path, manifest: _Manifest, requested: RunSpec) -> RunSpec:
    """Return the spec with the decided settings, which must agree with the requested one.

    Raises AppError: job_unreadable, job_changed.
    """
    try:
        effective = spec.from_json(strict_json.parse_object(read_plain(copied / run_folders.EFFECTIVE, _SMALL_BYTES)))
    except (OSError, ValueError) as error:
        raise _read_error(error, folder / remote_job.RUN) from error
    if effective.hashes != manifest.hashes:
        raise AppError("job_changed", path=str(folder / remote_job.DATA))
    for item in dataclasses.fields(RunSpec):
        wanted = getattr(requested, item.name)
        if item.name not in _SETTLED_THERE and wanted is not None and getattr(effective, item.name) != wanted:
            raise AppError("job_changed", path=str(folder / remote_job.RUN / run_folders.EFFECTIVE))
    if None not in _step(requested) and math.prod(_step(effective)) != math.prod(_step(requested)):
        raise AppError("job_changed", path=str(folder / remote_job.RUN / run_folders.EFFECTIVE))
    return effective


def _step(run: RunSpec) -> tuple[Any, Any]:
    """Return the two settings whose product, the examples of a step, changes the result."""
    return run.micro_batch, run.accumulation


def _check_adapter(folder: Path, copied: Path, manifest: _Manifest, effective: RunSpec, requested: RunSpec) -> None:
    """Check the adapter's record and its shapes.

    Raises AppError: job_unreadable, job_changed, and as `check_adapter` does; NotPlainError.
    """
    try:
        record = strict_json.parse_object(read_plain(copied / run_folders.PEFT_ADAPTER / adapter.RECORD, _SMALL_BYTES))
    except (OSError, ValueError) as error:
        raise _read_error(error, folder / remote_job.RUN) from error
    if record.get("base_sha256") != manifest.base_sha256 or requested.base_sha256 != manifest.base_sha256:
        raise AppError("job_changed", path=str(folder / remote_job.BASE))
    check_adapter(copied / run_folders.PEFT_ADAPTER, effective, Path(requested.base))


def _check_holdout(run: Path, rows: Path, sha256: str) -> None:
    """Check that the held-out examples come from the job's rows, since the verdict depends on them.

    Raises AppError: job_changed, holdout_unreadable; NotPlainError.
    """
    if not (run / run_folders.HOLDOUT).exists():
        return
    holdout = holdouts.read_holdout(run / run_folders.HOLDOUT)
    try:
        raw = read_plain(rows, _ROWS_BYTES)
        if hashlib.sha256(raw).hexdigest() != sha256:
            raise AppError("job_changed", path=str(rows))
        parsed = [strict_json.loads(line) for line in raw.splitlines() if line.strip()]
        numbers = {at for at, line in enumerate(raw.split(b"\n"), start=1) if line.strip()}
        asked = [row["messages"][:-1] for row in parsed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _read_error(error, rows, AppError("job_changed", path=str(rows))) from error
    chats = [list(chat.messages) for chat in holdout.chats]
    plain = [
        [{"role": message.get("role"), "content": message.get("content")} for message in messages] for messages in asked
    ]
    if {example.line for example in holdout.examples} != numbers or chats != plain[: len(chats)]:
        raise AppError("job_changed", path=str(run / run_folders.HOLDOUT))


def _with_local_paths(event: Event, target: Path) -> Event:
    """Return the event with its paths replaced by those of this machine."""
    if isinstance(event, events.Finished):
        gguf = str(target / run_folders.ADAPTER) if event.gguf else ""
        return dataclasses.replace(event, adapter=str(target / run_folders.PEFT_ADAPTER), gguf=gguf)
    if isinstance(event, events.Checkpoint):
        return dataclasses.replace(event, path="")
    return dataclasses.replace(event, pid=0) if isinstance(event, events.Started) else event


# ------------------------------------------------------------------------------ files


def _is_inside(name: Any) -> bool:
    if not isinstance(name, str) or "\0" in name or "\\" in name:
        return False
    path = PurePosixPath(name)  # only the normal form is accepted, so that each file has one name
    return name == str(path) != "." and not path.is_absolute() and ".." not in path.parts


def _digest(folder: Path, name: str, meter: CopyProgress) -> str:
    """Return the file's hash; "" if the file is missing. Raises NotPlainError."""
    path = folder / name
    try:
        for parent in list(path.relative_to(folder).parents)[:-1]:
            require_folder(folder / parent)
        with open_plain(path, _SHIPPED_BYTES) as file:
            digest = hashlib.sha256()
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                meter.add(len(block))
        return digest.hexdigest()
    except NotPlainError:
        raise
    except OSError:
        return ""


def _size_bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except (OSError, ValueError):  # missing file or invalid name
        return 0


def _with_limits(run: Path) -> Iterator[tuple[Path, int]]:
    for name, most in _FILES.items():
        yield run / name, most
    for name, most in _ADAPTER_FILES.items():
        yield run / run_folders.PEFT_ADAPTER / name, most


def _present(run: Path) -> list[Path]:
    return [path for path, _ in _with_limits(run) if path.is_file()]


def _copy(folder: Path, target: Path, meter: CopyProgress) -> None:
    """Copy the files with known names from the job's run into `target`.

    Raises AppError: job_unfinished, job_unreadable, job_refused, drive_space; OSError, NotPlainError.
    """
    source = folder / remote_job.RUN
    try:
        require_folder(source)
    except OSError as error:
        unfinished = AppError("job_unfinished", path=str(folder), state="waiting")
        raise _read_error(error, source, unfinished) from error
    _require_known_names(source / run_folders.PEFT_ADAPTER)
    for path, most in _with_limits(source):
        if os.path.lexists(path):
            open_plain(path, most).close()  # raises for special or large files, before the free space is checked
    require_space(target.parent, sum(map(_size_bytes, _present(source))))
    (target / run_folders.PEFT_ADAPTER).mkdir(parents=True)
    for path, most in _with_limits(source):
        if not os.path.lexists(path):
            continue
        with open_plain(path, most) as file, (target / path.relative_to(source)).open("xb") as copied:
            while block := file.read(BLOCK_BYTES):
                copied.write(block)
                meter.add(len(block))


def _require_known_names(folder: Path) -> None:
    """Raise an error for an adapter folder with unknown files: AppError("job_refused"), NotPlainError."""
    try:
        require_folder(folder)
        names = sorted(path.name for path in folder.iterdir() if path.name not in _DESKTOP_FILES)
    except NotPlainError:
        raise
    except OSError:
        return
    for name in names:
        if name not in _ADAPTER_FILES:
            raise _refused(folder / name, "unexpected")


# ----------------------------------------------------------------------------- errors


def _refused(path: Path, kind: str) -> AppError:
    return AppError("job_refused", path=str(path), reason=phrase(f"common.refused.{kind}"))


def _read_error(error: Exception, path: Path, otherwise: AppError | None = None) -> AppError:
    """Return job_refused for a file that is not plain, otherwise `otherwise`; job_unreadable if that is None."""
    if isinstance(error, NotPlainError):
        return _refused(error.path, error.kind)
    reason = (isinstance(error, OSError) and error.strerror) or str(error)[:200]
    return otherwise or AppError("job_unreadable", path=str(path), reason=reason)
