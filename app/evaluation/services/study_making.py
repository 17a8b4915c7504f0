"""A study of the window: from what was wished for to a folder that can be started, as a command would make it."""

from collections.abc import Sequence
from pathlib import Path

from app.base.paths import Paths
from app.evaluation.services import study_wish
from app.evaluation.services.study_forecast import Forecast, forecast, require_trainer, trainer_of
from app.evaluation.services.study_wish import StudyWish
from app.evaluation.study import planning
from app.evaluation.study import study as studies
from app.inference.local_model import LocalModel
from app.training.services.training_run import Trainer

__all__ = ["Forecast", "StudyWish", "forecast", "make"]


def make(wish: StudyWish, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> Path:
    """The folder of the new study. `models`: the whole list. Slow: files may be hashed.

    Raises AppError: wish_*, and what is wrong with the questions, the models, the data or the disk.
    """
    with study_wish.said_for_a_window():
        if wish.kind == "scale":
            return _scale(wish, paths, models, trainer)
        study_wish.require_files(wish)
        study, questions = study_wish.planned(wish, paths, models)
        planning.require_room(study, paths.data)
        require_trainer(study, paths, trainer)
        folder = paths.evaluations / study.id
        studies.create(folder, study, questions)
        return folder


def _scale(wish: StudyWish, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> Path:
    from app.evaluation.study import scale_study, scale_subsets  # numpy

    asked = study_wish.scale_of(wish, paths)
    trainer = trainer_of(trainer, paths)
    material = scale_subsets.nested(Path(wish.data), wish.sizes)
    command = trainer.command if trainer.can_judge else None  # the fake cannot plan
    return scale_study.make(asked, material, paths, models, command, trainer.converter)[0]
