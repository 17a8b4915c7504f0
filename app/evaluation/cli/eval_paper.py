"""`kotae eval paper`: repeat the three stages of arXiv 2603.18037 on its data, each as a study that can be resumed.

1. How much training data: its subsets (not nested, one seed, no control), its settings, its test questions.
2. Which base model: the best amount on each further base.
3. Which quantization: the quantizations of the best tuned model.
The judge has the paper's prompt. Without a GPU everything is reduced, and the user is informed.
"""

import argparse
import dataclasses
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import settings
from app.base.cli import commands
from app.base.cli.commands import Output, set_command
from app.base.errors import AppError
from app.base.files import work_folder
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.chat.services import command_request
from app.evaluation.cli import eval_output, eval_quant, eval_questions, eval_run, eval_scale, eval_sets
from app.evaluation.judge.paired_statistics import MEASURES
from app.evaluation.records import Evaluation, ReportSection, SystemResult
from app.evaluation.report import advice
from app.evaluation.study import compared_systems, planning, scale_plan, scale_results, scale_subsets, studies
from app.evaluation.study.planning import PAPER_FORMS, AnswerParameters
from app.evaluation.study.scale_plan import ScaleStudy
from app.evaluation.study.scale_subsets import SubsetFiles
from app.evaluation.study.studies import ComparedSystem, Study, Training
from app.inference import quantizations
from app.models import base_models, model_registry
from app.training.run_plan import best_card
from app.training.runs import run_folders

PRESET = "paper-2603.18037"
ROWS, SUBSETS, QUESTIONS = "train_all_merged_5578.jsonl", "subset_indices.json", "test_questions_100.json"
REDUCED, REDUCED_QUESTIONS = 25, 20  # without a GPU: one row in so many, and so many questions


def add_options(parser: argparse.ArgumentParser, _name: str) -> None:
    set_command(parser, _paper)
    parser.add_argument("folder", metavar="DIR", help=help_text("eval paper folder"))
    parser.add_argument(
        "--base", metavar="ID|FILE", action="append", required=True, help=help_text("eval paper --base")
    )
    parser.add_argument("--judge", metavar="ID|FILE", help=help_text("eval --judge"))
    parser.add_argument("--divide", metavar="N", type=int, help=help_text("eval paper --divide"))
    parser.add_argument("--limit", metavar="N", type=int, help=help_text("eval --limit"))
    parser.add_argument("--name", metavar="NAME", default=PRESET, help=help_text("eval paper --name"))


def _paper(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run the stages; the same command resumes the interrupted one. Return the exit status as `eval_run.run_study`."""
    folder = Path(options.folder).expanduser()
    commands.check_limit("--divide", options.divide, 1, 1 << 20)
    commands.check_limit("--limit", options.limit, 1, 1 << 20)
    paths = _paths(options.base, where)
    judge = model_registry.choose_model(options.judge, where) if options.judge else None
    is_whole = best_card() is not None
    divide = options.divide or (1 if is_whole else REDUCED)
    questions = eval_sets.load(str(folder / QUESTIONS), where, output)
    limit = options.limit or (len(questions.questions) if is_whole else REDUCED_QUESTIONS)
    questions = dataclasses.replace(questions, questions=questions.questions[:limit])
    if divide > 1 or not is_whole:
        output.note("evaluation.paper_reduced", divide=divide, count=len(questions.questions))
    material = scale_subsets.given_subsets(folder / ROWS, folder / SUBSETS, divide)
    context_tokens = settings.load(where.settings).context_tokens
    asking = AnswerParameters(context_tokens=context_tokens, judge=judge, judge_preset=PRESET)
    request = ScaleStudy(asking, options.base[0], PRESET, 1, has_control=False, questions=questions)
    stages = _Stages(options.name, request, material, where, output)
    status = stages.run("scale", paths[:1], lambda named: eval_scale.prepare(named, material, where, output))
    if status == 0 and len(options.base) > 1:
        status = stages.run("bases", paths, lambda named: _bases(named, options.base, stages.best(), where, output))
    if status == 0:
        status = stages.run("quant", [], lambda named: _quant(named, stages.best(), where, output))
    if status == 0:
        stages.print_results()
    return status


def _paths(bases: list[str], where: Paths) -> list[Path]:
    """Return the paths of the base models, to check them before anything is planned.

    Raises AppError as `base_models.resolve_base` and `require_file`.
    """
    models = eval_scale.models_of(where)
    found = [base_models.resolve_base(one, models).path for one in bases]
    for path in found:
        eval_scale.require_file(path)
    return found


@dataclass(frozen=True, slots=True)
class _Finished:
    study: Study
    folder: Path
    found: Evaluation
    sections: tuple[ReportSection, ...]


class _Stages:
    """The stages, each a study named after it; an existing study is resumed, or its results are used."""

    def __init__(self, name: str, request: ScaleStudy, material: SubsetFiles, where: Paths, output: Output) -> None:
        self._name = name
        self._request = request
        self._material = material
        self._where = where
        self._output = output
        self._finished: list[_Finished] = []

    def run(self, stage: str, paths: Sequence[Path], prepare: Callable[[ScaleStudy], Path]) -> int:
        """Run a stage; return the exit status. `paths`: of the base models that are trained."""
        name = f"{self._name} {phrase(f'evaluation.paper_stage_{stage}')}"
        self._output.note("evaluation.paper_stage", name=name)
        known = [one for one in studies.list_all(self._where.evaluations) if one.study and one.study.name == name]
        if known and known[0].study is not None:
            self._require_same(known[0].folder, known[0].study, paths)
        asking = dataclasses.replace(self._request.asking, name=name)
        folder = known[0].folder if known else prepare(dataclasses.replace(self._request, asking=asking))
        is_finished = bool(known) and known[0].state == "finished"
        status = 0 if is_finished else eval_run.carry_out(folder, self._where, self._output)
        if status == 0:
            self._finished.append(_Finished(studies.read(folder), folder, *studies.read_results(folder)))
        return status

    def _require_same(self, folder: Path, study: Study, paths: Sequence[Path]) -> None:
        """Check that an existing stage has the same questions, data, models and judge. Raises
        AppError("paper_other_stage").
        """
        request = self._request
        asked = request.questions.questions if request.questions else ()
        specs = [run_folders.read(Path(one.folder)).spec for one in study.trainings]
        trained = {Path(one.folder) for finished in self._finished for one in finished.study.trainings}
        is_same = (
            studies.questions_of(folder, study).questions == asked
            and (study.judge.path if study.judge else "") == (request.asking.judge.path if request.asking.judge else "")
            and {one.rows for one in study.trainings} <= {one.rows for one in self._material.subsets}
            and {Path(one.base) for one in specs if one is not None} == set(paths)
            and all(Path(one.adapter).parent in trained for one in study.made if one.adapter)
        )
        if not is_same:
            raise AppError("paper_other_stage", name=study.name, id=folder.name)

    def print_results(self) -> None:
        """Print the results of all stages."""
        texts = [eval_output.as_text(one.folder, one.found, one.sections, self._output) for one in self._finished]
        data = {"stages": [eval_output.as_json(one.folder, one.found, one.sections) for one in self._finished]}
        self._output.result(data, "\n\n\n".join(texts))

    def best(self) -> "_Best":
        """Return the best tuned system so far; of equal ones the earlier.

        It is chosen by the measure that decides; if that has no value for one of them, by the judge as in the paper; or
        else by the loss on the hold-out.
        """
        tuned = [(one, result) for one in self._finished for result in one.found.systems if result.system.adapter]
        ways: dict[str, Callable[[_Finished, SystemResult], float | None]] = {
            "decides": lambda one, result: advice.value_of(one.found, result, advice.measure_of(one.found)),
            "judge": lambda one, result: advice.value_of(one.found, result, MEASURES["judge"]),
            "holdout": lambda one, result: -scale_results.holdout_nats(_training_of(one.study, result)),
        }
        found = ((by, _values(way, tuned)) for by, way in ways.items())
        by, values = next((one for one in found if one[1]), ("", []))
        if not values:
            raise AppError(
                "evaluation_damaged", id=self._finished[0].study.id, reason=phrase("evaluation.scale_loss_missing")
            )
        of, result = tuned[values.index(max(values))]
        self._output.note("evaluation.paper_best", name=result.system.name, by=phrase(f"evaluation.paper_best_{by}"))
        rows = _training_of(of.study, result).rows
        subset = next((one for one in self._material.subsets if one.rows == rows), self._material.subsets[-1])
        material = dataclasses.replace(self._material, subsets=(subset,))
        return _Best(result, of.study.contender(result.system.id), material)


def _values(
    way: Callable[[_Finished, SystemResult], float | None], tuned: Sequence[tuple[_Finished, SystemResult]]
) -> list[float]:
    """Return the values; [] if one is missing."""
    values = [way(*one) for one in tuned]
    known = [value for value in values if value is not None and math.isfinite(value)]
    return known if len(known) == len(tuned) else []


def _training_of(study: Study, result: SystemResult) -> Training:
    return next(one for one in study.trainings if Path(result.system.adapter).parent == Path(one.folder))


@dataclass(frozen=True, slots=True)
class _Best:
    result: SystemResult
    contender: ComparedSystem
    material: SubsetFiles  # the data that it was trained on


def _bases(request: ScaleStudy, bases: list[str], best: _Best, where: Paths, output: Output) -> Path:
    """Plan a study of every base alone and trained on the best amount; return its folder."""
    models, (command, converter) = eval_scale.models_of(where), eval_scale.planner(where)
    folder = work_folder.timestamped_path(where.evaluations, request.asking.name, time.time())
    contenders, trainings = list[ComparedSystem](), list[Training]()
    assert request.questions is not None
    try:
        for number, base in enumerate(bases, start=1):
            one = dataclasses.replace(request, base=base)
            output.progress("common.plan_working")
            try:
                planned = scale_plan.trainings_of(
                    folder / f"base-{number}", one, best.material, where, models, command, converter
                )
            finally:
                output.end_progress()
            model = base_models.model_of_run(planned.asked, models)
            contenders += scale_plan.planned_systems(model, planned.asked, planned.trainings)
            trainings += planned.trainings
        kept = compared_systems.assign_ids(contenders)
        study = planning.plan_study(
            where.evaluations, "bases", request.questions, kept, request.asking,
            id=folder.name, label=request.questions.label, trainings=tuple(trainings),
        )  # fmt: skip
        studies.create(folder, study, request.questions)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _quant(request: ScaleStudy, best: _Best, where: Paths, output: Output) -> Path:
    """Plan a study of the best base and tuned model in the paper's quantizations; return its folder."""
    questions = request.questions
    assert questions is not None
    folder = work_folder.timestamped_path(where.evaluations, request.asking.name, time.time())
    system = best.result.system
    base = model_registry.choose_model(system.model, where)
    adapter = command_request.choose_adapter(system.adapter, where.runs, run_folders.find_folder)
    _model, tuning = eval_questions.tuned_by(base, adapter, where.documents)
    if tuning is None:
        raise AppError("adapter_unknown", wanted=system.adapter)
    source = planning.source_of_model(base)
    plan = planning.plan_quantizations(
        source, quantizations.parse_quantizations(PAPER_FORMS), (best.contender.model, tuning), folder, where.bases
    )
    study = planning.plan_study(
        where.evaluations, "quantizations", questions, plan.contenders, request.asking,
        id=folder.name, label=questions.label, made=plan.made, has_likelihoods=planning.has_likelihoods(questions),
    )  # fmt: skip
    eval_quant.print_disk_space(study, where, output)
    studies.create(folder, study, questions)
    return folder
