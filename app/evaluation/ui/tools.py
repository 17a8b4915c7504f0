"""What the evaluation page works with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.base.paths import Paths
from app.evaluation.from_conversations import Collected
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.ui.start.means import StartMeans
from app.evaluation.ui.using import Using
from app.inference.local_model import LocalModel
from app.training.services.training import Trainer
from app.uikit.secrecy import Secrecy


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
