"""Define the results of the offline check, and the messages that its processes exchange as lines of JSON."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

SCENARIOS = ("documents", "search", "models", "template", "answer", "window")  # uses of Kotae, in the check's order
STAGES = ("filter", "self_test", *SCENARIOS, "surroundings", "hashes")
VERDICTS = ("leak", "incomplete", "limited", "clean")  # the worst first


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The result of one scenario. `name`: one of SCENARIOS. `state`: passed | failed | not_tried.

    `reason`: why it failed (the end of the process's output) or was not tried; "" if it passed.
    """

    name: str
    state: str
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetworkAttempts:
    """The kernel's counts of network attempts in an empty network namespace.

    `packets`: the number of packets sent on any interface. `tries`: the number of attempts to send or connect,
    including those without a route. `counters`: the increases of counters, by their names in /proc/net.
    """

    packets: int
    tries: int
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeasuredTraffic:
    """The measurements of the coordinator.

    `isolation`: namespace (an empty network, with counters) | filtered (the kernel refuses all sockets, so that nothing
    can be counted) | unsupported (by this system) | refused (by this machine's settings).

    The guard is the part of `app.base.isolation.network_guard` that refuses network access inside a Python process.
    `guard`: how many attempts on purpose of a process with the guard were refused, and how many there were. `leak`: the
    counters for a process without the guard that tried on purpose; None without counters. `flows`: the results of the
    scenarios (what Kotae does while it is measured). `kernel`: the counters for all scenarios together; None without
    counters. `sockets`: internet sockets seen in Kotae's processes. `samples`: how often at least one process could be
    inspected. `refusals`: accesses that the guard refused during the scenarios, as its log lines name them.
    """

    isolation: str
    guard: tuple[int, int]
    leak: NetworkAttempts | None
    kernel: NetworkAttempts | None
    flows: tuple[ScenarioResult, ...]
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
    """The number of a process's attempts on purpose to reach the network, and of those that were refused."""

    tried: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class KernelProbe:
    """The states of the kernel filter and of Landlock on this machine; values as in `CheckResult`."""

    filter_state: str = "refused"
    confinement: str = "unsupported"


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The window's request for a check. `data`: the data folder; `report`: the path of the page to write."""

    data: str
    report: str
    language: str


@dataclass(frozen=True, slots=True)
class CheckStage:
    """The progress of a check. `name`: the stage, one of STAGES; `done`: the fraction done of it, 0 to 1."""

    name: str
    done: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The outcome of a check. `verdict`: one of VERDICTS; `title`, `about`: texts to show; `report`: its page."""

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

    `key`: the key of its sentence, "compliance.page_fact.KEY"; `detail`: the value of the sentence's placeholder.
    """

    key: str
    level: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file and its hash. `role`: program | manifest | pack | model.

    `state`: measured (hashed now) | stored (the hash of the last verification) | changed (another hash is stored) |
    missing (unreadable: `sha256` is then the reason).
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

    `made_at`: seconds since 1970. `model`: the name of the model used; "": none. `confinement`: whether Landlock works:
    on | off (not in this kernel) | unsupported (not Linux) | leaky (on, but without effect). `mode`: what forbids the
    network: policy | settings | nobody. `policy`: the path of the policy file, or "".
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
        seen, but without counts of the kernel; clean: the kernel counted no attempts, or refuses all sockets.
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
