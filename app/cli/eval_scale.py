"""`kotae eval scale`: how much training data is enough, by training on several amounts of it."""

import argparse
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli import ask, eval_questions, eval_run, eval_sets
from app.cli.main import set_command
from app.cli.output import Output
from app.cli.train_live import duration
from app.core import dated_folder, settings, speed
from app.core.errors import AppError
from app.core.evaluation import judging, scale_plan, scale_subsets
from app.core.evaluation import study as studies
from app.core.evaluation.records import QuestionSet
from app.core.evaluation.scale_plan import Planned
from app.core.evaluation.scale_subsets import Material
from app.core.evaluation.study import Contender, Study, Training
from app.core.paths import Paths
from app.core.presets import Choices
from app.core.records import LocalModel
from app.core.store import Store
from app.core.training import bases, drafting, planning
from app.core.wording import help_text, phrase, size
from app.services import training
from app.services.training import Trainer
from trainer.spec import PRESETS

_MOST_SEEDS = 20


def add_options(parser: argparse.ArgumentParser, _name: str) -> None:
    set_command(parser, _scale)
    parser.add_argument("data", metavar="DATA", help=help_text("eval scale data"))
    parser.add_argument("--base", metavar="ID|FILE|DIR", required=True, help=help_text("train run --base"))
    parser.add_argument("--sizes", metavar="N,N,…", help=help_text("eval scale --sizes"))
    parser.add_argument(
        "--seeds", metavar="N", type=int, default=scale_plan.SEEDS, help=help_text("eval scale --seeds")
    )
    parser.add_argument("--no-control", action="store_true", help=help_text("eval scale --no-control"))
    parser.add_argument("--preset", choices=PRESETS, help=help_text("train run --preset"))
    parser.add_argument("--subsets", metavar="FILE", help=help_text("eval scale --subsets"))
    parser.add_argument("--divide", metavar="N", type=int, help=help_text("eval scale --divide"))
    parser.add_argument("--questions", metavar="SET|FILE", help=help_text("eval scale --questions"))
    parser.add_argument("--judge", metavar="ID|FILE", help=help_text("eval --judge"))
    parser.add_argument(
        "--judge-preset", choices=judging.PRESETS, default="kotae", help=help_text("eval --judge-preset")
    )
    parser.add_argument("--name", metavar="NAME", help=help_text("eval --name"))


@dataclass(frozen=True, slots=True)
class Wish:
    """A scale study as it is asked for. `questions`: that people ask; None: the hold-out alone judges."""

    name: str
    base: str
    preset: str | None
    seeds: int
    has_control: bool
    questions: QuestionSet | None = None
    judge: LocalModel | None = None
    judge_preset: str = "kotae"


def _scale(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status as `eval_run.run_study`."""
    ask.check("--seeds", options.seeds, 1, _MOST_SEEDS)
    if options.judge and not options.questions:
        options.missing("--questions")
    if options.questions:
        require_file(bases.existing(options.base))
    judge = ask.choose_model(options.judge, where) if options.judge else None
    bases.resolve(options.base, models_of(where))
    material = _material(options)
    wish = Wish(
        options.name or studies.free_name(where.evaluations, material.name),
        options.base,
        options.preset,
        options.seeds,
        not options.no_control,
        eval_sets.load(options.questions, where, output) if options.questions else None,
        judge,
        options.judge_preset,
    )
    return eval_run.run_study(prepare(wish, material, where, output), where, output)


def require_file(base: Path | None) -> None:
    """What is to answer questions afterwards is a GGUF file. Raises AppError("evaluation_base_is_folder")."""
    if base is not None and base.is_dir():
        raise AppError("evaluation_base_is_folder", path=str(base))


def prepare(wish: Wish, material: Material, where: Paths, output: Output) -> Path:
    """The folder of a new study, planned and estimated. Raises AppError as `scale_plan.plan`."""
    trainer = training.locate(where.data)
    folder = dated_folder.new(where.evaluations, wish.name, time.time())
    models = models_of(where)
    planned = planned_in(folder, wish, material, trainer, models, where, output)
    try:
        asked = planned.asked
        contenders: tuple[Contender, ...] = ()
        if wish.questions is not None:
            contenders = scale_plan.contenders(bases.model_for(asked, models), asked, planned.trainings)
        questions = wish.questions or scale_plan.holdout_questions(material, folder)
        study = study_of(folder.name, "scale", wish, questions, contenders, planned.trainings, where)
        studies.create(folder, study, questions)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _tell(planned, material, output)
    return folder


def _material(options: argparse.Namespace) -> Material:
    data = Path(options.data).expanduser()
    if not options.subsets:
        if options.divide is not None:
            raise AppError("bad_option", option="--divide", value=options.divide, expected="--subsets FILE --divide N")
        return scale_subsets.nested(data, _sizes(options.sizes))
    if options.sizes:
        raise AppError("bad_option", option="--sizes", value=options.sizes, expected="--subsets FILE")
    ask.check("--divide", options.divide, 1, 1 << 20)
    return scale_subsets.given(data, Path(options.subsets).expanduser(), options.divide or 1)


def _sizes(said: str | None) -> list[int]:
    try:
        return [int(one) for one in said.split(",")] if said else []
    except ValueError as error:
        raise AppError("bad_option", option="--sizes", value=said, expected=phrase("eval_sizes_form")) from error


def planned_in(
    folder: Path,
    wish: Wish,
    material: Material,
    trainer: Trainer,
    models: Sequence[LocalModel],
    where: Paths,
    output: Output,
) -> Planned:
    """Makes the folder with data and specs. Raises AppError as `scale_plan.plan`."""
    wishes = {"base": wish.base, "preset": wish.preset, "name": wish.name}
    output.progress("plan_working")
    try:
        return scale_plan.plan(
            folder,
            material,
            lambda files: drafting.draft({**wishes, **files}, where, models, trainer.converter),
            lambda asked: planning.plan(
                asked,
                trainer.command if trainer.can_judge else None,  # the fake cannot plan
                lambda kind: planning.device_of(kind, where.data / speed.FILE_NAME),
            ),
            range(scale_plan.FIRST_SEED, scale_plan.FIRST_SEED + wish.seeds),
            has_control=wish.has_control,
        )
    finally:
        output.end_progress()


def study_of(
    id: str,
    kind: str,
    wish: Wish,
    questions: QuestionSet,
    contenders: tuple[Contender, ...],
    trainings: tuple[Training, ...],
    where: Paths,
) -> Study:
    """Answers are the likeliest ones, once."""
    return Study(
        id=id,
        name=wish.name,
        kind=kind,
        set_name=questions.name,
        set_version=questions.version,
        set_sha256=questions.sha256,
        label=questions.label,
        contenders=contenders,
        seeds=(0,),
        choices=Choices(temperature=0.0, max_tokens=eval_questions.MAX_TOKENS),
        context_tokens=settings.load(where.settings).context_tokens,
        judge=wish.judge,
        judge_preset=wish.judge_preset,
        trainings=trainings,
        created_at=time.time(),
    )


def _tell(planned: Planned, material: Material, output: Output) -> None:
    """What it will take, before it begins."""
    largest = planned.largest
    if material.unusable:
        output.note("split_unusable", count=f"{material.unusable:,}")
    if not largest.counts.is_exact:
        output.note("scale_estimate_guessed")
    sizes = phrase("setting_between").join(f"{one.rows:,}" for one in material.subsets)
    output.note(
        "scale_estimate",
        runs=len(planned.trainings),
        sizes=sizes,
        time=duration(planned.seconds),
        disk=size(planned.disk_bytes),
        free=size(largest.free_disk_bytes),
    )
    if not largest.has_memory:  # the first run will say so too, but only once it has begun
        output.note("plan_short", allowed=size(largest.allowed_bytes), total=size(largest.memory.total))
    removed = [
        phrase("scale_removed_of", rows=f"{one.rows + one.removed:,}", removed=one.removed)
        for one in material.subsets
        if one.removed
    ]
    if removed:
        output.note("scale_removed", counts=phrase("setting_between").join(removed))


def models_of(where: Paths) -> list[LocalModel]:
    store = Store.open(where.database, where.backups)
    try:
        return store.local_models()
    finally:
        store.close()
