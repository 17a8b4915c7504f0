"""What can be compared here, and what a wish still lacks. No Qt; what needs a look at files is told by a forecast."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from app.evaluation.services import study_wish
from app.evaluation.services.study_making import StudyWish
from app.evaluation.study import scale_limits
from app.evaluation.study.quant_plan import PAPER_FORMS
from app.inference.local_model import LocalModel
from app.inference.quantizations import QUANTIZATIONS
from app.models import base_models, local_models

KINDS = ("documents", "models", "quantizations", "scale")  # to choose from; models: a study of bases or questions
WHOLE = ("F16", "BF16", "F32")  # forms that others are made of without the training environment
ALWAYS = "F16"  # what the other forms are compared with
OFFERED = tuple(name for name in QUANTIZATIONS if name != "BF16")
PAPER = tuple(PAPER_FORMS.split(","))
_SIZE_MOST = 10_000_000  # rows


@dataclass(frozen=True, slots=True)
class There:
    """What there is to choose from. `splits` None: they are still looked for."""

    models: Sequence[LocalModel]
    sets: int
    collections: int
    splits: int | None
    has_trainer: bool


def obstacle(kind: str, there: There) -> str:
    """Why it cannot be chosen; "": it can. `kind`: one of KINDS."""
    models = answering(there.models)
    if not models:
        return "no_model"
    match kind:
        case "documents" if not there.sets:
            return "no_set"
        case "documents" if not there.collections:
            return "no_collection"
        case "models" if len(models) < 2:
            return "one_model"
        case "quantizations" if not to_quantize(models, has_trainer=there.has_trainer):
            return "no_environment"
        case "scale" if not there.has_trainer:
            return "no_environment"
        case "scale" if there.splits is None:
            return "looking"
        case "scale" if not there.splits:
            return "no_split"
        case "scale" if not to_train(models):
            return "no_base"
    return ""


def problem(wish: StudyWish) -> str:
    """What is to be chosen or changed before it can begin; "": nothing."""
    return _missing(wish) or _asking(wish)


def _missing(wish: StudyWish) -> str:
    kind = wish.kind
    if kind == "scale" and not wish.data:
        return "split"
    if kind == "documents" and not wish.question_set:
        return "set"
    if not wish.models:
        return "models" if kind in ("bases", "questions") else "model"
    if kind in ("bases", "questions") and len(wish.models) < 2:
        return "models"
    if kind == "documents" and not wish.scope:
        return "scope"
    if kind == "quantizations" and not set(wish.forms) - {ALWAYS}:
        return "forms"
    return _sizes(wish.sizes) if kind == "scale" and wish.sizes else ""


def _asking(wish: StudyWish) -> str:
    asking = wish.asking
    if asking.seeds > 1 and asking.temperature == 0:
        return "seeds"  # the same answer so often would look like certainty
    return ""


def _sizes(sizes: Sequence[int]) -> str:
    if len(sizes) < scale_limits.LEAST_SIZES or any(one >= other for one, other in itertools.pairwise(sizes)):
        return "sizes_order"
    return "sizes_small" if sizes[0] < scale_limits.LEAST_ROWS else ""


def sizes_of(text: str) -> tuple[int, ...] | None:
    """`50, 100、200` -> numbers of rows; of nothing (). None: something else stands there."""
    words = [word for word in re.split(r"[\s,、]+", unicodedata.normalize("NFKC", text)) if word]
    if not all(re.fullmatch(r"[0-9]{1,8}", word) for word in words):
        return None
    found = tuple(int(word) for word in words)
    return found if all(0 < one <= _SIZE_MOST for one in found) else None


# -------------------------------------------------------------------------- models


def answering(models: Sequence[LocalModel]) -> list[LocalModel]:
    """Without those that only find passages."""
    return [model for model in models if not local_models.is_embedding_model(model)]


def untuned(models: Sequence[LocalModel]) -> list[LocalModel]:
    return [model for model in answering(models) if model.tuned is None]


def to_quantize(models: Sequence[LocalModel], *, has_trainer: bool) -> list[LocalModel]:
    """What is quantized already is turned back by the training environment first."""
    return [model for model in untuned(models) if has_trainer or model.quantization.upper() in WHOLE]


def to_train(models: Sequence[LocalModel]) -> list[LocalModel]:
    return [model for model in untuned(models) if base_models.training_refusal(model) is None]


def tuned_on(base: LocalModel | None, models: Sequence[LocalModel], *, with_merged: bool) -> list[LocalModel]:
    """The newest first. A merged file answers, but can be taken apart no more: it has no other forms."""
    if base is None:
        return []
    found = [one for one in models if one.tuned is not None and (one.adapter or with_merged)]
    of_it = [one for one in found if study_wish.root_of(one, models).id == base.id]
    return sorted(of_it, key=lambda one: one.added_at, reverse=True)


def kind_of_models(chosen: Sequence[LocalModel], models: Sequence[LocalModel]) -> str:
    """bases, or questions where all of them are of one base."""
    return "bases" if len({study_wish.root_of(one, models).id for one in chosen}) > 1 else "questions"


def first_base(models: Sequence[LocalModel], offered: Sequence[LocalModel], current_id: str) -> LocalModel | None:
    """The one that answers in the window, or its base, where it is offered; else the first."""
    current = next((model for model in models if model.id == current_id), None)
    base = study_wish.root_of(current, models) if current is not None else None
    same = [model for model in offered if base is not None and model.id == base.id]
    return next(iter((*same, *offered)), None)
