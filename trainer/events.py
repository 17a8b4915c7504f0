"""What a training run tells, one JSON object a line, and what it can be told. Standard library only.

`started` comes first; `finished`, `paused`, `cancelled` or `failed` last. A run that ends without one of these has
crashed or was killed. The same lines are kept in the run's `events.jsonl`, so that a window which is opened later sees
what one would have seen that was open all the time. Losses are in nats a trained token.
"""

import dataclasses
from collections.abc import Mapping
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

# How the process ends: 0 after `finished`, `paused` and `cancelled`, 1 after `failed`.
EXIT_UNREADABLE_SPEC = 2

# Commands, as {"command": ...} in a line on standard input (with `--commands`); at its end the run pauses.
COMMANDS = ("pause", "finish", "cancel")  # finish: stop here and keep the best checkpoint

# What `failed` can say, with its facts.
FAILURES = {
    "spec_invalid": ("field", "value", "expected"),
    "data_missing": ("path",),
    "data_changed": ("path",),  # the file is not the one whose hash is in the spec
    "data_invalid": ("path", "line", "reason"),
    "preflight_blocked": ("codes",),  # findings that forbid to begin; they were told by `findings`
    "base_missing": ("path",),
    "base_unreadable": ("path", "reason"),
    "adapter_unreadable": ("path", "reason"),  # the one that is to be trained further
    "adapter_other_base": ("path", "base"),  # beside which it was trained
    "adapter_changed": ("path",),  # it is not the one whose hash is in the spec
    "memory_short": ("needed_bytes", "available_bytes", "device"),  # above 92 % of what is free
    "out_of_memory": ("device", "micro_batch"),  # with the smallest micro batch, too
    "not_finite": ("step", "learning_rate"),  # the loss, again and again, after the rate was halved
    "disk_full": ("path", "needed_bytes"),
    "checkpoint_damaged": ("path",),  # none that is whole is left to resume from
    "resume_differs": ("field", "before", "now"),  # what must be as it was when the run began
    "nothing_to_resume": ("path",),
    "run_exists": ("path",),  # a run began in this folder; it can only be resumed
    "training_environment_broken": ("path", "reason"),
    "export_failed": ("reason",),
}


class RunError(Exception):
    """An expected failure of a run. `code`: a key of FAILURES, with its facts."""

    def __init__(self, code: str, **facts: Any) -> None:
        assert set(facts) <= set(FAILURES[code]), (code, facts)
        super().__init__(f"{code}: {facts}")
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Started:
    protocol: int
    pid: int
    time: float  # seconds since 1970
    resumed_step: int = 0  # 0: from the beginning
    versions: dict[str, str] = field(default_factory=dict)  # library -> version
    data: dict[str, Any] = field(default_factory=dict)  # "train" -> {"sha256"}, ...; told by trainer.fake alone


@dataclass(frozen=True, slots=True)
class Phase:
    """`name`: one of PHASES. `total` 0: how much there is to do is not known."""

    name: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class PreflightFinding:
    """One thing that was found before training. `code`: a key of `trainer.preflight.CODES`."""

    code: str
    level: str  # "block" | "warn" | "note"
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreflightFindings:
    found: tuple[PreflightFinding, ...]


@dataclass(frozen=True, slots=True)
class ResolvedRecipe:
    """The spec with everything decided, and what it was decided from."""

    spec: dict[str, Any]
    facts: dict[str, Any]  # model_type, parameters, examples, tokens and trained_tokens an epoch, longest, steps


@dataclass(frozen=True, slots=True)
class PreviewToken:
    """`kind`: "" | "bos" | "end" | "control"; `is_trained`: it is in the loss."""

    id: int
    text: str
    is_trained: bool
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """One example, token by token, as it is trained. `line`: in the training file, from 1."""

    line: int
    tokens: tuple[PreviewToken, ...]


@dataclass(frozen=True, slots=True)
class RunForecast:
    """Of memory, time and disk. `is_measured`: by three steps with the longest batch; otherwise computed."""

    peak_bytes: int
    available_bytes: int
    step_s: float
    total_s: float
    disk_bytes: int
    is_measured: bool


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One step of the optimizer. `tokens_per_s`: of all tokens that are not padding; `memory_bytes`: peak so far."""

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
    """Of the validation rows. `step` 0: the base, before anything was trained."""

    step: int
    epoch: float
    loss: float
    tokens: int
    is_best: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer to one question, greedily, at this step. `has_ended`: the model itself ended it."""

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
    """Something has changed on the way. `reason`: "out_of_memory" | "not_finite" | "slow" (a third of the tokens/s)."""

    reason: str
    step: int
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """`reason`: "early_stopping" | "epochs" | "steps" | "stopped" (by command). Losses: None without an evaluation."""

    reason: str
    step: int
    best_step: int
    base_loss: float | None  # of the validation rows
    best_loss: float | None
    adapter: str  # folder
    gguf: str  # file; "": none was asked for
    seconds: float  # of training, without pauses
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
    """`code`: a key of FAILURES."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)


Event = (
    Started | Phase | PreflightFindings | ResolvedRecipe | Preview | RunForecast | TrainingStep | EvaluationStep
    | Sample | Checkpoint | Adjusted | Finished | Paused | Cancelled | Failed
)  # fmt: skip
TERMINAL = (Finished, Paused, Cancelled, Failed)
# The names of the wire, which are also those of stored `events.jsonl` files.
KINDS: dict[str, type[Event]] = {
    "started": Started, "phase": Phase, "findings": PreflightFindings, "effective": ResolvedRecipe, "preview": Preview,
    "forecast": RunForecast, "step": TrainingStep, "evaluation": EvaluationStep, "sample": Sample,
    "checkpoint": Checkpoint, "adjusted": Adjusted, "finished": Finished, "paused": Paused, "cancelled": Cancelled,
    "failed": Failed,
}  # fmt: skip
_NAMES = {kind: name for name, kind in KINDS.items()}


def to_json(event: Event) -> dict[str, Any]:
    return {"event": _NAMES[type(event)], **dataclasses.asdict(event)}


def from_json(data: Mapping[str, Any]) -> Event:
    """Raises ValueError for anything that is not an event of this protocol."""
    kind: Any = KINDS.get(str(data.get("event")))
    if kind is None:
        raise ValueError(f"unknown event: {data.get('event')!r}")
    values = {key: value for key, value in data.items() if key != "event"}
    try:
        if kind is PreflightFindings:
            values["found"] = tuple(PreflightFinding(**found) for found in values["found"])
        if kind is Preview:
            values["tokens"] = tuple(PreviewToken(**token) for token in values["tokens"])
        event: Event = kind(**values)
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a {data['event']}: {error}") from error
    return event
