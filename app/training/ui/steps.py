"""The steps of a training, each built with what it works with."""

import functools
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.chat.services.chat_session import ChatSession
from app.documents.services.document_library import DocumentLibrary
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary
from app.training import adoption
from app.training.runs import runs
from app.training.services.adapter_trial import AdapterTrial
from app.training.services.pair_making import PairMaking
from app.training.services.training_draft import TrainingDraft
from app.training.services.training_setup import TrainingSetup
from app.training.services.trainings import Trainings
from app.training.ui.ahead import Ahead
from app.training.ui.step import Step
from app.uikit import desktop
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.page import Navigation
from app.uikit.theme import Theme


class Steps(QObject):
    """Builds a step when it is first shown."""

    failed = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        navigation: Navigation,
        *,
        paths: Paths,
        library: ModelLibrary,
        preferences: Preferences,
        engine: EngineClient,
        session: ChatSession,
        documents: DocumentLibrary,
        setup: TrainingSetup,
        trainings: Trainings,
        is_environment_in_use: Callable[[], bool],
    ) -> None:
        """`is_environment_in_use`: whether something works with the training environment."""
        super().__init__(navigation)
        self._theme = theme
        self._navigation = navigation
        self._paths = paths
        self._library = library
        self._preferences = preferences
        self._engine = engine
        self._session = session
        self._documents = documents
        self._setup = setup
        self._trainings = trainings
        self._is_environment_in_use = is_environment_in_use
        self._making = PairMaking(session, library, preferences, engine, child_commands.template(), paths, self)
        self._secrecy = ConfidentialityGuard(theme, paths.exports_log)
        library.trained_refused.connect(self.failed)
        Ahead(self)

    def plan(self, key: str, work: TrainingDraft, show_step: Callable[[str], None]) -> Step:
        """`key`: of `app.training.plan.PLANNED`. `show_step`: leads to another one.

        Imported here, if `Ahead` has not come so far: most starts never need them.
        """
        if key == "goal":
            return self._goal(work)
        if key == "data":
            return self._data(work)
        return self._model(work) if key == "model" else self._check(work, show_step)

    def run(self, key: str, folder: Path) -> Step:
        """`key`: run | result."""
        return self._run(folder) if key == "run" else self._result(folder)

    # ------------------------------------------------------------------- private

    def _goal(self, work: TrainingDraft) -> Step:
        from app.training.ui.goal_step import GoalStep

        data, models, is_in_use = self._paths.data, self._library.models, self._is_environment_in_use
        return GoalStep(self._theme, self._navigation, work, data, models, self._setup, is_in_use)

    def _data(self, work: TrainingDraft) -> Step:
        from app.training.ui.data.step import DataStep

        return DataStep(
            self._theme, self._navigation, work, documents=self._documents, library=self._library,
            making=self._making, secrecy=self._secrecy, model_id=lambda: self._session.model_id,
        )  # fmt: skip

    def _model(self, work: TrainingDraft) -> Step:
        from app.training.ui.model.step import ModelStep

        return ModelStep(self._theme, self._navigation, work, self._paths, self._library.models)

    def _check(self, work: TrainingDraft, show_step: Callable[[str], None]) -> Step:
        from app.training.ui.check.step import CheckStep

        return CheckStep(self._theme, work, show_step)

    def _run(self, folder: Path) -> Step:
        from app.training.ui.run.step import RunStep

        step = RunStep(self._theme, self._trainings, folder)
        self._navigation.reopened.connect(step.say_reopened)
        return step

    def _result(self, folder: Path) -> Step:
        from app.training.ui.result.step import ResultStep

        preferences = self._preferences
        trial = AdapterTrial(
            folder, self._engine, child_commands.template(), self._library.models, lambda: preferences.value
        )
        form_in_use = functools.partial(self._form_in_use, folder)
        step = ResultStep(self._theme, self._navigation, folder, self._trainings, trial, form_in_use)
        step.use_requested.connect(
            lambda form: self._library.add_trained(functools.partial(adoption.use, folder, form=form))
        )
        step.rollback_button.clicked.connect(self._go_back)
        step.verdict.report_button.clicked.connect(lambda: desktop.open_file(folder / runs.REPORT))
        for button in (step.verdict.judge_button, step.forms.measure_button):
            button.clicked.connect(lambda: self._try(lambda: self._trainings.judge(folder)))
        preferences.changed.connect(step.show_draft)  # this run's model may answer now, or another one
        return step

    def _form_in_use(self, folder: Path) -> str:
        model = self._session.model
        return model.tuned.form if model and model.tuned and model.tuned.run_id == folder.name else ""

    def _go_back(self) -> None:
        def work() -> None:
            tuned = self._session.back_to_base()
            if tuned is not None:
                done = phrase("training.back_to_the_base_model")
                self._navigation.undo_offered.emit(done, lambda: self._session.use_model(tuned.id))

        self._try(work)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except AppError as error:
            self.failed.emit(error)
