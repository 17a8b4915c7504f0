"""Run `kotae eval scale` and `kotae eval paper`: studies that train models, to find how much training data is enough.

`paper` repeats the three stages of arXiv 2603.18037 on its data, each as a study that can be resumed. The settings, the
test questions and the judge's prompt are the paper's. Without a GPU everything is reduced, and the user is informed.
"""

import argparse
import dataclasses
from pathlib import Path

from app.base import settings
from app.base.cli import commands
from app.base.cli.commands import Output, set_command
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import format_duration, format_size, help_text, phrase
from app.chat.presets import Choices
from app.evaluation.cli import eval_output, eval_run, eval_sets, eval_studies
from app.evaluation.services import study_making
from app.evaluation.study import paper, scale_plan, scale_subsets
from app.evaluation.study.paper import PaperReplication
from app.evaluation.study.request import LIMITS, SCALE_RUNS, AnswerParameters, StudyRequest
from app.evaluation.study.scale_plan import PlannedScaleStudy
from app.evaluation.study.scale_subsets import SubsetFiles
from app.models import base_models, model_registry
from app.training.run_plan import best_card
from trainer.spec import PAPER_PRESETS, PRESETS


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    set_command(parser, {"scale": _scale, "paper": _paper}[name])
    if name == "paper":
        parser.add_argument("folder", metavar="DIR", help=help_text("eval paper folder"))
        parser.add_argument(
            "--base", metavar="ID|FILE", action="append", required=True, help=help_text("eval paper --base")
        )
        parser.add_argument("--judge", metavar="ID|FILE", help=help_text("eval --judge"))
        parser.add_argument("--divide", metavar="N", type=int, help=help_text("eval paper --divide"))
        parser.add_argument("--limit", metavar="N", type=int, help=help_text("eval --limit"))
        parser.add_argument("--preset", choices=PRESETS, default=paper.PRESET, help=help_text("eval paper --preset"))
        parser.add_argument("--name", metavar="NAME", help=help_text("eval paper --name"))
        return
    parser.add_argument("data", metavar="DATA", help=help_text("eval scale data"))
    parser.add_argument("--base", metavar="ID|FILE|DIR", required=True, help=help_text("train run --base"))
    parser.add_argument("--sizes", metavar="N,N,…", help=help_text("eval scale --sizes"))
    parser.add_argument("--seeds", metavar="N", type=int, default=SCALE_RUNS, help=help_text("eval scale --seeds"))
    parser.add_argument("--no-control", action="store_true", help=help_text("eval scale --no-control"))
    parser.add_argument("--preset", choices=PRESETS, help=help_text("train run --preset"))
    parser.add_argument("--questions", metavar="SET|FILE", help=help_text("eval scale --questions"))
    eval_studies.add_judge(parser, is_required=False)
    parser.add_argument("--name", metavar="NAME", help=help_text("eval --name"))


def _scale(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval scale`: create the study that the options describe, and carry it out.

    Return the exit status as `eval_run.run_study` does. Raises AppError for wrong options, and as `create`.
    """
    commands.check_limit("--seeds", options.seeds, *LIMITS["runs"])
    if options.judge and not options.questions:
        options.missing("--questions")
    if options.questions:
        require_file(base_models.existing_path(options.base))
    judge = eval_studies.judge_of(options, where)
    base_models.resolve_base(options.base, model_registry.read_files(where))
    request = StudyRequest(
        "scale",
        AnswerParameters(
            options.name or "",
            context_tokens=settings.load(where.settings).context_tokens,
            judge=judge,
            judge_preset=options.judge_preset,
        ),
        questions=eval_sets.load(options.questions, where, output) if options.questions else None,
        base=options.base,
        data=str(Path(options.data).expanduser()),
        sizes=_sizes(options.sizes),
        runs=options.seeds,
        has_control=not options.no_control,
        training_preset=options.preset or "",
    )
    material = scale_subsets.subsets_of(request)
    return eval_run.run_study(create(request, material, where, output), where, output)


def require_file(base: Path | None) -> None:
    """Check that a base is a GGUF file, which can answer questions after the training.

    Raises AppError("evaluation_base_is_folder").
    """
    if base is not None and base.is_dir():
        raise AppError("evaluation_base_is_folder", path=str(base))


def create(request: StudyRequest, material: SubsetFiles, where: Paths, output: Output) -> Path:
    """Create a scale study, print its plan and return its folder. Raises AppError as `create_scale_study`."""
    output.progress("common.plan_working")
    try:
        models, planner = model_registry.read_files(where), study_making.planner_and_converter(None, where)
        folder, planned = scale_plan.create_scale_study(request, material, where, models, *planner)
    finally:
        output.end_progress()
    _print_plan(planned, material, output)
    return folder


def _sizes(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(one) for one in text.split(",")) if text else ()
    except ValueError as error:
        raise AppError(
            "bad_option", option="--sizes", value=text, expected=phrase("evaluation.eval_sizes_form")
        ) from error


def _print_plan(planned: PlannedScaleStudy, material: SubsetFiles, output: Output) -> None:
    """Print the time and disk space that the study will take, and warn of too little memory."""
    largest = planned.largest
    if material.unusable:
        output.note("common.split_unusable", count=f"{material.unusable:,}")
    if not largest.counts.is_exact:
        output.note("evaluation.scale_estimate_guessed")
    sizes = phrase("common.setting_between").join(f"{subset.rows:,}" for subset in material.subsets)
    output.note(
        "evaluation.scale_estimate",
        runs=len(planned.trainings),
        sizes=sizes,
        time=format_duration(planned.seconds),
        disk=format_size(planned.disk_bytes),
        free=format_size(largest.free_disk_bytes),
    )
    if not largest.has_memory:  # the first run will report this too, but only once it has begun
        output.note(
            "common.plan_short", allowed=format_size(largest.allowed_bytes), total=format_size(largest.memory.total)
        )


# -------------------------------------------------------------------------- paper


def _paper(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run the unfinished stages in order and print all results; the same command resumes an interrupted stage."""
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
    commands.check_limit("--divide", options.divide, *LIMITS["limit"])
    commands.check_limit("--limit", options.limit, *LIMITS["limit"])
    models = model_registry.read_files(where)
    paths = [base_models.resolve_base(one, models).path for one in options.base]  # check the bases before planning
    for path in paths:
        require_file(path)
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
    material = scale_subsets.paper_material(
        folder / paper.ROWS, indices if indices.is_file() else None, divide, told.system_prompt or ""
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
        return create(stages.scale_request(), stages.material, where, output)
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
