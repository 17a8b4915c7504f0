"""Plan a model build from a publisher's folder to quantized GGUF files, and record its finished files.

    convert    safetensors -> one GGUF file in f16 or bf16
    adapter    the LoRA as a GGUF file (only with an adapter)
    merge      base + LoRA -> another f16 file; the base is deleted
    imatrix    importance of each weight, measured on a text (only with a text)
    quantize   once for each quantization, from the same f16 file; each is tested and listed before the next

Intermediate files are in `<models>/building/<id>/` and are deleted at the end. A manifest in that folder records the
finished files, so that an interrupted build resumes; a lock file keeps the folder to one process at a time.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.base import invisible_characters, json_lines
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import drive_error, require_space, safe_name, sync_folder, write_atomically
from app.inference import quantizations
from app.inference.engine.model_jobs import Imatrix, Quantize
from app.inference.quantizations import Quantization
from app.models import artifact_steps, hf_folders
from app.models.artifact_steps import ArtifactStep
from app.models.hf_folders import FileStamp, HfAdapter, HfModel
from trainer.convert_job import HfToGguf, LoraToGguf, Merge

if TYPE_CHECKING:
    import filelock

_OVERHEAD_BYTES = 2 << 20  # metadata, alignment
_NAME_BYTES = 120  # limit for `general.name`; llama.cpp accepts 127

# Called with an adapter's folder and the file it was merged into, to keep the training record with that file.
KeepLineage = Callable[[Path, Path], None]


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Requests GGUF files in some quantizations, built from a model in Hugging Face's format."""

    model: HfModel
    forms: tuple[Quantization, ...]
    models: Path  # the folder for the results
    adapter: HfAdapter | None = None
    name: str = ""  # "": the name in the publisher's folder
    text: Path | None = None  # the user's text, to measure the importance matrix with


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Holds all steps of a build in order; their kinds are those in the module's docstring."""

    request: BuildRequest
    id: str  # depends on the sources only, not on the results
    name: str
    outtype: str  # f16 | bf16
    steps: tuple[ArtifactStep, ...]

    @property
    def folder(self) -> Path:
        return _folder(self.request, self.id)

    @property
    def peak_bytes(self) -> int:
        """Return the largest number of bytes on the drive at any moment, finished files included."""
        return artifact_steps.peak_bytes(self.steps)

    @property
    def other_base(self) -> str:
        """Return the name of the adapter's base if it differs from this model's repository; else "".

        That is no reason to refuse the build: the same weights are published under several names.
        """
        adapter, repository = self.request.adapter, self.request.model.repository
        if adapter is None or not repository or not hf_folders.is_repository(adapter.base):
            return ""
        return adapter.base if adapter.base.casefold() != repository.casefold() else ""

    def metadata(self) -> dict[str, str]:
        """Return the metadata to write into the finished file in addition to the converter's."""
        return _metadata(self.request, self.name)

    def key(self, form: str) -> str:
        """Return a key that distinguishes the file of this quantization from others built of the same sources."""
        return _result_key(form, self.name, next((step.path.name for step in self.steps if step.kind == "imatrix"), ""))

    def file_name(self, form: str, number: int = 1) -> str:
        stem = safe_name(self.name, "model").replace(" ", "-")
        return f"{stem}-{form}.gguf" if number == 1 else f"{stem}-{form}-{number}.gguf"


def plan_build(request: BuildRequest) -> BuildPlan:
    """Plan the steps. Raises AppError("imatrix_experts") if a mixture of experts is to be measured with a text."""
    if request.text is not None and request.model.is_mixture:
        raise AppError("imatrix_experts")
    name = _name(request)
    is_lossless = request.model.type == "BF16" and request.adapter is None
    outtype = "bf16" if is_lossless else "f16"  # rounding to bf16 would lose an adapter's small changes
    id = _source_id(request)
    return BuildPlan(request, id, name, outtype, tuple(_steps(request, name, outtype, _folder(request, id))))


def _steps(request: BuildRequest, name: str, outtype: str, folder: Path) -> list[ArtifactStep]:
    model, adapter = request.model, request.adapter
    f16, lora, merged = folder / "base.weights", folder / "adapter.weights", folder / "merged.weights"
    source = str(model.folder)
    matrices = {at: tensor.shape for at, tensor in model.tensors.items() if len(tensor.shape) == 2}
    pairs = {at: (shape[0], shape[1]) for at, shape in matrices.items()}
    vectors = sum(4 * tensor.elements for at, tensor in model.tensors.items() if at not in matrices)
    overhead = vectors + _OVERHEAD_BYTES + sum(fact.size_bytes for fact in model.files if "token" in fact.name)
    f16_bytes = 2 * model.parameters + overhead
    convert = functools.partial(HfToGguf, source, str(f16), outtype=outtype)
    steps = [ArtifactStep("convert", f16, convert, writes_bytes=f16_bytes)]
    if adapter is not None:
        convert_lora = functools.partial(LoraToGguf, str(adapter.folder), source, str(lora))
        merge = functools.partial(Merge, str(f16), str(lora), str(merged))
        lora_bytes = 2 * adapter.weights_bytes + _OVERHEAD_BYTES
        steps.append(ArtifactStep("adapter", lora, convert_lora, writes_bytes=lora_bytes))
        steps.append(ArtifactStep("merge", merged, merge, writes_bytes=f16_bytes, drops=(f16, lora)))
        f16 = merged
    imatrix = ""
    if request.text is not None:
        columns = sum(4 * shape[1] for shape in matrices.values())
        path = folder / f"{_imatrix_stem(request.text)}.imatrix"
        measure, imatrix = Imatrix(str(f16), str(request.text), str(path)), str(path)
        steps.append(ArtifactStep("imatrix", path, measure, writes_bytes=columns + _OVERHEAD_BYTES))
    for form in request.forms:
        size = quantizations.estimate_bytes(form, pairs) + overhead
        key = _result_key(form.name, name, Path(imatrix).name).encode("utf-8", "replace")
        path = folder / f"{form.name}-{hashlib.sha256(key).hexdigest()[:8]}.weights"
        quantize = Quantize(str(f16), str(path), form.name, imatrix, _metadata(request, name))
        steps.append(ArtifactStep("quantize", path, quantize, form.name, size))
    return steps


def require_same_sources(build: BuildPlan) -> None:
    """Raise AppError("build_source_changed") if a source file has changed since the plan was made."""
    request = build.request
    folders = [(request.model.folder, request.model.files)]
    if request.adapter is not None:
        folders.append((request.adapter.folder, request.adapter.files))
    for folder, facts in folders:
        for fact in facts:
            if hf_folders.file_stamp(folder, fact.name) != fact:
                raise AppError("build_source_changed", path=str(folder / fact.name))


# ------------------------------------------------------------------- names


def _source_id(request: BuildRequest) -> str:
    """Return a hash of the files' names, sizes and times and of the configurations' content.

    Hashing the weights would take minutes.
    """
    model, adapter = request.model, request.adapter
    sources = [_fingerprint(model.folder, "config.json", model.files)]
    if adapter is not None:
        sources.append(_fingerprint(adapter.folder, "adapter_config.json", adapter.files))
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:16]


def _result_key(form: str, name: str, imatrix_file: str) -> str:
    return "\n".join((form, name, imatrix_file))


def _metadata(request: BuildRequest, name: str) -> dict[str, str]:
    repository = request.model.repository
    source = {"general.source.repo_url": f"https://huggingface.co/{repository}"} if repository else {}
    return {"general.name": name} | source


def _fingerprint(folder: Path, config: str, facts: tuple[FileStamp, ...]) -> list[object]:
    digest = hashlib.sha256(strict_json.read_bytes(folder / config)).hexdigest()
    return [digest, *([fact.name, fact.size_bytes, fact.modified_ns] for fact in facts)]


def _imatrix_stem(text: Path) -> str:
    """Return the name, without suffix, of the importance matrix that is measured with a text file.

    It depends on the path, size and time of the text. Raises AppError("imatrix_text_unreadable").
    """
    try:
        status = text.stat()
    except OSError as error:
        raise AppError("imatrix_text_unreadable", path=str(text), reason=error.strerror or str(error)) from error
    stamp = f"{text.absolute()} {status.st_size} {status.st_mtime_ns}"
    return f"importance-{hashlib.sha256(stamp.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _name(request: BuildRequest) -> str:
    """Return the model's name: one line, without control characters, short enough for llama.cpp."""
    adapter = request.adapter
    wanted = request.name.strip() or request.model.name + (f" + {adapter.folder.name}" if adapter else "")
    return (
        invisible_characters.to_single_line(wanted).encode("utf-8", "replace")[:_NAME_BYTES].decode("utf-8", "ignore")
        or "model"
    )


BUILDS_FOLDER = "building"
LOCK_FILE = "lock"
_MANIFEST = "manifest.json"
_VERSION = 1


@dataclass(slots=True)
class _Manifest:
    """Records a build's finished work. `done`: file -> size and time. `results`: `BuildPlan.key` -> listed model."""

    version: int = _VERSION
    done: dict[str, list[int]] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)


def _folder(request: BuildRequest, id: str) -> Path:
    return request.models / BUILDS_FOLDER / id


class BuildFolder:
    """Manages the folder of one build, locked from `open` to `close`.

    `open` raises AppError("build_running") if it is locked.
    """

    def __init__(self, build: BuildPlan) -> None:
        self.path = build.folder
        self._build = build
        import filelock  # here, because commands wait for this module, and few build

        self._lock = filelock.FileLock(str(self.path / LOCK_FILE), timeout=0)
        self._manifest = _Manifest()

    def open(self) -> None:
        import filelock

        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout as error:
            raise AppError("build_running") from error
        except OSError as error:
            raise drive_error(error, self.path, "build_unwritable") from error
        self._manifest = _read_manifest(self.path / _MANIFEST)
        wanted = {step.path.name for step in self._build.steps} | {_MANIFEST, LOCK_FILE}
        for path in self.path.iterdir():  # unfinished files, and those of other quantizations
            if path.name not in wanted:
                _delete(path)

    def close(self, *, keep: bool) -> None:
        """Release the folder; delete it unless `keep` is true because the build will be resumed."""
        if keep:
            self._lock.release()
            return
        _empty(self.path, self._lock)
        with contextlib.suppress(OSError):  # it contains another build
            self.path.parent.rmdir()

    # --------------------------------------------------------------------- steps

    def finished_sizes(self) -> dict[Path, int]:
        """Return the size in bytes of each finished file that is unchanged since it was recorded."""
        done = {self.path / name: stamp for name, stamp in self._manifest.done.items()}
        return {path: stamp[0] for path, stamp in done.items() if _stamp(path) == stamp}

    def remaining(self) -> list[ArtifactStep]:
        """Return the steps still to do. A base whose merged form is finished is not needed."""
        present = set(self.finished_sizes())
        not_needed = present | {path for step in self._build.steps if step.path in present for path in step.drops}
        steps = [step for step in self._build.steps if step.path not in not_needed or step.name]
        left = [step for step in steps if not step.name or self.result(step.name) is None]
        return left if any(step.name for step in left) else []

    def require_room(self) -> None:
        """Raise AppError("drive_space") unless the files still to be written fit on the drive."""
        waiting = [step for step in self.remaining() if step.path not in self.finished_sizes()]
        require_space(self.path, artifact_steps.peak_bytes(waiting, self.finished_sizes()))

    def note(self, step: ArtifactStep) -> int:
        """Record a step as finished, delete the files that are no longer needed, and return the size of its file."""
        stamp = _stamp(step.path)
        if stamp is None:
            raise AppError("build_damaged", path=str(step.path))
        self._manifest.done[step.path.name] = stamp
        for path in step.drops:
            self._manifest.done.pop(path.name, None)
        self._write_manifest()
        for path in step.drops:
            _delete(path)
        return stamp[0]

    def forget(self, step: ArtifactStep) -> None:
        """Remove a step's defective result from the manifest, so that the step runs again. Raises AppError."""
        self._manifest.done.pop(step.path.name, None)
        self._write_manifest()

    def forget_result(self, form: str) -> None:
        """Remove a result from the manifest because its model is in the list; its file stays."""
        self._manifest.results.pop(self._build.key(form), None)
        self._write_manifest()

    def result(self, form: str) -> Path | None:
        """Return the model file that an earlier run has built in this quantization; None if there is none."""
        path = Path(self._manifest.results.get(self._build.key(form), ""))
        return path if path.suffix == ".gguf" and path.is_file() else None

    def publish(self, step: ArtifactStep) -> Path:
        """Move a quantized file into the models folder under a free name. Raises AppError."""
        try:
            target = self._free_name(step.name)
            step.path.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise drive_error(error, self.path, "build_unwritable") from error
        self._manifest.done.pop(step.path.name, None)
        self._manifest.results[self._build.key(step.name)] = str(target)
        self._write_manifest()
        return target

    def _free_name(self, form: str) -> Path:
        number = 1
        while (target := self._build.request.models / self._build.file_name(form, number)).exists():
            number += 1
        return target

    def _write_manifest(self) -> None:
        try:
            write_atomically(self.path / _MANIFEST, json.dumps(dataclasses.asdict(self._manifest)).encode("ascii"))
        except OSError as error:
            raise drive_error(error, self.path, "build_unwritable") from error


def unfinished_build_bytes(models: Path) -> int:
    """Return the bytes that interrupted builds occupy."""
    folder = models / BUILDS_FOLDER
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def delete_unfinished_builds(models: Path) -> int:
    """Delete the folders of interrupted builds, except those that a process has locked; return the bytes freed."""
    import filelock

    before = unfinished_build_bytes(models)
    folder = models / BUILDS_FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        lock = filelock.FileLock(str(path / LOCK_FILE), timeout=0)
        try:
            with lock:
                _empty(path, lock)
        except (filelock.Timeout, OSError):
            continue
    with contextlib.suppress(OSError):
        folder.rmdir()
    return before - unfinished_build_bytes(models)


def _empty(folder: Path, lock: "filelock.BaseFileLock") -> None:
    """Delete the folder's content, then release the lock.

    In the other order a build that opens the folder in between would lose its files.
    """
    with contextlib.suppress(OSError):  # the drive may be gone
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK_FILE:
                _delete(path)
    if os.name == "posix":
        _delete(folder / LOCK_FILE)  # unlinked while locked: a process that waits for it cannot use the unlinked file
    lock.release()
    if os.name != "posix":
        _delete(folder / LOCK_FILE)  # fails while another process holds it
    with contextlib.suppress(OSError):  # another build has opened it
        folder.rmdir()


def _read_manifest(path: Path) -> _Manifest:
    """Read a manifest. A damaged one counts as empty: nothing is finished."""
    try:
        found = json_lines.convert(strict_json.load_file(path), _Manifest)
    except (OSError, ValueError):
        return _Manifest()
    return found if found.version == _VERSION else _Manifest()


def _stamp(path: Path) -> list[int] | None:
    """Return size and time of a file; None: there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):  # on Windows it may be open; the next `open` or clean-up deletes it
        path.unlink(missing_ok=True)
