"""Define the rules of the study dialog, without widgets: what can be compared, what a request lacks, what it takes.

Only checks that read no file are here; the others belong to the forecast.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.base.wording import phrase
from app.documents.records import DocumentCollection
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.services.study_making import StudyForecast
from app.evaluation.study import request as study_request
from app.evaluation.study.planning import UNQUANTIZED
from app.evaluation.study.request import LEAST_SCALE_ROWS, PAPER_FORMS, StudyRequest
from app.inference.local_model import LocalModel
from app.inference.quantizations import QUANTIZATIONS
from app.models import base_models, local_models
from app.training.runs.training_list import SplitChoice
from app.uikit.localization import format_about_time, format_gigabytes, join_facts, join_names, with_note

# choices of the dialog
KINDS = ("documents", "models", "thinking", "quantizations", "scale")
ALWAYS = "F16"  # the format with which the others are compared
OFFERED = tuple(name for name in QUANTIZATIONS if name != "BF16")
PAPER = tuple(PAPER_FORMS.split(","))
_SIZE_MOST = 10_000_000  # limit for a number of rows
# problems of a request for which the dialog has its own texts, by error code; the forecast reports the others
_PROBLEMS = {
    "wish_data": "split",
    "wish_models": "model",
    "wish_collections": "scope",
    "scale_sizes_order": "sizes_order",
    "scale_size_small": "sizes_small",
    "wish_repeats": "seeds",
}


class DialogFiles(NamedTuple):
    """What `StudyDialogModel.look` found in files."""

    sets: list[StoredQuestionSet]  # without damaged ones
    splits: list[SplitChoice]
    study_names: dict[str, str]  # an unused name for each of KINDS
    shipped_count: int  # questions that are shipped with the app
    has_trainer: bool  # there is a training environment


@dataclass(frozen=True, slots=True)
class DialogOffer:
    """The choices of the dialog at the time when it was opened."""

    models: Sequence[LocalModel]
    names: Mapping[str, str]  # distinct names by a model's id
    collections: Sequence[DocumentCollection]
    files: DialogFiles
    context_tokens: int
    current_model_id: str
    missing: frozenset[str] = frozenset()  # ids of models with missing files

    def name(self, model: LocalModel) -> str:
        """Return the model's name, with a × if the model cannot be used; choosing it shows the reason."""
        return f"× {self.names[model.id]}" if self.lack(model) else self.names[model.id]

    def lack(self, model: LocalModel) -> str:
        if model.remote is not None:
            return phrase("evaluation.models_of_servers_in_the")
        return phrase("evaluation.file_missing") if model.id in self.missing else ""

    def facts(self, model: LocalModel) -> str:
        return self.lack(model) or join_facts(
            model.quantization, format_gigabytes(model.size_bytes) if model.size_bytes else ""
        )


def obstacle(kind: str, offer: DialogOffer) -> str:
    """Return the code of the reason why a kind cannot be chosen, which is one of KINDS; "" if it can."""
    models = local_models.answering(offer.models)
    if not models:
        return "no_model"
    match kind:
        case "documents" if not offer.files.sets:
            return "no_set"
        case "documents" if not offer.collections:
            return "no_collection"
        case "models" if len(models) < 2:
            return "one_model"
        case "thinking" if not any(map(local_models.thinking_of, models)):
            return "no_thinking"
        case "quantizations" if not to_quantize(models, has_trainer=offer.files.has_trainer):
            return "no_environment"
        case "scale" if not offer.files.has_trainer:
            return "no_environment"
        case "scale" if not offer.files.splits:
            return "no_split"
        case "scale" if not trainable(models):
            return "no_base"
    return ""


def problem(request: StudyRequest) -> str:
    """Return the code of what must be chosen or changed before the start; "" if nothing must."""
    compares = request.compares
    if compares == "documents" and not request.question_set:
        return "set"
    if compares == "models" and len(request.models) < 2:
        return "models"
    found = (_PROBLEMS.get(error.code, "") for error in request.problems())
    code = next(filter(None, found), "")
    if not code and compares == "quantizations" and not set(request.forms) - {ALWAYS}:
        return "forms"
    return code


def sizes_of(text: str) -> tuple[int, ...] | None:
    """Parse `50, 100、200` as numbers of rows; () for no text, None for anything else."""
    words = [word for word in re.split(r"[\s,、]+", unicodedata.normalize("NFKC", text)) if word]
    if not all(re.fullmatch(r"[0-9]{1,8}", word) for word in words):
        return None
    found = tuple(int(word) for word in words)
    return found if all(0 < one <= _SIZE_MOST for one in found) else None


# -------------------------------------------------------------------------- models


def untuned(models: Sequence[LocalModel]) -> list[LocalModel]:
    return [model for model in local_models.answering(models) if model.tuned is None]


def to_quantize(models: Sequence[LocalModel], *, has_trainer: bool) -> list[LocalModel]:
    """Return the models that can be quantized; a quantized one must be converted back, which needs the trainer."""
    return [model for model in untuned(models) if has_trainer or model.quantization.upper() in UNQUANTIZED]


def trainable(models: Sequence[LocalModel]) -> list[LocalModel]:
    return [model for model in untuned(models) if base_models.training_refusal(model) is None]


def tuned_on(base: LocalModel | None, models: Sequence[LocalModel], *, with_merged: bool) -> list[LocalModel]:
    """Return the tuned models of a base, newest first.

    `with_merged`: include files with a merged adapter, which cannot be quantized in other ways.
    """
    if base is None:
        return []
    found = [one for one in models if one.tuned is not None and (one.adapter or with_merged)]
    of_it = [one for one in found if study_request.root_of(one, models).id == base.id]
    return sorted(of_it, key=lambda one: one.added_at, reverse=True)


def first_base(models: Sequence[LocalModel], offered: Sequence[LocalModel], current_id: str) -> LocalModel | None:
    """Return the base of the model in use, or that model itself, if it is offered; else the first of `offered`."""
    current = next((model for model in models if model.id == current_id), None)
    base = study_request.root_of(current, models) if current is not None else None
    same = [model for model in offered if base is not None and model.id == base.id]
    return next(iter((*same, *offered)), None)


def obstacle_text(code: str) -> str:
    return phrase(f"evaluation.study_obstacle.{code}") if code else ""


def problem_text(code: str) -> str:
    """Return the text of a problem; "" for "". `code`: a code of `problem`, or sizes_form, disk, kind."""
    return phrase(f"evaluation.study_problem.{code}", n=LEAST_SCALE_ROWS) if code else ""


def forecast_text(forecast: StudyForecast, seeds: int) -> str:
    """Return a text on the answers and trainings of a study, and on their time and disk space."""
    return join_facts(
        _answers_text(forecast, seeds), _trainings_text(forecast), _time_text(forecast), _disk_text(forecast)
    )


def systems_text(forecast: StudyForecast) -> str:
    """Return a text with the names of the compared systems, and a note on one that only quotes."""
    names = join_names(forecast.names)
    if not forecast.quotes:
        return names
    sentence = phrase("evaluation.name_shows_the_matching_passages", name=forecast.quotes)
    return f"{names}\n{sentence}"


def _answers_text(forecast: StudyForecast, seeds: int) -> str:
    if not forecast.answers:
        return ""
    text = phrase(
        "evaluation.s_systems_q_questions_r" if seeds > 1 else "evaluation.s_systems_q_questions_a",
        s=f"{forecast.systems:,}",
        q=f"{forecast.questions:,}",
        r=seeds,
        a=f"{forecast.answers:,}",
    )
    judged = phrase("evaluation.n_judged", n=f"{forecast.judged:,}") if forecast.judged else ""
    return with_note(text, judged)


def _trainings_text(forecast: StudyForecast) -> str:
    if not forecast.trainings:
        return ""
    text = phrase("evaluation.n_runs", n=f"{forecast.trainings:,}")
    if not forecast.training_s:
        return text
    most = phrase("evaluation.at_most_time", time=format_about_time(forecast.training_s))
    return with_note(text, most)


def _time_text(forecast: StudyForecast) -> str:
    if forecast.most_answering_s is None or not forecast.answers:
        return ""
    return phrase("evaluation.answering_at_most_time", time=format_about_time(forecast.most_answering_s))


def _disk_text(forecast: StudyForecast) -> str:
    if not forecast.disk_bytes:
        return ""
    return phrase(
        "evaluation.disk_at_most_need_free",
        need=format_gigabytes(forecast.disk_bytes),
        free=format_gigabytes(forecast.free_bytes),
    )
