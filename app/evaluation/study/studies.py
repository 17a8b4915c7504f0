"""Store studies: what each compares over which questions, in a folder of its own from which it can always resume.

`study.json` and `questions.jsonl` are written once, at the start; everything else in the folder is a result.
`results.json` holds all that was measured, for the report and the window. Removed studies are in `.bin` next to the
folders, and can be restored.
"""

import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.base import authenticity, invisible_characters, json_lines
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.output_file import drive_error, drive_errors, write_atomically
from app.base.wording import phrase, unique_name
from app.chat.presets import Choices
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation import question_files
from app.evaluation.records import Evaluation, QuestionSet, ReportSection, System, SystemResult
from app.inference.local_model import LocalModel

if TYPE_CHECKING:
    import filelock

VERSION = 1
KINDS = ("questions", "documents", "bases", "quantizations", "thinking", "scale", "judge")
STUDY, QUESTIONS, LOCK, BIN = "study.json", "questions.jsonl", "lock", ".bin"
ANSWERS, LIKELIHOODS, MODELS, RUNS = "answers", "likelihoods", "models", "runs"
_NAMED = 5  # number of ids that the error for an ambiguous name lists
JUDGED, RESULTS, REPORT = "judged.jsonl", "results.json", "report.html"


@dataclass(frozen=True, slots=True)
class ComparedSystem:
    """A system and how it is asked. `model`: its file may be a MadeModel that does not exist yet.

    `may_quote`: a model below a billion parameters is not asked; the documents are quoted instead, as the app does.
    `family`: systems with the same tokenizer; their divergence from the first of them is measured; "": none.
    """

    system: System
    model: LocalModel
    scope: tuple[CollectionRef, ...] = ()
    may_quote: bool = True
    family: str = ""
    label: Label = "internal"  # highest label of the collections that are asked and of the model's training data
    documents_sha256: str = ""  # as `study_preflight.documents_sha256`; "": unknown
    thought_tokens: int | None = None  # as in Choices; None: as the study's choices say


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A file that is made before a system can use it.

    `form`: "folder" (a GGUF as a publisher's folder), or a name of QUANTIZATIONS. `source`: a folder for F16, else a
    GGUF file; with an `adapter` the F16 file is merged. `is_shared`: other studies and runs use it too; otherwise it is
    deleted when nothing needs it any more.
    """

    path: str
    form: str
    source: str
    adapter: str = ""
    is_shared: bool = False
    size_bytes: int = 0  # approximate
    strength: float = 1.0  # strength of the adapter
    adapter_sha256: str = ""  # as in System
    source_form: str = ""  # for a "folder": quantization and hash of the GGUF
    source_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """A run whose folder has its spec. `rows`: number of training rows.

    `is_control`: it has as many steps as the largest run.
    """

    folder: str
    rows: int
    seed: int
    is_control: bool = False


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """An answer to the question `number` (from 1) with a person's score (0 to 3), to check the judge against."""

    number: int
    answer: str
    score: int


@dataclass(frozen=True, slots=True)
class Study:
    """A study as it was started. The folder holds the questions; `set_*` identify their question set.

    `choices`: the settings of answers, such as temperature; what they leave open comes from the model card. They and
    `context_tokens` are the same for every system.
    `judge`: None: there is none. `has_likelihoods`: the likelihood of the references is measured.
    """

    id: str  # name of its folder
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
    has_pairs: bool = False  # the judge is also shown pairs of answers
    has_likelihoods: bool = False
    made: tuple[MadeModel, ...] = ()
    trainings: tuple[Training, ...] = ()
    created_at: float = 0.0  # seconds since 1970 (UTC)

    def contender(self, system_id: str) -> ComparedSystem:
        return next(one for one in self.contenders if one.system.id == system_id)

    def is_tuned(self, system: ComparedSystem) -> bool:
        """Return whether a system has an adapter or a merged file; the study's first system is the base alone."""
        return bool(system.system.adapter) or system.system.model != self.contenders[0].system.model


def create(folder: Path, study: Study, questions: QuestionSet) -> None:
    """Make the folder of a new study. Raises AppError("evaluation_unwritable" | "drive_space")."""
    with drive_errors(folder, "evaluation_unwritable"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (ANSWERS, LIKELIHOODS, MODELS):
            (folder / name).mkdir(mode=0o700)
        write_atomically(folder / QUESTIONS, question_files.to_lines(questions.questions))
        data = {"version": VERSION, **json.loads(json_lines.encode_line(study))}
        raw = json.dumps(data, ensure_ascii=False, indent=1).encode("utf-8", "replace")
        authenticity.write_registered(folder / STUDY, raw)


def read(folder: Path) -> Study:
    """Read a study. Raises AppError: evaluation_damaged, evaluation_from_elsewhere.

    A study from another machine is refused because it names files to make and delete, and its answers and verdicts may
    be forged.
    """
    try:
        raw = strict_json.read_bytes(folder / STUDY)
        data = json_lines.parse_object(raw)
        if data.pop("version", None) != VERSION:
            raise ValueError("another version")
        found = json_lines.convert_message(data, {"Study": Study})
    except (OSError, ValueError) as error:
        raise AppError("evaluation_damaged", id=folder.name, reason=str(error)[:200]) from error
    if not authenticity.is_content_written_by_kotae(STUDY, raw):
        raise AppError("evaluation_from_elsewhere", id=folder.name)
    return dataclasses.replace(
        found,
        name=invisible_characters.to_single_line(found.name),
        set_name=invisible_characters.to_single_line(found.set_name),
    )


def questions_of(folder: Path, study: Study) -> QuestionSet:
    """Read the questions of a study; there may be none if it asks no system. Raises AppError("evaluation_damaged")."""
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
    """A study in the list. `study` None: its files are damaged.

    `state`: running | finished | waiting (it can be resumed).
    """

    id: str
    folder: Path
    study: Study | None
    state: str


def list_all(evaluations: Path) -> list[StudyEntry]:
    """Return all studies, newest first."""
    try:
        folders = [folder for folder in evaluations.iterdir() if (folder / STUDY).is_file()]
    except OSError:  # no study was ever made
        return []
    return [_entry(folder) for folder in sorted(folders, key=lambda folder: folder.name, reverse=True)]


def find(evaluations: Path, reference: str) -> StudyEntry:
    """Find a study by its id or name, or by a part of one.

    Raises AppError("evaluation_unknown" | "evaluation_ambiguous").
    """
    known = list_all(evaluations)
    names = {one.id: {one.id, one.study.name if one.study else one.id} for one in known}
    found = [one for one in known if reference in names[one.id]]
    if not found and reference.strip():
        part = reference.strip().casefold()
        found = [one for one in known if any(part in name.casefold() for name in names[one.id])]
    if not found:
        raise AppError("evaluation_unknown", wanted=reference)
    if len(found) > 1:
        ids = [one.id for one in found[:_NAMED]]
        if len(found) > _NAMED:
            ids.append(phrase("evaluation.eval_more", count=len(found) - _NAMED))
        raise AppError("evaluation_ambiguous", wanted=reference, count=len(found), known=" / ".join(ids))
    return found[0]


def lock(folder: Path) -> "filelock.BaseFileLock":
    """Lock a study until the lock is released. Raises AppError("evaluation_busy" | "evaluation_unwritable")."""
    import filelock  # here, because commands wait for this module, and most only read studies

    try:
        return work_folder.acquire_lock(folder / LOCK)
    except filelock.Timeout as error:
        raise AppError("evaluation_busy", id=folder.name) from error
    except OSError as error:
        raise drive_error(error, folder, "evaluation_unwritable") from error


def remove(entry: StudyEntry) -> Path:
    """Move a study into the bin, and mark it as deleted now; return its folder there.

    Raises AppError("evaluation_busy" | "evaluation_unwritable").
    """
    # checks that no process works on the study; not every operating system can move a folder with an open file
    lock(entry.folder).release()
    place = _move(entry.folder, entry.folder.parent / BIN / entry.id)
    work_folder.mark_deleted(place, time.time())
    return place


def restore(evaluations: Path, reference: str) -> StudyEntry:
    """Restore a study that `find` finds in the bin. Raises AppError as `find` and `remove`."""
    found = find(evaluations / BIN, reference)
    folder = _move(found.folder, evaluations / found.id)
    work_folder.unmark_deleted(folder)
    return _entry(folder)


def free_name(evaluations: Path, name: str) -> str:
    """Return the name, with a number appended if a study already has it, even one in the bin."""
    return free_names(evaluations, [name])[0]


def free_names(evaluations: Path, names: Iterable[str]) -> list[str]:
    """Return `free_name` of each name."""
    taken = {one.study.name for one in (*list_all(evaluations), *list_all(evaluations / BIN)) if one.study}
    return [unique_name(name, taken) for name in names]


def _move(folder: Path, target: Path) -> Path:
    with drive_errors(folder, "evaluation_unwritable"):
        target.parent.mkdir(mode=0o700, exist_ok=True)
        return folder.rename(target)


def _entry(folder: Path) -> StudyEntry:
    study: Study | None
    try:
        study = read(folder)
    except AppError:
        study = None
    return StudyEntry(folder.name, folder, study, state_of(folder))


def state_of(folder: Path) -> str:
    """Return the state of a study: running | finished | waiting."""
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
    """Write the results and their report to results.json in the study's folder, and return its path.

    Raises AppError("evaluation_unwritable" | "drive_space").
    """
    path = folder / RESULTS
    raw = json_lines.encode_line(_Results(RESULTS_VERSION, evaluation, tuple(sections)))
    with drive_errors(folder, "evaluation_unwritable"):
        authenticity.write_registered(path, raw)
    return path


def read_results(folder: Path) -> tuple[Evaluation, tuple[ReportSection, ...]]:
    """Read the results of a study; the report's sections are in the language in which they were written.

    Raises AppError: evaluation_damaged, evaluation_from_elsewhere (measured on another machine).
    """
    try:
        raw = strict_json.read_bytes(folder / RESULTS)
        data = strict_json.loads(raw, in_parts=True)
        if not isinstance(data, dict) or data.get("version") != RESULTS_VERSION:
            raise ValueError("another version")
        # System by system, as one long call would hold up the window.
        evaluation = data.get("evaluation")
        if not isinstance(evaluation, dict) or not isinstance(systems := evaluation.get("systems"), list):
            raise ValueError("no systems")
        evaluation["systems"] = []
        found = json_lines.convert_message(data, {"_Results": _Results})
        results = tuple(json_lines.convert(one, SystemResult) for one in systems)
        _check_results(found.evaluation.questions, results)
    except (OSError, ValueError, TypeError) as error:
        raise AppError("evaluation_damaged", id=folder.name, reason=str(error)[:200]) from error
    if not authenticity.is_content_written_by_kotae(RESULTS, raw):
        raise AppError("evaluation_from_elsewhere", id=folder.name)
    return dataclasses.replace(found.evaluation, systems=results), found.sections


def _check_results(questions: QuestionSet, results: Iterable[SystemResult]) -> None:
    """Check that each answer belongs to a known question, because the tables rely on it. Raises ValueError."""
    known = {question.id for question in questions.questions}
    if any(row.question_id not in known for result in results for row in result.rows):
        raise ValueError("an answer to no question")
