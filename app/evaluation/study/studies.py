"""A study: what is compared over which questions, in a folder of its own, from which it goes on after any end.

Written once, when it begins (`study.json`, `questions.jsonl`); everything else in the folder is a result. What was
removed is in `.bin` beside the folders, and can be restored.

`results.json` in a study's folder: all that was measured, for the report, the window and whoever comes later.
"""

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock

from app.base import authenticity, invisible_characters, json_lines
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.day_record import DayRecord
from app.base.files.output_file import drive_error, write_atomically
from app.base.wording import phrase
from app.chat.organizer import BIN_DAYS
from app.chat.presets import Choices
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation import question_files
from app.evaluation.records import Evaluation, QuestionSet, ReportSection, System
from app.inference.local_model import LocalModel

VERSION = 1
KINDS = ("questions", "documents", "bases", "quantizations", "scale", "judge")
STUDY, QUESTIONS, LOCK, BIN = "study.json", "questions.jsonl", "lock", ".bin"
ANSWERS, LIKELIHOODS, MODELS, RUNS = "answers", "likelihoods", "models", "runs"
_NAMED = 5  # of those that a part of a name stands for
JUDGED, RESULTS, REPORT = "judged.jsonl", "results.json", "report.html"


@dataclass(frozen=True, slots=True)
class ComparedSystem:
    """A system and how it is asked. `model`: its file may be one that is `MadeModel` first.

    `may_quote`: a model below a billion parameters is not asked, but the documents are quoted, as the program does.
    `family`: systems of one tokenizer, whose divergence from the first of them is measured; "": from none.
    """

    system: System
    model: LocalModel
    scope: tuple[CollectionRef, ...] = ()
    may_quote: bool = True
    family: str = ""
    label: Label = "internal"  # the highest of the collections that are asked and of what the model was trained on
    documents_sha256: str = ""  # `unchanged.documents_sha256` of them; "": not known


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A file that is made before it is asked. `form`: "folder" (a GGUF as a publisher's folder), or one of
    `quantizations.FORMS`. `source`: a folder for F16, else a GGUF file; with an `adapter` F16 is merged.

    `is_shared`: of other studies and runs too; otherwise it is deleted when nothing waits for it any more.
    """

    path: str
    form: str
    source: str
    adapter: str = ""
    is_shared: bool = False
    size_bytes: int = 0  # about
    strength: float = 1.0  # of the adapter
    adapter_sha256: str = ""  # as of System
    source_form: str = ""  # of a "folder": the quantization that the GGUF had, and the hash by which it is known again
    source_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """A run (`app.training.runs.run_folders`) whose folder has its spec. `is_control`: as many steps as the largest
    one.
    """

    folder: str
    rows: int
    seed: int
    is_control: bool = False


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """An answer with a person's score, 0 to 3, with which the judge's is compared. `number`: the question's, from 1."""

    number: int
    answer: str
    score: int


@dataclass(frozen=True, slots=True)
class Study:
    """`questions` of the set are in the folder, and `set_*` say which set it was.

    `choices`, `context_tokens`: the same for every system; what `choices` leave open is the model card's.
    `judge`: None: nobody judges. `has_likelihoods`: of the references.
    """

    id: str  # its folder's name
    name: str
    kind: str  # one of KINDS
    set_name: str
    set_version: int
    set_sha256: str
    label: Label
    contenders: tuple[ComparedSystem, ...]
    seeds: tuple[int, ...]
    choices: Choices
    context_tokens: int
    judge: LocalModel | None = None
    judge_preset: str = "kotae"
    rated: tuple[RatedAnswer, ...] = ()
    has_pairs: bool = False  # the judge is also shown two answers at a time
    has_likelihoods: bool = False
    made: tuple[MadeModel, ...] = ()
    trainings: tuple[Training, ...] = ()
    created_at: float = 0.0  # seconds since 1970 (UTC)

    def contender(self, system_id: str) -> ComparedSystem:
        return next(one for one in self.contenders if one.system.id == system_id)

    def is_tuned(self, one: ComparedSystem) -> bool:
        """In a study whose first system is the base alone: whether it answers with an adapter, or is a merged file."""
        return bool(one.system.adapter) or one.system.model != self.contenders[0].system.model


def create(folder: Path, study: Study, questions: QuestionSet) -> None:
    """Raises AppError("evaluation_unwritable" | "drive_space"), also where somebody was a moment before us."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (ANSWERS, LIKELIHOODS, MODELS):
            (folder / name).mkdir(mode=0o700)
        write_atomically(folder / QUESTIONS, question_files.to_lines(questions.questions))
        told = {"version": VERSION, **json.loads(json_lines.encode_line(study))}
        raw = json.dumps(told, ensure_ascii=False, indent=1).encode("utf-8", "replace")
        authenticity.write_registered(folder / STUDY, raw)
    except OSError as error:
        raise drive_error(error, folder, "evaluation_unwritable") from error


def read(folder: Path) -> Study:
    """Raises AppError: evaluation_damaged; evaluation_from_elsewhere for one that was not made here: it names files
    that would be made and deleted, and its answers and verdicts are anybody's."""
    try:
        raw = strict_json.read_bytes(folder / STUDY)
        data = strict_json.parse_object(raw)
        if data.pop("version", None) != VERSION:
            raise ValueError("another version")
        found: Study = json_lines.decode_message(data, {"Study": Study})
    except (OSError, ValueError) as error:
        raise AppError("evaluation_damaged", id=folder.name, reason=str(error)[:200]) from error
    if not authenticity.is_registered(STUDY, raw):
        raise AppError("evaluation_from_elsewhere", id=folder.name)
    return dataclasses.replace(
        found,
        name=invisible_characters.to_single_line(found.name),
        set_name=invisible_characters.to_single_line(found.set_name),
    )


def questions_of(folder: Path, study: Study) -> QuestionSet:
    """There may be none where nobody is asked. Raises AppError("evaluation_damaged")."""
    try:
        raw = strict_json.read_bytes(folder / QUESTIONS)
        is_empty = not raw and not study.contenders
        questions = () if is_empty else question_files.from_lines(raw, f"{folder.name}/{QUESTIONS}")
    except (OSError, AppError) as error:
        raise AppError("evaluation_damaged", id=folder.name, reason=str(error)[:200]) from error
    return QuestionSet(study.set_name, study.set_version, study.set_sha256, questions, study.label)


# ------------------------------------------------------------------------- folders


@dataclass(frozen=True, slots=True)
class StudyEntry:
    """One of the list. `study` None: damaged. `state`: running | finished | waiting (it can be gone on with)."""

    id: str
    folder: Path
    study: Study | None
    state: str


def list_all(evaluations: Path) -> list[StudyEntry]:
    """Newest first."""
    try:
        folders = [folder for folder in evaluations.iterdir() if (folder / STUDY).is_file()]
    except OSError:  # none was ever made
        return []
    return [_entry(folder) for folder in sorted(folders, key=lambda folder: folder.name, reverse=True)]


def find(evaluations: Path, wanted: str) -> StudyEntry:
    """By id, name, or a part of them that only one has. Raises AppError("evaluation_unknown" | "…_ambiguous")."""
    known = list_all(evaluations)
    names = {one.id: {one.id, one.study.name if one.study else one.id} for one in known}
    found = [one for one in known if wanted in names[one.id]]
    if not found and wanted.strip():
        part = wanted.strip().casefold()
        found = [one for one in known if any(part in name.casefold() for name in names[one.id])]
    if not found:
        raise AppError("evaluation_unknown", wanted=wanted)
    if len(found) > 1:
        ids = [one.id for one in found[:_NAMED]]
        if len(found) > _NAMED:
            ids.append(phrase("evaluation.eval_more", count=len(found) - _NAMED))
        raise AppError("evaluation_ambiguous", wanted=wanted, count=len(found), known=" / ".join(ids))
    return found[0]


def lock(folder: Path) -> filelock.BaseFileLock:
    """Nobody else works on it until it is released. Raises AppError("evaluation_busy" | "evaluation_unwritable")."""
    try:
        return work_folder.acquire_lock(folder / LOCK)
    except filelock.Timeout as error:
        raise AppError("evaluation_busy", id=folder.name) from error
    except OSError as error:
        raise drive_error(error, folder, "evaluation_unwritable") from error


def remove(entry: StudyEntry) -> Path:
    """Moves it into the bin, and gives its place there. Its time there is now.

    Raises AppError("evaluation_busy" | "evaluation_unwritable").
    """
    lock(entry.folder).release()  # nobody works on it; a folder with an open file cannot be moved everywhere
    place = _move(entry.folder, entry.folder.parent / BIN / entry.id)
    work_folder.mark_deleted(place, time.time())
    return place


def restore(evaluations: Path, wanted: str) -> StudyEntry:
    """Out of the bin, as `find` finds it there. Raises AppError as `find` and `remove`."""
    found = find(evaluations / BIN, wanted)
    folder = _move(found.folder, evaluations / found.id)
    work_folder.unmark_deleted(folder)
    return _entry(folder)


def empty_bin(evaluations: Path, record: DayRecord, now: float, days: float = BIN_DAYS) -> int:
    """Deletes for good what was removed so many days ago; gives how many. To be called in the background."""
    return len(work_folder.empty_bin(evaluations, record, now, days))


def free_name(evaluations: Path, name: str) -> str:
    """With a number behind it where there is an evaluation of that name, be it in the bin."""
    taken = {one.study.name for one in (*list_all(evaluations), *list_all(evaluations / BIN)) if one.study}
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _move(folder: Path, target: Path) -> Path:
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        return folder.rename(target)
    except OSError as error:
        raise drive_error(error, folder, "evaluation_unwritable") from error


def _entry(folder: Path) -> StudyEntry:
    study: Study | None
    try:
        study = read(folder)
    except AppError:
        study = None
    return StudyEntry(folder.name, folder, study, state_of(folder))


def state_of(folder: Path) -> str:
    """As of Entry."""
    if work_folder.is_locked(folder / LOCK):
        return "running"
    return "finished" if (folder / RESULTS).is_file() else "waiting"


RESULTS_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Results:
    version: int
    evaluation: Evaluation
    sections: tuple[ReportSection, ...]


def write_results(evaluation: Evaluation, sections: Sequence[ReportSection], folder: Path) -> Path:
    """Raises AppError("evaluation_unwritable" | "drive_space")."""
    path = folder / RESULTS
    raw = json_lines.encode_line(_Results(RESULTS_VERSION, evaluation, tuple(sections)))
    try:
        authenticity.write_registered(path, raw)
    except OSError as error:
        raise drive_error(error, folder, "evaluation_unwritable") from error
    return path


def read_results(folder: Path) -> tuple[Evaluation, tuple[ReportSection, ...]]:
    """Sections are in the language in which they were written. Raises AppError: evaluation_damaged;
    evaluation_from_elsewhere for what was not measured here."""
    try:
        raw = strict_json.read_bytes(folder / RESULTS)
        data = strict_json.loads(raw)
        if not isinstance(data, dict) or data.get("version") != RESULTS_VERSION:
            raise ValueError("another version")
        found: _Results = json_lines.decode_message(data, {"_Results": _Results})
        _check_results(found.evaluation)
    except (OSError, ValueError, TypeError) as error:
        raise AppError("evaluation_damaged", id=folder.name, reason=str(error)[:200]) from error
    if not authenticity.is_registered(RESULTS, raw):
        raise AppError("evaluation_from_elsewhere", id=folder.name)
    return found.evaluation, found.sections


def _check_results(evaluation: Evaluation) -> None:
    """What the tables rely on: each answer is of a known question. Raises ValueError."""
    known = {question.id for question in evaluation.questions.questions}
    if any(row.question_id not in known for result in evaluation.systems for row in result.rows):
        raise ValueError("an answer to no question")
