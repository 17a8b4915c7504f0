"""Define the jobs and events of `<trainer python> -m trainer.convert JOB.json`, shared by the program and that process.

Standard library only, because the program imports this module. A process runs one job. The parent keeps the process's
standard input open as long as it wants the result; when the input closes, the process deletes the partial result and
exits. Standard output is one JSON object per line, `started` first, `finished` or `failed` last. A process that is
killed, out of memory or cancelled ends without either.
"""

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

VERSION = 1
PROTOCOL = 1

OUTTYPES = ("f16", "bf16", "f32", "auto")

# Exit status: 0 after `finished`, 1 after `failed`. The others occur without such an event:
EXIT_UNREADABLE_JOB = 2
EXIT_PARENT_GONE = 3

# The codes of `failed`, with the names of their facts.
FAILURES = {
    "converter_missing": ("path",),  # the folder does not contain the converter
    "source_missing": ("path",),  # a file or folder of the job is missing or of another kind
    "target_exists": ("path",),  # the folder exists; folders are never replaced
    "unsafe_weights": ("path",),  # weights not in .safetensors, which may contain programs
    "remote_code": ("path",),  # config.json refers to programs (auto_map) that come with the model
    "architecture_unknown": ("architecture",),
    "pre_tokenizer_unknown": ("digest",),  # `digest`: of the tokenizer's rules, for a bug report
    "tensor_missing": ("detail",),  # the folder lacks parts or tensors, or has too many
    "adapter_mismatch": ("base", "where"),  # adapter made for `base`; `where`: first tensor or key that differs
    "adapter_unsupported": ("kind",),  # `kind`: what GGUF cannot represent (DoRA, biases, several alphas, …)
    "base_quantized": ("tensor", "type"),  # a merge needs f16, bf16 or f32
    "disk_full": ("path", "needed_bytes"),
    "no_memory": (),
    "conversion_memory_short": ("needed_bytes", "available_bytes"),  # seen before anything was written
    "training_environment_broken": ("path", "reason"),  # a library is missing or cannot be loaded
    "converter_failed": ("reason", "log"),  # `reason`: one line; `log`: the last lines of the converter's log
}


def part_path(target: str) -> Path:
    """Return the path to which a job writes until it is finished; a killed process leaves the file there."""
    return Path(f"{target}.part")


_PATHS = {"source", "base", "adapter", "target", "converter"}


class _PathJob:
    """A job, whose paths are absolute: the process may run in a different folder than the program."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name in _PATHS.intersection(self.__slots__):
            value = getattr(self, name)
            if not isinstance(value, str) or not Path(value).is_absolute():
                raise ValueError(f"{name} {value!r} is no absolute path")


@dataclass(frozen=True, slots=True)
class HfToGguf(_PathJob):
    """A job that converts a folder (safetensors, config, tokenizer) into one GGUF file with llama.cpp's converter."""

    kind: ClassVar[str] = "hf_to_gguf"

    source: str
    target: str
    converter: str  # folder with convert_hf_to_gguf.py, conversion/ and gguf-py/
    outtype: str = "auto"  # one of OUTTYPES; "auto": bf16 if the weights are, otherwise f16

    def __post_init__(self) -> None:
        _PathJob.__post_init__(self)
        if self.outtype not in OUTTYPES:
            raise ValueError(f"outtype {self.outtype!r} is none of {OUTTYPES}")


@dataclass(frozen=True, slots=True)
class LoraToGguf(_PathJob):
    """A job that converts a PEFT adapter into a GGUF LoRA in f32, which llama.cpp applies and `Merge` reads."""

    kind: ClassVar[str] = "lora_to_gguf"

    adapter: str
    base: str  # folder of the model on which it was trained; its config.json suffices
    target: str
    converter: str


@dataclass(frozen=True, slots=True)
class Merge(_PathJob):
    """A job that computes base + strength x alpha/rank x B A, tensor by tensor, in the base's own types."""

    kind: ClassVar[str] = "merge"

    base: str  # a GGUF file in f16, bf16 or f32
    adapter: str  # a GGUF LoRA
    target: str
    converter: str
    strength: float = 1.0

    def __post_init__(self) -> None:
        _PathJob.__post_init__(self)
        if isinstance(self.strength, bool) or not isinstance(self.strength, int | float):
            raise ValueError(f"strength {self.strength!r} is no number")
        if not math.isfinite(self.strength):
            raise ValueError(f"strength {self.strength} is not finite")


@dataclass(frozen=True, slots=True)
class GgufToHf(_PathJob):
    """A job that dequantizes a GGUF file into a new folder of safetensors, config and tokenizer.

    The trial model becomes a base for training this way.
    """

    kind: ClassVar[str] = "gguf_to_hf"

    source: str
    target: str


Job = HfToGguf | LoraToGguf | Merge | GgufToHf
_JOBS: dict[str, type[Job]] = {job.kind: job for job in (HfToGguf, LoraToGguf, Merge, GgufToHf)}


def job_to_json(job: Job) -> dict[str, Any]:
    return {"version": VERSION, "kind": job.kind, **_fields(job)}


def job_from_json(data: Mapping[str, Any]) -> Job:
    """Parse a job. Raises ValueError for anything that is not a job of this version."""
    if data.get("version") != VERSION:
        raise ValueError(f"version {data.get('version')!r} is not {VERSION}")
    kind = _JOBS.get(str(data.get("kind")))
    if kind is None:
        raise ValueError(f"unknown kind of job: {data.get('kind')!r}")
    job: Job = _create(kind, {key: value for key, value in data.items() if key not in ("version", "kind")})
    return job


@dataclass(frozen=True, slots=True)
class Started:
    event: ClassVar[str] = "started"

    protocol: int
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Phase:
    """A stage of the job.

    `name`: loading (libraries), reading (tensors, tokenizer), writing, saving (flushing to the disk).
    """

    event: ClassVar[str] = "phase"

    name: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The size of the result written so far. The total is an estimate, correct to within a few percent."""

    event: ClassVar[str] = "progress"

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Finished:
    event: ClassVar[str] = "finished"

    path: str
    seconds: float
    peak_rss_bytes: int
    # Decisions of the conversion for the model's record: "pre_tokenizer" (one with exactly the tokenizer's rules,
    # used if llama.cpp did not recognize the tokenizer), "outtype", "merged_tensors", …
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The job has failed. `code`: a key of FAILURES; `facts`: the values listed there."""

    event: ClassVar[str] = "failed"

    code: str
    facts: dict[str, Any] = field(default_factory=dict)


Event = Started | Phase | Progress | Finished | Failed
EVENTS: dict[str, type[Event]] = {event.event: event for event in (Started, Phase, Progress, Finished, Failed)}


def event_to_json(event: Event) -> dict[str, Any]:
    return {"event": event.event, **_fields(event)}


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Parse an event. Raises ValueError for anything that is not an event of this protocol."""
    kind = EVENTS.get(str(data.get("event")))
    if kind is None:
        raise ValueError(f"unknown event: {data.get('event')!r}")
    event: Event = _create(kind, {key: value for key, value in data.items() if key != "event"})
    return event


def _fields(value: Job | Event) -> dict[str, Any]:
    return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}


def _create(kind: Any, values: dict[str, Any]) -> Any:
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error


def peak_rss_bytes() -> int:
    """Return the largest amount of memory that this process has used, including mapped files, in bytes.

    Linux's getrusage is not used, because it includes what the parent used before exec.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
