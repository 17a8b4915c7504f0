"""Build the fine-tuning page (学習) from the program's services."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.services.chat_session import ChatSession
from app.documents.services.document_library import DocumentLibrary
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary
from app.training.drafts import TrainingDraft
from app.training.services import training_run
from app.training.services.environment_setup import EnvironmentSetup
from app.training.services.training_run import Trainer
from app.training.services.training_runner import TrainingRunner
from app.uikit.page import Navigation
from app.uikit.theme import Theme

if TYPE_CHECKING:
    from app.training.ui.page import TrainingPage


def build_training_page(
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
) -> "TrainingPage":
    """Return the page with its steps. Its modules are imported here, because most starts never need them."""
    from app.training.services.draft_editor import DraftEditor
    from app.training.ui.page import TrainingPage
    from app.training.ui.step_factory import WizardStepFactory

    def trainer() -> Trainer | None:
        try:
            return training_run.locate_trainer(paths.data)
        except AppError:
            return None

    def work_of(draft: TrainingDraft) -> DraftEditor:
        return DraftEditor(draft, paths, library.models, trainer, engine)

    steps = WizardStepFactory(
        theme, navigation, paths=paths, library=library, preferences=preferences, engine=engine, session=session,
        documents=documents, setup=setup, trainings=trainings, is_environment_in_use=is_environment_in_use,
    )  # fmt: skip
    return TrainingPage(
        theme, navigation, paths=paths, models=library.models, trainings=trainings, steps=steps, work_of=work_of
    )
