"""A training that is being planned: what the wizard's pages change, and what each of its steps still lacks.

Pages only draw, and nothing is computed here either. What takes time (reading data, asking the trainer) is done by the
services, and what came of it stands in the draft with what it was done for: once that has changed, it counts no more.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from app.training import problems
from trainer import spec
from trainer.events import PreflightFinding
from trainer.spec import SpecError

STEPS = ("goal", "data", "model", "check", "run", "result")
PLANNED = STEPS[:4]  # those that come before anything is trained
GOALS = ("facts", "style", "both")
LEAST_ROWS = 10  # as of a split
FEW_ROWS = 50  # below it a training seldom brings more than chance

Goal = Literal["", "facts", "style", "both"]


@dataclass(frozen=True, slots=True)
class Problem:
    """`code`: [text.plan_CODE], with its facts. Not `is_blocking`: it is told, and one may go on."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)
    is_blocking: bool = True


@dataclass(frozen=True, slots=True)
class Data:
    """The rows as they stand (`app.training.data.curation`). `source`: of the file or the collection, for people.
    `folder`: where they are; `file`: what they were read from, and `mapping`: from which of its columns.

    `label`: the highest that a row carries (`app.base.confidentiality.LABELS`); "": none does. `origins`: collections
    and documents that they were made of, where the rows do not say it themselves.

    `used`: will be trained on, or judged by. `left_out`: have a flaw, and nobody has kept them. `undecided`: generated
    pairs that nobody has looked at, and that are not used. `unusable`: lines of the file that are no rows.
    """

    source: str
    revision: int
    used: int
    left_out: int = 0
    undecided: int = 0
    unusable: int = 0
    folder: str = ""
    file: str = ""
    mapping: dict[str, str] = field(default_factory=dict)
    label: str = ""
    origins: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Frozen:
    """A split that was written (`app.training.data.split`). `revision`: of the rows that it was made of.

    `sha256`: of the hold-out, by which it is known again; `parts`: of all three. `is_sound`: nothing of the hold-out is
    known from training.
    """

    folder: str
    revision: int
    train: int
    validation: int
    holdout: int
    sha256: str
    is_sound: bool
    removed: int = 0
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would take (`app.training.planning`), of the draft with that `mark`.

    `is_exact`: the trainer was asked. `is_measured`: by some steps of it. `changes`: settings with which the memory
    would suffice; () where none do.
    """

    mark: str
    seconds: float
    memory_bytes: int
    allowed_bytes: int  # of memory
    disk_bytes: int
    free_disk_bytes: int
    is_exact: bool
    findings: tuple[PreflightFinding, ...] = ()
    changes: tuple[tuple[str, Any], ...] = ()
    is_measured: bool = False
    device: str = ""  # "cuda" | "cpu"; "": not known


@dataclass(frozen=True, slots=True)
class Start:
    """The adapter of an earlier run that is trained further. `folder`: PEFT's; `name`: of the run. `rank` and `alpha`
    stay what they are."""

    folder: str
    name: str
    rank: int
    alpha: int


@dataclass(frozen=True, slots=True)
class Draft:
    """`base`: as `app.models.base_models.resolve_base` takes it. `settings`: fields of `trainer.spec.RunSpec` that were
    chosen instead of the preset's. `run`: the folder of the run that was begun from it. `start`: None: it is trained
    anew.

    `has_environment`: of training, on this machine, now.
    """

    id: str  # its folder's name
    name: str = ""
    goal: Goal = ""
    data: Data | None = None
    frozen: Frozen | None = None
    base: str = ""
    preset: str = "standard"
    settings: dict[str, Any] = field(default_factory=dict)
    forecast: Forecast | None = None
    run: str = ""
    has_environment: bool = False
    changed_at: float = 0.0  # seconds since 1970 (UTC)
    start: Start | None = None

    @property
    def mark(self) -> str:
        """Of all that a run would be asked, and whether the trainer can be asked."""
        frozen = self.frozen
        asked: list[Any] = [frozen.sha256, frozen.revision, *frozen.parts] if frozen else []
        asked.append(self.has_environment)
        if self.start is not None:
            asked.append(self.start.folder)
        told = json.dumps([*asked, self.base, self.preset, self.settings], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]

    @property
    def step(self) -> str:
        """Where it goes on: the first step that may not be left yet, the last one of the plan where all may be."""
        return next((step for step in PLANNED if not self.is_complete(step)), PLANNED[-1])

    def is_complete(self, step: str) -> bool:
        """Whether one may go on from there."""
        return not any(problem.is_blocking for problem in self.problems(step))

    def problems(self, step: str) -> tuple[Problem, ...]:
        """`step`: one of PLANNED; the others lack nothing. The gravest first."""
        found = {"goal": self._goal, "data": self._data, "model": self._model, "check": self._check}.get(step)
        return tuple(sorted(found(), key=lambda problem: not problem.is_blocking)) if found else ()

    def with_settings(self, **changes: Any) -> "Draft":
        """None takes a setting back to what the preset says."""
        kept = {name: value for name, value in (self.settings | changes).items() if value is not None}
        return dataclasses.replace(self, settings=kept)

    # ------------------------------------------------------------------- private

    def _goal(self) -> Iterator[Problem]:
        if self.goal not in GOALS:
            yield Problem("goal_missing")
        elif self.goal == "facts":
            yield Problem("goal_facts", is_blocking=False)

    def _data(self) -> Iterator[Problem]:
        data, frozen = self.data, self.frozen
        if data is None:
            yield Problem("data_missing")
            return
        if data.used < LEAST_ROWS:
            yield Problem("rows_least", {"rows": data.used, "least": LEAST_ROWS})
        elif data.used < FEW_ROWS:
            yield Problem("rows_few", {"rows": data.used, "few": FEW_ROWS}, is_blocking=False)
        if data.undecided:
            yield Problem("undecided", {"rows": data.undecided}, is_blocking=False)
        if data.left_out:
            yield Problem("left_out", {"rows": data.left_out}, is_blocking=False)
        if data.used >= LEAST_ROWS and (frozen is None or frozen.revision != data.revision):
            yield Problem("not_frozen")
        elif frozen is not None and not frozen.is_sound:
            yield Problem("leaking")

    def _model(self) -> Iterator[Problem]:
        if not self.base:
            yield Problem("base_missing")
        try:
            asked = dict.fromkeys(("folder", "base", "train", "validation"), "-") | {"preset": self.preset}
            spec.from_json(asked | self.settings)
        except SpecError as error:
            told = problems.of_spec(error)
            yield Problem("setting_wrong", {"code": told.code, "facts": told.facts})
        fixed = {"rank": self.start.rank, "alpha": self.start.alpha} if self.start else {}
        for name, value in fixed.items():
            if self.settings.get(name, value) != value:
                told = problems.of_spec(SpecError(name, self.settings[name], str(value)))
                yield Problem("setting_wrong", {"code": told.code, "facts": told.facts})

    def _check(self) -> Iterator[Problem]:
        if not self.has_environment:
            yield Problem("environment_missing")
        found = self.forecast
        if found is None or found.mark != self.mark:
            yield Problem("not_checked")
            return
        if found.memory_bytes > found.allowed_bytes:
            yield Problem("memory_short", {"need": found.memory_bytes, "allowed": found.allowed_bytes})
        if found.disk_bytes > found.free_disk_bytes:
            yield Problem("disk_short", {"need": found.disk_bytes, "free": found.free_disk_bytes})
        for finding in found.findings:
            if finding.level in ("block", "warn"):
                facts = {"code": finding.code, "facts": finding.facts}
                yield Problem("finding", facts, is_blocking=finding.level == "block")
