"""What a build has finished so far: its folder below the models folder, with a manifest, for one program at a time.

A build that is interrupted leaves it; the same build goes on from there, and `clean` deletes all that nobody holds.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import drive_error, require_space, sync_folder, write_atomically
from app.inference.quantizations import Quantization
from app.models.build_plan import BuildPlan, Step, room_needed

FOLDER = "building"
LOCK = "lock"
_MANIFEST = "manifest.json"
_VERSION = 1


class BuildFolder:
    """Held from `open` to `close`. Raises AppError("build_running") when another program holds it."""

    def __init__(self, build: BuildPlan) -> None:
        self.path = build.request.models / FOLDER / build.id
        self._build = build
        self._lock = filelock.FileLock(str(self.path / LOCK), timeout=0)
        self._done: dict[str, list[int]] = {}  # file -> size and time of the finished file
        self._results: dict[str, str] = {}  # name and form -> path of a model that is in the list

    def open(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout as error:
            raise AppError("build_running") from error
        except OSError as error:
            raise drive_error(error, self.path, "build_unwritable") from error
        manifest = _read(self.path / _MANIFEST)
        self._done, self._results = manifest["done"], manifest["results"]
        wanted = {step.file for step in self._build.steps} | {_MANIFEST, LOCK}
        for path in self.path.iterdir():  # halves, and what another list of forms has left
            if path.name not in wanted:
                _delete(path)

    def close(self, *, keep: bool) -> None:
        """`keep`: the build will go on some day."""
        if keep:
            self._lock.release()
            return
        _empty(self.path, self._lock)
        with contextlib.suppress(OSError):  # another build is in there
            self.path.parent.rmdir()

    # --------------------------------------------------------------------- steps

    def finished(self) -> dict[str, int]:
        """Bytes of each file that is whole and as it was left."""
        return {name: mark[0] for name, mark in self._done.items() if self._mark(name) == mark}

    def remaining(self) -> list[Step]:
        """Steps that are to be done, given what is there. A base whose merged form is there is not needed."""
        there = set(self.finished())
        not_needed = there | {name for step in self._build.steps if step.file in there for name in step.drops}
        steps = [step for step in self._build.steps if step.file not in not_needed or step.form]
        left = [step for step in steps if step.form is None or self.result(step.form) is None]
        return left if any(step.form for step in left) else []

    def require_room(self) -> None:
        """Raises AppError("drive_space") unless all that is still to be written fits beside what is there."""
        waiting = [step for step in self.remaining() if step.file not in self.finished()]
        require_space(self.path, room_needed(waiting, self.finished()))

    def note(self, step: Step) -> int:
        """Marks the step as done and deletes what nobody needs any more. Gives the bytes of its file."""
        mark = self._mark(step.file)
        if mark is None:
            raise AppError("build_damaged", path=str(self.path / step.file))
        self._done[step.file] = mark
        for name in step.drops:
            self._done.pop(name, None)
        self._write()
        for name in step.drops:
            _delete(self.path / name)
        return mark[0]

    def forget(self, step: Step) -> None:
        """What this step has made is no good: it is to be made anew. Raises AppError."""
        self._done.pop(step.file, None)
        self._write()

    def forget_result(self, form: Quantization) -> None:
        """The same for what is in the list already; its file stays."""
        self._results.pop(self._build.key(form), None)
        self._write()

    def result(self, form: Quantization) -> Path | None:
        """The model of this name and form that an earlier run has put into the list."""
        path = Path(self._results.get(self._build.key(form), ""))
        return path if path.suffix == ".gguf" and path.is_file() else None

    def publish(self, step: Step) -> Path:
        """Moves a quantized file to where models are, under a name that nobody has. Raises AppError."""
        assert step.form is not None
        try:
            target = self._free_name(step.form)
            (self.path / step.file).replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise drive_error(error, self.path, "build_unwritable") from error
        self._done.pop(step.file, None)
        self._results[self._build.key(step.form)] = str(target)
        self._write()
        return target

    def _free_name(self, form: Quantization) -> Path:
        number = 1
        while (target := self._build.request.models / self._build.file_name(form, number)).exists():
            number += 1
        return target

    def _mark(self, name: str) -> list[int] | None:
        try:
            status = (self.path / name).stat()
        except OSError:
            return None
        return [status.st_size, status.st_mtime_ns]

    def _write(self) -> None:
        body = {"version": _VERSION, "done": self._done, "results": self._results}
        try:
            write_atomically(self.path / _MANIFEST, json.dumps(body).encode("ascii"))
        except OSError as error:
            raise drive_error(error, self.path, "build_unwritable") from error


def unfinished_bytes(models: Path) -> int:
    """What interrupted builds have left."""
    folder = models / FOLDER
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def clean(models: Path, report: Callable[[Path], None] = lambda _path: None) -> int:
    """Deletes what interrupted builds have left; what a running one holds stays. Gives the bytes."""
    before = unfinished_bytes(models)
    folder = models / FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        lock = filelock.FileLock(str(path / LOCK), timeout=0)
        try:
            with lock:
                report(path)
                _empty(path, lock)
        except (filelock.Timeout, OSError):
            continue
    with contextlib.suppress(OSError):
        folder.rmdir()
    return before - unfinished_bytes(models)


def _empty(folder: Path, lock: filelock.BaseFileLock) -> None:
    """Deletes the folder and lets go of the lock, in that order: a build that opens it in between would lose it."""
    with contextlib.suppress(OSError):  # the drive may be gone
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                _delete(path)
    if os.name == "posix":
        _delete(folder / LOCK)  # whoever has opened it meanwhile does not get a lock without a name
    lock.release()
    if os.name != "posix":
        _delete(folder / LOCK)  # refused while another holds it
    with contextlib.suppress(OSError):  # another build has opened it
        folder.rmdir()


def _read(path: Path) -> dict[str, Any]:
    """Ours alone, but a half-written disk may hold anything: then nothing is finished."""
    empty: dict[str, Any] = {"done": {}, "results": {}}
    try:
        body = strict_json.load_file(path)
    except (OSError, ValueError):
        return empty
    if not isinstance(body, dict) or body.get("version") != _VERSION:
        return empty
    done = {name: mark for name, mark in body.get("done", {}).items() if isinstance(mark, list)}
    return {"done": done, "results": {key: str(path) for key, path in body.get("results", {}).items()}}


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows: open somewhere; the next `open` or `clean` deletes it
        path.unlink(missing_ok=True)
