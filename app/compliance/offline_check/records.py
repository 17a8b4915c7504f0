"""What the offline check has found, as plain values that travel as JSON between its processes."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

# What is done with Kotae, in this order.
FLOWS = ("documents", "search", "models", "template", "answer", "window")
STAGES = ("filter", "self_test", *FLOWS, "surroundings", "hashes")  # of a check
VERDICTS = ("leak", "incomplete", "limited", "clean")  # the worst first


@dataclass(frozen=True, slots=True)
class CheckedFlow:
    """Something that was done. `state`: passed | failed | not_tried; `reason`: why not, or the end of what it said."""

    name: str
    state: str
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetworkAttempts:
    """What the kernel counted in an empty network. `packets`: were sent, on any interface. `tries`: to send some, or to
    open a connection, also those that found no way out. `counters`: those that moved, by their names in /proc/net."""

    packets: int
    tries: int
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeasuredTraffic:
    """What the coordinator has found.

    `isolation`: namespace (an empty network, with counters) | filtered (the kernel gives no socket, so that nothing can
    be counted) | unsupported (not on this system) | refused (by this machine's settings).
    `guard`: attempts that a guarded process made on purpose, and how many of them were refused.
    `leak`: what the counters said of a process that tried to leave on purpose; None where nothing counts.
    `kernel`: what they said of all flows together; None likewise.
    `sockets`: open sockets of the internet families that were seen in our processes. `samples`: how often any of them
    could be looked at. `refusals`: what the guard refused while the flows ran.
    """

    isolation: str
    guard: tuple[int, int]
    leak: NetworkAttempts | None
    kernel: NetworkAttempts | None
    flows: tuple[CheckedFlow, ...]
    sockets: tuple[str, ...] = ()
    samples: int = 0
    refusals: tuple[str, ...] = ()

    @property
    def is_self_test_passed(self) -> bool:
        return self.guard[0] == self.guard[1] > 0 and (self.leak is None or self.leak.tries > 0)

    @property
    def has_leaked(self) -> bool:
        counted = self.kernel is not None and (self.kernel.packets or self.kernel.tries)
        return bool(counted or self.sockets or self.refusals)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "MeasuredTraffic":
        told = dict(data)
        told["flows"] = tuple(CheckedFlow(**one) for one in data["flows"])
        for name in ("leak", "kernel"):
            told[name] = NetworkAttempts(**data[name]) if data[name] is not None else None
        for name in ("guard", "sockets", "refusals"):
            told[name] = tuple(data[name])
        return cls(**told)


@dataclass(frozen=True, slots=True)
class CheckFact:
    """Something about this machine that an IT department wants to know. `level`: ok | note | warning.

    `key` names its sentence in `resources/report/offline.toml`, `detail` fills it.
    """

    key: str
    level: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """`role`: program | manifest | model. `state`: measured (now) | stored (when it was verified last) | changed |
    missing."""

    role: str
    name: str
    path: str
    size_bytes: int
    sha256: str
    state: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`filter_state`: whether the kernel filter works on this machine: on | unsupported | refused | leaky.

    `confinement`: whether Landlock works: on | off (not in this kernel) | unsupported (by the system) | leaky.
    `mode`: who forbids the network: policy | settings | nobody. `policy`: the file.
    """

    version: str
    made_at: float
    system: str
    model: str
    filter_state: str
    mode: str
    policy: str
    measured: MeasuredTraffic
    facts: tuple[CheckFact, ...]
    files: tuple[HashedFile, ...]
    confinement: str = "unsupported"

    @property
    def verdict(self) -> str:
        """leak: something tried to leave; incomplete: not all of the check worked; limited: nothing was found, by the
        program's own means alone; clean: the kernel counted nothing, or gives no socket at
        all."""
        measured = self.measured
        if measured.has_leaked:
            return "leak"
        is_whole = all(flow.state != "failed" for flow in measured.flows) and measured.is_self_test_passed
        is_changed = any(file.state == "changed" for file in self.files)
        if not is_whole or not measured.samples or is_changed or "leaky" in (self.filter_state, self.confinement):
            return "incomplete"
        is_closed = measured.isolation == "filtered" and self.filter_state == "on"
        return "clean" if measured.kernel is not None or is_closed else "limited"

    @property
    def is_good(self) -> bool:
        return self.verdict in ("clean", "limited")

    def as_json(self) -> dict[str, Any]:
        return {"verdict": self.verdict, **dataclasses.asdict(self)}
