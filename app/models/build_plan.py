"""A model's way from a publisher's folder to quantized GGUF files: its steps, and the room on the drive each needs.

    convert    safetensors -> one GGUF in f16 or bf16
    adapter    the LoRA as GGUF           (only with an adapter)
    merge      base + LoRA -> another f16; the base goes
    imatrix    what a text says matters   (only with a text)
    quantize   once for each form, from the same f16; each is tried and put into the list before the next

What lies between is in `<models>/building/<id>/` (see `build_folder`) and goes at the end.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import safe_name
from app.inference import quantizations
from app.inference.quantizations import Quantization
from app.models import hf_folder
from app.models.hf_adapter import HfAdapter
from app.models.hf_folder import FileFact, HfModel

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
class Step:
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
    steps: tuple[Step, ...]

    @property
    def peak_bytes(self) -> int:
        """The most that lies on the drive at one moment, finished forms included."""
        return room_needed(self.steps, {})

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
        if adapter is None or not repository or not hf_folder.is_repository(adapter.base):
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


def plan(request: BuildRequest) -> BuildPlan:
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


def _steps(request: BuildRequest, name: str) -> list[Step]:
    model = request.model
    matrices = {at: tensor.shape for at, tensor in model.tensors.items() if len(tensor.shape) == 2}
    pairs = {at: (shape[0], shape[1]) for at, shape in matrices.items()}
    vectors = sum(4 * tensor.elements for at, tensor in model.tensors.items() if at not in matrices)
    overhead = vectors + _OVERHEAD_BYTES + sum(fact.size_bytes for fact in model.files if "token" in fact.name)
    f16_bytes = 2 * model.parameters + overhead
    steps = [Step("convert", "base.weights", f16_bytes)]
    if request.adapter is not None:
        steps.append(Step("adapter", "adapter.weights", 2 * request.adapter.weights_bytes + _OVERHEAD_BYTES))
        steps.append(Step("merge", "merged.weights", f16_bytes, drops=("base.weights", "adapter.weights")))
    imatrix_file = ""
    if request.text is not None:
        columns = sum(4 * shape[1] for shape in matrices.values())
        imatrix_file = f"{_text_mark(request.text)}.imatrix"
        steps.append(Step("imatrix", imatrix_file, columns + _OVERHEAD_BYTES))
    for form in request.forms:
        size = quantizations.estimate_bytes(form, pairs) + overhead
        key = hashlib.sha256(_key(form, name, imatrix_file).encode("utf-8", "replace")).hexdigest()[:8]
        steps.append(Step("quantize", f"{form.name}-{key}.weights", size, form))
    return steps


def room_needed(steps: Sequence[Step], done: Mapping[str, int]) -> int:
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
            if hf_folder.fact(folder, fact.name) != fact:
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


def _mark(folder: Path, config: str, facts: tuple[FileFact, ...]) -> list[object]:
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
