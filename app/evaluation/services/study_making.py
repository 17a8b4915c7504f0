"""A study of the window: from what was wished for to a folder that can be started, as a command would make it.

What a study will ask and take, before anything of it is made: only what can be known.
"""

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base.paths import Paths
from app.evaluation.records import QuestionSet
from app.evaluation.services import study_wish
from app.evaluation.services.study_wish import StudyWish
from app.evaluation.study import planning, studies, study_steps
from app.evaluation.study.planning import AnswerParameters
from app.evaluation.study.studies import ComparedSystem, Study
from app.inference import gguf, memory_estimate, speed
from app.inference.local_model import FileFingerprint, LocalModel
from app.inference.speed import MachineSpeed, PredictedSpeed
from app.models import catalogue
from app.training.services import training_run
from app.training.services.training_run import Trainer

MARKUP_TOKENS = 64  # of a prompt around its question, at most
_NOT_READ = "0" * 64  # in place of a hash that nobody needs


@dataclass(frozen=True, slots=True)
class StudyForecast:
    """What a study will ask and take, as far as that is known before it begins."""

    systems: int
    questions: int
    answers: int  # of all systems, with every seed
    judged: int = 0  # of these, at most
    disk_bytes: int = 0  # at most at one time: files that are made, or runs with their checkpoints
    free_bytes: int = 0  # of that disk
    trainings: int = 0
    training_s: float = 0.0  # of all, at most: early stopping ends sooner
    is_guessed: bool = False  # `training_s` rests on tokens that were estimated from letters
    names: tuple[str, ...] = ()  # of the systems; (): they are known when the study is made
    quotes: str = ""  # the name of the system that only quotes the documents, if there is one
    most_answering_s: float | None = None  # were every answer as long as it may be; None: nothing was measured here


def forecast(wish: StudyWish, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> StudyForecast:
    """No model is read and nothing stays on the disk. A moment; of "scale" some seconds. Raises AppError as `make`."""
    with study_wish.said_for_a_window():
        known = [_unread(one) for one in models]
        tuned = _unread(wish.tuned) if wish.tuned else None
        asked = dataclasses.replace(wish, models=tuple(map(_unread, wish.models)), tuned=tuned)
        if wish.kind == "scale":
            return _of_scale(asked, paths, known, trainer)
        study, questions = study_wish.planned(asked, paths, known)
        require_trainer(study, paths, trainer)
        source = study_wish.root_of(asked.models[0], known)
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
            most_answering_s=_seconds(study.contenders, len(study.seeds), wish.asking, questions, source, paths),
        )


def require_trainer(study: Study, paths: Paths, trainer: Trainer | None) -> None:
    """Of files that only it can make. Raises AppError("no_training_environment")."""
    if any(one.form in ("folder", "F16") for one in study.made):
        trainer_of(trainer, paths)


def trainer_of(trainer: Trainer | None, paths: Paths) -> Trainer:
    """None: it was not there when it was looked for. Raises AppError("no_training_environment")."""
    return trainer or training_run.locate_trainer(paths.data)


def _unread(model: LocalModel) -> LocalModel:
    """With a mark of its file as it is now, so that nobody reads gigabytes to know its hash."""
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


def _of_scale(wish: StudyWish, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> StudyForecast:
    from app.evaluation.study import scale_plan, scale_subsets  # numpy

    asked = study_wish.scale_of(wish, paths)
    trainer_of(trainer, paths)
    material = scale_subsets.nested_subsets(Path(wish.data), wish.sizes)
    paths.evaluations.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".forecast-", dir=paths.evaluations) as folder:
        # Without the trainer's command: to ask it would take half a minute.
        planned = scale_plan.trainings_of(Path(folder) / "study", asked, material, paths, models)
    systems = 1 + len(material.subsets) if asked.questions else 0
    count = len(asked.questions.questions) if asked.questions else 0
    most_s = None
    if asked.questions:
        (base,) = wish.models
        found = _seconds_of(base, base, wish.asking, asked.questions, paths, has_documents=False)
        most_s = systems * found if found is not None else None
    return StudyForecast(
        systems=systems,
        questions=count,
        answers=systems * count,
        judged=systems * count if wish.asking.judge else 0,
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
    """Of all answers; None where the speed of one of the systems is not known. What is quoted is there at once."""
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
    """Of every question once. `source`: what the model's file is made of, where it is not there yet: an answer takes
    as much longer as there is more to read."""
    is_there = Path(model.path).is_file()
    file = model if is_there else source
    found = _measured(file) or _predicted(file, asking.context_tokens, paths)
    if found is None:
        return None
    factor = 1.0 if is_there else model.size_bytes / max(1, file.size_bytes)
    count = len(questions.questions)
    own = len(asking.preset.system_prompt or "") + MARKUP_TOKENS
    prompt_tokens = sum(len(one.text) + own for one in questions.questions)  # a letter is one token at most, about
    if has_documents:
        prompt_tokens = count * max(0, asking.context_tokens - asking.max_tokens)
    return prompt_tokens / found.prompt + factor * count * asking.max_tokens / found.answer


def _measured(model: LocalModel) -> PredictedSpeed | None:
    """The slower of two ways in which it was measured."""
    found = [PredictedSpeed(one["prompt"], one["answer"]) for one in (model.speeds or {}).values()]
    sound = [one for one in found if one.prompt > 0 and one.answer > 0]
    return min(sound, key=lambda one: one.answer, default=None)


def _predicted(model: LocalModel, context_tokens: int, paths: Paths) -> PredictedSpeed | None:
    """None before this machine was measured. Raises AppError for a damaged file."""
    here: MachineSpeed | None = speed.load(paths.data / speed.FILE_NAME)
    if here is None:
        return None
    header = gguf.check_model(Path(model.path), every_token=False)
    card = catalogue.load().card(model.card_id)
    needed = memory_estimate.estimate_memory(header, context_tokens)
    return speed.predict(here, needed, header.parameters, card.active_share if card else 1.0)


__all__ = ["StudyForecast", "StudyWish", "forecast", "make"]


def make(wish: StudyWish, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> Path:
    """The folder of the new study. `models`: the whole list. Slow: files may be hashed.

    Raises AppError: wish_*, and what is wrong with the questions, the models, the data or the disk.
    """
    with study_wish.said_for_a_window():
        if wish.kind == "scale":
            return _scale(wish, paths, models, trainer)
        study_wish.require_files(wish)
        study, questions = study_wish.planned(wish, paths, models)
        planning.require_room(study, paths.data)
        require_trainer(study, paths, trainer)
        folder = paths.evaluations / study.id
        studies.create(folder, study, questions)
        return folder


def _scale(wish: StudyWish, paths: Paths, models: Sequence[LocalModel], trainer: Trainer | None) -> Path:
    from app.evaluation.study import scale_plan, scale_subsets  # numpy

    asked = study_wish.scale_of(wish, paths)
    trainer = trainer_of(trainer, paths)
    material = scale_subsets.nested_subsets(Path(wish.data), wish.sizes)
    command = trainer.command if trainer.can_judge else None  # the fake cannot plan
    return scale_plan.create_scale_study(asked, material, paths, models, command, trainer.converter)[0]
