"""Define what a user wants to compare, for the window and `kotae eval` alike, and check that it can be compared.

`planning.plan` and `scale_plan.create_scale_study` make the study of a request. The checks here read no model, and
nothing here imports numpy, so that the dialog can check at every key press.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat import presets
from app.chat.presets import Choices
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation import question_sets
from app.evaluation.records import QuestionSet
from app.evaluation.study import compared_systems
from app.evaluation.study.compared_systems import AdapterInUse
from app.evaluation.study.studies import RatedAnswer
from app.inference.local_model import LocalModel
from app.models import local_models, model_registry
from app.training.runs import lineage

# Lowest and highest value of each number of a request.
LIMITS = {
    "seeds": (1, 100),
    "temperature": presets.LIMITS["temperature"],
    "max_tokens": presets.LIMITS["max_tokens"],
    "context_tokens": (256, 1 << 20),
    "limit": (1, 1 << 20),
    "runs": (1, 20),
}
MAX_TOKENS = 512  # default length of an answer in tokens; shorter than the chat's 1,024, so that a loop ends sooner
SCALE_RUNS = 3  # default runs for each size, because chance alone can separate two runs as far as two sizes
LEAST_SCALE_ROWS = 10  # least number of rows in a subset
LEAST_SCALE_SIZES = 2
PAPER_FORMS = "F16,Q8_0,Q6_K,Q5_K_M,Q4_K_M"


@dataclass(frozen=True, slots=True)
class AnswerParameters:
    """The parameters with which all systems are asked, and the judge. `name` "": the name of the question set.

    `temperature` None: greedy decoding; with several seeds the temperature of the preset or of the model's card.
    """

    name: str = ""
    seeds: int = 1  # number of answers to each question
    temperature: float | None = None
    max_tokens: int = MAX_TOKENS
    context_tokens: int = 4096
    preset: Choices = field(default_factory=Choices)
    judge: LocalModel | None = None
    judge_preset: str = "kotae"
    rated: tuple[RatedAnswer, ...] = ()
    has_pairs: bool = False  # the judge is also shown pairs of answers

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", invisible_characters.to_single_line(self.name))  # shown on one line in lists


@dataclass(frozen=True, slots=True)
class AdaptedModel:
    """A model in the prompt format in which it is asked, with an adapter. `tuning` None: without any adapter."""

    model: LocalModel
    tuning: AdapterInUse | None


# A LocalModel is asked as the app asks it: with the adapter of its row in the model list, or of its model card.
RequestedModel = LocalModel | AdaptedModel


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """A comparison that a user requests. The models are rows of the model list or other files.

    * documents: one base, and `tuned`, each with and without `scope`.
    * models: each is a system, asked with `scope` or without documents.
    * thinking: one model that can think before it answers, without and with its thoughts.
    * quantizations: `forms` of one base and of `tuned`; several models are compared as they are.
    * scale: one base is trained on several amounts of `data`, each amount `runs` times.
    * judge: nothing is asked; only the judge is measured.
    """

    compares: str  # documents | models | thinking | quantizations | scale | judge; "": nothing yet
    asking: AnswerParameters
    question_set: str = ""  # NAME or NAME@VERSION of a stored set; "": the shipped questions, or for scale the hold-out
    questions: QuestionSet | None = None  # questions that were already read, instead of a stored set
    limit: int | None = None  # number of questions from the start; None: all
    models: tuple[RequestedModel, ...] = ()
    base: str = ""  # instead of a model: the publisher's folder to quantize, or what `base_models.resolve_base` takes
    tuned: RequestedModel | None = None
    scope: tuple[CollectionRef, ...] = ()
    forms: tuple[str, ...] = ()  # quantizations; (): those of the paper
    data: str = ""  # a folder with a frozen split, or a file of rows
    sizes: tuple[int, ...] = ()  # numbers of rows, ascending; (): shares of all rows
    runs: int = SCALE_RUNS
    has_control: bool = True
    training_preset: str = ""
    allows_remote: bool = False  # compared models may be on servers: the user agrees that the questions are sent there

    def kind(self, models: Sequence[LocalModel]) -> str:
        """Return the kind of the study, one of `studies.KINDS`.

        A comparison of models is of kind "bases" if they have several bases, else "questions". `models`: all models of
        the list.
        """
        if self.compares != "models":
            return self.compares
        return "bases" if len({root_of(model_of(one), models).path for one in self.models}) > 1 else "questions"

    def problems(self) -> Iterator[AppError]:
        """Yield what is missing or wrong in the request, as far as no file has to be read."""
        yield from self._missing_parts()
        yield from self._numbers()
        for row in self.rows():
            if local_models.is_for_search(row):
                yield AppError("wish_for_search", name=row.name)
            may_be_remote = self.allows_remote and self.compares == "models" and row is not self.asking.judge
            if row.remote is not None and not may_be_remote:
                yield AppError("remote_cannot", address=model_registry.server_address(row))

    def rows(self) -> list[LocalModel]:
        """Return all models of the request, the judge last."""
        return [model_of(one) for one in (*self.models, self.tuned, self.asking.judge) if one is not None]

    def _missing_parts(self) -> Iterator[AppError]:
        if self.compares == "scale" and not self.data:
            yield AppError("wish_data")
        if not self.models and not self.base and self.compares != "judge":
            yield AppError("wish_models")
        if self.compares == "documents" and not self.scope:
            yield AppError("wish_collections")
        if self.compares in ("documents", "scale", "thinking") and len(self.models) > 1:
            yield AppError("wish_one_model")
        if self.compares == "thinking":
            for row in map(model_of, self.models):
                if not local_models.thinking_of(row):
                    yield AppError("model_cannot_think", name=row.name)
        if self.compares == "scale":
            tuned = next((one for one in map(model_of, self.models) if one.adapter), None)
            if tuned is not None:
                yield AppError("wish_base_is_tuned", name=tuned.name)
            if self.asking.judge is not None and not (self.question_set or self.questions):
                yield AppError("wish_judge_alone")

    def _numbers(self) -> Iterator[AppError]:
        asking = self.asking
        for name, (low, high) in LIMITS.items():
            value = getattr(asking if hasattr(asking, name) else self, name)
            if value is not None and not low <= value <= high:
                yield AppError("wish_number", value=f"{value:g}", low=f"{low:,}", high=f"{high:,}")
        error = find_sizes_problem(self.sizes) if self.sizes else None
        if error is not None:
            yield error
        if asking.seeds > 1 and asking.temperature == 0:  # equal answers would look like certainty
            yield AppError("wish_repeats", count=asking.seeds)


def find_sizes_problem(sizes: Sequence[int]) -> AppError | None:
    """Return what is wrong with the sizes of a scale study, whatever its data; None if nothing is."""
    if len(sizes) < LEAST_SCALE_SIZES or any(one >= other for one, other in itertools.pairwise(sizes)):
        return AppError("scale_sizes_order", sizes=", ".join(map(str, sizes)))
    if sizes[0] < LEAST_SCALE_ROWS:
        return AppError("scale_size_small", size=sizes[0], least=LEAST_SCALE_ROWS)
    return None


def require_complete(request: StudyRequest) -> None:
    """Check that the request is complete. Raises the first of `problems`, or AppError("model_missing")."""
    for error in request.problems():
        raise error
    for row in request.rows():
        if row.path and row.remote is None and not Path(row.path).is_file():  # a folder to quantize has no file
            raise AppError("model_missing", path=row.path)


def require_files(request: StudyRequest) -> None:
    """Check that base and adapter of each tuned model have not changed since they were combined. May read whole files.

    Raises AppError as `model_registry.require_unchanged`.
    """
    for row in request.rows():
        model_registry.require_unchanged(row)


def questions_of(request: StudyRequest, where: Paths) -> QuestionSet | None:
    """Return the questions; None: only the loss on the hold-out is measured.

    Raises AppError as `question_sets.find`.
    """
    found = request.questions
    if found is None and request.question_set:
        found = question_sets.find(where.questions, request.question_set)
    elif found is None and request.compares != "scale":
        found = question_sets.shipped()
    return dataclasses.replace(found, questions=found.questions[: request.limit]) if found is not None else None


# -------------------------------------------------------------------------- models


def model_of(requested: RequestedModel) -> LocalModel:
    return requested.model if isinstance(requested, AdaptedModel) else requested


def root_of(row: LocalModel, models: Sequence[LocalModel]) -> LocalModel:
    """Return the base of a tuned model if the list has the base, else the model itself."""
    listed = row if row.tuned else next((one for one in models if one.path == row.path and not one.adapter), row)
    return model_registry.base_of(listed, models) or row


def base_of(row: LocalModel, models: Sequence[LocalModel]) -> LocalModel:
    """Return the model that a model with an adapter is based on. Raises AppError("tuned_base_gone")."""
    found = model_registry.base_of(row, models)
    if found is None:
        base = row.tuned.base_name if row.tuned else row.name
        raise AppError("tuned_base_gone", name=row.name, base=base, path=row.path)
    return found


def with_adapter(
    requested: RequestedModel, models: Sequence[LocalModel], documents: Path
) -> tuple[LocalModel, AdapterInUse | None]:
    """Return the model in the prompt format in which it is asked, and its adapter. Raises AppError("tuned_base_gone").

    `documents`: the documents database, which gives the current label of the training data.
    """
    if isinstance(requested, AdaptedModel):
        return requested.model, requested.tuning
    if not requested.adapter or requested.tuned is None:
        return compared_systems.with_card_adapter(requested)
    base = dataclasses.replace(base_of(requested, models), form_id=requested.form_id)
    label = lineage.lineage_of_model(requested).label_now(documents)
    return base, AdapterInUse(requested.adapter, requested.tuned.strength, requested.tuned.run_name, label)


def base_and_tuned(request: StudyRequest, models: Sequence[LocalModel]) -> tuple[LocalModel, RequestedModel | None]:
    """Return the base, and the model compared with it: `tuned`, or the requested model if it has an adapter, or None.

    Raises AppError("wish_other_base" | "tuned_base_gone").
    """
    row, tuned = model_of(request.models[0]), request.tuned
    base = base_of(row, models) if row.adapter else row
    if tuned is None:
        return base, row if row.adapter else None
    if isinstance(tuned, LocalModel) and tuned.adapter and base_of(tuned, models).path != base.path:
        raise AppError("wish_other_base", name=tuned.name, base=base.name)
    return base, tuned
