"""Make a study from a request of the window, as the command line would make it, and forecast what it will take.

The forecast reads no model and makes nothing; it contains only what can be known before.
"""

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base.paths import Paths
from app.evaluation.records import QuestionSet
from app.evaluation.services import study_request
from app.evaluation.services.study_request import StudyRequest
from app.evaluation.study import planning, studies, study_steps
from app.evaluation.study.planning import AnswerParameters
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference import gguf, memory_estimate, speed
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.speed import MachineSpeed, PredictedSpeed
from app.models import catalogue
from app.training.services import training_run
from app.training.services.training_run import Trainer

MARKUP_TOKENS = 64  # upper limit of the prompt's markup around the question
_NOT_READ = "0" * 64  # in place of a hash that the forecast does not need


@dataclass(frozen=True, slots=True)
class StudyForecast:
    """What a study will ask and take, as far as it is known before the start."""

    systems: int
    questions: int
    answers: int  # of all systems, with every seed
    judged: int = 0  # upper limit of the answers that are judged
    disk_bytes: int = 0  # peak use: files that are made, or runs with their checkpoints
    free_bytes: int = 0  # free space on the disk of the study
    trainings: int = 0
    training_s: float = 0.0  # upper limit for all trainings, because early stopping may end them sooner
    is_guessed: bool = False  # `training_s` rests on token counts estimated from characters
    names: tuple[str, ...] = ()  # names of the systems; () if they are not known before the study is made
    quotes: str = ""  # the system that only quotes the documents; "" if there is none
    # if every answer had the maximal length; None: nothing was measured on this machine
    most_answering_s: float | None = None


def forecast(
    request: StudyRequest, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None
) -> StudyForecast:
    """Forecast a study without reading a model or leaving a file; "scale" takes some seconds. Raises AppError as
    `make`.
    """
    with study_request.window_messages():
        known = [_unread(one) for one in models]
        tuned = _unread(request.tuned) if request.tuned else None
        unread_request = dataclasses.replace(request, models=tuple(map(_unread, request.models)), tuned=tuned)
        if request.kind == "scale":
            return _scale_forecast(unread_request, paths, known, trainer)
        study, questions = study_request.study_of_request(unread_request, paths, known)
        require_trainer(study, paths, trainer)
        source = study_request.root_of(unread_request.models[0], known)
        answers = len(study.contenders) * len(questions.questions) * len(study.seeds)
        return StudyForecast(
            systems=len(study.contenders),
            names=tuple(one.system.name for one in study.contenders),
            quotes=next((one.system.name for one in study.contenders if one.scope and one.may_quote), ""),
            questions=len(questions.questions),
            answers=answers,
            judged=answers if study.judge else 0,
            disk_bytes=study_steps.peak_bytes(study),
            free_bytes=_free_bytes(paths.data),
            most_answering_s=_seconds(study.contenders, len(study.seeds), request.asking, questions, source, paths),
        )


def require_trainer(study: Study, paths: Paths, trainer: Trainer | None) -> None:
    """Check for the trainer if the study makes files that only it can make. Raises
    AppError("no_training_environment").
    """
    if any(one.form in ("folder", "F16") for one in study.made):
        trainer_of(trainer, paths)


def trainer_of(trainer: Trainer | None, paths: Paths) -> Trainer:
    """Return the trainer, and look for it if it was not found before. Raises AppError("no_training_environment")."""
    return trainer or training_run.locate_trainer(paths.data)


def _unread(model: LocalModel) -> LocalModel:
    """Return the model with a fingerprint from the file's status, so that no gigabytes are hashed."""
    path = Path(model.path)
    try:
        status = path.stat()
    except OSError:
        return model
    sha256 = next((mark.sha256 for mark in model.files[:1]), "") or _NOT_READ
    mark = FileFingerprint(path.name, status.st_size, status.st_mtime_ns, sha256)
    return dataclasses.replace(model, files=(mark, *model.files[1:]))


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


# --------------------------------------------------------------------------- scale


def _scale_forecast(
    request: StudyRequest, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None
) -> StudyForecast:
    from app.evaluation.study import scale_plan, scale_subsets  # numpy

    scale_request = study_request.scale_of(request, paths)
    trainer_of(trainer, paths)
    material = scale_subsets.nested_subsets(Path(request.data), request.sizes)
    paths.evaluations.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".forecast-", dir=paths.evaluations) as folder:
        # Without the trainer's command, because asking it would take half a minute.
        planned = scale_plan.trainings_of(Path(folder) / "study", scale_request, material, paths, models)
    systems = 1 + len(material.subsets) if scale_request.questions else 0
    count = len(scale_request.questions.questions) if scale_request.questions else 0
    most_s = None
    if scale_request.questions:
        (base,) = request.models
        found = _seconds_of(base, base, request.asking, scale_request.questions, paths, has_documents=False)
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


def _seconds(
    contenders: Sequence[ComparedSystem],
    seeds: int,
    asking: AnswerParameters,
    questions: QuestionSet,
    source: LocalModel,
    paths: Paths,
) -> float | None:
    """Return the seconds of all answers; None if the speed of a system is unknown. Quoting documents takes no time."""
    total = 0.0
    for one in contenders:
        if one.scope and one.may_quote:
            continue
        found = _seconds_of(one.model, source, asking, questions, paths, has_documents=bool(one.scope))
        if found is None:
            return None
        total += found * seeds
    return total


def _seconds_of(
    model: LocalModel,
    source: LocalModel,
    asking: AnswerParameters,
    questions: QuestionSet,
    paths: Paths,
    *,
    has_documents: bool,
) -> float | None:
    """Return the seconds of one answer to every question; None if the speed is unknown.

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
    prompt_tokens = sum(len(one.text) + own for one in questions.questions)
    if has_documents:
        prompt_tokens = count * max(0, asking.context_tokens - asking.max_tokens)
    return prompt_tokens / found.prompt + factor * count * asking.max_tokens / found.answer


def _measured(model: LocalModel) -> PredictedSpeed | None:
    """Return the slowest speed at which the model was measured."""
    found = [PredictedSpeed(one["prompt"], one["answer"]) for one in (model.speeds or {}).values()]
    sound = [one for one in found if one.prompt > 0 and one.answer > 0]
    return min(sound, key=lambda one: one.answer, default=None)


def _predicted(model: LocalModel, context_tokens: int, paths: Paths) -> PredictedSpeed | None:
    """Predict the speed from the machine's; None if the machine was not measured. Raises AppError for a
    damaged file.
    """
    here: MachineSpeed | None = speed.load(paths.data / speed.FILE_NAME)
    if here is None:
        return None
    header = gguf.check_model(Path(model.path), every_token=False)
    card = catalogue.load().card(model.card_id)
    needed = memory_estimate.estimate_memory(header, context_tokens)
    return speed.predict(here, needed, header.parameters, card.active_share if card else 1.0)


__all__ = ["StudyForecast", "StudyRequest", "forecast", "make"]


def make(request: StudyRequest, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> Path:
    """Make the study and return its folder. `models`: all models of the list. Slow: files may be hashed.

    Raises AppError: wish_*, and for anything wrong with the questions, the models, the data or the disk.
    """
    with study_request.window_messages():
        if request.kind == "scale":
            return _scale(request, paths, models, trainer)
        study_request.require_files(request)
        study, questions = study_request.study_of_request(request, paths, models)
        planning.require_room(study, paths.data)
        require_trainer(study, paths, trainer)
        folder = paths.evaluations / study.id
        studies.create(folder, study, questions)
        return folder


def _scale(request: StudyRequest, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> Path:
    from app.evaluation.study import scale_plan, scale_subsets  # numpy

    scale_request = study_request.scale_of(request, paths)
    trainer = trainer_of(trainer, paths)
    material = scale_subsets.nested_subsets(Path(request.data), request.sizes)
    command = trainer.command if trainer.can_judge else None  # the fake trainer of tests cannot plan
    return scale_plan.create_scale_study(scale_request, material, paths, models, command, trainer.converter)[0]
