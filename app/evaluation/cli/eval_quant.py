"""`kotae eval quant`: measure on this machine what each quantization of a model costs and keeps."""

import argparse
import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

from app.base.cli.commands import Output, set_command
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import format_size, help_text
from app.chat.services import command_request
from app.evaluation.cli import eval_questions, eval_run
from app.evaluation.study import planning
from app.evaluation.study.planning import PAPER_FORMS, QuantizationPlan
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference import quantizations
from app.inference.local_model import LocalModel
from app.models import model_registry
from app.training.runs import run_folders


def add_options(parser: argparse.ArgumentParser, _name: str) -> None:
    set_command(parser, _quant)
    parser.add_argument("model", metavar="ID|FILE|DIR", nargs="+", help=help_text("eval quant model"))
    parser.add_argument("--quant", metavar="FORM,…", default=PAPER_FORMS, help=help_text("eval quant --quant"))
    parser.add_argument("--adapter", metavar="RUN|FILE[:STRENGTH]", help=help_text("eval quant --adapter"))
    parser.add_argument("--questions", dest="file", metavar="SET|FILE", help=help_text("eval quant --questions"))
    eval_questions.add_common(parser)


def _quant(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Quantize one model, or compare several as they are. Return the exit status as `eval_run.run_study`."""
    judge, models = eval_questions.judge_of(options, where), _models(options, where)
    questions = eval_questions.questions_of(options, where, output)
    asking = eval_questions.asking_of(options, questions, judge, where)
    has_likelihoods = planning.has_likelihoods(questions)
    study = planning.plan_study(
        where.evaluations, "quantizations", questions, (), asking, has_likelihoods=has_likelihoods
    )
    folder = where.evaluations / study.id
    found = (
        _made(options, models, folder, where)
        if len(options.model) == 1
        else QuantizationPlan(_given(options, models), ())
    )
    study = dataclasses.replace(study, contenders=found.contenders, made=found.made)
    print_disk_space(study, where, output)
    return eval_run.begin(study, questions, folder, where, output)


def print_disk_space(study: Study, where: Paths, output: Output) -> None:
    """Print the disk space for the files to make, before hours have passed. Raises AppError("drive_space")."""
    most = planning.require_room(study, where.data)
    if most:
        output.note(
            "evaluation.quant_room", disk=format_size(most), free=format_size(shutil.disk_usage(where.data).free)
        )


def _models(options: argparse.Namespace, where: Paths) -> list[LocalModel]:
    """Return the models; [] if the argument is a publisher's folder. Raises AppError as
    `model_registry.choose_model`.
    """
    is_folder = len(options.model) == 1 and Path(options.model[0]).is_dir()
    return [] if is_folder else [model_registry.choose_model(one, where) for one in options.model]


def _made(options: argparse.Namespace, models: Sequence[LocalModel], folder: Path, where: Paths) -> QuantizationPlan:
    forms = quantizations.parse_quantizations(options.quant)
    source = planning.source_of_model(models[0]) if models else planning.source_of_folder(Path(options.model[0]))
    tuned = None
    if options.adapter is not None:
        adapter = command_request.choose_adapter(options.adapter, where.runs, run_folders.find_folder)
        model, tuning = eval_questions.tuned_by(source.model, adapter, where.documents)
        tuned = (model, tuning) if tuning is not None else None
    return planning.plan_quantizations(source, forms, tuned, folder, where.bases)


def _given(options: argparse.Namespace, models: Sequence[LocalModel]) -> tuple[ComparedSystem, ...]:
    """Return existing files as systems. Raises AppError("quant_adapter_alone"), and as `planning.as_they_are`."""
    if options.adapter is not None:
        raise AppError("quant_adapter_alone")
    return planning.existing_systems(models)
