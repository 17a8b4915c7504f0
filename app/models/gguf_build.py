"""A model's way from a publisher's folder to quantized GGUF files: its steps, and the room on the drive each needs.

    convert    safetensors -> one GGUF in f16 or bf16
    adapter    the LoRA as GGUF           (only with an adapter)
    merge      base + LoRA -> another f16; the base goes
    imatrix    what a text says matters   (only with a text)
    quantize   once for each form, from the same f16; each is tried and put into the list before the next

What lies between is in `<models>/building/<id>/` (see `build_folder`) and goes at the end.

What a build has finished so far: its folder below the models folder, with a manifest, for one program at a time.

A build that is interrupted leaves it; the same build goes on from there, and `clean` deletes all that nobody holds.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import drive_error, require_space, safe_name, sync_folder, write_atomically
from app.inference import quantizations
from app.inference.quantizations import Quantization
from app.models import hf_folders
from app.models.hf_folders import FileStamp, HfAdapter, HfModel

_OVERHEAD_BYTES = 2 << 20  # metadata, alignment
_NAME_BYTES = 120  # of `general.name`: llama.cpp takes 127

# Called with the folder of an adapter and the file that it was merged into, so that it stays known what it has learned.
KeepLineage = Callable[[Path, Path], None]


@dataclass(frozen=True, slots=True)
class BuildRequest:
    model: HfModel
    forms: tuple[Quantization, ...]
    models: Path  # the folder where the results go
    adapter: HfAdapter | None = None
    name: str = ""  # "": what the folder calls itself
    text: Path | None = None  # the user's, for the importance matrix


@dataclass(frozen=True, slots=True)
class BuildStep:
    """`kind` as above. `file`: the name of its result in the build's folder; `drops`: files nobody needs after it."""

    kind: str
    file: str
    writes_bytes: int
    form: Quantization | None = None
    drops: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`quantize Q4_K_M`, `convert`: for logs and facts."""
        return f"{self.kind} {self.form.name}" if self.form else self.kind


@dataclass(frozen=True, slots=True)
class BuildPlan:
    request: BuildRequest
    id: str  # the same for the same sources, whatever is made of them
    name: str
    outtype: str  # f16 | bf16
    steps: tuple[BuildStep, ...]

    @property
    def peak_bytes(self) -> int:
        """The most that lies on the drive at one moment, finished forms included."""
        return space_needed(self.steps, {})

    @property
    def f16_file(self) -> str:
        """What is quantized."""
        return "merged.weights" if self.request.adapter else "base.weights"

    @property
    def imatrix_file(self) -> str:
        return next((step.file for step in self.steps if step.kind == "imatrix"), "")

    @property
    def other_base(self) -> str:
        """The model that the adapter says it was trained on, where this one calls itself otherwise; else "".

        No reason to refuse it: the same weights are published under several names.
        """
        adapter, repository = self.request.adapter, self.request.model.repository
        if adapter is None or not repository or not hf_folders.is_repository(adapter.base):
            return ""
        return adapter.base if adapter.base.casefold() != repository.casefold() else ""

    def metadata(self) -> dict[str, str]:
        """What the finished file says of itself beside what the converter has written."""
        repository = self.request.model.repository
        source = {"general.source.repo_url": f"https://huggingface.co/{repository}"} if repository else {}
        return {"general.name": self.name} | source

    def key(self, form: Quantization) -> str:
        """All that makes this form's file another one than that of the same sources."""
        return _key(form, self.name, self.imatrix_file)

    def file_name(self, form: Quantization, number: int = 1) -> str:
        stem = safe_name(self.name, "model").replace(" ", "-")
        return f"{stem}-{form.name}.gguf" if number == 1 else f"{stem}-{form.name}-{number}.gguf"


def plan_build(request: BuildRequest) -> BuildPlan:
    """Raises AppError("imatrix_experts") for what cannot be measured."""
    if request.text is not None and request.model.is_mixture:
        raise AppError("imatrix_experts")
    name = _name(request)
    is_lossless = request.model.type == "BF16" and request.adapter is None
    return BuildPlan(
        request=request,
        id=_id(request),
        name=name,
        outtype="bf16" if is_lossless else "f16",  # bf16 would round an adapter's small changes away
        steps=tuple(_steps(request, name)),
    )


def _steps(request: BuildRequest, name: str) -> list[BuildStep]:
    model = request.model
    matrices = {at: tensor.shape for at, tensor in model.tensors.items() if len(tensor.shape) == 2}
    pairs = {at: (shape[0], shape[1]) for at, shape in matrices.items()}
    vectors = sum(4 * tensor.elements for at, tensor in model.tensors.items() if at not in matrices)
    overhead = vectors + _OVERHEAD_BYTES + sum(fact.size_bytes for fact in model.files if "token" in fact.name)
    f16_bytes = 2 * model.parameters + overhead
    steps = [BuildStep("convert", "base.weights", f16_bytes)]
    if request.adapter is not None:
        steps.append(BuildStep("adapter", "adapter.weights", 2 * request.adapter.weights_bytes + _OVERHEAD_BYTES))
        steps.append(BuildStep("merge", "merged.weights", f16_bytes, drops=("base.weights", "adapter.weights")))
    imatrix_file = ""
    if request.text is not None:
        columns = sum(4 * shape[1] for shape in matrices.values())
        imatrix_file = f"{_text_mark(request.text)}.imatrix"
        steps.append(BuildStep("imatrix", imatrix_file, columns + _OVERHEAD_BYTES))
    for form in request.forms:
        size = quantizations.estimate_bytes(form, pairs) + overhead
        key = hashlib.sha256(_key(form, name, imatrix_file).encode("utf-8", "replace")).hexdigest()[:8]
        steps.append(BuildStep("quantize", f"{form.name}-{key}.weights", size, form))
    return steps


def space_needed(steps: Sequence[BuildStep], done: Mapping[str, int]) -> int:
    """The most that these steps take at one moment beyond what is there. `done`: file -> bytes of finished files."""
    there = dict(done)
    present = now = highest = sum(there.values())
    for step in steps:
        there[step.file] = step.writes_bytes
        now += step.writes_bytes
        highest = max(highest, now)
        now -= sum(there.pop(name, 0) for name in step.drops)
    return highest - present


def require_same_sources(build: BuildPlan) -> None:
    """Raises AppError("build_source_changed") when a file is not what it was when the plan was made."""
    request = build.request
    folders = [(request.model.folder, request.model.files)]
    if request.adapter is not None:
        folders.append((request.adapter.folder, request.adapter.files))
    for folder, facts in folders:
        for fact in facts:
            if hf_folders.file_stamp(folder, fact.name) != fact:
                raise AppError("build_source_changed", path=str(folder / fact.name))


# ------------------------------------------------------------------- names


def _id(request: BuildRequest) -> str:
    """Of the files' names, sizes and times and of the small files' contents: reading gigabytes would take minutes."""
    model, adapter = request.model, request.adapter
    sources = [_mark(model.folder, "config.json", model.files)]
    if adapter is not None:
        sources.append(_mark(adapter.folder, "adapter_config.json", adapter.files))
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:16]


def _key(form: Quantization, name: str, imatrix_file: str) -> str:
    return "\n".join((form.name, name, imatrix_file))


def _mark(folder: Path, config: str, facts: tuple[FileStamp, ...]) -> list[object]:
    digest = hashlib.sha256(strict_json.read_bytes(folder / config)).hexdigest()
    return [digest, *([fact.name, fact.size_bytes, fact.modified_ns] for fact in facts)]


def _text_mark(text: Path) -> str:
    """Raises AppError("imatrix_text_unreadable")."""
    try:
        status = text.stat()
    except OSError as error:
        raise AppError("imatrix_text_unreadable", path=str(text), reason=error.strerror or str(error)) from error
    mark = f"{text.absolute()} {status.st_size} {status.st_mtime_ns}"
    return f"importance-{hashlib.sha256(mark.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _name(request: BuildRequest) -> str:
    """One line without control characters, short enough for llama.cpp."""
    adapter = request.adapter
    said = request.name.strip() or request.model.name + (f" + {adapter.folder.name}" if adapter else "")
    return (
        invisible_characters.to_single_line(said).encode("utf-8", "replace")[:_NAME_BYTES].decode("utf-8", "ignore")
        or "model"
    )


BUILDS_FOLDER = "building"
LOCK_FILE = "lock"
_MANIFEST = "manifest.json"
_VERSION = 1


class BuildFolder:
    """Held from `open` to `close`. Raises AppError("build_running") when another program holds it."""

    def __init__(self, build: BuildPlan) -> None:
        self.path = build.request.models / BUILDS_FOLDER / build.id
        self._build = build
        self._lock = filelock.FileLock(str(self.path / LOCK_FILE), timeout=0)
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
        wanted = {step.file for step in self._build.steps} | {_MANIFEST, LOCK_FILE}
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

    def remaining(self) -> list[BuildStep]:
        """Steps that are to be done, given what is there. A base whose merged form is there is not needed."""
        there = set(self.finished())
        not_needed = there | {name for step in self._build.steps if step.file in there for name in step.drops}
        steps = [step for step in self._build.steps if step.file not in not_needed or step.form]
        left = [step for step in steps if step.form is None or self.result(step.form) is None]
        return left if any(step.form for step in left) else []

    def require_room(self) -> None:
        """Raises AppError("drive_space") unless all that is still to be written fits beside what is there."""
        waiting = [step for step in self.remaining() if step.file not in self.finished()]
        require_space(self.path, space_needed(waiting, self.finished()))

    def note(self, step: BuildStep) -> int:
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

    def forget(self, step: BuildStep) -> None:
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

    def publish(self, step: BuildStep) -> Path:
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


def unfinished_build_bytes(models: Path) -> int:
    """What interrupted builds have left."""
    folder = models / BUILDS_FOLDER
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def delete_unfinished_builds(models: Path, report: Callable[[Path], None] = lambda _path: None) -> int:
    """Deletes what interrupted builds have left; what a running one holds stays. Gives the bytes."""
    before = unfinished_build_bytes(models)
    folder = models / BUILDS_FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        lock = filelock.FileLock(str(path / LOCK_FILE), timeout=0)
        try:
            with lock:
                report(path)
                _empty(path, lock)
        except (filelock.Timeout, OSError):
            continue
    with contextlib.suppress(OSError):
        folder.rmdir()
    return before - unfinished_build_bytes(models)


def _empty(folder: Path, lock: filelock.BaseFileLock) -> None:
    """Deletes the folder and lets go of the lock, in that order: a build that opens it in between would lose it."""
    with contextlib.suppress(OSError):  # the drive may be gone
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK_FILE:
                _delete(path)
    if os.name == "posix":
        _delete(folder / LOCK_FILE)  # whoever has opened it meanwhile does not get a lock without a name
    lock.release()
    if os.name != "posix":
        _delete(folder / LOCK_FILE)  # refused while another holds it
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
