"""The steps of a training, each with what it works with; what they ask of the window is passed on."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

from app.base.errors import AppError
from app.chat.services.chat import ChatSession
from app.training.runs import adoption, runs
from app.training.services.adapter_trial import TrialMeans
from app.training.services.training_draft import Means, TrainingDraft
from app.training.services.training_setup import TrainingSetup
from app.training.services.trainings import Trainings
from app.training.ui.ahead import Ahead
from app.training.ui.data.sources import Means as DataMeans
from app.training.ui.job_dialog import JobDialog
from app.training.ui.step import Step
from app.uikit import desktop
from app.uikit.pickers import Pickers
from app.uikit.theme import Theme

translate = QCoreApplication.translate


@dataclass(frozen=True)
class Tools:
    """What steps work with. `is_environment_in_use`: whether something works with the training environment."""

    draft: Means
    data: DataMeans
    trial: TrialMeans
    setup: TrainingSetup
    trainings: Trainings
    session: ChatSession
    is_environment_in_use: Callable[[], bool]
    pickers: Pickers = Pickers()  # noqa: RUF009 (the desktop's own windows)


class Steps(QObject):
    """Builds a step when it is first shown."""

    documents_requested = Signal()
    models_requested = Signal()
    evaluation_requested = Signal()
    starter_requested = Signal()
    model_chosen = Signal()  # to the steps: another model may answer from now on
    step_requested = Signal(str)  # of app.training.plan.STEPS
    undo_offered = Signal(str, object)
    failed = Signal(object)  # AppError
    reopened = Signal()  # to the steps: the window was closed while a run went on, and is shown again

    def __init__(self, theme: Theme, tools: Tools, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._tools = tools
        tools.data.library.trained_refused.connect(self.failed)
        Ahead(self)

    def plan(self, key: str, work: TrainingDraft) -> Step:
        """`key`: of `app.training.plan.PLANNED`. Imported here, if `Ahead` has not come so far: most starts never need
        them."""
        makers = {"goal": self._goal, "data": self._data, "model": self._model, "check": self._check}
        return makers[key](work)

    def run(self, key: str, folder: Path) -> Step:
        """`key`: run | result."""
        return self._run(folder) if key == "run" else self._result(folder)

    # ------------------------------------------------------------------- private

    def _goal(self, work: TrainingDraft) -> Step:
        from app.training.ui.goal_step import GoalStep

        of = self._tools
        step = GoalStep(self._theme, work, of.draft, of.setup, of.is_environment_in_use, of.pickers)
        step.documents_requested.connect(self.documents_requested)
        step.starter_requested.connect(self.starter_requested)
        return step

    def _data(self, work: TrainingDraft) -> Step:
        from app.training.ui.data.step import DataStep

        step = DataStep(self._theme, work, self._tools.data)
        step.page_requested.connect(lambda _document, _page: self.documents_requested.emit())
        return step

    def _model(self, work: TrainingDraft) -> Step:
        from app.training.ui.model.step import ModelStep

        step = ModelStep(self._theme, work, self._tools.draft, self._tools.pickers)
        step.models_requested.connect(self.models_requested)
        return step

    def _check(self, work: TrainingDraft) -> Step:
        from app.training.ui.check.step import CheckStep

        step = CheckStep(self._theme, work)
        step.step_requested.connect(self.step_requested)
        step.job_requested.connect(lambda: JobDialog(self._theme, work, step.window(), self._tools.pickers).open())
        return step

    def _run(self, folder: Path) -> Step:
        from app.training.ui.run.step import RunStep

        step = RunStep(self._theme, self._tools.trainings, folder)
        self.reopened.connect(step.say_reopened)
        return step

    def _result(self, folder: Path) -> Step:
        from app.training.ui.result.step import ResultStep

        of = self._tools
        step = ResultStep(self._theme, folder, of.trainings, of.trial, functools.partial(self._form_in_use, folder))
        step.use_requested.connect(lambda form: self._use(folder, form))
        step.rollback_requested.connect(self._go_back)
        step.report_requested.connect(lambda: desktop.open_file(folder / runs.REPORT))
        step.evaluation_requested.connect(self.evaluation_requested)
        step.judge_requested.connect(lambda: self._try(lambda: of.trainings.judge(folder)))
        self.model_chosen.connect(step.show_draft)  # this run's, or another one
        return step

    def _form_in_use(self, folder: Path) -> str:
        model = self._tools.session.model
        return model.tuned.form if model and model.tuned and model.tuned.run_id == folder.name else ""

    def _use(self, folder: Path, form: str) -> None:
        self._tools.session.use_trained(functools.partial(adoption.use, folder, form=form))

    def _go_back(self) -> None:
        def work() -> None:
            tuned = self._tools.session.back_to_base()
            if tuned is not None:
                said = translate("Training", "元のモデルに戻しました。")
                self.undo_offered.emit(said, lambda: self._tools.session.use_model(tuned.id))

        self._try(work)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except AppError as error:
            self.failed.emit(error)
