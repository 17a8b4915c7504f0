"""Write and read files in which people score answers 0 to 3."""

import functools
import random
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base import search_text
from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.files.output_file import check_new_target
from app.base.paths import resources
from app.base.tables import column_mapping, table_writer
from app.base.tables.table_reader import Cell, TableRow
from app.base.wording import phrase
from app.chat.batch import question_table
from app.evaluation.judge import judge_prompt
from app.evaluation.judge.judge_calibration import CalibrationCase
from app.evaluation.records import Evaluation, Question
from app.training.data.duplicates import normalized
from app.training.data.records import shorten

SUFFIXES = (".xlsx", ".csv")
_COLUMNS = ("id", "question", "reference", "answer", "score")
_WIDTHS = (14, 40, 50, 70, 8)
_RUBRIC_WIDTHS = (8, 90)
_SCORE = re.compile(r"([0-3])(?:\.0+)?\s*点?")


@dataclass(frozen=True, slots=True)
class SkippedRating:
    """A row of a rating file without a usable score.

    `reason`: a code of `_reason`, or of `TableRow.problem`. `detail`: the text in the score's cell, shortened.
    """

    line: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Ratings:
    """The content of a rating file. `cases`: answers with people's scores, of kind "human".

    `skipped`: the other rows.
    """

    cases: tuple[CalibrationCase, ...]
    skipped: tuple[SkippedRating, ...] = ()


def read(path: Path, questions: Sequence[Question]) -> Ratings:
    """Read a file of people's scores. A row is matched to its question by id, or else by the question's text.

    Raises AppError("ratings_columns" | "ratings_none"), and as `question_table.read_question_table`.
    """
    table_file = question_table.read_question_table(path)
    places, body = _places(table_file, path.name)
    by_id = {question.id: question for question in questions}
    by_text = {normalized(question.text): question for question in questions}
    cases: list[CalibrationCase] = []
    skipped: list[SkippedRating] = []
    for row in body:
        cells = {name: row.cells[at] if at < len(row.cells) else None for name, at in places.items()}
        if not row.problem and not any(map(_text, row.cells)):
            continue
        question = by_id.get(_text(cells.get("id"))) or by_text.get(normalized(_text(cells.get("question"))))
        answer, score = _answer(cells["answer"]), _score(cells["score"])
        if row.problem or question is None or not answer or score is None:
            reason = row.problem or _reason(cells["score"], question, answer, score)
            skipped.append(
                SkippedRating(row.line, reason, shorten(_text(cells["score"])) if reason == "not_score" else "")
            )
        else:
            cases.append(CalibrationCase(question, answer, "human", score))
    if not cases:
        empty = sum(one.reason == "not_rated" for one in skipped)
        raise AppError("ratings_none", name=path.name, empty=empty, skipped=len(skipped) - empty)
    return Ratings(tuple(cases), tuple(skipped))


def check_target(out: Path) -> None:
    """Check that a rating sheet can be written to `out`; an existing file is never overwritten.

    Raises AppError("ratings_out_format" | "export_folder_gone" | "export_exists").
    """
    check_new_target(out, SUFFIXES, "ratings_out_format")


def write_blank(out: Path, answers: Sequence[tuple[Question, str]], *, permit: Permit) -> None:
    """Write a rating sheet: the answers with empty scores.

    Raises AppError as `check_target` and `Permit.open_atomically`.
    """
    check_target(out)
    head = [phrase(f"evaluation.rating_column.{name}") for name in _COLUMNS]
    rows = [(question.id, question.text, question.reference, answer, None) for question, answer in answers]
    with permit.open_atomically(out) as file:
        if out.suffix.lower() == ".csv":
            table_writer.write_csv(file, head, rows)
            return
        book = table_writer.WorkbookWriter(phrase("common.batch_cut"), phrase(f"common.label.{permit.label}"))
        scores = {
            len(head): (min(judge_prompt.SCORES), max(judge_prompt.SCORES), phrase("evaluation.rating.not_score"))
        }
        book.add(phrase("evaluation.rating_sheet"), _WIDTHS, rows, head, numbers=scores)
        book.add(
            phrase("evaluation.rating_sheet_rubric"), _RUBRIC_WIDTHS, list(enumerate(judge_prompt.rubric("kotae")))
        )
        book.save(file)


def draw_answers(evaluation: Evaluation, count: int) -> list[tuple[Question, str]]:
    """Draw up to `count` answers for people to score, evenly over the systems; the same evaluation gives the same ones.

    An answer that several systems gave is drawn once; empty answers are never drawn.
    """
    chance = random.Random(evaluation.id)  # noqa: S311
    by_id = {question.id: question for question in evaluation.questions.questions}
    of_systems = []
    for result in evaluation.systems:
        given = [(by_id[row.question_id], answer) for row in result.rows if (answer := row.shown_answer)]
        of_systems.append(iter(chance.sample(given, len(given))))
    found: dict[tuple[str, str], tuple[Question, str]] = {}
    while of_systems and len(found) < count:
        turn = of_systems.pop(0)
        for question, answer in turn:
            if (question.id, answer) not in found:
                found[question.id, answer] = (question, answer)
                of_systems.append(turn)
                break
    return chance.sample(list(found.values()), len(found))


def _places(table_file: question_table.QuestionTableFile, name: str) -> tuple[dict[str, int], Sequence[TableRow]]:
    """Return the column number of each known field, and the rows below the headings.

    Raises AppError("ratings_columns").
    """
    first = table_file.rows[0].cells if table_file.rows and not table_file.columns else table_file.columns
    plain = [column_mapping.normalize_name(_text(cell)) for cell in first]
    places = dict(_find_known_columns(plain))
    if "answer" not in places or "score" not in places or not {"id", "question"} & places.keys():
        raise AppError("ratings_columns", name=name)
    return places, table_file.rows if table_file.columns else table_file.rows[1:]


def _find_known_columns(plain: Sequence[str]) -> Iterator[tuple[str, int]]:
    for name, words in (_words() | {"question": column_mapping.known_column_names()["question"]}).items():
        at = next((plain.index(word) for word in map(column_mapping.normalize_name, words) if word in plain), None)
        if at is not None:
            yield name, at


def _reason(cell: Cell, question: Question | None, answer: str, score: int | None) -> str:
    if not _text(cell):
        return "not_rated"
    if score is None:
        return "not_score"
    return "no_answer" if question is not None and not answer else "unknown_question"


def _score(cell: Cell) -> int | None:
    written = _SCORE.fullmatch(search_text.normalize_nfkc(_text(cell)))
    return int(written[1]) if written and not isinstance(cell, bool) else None


def _answer(cell: Cell) -> str:
    """Return the answer without the apostrophe that `table_writer` puts before what looks like a formula."""
    return table_writer.remove_formula_apostrophe(_text(cell))


def _text(cell: Cell) -> str:
    """Return a cell as text; spreadsheets store 5 as 5.0."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()


@functools.cache
def _words() -> dict[str, Any]:
    return tomllib.loads((resources() / "evaluation" / "rating_columns.toml").read_text("utf-8"))
