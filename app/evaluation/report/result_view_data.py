"""What the window draws out of an evaluation, as frozen values; `app.evaluation.report.result_view_model` makes them.

Nothing here loads numpy: the window imports it when it starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.base.errors import AppError
from app.documents.retrieval import excerpts
from app.evaluation.records import Question, ReportSection, ReportTable, System
from app.inference.local_model import LocalModel
from app.models import local_models


@dataclass(frozen=True, slots=True)
class Span:
    """A mean, or a mean difference, with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SystemViewData:
    """`mean`, `span`: of what systems are compared by; None: nothing has a value, or too little for an interval.

    `perfect`, `citation`: shares, 0 to 1. `abstained`: of how many answers to questions that the documents do not
    answer. `counts`: of answers by their score, from the lowest; () where none has one.
    """

    system: System
    mean: float | None = None
    span: Span | None = None
    perfect: float | None = None
    citation: float | None = None
    abstained: tuple[int, int] | None = None
    seconds: float | None = None  # a question
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemDifference:
    """`second` minus `first`, names of systems. `span`: what decides; None: of too few questions.

    `verdict`: on the second: better | worse | unclear | few.
    """

    first: str
    second: str
    mean: float
    span: Span | None
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class AnswerViewData:
    """`system`: its number, from 0. `detail`: seed, seconds, and what became of it where it is no plain answer."""

    system: int
    text: str
    detail: tuple[str, ...]
    score: int | None  # the judge's
    reason: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuestionViewData:
    """`means`: of each system, by what systems are compared by. `spread`: between the best and the worst of them."""

    question: Question
    means: tuple[float | None, ...]
    spread: float
    answers: tuple[AnswerViewData, ...]


@dataclass(frozen=True, slots=True)
class ResultViewData:
    """`measure`: judge | score; "": nothing has a value. `doubt`: why the judge is not to be believed; "": it is.

    `advice`: its first sentence is the verdict. `advised`: the system that it names; None: none.
    `has_judged_counts`: SystemShown.counts are of the judge's scores 0 to 3; else of the rules' in four steps.
    """

    kind: str  # of study.KINDS
    measure: str
    most: float  # the best value of the measure
    digits: int  # of its means
    resamples: int
    least_units: int  # questions, for an interval
    advice: tuple[str, ...]
    advised: System | None
    doubt: str
    systems: tuple[SystemViewData, ...]
    differences: tuple[SystemDifference, ...]
    notes: tuple[str, ...]  # on the differences
    has_judged_counts: bool
    categories: ReportTable | None
    sections: tuple[ReportSection, ...]
    questions: tuple[QuestionViewData, ...]


def model_of_system(system: System, models: Sequence[LocalModel]) -> LocalModel | None:
    """The model of the list that answers as this system did, documents aside; None: there is none.

    Where documents are quoted the model writes nothing, so that its adapter does not matter.
    """
    of_file = sorted((model for model in models if _has_file(model, system)), key=lambda model: bool(model.adapter))
    return next((model for model in of_file if system.is_quoted or _has_adapter(model, system)), None)


def use_obstacle(system: System, models: Sequence[LocalModel]) -> AppError | None:
    """Why no model of the list answers as this system did; None: one does.

    system_not_listed | system_without_adapter (the program never leaves out the one of the card) |
    system_adapter_not_listed (the model is there, but not together with this adapter at this strength) |
    system_quoted_instead (it was asked of documents, where the program quotes for a model that small).
    """
    row = model_of_system(system, models)
    base = next((model for model in models if _has_file(model, system) and not model.adapter), None)
    found = row or base
    if found is None:
        return AppError("system_not_listed", name=system.name, model=system.model_name)
    facts = {"name": system.name, "model": found.name}
    if row is None and system.adapter:
        return AppError("system_adapter_not_listed", **facts)
    if system.collections and not system.is_quoted and excerpts.is_known_too_small(found):
        return AppError("system_quoted_instead", **facts)
    return AppError("system_without_adapter", **facts) if row is None else None


def _has_file(model: LocalModel, system: System) -> bool:
    sha256 = next((mark.sha256 for mark in model.files[:1]), "")
    return model.path == system.model or bool(sha256 and sha256 == system.model_sha256)


def _has_adapter(model: LocalModel, system: System) -> bool:
    """Also with the adapter of its card, with which the program answers where the model has none of its own."""
    if model.adapter and model.tuned is not None:
        path, sha256, strength = model.adapter, model.tuned.adapter_sha256, model.tuned.strength
    else:
        shipped = local_models.adapter_of(model)
        path, sha256, strength = (str(shipped.path) if shipped else "", "", 1.0)
    if not system.adapter or not path:
        return system.adapter == path
    is_same = path == system.adapter or bool(sha256 and sha256 == system.adapter_sha256)
    return is_same and abs(strength - system.strength) < 1e-6
