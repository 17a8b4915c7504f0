"""Define the specification of a training run, `run.json`, as a versioned dataclass. Standard library only.

The recipe (`trainer.recipe`) decides each field that is None from the data and the machine. The run sends and stores
the result as its effective spec, so that the values shown are those in use.
"""

import dataclasses
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.prompt_form import TrainingPromptForm

VERSION = 1
MAX_BYTES = 1 << 20  # limit of the file; usual ones have up to 4 kB
PAPER_PRESETS = ("paper-2603.18037", "paper-2603.18037-bases")  # of its study of amounts, of its study of bases
PRESETS = ("light", "standard", "thorough", *PAPER_PRESETS)
PRECISIONS = ("nf4", "bf16", "f16", "f32")
COMPUTE = ("bf16", "f16", "f32")
OVER_LENGTH = ("refuse", "drop", "split")
PREFERENCE = "preference"
LOSSES = ("answers", "all", PREFERENCE)
OPTIMIZERS = ("adamw_8bit", "paged_adamw_8bit", "adamw")
DEVICES = ("cuda", "cpu")


class SpecError(ValueError):
    """Raised for an invalid spec. `field`: the wrong field; `value`: its value; `expected`: what is allowed."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(f"{field}: {value!r}, expected {expected}")
        self.field = field
        self.value = value
        self.expected = expected


@dataclass(frozen=True, slots=True)
class RunSpec:
    """The specification of one run. Paths are absolute, or relative to the folder of the spec's file."""

    folder: str  # the run's folder, which the run creates: events, checkpoints, adapter
    base: str  # a folder with config.json, safetensors and tokenizer, or a GGUF file
    train: str  # rows as JSON Lines: {"messages": [{"role", "content"}, ...]}
    validation: str  # rows to choose the best checkpoint; never trained on
    holdout: str = ""  # rows for the later gate, not used in training; "": none
    version: int = VERSION
    name: str = ""  # name to show to the user
    adapter: str = ""  # folder of an adapter to train further, with its rank and alpha; "": none
    hashes: dict[str, str] = field(default_factory=dict)  # sha256 of train, validation, holdout, adapter; checked
    bases: str = ""  # folder for folders made from GGUF bases; "": the run's folder
    base_sha256: str = ""  # hash of the GGUF that will answer with the adapter
    base_weights: str = ""  # where the base's weights are from, for the report: a repository, or the type of a GGUF
    form: TrainingPromptForm | None = None  # None: derived from the base's chat template
    converter: str = ""  # folder of llama.cpp's converter; "": no GGUF is written

    preset: str = "standard"  # one of PRESETS: source of values for fields that are None
    precision: str | None = None  # precision of the frozen base, one of PRECISIONS
    compute: str | None = None  # one of COMPUTE, for multiplying nf4 weights; otherwise equals `precision`
    device: str | None = None  # one of DEVICES
    memory_share: float = 1.0  # share of the card's memory that the run may use, 0 to 1
    context_tokens: int | None = None  # limit of an example; batches are padded only to their longest
    over_length: str = "refuse"  # what to do with longer examples, one of OVER_LENGTH
    loss: str | None = None  # "answers": with end of turn; "all": prompts too; PREFERENCE: of pairs (`preference.py`)

    rank: int | None = None  # rank of the LoRA matrices
    alpha: int | None = None  # the update is scaled by alpha / rank
    dropout: float | None = None  # dropout of the LoRA's input, 0 to 1
    learning_rate: float | None = None  # the highest, after warm-up
    warmup_share: float | None = None  # share of all steps, 0 to 1
    final_rate_share: float | None = None  # share of learning_rate at the end of the cosine
    weight_decay: float | None = None
    clip_norm: float | None = None  # largest norm of a gradient
    micro_batch: int | None = None  # examples computed at once
    accumulation: int | None = None  # micro batches per step
    epochs: float | None = None  # maximum: early stopping may end the run sooner
    max_steps: int | None = None  # maximum; None: epochs decide
    evaluations_per_epoch: int | None = None  # 0: no evaluation, early stopping or best checkpoint
    patience: int | None = None  # evaluations without improvement before the run ends
    optimizer: str | None = None  # one of OPTIMIZERS
    gradient_checkpointing: bool | None = None  # activations are computed again instead of kept
    checkpoint_every: int | None = None  # with gradient_checkpointing: 1 in every layer, 2 in every second, …
    embedding_on_cpu: bool | None = None  # the token embedding stays in the machine's memory
    seed: int = 42  # for LoRA's initial values, the order of examples and dropout

    samples: tuple[str, ...] = ()  # questions answered at each evaluation; (): two validation rows
    sample_tokens: int = 64  # maximum length of these answers

    def __post_init__(self) -> None:
        _check(self)

    @property
    def is_preference(self) -> bool:
        return self.loss == PREFERENCE

    @property
    def evaluated_loss(self) -> str:
        """Return the loss on the validation rows, which never counts prompts."""
        return PREFERENCE if self.is_preference else "answers"

    @property
    def sequences(self) -> int:
        """Return the number of sequences of an example: a pair has two."""
        return 2 if self.is_preference else 1


def to_json(spec: RunSpec) -> dict[str, Any]:
    return dataclasses.asdict(spec)


def from_json(data: Mapping[str, Any]) -> RunSpec:
    """Parse a spec. Raises SpecError with the field for data that is not a spec of this version."""
    if data.get("version", VERSION) != VERSION:
        raise SpecError("version", data.get("version"), str(VERSION))
    known = {item.name: item for item in dataclasses.fields(RunSpec)}
    for name in data:
        if name not in known:
            raise SpecError(name, data[name], "a field of RunSpec")
    for name, item in known.items():
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING and name not in data:
            raise SpecError(name, None, "a value")
    values = dict(data)
    if isinstance(values.get("samples"), list):
        values["samples"] = tuple(values["samples"])
    if values.get("form") is not None:
        values["form"] = _form(values["form"])
    return RunSpec(**values)


def read(path: Path) -> RunSpec:
    """Read a spec from a file and make its paths absolute. Raises OSError, SpecError."""
    try:
        # Without blocking, in case it is a pipe without a writer.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("no file")
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:  # the file may come from another machine
            raise ValueError("too large")
        data = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SpecError("file", path.name, "JSON in UTF-8") from error
    if not isinstance(data, dict):
        raise SpecError("file", path.name, "a JSON object")
    spec = from_json(data)
    parent = path.absolute().parent
    places = ("folder", "base", "train", "validation", "holdout", "adapter", "bases", "converter")
    absolute: dict[str, Any] = {name: str(parent / getattr(spec, name)) for name in places if getattr(spec, name)}
    return dataclasses.replace(spec, **absolute)


def _form(data: Any) -> TrainingPromptForm:
    if not isinstance(data, dict):
        raise SpecError("form", data, "an object")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    try:
        form = TrainingPromptForm(**values)
    except TypeError as error:
        raise SpecError("form", sorted(data), "fields of TrainingPromptForm") from error
    texts = {"question": form.question, "answer": form.answer, **({"system": form.system} if form.system else {})}
    for name, pattern in texts.items():
        if not isinstance(pattern, str) or pattern.count("{text}") != 1:
            raise SpecError(f"form.{name}", pattern, "a text with {text} once")
    return form


_PATHS = ("folder", "base", "train", "validation")
_TEXTS = ("holdout", "name", "adapter", "bases", "base_sha256", "base_weights", "converter")  # texts that may be empty
_CHOICES = {
    "preset": PRESETS,
    "precision": PRECISIONS,
    "compute": COMPUTE,
    "device": DEVICES,
    "over_length": OVER_LENGTH,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
}
WHOLE = {  # field -> lowest, highest value
    "context_tokens": (16, 131_072),
    "rank": (1, 1024),
    "alpha": (1, 4096),
    "micro_batch": (1, 1024),
    "accumulation": (1, 4096),
    "checkpoint_every": (1, 1000),
    "max_steps": (1, 10_000_000),
    "evaluations_per_epoch": (0, 1000),
    "patience": (1, 1000),
    "seed": (0, 2**32 - 1),
    "sample_tokens": (1, 4096),
}
REAL = {
    "memory_share": (0.01, 1.0),
    "dropout": (0.0, 0.9),
    "learning_rate": (1e-8, 1.0),
    "warmup_share": (0.0, 1.0),
    "final_rate_share": (0.0, 1.0),
    "weight_decay": (0.0, 10.0),
    "clip_norm": (0.0, 1e6),
    "epochs": (0.01, 1000.0),
}


def _check(spec: RunSpec) -> None:
    _check_texts(spec)
    if spec.precision not in (None, "nf4") and spec.compute not in (None, spec.precision):
        raise SpecError("compute", spec.compute, str(spec.precision))
    if spec.embedding_on_cpu and spec.precision not in (None, "nf4"):  # a base in more bits would be moved whole
        raise SpecError("embedding_on_cpu", True, "false, except with precision nf4")
    for name, choices in _CHOICES.items():
        value = getattr(spec, name)
        if value not in choices and (value is not None or name in ("preset", "over_length")):
            raise SpecError(name, value, " | ".join(choices))
    for name, (low, high) in (WHOLE | REAL).items():
        value = getattr(spec, name)
        if value is None and name not in ("seed", "sample_tokens", "memory_share"):
            continue
        kinds = int if name in WHOLE else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:  # refuses NaN too
            raise SpecError(name, value, f"a number from {low} to {high}")


def _check_texts(spec: RunSpec) -> None:
    for name in (*_PATHS, *_TEXTS):
        value = getattr(spec, name)
        if not isinstance(value, str) or (name in _PATHS and not value) or not _can_be_passed_on(value):
            raise SpecError(name, value, "a path" if name in _PATHS else "a text")
    if not isinstance(spec.hashes, dict) or not all(isinstance(value, str) for value in spec.hashes.values()):
        raise SpecError("hashes", spec.hashes, "an object of texts")
    if not isinstance(spec.samples, tuple) or not all(isinstance(value, str) and value for value in spec.samples):
        raise SpecError("samples", spec.samples, "a list of questions")
    for name in ("gradient_checkpointing", "embedding_on_cpu"):
        if not isinstance(getattr(spec, name), bool | None):
            raise SpecError(name, getattr(spec, name), "true | false | null")


def _can_be_passed_on(text: str) -> bool:
    """Return whether the system accepts this text as a path or an argument.

    It accepts no NUL, and no lone surrogate except those that encode a byte of a file name.
    """
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False
