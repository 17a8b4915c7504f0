"""Define the results of the offline check and what its processes send each other, as lines of JSON."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

FLOWS = ("documents", "search", "models", "template", "answer", "window")  # uses of Kotae, in the order of the check
STAGES = ("filter", "self_test", *FLOWS, "surroundings", "hashes")
VERDICTS = ("leak", "incomplete", "limited", "clean")  # the worst first


@dataclass(frozen=True, slots=True)
class CheckedFlow:
    """One use of Kotae. `state`: passed | failed | not_tried; `reason`: why not, or the end of the process's output."""

    name: str
    state: str
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetworkAttempts:
    """The kernel's counts of network attempts in an empty network namespace.

    `packets`: sent on any interface. `tries`: attempts to send or to open a connection, including those without a
    route. `counters`: those that changed, by their names in /proc/net.
    """

    packets: int
    tries: int
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeasuredTraffic:
    """The measurements of the coordinator.

    `isolation`: namespace (an empty network, with counters) | filtered (the kernel refuses all sockets, so that nothing
    can be counted) | unsupported (by this system) | refused (by this machine's settings).

    `guard`: the attempts of a guarded process that tried to reach the network on purpose. `leak`: the counters for a
    process that tried it without a guard; None without counters. `kernel`: the counters for all flows together;
    None without counters. `sockets`: open internet sockets that were seen in Kotae's processes. `samples`: how often at
    least one process could be inspected. `refusals`: what the guard refused while the flows ran.
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


@dataclass(frozen=True, slots=True)
class GuardProbe:
    """The numbers of a process's attempts to reach the network, and of those that were refused."""

    tried: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class KernelProbe:
    """The states of the kernel filter and of Landlock on this machine; values as in `CheckResult`."""

    filter_state: str = "refused"
    confinement: str = "unsupported"


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The window's request for a check. `data`: the data folder; `report`: the page to write."""

    data: str
    report: str
    language: str


@dataclass(frozen=True, slots=True)
class CheckStage:
    """A stage of a check. `name`: one of STAGES; `done`: its fraction that is done."""

    name: str
    done: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The outcome to show. `verdict`: one of VERDICTS. `title`, `about`: its text. `report`: the path of the page."""

    verdict: str
    title: str
    about: str
    report: str


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """The error that ended a check: code and facts of an AppError."""

    code: str
    facts: dict[str, Any]


MESSAGES: dict[str, Any] = {
    kind.__name__: kind for kind in (MeasuredTraffic, CheckRequest, CheckStage, CheckOutcome, CheckFailure)
}


@dataclass(frozen=True, slots=True)
class CheckFact:
    """A fact about this machine for an IT department. `level`: ok | note | warning.

    `key` names its sentence in `resources/report/offline.toml`, which `detail` fills.
    """

    key: str
    level: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file and its hash. `role`: program | manifest | pack | model.

    `state`: measured (now) | stored (at the last verification) | changed | missing; then `sha256` is the reason.
    """

    role: str
    name: str
    path: str
    size_bytes: int
    sha256: str
    state: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check. `filter_state`: whether the kernel filter works: on | unsupported | refused | leaky.

    `confinement`: whether Landlock works: on | off (not in this kernel) | unsupported (by the system) | leaky. `mode`:
    what forbids the network: policy | settings | nobody. `policy`: the file.
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
        """Return leak | incomplete | limited | clean.

        leak: a process tried to reach the network; incomplete: a part of the check failed; limited: no attempt was
        seen, but only by the program's own means; clean: the kernel counted nothing, or refuses all sockets.
        """
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
