"""Define the events that a training run sends, one JSON object per line, and the commands that it accepts.

Standard library only. `started` comes first; `finished`, `paused`, `cancelled` or `failed` last. A run that ends
without one of these has crashed or was killed. The run's `events.jsonl` stores the same lines, so that a window opened
later shows the same as one that was open. Losses are in nats per trained token; in preference tuning, per pair.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

PROTOCOL = 1

PHASES = (
    "loading",
    "converting_base",
    "reading",
    "checking",
    "probing",
    "training",
    "evaluating",
    "saving",
    "exporting",
)

# Exit status: 0 after `finished`, `paused` and `cancelled`, 1 after `failed`.
EXIT_UNREADABLE_SPEC = 2

# Commands: each is a line {"command": ...} on standard input (with `--commands`). When the input ends, the run pauses.
COMMANDS = ("pause", "finish", "cancel")  # finish: stop now and keep the best checkpoint

# The codes of `failed`, with the names of their facts.
FAILURES = {
    "spec_invalid": ("field", "value", "expected"),
    "data_missing": ("path",),
    "data_changed": ("path",),  # the file's hash differs from the one in the spec
    "data_invalid": ("path", "line", "reason"),
    "preflight_blocked": ("codes",),  # codes of the blocking findings in the event `findings`
    "base_missing": ("path",),
    "base_unreadable": ("path", "reason"),
    "adapter_unreadable": ("path", "reason"),  # the adapter to be trained further
    "adapter_other_base": ("path", "base"),  # `base`: the base on which the adapter was trained
    "adapter_changed": ("path",),  # the adapter's hash differs from the one in the spec
    "memory_short": ("needed_bytes", "available_bytes", "device"),  # the run needs more than 92 % of the free memory
    "out_of_memory": ("device", "micro_batch"),  # even with the smallest micro batch
    "not_finite": ("step", "learning_rate"),  # loss not finite, even after several halvings of the learning rate
    "disk_full": ("path", "needed_bytes"),
    "checkpoint_damaged": ("path",),  # no complete checkpoint is left to resume from
    "resume_differs": ("field", "before", "now"),  # `field`: a condition that must not change during a run
    "step_not_shared": ("examples", "processes", "micro_batch"),  # a step cannot be shared evenly
    "logger_missing": ("name", "python"),  # `name`: of the library that machine.json wants to log with
    "nothing_to_resume": ("path",),
    "run_exists": ("path",),  # a run has begun in this folder; it can only be resumed
    "training_environment_broken": ("path", "reason"),
    "export_failed": ("reason",),
}


class RunError(Exception):
    """An expected failure of a run. `code`: a key of FAILURES; `facts`: the values listed there."""

    def __init__(self, code: str, **facts: Any) -> None:
        assert set(facts) <= set(FAILURES[code]), (code, facts)
        super().__init__(f"{code}: {facts}")
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Started:
    """The run has begun, or has resumed after `resumed_step`."""

    protocol: int
    pid: int
    time: float  # when the process began, in seconds since 1970
    resumed_step: int = 0  # 0: started from the beginning
    versions: dict[str, str] = field(default_factory=dict)  # versions by library
    data: dict[str, Any] = field(default_factory=dict)  # {"train": {"sha256": ...}, ...}; only the tests' fake fills it


@dataclass(frozen=True, slots=True)
class Phase:
    """A stage of the run. `name`: one of PHASES. `total`: 0 if the amount of work is unknown."""

    name: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class PreflightFinding:
    """One finding of the checks before training. `code`: a key of `trainer.preflight.CODES`."""

    code: str
    level: str  # "block" | "warn" | "note"
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreflightFindings:
    found: tuple[PreflightFinding, ...]


@dataclass(frozen=True, slots=True)
class ResolvedRecipe:
    """The spec with every field decided, and the facts on which the decisions were based."""

    spec: dict[str, Any]
    facts: dict[str, Any]  # model_type, parameters, examples, tokens and trained_tokens per epoch, longest, steps


@dataclass(frozen=True, slots=True)
class PreviewToken:
    """A token of a preview. `kind`: "" | "bos" | "end" | "control". `is_trained`: it counts for the loss."""

    id: int
    text: str
    is_trained: bool
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """One example, token by token, as it is trained. `line`: its line in the training file, from 1."""

    line: int
    tokens: tuple[PreviewToken, ...]


@dataclass(frozen=True, slots=True)
class RunForecast:
    """A forecast of memory, time and disk. `is_measured`: from three steps with the longest batch, not computed."""

    peak_bytes: int
    available_bytes: int
    step_s: float
    total_s: float
    disk_bytes: int
    is_measured: bool


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One step of the optimizer. `tokens_per_s` excludes padding; `memory_bytes`: peak so far; `left_s`: time left."""

    step: int
    total: int
    epoch: float
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_s: float
    memory_bytes: int
    left_s: float


@dataclass(frozen=True, slots=True)
class EvaluationStep:
    """The loss on the validation rows. Step 0 is the base before any training."""

    step: int
    epoch: float
    loss: float
    tokens: int
    is_best: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer to a sample question by greedy decoding. `has_ended`: the model itself ended the answer."""

    step: int
    question: str
    answer: str
    has_ended: bool


@dataclass(frozen=True, slots=True)
class Checkpoint:
    step: int
    path: str
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The run changed a setting or became slow.

    `reason`: "out_of_memory" | "not_finite" | "slow" (below a third of the initial tokens/s) | "faster" (the measured
    steps showed memory to spare).
    """

    reason: str
    step: int
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """The run has finished. `reason`: "early_stopping" | "epochs" | "steps" | "stopped" (by command).

    The losses are on the validation rows; None if there was no evaluation.
    """

    reason: str
    step: int
    best_step: int
    base_loss: float | None
    best_loss: float | None
    adapter: str  # the adapter's folder
    gguf: str  # the GGUF file; "": none was requested
    seconds: float  # training time, without pauses
    tokens_per_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Paused:
    step: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    step: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The run has failed. `code`: a key of FAILURES; `facts`: the values listed there."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)


Event = (
    Started | Phase | PreflightFindings | ResolvedRecipe | Preview | RunForecast | TrainingStep | EvaluationStep
    | Sample | Checkpoint | Adjusted | Finished | Paused | Cancelled | Failed
)  # fmt: skip
TERMINAL = (Finished, Paused, Cancelled, Failed)
# Event names in the protocol and in stored `events.jsonl` files.
KINDS: dict[str, type[Event]] = {
    "started": Started, "phase": Phase, "findings": PreflightFindings, "effective": ResolvedRecipe, "preview": Preview,
    "forecast": RunForecast, "step": TrainingStep, "evaluation": EvaluationStep, "sample": Sample,
    "checkpoint": Checkpoint, "adjusted": Adjusted, "finished": Finished, "paused": Paused, "cancelled": Cancelled,
    "failed": Failed,
}  # fmt: skip
_NAMES = {kind: name for name, kind in KINDS.items()}


def to_json(event: Event) -> dict[str, Any]:
    return {"event": _NAMES[type(event)], **dataclasses.asdict(event)}
