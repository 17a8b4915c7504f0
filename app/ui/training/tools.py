"""What the steps of the page 学習 work with, out of what the window has."""

from PySide6.QtCore import QObject

from app.core import children
from app.core.errors import AppError
from app.services import training
from app.services.adapter_trial import TrialMeans
from app.services.pair_making import PairMaking
from app.services.training import Trainer
from app.services.training_draft import Means
from app.ui.pages import Services
from app.ui.secrecy import Secrecy
from app.ui.theme import Theme
from app.ui.training.data.sources import Means as DataMeans
from app.ui.training.steps import Steps, Tools


def make_steps(theme: Theme, of: Services, parent: QObject) -> tuple[Steps, Means]:
    """The steps, and what drafts are made with."""

    def trainer() -> Trainer | None:
        try:
            return training.locate(of.paths.data)
        except AppError:
            return None

    draft = Means(of.paths, of.library.models, trainer, of.engine)
    making = PairMaking(of.session, of.library, of.preferences, of.engine, children.template(), of.paths, parent)
    data = DataMeans(
        of.documents, of.library, making, Secrecy(theme, of.paths.exports_log), lambda: of.session.model_id
    )
    trial = TrialMeans(of.engine, children.template(), of.library.models, lambda: of.preferences.value)
    tools = Tools(draft, data, trial, of.training_setup, of.trainings, of.session, of.is_environment_in_use)
    steps = Steps(theme, tools, parent)
    of.preferences.changed.connect(steps.model_chosen)
    return steps, draft
