"""What the page 評価 works with, out of what the window has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject

from app.core.errors import AppError
from app.core.evaluation import question_sets
from app.core.evaluation.from_conversations import Collected
from app.core.paths import Paths
from app.core.records import LocalModel
from app.core.training import splits
from app.services import training
from app.services.evaluations import Evaluations
from app.services.training import Trainer
from app.ui.evaluation.sets.adding import collecting
from app.ui.evaluation.start.means import StartMeans
from app.ui.evaluation.using import Using
from app.ui.pages import Services
from app.ui.secrecy import Secrecy
from app.ui.theme import Theme


@dataclass(frozen=True)
class Tools:
    """`collect`: from conversations; in a thread of its own. `trainer` None: there is no training environment."""

    paths: Paths
    evaluations: Evaluations
    secrecy: Secrecy
    models: Callable[[], Sequence[LocalModel]]
    collect: Callable[[], Collected]
    trainer: Callable[[], Trainer | None]
    is_training: Callable[[], bool]
    means: StartMeans
    using: Using


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
