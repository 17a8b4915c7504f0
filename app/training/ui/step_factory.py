"""Build the steps of a training with the services that they need."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.chat.services.chat_session import ChatSession
from app.documents.services.document_library import DocumentLibrary
from app.inference.services.engine import EngineClient
from app.models.services.downloads import Downloads
from app.models.services.model_library import ModelLibrary
from app.training import published_model
from app.training.drafts import TrainingDraft
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.adapter_trial import AdapterTrial
from app.training.services.draft_editor import DraftEditor
from app.training.services.draft_pairs import DraftPairGeneration
from app.training.services.environment_setup import EnvironmentSetup
from app.training.services.training_run import Trainer
from app.training.services.training_runner import TrainingRunner
from app.training.ui.wizard import WizardStep
from app.uikit import desktop
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction


class WizardStepFactory(QObject):
    """Builds the wizard's steps, and the service that the steps of a draft share."""

    failed = Signal(object)  # AppError
    retrain_requested = Signal(
        object, str
    )  # folder of a run (Path) to be repeated, and the preset; "": with other rows

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        *,
        paths: Paths,
        library: ModelLibrary,
        downloads: Downloads,
        preferences: Preferences,
        engine: EngineClient,
        session: ChatSession,
        documents: DocumentLibrary,
        setup: EnvironmentSetup,
        trainings: TrainingRunner,
        is_environment_in_use: Callable[[], bool],
        pause_study: Callable[[], None],
        collect_pairs: Callable[[], Sequence[dict[str, Any]]],
    ) -> None:
        """Create the factory.

        `is_environment_in_use`: returns whether a run or a conversion uses the environment. `pause_study`: pauses the
        evaluation that is in progress. `collect_pairs`: that of `DataSourceController`.
        """
        super().__init__(navigation)
        self._theme = theme
        self._navigation = navigation
        self._paths = paths
        self._library = library
        self._downloads = downloads
        self._preferences = preferences
        self._engine = engine
        self._session = session
        self._documents = documents
        self._setup = setup
        self._trainings = trainings
        self._is_environment_in_use = is_environment_in_use
        self._pause_study = pause_study
        self._collect_pairs = collect_pairs
        self._generation = DraftPairGeneration(session, library, preferences, engine, paths, self)
        self._guard = ConfidentialityGuard(theme, paths.exports_log)
        library.trained_refused.connect(self.failed)

    def edit(self, draft: TrainingDraft) -> DraftEditor:
        return DraftEditor(draft, self._paths, self._library.models, self._locate_trainer, self._engine)

    def plan(
        self, key: str, work: DraftEditor, show_step: Callable[[str], None], go_on: Callable[[], None]
    ) -> WizardStep:
        """Build a step of a draft. `key`: one of PLANNED_STEPS.

        `show_step`: called with the key of a step to show. `go_on`: called to show the next step.

        A step's modules are imported only when the step is built, so that the page opens sooner.
        """
        theme, navigation, paths, library = self._theme, self._navigation, self._paths, self._library
        if key == "goal":
            from app.training.ui.goal_step import GoalStep

            return GoalStep(
                theme, navigation, work, paths.data, library.models, self._setup, self._is_environment_in_use
            )
        if key == "data":
            from app.training.ui.data.data_step import DataStep

            return DataStep(
                theme, navigation, work, documents=self._documents, library=library, generation=self._generation,
                guard=self._guard, model_id=lambda: self._session.model_id, collect_pairs=self._collect_pairs,
                go_on=go_on,
            )  # fmt: skip
        if key == "model":
            from app.training.ui.model_step import ModelStep

            return ModelStep(theme, navigation, work, paths, library.models, self._downloads)
        from app.training.ui.check_step import CheckStep

        return CheckStep(theme, work, show_step, self._pause_study)

    def run(self, key: str, folder: Path) -> WizardStep:
        """Build a step of a run. `key`: "run" | "result"."""
        if key == "result":
            return self._result(folder)
        from app.training.ui.run_step import RunStep

        step = RunStep(self._theme, self._trainings, folder, self._pause_study, self._library.models)
        self._navigation.reopened.connect(step.show_reopened)
        return step

    # ------------------------------------------------------------- private methods

    def _locate_trainer(self) -> Trainer | None:
        try:
            return training_run.locate_trainer(self._paths.data)
        except AppError:
            return None

    def _result(self, folder: Path) -> WizardStep:
        from app.training.ui.result_step import ResultStep

        trial = AdapterTrial(folder, self._engine, self._library.models, lambda: self._preferences.value)
        step = ResultStep(
            self._theme, self._navigation, folder, self._trainings, trial, lambda: self._form_in_use(folder)
        )
        step.use_requested.connect(
            lambda form: self._library.add_trained(functools.partial(published_model.publish, folder, form=form))
        )
        step.retrain_requested.connect(lambda preset: self.retrain_requested.emit(folder, preset))
        step.rollback_button.clicked.connect(lambda: self._run_or_emit_failed(self._go_back))
        step.verdict.report_button.clicked.connect(lambda: desktop.open_file(folder / run_folders.REPORT))

        def judge(*, all_forms: bool) -> None:
            self._run_or_emit_failed(lambda: self._trainings.judge(folder, all_forms=all_forms))

        step.verdict.judge_button.clicked.connect(lambda: judge(all_forms=False))
        step.forms.measure_button.clicked.connect(lambda: judge(all_forms=True))
        self._preferences.changed.connect(step.show_draft)  # another model may be in use now
        return step

    def _form_in_use(self, folder: Path) -> str:
        model = self._session.model
        return model.tuned.form if model and model.tuned and model.tuned.run_id == folder.name else ""

    def _go_back(self) -> None:
        tuned = self._session.back_to_base()
        if tuned is not None:
            action = UndoableAction(
                done=phrase("training.back_to_the_base_model"),
                undone=phrase("common.model_is_back", name=tuned.name),
                undo=lambda: self._session.use_model(tuned.id),
                redo=lambda: self._run_or_emit_failed(self._go_back),
            )
            self._navigation.undo_offered.emit(action)

    def _run_or_emit_failed(self, work: Callable[[], object]) -> None:
        try:
            work()
        except AppError as error:
            self.failed.emit(error)
