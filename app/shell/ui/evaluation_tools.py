"""What the page 評価 works with, out of what the window has."""

from PySide6.QtCore import QObject

from app.base.errors import AppError
from app.evaluation import question_sets
from app.evaluation.ui.sets.adding import collecting
from app.evaluation.ui.start.means import StartMeans
from app.evaluation.ui.tools import Tools
from app.evaluation.ui.using import Using
from app.shell.ui.pages import Services
from app.training.runs import splits
from app.training.services import training
from app.training.services.training import Trainer
from app.uikit.secrecy import Secrecy
from app.uikit.theme import Theme


def make_tools(theme: Theme, of: Services, parent: QObject) -> Tools:
    paths = of.paths

    def trainer() -> Trainer | None:
        try:
            return training.locate(paths.data)
        except AppError:
            return None

    means = StartMeans(
        lambda: question_sets.listed(paths.questions),
        of.library.listed,
        of.documents.collections,
        lambda: splits.listed(paths),
        paths,
        lambda: of.preferences.value.context_tokens,
        lambda: trainer() is not None,
        lambda: of.session.model_id or "",
    )
    secrecy = Secrecy(theme, paths.exports_log)
    using = Using(of.session, of.library.listed, of.documents.collections, parent)
    return Tools(
        paths, of.evaluations, secrecy, of.library.listed, collecting(paths.database, paths.documents), trainer,
        lambda: of.trainings.is_training, means, using,
    )  # fmt: skip
