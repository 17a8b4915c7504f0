"""`kotae eval questions`, `documents` and `judge`: ask systems the questions of one set, and score the answers.

Other commands of evaluation also take their common options, and people's scores, from here.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from app.base import settings
from app.base.cli import commands
from app.base.cli.commands import Output, set_command
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.chat.presets import Choices
from app.chat.services import command_request
from app.chat.services.command_request import AdapterChoice
from app.chat.store import Store
from app.documents.retrieval import excerpts
from app.documents.services import command_documents
from app.evaluation import question_sets
from app.evaluation.cli import eval_run, eval_sets
from app.evaluation.judge import human_ratings, judge_prompt
from app.evaluation.judge.human_ratings import Ratings, SkippedRating
from app.evaluation.records import Question, QuestionSet
from app.evaluation.services import study_request
from app.evaluation.study import compared_systems, planning
from app.evaluation.study.compared_systems import DocumentScope, Tuning
from app.evaluation.study.planning import AnswerParameters
from app.evaluation.study.studies import ComparedSystem, RatedAnswer, Study
from app.inference.local_model import LocalModel
from app.models import model_registry
from app.training.runs import lineage, run_folders


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    set_command(parser, {"questions": _questions, "documents": _documents, "judge": _judge}[name])
    parser.add_argument("file", metavar="SET|FILE", help=help_text("eval set"))
    if name == "questions":
        model, adapter = help_text("eval questions --model"), help_text("eval questions --adapter")
        parser.add_argument("--model", metavar="ID|FILE", action="append", default=[], help=model)
        parser.add_argument("--adapter", metavar="RUN|FILE[:STRENGTH]", action="append", help=adapter)
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
        add_common(parser)


_NOTHING_ANSWERED = {
    "pairs": False, "preset": None, "seeds": 1, "temperature": None, "max_tokens": planning.MAX_TOKENS, "context": None,
}  # fmt: skip


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of every study that asks questions, for `asking_of`."""
    _add_judging(parser, is_required=False)
    parser.add_argument("--pairs", action="store_true", help=help_text("eval --pairs"))
    parser.add_argument("--preset", metavar="NAME", help=help_text("eval --preset"))
    parser.add_argument("--seeds", metavar="N", type=int, default=1, help=help_text("eval --seeds"))
    parser.add_argument("--temperature", metavar="T", type=float, help=help_text("eval --temperature"))
    parser.add_argument(
        "--max-tokens", metavar="N", type=int, default=planning.MAX_TOKENS, help=help_text("eval --max-tokens")
    )
    parser.add_argument("--context", metavar="N", type=int, help=help_text("ask --context"))


def _add_judging(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    """Add the options of the judge, and of the questions to ask."""
    parser.add_argument("--judge", metavar="ID|FILE", required=is_required, help=help_text("eval --judge"))
    parser.add_argument(
        "--judge-preset", choices=judge_prompt.PRESETS, default="kotae", help=help_text("eval --judge-preset")
    )
    parser.add_argument("--ratings", metavar="FILE", help=help_text("eval --ratings"))
    parser.add_argument("--limit", metavar="N", type=int, help=help_text("eval --limit"))
    parser.add_argument("--name", metavar="NAME", help=help_text("eval --name"))


def judge_of(options: argparse.Namespace, where: Paths) -> LocalModel | None:
    """Return the judge that the options name, before anything slow is read. Raises AppError as
    `model_registry.choose_model`.
    """
    return model_registry.choose_model(options.judge, where) if options.judge else None


def questions_of(options: argparse.Namespace, where: Paths, output: Output) -> QuestionSet:
    """Return the first `--limit` questions of the set; without a set those of the program.

    Raises AppError as `question_sets.load`, and "bad_option".
    """
    found = eval_sets.load(options.file, where, output) if options.file else question_sets.shipped()
    if options.limit is None:
        return found
    commands.check_limit("--limit", options.limit, 1, 1 << 20)
    return dataclasses.replace(found, questions=found.questions[: options.limit])


def asking_of(
    options: argparse.Namespace, questions: QuestionSet, judge: LocalModel | None, where: Paths
) -> AnswerParameters:
    """Return the parameters of the options. `judge`: from `judge_of`.

    Raises AppError: bad_option, unknown_preset, and as `_rated`.
    """
    commands.check_limit("--seeds", options.seeds, 1, 100)
    commands.check_limit("--temperature", options.temperature, 0, 5)
    commands.check_limit("--max-tokens", options.max_tokens, 1, 1 << 20)
    commands.check_limit("--context", options.context, 256, 1 << 20)
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
    """Return people's scores. Raises AppError("ratings_without_judge"), and as `read_ratings`."""
    if not options.ratings:
        return ()
    if not options.judge:
        raise AppError("ratings_without_judge")
    numbers = {one.id: number for number, one in enumerate(questions.questions, start=1)}
    found = read_ratings(Path(options.ratings).expanduser(), questions.questions, Output(options.json))
    return tuple(RatedAnswer(numbers[one.question.id], one.answer, one.human or 0) for one in found.cases)


# ------------------------------------------------------------------------ commands


def _questions(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Return the exit status as `eval_run.run_study`."""
    adapters = [
        command_request.choose_adapter(one, where.runs, run_folders.find_folder) for one in options.adapter or ()
    ]
    models = [model_registry.choose_model(one, where) for one in options.model]
    models = models or [_base(None, next((one for one in adapters if one.run is not None), None), where)]
    judge = judge_of(options, where)
    asked = documents_of(options.collection, where) if options.collection else None
    questions = questions_of(options, where, output)
    # the models are compared, so none is replaced by quotes
    documents = dataclasses.replace(asked, may_quote=False) if asked else None
    contenders = []
    for model in models:
        for tuned, tuning in [tuned_by(model, one, where.documents) for one in adapters] or [
            compared_systems.with_card_adapter(model)
        ]:
            contenders.append(compared_systems.compared_system(tuned, tuning, documents))
    kind = "bases" if len(models) > 1 else "questions"
    study = _study(options, kind, questions, compared_systems.assign_ids(contenders), judge, where)
    return eval_run.begin(study, questions, where.evaluations / study.id, where, output)


def _judge(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Measure the judge itself, without asking any system. Return the exit status as `eval_run.run_study`."""
    judge = judge_of(options, where)
    questions = questions_of(options, where, output)
    planning.require_right_answers(questions)
    study = _study(options, "judge", questions, (), judge, where)
    return eval_run.begin(study, questions, where.evaluations / study.id, where, output)


def _documents(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Return the exit status as `eval_run.run_study`."""
    chosen = options.adapter
    adapter = (
        command_request.choose_adapter(chosen, where.runs, run_folders.find_folder) if chosen is not None else None
    )
    model = _base(options.model, adapter, where)
    judge, documents = judge_of(options, where), documents_of(options.collection, where)
    questions = questions_of(options, where, output)
    tuned = (
        tuned_by(model, adapter, where.documents) if adapter is not None else compared_systems.with_card_adapter(model)
    )
    contenders = compared_systems.four_ways(
        model, (tuned[0], tuned[1]) if tuned[1] else None, documents, quotes=excerpts.is_too_small(model)
    )
    study = _study(options, "documents", questions, contenders, judge, where)
    return eval_run.begin(study, questions, where.evaluations / study.id, where, output)


def _study(
    options: argparse.Namespace,
    kind: str,
    questions: QuestionSet,
    contenders: tuple[ComparedSystem, ...],
    judge: LocalModel | None,
    where: Paths,
) -> Study:
    asking = asking_of(options, questions, judge, where)
    return planning.plan_study(where.evaluations, kind, questions, contenders, asking)


def documents_of(names: list[str], where: Paths) -> DocumentScope:
    """Raises AppError as `command_documents.scope_of`."""
    return study_request.documents_of(where.documents, command_documents.scope_of(names, where))


def tuned_by(model: LocalModel, adapter: AdapterChoice, documents: Path) -> tuple[LocalModel, Tuning | None]:
    """Return the model in the adapter's prompt format, and the adapter. Raises AppError as
    `command_request.in_form_of_run`.
    """
    if adapter.use is None:
        return model, None
    name = command_request.run_name(adapter.run) if adapter.run else compared_systems.adapter_name(adapter.use.path)
    label = lineage.lineage_of_adapter(Path(adapter.use.path)).label_now(documents)
    return command_request.in_form_of_run(model, adapter), Tuning(adapter.use.path, adapter.use.strength, name, label)


def _base(wanted: str | None, adapter: AdapterChoice | None, where: Paths) -> LocalModel:
    """Return the wanted model, or else the base of the adapter's run, or else the window's model."""
    if wanted is not None or adapter is None or adapter.run is None:
        return model_registry.choose_model(wanted, where)
    store = Store.open(where.database, where.backups)
    try:
        return command_request.base_model_of(adapter.run, store.local_models())
    finally:
        store.close()


SHOWN_RATINGS = 20  # on the terminal
RATING_REASONS = ("not_score", "no_answer", "unknown_question")


def read_ratings(path: Path, questions: Sequence[Question], output: Output) -> Ratings:
    """Read people's scores; print how many count, and the rows that do not with the reason.

    Raises AppError as `human_ratings.read`.
    """
    found = human_ratings.read(path, questions)
    output.note("evaluation.ratings_used", name=path.name, count=len(found.cases))
    empty = sum(row.reason == "not_rated" for row in found.skipped)
    if empty:
        output.note("evaluation.ratings_empty", count=empty)
    wrong = [row for row in found.skipped if row.reason != "not_rated"]
    for row in wrong[:SHOWN_RATINGS]:
        output.note("evaluation.ratings_skipped", line=row.line, reason=_rating_reason(row))
    if len(wrong) > SHOWN_RATINGS:
        output.note("evaluation.ratings_skipped_more", count=len(wrong) - SHOWN_RATINGS)
    return found


def _rating_reason(row: SkippedRating) -> str:
    reason = phrase(
        f"evaluation.rating_{row.reason}" if row.reason in RATING_REASONS else f"common.data_bad.{row.reason}"
    )
    return phrase("evaluation.questions_reason_detail", reason=reason, detail=row.detail) if row.detail else reason
