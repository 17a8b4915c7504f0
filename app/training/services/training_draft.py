"""One training that is being planned: what is decided at once, and what takes time in the background."""

import dataclasses
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base import confidentiality
from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.background import LongTask, TaskProgress
from app.base.services.child_process import wait_for_end
from app.base.tables.column_mapping import ColumnMapping
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.training import drafting, drafts, jobs, planning
from app.training.data import origin
from app.training.data.curation import Curation, Decision
from app.training.data.leakage import LeakageReport
from app.training.data.origin import Origin
from app.training.environment import converter
from app.training.jobs import Job
from app.training.plan import Data, Draft, Forecast, Frozen
from app.training.planning import Plan
from app.training.runs import lineage, runs
from app.training.runs.lineage import Lineage
from app.training.runs.trainer_process import Watch
from app.training.services import draft_work
from app.training.services.training import Trainer
from trainer import adapter
from trainer.events import Event, Phase


@dataclass(frozen=True, slots=True)
class _Work:
    """What goes on in the background. `done` takes its result. `made`: folders that it makes, which do not stay where
    nothing comes of it."""

    done: Callable[[Any], None]
    made: list[Path]


class TrainingDraft(QObject):
    """One piece of background work at a time; it ends with `ended`, after `failed` where it has failed. What was
    cancelled before its result was there leaves nothing behind.

    The draft is on the disk whenever `changed` is emitted.
    """

    changed = Signal(object)  # Draft
    began = Signal(str)  # opening | importing | freezing | checking | beginning | exporting
    progressed = Signal(int, int)  # done, total; 0: not known
    ended = Signal()
    failed = Signal(object)  # AppError
    columns_unknown = Signal()  # instead of `failed`: somebody has to say what the columns of the file are
    begun = Signal(object)  # the folder (Path) of a run, which has its spec and is to be trained
    job_made = Signal(object)  # Job (app.training.jobs): another machine is to train the run

    def __init__(
        self,
        draft: Draft,
        paths: Paths,
        models: Callable[[], Sequence[LocalModel]],
        trainer: Callable[[], Trainer | None],
        engine: EngineClient | None = None,
        parent: QObject | None = None,
    ) -> None:
        """`trainer` returns None where there is no training environment. `engine`: the one that answers, which is
        unloaded for a check, since a training has its memory for itself, too; None: there is none."""
        super().__init__(parent)
        self._paths = paths
        self._models = models
        self._trainer = trainer
        self._engine = engine
        self._drafts = paths.drafts
        self.draft = dataclasses.replace(draft, has_environment=trainer() is not None)
        self.curation: Curation | None = None
        self.origin: Origin | None = None  # of the rows; None: they were generated
        self.leakage: LeakageReport | None = None  # of the split that was frozen last
        self.plan: Plan | None = None  # of the last forecast
        self.phase: Phase | None = None  # that the trainer is in while it is asked
        self._task: LongTask | None = None
        self._work: _Work | None = None

    @property
    def is_busy(self) -> bool:
        return self._work is not None

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
        has_environment = self._trainer() is not None
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
            lambda progress: draft_work.imported(path, mapping, folder, progress),
            lambda found: self._on_imported(found[0], found[1], path),
            [folder],
        )

    def take_pairs(self, path: Path, source: str) -> None:
        """A file of generated pairs, in place of what rows there are. `source`: the collection's name."""
        folder = drafts.free(self._drafts, self.draft.id, drafts.ROWS)
        data = Data(source, 0, 0, folder=str(folder), file=str(path))
        self._do(
            "importing",
            lambda _progress: draft_work.taken(path, folder),
            lambda found: self._on_rows(found, data),
            [folder],
        )

    def freeze(self) -> None:
        """Splits the rows as they stand now."""
        assert self.curation is not None
        assert self.draft.data is not None
        rows, revision = self.curation.rows(), self.curation.revision
        folder = drafts.free(self._drafts, self.draft.id, drafts.SPLIT)
        source, start = draft_work.source(self.draft.data, self.curation, self.origin), self.draft.start

        def work(progress: TaskProgress) -> tuple[Frozen, LeakageReport]:
            known = adapter.known_rows(Path(start.folder)) if start else frozenset()
            return draft_work.frozen(rows, revision, source, folder, known, progress)

        self._do("freezing", work, self._on_frozen, [folder])

    def check(self, *, measures: bool = False) -> None:
        """What a run would take, and what the trainer finds in the data. `measures`: three steps are tried.

        `phase` is new with each `progressed`. Where it fails, what was found before counts no more. It fails at once,
        and nothing is lost, with check_engine_busy while an answer is given, and with check_memory_taken where a trial
        would be beside a training or a study.
        """
        draft, engine, self.phase = self.draft, self._engine, None
        refusal = _refusal(engine, measures=measures)
        ending = engine.end() if engine is not None and refusal is None else 0

        def work(progress: TaskProgress) -> Plan | AppError:
            if refusal is not None:
                raise refusal
            wait_for_end(ending)
            try:
                return self._plan(draft, progress, measures=measures)
            except AppError as error:
                return error

        self._do("checking", work, lambda found: self._on_planned(found, draft))

    def begin(self) -> None:
        """A run's folder, with its own copy of the data. Fails with begin_memory_taken where it could not begin now."""
        draft, made = self.draft, list[Path]()
        is_taken = self._engine is not None and self._engine.refusal is not None

        def work(progress: TaskProgress) -> Path:
            if is_taken:
                raise AppError("begin_memory_taken")
            asked = self._asked(draft)
            progress.check()
            made.append(runs.create(asked, takes_data=True))
            return made[0]

        self._do("beginning", work, self._on_begun, made)

    @property
    def exports_log(self) -> Path:
        return self._paths.exports_log

    @property
    def lineage(self) -> Lineage:
        """Where the rows are from, and what was known of their label."""
        data, frozen = self.draft.data, self.draft.frozen
        found = lineage.of_data(Path(frozen.folder)) if frozen is not None else Lineage()
        if data is not None and self.curation is not None:
            return found.joined(draft_work.lineage_of(data, self.curation, self.origin))
        return (
            found.joined(Lineage(confidentiality.label_from_word(data.label), data.origins))
            if data is not None
            else found
        )

    def job_of(self, folder: Path) -> ExportRequest:
        """The job in that folder, for the gate: by the labels that data, adapter and base have now."""
        draft, documents = self.draft, self._paths.documents
        known = self.lineage
        if draft.start is not None:
            known = known.joined(lineage.of_adapter(Path(draft.start.folder)))
        found = [model for model in self._models() if draft.base in (model.id, model.path)]

        def label_now() -> Label:
            of_base = [lineage.label_of_model(documents, model) for model in found]
            return confidentiality.highest_label((known.label_now(documents), *of_base))

        return ExportRequest("job", str(folder.absolute()), label_now, draft.name)

    def make_job(self, folder: Path, permit: Permit, *, with_base: bool = False) -> None:
        """A folder with which another machine trains it, into an empty one or one that is not there yet. The run is
        listed here as one that another machine has. Fails with converter_missing and converter_not_shipped, too."""
        draft, made = self.draft, list[Path]()

        def work(progress: TaskProgress) -> tuple[Job, Path]:
            trainer = self._trainer()
            # What the adapter becomes a GGUF file with, where it is trained.
            asked = self._asked(draft, trainer.converter if trainer is not None else str(converter.find()[0]))
            progress.check()
            job = jobs.make(asked, folder, permit=permit, with_base=with_base)
            made.append(job.folder)
            progress.check()
            run = runs.create(asked, takes_data=True)
            made.append(run)
            runs.note_export(run, job.folder)
            return job, run

        self._do("exporting", work, lambda found: self._on_job_made(*found), made)

    # ------------------------------------------------------------------- private

    def _do(
        self, what: str, work: Callable[[TaskProgress], Any], done: Callable[[Any], None], made: Sequence[Path] = ()
    ) -> None:
        """`made`: as in `_Work`; it may grow while it works."""
        assert not self.is_busy
        self._work = now = _Work(done, made if isinstance(made, list) else list(made))
        self._task = background.run_long(
            lambda progress: draft_work.whole(work, now.made, progress),
            self._deliver,
            self._fail,
            self._on_progressed,
            self._on_cancelled,
        )
        self.began.emit(what)

    def _deliver(self, result: Any) -> None:
        if self._task is not None and self._task.progress.is_cancelled:
            self._end(lambda _work: None)
        else:
            self._end(lambda work: work.done(result))

    def _fail(self, error: AppError) -> None:
        is_question = error.code == "data_no_columns"
        self._end(lambda _work: self.columns_unknown.emit() if is_question else self.failed.emit(error))

    def _on_cancelled(self) -> None:
        self._end(lambda _work: None)

    def _on_progressed(self, done: int, total: int) -> None:
        self.progressed.emit(done, total)

    def _end(self, then: Callable[[_Work], None]) -> None:
        work, self._work, self._task = self._work, None, None
        assert work is not None
        try:
            then(work)
        except AppError as error:
            self.failed.emit(error)
        finally:
            draft_work.delete(folder for folder in work.made if str(folder) not in self._folders)
            self.ended.emit()

    @property
    def _folders(self) -> tuple[str, ...]:
        """Of the rows, the split and the run that count, and of the run's job."""
        parts = tuple(part.folder for part in (self.draft.data, self.draft.frozen) if part is not None)
        return (*parts, self.draft.run, runs.exported_to(Path(self.draft.run))) if self.draft.run else parts

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
            mapping=found.mapping.as_dict(), label=found.label,
        )  # fmt: skip
        self._on_rows(rows, data, file)

    def _on_rows(self, rows: Curation, data: Data, file: Origin | None = None) -> None:
        before = self.draft
        name = before.name or (Path(data.source).stem if file is not None else data.source)
        self._keep(dataclasses.replace(before, name=name, data=draft_work.counted(data, rows), frozen=None))
        self.curation, self.origin, self.leakage = rows, file, None
        self._drop(before.data.folder if before.data else "")
        self._drop_split(before)

    def _count(self) -> None:
        assert self.curation is not None
        assert self.draft.data is not None
        data = draft_work.counted(self.draft.data, self.curation)
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

    # ------------------------------------------------------------- while it is worked on

    def _asked(self, draft: Draft, converter_folder: str | None = None) -> Any:
        """Return the specification of the run; `converter_folder`: None for that of the training environment.

        Raises AppError as `drafting.draft`.
        """
        if converter_folder is None:
            trainer = self._trainer()
            converter_folder = trainer.converter if trainer else ""
        data = draft.frozen.folder if draft.frozen else ""
        start = draft.start.folder if draft.start else ""
        chosen = {"name": draft.name, "base": draft.base, "data": data, "preset": draft.preset, "adapter": start}
        return drafting.draft(chosen | draft.settings, self._paths, self._models(), converter_folder)

    def _plan(self, draft: Draft, progress: TaskProgress, *, measures: bool) -> Plan:
        """Raises AppError as `planning.plan`, what a run would fail by, probe_died."""
        trainer, speed_file = self._trainer(), self._paths.data / speed.FILE_NAME
        command = trainer.command if trainer is not None and trainer.can_judge else None  # the fake cannot plan

        def heard(event: Event) -> None:
            if isinstance(event, Phase):
                if self._enter(event):
                    progress.renew()
                progress.report(event.done, event.total)

        watch = Watch(lambda process: progress.on_cancel(process.kill), heard)
        asked = self._asked(draft)
        progress.check()
        try:
            plan = planning.plan(
                asked, command, lambda kind: planning.device_of(kind, speed_file), measures=measures, watch=watch
            )
        finally:
            progress.check()  # killed, it has left anything
        is_said = any(finding.level == "block" for finding in plan.findings)  # better than by the problem
        if plan.problem is not None and not (is_said and plan.problem.code == "run_preflight_blocked"):
            raise plan.problem
        if measures and plan.measured is None and plan.fits:
            raise AppError("probe_died")
        return plan

    def _enter(self, phase: Phase) -> bool:
        """Whether it is another one than before."""
        before, self.phase = self.phase, phase
        return before is None or before.name != phase.name


def _refusal(engine: EngineClient | None, *, measures: bool) -> AppError | None:
    if engine is None:
        return None
    if measures and engine.refusal is not None:
        return AppError("check_memory_taken")
    return AppError("check_engine_busy") if engine.is_computing else None
