"""What the dialog 評価を実行 offers and reckons with, as it is each time that the dialog opens."""

from collections.abc import Callable, Sequence
from pathlib import Path

from app.base.errors import AppError
from app.base.paths import Paths
from app.documents.records import DocumentCollection
from app.evaluation import question_sets
from app.evaluation.question_sets import KeptSet
from app.evaluation.ui.start.part import Offer
from app.inference.local_model import LocalModel
from app.models import local_models
from app.training.runs import training_list
from app.training.runs.training_list import SplitChoice
from app.training.services.training_run import Trainer


class StudyDialogModel:
    """Give the dialog its choices. `look`, `splits` and `trainer` read files: call them in the background."""

    def __init__(
        self,
        paths: Paths,
        *,
        models: Callable[[], Sequence[LocalModel]],
        collections: Callable[[], Sequence[DocumentCollection]],
        context_tokens: Callable[[], int],
        current_model_id: Callable[[], str],
        locate: Callable[[], Trainer],
    ) -> None:
        """`current_model_id`: of the model that answers; "": none does. `locate`: as `training.locate`."""
        self.paths = paths
        self.models = models
        self.collections = collections
        self._context_tokens = context_tokens
        self._current_model_id = current_model_id
        self._locate = locate

    def look(self) -> tuple[list[KeptSet], bool]:
        """Return the question sets, and whether there is a training environment: what `offer` takes."""
        return question_sets.listed(self.paths.questions), self.trainer() is not None

    def splits(self) -> list[SplitChoice]:
        """Return the data that were split for a training."""
        return training_list.list_splits(self.paths)

    def trainer(self) -> Trainer | None:
        """Return what trains and converts; None where there is no training environment."""
        try:
            return self._locate()
        except AppError:
            return None

    def offer(self, sets: Sequence[KeptSet], has_trainer: bool) -> Offer:
        """Return what there is to choose from now."""
        models = tuple(self.models())
        return Offer(
            models=models,
            names=local_models.distinct_names(models),
            collections=tuple(one for one in self.collections() if one.documents),
            sets=tuple(one for one in sets if one.versions),
            context_tokens=self._context_tokens(),
            current_model_id=self._current_model_id(),
            has_trainer=has_trainer,
            missing=frozenset(one.id for one in models if not _is_there(one)),
        )


def _is_there(model: LocalModel) -> bool:
    return all(Path(path).is_file() for path in (model.path, model.adapter) if path)
