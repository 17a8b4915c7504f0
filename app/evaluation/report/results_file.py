"""`results.json` in a study's folder: all that was measured, for the report, the window and whoever comes later."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import authenticity, json_lines
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import drive_error
from app.evaluation.report_parts import Section
from app.evaluation.results import Evaluation
from app.evaluation.study.study import RESULTS

VERSION = 1


@dataclass(frozen=True, slots=True)
class _Results:
    version: int
    evaluation: Evaluation
    sections: tuple[Section, ...]


def write(evaluation: Evaluation, sections: Sequence[Section], folder: Path) -> Path:
    """Raises AppError("evaluation_unwritable" | "drive_space")."""
    path = folder / RESULTS
    raw = json_lines.encode_line(_Results(VERSION, evaluation, tuple(sections)))
    try:
        authenticity.write_registered(path, raw)
    except OSError as error:
        raise drive_error(error, folder, "evaluation_unwritable") from error
    return path


def read(folder: Path) -> tuple[Evaluation, tuple[Section, ...]]:
    """Sections are in the language in which they were written. Raises AppError: evaluation_damaged;
    evaluation_from_elsewhere for what was not measured here."""
    try:
        raw = strict_json.read_bytes(folder / RESULTS)
        data = strict_json.loads(raw)
        if not isinstance(data, dict) or data.get("version") != VERSION:
            raise ValueError("another version")
        found: _Results = json_lines.decode_message(data, {"_Results": _Results})
        _check(found.evaluation)
    except (OSError, ValueError, TypeError) as error:
        raise AppError("evaluation_damaged", id=folder.name, reason=str(error)[:200]) from error
    if not authenticity.is_registered(RESULTS, raw):
        raise AppError("evaluation_from_elsewhere", id=folder.name)
    return found.evaluation, found.sections


def _check(evaluation: Evaluation) -> None:
    """What the tables rely on: each answer is of a known question. Raises ValueError."""
    known = {question.id for question in evaluation.questions.questions}
    if any(row.question_id not in known for result in evaluation.systems for row in result.rows):
        raise ValueError("an answer to no question")
