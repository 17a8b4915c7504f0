"""Create the study of a request, for the window and the command line alike, and forecast its time and disk space.

The forecast reads no model and writes nothing; it contains only what can be computed before the start.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.files import output_file
from app.base.paths import Paths
from app.evaluation.records import QuestionSet
from app.evaluation.study import planning, studies, study_steps
from app.evaluation.study import request as study_request
from app.evaluation.study.request import AdaptedModel, AnswerParameters, RequestedModel, StudyRequest
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference import gguf, memory_estimate, speed
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.speed import MachineSpeed, PredictedSpeed
from app.models import catalogue
from app.training.services import training_run
from app.training.services.training_run import Trainer

MARKUP_TOKENS = 64  # upper limit of the prompt's markup around the question
_NOT_READ = "0" * 64  # in place of a hash, which the forecast does not need


@dataclass(frozen=True, slots=True)
class StudyForecast:
    """The answers, time and disk space that a study will take, as far as they can be computed before the start."""

    systems: int
    questions: int
    answers: int  # number of answers of all systems, with every seed
    judged: int = 0  # upper limit of the answers that are judged
    disk_bytes: int = 0  # peak use: files that are made, or runs with their checkpoints
    free_bytes: int = 0  # free space on the disk of the study
    trainings: int = 0
    training_s: float = 0.0  # upper limit for all trainings, because early stopping may end them sooner
    is_guessed: bool = False  # `training_s` rests on token counts estimated from characters
    names: tuple[str, ...] = ()  # names of the systems; () if they are not known before the study is made
    quotes: str = ""  # name of the system that only quotes the documents; "" if there is none
    # seconds for answering if every answer had the maximal length; None: no speed was measured on this machine
    most_answering_s: float | None = None


def forecast(
    request: StudyRequest, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None
) -> StudyForecast:
    """Forecast a study without reading a model; "scale" takes some seconds. Raises AppError as `make`."""
    with _window_messages():
        known = [_with_quick_fingerprint(model) for model in models]
        tuned = _choice_with_quick_fingerprint(request.tuned) if request.tuned else None
        unread_request = dataclasses.replace(
            request, models=tuple(map(_choice_with_quick_fingerprint, request.models)), tuned=tuned
        )
        if request.compares == "scale":
            return _scale_forecast(unread_request, paths, known, trainer)
        study, questions = planning.plan(unread_request, paths, known)
        require_trainer(study, paths, trainer)
        source = study_request.root_of(study_request.model_of(unread_request.models[0]), known)
        answers = len(study.contenders) * len(questions.questions) * len(study.seeds)
        return StudyForecast(
            systems=len(study.contenders),
            names=tuple(contender.system.name for contender in study.contenders),
            quotes=next(
                (contender.system.name for contender in study.contenders if contender.scope and contender.may_quote), ""
            ),
            questions=len(questions.questions),
            answers=answers,
            judged=answers if study.judge else 0,
            disk_bytes=study_steps.peak_bytes(study),
            free_bytes=output_file.free_bytes(paths.data),
            most_answering_s=_total_answer_seconds(
                study.contenders, len(study.seeds), request.asking, questions, source, paths
            ),
        )


def require_trainer(study: Study, paths: Paths, trainer: Trainer | None) -> None:
    """Check that a trainer exists if the study needs it to make files. Raises AppError("no_training_environment")."""
    if any(one.form in ("folder", "F16") for one in study.made):
        trainer_of(trainer, paths)


def trainer_of(trainer: Trainer | None, paths: Paths) -> Trainer:
    """Return `trainer`, or locate the trainer if it is None. Raises AppError("no_training_environment")."""
    return trainer or training_run.locate_trainer(paths.data)


def planner_and_converter(trainer: Trainer | None, paths: Paths) -> tuple[Callable[..., list[str]] | None, str]:
    """Return the function for the trainer's command line, and the converter's folder, for `scale_plan.trainings_of`.

    The function is None if the trainer cannot plan. Raises AppError("no_training_environment" | "converter_missing").
    """
    found = trainer_of(trainer, paths)
    return found.command if found.can_judge else None, found.converter  # the fake trainer of tests cannot plan


def _with_quick_fingerprint(model: LocalModel) -> LocalModel:
    """Return the model with a fingerprint of its file's present size and time, without reading the file to hash it."""
    path = Path(model.path)
    try:
        status = path.stat()
    except OSError:
        return model
    sha256 = next((mark.sha256 for mark in model.files[:1]), "") or _NOT_READ
    mark = FileFingerprint(path.name, status.st_size, status.st_mtime_ns, sha256)
    return dataclasses.replace(model, files=(mark, *model.files[1:]))


def _choice_with_quick_fingerprint(requested: RequestedModel) -> RequestedModel:
    return (
        dataclasses.replace(requested, model=_with_quick_fingerprint(requested.model))
        if isinstance(requested, AdaptedModel)
        else _with_quick_fingerprint(requested)
    )


# --------------------------------------------------------------------------- scale


def _scale_forecast(
    request: StudyRequest, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None
) -> StudyForecast:
    from app.evaluation.study import scale_plan, scale_subsets  # imports numpy

    trainer_of(trainer, paths)
    questions = study_request.questions_of(request, paths)
    material = scale_subsets.subsets_of(request)
    paths.evaluations.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".forecast-", dir=paths.evaluations) as folder:
        # Without the trainer's command, because the trainer's plan would take half a minute.
        planned = scale_plan.trainings_of(Path(folder) / "study", request, material, paths, models)
    systems = 1 + len(material.subsets) if questions else 0
    count = len(questions.questions) if questions else 0
    most_s = None
    if questions:
        base = study_request.model_of(request.models[0])
        found = _answer_seconds(base, base, request.asking, questions, paths, has_documents=False)
        most_s = systems * found if found is not None else None
    return StudyForecast(
        systems=systems,
        questions=count,
        answers=systems * count,
        judged=systems * count if request.asking.judge else 0,
        disk_bytes=planned.disk_bytes,
        free_bytes=planned.largest.free_disk_bytes,
        trainings=len(planned.trainings),
        training_s=planned.seconds,
        is_guessed=not planned.largest.counts.is_exact,
        most_answering_s=most_s,
    )


# ---------------------------------------------------------------------------- time


def _total_answer_seconds(
    contenders: Sequence[ComparedSystem],
    seeds: int,
    asking: AnswerParameters,
    questions: QuestionSet,
    source: LocalModel,
    paths: Paths,
) -> float | None:
    """Estimate the seconds that all systems take for all answers; None if the speed of a system is unknown.

    A system that quotes documents takes no time. `seeds`: number of answers to each question. `source`: the model from
    which the systems' files are made, see `_answer_seconds`.
    """
    total = 0.0
    for contender in contenders:
        if contender.scope and contender.may_quote:
            continue
        own = dataclasses.replace(asking, max_tokens=asking.max_tokens + (contender.thought_tokens or 0))
        found = _answer_seconds(contender.model, source, own, questions, paths, has_documents=bool(contender.scope))
        if found is None:
            return None
        total += found * seeds
    return total


def _answer_seconds(
    model: LocalModel,
    source: LocalModel,
    asking: AnswerParameters,
    questions: QuestionSet,
    paths: Paths,
    *,
    has_documents: bool,
) -> float | None:
    """Estimate the seconds that a model takes to answer all questions once; None if the speed is unknown.

    `source`: the model that the model's file is made from. If the file does not exist yet, its answers take longer in
    proportion to its size.
    """
    is_there = Path(model.path).is_file()
    file = model if is_there else source
    found = _measured(file) or _predicted(file, asking.context_tokens, paths)
    if found is None:
        return None
    factor = 1.0 if is_there else model.size_bytes / max(1, file.size_bytes)
    count = len(questions.questions)
    own = len(asking.preset.system_prompt or "") + MARKUP_TOKENS
    # about one token for each character at most
    prompt_tokens = sum(len(question.text) + own for question in questions.questions)
    if has_documents:
        prompt_tokens = count * max(0, asking.context_tokens - asking.max_tokens)
    return prompt_tokens / found.prompt + factor * count * asking.max_tokens / found.answer


def _measured(model: LocalModel) -> PredictedSpeed | None:
    """Return the slowest speed measured for the model; None if there is none."""
    found = [PredictedSpeed(one["prompt"], one["answer"]) for one in (model.speeds or {}).values()]
    sound = [one for one in found if one.prompt > 0 and one.answer > 0]
    return min(sound, key=lambda one: one.answer, default=None)


def _predicted(model: LocalModel, context_tokens: int, paths: Paths) -> PredictedSpeed | None:
    """Predict a model's speed from the machine's; None if that was not measured. Raises AppError for a damaged file."""
    here: MachineSpeed | None = speed.load(paths.data / speed.FILE_NAME)
    if here is None:
        return None
    header = gguf.check_model(Path(model.path), every_token=False)
    card = catalogue.card(model.card_id)
    needed = memory_estimate.estimate_memory(header, context_tokens)
    return speed.predict(here, needed, header.parameters, card.active_share if card else 1.0)


# -------------------------------------------------------------------------- making


def make(request: StudyRequest, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> Path:
    """Create the study that the window requests and return its folder. Slow: files may be hashed.

    `models`: all models of the list. Raises AppError: wish_*, and for anything wrong with the questions, the models,
    the data or the disk.
    """
    asking = request.asking
    if asking.name:
        name = studies.free_name(paths.evaluations, asking.name)
        request = dataclasses.replace(request, asking=dataclasses.replace(asking, name=name))
    with _window_messages():
        if request.compares != "scale":
            return create_study(request, paths, models, trainer)[0]
        from app.evaluation.study import scale_plan, scale_subsets  # imports numpy

        planner, material = planner_and_converter(trainer, paths), scale_subsets.subsets_of(request)
        return scale_plan.create_scale_study(request, material, paths, models, *planner)[0]


def create_study(
    request: StudyRequest, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None
) -> tuple[Path, int]:
    """Create the study of any request but "scale"; return its folder and the most bytes of the files that it makes.

    Raises AppError as `planning.plan`, `require_files`, `planning.require_room`, `require_trainer` and
    `studies.create`.
    """
    study_request.require_files(request)
    study, questions = planning.plan(request, paths, models)
    most = planning.require_room(study, paths.data)
    require_trainer(study, paths, trainer)
    folder = paths.evaluations / study.id
    studies.create(folder, study, questions)
    return folder, most


# errors whose messages name options of the command line, and the errors that the window shows instead
_WINDOW_CODES = {
    "pairs_without_judge": "wish_pairs",
    "question_set_unknown": "wish_set_gone",
    "question_set_version": "wish_version_gone",
    "scale_few_rows": "wish_few_rows",
    "scale_sizes_order": "wish_sizes_order",
}


@contextmanager
def _window_messages() -> Iterator[None]:
    """Replace errors whose messages name options of the command line, which mean nothing in the window."""
    try:
        yield
    except AppError as error:
        if error.code not in _WINDOW_CODES:
            raise
        raise AppError(_WINDOW_CODES[error.code], **error.facts) from error
