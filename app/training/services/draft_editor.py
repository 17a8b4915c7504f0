"""Edit one planned training: change its fields at once, and run slow work on its rows, split and forecast.

Slow work runs in the background. The file is long because all kinds of work share the rules for cancelling, saving and
cleaning up.
"""

import dataclasses
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base import confidentiality
from app.base.confidentiality import ExportRequest, Permit
from app.base.errors import AppError
from app.base.files.output_file import drive_errors
from app.base.paths import Paths
from app.base.services import background
from app.base.services.background import LongTask, TaskProgress
from app.base.services.child_process import wait_for_end
from app.base.tables.column_mapping import ColumnMapping
from app.base.wording import phrase
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.training import drafts, remote_job, run_plan, spec_builder
from app.training.data import check, curation, data_split, file_import
from app.training.data.curation import Curation, CurationItem, Decision
from app.training.data.file_import import ImportOrigin
from app.training.data.rows import TrainingRow
from app.training.drafts import DraftData, DraftSplit, TrainingDraft, TrainingForecast
from app.training.environment import shipped_tools
from app.training.generation import pair_files
from app.training.remote_job import RemoteJob
from app.training.run_plan import ProcessWatch, RunPlan
from app.training.runs import lineage, run_folders
from app.training.runs.lineage import Lineage
from app.training.services.training_run import Trainer
from trainer import adapter, sleep_inhibitor
from trainer.events import Event, Phase


class DraftEditor(QObject):
    """Edits a draft, with one piece of background work at a time.

    Each piece of work ends with `ended`, preceded by `failed` if it failed. Work that is cancelled before it has a
    result leaves nothing behind. The draft is saved before `changed` is emitted.
    """

    changed = Signal(object)  # TrainingDraft
    began = Signal(str)  # opening | importing | freezing | checking | beginning | exporting
    progressed = Signal(int, int)  # done, total; a total of 0: unknown
    ended = Signal()
    failed = Signal(object)  # AppError
    columns_unknown = Signal()  # instead of `failed`: the user must name the file's columns
    begun = Signal(object)  # folder (Path) of a new run that is ready for training
    job_made = Signal(object)  # RemoteJob: another machine is to train the run

    def __init__(
        self,
        draft: TrainingDraft,
        paths: Paths,
        models: Callable[[], Sequence[LocalModel]],
        trainer: Callable[[], Trainer | None],
        engine: EngineClient | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Create the editor; `models` returns the model list, `trainer` None without a training environment.

        `engine`: the chat's engine, which a check unloads, because a run also has the memory for itself; None if there
        is none.
        """
        super().__init__(parent)
        self._paths = paths
        self._models = models
        self._trainer = trainer
        self._engine = engine
        self._drafts = paths.drafts
        self.draft = dataclasses.replace(draft, has_environment=trainer() is not None)
        self.curation: Curation | None = None
        self.origin: ImportOrigin | None = None  # origin of the rows; None: they were generated
        self.plan: RunPlan | None = None  # plan of the last forecast
        self.phase: Phase | None = None  # the trainer's phase during a check
        self._task: LongTask | None = None
        if engine is not None:
            engine.refusal_changed.connect(self._on_refusal_changed)

    @property
    def start_refusal(self) -> AppError | None:
        """Return why a training could not start now: another job has the memory. None if it could."""
        return self._engine.refusal if self._engine is not None else None

    @property
    def is_busy(self) -> bool:
        return self._task is not None

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    # --------------------------------------------------------------- immediate changes

    def change(self, **fields: Any) -> None:
        """Change fields of the draft. Raises AppError("draft_unwritable" | "drive_space")."""
        self._keep(dataclasses.replace(self.draft, **fields))

    def choose(self, **settings: Any) -> None:
        """Change settings as `TrainingDraft.with_settings` does. Raises AppError as `change` does."""
        self._keep(self.draft.with_settings(**settings))

    def refresh_environment(self) -> None:
        """Update `has_environment` after an environment was made or deleted. Raises AppError as `change` does."""
        has_environment = self._trainer() is not None
        if has_environment != self.draft.has_environment:
            self.change(has_environment=has_environment)

    def decide(self, decision: Decision) -> None:
        """Record a decision on a row. Raises AppError as `Curation.decide` does."""
        assert self.curation is not None
        self.curation.decide(decision)
        self._count()

    def undo(self) -> int:
        """Undo the last decision and return the number of its item; 0 if there was none.

        Raises AppError as `Curation.undo` does.
        """
        assert self.curation is not None
        number = self.curation.undo()
        if number:
            self._count()
        return number

    # ------------------------------------------------------------ in the background

    def open(self) -> None:
        """Load the draft's stored rows."""
        if (data := self.draft.data) is not None:
            folder = Path(data.folder)
            self._do("opening", lambda _progress: (Curation(folder), file_import.read_origin(folder)), self._on_opened)

    def import_file(self, path: Path, mapping: ColumnMapping | None = None, *, are_proposed: bool = False) -> None:
        """Import a file and replace the current rows. `mapping`: columns that the user named; None: guess all.

        `are_proposed`: the rows are used only once they are accepted.
        """
        folder = drafts.free_folder(self._drafts, self.draft.id, drafts.ROWS)
        self._do(
            "importing",
            lambda progress: _import_rows(path, mapping, folder, progress, are_proposed=are_proposed),
            lambda found: self._on_imported(found[0], found[1], path),
            [folder],
        )

    def import_collected(self, rows: Sequence[dict[str, Any]], *, is_agreed: bool = False) -> None:
        """Import collected preference pairs, each of which is used once it is accepted.

        They also stay as a file in the draft's folder. `is_agreed`: the user agreed to training data from confidential
        conversations. Raises AppError("draft_unwritable" | "drive_space" | "secret_export").
        """
        path = self._drafts / self.draft.id / f"{phrase('training.collected_pairs')}.jsonl"
        label = confidentiality.label_of_rows(rows)
        export = ExportRequest("rows", str(path), lambda: label, path.stem)
        permit = confidentiality.permit_export(export, self._paths.exports_log, is_agreed=is_agreed)
        with drive_errors(path.parent, "draft_unwritable"), permit.open_atomically(path) as file:
            file.write(pair_files.rows_to_lines(rows))
        self.import_file(path, are_proposed=True)

    def import_pairs(self, path: Path, source: str) -> None:
        """Import a file of generated pairs, which replace the current rows. `source`: the collection's name."""
        folder = drafts.free_folder(self._drafts, self.draft.id, drafts.ROWS)
        data = DraftData(source, 0, 0, folder=str(folder), file=str(path))
        self._do(
            "importing",
            lambda _progress: _import_pairs(path, folder),
            lambda found: self._on_rows(found, data),
            [folder],
        )

    def freeze(self) -> None:
        """Split the current rows."""
        assert self.curation is not None
        assert self.draft.data is not None
        rows, revision = self.curation.rows(), self.curation.revision
        folder = drafts.free_folder(self._drafts, self.draft.id, drafts.SPLIT)
        source, start = split_source(self.draft.data, self.curation, self.origin), self.draft.start

        def work(progress: TaskProgress) -> DraftSplit:
            known = adapter.trained_row_ids(Path(start.folder)) if start else frozenset()
            return _split_rows(rows, revision, source, folder, known, progress)

        self._do("freezing", work, self._on_frozen, [folder])

    def check(self, *, measures: bool = False) -> None:
        """Forecast a run and let the trainer check the data. `measures`: the trainer also runs three steps.

        `phase` is updated before each `progressed`. If the check fails, the previous forecast is discarded. It fails at
        once and keeps the forecast with check_engine_busy while an answer is written, and with check_memory_taken if a
        measurement would run beside a training or a study.
        """
        draft, engine, self.phase = self.draft, self._engine, None
        refusal = _refusal(engine, measures=measures)
        ending = engine.end() if engine is not None and refusal is None else 0

        def work(progress: TaskProgress) -> RunPlan | AppError:
            if refusal is not None:
                raise refusal
            wait_for_end(ending)
            try:
                return self._plan(draft, progress, measures=measures)
            except AppError as error:
                return error

        self._do("checking", work, lambda found: self._on_planned(found, draft))

    def begin(self) -> None:
        """Create a run's folder with its own copy of the data.

        Fails with begin_memory_taken if the run could not start now.
        """
        draft, made = self.draft, list[Path]()
        is_taken = self._engine is not None and self._engine.refusal is not None

        def work(progress: TaskProgress) -> Path:
            if is_taken:
                raise AppError("begin_memory_taken")
            asked = self._requested_spec(draft)
            progress.check()
            made.append(run_folders.create(asked, takes_data=True))
            return made[0]

        self._do("beginning", work, self._on_begun, made)

    @property
    def exports_log(self) -> Path:
        return self._paths.exports_log

    @property
    def lineage(self) -> Lineage:
        """Return the label and the origins of the rows."""
        data, frozen = self.draft.data, self.draft.frozen
        found = lineage.lineage_of_data(Path(frozen.folder)) if frozen is not None else Lineage()
        if data is not None and self.curation is not None:
            return found.joined(rows_lineage(data, self.curation, self.origin))
        return found if data is None else found.joined(Lineage.of_stored_label(data.label, data.origins))

    def job_of(self, folder: Path) -> ExportRequest:
        """Return the export request for a job in `folder`, with the current labels of data, adapter and base."""
        draft, known = self.draft, self.lineage
        if draft.start is not None:
            known = known.joined(lineage.lineage_of_adapter(Path(draft.start.folder)))
        bases = [model for model in self._models() if draft.base in (model.id, model.path)]
        return remote_job.job_export(known, bases, folder, self._paths.documents, draft.name)

    def make_job(self, folder: Path, permit: Permit, *, with_base: bool = False) -> None:
        """Write a job for another machine into an empty or new folder, and list the run here as exported.

        Besides the errors of `remote_job.make_job` it fails with converter_missing and converter_not_shipped.
        """
        draft, made = self.draft, list[Path]()

        def work(progress: TaskProgress) -> tuple[RemoteJob, Path]:
            trainer = self._trainer()
            # The other machine converts the adapter to GGUF, so the job must contain a converter.
            asked = self._requested_spec(
                draft, trainer.converter if trainer is not None else str(shipped_tools.find_converter()[0])
            )
            progress.check()
            job = remote_job.make_job(asked, folder, permit=permit, with_base=with_base)
            made.append(job.folder)
            progress.check()
            run = run_folders.create(asked, takes_data=True)
            made.append(run)
            run_folders.record_export(run, job.folder)
            return job, run

        self._do("exporting", work, lambda found: self._on_job_made(*found), made)

    # ------------------------------------------------------------- private methods

    def _do(
        self,
        what: str,
        work: Callable[[TaskProgress], Any],
        on_done: Callable[[Any], None],
        created: Sequence[Path] = (),
    ) -> None:
        """Run `work` in the background and pass its result to `on_done`.

        `what`: the argument of `began`. `created`: the folders that the work creates, which are deleted if it fails;
        the work may add to them.
        """
        assert not self.is_busy
        self._task = background.run_long(
            partial(run_or_clean_up, work, created),
            partial(self._on_done, created, on_done),
            partial(self._on_failed, created),
            self._on_progressed,
            partial(self._end_task, created),
        )
        self.began.emit(what)

    def _on_done(self, created: Sequence[Path], on_done: Callable[[Any], None], result: Any) -> None:
        is_cancelled = self._task is not None and self._task.progress.is_cancelled
        self._end_task(created, (lambda: None) if is_cancelled else partial(on_done, result))

    def _on_failed(self, created: Sequence[Path], error: AppError) -> None:
        is_question = error.code == "data_no_columns"
        self._end_task(created, self.columns_unknown.emit if is_question else partial(self.failed.emit, error))

    def _on_progressed(self, done: int, total: int) -> None:
        self.progressed.emit(done, total)

    def _end_task(self, created: Sequence[Path], go_on: Callable[[], None] = lambda: None) -> None:
        self._task = None
        try:
            go_on()
        except AppError as error:
            self.failed.emit(error)
        finally:
            _delete_folders(folder for folder in created if str(folder) not in self._folders)
            self.ended.emit()

    @property
    def _folders(self) -> tuple[str, ...]:
        """Return the folders in use: those of the rows, the split, the run and the run's job."""
        parts = tuple(part.folder for part in (self.draft.data, self.draft.frozen) if part is not None)
        return (*parts, self.draft.run, run_folders.exported_to(Path(self.draft.run))) if self.draft.run else parts

    def _keep(self, draft: TrainingDraft) -> None:
        self.draft = drafts.save(self._drafts, draft, time.time())
        self.changed.emit(self.draft)

    def _on_refusal_changed(self) -> None:
        self.changed.emit(self.draft)

    def _on_opened(self, outcome: tuple[Curation, ImportOrigin | None]) -> None:
        self.curation, self.origin = outcome
        self._count()

    def _on_imported(self, file: ImportOrigin, rows: Curation, path: Path) -> None:
        found = file.imported
        data = DraftData(
            found.name, 0, 0, unusable=len(found.bad_rows), folder=str(rows.folder), file=str(path),
            mapping=found.mapping.as_dict(), label=found.label,
        )  # fmt: skip
        self._on_rows(rows, data, file)

    def _on_rows(self, rows: Curation, data: DraftData, file: ImportOrigin | None = None) -> None:
        before = self.draft
        is_named = before.name not in ("", _name_of(before.data))
        name = before.name if is_named else _name_of(data)
        self._keep(dataclasses.replace(before, name=name, data=_with_counts(data, rows), frozen=None))
        self.curation, self.origin = rows, file
        self._drop(before.data.folder if before.data else "")
        self._drop_split(before)

    def _count(self) -> None:
        assert self.curation is not None
        assert self.draft.data is not None
        data = _with_counts(self.draft.data, self.curation)
        if data != self.draft.data:
            self._keep(dataclasses.replace(self.draft, data=data))

    def _on_frozen(self, frozen: DraftSplit) -> None:
        before = self.draft
        self._keep(dataclasses.replace(before, frozen=frozen))
        self._drop_split(before)

    def _drop_split(self, before: TrainingDraft) -> None:
        if before.frozen is not None:
            self._drop(before.frozen.folder)

    def _drop(self, folder: str) -> None:
        """Delete the folder if it is inside this draft's folder."""
        if folder and self._drafts / self.draft.id in Path(folder).parents:
            shutil.rmtree(folder, ignore_errors=True)

    def _on_planned(self, outcome: RunPlan | AppError, draft: TrainingDraft) -> None:
        """Store the forecast for the draft `draft`. Raises AppError if the check failed."""
        if isinstance(outcome, AppError):
            self.plan = None
            self._keep(dataclasses.replace(self.draft, forecast=None))
            raise outcome
        self.plan = plan = outcome
        forecast = TrainingForecast(
            draft.mark, plan.total_s, plan.needed_bytes, plan.allowed_bytes, plan.disk.training,
            plan.free_disk_bytes, plan.counts.is_exact, plan.findings, plan.changes, plan.measured is not None,
            plan.device.kind, plan.before_s + plan.total_s + plan.verdict_s if plan.verdict_s else 0.0,
        )  # fmt: skip
        self._keep(dataclasses.replace(self.draft, forecast=forecast))

    def _on_begun(self, folder: Path) -> None:
        self._keep(dataclasses.replace(self.draft, run=str(folder)))
        self.begun.emit(folder)

    def _on_job_made(self, job: RemoteJob, run: Path) -> None:
        self._keep(dataclasses.replace(self.draft, run=str(run)))
        self.job_made.emit(job)

    # ------------------------------------------------------------- in the worker thread

    def _requested_spec(self, draft: TrainingDraft, converter_folder: str | None = None) -> Any:
        """Return the spec of the run. `converter_folder`: None for the converter of the training environment.

        Raises AppError as `spec_builder.build_spec` does.
        """
        if converter_folder is None:
            trainer = self._trainer()
            converter_folder = trainer.converter if trainer else ""
        data = draft.frozen.folder if draft.frozen else ""
        start = draft.start.folder if draft.start else ""
        chosen = {"name": draft.name, "base": draft.base, "data": data, "preset": draft.preset, "adapter": start}
        return spec_builder.build_spec(chosen | draft.settings, self._paths, self._models(), converter_folder)

    def _plan(self, draft: TrainingDraft, progress: TaskProgress, *, measures: bool) -> RunPlan:
        """Return the plan of a run. Raises AppError as `run_plan.plan_run` does, a run's check errors, probe_died."""
        sleep_inhibitor.can_keep_awake()  # tried here for the page, because it can take seconds
        trainer, speed_file = self._trainer(), self._paths.data / speed.FILE_NAME
        command = trainer.command if trainer is not None and trainer.can_judge else None  # the fake trainer cannot plan

        def on_event(event: Event) -> None:
            if isinstance(event, Phase):
                if self._enter(event):
                    progress.begin_phase()
                progress.report(event.done, event.total)

        watch = ProcessWatch(lambda process: progress.on_cancel(process.kill), on_event)
        asked = self._requested_spec(draft)
        progress.check()
        try:
            plan = run_plan.plan_run(
                asked, command, lambda kind: run_plan.find_device(kind, speed_file), measures=measures, watch=watch
            )
        finally:
            progress.check()  # after a cancellation, the killed trainer may have caused the error
        is_explained = any(finding.level == "block" for finding in plan.findings)  # the findings give more detail
        if plan.problem is not None and not (is_explained and plan.problem.code == "run_preflight_blocked"):
            raise plan.problem
        if measures and plan.measured is None and plan.fits:
            raise AppError("probe_died")
        return plan

    def _enter(self, phase: Phase) -> bool:
        """Store the phase and return whether it is another one than before."""
        before, self.phase = self.phase, phase
        return before is None or before.name != phase.name


def _refusal(engine: EngineClient | None, *, measures: bool) -> AppError | None:
    if engine is None:
        return None
    if measures and engine.refusal is not None:
        return AppError("check_memory_taken")
    return AppError("check_engine_busy") if engine.is_computing else None


def run_or_clean_up(work: Callable[[TaskProgress], Any], created: Sequence[Path], progress: TaskProgress) -> Any:
    """Return the result of the work; if it fails or is cancelled, delete the folders that it made.

    Raises the exceptions of `work`, and Cancelled.
    """
    try:
        result = work(progress)
        progress.check()
    except BaseException:
        _delete_folders(created)
        raise
    return result


def _delete_folders(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _name_of(data: DraftData | None) -> str:
    """Return the name that a draft has by its data until it is given one: that of the file or the collection."""
    if data is None:
        return ""
    return Path(data.source).stem if data.source == Path(data.file).name else data.source


def _with_counts(data: DraftData, rows: Curation) -> DraftData:
    counts = rows.counts
    return dataclasses.replace(
        data,
        revision=rows.revision,
        used=sum(counts[state] for state in curation.TRAINED_STATES),
        left_out=counts["left_out"],
        undecided=counts["undecided"],
        label=rows.label or data.label,
        has_pairs=rows.are_pairs,
    )


def split_source(data: DraftData, rows: Curation, file: ImportOrigin | None) -> dict[str, Any]:
    """Return the "source" entry of a split's record, in the format of `kotae data split`.

    In it, `flagged` has the line numbers of used rows by flag, `decided` the number of rows by decision. `file`: the
    origin of imported rows; None for generated rows.
    """
    record: dict[str, Any] = {"name": data.source}
    if file is not None:
        record |= {"sha256": file.imported.sha256}
    record |= {"rows": len(rows.items), "unusable_rows": data.unusable, "mapping": data.mapping}
    flagged: dict[str, list[int]] = {}
    for item in rows.items:
        if rows.state_of(item) in curation.TRAINED_STATES:
            for code in item.flags:
                flagged.setdefault(code, []).append(item.row.line)
    kinds: tuple[curation.DecisionKind, ...] = ("accepted", "edited", "rejected")
    decided = {kind: rows.counts[kind] for kind in kinds if rows.counts[kind]}
    record |= {"flagged": flagged, "used": data.used, "decided": decided}
    return record | rows_lineage(data, rows, file).as_json()


def rows_lineage(data: DraftData, rows: Curation, file: ImportOrigin | None) -> Lineage:
    """Return the label and the origins of the rows. `file`: the origin of imported rows; None for generated rows."""
    made_of = {(one.evidence.collection, one.evidence.document) for one in rows.items if one.evidence is not None}
    made_of |= set(file.imported.origins) if file is not None else set()
    return Lineage.of_stored_label(rows.label or data.label, tuple(sorted(made_of | set(data.origins))))


def _import_rows(
    path: Path, mapping: ColumnMapping | None, folder: Path, progress: TaskProgress, *, are_proposed: bool
) -> tuple[ImportOrigin, Curation]:
    file = file_import.import_file(path, mapping, progress.check)
    progress.check()
    found = check.check_rows(file, report=lambda _step, done, total: progress.report(done, total))
    rows, source = (
        _create_curation(folder, curation.items_from_rows(file.rows, found, are_proposed=are_proposed)),
        file_import.origin_of(path, file),
    )
    file_import.write_origin(folder, source)
    for row in file.rows[:1]:
        curation.inspect_row(row, None)  # loads here what the review needs, because it takes longer than a frame
    return source, rows


def _import_pairs(path: Path, folder: Path) -> Curation:
    return _create_curation(folder, curation.items_from_pairs(pair_files.load_pairs(path)))


def _create_curation(folder: Path, items: Sequence[CurationItem]) -> Curation:
    curation.create(folder, items)
    return Curation(folder)


def _split_rows(
    rows: Sequence[TrainingRow],
    revision: int,
    source: dict[str, Any],
    folder: Path,
    known: Collection[str],
    progress: TaskProgress,
) -> DraftSplit:
    """Split the rows and write the split. `known`: ids of rows on which the adapter to train further was trained.

    Raises Cancelled, AppError.
    """
    made = data_split.split_rows(rows, known=known)
    progress.check()
    report = data_split.report_leakage(made)
    progress.check()
    return DraftSplit.of_manifest(folder, revision, data_split.write_split(made, folder, source, report))
