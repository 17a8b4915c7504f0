"""One training that is being planned: what is decided at once, and what takes time in the background."""

import dataclasses
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.core import drafts, speed
from app.core.datasets import check, curation, leakage, origin, reading, split
from app.core.datasets.columns import ColumnMapping
from app.core.datasets.curation import Curation, Decision, Item
from app.core.datasets.leakage import LeakageReport
from app.core.datasets.origin import Origin
from app.core.datasets.rows import Row
from app.core.errors import AppError
from app.core.generation import review
from app.core.paths import Paths
from app.core.plan import Data, Draft, Forecast, Frozen
from app.core.records import LocalModel
from app.core.training import drafting, jobs, planning, runs
from app.core.training.jobs import Job
from app.core.training.planning import Plan
from app.core.training.trainer_process import Watch
from app.core.training_setup import converter
from app.services import background
from app.services.background import LongTask, Progress
from app.services.training import Trainer
from trainer import adapter
from trainer.events import Event, Phase


@dataclass(frozen=True, slots=True)
class Means:
    """What a draft is made with. `trainer`: None where there is no training environment. `unload`: frees the memory of
    the model that answers, which a training has for itself, too."""

    paths: Paths
    models: Callable[[], Sequence[LocalModel]]
    trainer: Callable[[], Trainer | None]
    unload: Callable[[], None] = lambda: None


class TrainingDraft(QObject):
    """One piece of background work at a time; it ends with `ended`, after `failed` where it has failed.

    The draft is on the disk whenever `changed` is emitted.
    """

    changed = Signal(object)  # Draft
    began = Signal(str)  # opening | importing | freezing | checking | beginning | exporting
    progressed = Signal(int, int)  # done, total; 0: not known
    ended = Signal()
    failed = Signal(object)  # AppError
    columns_unknown = Signal()  # instead of `failed`: somebody has to say what the columns of the file are
    begun = Signal(object)  # the folder (Path) of a run, which has its spec and is to be trained
    job_made = Signal(object)  # Job (app.core.training.jobs): another machine is to train the run

    def __init__(self, draft: Draft, means: Means, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._means = means
        self._drafts = means.paths.drafts
        self.draft = dataclasses.replace(draft, has_environment=means.trainer() is not None)
        self.curation: Curation | None = None
        self.origin: Origin | None = None  # of the rows; None: they were generated
        self.leakage: LeakageReport | None = None  # of the split that was frozen last
        self.plan: Plan | None = None  # of the last forecast
        self.phase: Phase | None = None  # that the trainer is in while it is asked
        self._task: LongTask | None = None

    @property
    def is_busy(self) -> bool:
        return self._task is not None

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    # ------------------------------------------------------------------ at once

    def change(self, **fields: Any) -> None:
        """Fields of the draft. Raises AppError("draft_unwritable" | "drive_space")."""
        self._keep(dataclasses.replace(self.draft, **fields))

    def choose(self, **settings: Any) -> None:
        """As `Draft.with_settings`. Raises AppError as `change`."""
        self._keep(self.draft.with_settings(**settings))

    def look_for_environment(self) -> None:
        """After one was made or deleted. Raises AppError as `change`."""
        has_environment = self._means.trainer() is not None
        if has_environment != self.draft.has_environment:
            self.change(has_environment=has_environment)

    def decide(self, decision: Decision) -> None:
        """Raises AppError as `Curation.decide`."""
        assert self.curation is not None
        self.curation.decide(decision)
        self._count()

    def undo(self) -> int:
        """The number of the item whose decision was taken back; 0: there was none. Raises AppError as `Curation`."""
        assert self.curation is not None
        number = self.curation.undo()
        if number:
            self._count()
        return number

    # ------------------------------------------------------------ in the background

    def open(self) -> None:
        """The rows of an earlier time."""
        if (data := self.draft.data) is not None:
            folder = Path(data.folder)
            self._do("opening", lambda _progress: (Curation(folder), origin.read(folder)), self._on_opened)

    def import_file(self, path: Path, mapping: ColumnMapping | None = None) -> None:
        """In place of what rows there are."""
        folder = drafts.free(self._drafts, self.draft.id, drafts.ROWS)
        self._do(
            "importing",
            lambda progress: _imported(path, mapping, folder, progress),
            lambda found: self._on_imported(found[0], found[1], path),
            folder,
        )

    def take_pairs(self, path: Path, source: str) -> None:
        """A file of generated pairs, in place of what rows there are. `source`: the collection's name."""
        folder = drafts.free(self._drafts, self.draft.id, drafts.ROWS)
        data = Data(source, 0, 0, folder=str(folder), file=str(path))
        self._do("importing", lambda _progress: _taken(path, folder), lambda found: self._on_rows(found, data), folder)

    def freeze(self) -> None:
        """Splits the rows as they stand now."""
        assert self.curation is not None
        rows, revision, source = self.curation.rows(), self.curation.revision, self.draft.data
        folder = drafts.free(self._drafts, self.draft.id, drafts.SPLIT)
        name, start = source.source if source else "", self.draft.start

        def work(_progress: Progress) -> tuple[Frozen, LeakageReport]:
            known = adapter.known_rows(Path(start.folder)) if start else frozenset()
            return _frozen(rows, revision, name, folder, known)

        self._do("freezing", work, self._on_frozen, folder)

    def check(self, *, measures: bool = False) -> None:
        """What a run would take, and what the trainer finds in the data. `measures`: three steps are tried.

        `phase` is new with each `progressed`. Where it fails, what was found before counts no more.
        """
        draft, means, self.phase = self.draft, self._means, None
        means.unload()

        def work(progress: Progress) -> Plan | AppError:
            try:
                return _planned(draft, means, progress, self._enter, measures=measures)
            except AppError as error:
                return error

        self._do("checking", work, lambda found: self._on_planned(found, draft))

    def begin(self) -> None:
        """Makes the folder of a run, which has its own copy of the data."""
        draft, means = self.draft, self._means
        self._do("beginning", lambda _progress: runs.create(_asked(draft, means), takes_data=True), self._on_begun)

    def make_job(self, folder: Path, *, with_base: bool = False) -> None:
        """A folder with which another machine trains it, into an empty one or one that is not there yet. The run is
        listed here as one that another machine has."""
        draft, means = self.draft, self._means

        def work(_progress: Progress) -> tuple[Job, Path]:
            asked = _asked(draft, means, _converter(means))
            job = jobs.make(asked, folder, with_base=with_base)
            run = runs.create(asked, takes_data=True)
            runs.note_export(run, job.folder)
            return job, run

        self._do("exporting", work, lambda made: self._on_job_made(*made))

    # ------------------------------------------------------------------- private

    def _do(
        self, what: str, work: Callable[[Progress], Any], done: Callable[[Any], None], folder: Path | None = None
    ) -> None:
        """`folder`: that is made, and does not stay where nothing has come of it."""
        assert not self.is_busy

        def end(then: Callable[[], None]) -> None:
            self._task = None
            try:
                then()
            except AppError as error:
                self.failed.emit(error)
            if folder is not None and str(folder) not in self._folders:
                self._drop(str(folder))
            self.ended.emit()

        def deliver(result: Any) -> None:
            end(lambda: done(result))

        def fail(error: AppError) -> None:
            is_question = error.code == "data_no_columns"
            end(lambda: self.columns_unknown.emit() if is_question else self.failed.emit(error))

        self._task = background.run_long(work, deliver, fail, self.progressed.emit, lambda: end(lambda: None))
        self.began.emit(what)

    @property
    def _folders(self) -> tuple[str, ...]:
        """Of the rows and the split that count."""
        return tuple(part.folder for part in (self.draft.data, self.draft.frozen) if part is not None)

    def _keep(self, draft: Draft) -> None:
        self.draft = drafts.save(self._drafts, draft, time.time())
        self.changed.emit(self.draft)

    def _on_opened(self, found: tuple[Curation, Origin | None]) -> None:
        self.curation, self.origin = found
        self._count()

    def _on_imported(self, file: Origin, rows: Curation, path: Path) -> None:
        found = file.imported
        data = Data(
            found.name, 0, 0, unusable=len(found.bad), folder=str(rows.folder), file=str(path),
            mapping=found.mapping.as_dict(),
        )  # fmt: skip
        self._on_rows(rows, data, file)

    def _on_rows(self, rows: Curation, data: Data, file: Origin | None = None) -> None:
        before = self.draft
        name = before.name or Path(data.source).stem
        self._keep(dataclasses.replace(before, name=name, data=_counted(data, rows), frozen=None))
        self.curation, self.origin, self.leakage = rows, file, None
        self._drop(before.data.folder if before.data else "")
        self._drop_split(before)

    def _count(self) -> None:
        assert self.curation is not None
        assert self.draft.data is not None
        data = _counted(self.draft.data, self.curation)
        if data != self.draft.data:
            self._keep(dataclasses.replace(self.draft, data=data))

    def _on_frozen(self, found: tuple[Frozen, LeakageReport]) -> None:
        before, (frozen, report) = self.draft, found
        self._keep(dataclasses.replace(before, frozen=frozen))
        self.leakage = report
        self._drop_split(before)

    def _drop_split(self, before: Draft) -> None:
        if before.frozen is not None:
            self._drop(before.frozen.folder)

    def _drop(self, folder: str) -> None:
        """Only what is of this draft."""
        if folder and self._drafts / self.draft.id in Path(folder).parents:
            shutil.rmtree(folder, ignore_errors=True)

    def _enter(self, phase: Phase) -> bool:
        """Whether it is another one than before."""
        before, self.phase = self.phase, phase
        return before is None or before.name != phase.name

    def _on_planned(self, found: Plan | AppError, asked: Draft) -> None:
        """Raises AppError, with which it has failed."""
        if isinstance(found, AppError):
            self.plan = None
            self._keep(dataclasses.replace(self.draft, forecast=None))
            raise found
        self.plan = plan = found
        forecast = Forecast(
            asked.mark, plan.total_s, plan.needed_bytes, plan.allowed_bytes, plan.disk.training,
            plan.free_disk_bytes, plan.counts.is_exact, plan.findings, plan.changes, plan.measured is not None,
            plan.device.kind,
        )  # fmt: skip
        self._keep(dataclasses.replace(self.draft, forecast=forecast))

    def _on_begun(self, folder: Path) -> None:
        self._keep(dataclasses.replace(self.draft, run=str(folder)))
        self.begun.emit(folder)

    def _on_job_made(self, job: Job, run: Path) -> None:
        self._keep(dataclasses.replace(self.draft, run=str(run)))
        self.job_made.emit(job)


def _counted(data: Data, rows: Curation) -> Data:
    counts = rows.counts
    return dataclasses.replace(
        data,
        revision=rows.revision,
        used=sum(counts[state] for state in curation.TRAINED),
        left_out=counts["left_out"],
        undecided=counts["undecided"],
    )


def _imported(path: Path, mapping: ColumnMapping | None, folder: Path, progress: Progress) -> tuple[Origin, Curation]:
    imported = reading.read(path, mapping)
    progress.check()
    found = check.check(imported, report=lambda _step, done, total: progress.report(done, total))
    rows, file = _made(folder, curation.imported(imported.rows, found)), origin.of(path, imported)
    origin.keep(folder, file)
    return file, rows


def _taken(path: Path, folder: Path) -> Curation:
    return _made(folder, curation.generated(review.load(path)))


def _made(folder: Path, items: Sequence[Item]) -> Curation:
    curation.create(folder, items)
    return Curation(folder)


def _frozen(
    rows: Sequence[Row], revision: int, source: str, folder: Path, known: Collection[str]
) -> tuple[Frozen, LeakageReport]:
    """`known`: ids of rows that the adapter which is trained further knows."""
    made = split.split(rows, known=known)
    report = leakage.report(made)
    manifest = split.write(made, folder, {"name": source, "rows": len(rows)}, report.as_json())
    counts = (len(made.train), len(made.validation), len(made.holdout))
    sha256 = manifest["files"]["holdout"]["sha256"]
    return Frozen(str(folder), revision, *counts, sha256, report.is_sound, len(made.removed)), report


def _converter(means: Means) -> str:
    """What the adapter becomes a GGUF file with, where it is trained. Raises AppError("converter_missing" |
    "converter_not_shipped")."""
    trainer = means.trainer()
    return trainer.converter if trainer is not None else str(converter.find(())[0])


def _asked(draft: Draft, means: Means, converter_folder: str | None = None) -> Any:
    """`converter_folder`: None: that of the training environment. Raises AppError as `drafting.draft`."""
    if converter_folder is None:
        trainer = means.trainer()
        converter_folder = trainer.converter if trainer else ""
    data = draft.frozen.folder if draft.frozen else ""
    start = draft.start.folder if draft.start else ""
    wishes = {"name": draft.name, "base": draft.base, "data": data, "preset": draft.preset, "adapter": start}
    wishes |= draft.settings
    return drafting.draft(wishes, means.paths, means.models(), converter_folder)


def _planned(draft: Draft, means: Means, progress: Progress, enter: Callable[[Phase], bool], *, measures: bool) -> Plan:
    """`enter`: is told each phase, and says whether it is another one.

    Raises AppError as `planning.plan`, what a run would fail by, probe_died.
    """
    trainer, speed_file = means.trainer(), means.paths.data / speed.FILE_NAME
    command = trainer.command if trainer is not None and trainer.can_judge else None  # the fake cannot plan

    def heard(event: Event) -> None:
        if isinstance(event, Phase):
            if enter(event):
                progress.renew()
            progress.report(event.done, event.total)

    watch = Watch(lambda process: progress.on_cancel(process.kill), heard)
    asked = _asked(draft, means)
    progress.check()
    try:
        plan = planning.plan(
            asked, command, lambda kind: planning.device_of(kind, speed_file), measures=measures, watch=watch
        )
    finally:
        progress.check()  # killed, it has left anything
    if plan.problem is not None and plan.problem.code != "run_preflight_blocked":  # which its findings say better
        raise plan.problem
    if measures and plan.measured is None and plan.fits:
        raise AppError("probe_died")
    return plan
