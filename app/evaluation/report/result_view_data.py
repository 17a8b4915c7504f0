"""Hold the data that the window shows of an evaluation; `result_view_model` builds it.

Nothing here imports numpy, because the window imports this module when it starts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.base.errors import AppError
from app.base.plots import PlotEstimate
from app.documents.retrieval import excerpts
from app.evaluation.records import Question, ReportSection, ReportTable, System
from app.inference.local_model import LocalModel
from app.models import local_models


@dataclass(frozen=True, slots=True)
class SystemViewData:
    """A system as the window shows it.

    `mean`, `span`: mean by the compared measure, and its interval; None: no value, or too few for an interval.
    `perfect`, `citation`: shares, 0 to 1. `abstained`: for unanswerable questions the number of abstentions and of
    answers; None: there are no such questions. `counts`: number of answers by score, lowest first; () if no answer has
    a score.
    """

    system: System
    mean: float | None = None
    span: PlotEstimate | None = None
    perfect: float | None = None
    citation: float | None = None
    abstained: tuple[int, int] | None = None
    seconds: float | None = None  # mean for one question
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemDifference:
    """The difference of two systems' means, `second` minus `first`. `span`: its interval; None: too few questions.

    `verdict`: whether the second is better | worse | unclear | few (too few questions).
    """

    first: str
    second: str
    mean: float
    span: PlotEstimate | None
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class AnswerViewData:
    """An answer. `system`: its name. `detail`: seed, seconds, and the verdict if it is not "answered"."""

    system: str
    text: str
    detail: tuple[str, ...]
    score: int | None  # the judge's score; None: no score
    reason: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuestionViewData:
    """A question. `means`: mean of each system by the compared measure. `spread`: the highest minus the lowest mean.

    `list_answers`: returns all answers; their texts are made only for the question that is shown.
    """

    question: Question
    means: tuple[float | None, ...]
    spread: float
    list_answers: Callable[[], tuple[AnswerViewData, ...]]


@dataclass(frozen=True, slots=True)
class ResultViewData:
    """All data of the result view.

    `measure`: judge | score; "": no answer has a value. `doubt`: why the judge is not trusted; "": the judge is
    trusted, or there is none. `advice`: its first sentence is the verdict. `advised`: the recommended system; None:
    none. `has_judged_counts` True: SystemViewData.counts count the judge's scores 0 to 3; False: they count the rules'
    scores in four steps.
    """

    kind: str  # one of studies.KINDS
    measure: str
    most: float  # highest possible value of the measure
    digits: int  # number of decimals of the measure's means
    resamples: int
    least_units: int  # least number of questions for an interval
    advice: tuple[str, ...]
    advised: System | None
    doubt: str
    systems: tuple[SystemViewData, ...]
    differences: tuple[SystemDifference, ...]
    notes: tuple[str, ...]  # notes on the differences
    has_judged_counts: bool
    categories: ReportTable | None
    sections: tuple[ReportSection, ...]
    questions: tuple[QuestionViewData, ...]


def model_of_system(system: System, models: Sequence[LocalModel]) -> LocalModel | None:
    """Return the model of the list that answers as this system did, apart from documents; None if there is none.

    For a system that only quotes documents the adapter does not matter, because the model writes nothing.
    """
    of_file = sorted((model for model in models if _has_file(model, system)), key=lambda model: bool(model.adapter))
    return next((model for model in of_file if system.is_quoted or _has_adapter(model, system)), None)


def use_obstacle(system: System, models: Sequence[LocalModel]) -> AppError | None:
    """Return why no model of the list answers as this system did; None if one does.

    * system_not_listed: the list has no model with this file
    * system_without_adapter: the app always uses the adapter of the model card
    * system_adapter_not_listed: the model is listed, but not with this adapter at this strength
    * system_quoted_instead: the system answered from documents, which the app only quotes for a model this small
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
    """Return whether a model has the system's adapter; a model without its own uses the adapter of its model card."""
    if model.adapter and model.tuned is not None:
        path, sha256, strength = model.adapter, model.tuned.adapter_sha256, model.tuned.strength
    else:
        shipped = local_models.adapter_of(model)
        path, sha256, strength = (str(shipped.path) if shipped else "", "", 1.0)
    if not system.adapter or not path:
        return system.adapter == path
    is_same = path == system.adapter or bool(sha256 and sha256 == system.adapter_sha256)
    return is_same and abs(strength - system.strength) < 1e-6
