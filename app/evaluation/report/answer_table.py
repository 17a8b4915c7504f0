"""List every answer of an evaluation with its scores; find the questions on which two systems differ most."""

import functools
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.base.wording import phrase
from app.evaluation.judge import paired_statistics
from app.evaluation.judge.paired_statistics import ComparedMeasure
from app.evaluation.records import Evaluation, JudgeScore, Question, ResultRow, SystemResult
from app.evaluation.report import grids
from app.evaluation.report.grids import GridColumn, Value, ValueGrid, column_of
from app.evaluation.report.result_view_data import AnswerViewData, QuestionViewData

_COLUMNS = ("question_id", "question", "category", "group", "answerable", "reference", "required", "system", "seed",
            "outcome", "answer", "judge_score", "judge_reason")  # fmt: skip
_MARKS = (
    "must_include",
    "numbers",
    "char_f1",
    "is_exact",
    "citation",
    "gold_cited",
    "gold_rank",
    "abstained",
    "is_broken",
)
_PERCENT = re.compile(r" ?[(（]%[)）]")
MOST = 3  # largest number of questions shown of a pair of systems in each direction


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """One question answered by two systems. `first_score`, `second_score`: mean of each over the seeds.

    `first_row`, `second_row`: one answer each.
    """

    question: Question
    first_score: float
    second_score: float
    first_row: ResultRow
    second_row: ResultRow


def every_answer(evaluation: Evaluation) -> ValueGrid:
    """Return a table of all answers, by question, then system, then seed."""
    columns = [column_of(name) for name in _COLUMNS]
    columns.append(column_of("score_mean", 3))
    columns += [column_of(name, 3 if name == "char_f1" else 0) for name in _MARKS]
    columns += [column_of("total_s", 1), column_of("error")]
    rows = [
        _row(question, result, row)
        for question, found in by_question(evaluation)
        for result, answers in found
        for row in answers
    ]
    return grids.without_empty(ValueGrid(tuple(columns), tuple(rows)), kept_columns=2)


def by_question(evaluation: Evaluation) -> list[tuple[Question, list[tuple[SystemResult, list[ResultRow]]]]]:
    """Return for each question the rows of each system."""
    found: dict[str, list[tuple[SystemResult, list[ResultRow]]]] = {}
    for result in evaluation.systems:
        by_id: dict[str, list[ResultRow]] = {}
        for row in result.rows:
            by_id.setdefault(row.question_id, []).append(row)
        for id, rows in by_id.items():
            found.setdefault(id, []).append((result, rows))
    return [(question, found.get(question.id, [])) for question in evaluation.questions.questions]


def questions(evaluation: Evaluation, measure: ComparedMeasure | None) -> list[QuestionViewData]:
    """Return each question with the means of all systems by a measure; [] if no system was asked."""
    values = [paired_statistics.by_question(one, measure) if measure else {} for one in evaluation.systems]
    has_seeds = len(evaluation.seeds) > 1
    found = []
    for question, given in by_question(evaluation) if evaluation.systems else ():
        means = tuple(of.get(question.id) for of in values)
        known = [value for value in means if value is not None]
        answers = [(result.system.name, row) for result, rows in given for row in rows]
        spread = max(known) - min(known) if known else 0.0
        found.append(QuestionViewData(question, means, spread, functools.partial(_answers, answers, has_seeds)))
    return found


def _answers(rows: Sequence[tuple[str, ResultRow]], has_seeds: bool) -> tuple[AnswerViewData, ...]:
    return tuple(
        AnswerViewData(
            system,
            row.shown_answer or row.error or phrase("evaluation.report.empty"),
            tuple(filter(None, _details(row, has_seeds=has_seeds))),
            row.judgement.score if row.judgement else None,
            reason(row.judgement),
            tuple(score_labels(row)),
        )
        for system, row in rows
    )


def _details(row: ResultRow, *, has_seeds: bool) -> Iterator[str]:
    yield phrase("evaluation.report.seed_of", seed=row.seed) if has_seeds else ""
    yield phrase("evaluation.report.seconds_of", seconds=f"{row.total_s:.1f}") if row.total_s else ""
    yield phrase(f"common.batch_verdict.{row.verdict}") if row.verdict != "answered" else ""


def changes(
    evaluation: Evaluation, result: SystemResult, measure: ComparedMeasure
) -> tuple[list[ScoreChange], list[ScoreChange]]:
    """Return the questions that a system answers better than the first system, and those that it answers worse.

    Both lists begin with the largest difference and have at most `MOST` questions.
    """
    first = evaluation.systems[0].system.id
    found = []
    for question, answers in by_question(evaluation):
        rows = {one.system.id: given for one, given in answers}
        before, after = (_values(rows.get(id, []), measure) for id in (first, result.system.id))
        if before and after:
            found.append(_change(question, before, after))
    better = [one for one in found if one.second_score > one.first_score]
    worse = [one for one in found if one.second_score < one.first_score]
    better.sort(key=lambda one: one.first_score - one.second_score)
    worse.sort(key=lambda one: one.second_score - one.first_score)
    return better[:MOST], worse[:MOST]


def reason(judgement: JudgeScore | None) -> str:
    """Return the judge's reason, or why there is no score, and how much of the answer the judge did not see."""
    if judgement is None:
        return ""
    parts = [judgement.reason, phrase(f"evaluation.report_trouble.{judgement.trouble}") if judgement.trouble else ""]
    if judgement.cut_characters:
        parts.append(phrase("evaluation.report.cut", count=f"{judgement.cut_characters:,}"))
    return "\n".join(filter(None, parts))


def score_values(row: ResultRow) -> dict[str, Value]:
    """Return the scores by the names of their columns: shares in percent, flags as "yes" in the language in use."""
    found = row.marks
    return {
        "must_include": _percent(found.must_include),
        "numbers": _percent(found.numbers),
        "char_f1": found.char_f1,
        "is_exact": _yes_text(bool(found.is_exact)),
        "citation": _percent(found.citation),
        "gold_cited": _percent(found.gold_cited),
        "gold_rank": found.gold_rank or None,
        "abstained": _yes_text(found.has_abstained),
        "is_broken": _yes_text(found.is_broken),
    }


def score_labels(row: ResultRow) -> list[str]:
    """Return the scores that apply to an answer, each as a text of name and value."""
    found = list[str]()
    if row.marks.score is not None:
        found.append(f"{phrase('evaluation.report_column.score_mean')} {row.marks.score:.2f}")
    for name, value in score_values(row).items():
        column = phrase(f"evaluation.report_column.{name}")
        if isinstance(value, float):
            shown = grids.text_of(value, GridColumn("", 2 if name == "char_f1" else 0))
            label = _PERCENT.sub("", column)
            found.append(f"{label} {shown}" if label == column else f"{label} {shown}\u00a0%")
        elif name == "is_broken" and row.verdict == "length":  # the verdict already shows this
            found += [phrase("evaluation.report_column.cut_to_zero")] if row.marks.score == 0 else []
        elif value:
            found.append(column if isinstance(value, str) else f"{column} {value}")
    return found


def _row(question: Question, result: SystemResult, row: ResultRow) -> tuple[Value, ...]:
    judgement, marked = row.judgement, score_values(row)
    return (
        *(question.id, question.text, question.category, question.group),
        phrase("evaluation.report.yes" if question.is_answerable else "evaluation.report.no"),
        *(question.shown_reference, " / ".join(question.must_include), result.system.name, row.seed),
        *(phrase(f"common.batch_verdict.{row.verdict}"), row.shown_answer),
        *(judgement.score if judgement else None, reason(judgement), row.marks.score),
        *(marked[name] for name in _MARKS),
        *(row.total_s or None, row.error),
    )


def _values(rows: list[ResultRow], measure: ComparedMeasure) -> list[tuple[float, ResultRow]]:
    return [(value, row) for row in rows if (value := measure.value_of(row)) is not None]


def _change(
    question: Question, before: list[tuple[float, ResultRow]], after: list[tuple[float, ResultRow]]
) -> ScoreChange:
    """Return the change of a question with the two answers that differ most, of the same seed if possible."""
    means = [statistics.fmean(value for value, _ in values) for values in (before, after)]
    sign = 1 if means[1] > means[0] else -1
    pairs = [(one, other) for one in before for other in after]
    same = [(one, other) for one, other in pairs if one[1].seed == other[1].seed]
    (_, first), (_, second) = max(same or pairs, key=lambda pair: sign * (pair[1][0] - pair[0][0]))
    return ScoreChange(question, means[0], means[1], first, second)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _yes_text(claim: bool) -> str:
    return phrase("evaluation.report.yes") if claim else ""
