"""Run `kotae eval questions`, `documents`, `thinking`, `quant` and `judge`: build a StudyRequest and run its study."""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.base import settings
from app.base.cli import commands
from app.base.cli.commands import Output, set_command
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import format_size, help_text, phrase
from app.chat.presets import Choices
from app.chat.services import command_request
from app.chat.services.command_request import AdapterChoice
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.services import command_documents
from app.evaluation import question_sets
from app.evaluation.cli import eval_run, eval_sets
from app.evaluation.judge import human_ratings, judge_prompt
from app.evaluation.judge.human_ratings import Ratings, SkippedRating
from app.evaluation.records import Question, QuestionSet
from app.evaluation.services import study_making
from app.evaluation.study import compared_systems, planning
from app.evaluation.study.compared_systems import AdapterInUse
from app.evaluation.study.request import LIMITS, MAX_TOKENS, PAPER_FORMS, AdaptedModel, AnswerParameters, StudyRequest
from app.evaluation.study.studies import RatedAnswer
from app.inference.local_model import LocalModel
from app.models import model_registry
from app.models.model_store import ModelStore
from app.models.services import remote_servers
from app.training.runs import lineage, run_folders


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    set_command(
        parser,
        {
            "questions": _run_questions_study,
            "documents": _run_documents_study,
            "thinking": _run_thinking_study,
            "judge": _run_judge_study,
            "quant": _run_quant_study,
        }[name],
    )
    if name == "quant":
        parser.add_argument("model", metavar="ID|FILE|DIR", nargs="+", help=help_text("eval quant model"))
        parser.add_argument("--quant", metavar="FORM,…", default=PAPER_FORMS, help=help_text("eval quant --quant"))
        parser.add_argument("--adapter", metavar="RUN|FILE[:STRENGTH]", help=help_text("eval quant --adapter"))
        parser.add_argument("--questions", dest="file", metavar="SET|FILE", help=help_text("eval quant --questions"))
        _add_common(parser)
        return
    parser.add_argument("file", metavar="SET|FILE", help=help_text("eval set"))
    if name == "questions":
        model, adapter = help_text("eval questions --model"), help_text("eval questions --adapter")
        parser.add_argument("--model", metavar="ID|FILE", action="append", default=[], help=model)
        parser.add_argument("--adapter", metavar="RUN|FILE[:STRENGTH]", action="append", help=adapter)
        collection = help_text("eval questions --collection")
        parser.add_argument("--collection", metavar="NAME", action="append", default=[], help=collection)
        parser.add_argument("--allow-remote", action="store_true", help=help_text("ask --allow-remote"))
    if name == "thinking":
        parser.add_argument("--model", metavar="ID|FILE", help=help_text("ask --model"))
        collection = help_text("eval questions --collection")
        parser.add_argument("--collection", metavar="NAME", action="append", default=[], help=collection)
    if name == "documents":
        parser.add_argument("--model", metavar="ID|FILE", help=help_text("ask --model"))
        parser.add_argument("--adapter", metavar="RUN|FILE[:STRENGTH]", help=help_text("eval documents --adapter"))
        collection = help_text("ask --collection")
        parser.add_argument("--collection", metavar="NAME", action="append", required=True, help=collection)
    if name == "judge":
        parser.set_defaults(**_NOTHING_ANSWERED)
        _add_judging(parser, is_required=True)
    else:
        _add_common(parser)


_NOTHING_ANSWERED = {
    "pairs": False, "preset": None, "seeds": 1, "temperature": None, "max_tokens": MAX_TOKENS, "context": None,
}  # fmt: skip


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of every study that asks questions."""
    _add_judging(parser, is_required=False)
    parser.add_argument("--pairs", action="store_true", help=help_text("eval --pairs"))
    parser.add_argument("--preset", metavar="NAME", help=help_text("eval --preset"))
    parser.add_argument("--seeds", metavar="N", type=int, default=1, help=help_text("eval --seeds"))
    parser.add_argument("--temperature", metavar="T", type=float, help=help_text("eval --temperature"))
    parser.add_argument("--max-tokens", metavar="N", type=int, default=MAX_TOKENS, help=help_text("eval --max-tokens"))
    parser.add_argument("--context", metavar="N", type=int, help=help_text("ask --context"))


def _add_judging(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    """Add the options for the judge, people's ratings, the number of questions and the name of the study."""
    add_judge(parser, is_required=is_required)
    parser.add_argument("--ratings", metavar="FILE", help=help_text("eval --ratings"))
    parser.add_argument("--limit", metavar="N", type=int, help=help_text("eval --limit"))
    parser.add_argument("--name", metavar="NAME", help=help_text("eval --name"))


def add_judge(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    preset = help_text("eval --judge-preset")
    parser.add_argument("--judge", metavar="ID|FILE", required=is_required, help=help_text("eval --judge"))
    parser.add_argument("--judge-preset", choices=judge_prompt.PRESETS, default="kotae", help=preset)


def judge_of(options: argparse.Namespace, where: Paths) -> LocalModel | None:
    """Return the judge that the options name. Raises AppError as `model_registry.choose_model`."""
    return model_registry.choose_model(options.judge, where) if options.judge else None


def _asking_of(
    options: argparse.Namespace, questions: QuestionSet, judge: LocalModel | None, where: Paths
) -> AnswerParameters:
    """Return the answer parameters that the options give. `judge`: the judge of `judge_of`, or None.

    Raises AppError: bad_option, unknown_preset, and as `_rated`.
    """
    for name in ("seeds", "temperature", "max_tokens", "limit"):
        commands.check_limit(f"--{name.replace('_', '-')}", getattr(options, name), *LIMITS[name])
    commands.check_limit("--context", options.context, *LIMITS["context_tokens"])
    return AnswerParameters(
        name=options.name or "",
        seeds=options.seeds,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        context_tokens=options.context or settings.load(where.settings).context_tokens,
        preset=command_request.find_preset(options.preset, where).choices if options.preset is not None else Choices(),
        judge=judge,
        judge_preset=options.judge_preset,
        rated=_rated(options, questions),
        has_pairs=options.pairs,
    )


def _rated(options: argparse.Namespace, questions: QuestionSet) -> tuple[RatedAnswer, ...]:
    """Return the answers with people's scores from the file of `--ratings`; () without that option.

    Raises AppError("ratings_without_judge"), and as `read_ratings`.
    """
    if not options.ratings:
        return ()
    if not options.judge:
        raise AppError("ratings_without_judge")
    asked = questions.questions[: options.limit]
    numbers = {one.id: number for number, one in enumerate(asked, start=1)}
    found = read_ratings(Path(options.ratings).expanduser(), asked, Output(options.json))
    return tuple(RatedAnswer(numbers[one.question.id], one.answer, one.human or 0) for one in found.cases)


# ------------------------------------------------------------------------ commands


def _run_questions_study(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval questions`: compare models and adapters. Return the exit status as `eval_run.run_study`."""
    adapters = [_adapter(one, where) for one in options.adapter or ()]
    models = [_asked_model(one, options, where) for one in options.model]
    models = models or [_base(None, next((one for one in adapters if one.run is not None), None), where)]
    judge, scope = judge_of(options, where), _scope(options, where)
    asked = [_adapted(model, one, where) for model in models for one in adapters] or models
    fields = {"models": tuple(asked), "scope": scope, "allows_remote": options.allow_remote}
    return _begin(options, judge, where, output, compares="models", **fields)


def _asked_model(reference: str, options: argparse.Namespace, where: Paths) -> LocalModel:
    """Return the model that an option names, also one on a server if that is allowed."""
    try:
        return model_registry.choose_model(reference, where)
    except AppError as error:
        with ModelStore.open(where.database, where.backups) as store:
            elsewhere = model_registry.find_remote_model(store, reference) if error.code == "remote_cannot" else None
        if elsewhere is None:
            raise
    remote_servers.require_remote_permission(elsewhere, options)
    return elsewhere


def _run_documents_study(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval documents`: compare a model without and with documents, and with an adapter.

    Return the exit status as `eval_run.run_study`.
    """
    adapter = _adapter(options.adapter, where) if options.adapter is not None else None
    model = _base(options.model, adapter, where)
    judge, scope = judge_of(options, where), _scope(options, where)
    tuned = _adapted(model, adapter, where) if adapter is not None else None
    fields: dict[str, Any] = {"models": (model,), "tuned": tuned}
    if tuned is not None and tuned.tuning is None:  # the base without any adapter, even that of its model card
        fields = {"models": (tuned,)}
    return _begin(options, judge, where, output, compares="documents", scope=scope, **fields)


def _run_thinking_study(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval thinking`: compare a model's answers without and with its thoughts.

    Return the exit status as `eval_run.run_study`.
    """
    model, judge = model_registry.choose_model(options.model, where), judge_of(options, where)
    return _begin(options, judge, where, output, compares="thinking", models=(model,), scope=_scope(options, where))


def _run_judge_study(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval judge`: measure the judge itself, without asking any system.

    Return the exit status as `eval_run.run_study`.
    """
    return _begin(options, judge_of(options, where), where, output, compares="judge")


def _run_quant_study(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval quant`: compare quantizations of one model, or several models as they are.

    Return the exit status as `eval_run.run_study`.
    """
    named, judge = options.model, judge_of(options, where)
    folder = named[0] if len(named) == 1 and Path(named[0]).is_dir() else ""
    models = () if folder else tuple(model_registry.choose_model(one, where) for one in named)
    tuned = None
    if options.adapter is not None:
        if len(models) > 1:
            raise AppError("quant_adapter_alone")
        model = planning.source_of_folder(Path(folder)).model if folder else models[0]
        adapter = _adapter(options.adapter, where)
        tuned = _adapted(model, adapter, where) if adapter.use is not None else None
    fields = {"models": models, "base": folder, "tuned": tuned, "forms": tuple(options.quant.split(","))}
    return _begin(options, judge, where, output, compares="quantizations", **fields)


def _begin(options: argparse.Namespace, judge: LocalModel | None, where: Paths, output: Output, **fields: Any) -> int:
    """Create and run the study of a request. `fields`: fields of StudyRequest.

    Return the exit status as `eval_run.run_study`.
    """
    questions = eval_sets.load(options.file, where, output) if options.file else question_sets.shipped()
    asking = _asking_of(options, questions, judge, where)
    request = StudyRequest(asking=asking, questions=questions, limit=options.limit, **fields)
    return eval_run.run_study(create(request, where, output), where, output)


def create(request: StudyRequest, where: Paths, output: Output) -> Path:
    """Create the study of a request, print the disk space that its files need, and return its folder.

    Raises AppError as `study_making.create_study`, and "bad_option".
    """
    try:
        folder, most = study_making.create_study(request, where, model_registry.read_files(where), None)
    except AppError as error:
        if error.code not in ("wish_repeats", "wish_repeats_of_card"):
            raise
        expected = phrase("evaluation.eval_seeds_vary")
        raise AppError("bad_option", option="--seeds", value=request.asking.seeds, expected=expected) from error
    if most:
        free = format_size(shutil.disk_usage(where.data).free)
        output.note("evaluation.quant_room", disk=format_size(most), free=free)
    return folder


def _scope(options: argparse.Namespace, where: Paths) -> tuple[CollectionRef, ...]:
    return command_documents.scope_of(options.collection, where) if options.collection else ()


def _adapter(text: str, where: Paths) -> AdapterChoice:
    return command_request.choose_adapter(text, where.runs, run_folders.find_folder)


def _adapted(model: LocalModel, adapter: AdapterChoice, where: Paths) -> AdaptedModel:
    """Return the model with the adapter, in the prompt format of the adapter's training.

    Raises AppError as `in_form_of_run`.
    """
    if adapter.use is None:
        return AdaptedModel(model, None)
    name = command_request.run_name(adapter.run) if adapter.run else compared_systems.adapter_name(adapter.use.path)
    label = lineage.lineage_of_adapter(Path(adapter.use.path)).label_now(where.documents)
    tuning = AdapterInUse(adapter.use.path, adapter.use.strength, name, label)
    return AdaptedModel(command_request.in_form_of_run(model, adapter), tuning)


def _base(reference: str | None, adapter: AdapterChoice | None, where: Paths) -> LocalModel:
    """Return the model that `reference` names, else the base of the adapter's run, else the model in use in the app."""
    if reference is not None or adapter is None or adapter.run is None:
        return model_registry.choose_model(reference, where)
    return command_request.base_model_of(adapter.run, model_registry.read_files(where))


RATING_REASONS = ("not_score", "no_answer", "unknown_question")


def read_ratings(path: Path, questions: Sequence[Question], output: Output) -> Ratings:
    """Read people's scores from a file; print how many are used, and each other row with the reason.

    Raises AppError as `human_ratings.read`.
    """
    found = human_ratings.read(path, questions)
    output.note("evaluation.ratings_used", name=path.name, count=len(found.cases))
    empty = sum(row.reason == "not_rated" for row in found.skipped)
    if empty:
        output.note("evaluation.ratings_empty", count=empty)
    wrong = [row for row in found.skipped if row.reason != "not_rated"]
    facts = [{"line": row.line, "reason": _rating_reason(row)} for row in wrong]
    eval_sets.note_first(output, facts, "evaluation.ratings_skipped", "evaluation.ratings_skipped_more")
    return found


def _rating_reason(row: SkippedRating) -> str:
    is_ours = row.reason in RATING_REASONS
    key = f"evaluation.rating.{row.reason}" if is_ours else f"common.data_bad.{row.reason}"
    return eval_sets.with_detail(phrase(key), row.detail)
