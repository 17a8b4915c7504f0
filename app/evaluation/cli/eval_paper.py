"""`kotae eval paper`: repeat the three stages of arXiv 2603.18037 on its data, each as a study that can be resumed.

The settings, the test questions and the judge's prompt are the paper's. Without a GPU everything is reduced, and the
user is informed.
"""

import argparse
import dataclasses
from pathlib import Path

from app.base import settings
from app.base.cli import commands
from app.base.cli.commands import Output, format_duration, set_command
from app.base.paths import Paths
from app.base.wording import format_size, help_text, phrase
from app.chat.presets import Choices
from app.evaluation.cli import eval_output, eval_run, eval_scale, eval_sets, eval_studies
from app.evaluation.services import study_making
from app.evaluation.study import paper, scale_subsets
from app.evaluation.study.paper import PaperReplication
from app.evaluation.study.request import LIMITS, AnswerParameters, StudyRequest
from app.models import base_models, model_registry
from app.training.run_plan import best_card
from trainer.spec import PAPER_PRESETS, PRESETS


def add_options(parser: argparse.ArgumentParser, _name: str) -> None:
    set_command(parser, _paper)
    parser.add_argument("folder", metavar="DIR", help=help_text("eval paper folder"))
    parser.add_argument(
        "--base", metavar="ID|FILE", action="append", required=True, help=help_text("eval paper --base")
    )
    parser.add_argument("--judge", metavar="ID|FILE", help=help_text("eval --judge"))
    parser.add_argument("--divide", metavar="N", type=int, help=help_text("eval paper --divide"))
    parser.add_argument("--limit", metavar="N", type=int, help=help_text("eval --limit"))
    parser.add_argument("--preset", choices=PRESETS, default=paper.PRESET, help=help_text("eval paper --preset"))
    parser.add_argument("--name", metavar="NAME", help=help_text("eval paper --name"))


def _paper(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run the unfinished stages in order and print all results; the same command resumes an interrupted stage.

    Return the exit status as `eval_run.run_study`.
    """
    stages = _stages(options, where, output)
    if stages.find_study("scale") is None:
        _print_costs(stages, where, output)
    for stage in stages.stages():
        output.note("evaluation.paper_stage", name=stages.name_of(stage))
        entry = stages.find_study(stage)
        folder = entry.folder if entry is not None else _create(stages, stage, where, output)
        is_finished = entry is not None and entry.state == "finished"
        status = 0 if is_finished else eval_run.carry_out(folder, where, output)
        if status:
            return status
        stages.finish(folder)
    texts = [eval_output.as_text(one.folder, one.evaluation, one.sections) for one in stages.finished]
    data = {"stages": [eval_output.as_json(one.folder, one.evaluation, one.sections) for one in stages.finished]}
    output.result(data, "\n\n\n".join(texts))
    return 0


def _stages(options: argparse.Namespace, where: Paths, output: Output) -> PaperReplication:
    folder = Path(options.folder).expanduser()
    commands.check_limit("--divide", options.divide, *LIMITS["divide"])
    commands.check_limit("--limit", options.limit, *LIMITS["limit"])
    models = model_registry.read_files(where)
    paths = [base_models.resolve_base(one, models).path for one in options.base]  # check the bases before planning
    for path in paths:
        eval_scale.require_file(path)
    judge = eval_studies.judge_of(options, where)
    is_whole = best_card() is not None
    divide = options.divide or (1 if is_whole else paper.REDUCED)
    questions = eval_sets.load(str(folder / paper.QUESTIONS), where, output)
    limit = options.limit or (len(questions.questions) if is_whole else paper.REDUCED_QUESTIONS)
    questions = dataclasses.replace(questions, questions=questions.questions[:limit])
    if divide > 1 or not is_whole:
        output.note("evaluation.paper_reduced", divide=divide, count=len(questions.questions))
    context_tokens = settings.load(where.settings).context_tokens
    is_ours = options.preset not in PAPER_PRESETS
    told = Choices() if is_ours else Choices(system_prompt=paper.system_prompt())
    indices = folder / paper.SUBSETS
    material = scale_subsets.given_subsets(
        folder / paper.ROWS,
        indices if indices.is_file() else None,
        divide,
        keeps_subsets=True,
        system_prompt=told.system_prompt or "",
    )
    request = StudyRequest(
        "scale",
        AnswerParameters(context_tokens=context_tokens, preset=told, judge=judge, judge_preset=paper.PRESET),
        questions=questions,
        base=options.base[0],
        data=str(folder / paper.ROWS),
        runs=1,
        has_control=False,
        training_preset=options.preset,
    )
    name = options.name or options.preset
    return PaperReplication(name, request, questions, material, options.base, paths, where)


def _print_costs(stages: PaperReplication, where: Paths, output: Output) -> None:
    """Print what each stage will take."""
    output.progress("common.plan_working")
    try:
        models, planner = model_registry.read_files(where), study_making.planner_and_converter(None, where)
        costs = stages.costs(models, *planner)
    finally:
        output.end_progress()
    for one in costs:
        facts = {"name": stages.name_of(one.stage), "runs": one.trainings, "answers": f"{one.answers:,}"}
        time, disk = format_duration(one.seconds), format_size(one.disk_bytes)
        key = "evaluation.paper_costs" if one.trainings else "evaluation.paper_costs_of_answers"
        output.note(key, time=time, disk=disk, **facts)


def _create(stages: PaperReplication, stage: str, where: Paths, output: Output) -> Path:
    """Create the study of a stage and return its folder."""
    if stage == "scale":
        return eval_scale.create(stages.scale_request(), stages.material, where, output)
    best = stages.best_system()
    by = phrase(f"evaluation.paper_best_by.{best.measure_name}")
    output.note("evaluation.paper_best", name=best.result.system.name, by=by)
    if stage == "quant":
        return eval_studies.create(stages.quant_request(best), where, output)
    output.progress("common.plan_working")
    try:
        return stages.create_bases(
            best, model_registry.read_files(where), *study_making.planner_and_converter(None, where)
        )
    finally:
        output.end_progress()
