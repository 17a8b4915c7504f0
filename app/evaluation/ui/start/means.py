"""What the dialog chooses from, asked anew each time that it opens."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.base.errors import AppError
from app.base.paths import Paths
from app.documents.records import Collection
from app.evaluation.question_sets import KeptSet
from app.inference.local_model import LocalModel
from app.training.runs.splits import SplitChoice
from app.training.services import training
from app.training.services.training import Trainer


@dataclass(frozen=True, slots=True)
class StartMeans:
    """`sets`, `splits`, `has_trainer` and `trainer` may read files: in the background. The others are called at once.

    `trainer`: with which a training is forecast; None: the one of the data folder, if there is one.
    """

    sets: Callable[[], list[KeptSet]]
    models: Callable[[], Sequence[LocalModel]]
    collections: Callable[[], Sequence[Collection]]
    splits: Callable[[], list[SplitChoice]]
    paths: Paths
    context_tokens: Callable[[], int]
    has_trainer: Callable[[], bool]
    current_model_id: Callable[[], str]
    trainer: Callable[[], Trainer | None] | None = None

    def looked(self) -> "StartMeans":
        """In the background: with those sets, and that training environment, that are there now."""
        sets, has_trainer = self.sets(), self.has_trainer()
        return dataclasses.replace(self, sets=lambda: sets, has_trainer=lambda: has_trainer)

    def found_trainer(self) -> Trainer | None:
        if self.trainer is not None:
            return self.trainer()
        try:
            return training.locate(self.paths.data)
        except AppError:
            return None
