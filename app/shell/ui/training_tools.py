"""What the steps of the page 学習 work with, out of what the window has."""

from PySide6.QtCore import QObject

from app.base.errors import AppError
from app.inference import child_commands
from app.shell.ui.pages import Services
from app.training.services import training
from app.training.services.adapter_trial import TrialMeans
from app.training.services.pair_making import PairMaking
from app.training.services.training import Trainer
from app.training.services.training_draft import Means
from app.training.ui.data.sources import Means as DataMeans
from app.training.ui.steps import Steps, Tools
from app.uikit.secrecy import Secrecy
from app.uikit.theme import Theme


def make_steps(theme: Theme, of: Services, parent: QObject) -> tuple[Steps, Means]:
    """The steps, and what drafts are made with."""

    def trainer() -> Trainer | None:
        try:
            return training.locate(of.paths.data)
        except AppError:
            return None

    draft = Means(of.paths, of.library.models, trainer, of.engine)
    making = PairMaking(of.session, of.library, of.preferences, of.engine, child_commands.template(), of.paths, parent)
    data = DataMeans(
        of.documents, of.library, making, Secrecy(theme, of.paths.exports_log), lambda: of.session.model_id
    )
    trial = TrialMeans(of.engine, child_commands.template(), of.library.models, lambda: of.preferences.value)
    tools = Tools(draft, data, trial, of.training_setup, of.trainings, of.session, of.is_environment_in_use)
    steps = Steps(theme, tools, parent)
    of.preferences.changed.connect(steps.model_chosen)
    return steps, draft
