"""Manage the folders of training runs: create, list, find, lock and delete them, and record their exports."""

import contextlib
import dataclasses
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base import authenticity, invisible_characters
from app.base.errors import AppError
from app.base.files import work_folder
from app.base.files.input_file import read_regular
from app.base.files.output_file import append_line, drive_errors, write_atomically
from app.base.files.work_folder import folder_size_bytes
from app.base.paths import Paths
from app.inference import scoring_files
from app.inference.scoring_files import Holdout
from app.models import base_models
from app.training.data import split_record
from app.training.data.rows import PARTS
from app.training.runs import lineage
from app.training.runs import run_journal as standings
from app.training.runs.run_journal import RunStatus
from trainer import adapter, events, spec
from trainer.events import Event
from trainer.spec import RunSpec

if TYPE_CHECKING:
    import filelock

SPEC, EFFECTIVE, ADAPTER = base_models.SPEC, base_models.EFFECTIVE, base_models.ADAPTER
LOCK, LOG, GATE = "lock", "log.txt", "gate.json"
MEASURED_LINES = 64  # most held-out lines that the engine measures for a verdict
EXPORTED = "exported.txt"  # file with the path of the job's folder for another machine
RETURNED = "returned.txt"  # file with the path of the job's folder from which the result was imported
CHECKPOINTS, HOLDOUT, REPORT = "checkpoints", "holdout.json", "report.html"
PEFT_ADAPTER = "adapter"  # folder of a finished run's adapter; another run can start from it
DATA, START = "data", "start"  # folders with copies of the data, and of the adapter to train further
_EXIT_LIMIT_S = 5.0
_PLACE_BYTES = 1 << 16  # limit for a file that contains a path


@dataclass(frozen=True, slots=True)
class TrainingRunFolder:
    """A training run in its folder.

    `state`: that of `standing`, or "crashed" (the process ended without a terminal event), "judging" (training is
    finished and a process holds the lock), "exported" (another machine is to train it).
    """

    id: str  # name of the run's folder
    folder: Path
    spec: RunSpec | None  # None: the spec's file is damaged
    standing: RunStatus
    state: str
    size_bytes: int

    @property
    def name(self) -> str:
        return (self.spec.name if self.spec else "") or invisible_characters.to_single_line(self.id)

    def require_spec(self) -> RunSpec:
        """Return the spec. Raises AppError("run_damaged") if it is None."""
        if self.spec is None:
            raise AppError("run_damaged", id=self.id)
        return self.spec

    def require_adapter(self) -> Path:
        """Return the adapter as a GGUF file. Raises AppError("run_no_adapter") if there is none."""
        if self.adapter is None:
            raise AppError("run_no_adapter", id=self.id)
        return self.adapter

    @property
    def has_checkpoint(self) -> bool:
        return has_checkpoint(self.folder)

    @property
    def is_judged(self) -> bool:
        return (self.folder / GATE).is_file()

    @property
    def is_from_elsewhere(self) -> bool:
        """Return whether the run was trained on another machine or by someone else, so its figures prove nothing."""
        return is_from_elsewhere(self.folder)

    @property
    def adapter(self) -> Path | None:
        """Return the adapter as a GGUF file; None if there is none yet."""
        path = self.folder / ADAPTER
        return path if path.is_file() else None


def list_all(runs: Path) -> list[TrainingRunFolder]:
    """Return all runs, the newest first."""
    return sorted(map(read, list_folders(runs)), key=lambda run: (_began_at(run), run.id), reverse=True)


def names_on(where: Paths, base: Path) -> list[str]:
    """Return the names of the runs, also of studies, that were trained on `base`. Raises AppError("run_busy")."""
    place = base.resolve()
    runs = [run for folder in where.all_runs for run in list_all(folder)]
    found = [run for run in runs if run.spec and (run.folder / run.spec.base).resolve() == place]
    for run in found:
        if is_locked(run.folder):
            raise AppError("run_busy", id=run.id)
    return [run.name for run in found]


def list_folders(runs: Path) -> list[Path]:
    """Return the folders of all runs, in no particular order."""
    try:
        return [folder for folder in runs.iterdir() if (folder / SPEC).is_file()]
    except OSError:  # the folder does not exist before the first run
        return []


def read(folder: Path) -> TrainingRunFolder:
    """Read a run, even if its files are damaged."""
    asked, standing = base_models.read_spec(folder / SPEC), standings.replay_status(folder)
    state, size_bytes = state_of(folder, standing), folder_size_bytes(folder)
    return TrainingRunFolder(folder.name, folder, asked, standing, state, size_bytes)


def has_checkpoint(folder: Path) -> bool:
    return any((folder / CHECKPOINTS).glob("checkpoint-*"))


def state_of(folder: Path, standing: RunStatus) -> str:
    """Return `TrainingRunFolder.state`. Only `end`, `pid` and `started_at` of `standing` are used."""
    state = standing.state
    if is_locked(folder):
        return "judging" if state == "finished" else "running"
    if state == "running" and not _is_alive(standing.pid, folder):
        return "crashed"
    return "exported" if state == "waiting" and exported_to(folder) else state


def find_finished(runs: Path, reference: str) -> TrainingRunFolder:
    """Find a run that has finished training.

    Raises AppError as `find` does, and run_busy, run_judging, run_exported, gate_not_finished.
    """
    run = find(runs, reference)
    if run.state == "running":
        raise AppError("run_busy", id=run.id)
    if run.state == "judging" and not run.is_judged:
        raise AppError("run_judging", id=run.id)
    require_here(run)
    if run.standing.state != "finished":
        raise AppError("gate_not_finished", id=run.id)
    return run


def require_here(run: TrainingRunFolder) -> None:
    """Raise AppError("run_exported") for a run that was exported to another machine."""
    if run.standing.state == "waiting" and (job := exported_to(run.folder)):
        raise AppError("run_exported", id=run.id, path=job, data=run.spec.train if run.spec else "?")


def is_from_elsewhere(folder: Path) -> bool:
    """Return whether the run in this folder was trained on another machine or by someone else."""
    return (folder / RETURNED).exists() or not is_planned_here(folder)


def is_planned_here(folder: Path) -> bool:
    """Return whether this program wrote the run's spec; a foreign spec may name any file of this machine."""
    return authenticity.is_file_written_by_kotae(folder / SPEC)


def require_planned_here(run: TrainingRunFolder) -> None:
    """Raise AppError("run_from_elsewhere") for a run whose spec this program did not write."""
    if not is_planned_here(run.folder):
        raise AppError("run_from_elsewhere", path=str(run.folder))


def read_holdout(folder: Path) -> Holdout:
    """Read the held-out examples of a run.

    Losses that another machine reported are dropped, because only those measured here count. Raises
    AppError("holdout_unreadable").
    """
    found = scoring_files.read_holdout(folder / HOLDOUT)
    return scoring_files.without_costs(found) if is_from_elsewhere(folder) else found


def exported_to(folder: Path) -> str:
    """Return the path of the job's folder if the run was exported to another machine, otherwise ""."""
    try:
        return read_regular(folder / EXPORTED, _PLACE_BYTES).decode("utf-8")
    except (OSError, ValueError):
        return ""


def record_export(folder: Path, job: Path) -> None:
    """Record in the run's folder that it was exported to `job`. Raises AppError("run_unwritable" | "drive_space")."""
    with drive_errors(folder, "run_unwritable"):
        write_atomically(folder / EXPORTED, str(job).encode("utf-8", "replace"))


def find(runs: Path, reference: str) -> TrainingRunFolder:
    """Find a run by its folder's path, id, name, or a part of id or name that no other run has.

    Raises AppError: run_unknown, run_ambiguous.
    """
    reference = reference.encode("utf-8", "replace").decode()  # lone surrogates, which no name contains, become "?"
    folder = _as_folder(reference)
    if folder is not None:
        return read(folder)
    known = list_all(runs)
    found = [run for run in known if reference in (run.id, run.name)]
    if not found and reference.strip():
        part = reference.strip().casefold()
        found = [run for run in known if part in f"{run.id} {run.name}".casefold()]
    if not found:
        raise AppError("run_unknown", wanted=reference)
    if len(found) > 1:
        raise AppError(
            "run_ambiguous", wanted=reference, count=len(found), known=" / ".join(run.id for run in found[:5])
        )
    return found[0]


def find_folder(runs: Path, reference: str) -> Path:
    """Return the folder of a run. `reference`: its folder's path, id, name, or a part of id or name, as for `find`.

    Raises AppError: run_unknown, run_ambiguous.
    """
    return find(runs, reference).folder


def create(requested: RunSpec, *, takes_data: bool = False) -> Path:
    """Create the folder of a new run with its spec, and return it.

    An adapter to train further is copied into it, and with `takes_data` the data too, so that later changes elsewhere
    cannot affect the run. After an error the folder is deleted. Raises AppError: run_folder_taken, run_unwritable,
    run_data_missing, drive_space.
    """
    folder = Path(requested.folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if next(folder.iterdir(), None) is not None:
            raise AppError("run_folder_taken", path=str(folder))
    except OSError as error:
        raise AppError("run_unwritable", path=str(folder), reason=error.strerror or str(error)) from error
    try:
        with drive_errors(folder, "run_unwritable"):
            settled = _with_data(requested, folder) if takes_data else requested
            if requested.adapter:
                copy_adapter(Path(requested.adapter), folder / START)
                settled = dataclasses.replace(settled, adapter=START)
            known_lineage = lineage.lineage_of_spec(requested).as_json()
            if known_lineage:
                content = json.dumps(known_lineage, ensure_ascii=False).encode("utf-8", "replace")
                write_atomically(folder / lineage.LINEAGE_FILE, content)
            write_spec(folder, settled)
    except AppError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _with_data(requested: RunSpec, folder: Path) -> RunSpec:
    """Copy the data into the folder and return the spec with the copies' paths.

    Raises OSError, AppError("run_data_missing").
    """
    (folder / DATA).mkdir()
    places: dict[str, Any] = {}
    for part in PARTS:
        source = getattr(requested, part)
        if source:
            places[part] = f"{DATA}/{part}.jsonl"
            try:
                shutil.copyfile(source, folder / places[part])
            except FileNotFoundError as error:
                raise AppError("run_data_missing", path=source) from error
    manifest = Path(requested.train).parent / split_record.MANIFEST
    if manifest.is_file():
        shutil.copyfile(manifest, folder / DATA / split_record.MANIFEST)
    return dataclasses.replace(requested, **places)


def copy_adapter(source: Path, target: Path) -> None:
    """Copy the files of an adapter to train further into the new folder `target`. Raises OSError."""
    target.mkdir()
    for name in adapter.FILES:
        if name != adapter.ROWS or (source / name).is_file():  # older adapters lack the list of rows
            shutil.copyfile(source / name, target / name)


def write_spec(folder: Path, requested: RunSpec) -> None:
    """Write the spec and register the file as this program's. Raises AppError("run_unwritable" | "drive_space")."""
    content = json.dumps(spec.to_json(requested), ensure_ascii=False, indent=1).encode("utf-8", "replace")
    with drive_errors(folder, "run_unwritable"):
        authenticity.write_registered(folder / SPEC, content)


def effective_spec(folder: Path) -> RunSpec | None:
    """Return a run's spec with all settings decided, or the requested spec before that; None if it is damaged."""
    return base_models.read_spec(folder / EFFECTIVE) or base_models.read_spec(folder / SPEC)


def record_event(folder: Path, event: Event) -> None:
    """Append an event to the journal that the training process could not write itself."""
    line = json.dumps({**events.to_json(event), "at": time.time()}, ensure_ascii=False).encode("utf-8", "replace")
    with contextlib.suppress(OSError):
        append_line(folder / standings.JOURNAL_FILE, line)


# --------------------------------------------------------------------------- lock


def lock_run(folder: Path) -> "filelock.BaseFileLock":
    """Lock the run's folder, so that no other process trains or judges the run until the lock is released.

    Raises AppError: run_busy, run_judging, run_unwritable; run_ending if an orphaned training process has not ended
    yet.
    """
    import filelock  # here, because commands wait for this module, and most only list runs

    try:
        lock = work_folder.acquire_lock(folder / LOCK)
    except filelock.Timeout as error:
        is_judged = standings.replay_status(folder).state == "finished"
        raise AppError("run_judging" if is_judged else "run_busy", id=folder.name) from error
    except OSError as error:
        raise AppError("run_unwritable", path=str(folder), reason=error.strerror or str(error)) from error
    standing = standings.replay_status(folder)
    if not _has_ended(standing.pid, folder, _EXIT_LIMIT_S if standing.end else 0.0):
        lock.release()
        raise AppError("run_ending", id=folder.name)
    return lock


def is_locked(folder: Path) -> bool:
    """Return whether a process holds the folder's lock, that is, trains or judges the run."""
    return work_folder.is_locked(folder / LOCK)


def _has_ended(pid: int, folder: Path, limit_s: float) -> bool:
    """Wait up to `limit_s` seconds for the training process to end and return whether it has ended."""
    if not _is_alive(pid, folder):
        return True
    import psutil

    try:
        psutil.Process(pid).wait(limit_s)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def _is_alive(pid: int, folder: Path) -> bool:
    """Return whether the process with this id trains in this folder; systems reuse process ids."""
    if not pid:
        return False
    import psutil  # here, as in `lock_run`

    try:
        return str(folder / SPEC) in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


# ------------------------------------------------------------------------- delete


def delete_run(run: TrainingRunFolder) -> int:
    """Delete the run's folder and return the freed bytes. Raises AppError: run_busy, run_not_removed.

    The spec is deleted last, so that after an interruption the rest is still listed as a run and can be deleted.
    """
    is_link = run.folder.is_symlink()  # the link's target may contain more than a run
    held = None if is_link else lock_run(run.folder)
    try:
        if is_link:
            run.folder.unlink()
            return 0
        for path in sorted(run.folder.iterdir(), key=lambda path: path.name == SPEC):
            if path.name != LOCK:
                _delete(path)
    except OSError as error:
        raise AppError("run_not_removed", id=run.id, reason=error.strerror or str(error)) from error
    finally:
        if held is not None:
            held.release()
    with contextlib.suppress(OSError):  # if another process opened the lock, the empty folder stays
        (run.folder / LOCK).unlink(missing_ok=True)
        run.folder.rmdir()
    return run.size_bytes


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


# -------------------------------------------------------------------------- facts


def _began_at(run: TrainingRunFolder) -> float:
    return run.standing.started_at or modified_at(run.folder / SPEC)


def modified_at(path: Path) -> float:
    """Return the time of the file's last change in seconds since 1970; 0 if the file is missing."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _as_folder(path_text: str) -> Path | None:
    """Return the run's folder if `path_text` is the path of it or of its spec, otherwise None."""
    try:
        path = Path(path_text).expanduser().absolute()
        folder = path.parent if path.name == SPEC else path
        return folder if (folder / SPEC).is_file() else None
    except (OSError, RuntimeError, ValueError):  # the name is too long, or `~` has an unknown user
        return None
