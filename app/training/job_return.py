"""A run that another machine has finished, taken back from its job's folder (`app.training.jobs`)."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.atomic import write_atomically
from app.base.files.copying import Meter, Report, hash_of, require_space
from app.training import jobs
from app.training.data.rows import PARTS
from app.training.runs import runs, standing
from app.training.runs.runs import Run
from trainer import spec
from trainer.spec import RunSpec, SpecError

_MAX_BYTES = 1 << 20
# What is taken besides the journal; checkpoints, of no use any more, stay behind.
_FILES = (runs.ADAPTER, runs.HOLDOUT, runs.LOG)
_FOLDER = "adapter"
_PART = "taken.part"  # in the run, until all of it is there


def take(folder: Path, where: Path, report: Report = lambda _done, _total: None) -> Run:
    """Puts what was trained into the run that the job was made of, or into a new one. `where`: the runs' folder.

    `report` is told the bytes; what it raises ends the work, and the runs are as before then.
    Raises AppError: job_missing, job_unreadable, job_unfinished, job_changed, job_taken_before, job_unwritable,
    drive_space, run_busy, run_unwritable.
    """
    folder = folder.expanduser().absolute()
    manifest = _manifest(folder)
    journal = folder / jobs.RUN / standing.JOURNAL
    state = runs.read(folder / jobs.RUN).state if journal.is_file() and not journal.is_symlink() else "waiting"
    if state != "finished":
        raise AppError("job_unfinished", path=str(folder), state=state)
    sums = _sums(folder)
    meter = Meter(report, sum(map(_size_bytes, (*(folder / name for name in sums), *_files(folder / jobs.RUN)))))
    effective = _verified(folder, manifest, sums, meter)
    target = where / str(manifest["run"])
    is_new, is_taken = not target.exists(), False
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = runs.hold(target)
        try:
            _fill(target, folder, effective, meter)
        finally:
            held.release()
        is_taken = True
    except OSError as error:
        raise AppError("job_unwritable", path=str(target), reason=error.strerror or str(error)) from error
    finally:
        if is_new and not is_taken:
            shutil.rmtree(target, ignore_errors=True)
    return runs.read(target)


def _fill(target: Path, folder: Path, effective: RunSpec, meter: Meter) -> None:
    """The journal goes last: until then the run waits, and can be taken again. Raises OSError, AppError as `take`."""
    if standing.replay(target).state != "waiting":
        raise AppError("job_taken_before", id=target.name)
    asked = runs.read(target).spec or _placed(folder, target)
    run = folder / jobs.RUN
    require_space(target, sum(map(_size_bytes, _files(run))))
    part = target / _PART
    shutil.rmtree(part, ignore_errors=True)
    try:
        _copy(run, part, meter)
        shutil.rmtree(target / _FOLDER, ignore_errors=True)
        for path in part.iterdir():
            path.replace(target / path.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    places = {name: getattr(asked, name) for name in ("folder", "base", "adapter", "bases", "converter", *PARTS)}
    settled = dataclasses.replace(effective, **places)
    (target / runs.EFFECTIVE).write_text(json.dumps(spec.to_json(settled), ensure_ascii=False), encoding="utf-8")
    runs.write_spec(target, asked)
    write_atomically(target / standing.JOURNAL, (run / standing.JOURNAL).read_bytes())


def _manifest(folder: Path) -> dict[str, Any]:
    """Raises AppError: job_missing, job_unreadable."""
    try:
        found = strict_json.parse(_small(folder / jobs.MANIFEST))
        if not isinstance(found, dict) or found["version"] != jobs.VERSION or not isinstance(found["hashes"], dict):
            raise ValueError(f"version {jobs.VERSION}")
        name = found["run"]
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
            raise ValueError("run")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AppError("job_missing", path=str(folder)) from error
    except (OSError, ValueError, KeyError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise AppError("job_unreadable", path=str(folder), reason=reason) from error
    return found


def _sums(folder: Path) -> dict[str, str]:
    """Names of the job's files, and their hashes. Raises AppError("job_unreadable")."""
    lines = [line.partition("  ") for line in _text(folder, jobs.SUMS).splitlines()]
    return {name: wanted for wanted, _, name in lines}


def _verified(folder: Path, manifest: Mapping[str, Any], sums: Mapping[str, str], meter: Meter) -> RunSpec:
    """The effective spec of a run whose files are those of its job. Raises AppError: job_unreadable, job_changed."""
    for name, wanted in sums.items():
        if not _is_inside(name) or _digest(folder / name, meter) != wanted:
            raise AppError("job_changed", path=str(folder / Path(name).name))
    try:
        effective = spec.read(folder / jobs.RUN / runs.EFFECTIVE)
        record = strict_json.parse(_small(folder / jobs.RUN / _FOLDER / "kotae.json"))
    except (OSError, ValueError, SpecError) as error:
        raise AppError("job_unreadable", path=str(folder / jobs.RUN), reason=str(error)) from error
    if effective.hashes != manifest["hashes"]:
        raise AppError("job_changed", path=str(folder / jobs.DATA))
    if not isinstance(record, dict) or record.get("base_sha256") != manifest.get("base_sha256"):
        raise AppError("job_changed", path=str(folder / jobs.BASE))
    return effective


def _is_inside(name: str) -> bool:
    parts = Path(name).parts
    return bool(parts) and not Path(name).is_absolute() and ".." not in parts


def _digest(path: Path, meter: Meter) -> str:
    try:
        return hash_of(path, meter)
    except OSError:
        return ""


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):  # not there, or no name at all
        return 0


def _placed(folder: Path, target: Path) -> RunSpec:
    """For a job that this data folder does not know: data and base are where the job has them."""
    return dataclasses.replace(spec.read(folder / runs.SPEC), folder=str(target), converter="")


def _files(run: Path) -> list[Path]:
    """Only those of the names that a run has; what leads elsewhere is not followed."""
    paths = [*(run / name for name in _FILES), *(run / _FOLDER).glob("*")]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def _copy(source: Path, target: Path, meter: Meter) -> None:
    (target / _FOLDER).mkdir(parents=True)
    for path in _files(source):
        copied = target / path.relative_to(source)
        shutil.copyfile(path, copied)
        meter.add(_size_bytes(copied))


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)


def _text(folder: Path, name: str) -> str:
    try:
        return _small(folder / name).decode("utf-8")
    except (OSError, ValueError) as error:
        raise AppError("job_unreadable", path=str(folder / name), reason=str(error)) from error
