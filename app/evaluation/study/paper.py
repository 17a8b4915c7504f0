"""Repeat the three stages of arXiv 2603.18037, each as a study named after its stage, and choose the best system.

1. scale: how much training data (the paper's subsets, which are not nested, one seed, no control).
2. bases: each base trained on 4,000 rows, as in the paper; at a reduced size, on the best amount.
3. quant: the quantizations of the best tuned model.
"""

import dataclasses
import math
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.base.errors import AppError
from app.base.files import work_folder
from app.base.paths import Paths, resources
from app.base.wording import phrase
from app.evaluation.judge import paired_statistics
from app.evaluation.judge.paired_statistics import MEASURES
from app.evaluation.records import Evaluation, QuestionSet, ReportSection, SystemResult
from app.evaluation.study import compared_systems, planning, scale_plan, scale_results, studies
from app.evaluation.study.compared_systems import AdapterInUse
from app.evaluation.study.request import PAPER_FORMS, AdaptedModel, StudyRequest
from app.evaluation.study.scale_plan import PlannedScaleStudy
from app.evaluation.study.scale_subsets import SubsetFiles
from app.evaluation.study.studies import ComparedSystem, Study, StudyEntry, Training
from app.inference.local_model import LocalModel
from app.models import base_models, local_models
from app.training.runs import lineage, run_folders
from trainer.spec import PAPER_PRESETS

PRESET, BASES_PRESET = PAPER_PRESETS  # the training's presets in stages 1 and 2; the first is the judge's too
COMPARED_ROWS = 4000  # in stage 2
ROWS, SUBSETS, QUESTIONS = "train_all_merged_5578.jsonl", "subset_indices.json", "test_questions_100.json"
REDUCED, REDUCED_QUESTIONS = 25, 20  # without a GPU: one row in 25, and 20 questions


def system_prompt() -> str:
    """Return what the paper told the model before each question, in the training too."""
    text = (resources() / "evaluation" / "paper.toml").read_text("utf-8")
    return str(tomllib.loads(text)["system_prompt"])


@dataclass(frozen=True, slots=True)
class StageCosts:
    """The costs of a stage. `seconds`: of its trainings, at most. `disk_bytes`: of its runs, with checkpoints."""

    stage: str
    trainings: int
    seconds: float
    disk_bytes: int
    answers: int
    is_guessed: bool = False  # the seconds rest on token counts estimated from characters


@dataclass(frozen=True, slots=True)
class FinishedStage:
    study: Study
    folder: Path
    evaluation: Evaluation
    sections: tuple[ReportSection, ...]


@dataclass(frozen=True, slots=True)
class BestSystem:
    """The best tuned system.

    `measure_name`: the measure that chose it: decides (the deciding measure) | judge | holdout (loss).
    """

    result: SystemResult
    contender: ComparedSystem
    material: SubsetFiles  # the data that it was trained on
    measure_name: str


@dataclass
class PaperReplication:
    """One replication of the paper. A stage whose study exists already is resumed, or its results are used.

    `request`: request for the first stage, without a name. `bases`: names that the user gave; `paths`: their files.
    """

    name: str
    request: StudyRequest
    questions: QuestionSet
    material: SubsetFiles
    bases: Sequence[str]
    paths: Sequence[Path]
    where: Paths
    finished: list[FinishedStage] = field(default_factory=list)

    def stages(self) -> tuple[str, ...]:
        return ("scale", "bases", "quant") if len(self.bases) > 1 else ("scale", "quant")

    def name_of(self, stage: str) -> str:
        return f"{self.name} {phrase(f'evaluation.paper_stage_kind.{stage}')}"

    def find_study(self, stage: str) -> StudyEntry | None:
        """Return the existing study of a stage; None if there is none. Raises AppError("paper_other_stage")."""
        entries = studies.list_all(self.where.evaluations)
        found = next((one for one in entries if one.study and one.study.name == self.name_of(stage)), None)
        if found is not None and found.study is not None:
            trained = {"scale": self.paths[:1], "bases": self.paths, "quant": ()}[stage]
            self._require_same(found.folder, found.study, trained)
        return found

    def finish(self, folder: Path) -> None:
        """Add the results of a stage's study, which the next stages need."""
        self.finished.append(FinishedStage(studies.read(folder), folder, *studies.read_results(folder)))

    def best_system(self) -> BestSystem:
        """Return the best tuned system so far; of equal ones the earlier. Raises AppError("evaluation_damaged").

        The best system is chosen by the measure that decides; if that has no value for one of the systems, by the judge
        as in the paper; or else by the loss on the hold-out.
        """
        tuned = [(one, result) for one in self.finished for result in one.evaluation.systems if result.system.adapter]
        value_of, measure_of = paired_statistics.value_of, paired_statistics.measure_of
        ways: dict[str, Callable[[FinishedStage, SystemResult], float | None]] = {
            "decides": lambda one, result: value_of(one.evaluation, result, measure_of(one.evaluation)),
            "judge": lambda one, result: value_of(one.evaluation, result, MEASURES["judge"]),
            "holdout": lambda one, result: -scale_results.holdout_nats(_training_of(one.study, result)),
        }
        found = ((by, _values(way, tuned)) for by, way in ways.items())
        by, values = next((one for one in found if one[1]), ("", []))
        if not values:
            raise AppError(
                "evaluation_damaged", id=self.finished[0].study.id, reason=phrase("evaluation.scale_loss_missing")
            )
        of, result = tuned[values.index(max(values))]
        material = self._compared_material(_training_of(of.study, result).rows)
        return BestSystem(result, of.study.contender(result.system.id), material, by)

    def _compared_material(self, best_rows: int) -> SubsetFiles:
        """Return the data of stage 2: COMPARED_ROWS rows if there is such a subset, otherwise the best amount."""
        by_rows = {one.rows: one for one in self.material.subsets}
        subset = by_rows.get(COMPARED_ROWS) or by_rows.get(best_rows) or self.material.subsets[-1]
        return dataclasses.replace(self.material, subsets=(subset,))

    def costs(
        self, models: Sequence[LocalModel], command: Callable[..., list[str]] | None, converter: str
    ) -> list[StageCosts]:
        """Return the costs of each stage, before any has begun. Parameters and errors as for `create_bases`."""
        count, found = len(self.questions.questions), list[StageCosts]()
        for stage in self.stages():
            plans = list[PlannedScaleStudy]()
            if stage != "quant":
                material = self.material if stage == "scale" else self._compared_material(0)
                self.where.evaluations.mkdir(mode=0o700, parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(prefix=".plan-", dir=self.where.evaluations) as folder:
                    for number, one in enumerate(self._requests(stage)):
                        place = Path(folder) / str(number)
                        plans.append(
                            scale_plan.trainings_of(place, one, material, self.where, models, command, converter)
                        )
            trainings = sum(len(plan.trainings) for plan in plans)
            systems = trainings + len(plans) if plans else 2 * len(PAPER_FORMS.split(","))
            seconds, disk_bytes = sum(plan.seconds for plan in plans), sum(plan.disk_bytes for plan in plans)
            is_guessed = any(not plan.largest.counts.is_exact for plan in plans)
            found.append(StageCosts(stage, trainings, seconds, disk_bytes, systems * count, is_guessed))
        return found

    def _requests(self, stage: str) -> list[StudyRequest]:
        """Return the requests for the trainings of a stage: one for "scale", one for each base for "bases"."""
        if stage == "scale":
            return [self.scale_request()]
        request = self._with_stage_name(self.request, "bases")
        preset = BASES_PRESET if request.training_preset == PRESET else request.training_preset
        return [dataclasses.replace(request, base=base, training_preset=preset) for base in self.bases]

    def scale_request(self) -> StudyRequest:
        return self._with_stage_name(self.request, "scale")

    def quant_request(self, best_system: BestSystem) -> StudyRequest:
        """Return the request for quantizing the best tuned model and its base."""
        path = best_system.result.system.adapter
        label = lineage.lineage_of_adapter(Path(path)).label_now(self.where.documents)
        tuning = AdapterInUse(path, name=compared_systems.adapter_name(path), label=label)
        base = local_models.describe(Path(best_system.result.system.model))
        request = StudyRequest(
            "quantizations", self.request.asking, questions=self.questions, models=(base,),
            tuned=AdaptedModel(best_system.contender.model, tuning), forms=tuple(PAPER_FORMS.split(",")),
        )  # fmt: skip
        return self._with_stage_name(request, "quant")

    def create_bases(
        self,
        best_system: BestSystem,
        models: Sequence[LocalModel],
        command: Callable[..., list[str]] | None,
        converter: str,
    ) -> Path:
        """Create the study of every base, alone and trained on the best amount of data; return its folder.

        `command`, `converter`: as in `scale_plan.trainings_of`, whose errors are raised. An error leaves no files
        behind.
        """
        requests = self._requests("bases")
        asking = requests[0].asking
        folder = work_folder.timestamped_path(self.where.evaluations, asking.name, time.time())
        contenders, trainings = list[ComparedSystem](), list[Training]()
        try:
            for number, one in enumerate(requests, start=1):
                place = folder / f"base-{number}"
                planned = scale_plan.trainings_of(
                    place, one, best_system.material, self.where, models, command, converter
                )
                model = base_models.model_of_run(planned.requested, models)
                contenders += scale_plan.planned_systems(model, planned.requested, planned.trainings)
                trainings += planned.trainings
            study = planning.plan_study(
                folder.name, "bases", self.questions, compared_systems.assign_ids(contenders), asking,
                trainings=tuple(trainings),
            )  # fmt: skip
            studies.create(folder, study, self.questions)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def _with_stage_name(self, request: StudyRequest, stage: str) -> StudyRequest:
        return dataclasses.replace(request, asking=dataclasses.replace(request.asking, name=self.name_of(stage)))

    def _require_same(self, folder: Path, study: Study, paths: Sequence[Path]) -> None:
        """Check that the study of a stage has the questions, data, models and judge of this replication.

        Raises AppError("paper_other_stage").
        """
        judge = self.request.asking.judge
        specs = [run_folders.read(Path(training.folder)).spec for training in study.trainings]
        trained = {Path(training.folder) for finished in self.finished for training in finished.study.trainings}
        is_same = (
            studies.questions_of(folder, study).questions == self.questions.questions
            and (study.judge.path if study.judge else "") == (judge.path if judge else "")
            and {training.rows for training in study.trainings} <= {subset.rows for subset in self.material.subsets}
            and {Path(spec.base) for spec in specs if spec is not None} == set(paths)
            and all(Path(one.adapter).parent in trained for one in study.made if one.adapter)
        )
        if not is_same:
            raise AppError("paper_other_stage", name=study.name, id=folder.name)


def _values(
    value_of: Callable[[FinishedStage, SystemResult], float | None], tuned: Sequence[tuple[FinishedStage, SystemResult]]
) -> list[float]:
    """Return the values of the tuned systems; [] if one is missing."""
    values = [value_of(*one) for one in tuned]
    known = [value for value in values if value is not None and math.isfinite(value)]
    return known if len(known) == len(tuned) else []


def _training_of(study: Study, result: SystemResult) -> Training:
    return next(one for one in study.trainings if Path(result.system.adapter).parent == Path(one.folder))
