"""Drafts of trainings on the disk, a folder each.

    draft.json        the draft (`app.training.drafts`), written anew with each change
    rows-1/, 2, …     its rows and what was decided of them (`app.training.data.curation`); the draft says which counts
    split-1/, 2, …    what was frozen of them; a run takes a copy along (`app.training.runs.run_folders`)

What was removed lies in the bin (`app.base.files.work_folder`), and can be restored.

A training that is being planned: what the wizard's pages change, and what each of its steps still lacks.

Pages only draw, and nothing is computed here either. What takes time (reading data, asking the trainer) is done by the
services, and what came of it stands in the draft with what it was done for: once that has changed, it counts no more.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from app.base import invisible_characters, json_lines
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.output_file import drive_error, write_atomically
from app.training import training_errors
from trainer import spec
from trainer.events import PreflightFinding
from trainer.spec import SpecError

STEPS = ("goal", "data", "model", "check", "run", "result")
PLANNED_STEPS = STEPS[:4]  # those that come before anything is trained
GOALS = ("facts", "style", "both")
LEAST_ROWS = 10  # as of a split
FEW_ROWS = 50  # below it a training seldom brings more than chance

Goal = Literal["", "facts", "style", "both"]


@dataclass(frozen=True, slots=True)
class DraftProblem:
    """`code`: [text.plan_CODE], with its facts. Not `is_blocking`: it is told, and one may go on."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)
    is_blocking: bool = True


@dataclass(frozen=True, slots=True)
class DraftData:
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
class DraftSplit:
    """A split that was written (`app.training.data.data_split`). `revision`: of the rows that it was made of.

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
class TrainingForecast:
    """What a run would take (`app.training.run_plan`), of the draft with that `mark`.

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
class StartingPoint:
    """The adapter of an earlier run that is trained further. `folder`: PEFT's; `name`: of the run. `rank` and `alpha`
    stay what they are."""

    folder: str
    name: str
    rank: int
    alpha: int


@dataclass(frozen=True, slots=True)
class TrainingDraft:
    """`base`: as `app.models.base_models.resolve_base` takes it. `settings`: fields of `trainer.spec.RunSpec` that were
    chosen instead of the preset's. `run`: the folder of the run that was begun from it. `start`: None: it is trained
    anew.

    `has_environment`: of training, on this machine, now.
    """

    id: str  # its folder's name
    name: str = ""
    goal: Goal = ""
    data: DraftData | None = None
    frozen: DraftSplit | None = None
    base: str = ""
    preset: str = "standard"
    settings: dict[str, Any] = field(default_factory=dict)
    forecast: TrainingForecast | None = None
    run: str = ""
    has_environment: bool = False
    changed_at: float = 0.0  # seconds since 1970 (UTC)
    start: StartingPoint | None = None

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
        return next((step for step in PLANNED_STEPS if not self.is_complete(step)), PLANNED_STEPS[-1])

    def is_complete(self, step: str) -> bool:
        """Whether one may go on from there."""
        return not any(problem.is_blocking for problem in self.problems(step))

    def problems(self, step: str) -> tuple[DraftProblem, ...]:
        """`step`: one of PLANNED; the others lack nothing. The gravest first."""
        found = {"goal": self._goal, "data": self._data, "model": self._model, "check": self._check}.get(step)
        return tuple(sorted(found(), key=lambda problem: not problem.is_blocking)) if found else ()

    def with_settings(self, **changes: Any) -> "TrainingDraft":
        """None takes a setting back to what the preset says."""
        kept = {name: value for name, value in (self.settings | changes).items() if value is not None}
        return dataclasses.replace(self, settings=kept)

    # ------------------------------------------------------------------- private

    def _goal(self) -> Iterator[DraftProblem]:
        if self.goal not in GOALS:
            yield DraftProblem("goal_missing")
        elif self.goal == "facts":
            yield DraftProblem("goal_facts", is_blocking=False)

    def _data(self) -> Iterator[DraftProblem]:
        data, frozen = self.data, self.frozen
        if data is None:
            yield DraftProblem("data_missing")
            return
        if data.used < LEAST_ROWS:
            yield DraftProblem("rows_least", {"rows": data.used, "least": LEAST_ROWS})
        elif data.used < FEW_ROWS:
            yield DraftProblem("rows_few", {"rows": data.used, "few": FEW_ROWS}, is_blocking=False)
        if data.undecided:
            yield DraftProblem("undecided", {"rows": data.undecided}, is_blocking=False)
        if data.left_out:
            yield DraftProblem("left_out", {"rows": data.left_out}, is_blocking=False)
        if data.used >= LEAST_ROWS and (frozen is None or frozen.revision != data.revision):
            yield DraftProblem("not_frozen")
        elif frozen is not None and not frozen.is_sound:
            yield DraftProblem("leaking")

    def _model(self) -> Iterator[DraftProblem]:
        if not self.base:
            yield DraftProblem("base_missing")
        try:
            asked = dict.fromkeys(("folder", "base", "train", "validation"), "-") | {"preset": self.preset}
            spec.from_json(asked | self.settings)
        except SpecError as error:
            told = training_errors.error_from_spec(error)
            yield DraftProblem("setting_wrong", {"code": told.code, "facts": told.facts})
        fixed = {"rank": self.start.rank, "alpha": self.start.alpha} if self.start else {}
        for name, value in fixed.items():
            if self.settings.get(name, value) != value:
                told = training_errors.error_from_spec(SpecError(name, self.settings[name], str(value)))
                yield DraftProblem("setting_wrong", {"code": told.code, "facts": told.facts})

    def _check(self) -> Iterator[DraftProblem]:
        if not self.has_environment:
            yield DraftProblem("environment_missing")
        found = self.forecast
        if found is None or found.mark != self.mark:
            yield DraftProblem("not_checked")
            return
        if found.memory_bytes > found.allowed_bytes:
            yield DraftProblem("memory_short", {"need": found.memory_bytes, "allowed": found.allowed_bytes})
        if found.disk_bytes > found.free_disk_bytes:
            yield DraftProblem("disk_short", {"need": found.disk_bytes, "free": found.free_disk_bytes})
        for finding in found.findings:
            if finding.level in ("block", "warn"):
                facts = {"code": finding.code, "facts": finding.facts}
                yield DraftProblem("finding", facts, is_blocking=finding.level == "block")


DRAFT_FILE = "draft.json"
ROWS, SPLIT = "rows", "split"


def list_all(drafts: Path) -> list[TrainingDraft]:
    """The one that was changed last first; without those that cannot be read."""
    found = (_read_or_none(drafts, id) for id in list_ids(drafts))
    return sorted(filter(None, found), key=lambda draft: (draft.changed_at, draft.id), reverse=True)


def list_ids(drafts: Path) -> list[str]:
    """Of all, those that cannot be read among them, in no order."""
    try:
        return [folder.name for folder in drafts.iterdir() if (folder / DRAFT_FILE).is_file()]
    except OSError:  # none was ever made
        return []


def create(drafts: Path, now: float) -> TrainingDraft:
    """Raises AppError("draft_unwritable" | "drive_space")."""
    return save(drafts, TrainingDraft(work_folder.timestamped_path(drafts, "", now).name), now)


def read(drafts: Path, id: str) -> TrainingDraft:
    """Whether there is a training environment is not known yet. Raises AppError("draft_damaged")."""
    folder = drafts / id
    try:
        data = strict_json.load_file(folder / DRAFT_FILE)
        draft: TrainingDraft = json_lines.decode_message(data, {"Draft": TrainingDraft})
        name = invisible_characters.to_single_line(draft.name)
        found = _with_moved_folders(dataclasses.replace(draft, id=id, name=name, has_environment=False), folder)
        # What is of another kind than it should be fails here.
        _ = (found.with_settings(), found.mark, found.step, found.changed_at + 0.0)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AppError("draft_damaged", path=str(folder)) from error
    return found


def _with_moved_folders(draft: TrainingDraft, folder: Path) -> TrainingDraft:
    """Its rows and its split lie in its own folder, wherever that was moved since."""

    def moved(part: Any) -> Any:
        path = Path(part.folder) if part is not None else None
        if path is None or path.parent.name != draft.id or path.parent == folder:
            return part
        return dataclasses.replace(part, folder=str(folder / path.name))

    return dataclasses.replace(draft, data=moved(draft.data), frozen=moved(draft.frozen))


def save(drafts: Path, draft: TrainingDraft, now: float) -> TrainingDraft:
    """Gives it as it was written.

    Raises AppError: draft_changed (meanwhile, or removed, by somebody else), draft_unwritable, drive_space.
    """
    folder = drafts / draft.id
    if draft.changed_at and _changed_at(folder) != draft.changed_at:
        raise AppError("draft_changed", path=str(folder))
    draft = dataclasses.replace(draft, changed_at=now)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(folder / DRAFT_FILE, json_lines.encode_line(draft, "Draft"))
    except OSError as error:
        raise drive_error(error, folder, "draft_unwritable") from error
    return draft


def _changed_at(folder: Path) -> Any:
    """None: there is no draft, or nobody can tell."""
    try:
        return strict_json.load_file(folder / DRAFT_FILE)["changed_at"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def free_folder(drafts: Path, id: str, kind: str) -> Path:
    """A folder that is not there yet. `kind`: ROWS | SPLIT."""
    number = 1
    while (folder := drafts / id / f"{kind}-{number}").exists():
        number += 1
    return folder


def move_to_bin(drafts: Path, id: str) -> None:
    """Into the bin. Raises AppError("draft_unwritable")."""
    try:
        work_folder.move_to_bin(drafts / id, time.time())
    except OSError as error:
        raise drive_error(error, drafts / id, "draft_unwritable") from error


def restore(drafts: Path, id: str) -> None:
    """Raises AppError("draft_unwritable")."""
    try:
        work_folder.restore_from_bin(drafts, id)
    except OSError as error:
        raise drive_error(error, drafts / id, "draft_unwritable") from error


def _read_or_none(drafts: Path, id: str) -> TrainingDraft | None:
    try:
        return read(drafts, id)
    except AppError:
        return None
