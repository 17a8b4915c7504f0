"""Build the steps of a training with the services they need, and load their modules in advance.

Loading all modules when a step opens would block the window.
"""

import functools
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.base import wording
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.chat.services.chat_session import ChatSession
from app.documents.services.document_library import DocumentLibrary
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary
from app.training import published_model
from app.training.runs import run_folders
from app.training.services.adapter_trial import AdapterTrial
from app.training.services.draft_editor import DraftEditor
from app.training.services.draft_pairs import DraftPairGeneration
from app.training.services.environment_setup import EnvironmentSetup
from app.training.services.training_runner import TrainingRunner
from app.training.ui.wizard import WizardStep
from app.uikit import desktop
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.page import Navigation
from app.uikit.theme import Theme


class WizardStepFactory(QObject):
    """The factory of the wizard's steps. It builds a step when it is first shown."""

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
        setup: EnvironmentSetup,
        trainings: TrainingRunner,
        is_environment_in_use: Callable[[], bool],
    ) -> None:
        """`is_environment_in_use`: returns whether a run or a conversion uses the training environment."""
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
        self._making = DraftPairGeneration(
            session, library, preferences, engine, child_commands.template(), paths, self
        )
        self._secrecy = ConfidentialityGuard(theme, paths.exports_log)
        library.trained_refused.connect(self.failed)
        ModulePreloader(self)

    def plan(self, key: str, work: DraftEditor, show_step: Callable[[str], None]) -> WizardStep:
        """Build a step of a draft. `key`: one of PLANNED_STEPS. `show_step`: shows another step.

        The modules are imported here, in case `ModulePreloader` has not loaded them yet.
        """
        if key == "goal":
            return self._goal(work)
        if key == "data":
            return self._data(work)
        return self._model(work) if key == "model" else self._check(work, show_step)

    def run(self, key: str, folder: Path) -> WizardStep:
        """Build a step of a run. `key`: run | result."""
        return self._run(folder) if key == "run" else self._result(folder)

    # ------------------------------------------------------------------- private

    def _goal(self, work: DraftEditor) -> WizardStep:
        from app.training.ui.goal_step import GoalStep

        data, models, is_in_use = self._paths.data, self._library.models, self._is_environment_in_use
        return GoalStep(self._theme, self._navigation, work, data, models, self._setup, is_in_use)

    def _data(self, work: DraftEditor) -> WizardStep:
        from app.training.ui.data.data_step import DataStep

        return DataStep(
            self._theme, self._navigation, work, documents=self._documents, library=self._library,
            making=self._making, secrecy=self._secrecy, model_id=lambda: self._session.model_id,
        )  # fmt: skip

    def _model(self, work: DraftEditor) -> WizardStep:
        from app.training.ui.model_step import ModelStep

        return ModelStep(self._theme, self._navigation, work, self._paths, self._library.models)

    def _check(self, work: DraftEditor, show_step: Callable[[str], None]) -> WizardStep:
        from app.training.ui.check_step import CheckStep

        return CheckStep(self._theme, work, show_step)

    def _run(self, folder: Path) -> WizardStep:
        from app.training.ui.run.run_step import RunStep

        step = RunStep(self._theme, self._trainings, folder)
        self._navigation.reopened.connect(step.show_reopened)
        return step

    def _result(self, folder: Path) -> WizardStep:
        from app.training.ui.result.result_step import ResultStep

        preferences = self._preferences
        trial = AdapterTrial(
            folder, self._engine, child_commands.template(), self._library.models, lambda: preferences.value
        )
        form_in_use = functools.partial(self._form_in_use, folder)
        step = ResultStep(self._theme, self._navigation, folder, self._trainings, trial, form_in_use)
        step.use_requested.connect(
            lambda form: self._library.add_trained(functools.partial(published_model.publish, folder, form=form))
        )
        step.rollback_button.clicked.connect(self._go_back)
        step.verdict.report_button.clicked.connect(lambda: desktop.open_file(folder / run_folders.REPORT))
        for button in (step.verdict.judge_button, step.forms.measure_button):
            button.clicked.connect(lambda: self._try(lambda: self._trainings.judge(folder)))
        preferences.changed.connect(step.show_draft)  # another model may be in use now
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


AFTER_MS = 200  # the page is drawn first
EVERY_MS = 5
_HERE = "app.training.ui"
_STEPS = ("goal_step", "model_step", "check_step")
_PACKAGES = ("data", "run", "result")
# The slowest modules that the steps need, loaded by a background thread. None imports Qt: one thread makes its classes.
_CORE = ("numpy", "app.training.data.data_overview", "app.training.data.curation", "app.training.runs.run_report")


class ModulePreloader(QObject):
    """A loader of the steps' modules. It loads a piece in each round of the event loop until all are loaded."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pieces: Iterator[object] | None = None
        self._timer = QTimer(self, singleShot=True, interval=AFTER_MS)
        self._timer.timeout.connect(self._load_next)
        self._timer.start()

    # ------------------------------------------------------------------- private

    def _load_next(self) -> None:
        if self._pieces is None:
            background.run(_load_core, self._on_core_loaded, self._on_failed)
        elif next(self._pieces, self) is not self:
            self._timer.start(EVERY_MS)

    def _on_core_loaded(self, _nothing: None) -> None:
        self._pieces = _load()
        self._load_next()

    def _on_failed(self, error: AppError) -> None:
        raise error  # loading raises no AppError


def _load_core() -> None:
    wording.error_codes()  # reading its file takes a tenth of a second
    for name in _CORE:
        importlib.import_module(name)


def _load() -> Iterator[object]:
    for name in _modules():
        if name not in sys.modules:
            yield importlib.import_module(name)


def _modules() -> list[str]:
    found = []
    for name in _PACKAGES:
        package = importlib.import_module(f"{_HERE}.{name}")
        found += [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    return [*(f"{_HERE}.{name}" for name in _STEPS), *found]
