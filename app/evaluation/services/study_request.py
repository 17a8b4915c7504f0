"""What the user wants to compare, as the window asks for it, and the study that the command line would make of it."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base.errors import AppError
from app.base.paths import Paths
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.retrieval import excerpts
from app.evaluation import question_sets
from app.evaluation.records import QuestionSet
from app.evaluation.study import compared_systems, planning, study_preflight
from app.evaluation.study.compared_systems import DocumentScope, Tuning
from app.evaluation.study.planning import AnswerParameters, QuantizationPlan
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference import quantizations
from app.inference.local_model import LocalModel
from app.models import local_models, model_registry

if TYPE_CHECKING:
    from app.evaluation.study import scale_plan  # numpy, which most starts never need

MOST_SEEDS, MOST_RUNS = 100, 20

# The command line's messages name options, so the window shows others.
_WINDOW_CODES = {
    "pairs_without_judge": "wish_pairs",
    "question_set_unknown": "wish_set_gone",
    "question_set_version": "wish_version_gone",
    "scale_few_rows": "wish_few_rows",
    "scale_sizes_order": "wish_sizes_order",
}


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """What to compare. `models`: rows of the model list; a tuned one may be a base with its adapter.

    * documents: one base, and `tuned`, each with and without `scope`.
    * questions, bases: each row is a system, asked with `scope` or without documents.
    * quantizations: `forms` of one base and of `tuned`; several models are compared as they are.
    * scale: one base is trained on `sizes` rows of `data` (a folder with a frozen split), each size `runs` times.
    """

    kind: str  # documents | questions | bases | quantizations | scale
    asking: AnswerParameters
    question_set: str = ""  # NAME or NAME@VERSION of a stored set; "": the shipped questions, or for scale the hold-out
    limit: int | None = None  # number of questions from the start; None: all
    models: tuple[LocalModel, ...] = ()
    scope: tuple[CollectionRef, ...] = ()
    forms: tuple[str, ...] = ()  # (): those of the paper
    data: str = ""
    sizes: tuple[int, ...] = ()  # rows, ascending; (): shares of all rows
    runs: int = 3
    has_control: bool = True
    training_preset: str = ""
    tuned: LocalModel | None = None


def study_of_request(request: StudyRequest, paths: Paths, models: Sequence[LocalModel]) -> tuple[Study, QuestionSet]:
    """Return the study of any kind but scale, and its questions, without writing anything. Raises AppError as
    `make`.
    """
    require_complete(request)
    questions = questions_of(request, paths)
    asking, evaluations, kind = request.asking, paths.evaluations, request.kind
    others: dict[str, Any] = {}
    if kind == "quantizations":
        study = planning.plan_study(evaluations, kind, questions, (), asking)
        found = _quantization_plan(request, paths.evaluations / study.id, paths, models)
        contenders = found.contenders
        others = {"id": study.id, "made": found.made, "has_likelihoods": planning.has_likelihoods(questions)}
    elif kind == "documents":
        contenders = _documents_systems(request, documents_of(paths.documents, request.scope), models)
    else:
        kind = "bases" if len({root_of(row, models).id for row in request.models}) > 1 else "questions"
        contenders = _row_systems(request, paths, models)
    study = planning.plan_study(evaluations, kind, questions, contenders, asking, **others)
    if planning.repeats_itself(study):
        code = "wish_repeats" if asking.temperature is not None else "wish_repeats_of_card"
        raise AppError(code, count=asking.seeds)
    return study, questions


def questions_of(request: StudyRequest, paths: Paths) -> QuestionSet:
    """Return the questions of the study. Raises AppError as `question_sets.find`."""
    found = (
        question_sets.find(paths.questions, request.question_set) if request.question_set else question_sets.shipped()
    )
    return dataclasses.replace(found, questions=found.questions[: request.limit])


def documents_of(database: Path, scope: tuple[CollectionRef, ...]) -> DocumentScope:
    """Return the scope with its current label and the hash by which a later change is noticed. `database`: of the
    documents.
    """
    return DocumentScope(
        scope,
        collection_lookup.current_label_of_scope(database, scope),
        sha256=study_preflight.documents_sha256(database, scope),
    )


def root_of(row: LocalModel, models: Sequence[LocalModel]) -> LocalModel:
    """Return the base of a tuned row if the list has it, else the row itself."""
    return model_registry.base_of(row, models) or row


# -------------------------------------------------------------------------- checks


def require_complete(request: StudyRequest) -> None:
    """Check all that needs no file to be read. Raises AppError: wish_*, model_missing."""
    asking = request.asking
    numbers = (
        (asking.seeds, 1, MOST_SEEDS),
        (asking.temperature, 0, 5),
        (asking.max_tokens, 1, 1 << 20),
        (asking.context_tokens, 256, 1 << 20),
        (request.limit, 1, 1 << 20),
        (request.runs, 1, MOST_RUNS),
    )
    for value, low, high in numbers:
        if value is not None and not low <= value <= high:
            raise AppError("wish_number", value=f"{value:g}", low=f"{low:,}", high=f"{high:,}")
    if not request.models:
        raise AppError("wish_models")
    if request.kind == "documents" and not request.scope:
        raise AppError("wish_collections")
    if request.kind in ("documents", "scale") and len(request.models) > 1:
        raise AppError("wish_one_model")
    for row in (*request.models, *filter(None, (request.tuned, asking.judge))):
        if local_models.is_embedding_model(row):
            raise AppError("wish_for_search", name=row.name)
        if row.remote is not None:
            raise AppError("remote_cannot", address=model_registry.server_address(row))
        if not Path(row.path).is_file():
            raise AppError("model_missing", path=row.path)


def require_files(request: StudyRequest) -> None:
    """Check that bases and adapters still are those that were combined. May read whole files.

    Raises AppError as `model_registry.require_unchanged`.
    """
    for row in filter(None, (*request.models, request.tuned, request.asking.judge)):
        model_registry.require_unchanged(row)


@contextmanager
def window_messages() -> Iterator[None]:
    """Replace errors that name options of the command line, which mean nothing in the window."""
    try:
        yield
    except AppError as error:
        if error.code not in _WINDOW_CODES:
            raise
        raise AppError(_WINDOW_CODES[error.code], **error.facts) from error


# ------------------------------------------------------------------------- systems


def _row_systems(request: StudyRequest, paths: Paths, models: Sequence[LocalModel]) -> tuple[ComparedSystem, ...]:
    """Return each row as a system. The models are compared, so none is replaced by quotes of the documents."""
    documents = None
    if request.scope:
        documents = dataclasses.replace(documents_of(paths.documents, request.scope), may_quote=False)
    found = [compared_systems.compared_system(*_in_use(row, models), documents) for row in request.models]
    return compared_systems.assign_ids(found)


def _documents_systems(
    request: StudyRequest, documents: DocumentScope, models: Sequence[LocalModel]
) -> tuple[ComparedSystem, ...]:
    """Return base and tuned model, each with and without documents."""
    (row,) = request.models
    base, tuned = _base_and_tuned(row, request.tuned, models)
    use = _in_use(tuned or base, models)
    is_tuned = tuned is not None or use[1] is not None
    return compared_systems.four_ways(base, use if is_tuned else None, documents, quotes=excerpts.is_too_small(base))


def _quantization_plan(
    request: StudyRequest, folder: Path, paths: Paths, models: Sequence[LocalModel]
) -> QuantizationPlan:
    """Plan the quantizations. `folder`: of the study. Raises AppError: wish_other_base, wish_merged,
    build_unknown_quant.
    """
    if len(request.models) > 1:
        return QuantizationPlan(planning.existing_systems(request.models), ())
    base, row = _base_and_tuned(request.models[0], request.tuned, models)
    tuned = None
    if row is not None:
        model, tuning = _in_use(row, models)
        if tuning is None:
            raise AppError("wish_merged", name=row.name)
        tuned = (model, tuning)
    forms = quantizations.parse_quantizations(",".join(request.forms) or planning.PAPER_FORMS)
    return planning.plan_quantizations(planning.source_of_model(base), forms, tuned, folder, paths.bases)


def _base_and_tuned(
    row: LocalModel, tuned: LocalModel | None, models: Sequence[LocalModel]
) -> tuple[LocalModel, LocalModel | None]:
    """Return the base and what is compared with it: `tuned`, or the row if it is itself a base with an adapter.

    Raises AppError("wish_other_base").
    """
    if row.adapter and tuned is None:
        return _base_of(row, models), row
    base = _base_of(row, models) if row.adapter else row
    if tuned is not None and tuned.adapter and _base_of(tuned, models).path != base.path:
        raise AppError("wish_other_base", name=tuned.name, base=base.name)
    return base, tuned


def _in_use(row: LocalModel, models: Sequence[LocalModel]) -> tuple[LocalModel, Tuning | None]:
    """Return the model and adapter with which the program answers, in the prompt format of the training.

    Raises AppError("tuned_base_gone").
    """
    if not row.adapter or row.tuned is None:
        return compared_systems.with_card_adapter(row)
    base = dataclasses.replace(_base_of(row, models), form_id=row.form_id)
    return base, Tuning(row.adapter, row.tuned.strength, row.tuned.run_name, compared_systems.trained_on(row))


def _base_of(row: LocalModel, models: Sequence[LocalModel]) -> LocalModel:
    found = model_registry.base_of(row, models)
    if found is None:
        base = row.tuned.base_name if row.tuned else row.name
        raise AppError("tuned_base_gone", name=row.name, base=base, path=row.path)
    return found


# --------------------------------------------------------------------------- scale


def scale_of(request: StudyRequest, paths: Paths) -> "scale_plan.ScaleStudy":
    """Return the scale study of a request. Raises AppError: wish_*, and as `questions_of`."""
    from app.evaluation.study import scale_plan  # numpy

    require_complete(request)
    (base,) = request.models
    if base.adapter:
        raise AppError("wish_base_is_tuned", name=base.name)
    if not request.data:
        raise AppError("wish_data")
    if request.asking.judge is not None and not request.question_set:
        raise AppError("wish_judge_alone")
    questions = questions_of(request, paths) if request.question_set else None
    asking = dataclasses.replace(request.asking, has_pairs=False)
    return scale_plan.ScaleStudy(
        asking, base.id, request.training_preset or None, request.runs, request.has_control, questions
    )
