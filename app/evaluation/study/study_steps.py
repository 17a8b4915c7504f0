"""Find the next step of a study, and its progress, from the files in its folder alone; no other state is kept.

A file is made when a step needs it, and deleted when none does any more: the quantizations of an 8B model would
otherwise take 80 GB. The last part makes the texts whose likelihood the scoring process measures.
"""

import contextlib
import functools
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.chat.batch import journal
from app.chat.batch.journal import BatchAnswer
from app.evaluation.records import Question
from app.evaluation.study import studies
from app.evaluation.study.studies import ComparedSystem, MadeModel, Study, Training
from app.inference import prompts
from app.inference.engine.model_jobs import Quantize
from app.inference.prompts import PromptForm, ScoredText, Segment, Turn
from app.inference.quantizations import QUANTIZATIONS
from app.models.artifact_steps import ArtifactStep
from app.training.runs import run_folders, run_journal
from trainer.convert_job import GgufToHf, HfToGguf, Merge
from trainer.events import Finished

REFERENCE = "reference-"  # beginning of the names of the reference files


@dataclass(frozen=True, slots=True)
class PendingLikelihood:
    """The likelihood of the references under one system, which is still to be measured.

    `makes_reference`: the other systems of the family are compared with this system's result.
    """

    contender: ComparedSystem
    target: Path
    reference: str = ""  # path of the reference file; "": compared with nothing
    makes_reference: bool = False


@dataclass(frozen=True, slots=True)
class PendingAnswers:
    contender: ComparedSystem
    seed: int
    out: Path  # path of the answers' journal (`app.chat.batch.journal`)


def next_step(study: Study, folder: Path, count: int) -> ArtifactStep | None:
    """Return the next step (make | train | likelihood | answers); None if only the judge remains, or nothing.

    `count`: number of questions. The job of a step is a Training, PendingLikelihood or PendingAnswers; that of make is
    a conversion, as in `making_step`.
    """
    for training in study.trainings:
        if not is_trained(training):
            return ArtifactStep("train", Path(training.folder), training, Path(training.folder).name)
    for contender in study.contenders:
        for step in _measuring(study, folder, contender, count):
            return _step_for_missing_file(study, contender.model.path) or step
    return None


def total_steps(study: Study) -> int:
    """Return the number of steps, without those that make files."""
    return len(study.trainings) + len(study.contenders) * (len(study.seeds) + study.has_likelihoods)


def done_steps(study: Study, folder: Path, count: int) -> int:
    """Return the number of `total_steps` that are done. `count`: number of questions."""
    left = sum(not is_trained(training) for training in study.trainings)
    left += sum(len(list(_measuring(study, folder, contender, count))) for contender in study.contenders)
    return total_steps(study) - left


def unneeded_files(study: Study, folder: Path, count: int) -> list[Path]:
    """Return the existing files that no step needs any more. `count`: number of questions."""
    needed: set[str] = set()
    for contender in unfinished_systems(study, folder, count):
        needed.update(_waited_for(study, contender.model.path))
    unshared = [Path(made.path) for made in study.made if not made.is_shared and made.path not in needed]
    references = [
        path for family, path in _references(study, folder).items() if not _is_reference_needed(study, folder, family)
    ]
    return [path for path in (*unshared, *references) if path.exists()]


def delete_unneeded(study: Study, folder: Path, count: int) -> None:
    """Delete files that no step needs any more, and the checkpoints of runs that have ended (a GB each at 8B).

    A file that another process has open (Windows) is deleted the next time.
    """
    sized = {made.path for made in study.made}
    for path in unneeded_files(study, folder, count):
        if str(path) in sized:
            _note_size(path)
        with contextlib.suppress(OSError):
            path.unlink()
    for training in filter(is_trained, study.trainings):
        shutil.rmtree(Path(training.folder) / run_folders.CHECKPOINTS, ignore_errors=True)


def peak_bytes(study: Study) -> int:
    """Estimate the peak disk use of the files that are made, in bytes."""
    sizes, there, most = {made.path: made.size_bytes for made in study.made}, set[str](), 0
    shared = {made.path for made in study.made if made.is_shared}
    for number, contender in enumerate(study.contenders, start=1):
        there |= set(_waited_for(study, contender.model.path, there.__contains__))
        most = max(most, sum(sizes[path] for path in there))
        later = study.contenders[number:]
        there &= shared.union(*(_waited_for(study, one.model.path, there.__contains__) for one in later))
    return most


def unfinished_systems(study: Study, folder: Path, count: int) -> list[ComparedSystem]:
    """Return the systems that still lack answers or likelihoods. `count`: number of questions."""
    return [one for one in study.contenders if next(_measuring(study, folder, one, count), None) is not None]


def files_to_make(study: Study, folder: Path, count: int) -> list[MadeModel]:
    """Return the missing model files that unfinished systems need. `count`: number of questions."""
    paths = {path for one in unfinished_systems(study, folder, count) for path in _waited_for(study, one.model.path)}
    return [one for one in study.made if one.path in paths and not Path(one.path).exists()]


def root_of(study: Study, path: str) -> str:
    """Return the file from which a file is ultimately made; a file that is not made is its own root."""
    made = {one.path: one.source for one in study.made}
    return root_of(study, made[path]) if path in made else path


def is_trained(training: Training) -> bool:
    """Return whether a training has ended.

    Its files are no proof, because the run may have been killed before its end.
    """
    folder = Path(training.folder)
    is_there = (folder / run_folders.HOLDOUT).is_file() and (folder / run_folders.ADAPTER).is_file()
    return is_there and isinstance(run_journal.replay_status(folder).end, Finished)


def answers_path(folder: Path, system_id: str, seed: int) -> Path:
    return folder / studies.ANSWERS / f"{system_id}-{seed}"


def answers_of(folder: Path, system_id: str, seed: int) -> dict[int, BatchAnswer]:
    """Return the answers of a system with one seed, by question number from 1.

    Raises AppError("batch_journal_damaged").
    """
    return journal.journal_answers(answers_path(folder, system_id, seed))


def size_bytes(path: Path) -> int:
    """Return the size in bytes of a file that exists or existed; 0: unknown."""
    try:
        return path.stat().st_size if path.exists() else int(read_regular(_size_file(path), 32))
    except (OSError, ValueError):
        return 0


def likelihood_file(folder: Path, system_id: str) -> Path:
    return folder / studies.LIKELIHOODS / f"{system_id}.json"


def _note_size(path: Path) -> None:
    """Store the size of a file that is about to be deleted; on a full disk the size is lost."""
    with contextlib.suppress(OSError):
        _size_file(path).write_text(str(path.stat().st_size), "ascii")


def _size_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.size")


def _measuring(study: Study, folder: Path, contender: ComparedSystem, count: int) -> Iterator[ArtifactStep]:
    """Yield the measurements of a system that are still missing."""
    system = contender.system
    if study.has_likelihoods:
        is_alone = sum(one.family == contender.family for one in study.contenders) == 1
        reference = None if is_alone else _references(study, folder).get(contender.family)
        is_first = reference is not None and _first_system(study, contender.family) is contender
        target = likelihood_file(folder, system.id)
        is_lost = (
            is_first
            and _is_reference_needed(study, folder, contender.family)
            and not (reference and reference.is_file())
        )
        if not target.is_file() or is_lost:
            pending = PendingLikelihood(contender, target, str(reference or ""), is_first)
            yield ArtifactStep("likelihood", target, pending, system.name)
    for seed in study.seeds:
        path = answers_path(folder, system.id, seed)
        if journal.journal_answer_count(path) < count:  # counts lines, because reading all answers takes seconds
            yield ArtifactStep("answers", path, PendingAnswers(contender, seed, path), system.name)


def _is_reference_needed(study: Study, folder: Path, family: str) -> bool:
    """Return whether the reference file of a family is still needed.

    It is needed until the likelihoods of all systems of the family but the first have been measured.
    """
    others = [one for one in study.contenders if one.family == family and one is not _first_system(study, family)]
    return any(not likelihood_file(folder, one.system.id).is_file() for one in others)


def _references(study: Study, folder: Path) -> dict[str, Path]:
    families = dict.fromkeys(one.family for one in study.contenders if one.family)
    return {family: folder / studies.LIKELIHOODS / f"{REFERENCE}{number}" for number, family in enumerate(families)}


def _first_system(study: Study, family: str) -> ComparedSystem:
    return next(one for one in study.contenders if one.family == family)


def _waited_for(study: Study, path: str, is_there: Callable[[str], bool] = lambda one: Path(one).exists()) -> list[str]:
    """Return the path of a made file and, while a file does not exist, the files from which it is made."""
    sources, found = {one.path: one.source for one in study.made}, list[str]()
    while path in sources:
        found.append(path)
        if is_there(path):
            break
        path = sources[path]
    return found


def _step_for_missing_file(study: Study, path: str) -> ArtifactStep | None:
    """Return the step that makes the next missing file for `path`; None if no file is missing."""
    by_path = {one.path: one for one in study.made}
    absent = [by_path[one] for one in _waited_for(study, path) if not Path(one).exists()]
    return making_step(absent[-1]) if absent else None


def making_step(made_model: MadeModel) -> ArtifactStep:
    """Return the step that makes a model file. Its job converts, merges or quantizes."""
    job: Any
    if made_model.form == "folder":
        job = GgufToHf(made_model.source, made_model.path)
    elif made_model.adapter:
        job = functools.partial(
            Merge, made_model.source, made_model.adapter, made_model.path, strength=made_model.strength
        )
    elif made_model.form == QUANTIZATIONS["F16"].name:
        job = functools.partial(HfToGguf, made_model.source, made_model.path, outtype="f16")
    else:
        job = Quantize(made_model.source, made_model.path, made_model.form)
    path = Path(made_model.path)
    return ArtifactStep("make", path, job, path.name, made_model.size_bytes, is_shared=made_model.is_shared)


@dataclass(frozen=True, slots=True)
class SystemProgress:
    """The progress of one system. `answered`, `questions`: numbers of answers and questions, over all seeds.

    `is_measured`: nothing is left to do.
    """

    id: str
    name: str
    answered: int
    questions: int
    is_measured: bool


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """The progress of a study. `done`, `steps`: numbers of steps, of which the judge is one.

    `state`: running | finished | waiting.
    """

    systems: tuple[SystemProgress, ...]
    trained: int
    trainings: int
    done: int
    steps: int
    state: str

    @property
    def answered(self) -> int:
        """Return the number of answers that all systems together have given."""
        return sum(one.answered for one in self.systems)

    @property
    def answers(self) -> int:
        return sum(one.questions for one in self.systems)


def study_status(study: Study, folder: Path) -> StudyStatus:
    """Return the progress of a study. Takes a moment, because journals are read.

    Raises AppError("evaluation_damaged").
    """
    count = len(studies.questions_of(folder, study).questions)
    left = {system.system.id for system in unfinished_systems(study, folder, count)}
    return StudyStatus(
        tuple(_system_progress(study, folder, count, left)),
        sum(is_trained(training) for training in study.trainings),
        len(study.trainings),
        done_steps(study, folder, count),
        total_steps(study) + (study.judge is not None),
        studies.state_of(folder),
    )


def _system_progress(study: Study, folder: Path, count: int, remaining_ids: set[str]) -> Iterator[SystemProgress]:
    for one in study.contenders:
        id = one.system.id
        answered = sum(min(count, _answered_count(folder, id, seed)) for seed in study.seeds)
        yield SystemProgress(id, one.system.name, answered, count * len(study.seeds), id not in remaining_ids)


def _answered_count(folder: Path, id: str, seed: int) -> int:
    try:
        return journal.journal_answer_count(answers_path(folder, id, seed))
    except AppError:  # resuming the study reports a journal that cannot be read
        return 0


QUESTION_PLACE = "\ue0f2"  # the place of the question in a prompt that is rendered once for all (private use)


def likelihood_texts(questions: Iterable[Question], form: PromptForm, system: str = "") -> tuple[ScoredText, ...]:
    """Return for each question with a reference its prompt without documents, and the reference to score."""
    # the space after "回答:" belongs to the answer, as in training (`trainer.prompt_form`)
    before = form.answer.partition("{text}")[0].removeprefix(form.answer_start) if form.is_completion else ""
    return _scored_texts(questions, lambda text: prompts.build(form, (Turn(text),), system), before)


def rendered_texts(questions: Iterable[Question], segments: Sequence[Segment]) -> tuple[ScoredText, ...]:
    """Return for each question with a reference its prompt in the model's chat template, and the reference to score.

    `segments`: the prompt that the template has made of QUESTION_PLACE, which each question replaces.
    """

    def filled(text: str) -> tuple[Segment, ...]:
        question = text.strip()
        return tuple(Segment(one.text.replace(QUESTION_PLACE, question), one.markup) for one in segments)

    return _scored_texts(questions, filled)


def _scored_texts(
    questions: Iterable[Question], prompt_of: Callable[[str], tuple[Segment, ...]], before: str = ""
) -> tuple[ScoredText, ...]:
    return tuple(
        ScoredText(prompt_of(one.text), before + one.reference, number)
        for number, one in enumerate(questions, start=1)
        if one.reference.strip()
    )
