"""Build the page 評価 when it is first shown."""

from typing import TYPE_CHECKING

from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.services.chat_session import ChatSession
from app.documents.services.document_library import DocumentLibrary
from app.evaluation.services.evaluations import Evaluations
from app.models.services.model_library import ModelLibrary
from app.training.services import training_run
from app.training.services.training_runner import TrainingRunner
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme

if TYPE_CHECKING:
    from app.evaluation.ui.page import EvaluationPage


def evaluation_page(
    theme: Theme,
    navigation: NavigationSignals,
    *,
    paths: Paths,
    preferences: Preferences,
    library: ModelLibrary,
    documents: DocumentLibrary,
    session: ChatSession,
    trainings: TrainingRunner,
    evaluations: Evaluations,
) -> "EvaluationPage":
    """Return the page. Its modules are imported only now, because most sessions never show it."""
    from app.evaluation.ui.page import EvaluationPage
    from app.evaluation.ui.start.study_dialog_choices import StudyDialogModel

    dialog_model = StudyDialogModel(
        paths,
        models=library.listed,
        collections=documents.collections,
        context_tokens=lambda: preferences.value.context_tokens,
        current_model_id=lambda: session.model_id or "",
        locate=lambda: training_run.locate_trainer(paths.data),
    )
    return EvaluationPage(theme, navigation, dialog_model, evaluations, session, lambda: trainings.is_training)
