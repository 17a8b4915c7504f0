"""A scale study, made: its folder with the runs that are to be trained and, after them, the systems that are asked."""

import dataclasses
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import confidentiality
from app.base.files import work_folder
from app.base.paths import Paths
from app.evaluation.records import QuestionSet
from app.evaluation.study import planning, scale_plan
from app.evaluation.study import study as studies
from app.evaluation.study.planning import Asking
from app.evaluation.study.scale_plan import Planned
from app.evaluation.study.scale_subsets import Material
from app.evaluation.study.study import Contender
from app.inference import speed
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training import run_plan as training
from app.training import spec_builder


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale study as it is asked for. `questions`: that people ask; None: the hold-out alone judges.

    Of `asking` the name "" is that of the data; answers are the likeliest ones, once.
    """

    asking: Asking
    base: str  # as of `bases.resolve`
    preset: str | None = None
    runs: int = scale_plan.SEEDS  # of each size
    has_control: bool = True
    questions: QuestionSet | None = None


def trainings_of(
    folder: Path,
    asked: Scale,
    material: Material,
    where: Paths,
    models: Sequence[LocalModel],
    command: Callable[..., list[str]] | None = None,
    converter: str = "",
) -> Planned:
    """Make `folder` with data and specs. Raises AppError as `scale_plan.plan`.

    `command`: starts the trainer with arguments; None: it cannot be asked, and tokens are estimated from letters.
    `converter`: a folder.
    """
    wishes = {"base": asked.base, "preset": asked.preset, "name": asked.asking.name or material.name}
    speed_file = where.data / speed.FILE_NAME
    return scale_plan.plan(
        folder,
        material,
        lambda files: spec_builder.build_spec({**wishes, **files}, where, models, converter),
        lambda spec: training.plan_run(
            spec, command, lambda kind: training.find_device(kind, speed_file)
        ),
        range(scale_plan.FIRST_SEED, scale_plan.FIRST_SEED + asked.runs),
        has_control=asked.has_control,
    )  # fmt: skip


def make(
    asked: Scale,
    material: Material,
    where: Paths,
    models: Sequence[LocalModel],
    command: Callable[..., list[str]] | None,
    converter: str,
) -> tuple[Path, Planned]:
    """Return the folder of a new study, planned and estimated, as `trainings_of`. All or nothing."""
    evaluations = where.evaluations
    asking = dataclasses.replace(
        asked.asking, name=asked.asking.name or studies.free_name(evaluations, material.name), seeds=1, temperature=0.0
    )
    folder = work_folder.timestamped_path(evaluations, asking.name, time.time())
    asked = dataclasses.replace(asked, asking=asking)
    planned = trainings_of(folder, asked, material, where, models, command, converter)
    try:
        contenders: tuple[Contender, ...] = ()
        if asked.questions is not None:
            model = base_models.model_of_run(planned.asked, models)
            contenders = tuple(
                dataclasses.replace(one, label=confidentiality.highest_label((one.label, material.label)))
                for one in scale_plan.contenders(model, planned.asked, planned.trainings)
            )
        questions = asked.questions or scale_plan.holdout_questions(material, folder)
        label = confidentiality.highest_label((questions.label, material.label))
        made = planning.study(
            evaluations, "scale", questions, contenders, asking,
            id=folder.name, label=label, trainings=planned.trainings,
        )  # fmt: skip
        studies.create(folder, made, questions)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, planned
