"""`kotae eval scale`: find how much training data is enough, by training on several amounts of it."""

import argparse
from pathlib import Path

from app.base import settings
from app.base.cli import commands
from app.base.cli.commands import Output, format_duration, set_command
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import format_size, help_text, phrase
from app.evaluation.cli import eval_run, eval_sets, eval_studies
from app.evaluation.services import study_making
from app.evaluation.study import scale_plan, scale_subsets
from app.evaluation.study.request import LIMITS, SCALE_RUNS, AnswerParameters, StudyRequest
from app.evaluation.study.scale_plan import PlannedScaleStudy
from app.evaluation.study.scale_subsets import SubsetFiles
from app.models import base_models, model_registry
from trainer.spec import PRESETS


def add_options(parser: argparse.ArgumentParser, _name: str) -> None:
    set_command(parser, _scale)
    parser.add_argument("data", metavar="DATA", help=help_text("eval scale data"))
    parser.add_argument("--base", metavar="ID|FILE|DIR", required=True, help=help_text("train run --base"))
    parser.add_argument("--sizes", metavar="N,N,…", help=help_text("eval scale --sizes"))
    parser.add_argument("--seeds", metavar="N", type=int, default=SCALE_RUNS, help=help_text("eval scale --seeds"))
    parser.add_argument("--no-control", action="store_true", help=help_text("eval scale --no-control"))
    parser.add_argument("--preset", choices=PRESETS, help=help_text("train run --preset"))
    parser.add_argument("--subsets", metavar="FILE", help=help_text("eval scale --subsets"))
    parser.add_argument("--divide", metavar="N", type=int, help=help_text("eval scale --divide"))
    parser.add_argument("--questions", metavar="SET|FILE", help=help_text("eval scale --questions"))
    eval_studies.add_judge(parser, is_required=False)
    parser.add_argument("--name", metavar="NAME", help=help_text("eval --name"))


def _scale(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval scale`: create the study that the options describe, and carry it out.

    Return the exit status as `eval_run.run_study` does. Raises AppError for wrong options, and as `create`.
    """
    commands.check_limit("--seeds", options.seeds, *LIMITS["runs"])
    commands.check_limit("--divide", options.divide, *LIMITS["divide"])
    if options.judge and not options.questions:
        options.missing("--questions")
    if options.divide is not None and not options.subsets:
        raise AppError("bad_option", option="--divide", value=options.divide, expected="--subsets FILE --divide N")
    if options.subsets and options.sizes:
        raise AppError("bad_option", option="--sizes", value=options.sizes, expected="--subsets FILE")
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
        subsets=str(Path(options.subsets).expanduser()) if options.subsets else "",
        divide=options.divide or 1,
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
    """Print the time and disk space that the study will take, and warn of too little memory and of removed rows."""
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
    removed = [
        phrase("evaluation.scale_removed_of", rows=f"{subset.rows + subset.removed:,}", removed=subset.removed)
        for subset in material.subsets
        if subset.removed
    ]
    if removed:
        output.note("evaluation.scale_removed", counts=phrase("common.setting_between").join(removed))
