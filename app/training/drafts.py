"""Store drafts of trainings, one folder each, and list the problems that each step of a draft still has.

    draft.json        the draft, rewritten with each change
    rows-1/, 2, …     its rows and the decisions on them (`app.training.data.curation`); the draft names the current one
    split-1/, 2, …    their splits; a run copies one (`app.training.runs.run_folders`)

A deleted draft lies in the bin (`app.base.files.work_folder`) and can be restored.

Nothing is computed here. Services do the slow work (reading data, running the trainer) and store its result in the
draft with a hash of its input; once the input has changed, the result no longer counts.
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
from app.base.files.output_file import drive_errors, write_atomically
from app.training import training_errors
from app.training.data.rows import PARTS
from app.training.data.split_record import SplitManifest
from trainer import spec
from trainer.events import PreflightFinding
from trainer.spec import SpecError

STEPS = ("goal", "data", "model", "check", "run", "result")
PLANNED_STEPS = STEPS[:4]  # the steps before training
GOALS = ("facts", "style", "both")
LEAST_ROWS = 10  # the same as for a split
FEW_ROWS = 50  # with fewer rows, training seldom improves more than by chance

Goal = Literal["", "facts", "style", "both"]


@dataclass(frozen=True, slots=True)
class DraftProblem:
    """A problem of a step. `code`: key of the message text, which `facts` fill in. Not `is_blocking`: only a notice."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)
    is_blocking: bool = True


@dataclass(frozen=True, slots=True)
class DraftData:
    """The current rows of a draft (`app.training.data.curation`).

    `source`: name of the file or collection, for display. `folder`: the folder of the rows. `file`: the imported file,
    for generated rows the file of pairs; `mapping`: its columns. `label`: the highest confidentiality label of a row;
    "" if none has one. `origins`: collections and documents of the rows that the rows themselves do not name.
    `revision`: a number that changes whenever the rows change.

    `used`: number of rows for training and for judging it. `left_out`: number of flawed rows that the user has not
    kept. `undecided`: number of generated pairs without a decision, which are not used. `unusable`: number of the
    file's lines that give no row. `has_pairs`: each row also has a rejected answer, for preference tuning.
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
    has_pairs: bool = False


@dataclass(frozen=True, slots=True)
class DraftSplit:
    """A split that was written to files (`app.training.data.data_split`).

    `revision`: the revision of the rows that were split. `sha256`: the hash of the hold-out file, which identifies the
    split; `parts`: the hashes of all three files. `is_sound`: the training rows reveal nothing of the hold-out.
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

    @classmethod
    def of_manifest(cls, folder: Path, revision: int, manifest: SplitManifest) -> "DraftSplit":
        """Return the split that was written to `folder` with this manifest."""
        train, validation, holdout = (manifest.files[part].rows for part in PARTS)
        hashes, is_sound = manifest.hashes, manifest.leakage.is_sound
        return cls(
            str(folder), revision, train, validation, holdout, hashes[-1], is_sound, len(manifest.removed), hashes
        )


@dataclass(frozen=True, slots=True)
class TrainingForecast:
    """The estimated cost of a run (`app.training.run_plan`). `mark`: `TrainingDraft.mark` of the planned draft.

    `is_exact`: the trainer counted the tokens. `is_measured`: the trainer ran and measured some steps. `changes`:
    settings with which the memory would suffice; () if there are none.
    """

    mark: str
    seconds: float
    memory_bytes: int
    allowed_bytes: int  # memory that the run may use
    disk_bytes: int
    free_disk_bytes: int
    is_exact: bool
    findings: tuple[PreflightFinding, ...] = ()
    changes: tuple[tuple[str, Any], ...] = ()
    is_measured: bool = False
    device: str = ""  # "cuda" | "cpu"; "": unknown
    whole_s: float = 0.0  # seconds from the start of the run to its verdict; 0: there is none


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """The adapter of an earlier run that is trained further; its `rank` and `alpha` are fixed.

    `folder`: the adapter in PEFT's format; `name`: the name of that run.
    """

    folder: str
    name: str
    rank: int
    alpha: int


@dataclass(frozen=True, slots=True)
class TrainingDraft:
    """A planned training.

    `base`: a model that `app.models.base_models.resolve_base` accepts. `settings`: fields of `trainer.spec.RunSpec`
    that differ from the preset. `run`: the folder of the run that was started from this draft; "" if none was. `start`:
    the adapter to train further; None for a new adapter. `has_environment`: whether this machine has a training
    environment.
    """

    id: str  # name of the draft's folder
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
        """Return a hash of everything on which a run's forecast depends."""
        frozen = self.frozen
        asked: list[Any] = [frozen.sha256, frozen.revision, *frozen.parts] if frozen else []
        asked.append(self.has_environment)
        if self.start is not None:
            asked.append(self.start.folder)
        text = json.dumps([*asked, self.base, self.preset, self.settings], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]

    @property
    def step(self) -> str:
        """Return the first step with a blocking problem, or the last of PLANNED_STEPS if no step has one."""
        return next((step for step in PLANNED_STEPS if not self.is_complete(step)), PLANNED_STEPS[-1])

    def is_complete(self, step: str) -> bool:
        """Return whether the step has no blocking problem."""
        return not any(problem.is_blocking for problem in self.problems(step))

    def problems(self, step: str) -> tuple[DraftProblem, ...]:
        """Return the problems of a step, the blocking ones first; only PLANNED_STEPS have any."""
        found = {"goal": self._goal, "data": self._data, "model": self._model, "check": self._check}.get(step)
        return tuple(sorted(found(), key=lambda problem: not problem.is_blocking)) if found else ()

    @property
    def lacking_pairs(self) -> int:
        """Return how many more accepted pairs preference tuning needs; 0: it can be chosen."""
        data = self.data
        return max(0, FEW_ROWS - (data.used if data is not None and data.has_pairs else 0))

    def with_settings(self, **changes: Any) -> "TrainingDraft":
        """Return the draft with changed settings; a value of None restores the preset's value."""
        kept = {name: value for name, value in (self.settings | changes).items() if value is not None}
        return dataclasses.replace(self, settings=kept)

    # ------------------------------------------------------------- private methods

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
            invalid = training_errors.error_from_spec(error)
            yield DraftProblem("setting_wrong", {"code": invalid.code, "facts": invalid.facts})
        if self.settings.get("loss") == spec.PREFERENCE and self.lacking_pairs:
            yield DraftProblem("pairs_few", {"lacking": self.lacking_pairs})
        fixed = {"rank": self.start.rank, "alpha": self.start.alpha} if self.start else {}
        for name, value in fixed.items():
            if self.settings.get(name, value) != value:
                invalid = training_errors.error_from_spec(SpecError(name, self.settings[name], str(value)))
                yield DraftProblem("setting_wrong", {"code": invalid.code, "facts": invalid.facts})

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
    """Return the readable drafts, the last changed first."""
    found = (_read_or_none(drafts, id) for id in list_ids(drafts))
    return sorted(filter(None, found), key=lambda draft: (draft.changed_at, draft.id), reverse=True)


def list_ids(drafts: Path) -> list[str]:
    """Return the ids of all drafts, including unreadable ones, in no particular order."""
    try:
        return [folder.name for folder in drafts.iterdir() if (folder / DRAFT_FILE).is_file()]
    except OSError:  # the folder does not exist before the first draft
        return []


def create(drafts: Path, now: float) -> TrainingDraft:
    """Create an empty draft. Raises AppError("draft_unwritable" | "drive_space")."""
    return save(drafts, TrainingDraft(work_folder.timestamped_path(drafts, "", now).name), now)


def read(drafts: Path, id: str) -> TrainingDraft:
    """Read a draft. `has_environment` is false until a service determines it. Raises AppError("draft_damaged")."""
    folder = drafts / id
    try:
        draft = json_lines.decode(strict_json.read_bytes(folder / DRAFT_FILE), {"Draft": TrainingDraft})
        name = invisible_characters.to_single_line(draft.name)
        found = _with_moved_folders(dataclasses.replace(draft, id=id, name=name, has_environment=False), folder)
    except (OSError, ValueError) as error:
        raise AppError("draft_damaged", path=str(folder)) from error
    return found


def _with_moved_folders(draft: TrainingDraft, folder: Path) -> TrainingDraft:
    """Return the draft with its rows and split inside `folder`, in case the drafts have been moved."""

    def moved(part: Any) -> Any:
        path = Path(part.folder) if part is not None else None
        if path is None or path.parent.name != draft.id or path.parent == folder:
            return part
        return dataclasses.replace(part, folder=str(folder / path.name))

    return dataclasses.replace(draft, data=moved(draft.data), frozen=moved(draft.frozen))


def save(drafts: Path, draft: TrainingDraft, now: float) -> TrainingDraft:
    """Write the draft and return it as written.

    Raises AppError: draft_changed (another process has changed or deleted it), draft_unwritable, drive_space.
    """
    folder = drafts / draft.id
    if draft.changed_at and _changed_at(folder) != draft.changed_at:
        raise AppError("draft_changed", path=str(folder))
    draft = dataclasses.replace(draft, changed_at=now)
    with drive_errors(folder, "draft_unwritable"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(folder / DRAFT_FILE, json_lines.encode_line(draft, "Draft"))
    return draft


def _changed_at(folder: Path) -> Any:
    """Return the stored time of the last change; None if there is no readable draft."""
    try:
        return strict_json.load_file(folder / DRAFT_FILE)["changed_at"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def free_folder(drafts: Path, id: str, kind: str) -> Path:
    """Return the path of a new folder in the draft's folder. `kind`: ROWS | SPLIT."""
    number = 1
    while (folder := drafts / id / f"{kind}-{number}").exists():
        number += 1
    return folder


def move_to_bin(drafts: Path, id: str) -> None:
    """Move the draft to the bin. Raises AppError("draft_unwritable")."""
    with drive_errors(drafts / id, "draft_unwritable"):
        work_folder.move_to_bin(drafts / id, time.time())


def restore(drafts: Path, id: str) -> None:
    """Restore the draft from the bin. Raises AppError("draft_unwritable")."""
    with drive_errors(drafts / id, "draft_unwritable"):
        work_folder.restore_from_bin(drafts, id)


def _read_or_none(drafts: Path, id: str) -> TrainingDraft | None:
    try:
        return read(drafts, id)
    except AppError:
        return None
