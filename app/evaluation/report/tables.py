"""Build the tables of an evaluation, with one row for each system.

"The paper's table" is that of arXiv 2603.18037: mean, share of each score, mean of each category, seconds a question,
size on the disk.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval
from app.base.wording import phrase
from app.evaluation.judge import judge_prompt, paired_statistics
from app.evaluation.judge.paired_statistics import MEASURES, ComparedMeasure, Comparison
from app.evaluation.records import Evaluation, Question, ResultRow, SystemResult
from app.evaluation.report import grids
from app.evaluation.report.grids import GridColumn, ShareValue, Value, ValueGrid, column_of

DEPTHS = (1, 3, 5)  # depths of Recall@k; small, because an answer has few sources
DIGITS = {"judge": 2, "score": 3}  # decimals of the means of each measure
DIFFERENCE_DIGITS = 3
_CATEGORIES_BESIDE, _MOST_CATEGORIES = 4, 12  # most category columns beside others, and in all


@dataclass(frozen=True, slots=True)
class SystemPair:
    """One system (`result`) compared with another (`first`) by one measure."""

    first: SystemResult
    result: SystemResult
    comparison: Comparison
    sentence: str


def measures(evaluation: Evaluation) -> tuple[ComparedMeasure, ...]:
    """Return the judge's score and the rules' score as far as any answer has them, the more reliable first."""
    is_trusted = evaluation.judge is not None and evaluation.judge.is_trusted
    order = ("judge", "score") if is_trusted else ("score", "judge")
    rows = [row for result in evaluation.systems for row in result.rows]
    return tuple(MEASURES[name] for name in order if any(MEASURES[name].value_of(row) is not None for row in rows))


# ------------------------------------------------------------------------- systems


def summary(evaluation: Evaluation) -> ValueGrid:
    """Return a table of all measures."""
    return grids.join_grids(
        *(make(evaluation) for make in (paper, category_means, means, rule_scores, documents, models))
    )


def results(evaluation: Evaluation) -> list[ValueGrid]:
    """Return the paper's table; the means of many categories get a second table."""
    found = [paper(evaluation), category_means(evaluation)]
    return [grids.join_grids(*found)] if len(found[1].columns) <= 1 + _CATEGORIES_BESIDE else found


def paper(evaluation: Evaluation) -> ValueGrid:
    """Return the paper's table without category means, with the rules' score if systems are compared by it.

    The judge's columns stay if there is a judge, even without scores.
    """
    measured = measures(evaluation)
    is_judged, has_score = MEASURES["judge"] in measured, measured[:1] == (MEASURES["score"],)
    columns = [column_of("system"), column_of("model"), column_of("quantization")]
    columns.append(column_of("judge_mean", DIGITS["judge"]))
    columns += [
        GridColumn(phrase("evaluation.report_column.judge_share", score=score)) for score in judge_prompt.SCORES
    ]
    columns += [column_of("score_mean", DIGITS["score"])] if has_score else []
    columns += [column_of("seconds", 1), column_of("size", 2)]

    def row_of(result: SystemResult) -> tuple[Value, ...]:
        scores = [row.judgement.score for row in result.rows if row.judgement and row.judgement.score is not None]
        shares = [100 * scores.count(score) / len(scores) if scores else None for score in judge_prompt.SCORES]
        return (
            *(result.system.name, result.system.model_name, result.system.quantization),
            *(_mean(result.rows, MEASURES["judge"].value_of), *shares),
            *((_mean(result.rows, MEASURES["score"].value_of),) if has_score else ()),
            _mean(result.rows, _seconds),
            _size(result),
        )

    if is_judged:
        note = phrase("evaluation.report.note_judge")
    elif evaluation.judge is None:
        note = phrase("evaluation.report.note_no_judge")
    else:
        note = phrase("evaluation.report.note_no_scores")
    grid = ValueGrid(tuple(columns), tuple(map(row_of, evaluation.systems)), (note,))
    return grid if evaluation.judge is not None else grids.without_empty(grid)


def category_means(evaluation: Evaluation) -> ValueGrid:
    """Return a table with a column of means for each category.

    A single category, or too many of them, get no columns.
    """
    names = _categories(evaluation)
    names = names if 1 < len(names) <= _MOST_CATEGORIES else []
    counted = next(iter(measures(evaluation)), MEASURES["score"])
    columns = [column_of("system"), *(GridColumn(_category_name(name), DIGITS[counted.name]) for name in names)]
    rows = [
        (result.system.name, *(_mean(_of_category(evaluation, result, name), counted.value_of) for name in names))
        for result in evaluation.systems
    ]
    note = phrase(
        "evaluation.report.note_category_means", measure=phrase(f"evaluation.report_column.{counted.name}_mean")
    )
    return ValueGrid(tuple(columns), tuple(rows), (note,) if names else ())


def means(evaluation: Evaluation) -> ValueGrid:
    """Return a table of the compared measures with their intervals and, for several seeds, the spread of the seeds."""
    measured = measures(evaluation)
    columns = [column_of("system")]
    for measure in measured:
        digits = DIGITS[measure.name]
        columns += [column_of(f"{measure.name}_{part}", digits) for part in ("mean", "interval")]
        columns.append(column_of(f"{measure.name}_spread", DIFFERENCE_DIGITS))
    values = [_with_intervals(evaluation.systems, evaluation.questions.questions, measure) for measure in measured]
    rows = [
        (result.system.name, *(cell for cells in by_measure for cell in cells))
        for result, *by_measure in zip(evaluation.systems, *values, strict=True)
    ]
    notes = [phrase("evaluation.report.note_score")]
    seeds = [len({row.seed for row in result.rows}) for result in evaluation.systems]
    low, high = min(seeds, default=0), max(seeds, default=0)
    if high > 1:  # `low` differs after merging several evaluations
        count = str(high) if low == high else phrase("evaluation.report.range", low=low, high=high)
        notes.append(phrase("evaluation.report.note_seeds", count=count))
    return grids.without_empty(ValueGrid(tuple(columns), tuple(rows), tuple(notes)))


def rule_scores(evaluation: Evaluation) -> ValueGrid:
    """Return a table of the scores by rules, and of abstentions and unusable answers."""
    is_answerable = {question.id: question.is_answerable for question in evaluation.questions.questions}
    has_unanswerable = not all(is_answerable.values())
    columns = [column_of("system"), column_of("score_answerable", DIGITS["score"])]
    columns += [column_of(name) for name in ("must_include", "numbers")]
    columns += [column_of("char_f1", DIGITS["score"]), column_of("exact")]
    columns += [column_of(name) for name in ("abstained_right", "abstained_wrong", "cut_off", "broken", "failed")]
    columns.append(column_of("judged"))
    has_failed = any(row.verdict == "failed" for result in evaluation.systems for row in result.rows)
    misses_judgements = _misses_judgements(evaluation)

    def row_of(result: SystemResult) -> tuple[Value, ...]:
        rows = result.rows
        answerable = [row for row in rows if is_answerable[row.question_id]]
        return (
            result.system.name,
            _mean(answerable, MEASURES["score"].value_of) if has_unanswerable else None,
            *(_percent(rows, MEASURES[name].value_of) for name in ("must_include", "numbers")),
            _mean(rows, MEASURES["char_f1"].value_of),
            _percent(rows, lambda row: row.marks.is_exact),
            _share([row for row in rows if not is_answerable[row.question_id]], lambda row: row.marks.has_abstained),
            _share(answerable, lambda row: row.marks.has_abstained),
            _share(rows, is_cut),
            _share(rows, lambda row: row.marks.is_broken and not is_cut(row)),
            _share(rows, lambda row: row.verdict == "failed") if has_failed else None,
            _share(rows, _is_judged) if misses_judgements else None,
        )

    notes = [phrase("evaluation.report.note_abstaining")] if has_unanswerable else []
    notes.append(phrase("evaluation.report.note_rows"))
    if any(is_cut(row) for result in evaluation.systems for row in result.rows):
        notes.append(phrase("evaluation.report.note_cut_off"))
    return grids.without_empty(ValueGrid(tuple(columns), tuple(map(row_of, evaluation.systems)), tuple(notes)))


def is_cut(row: ResultRow) -> bool:
    """Return whether the answer reached the length limit."""
    return row.verdict == "length"


def documents(evaluation: Evaluation) -> ValueGrid:
    """Return a table of the measures of retrieval and citation; only the systems' names if no documents were asked."""
    columns = [column_of(name) for name in ("system", "citation", "gold_cited")]
    columns += [GridColumn(phrase("evaluation.report_column.recall", depth=depth)) for depth in DEPTHS]
    columns.append(column_of("mrr", DIGITS["score"]))

    def row_of(result: SystemResult) -> tuple[Value, ...]:
        ranks = [rank for row in result.rows if (rank := row.marks.gold_rank) is not None]
        return (
            result.system.name,
            *(_percent(result.rows, MEASURES[name].value_of) for name in ("citation", "gold_cited")),
            *(100 * _fmean(0 < rank <= depth for rank in ranks) if ranks else None for depth in DEPTHS),
            _fmean(1 / rank if rank else 0.0 for rank in ranks) if ranks else None,
        )

    rows = tuple(map(row_of, evaluation.systems))
    return grids.without_empty(ValueGrid(tuple(columns), rows, (phrase("evaluation.report.note_documents"),)))


def models(evaluation: Evaluation) -> ValueGrid:
    """Return a table of likelihoods, speed and predicted memory."""
    columns = [
        column_of("system"),
        column_of("nll", 3),
        column_of("divergence", 4),
        column_of("same_first", 1),
    ]
    columns += [column_of("seconds", 1), column_of("first_token", 2), column_of("speed", 1)]
    columns += [column_of("memory", 2), column_of("size", 2)]

    def row_of(result: SystemResult) -> tuple[Value, ...]:
        scores = result.scores
        same = scores.same_first_share if scores else None
        return (
            result.system.name,
            scores.nll if scores else None,
            scores.divergence if scores else None,
            None if same is None else 100 * same,
            _mean(result.rows, _seconds),
            _mean(result.rows, lambda row: row.first_token_s or None),
            _mean(result.rows, lambda row: row.tokens_per_s or None),
            result.memory_bytes / 1e9 if result.memory_bytes else None,
            _size(result),
        )

    rows = tuple(map(row_of, evaluation.systems))
    known = [result.scores for result in evaluation.systems if result.scores is not None]
    notes = [phrase("evaluation.report.note_nll")] if known else []
    if any(scores.divergence is not None for scores in known):
        notes.append(phrase("evaluation.report.note_divergence"))
    untimed = any(row.verdict != "failed" and not row.total_s for result in evaluation.systems for row in result.rows)
    timed = max((sum(_seconds(row) is not None for row in result.rows) for result in evaluation.systems), default=0)
    if untimed and timed:
        notes.append(phrase("evaluation.report.note_seconds", count=timed))
    return grids.without_empty(ValueGrid(tuple(columns), rows, tuple(notes)))


# --------------------------------------------------------------------- differences


def pairs(evaluation: Evaluation, measure: ComparedMeasure) -> list[SystemPair]:
    """Compare the other systems with the first; systems without a common question are left out."""
    first, *others = evaluation.systems
    return compare(evaluation, [(first, other) for other in others], measure)


def compare(
    evaluation: Evaluation, systems: Sequence[tuple[SystemResult, SystemResult]], measure: ComparedMeasure
) -> list[SystemPair]:
    """Compare two systems of each pair; pairs without a common question are left out."""
    is_doubted = measure.name == "judge" and (evaluation.judge is None or not evaluation.judge.is_trusted)
    all_compared = paired_statistics.compare_pairs(systems, evaluation.questions.questions, measure)
    found = []
    for (first, result), compared in zip(systems, all_compared, strict=True):
        if compared is not None:
            sentence = paired_statistics.comparison_sentence(compared, first.system.name, result.system.name)
            found.append(SystemPair(first, result, compared, marked_doubtful(sentence) if is_doubted else sentence))
    return found


def notes_on_pairs(system_pairs: Sequence[SystemPair]) -> list[str]:
    """Return notes on several differences, and on questions that only one system of a pair has a value for."""
    count, left_out = len(system_pairs), max((pair.comparison.left_out for pair in system_pairs), default=0)
    notes = [phrase("evaluation.report.note_several", count=count)] if count > 1 else []
    return notes + ([phrase("evaluation.report.note_left_out", count=left_out)] if left_out else [])


def sentences(system_pairs: Sequence[SystemPair]) -> tuple[str, ...]:
    return merge_few_sentences([pair.comparison for pair in system_pairs], [pair.sentence for pair in system_pairs])


def merge_few_sentences(compared: Sequence[Comparison], lines: Sequence[str]) -> tuple[str, ...]:
    """Return `lines`; if every comparison has too few questions, return one common sentence on that instead.

    `lines`: the sentence of each comparison.
    """
    units = [one.by_question.units for one in compared]
    if len(units) > 1 and max(units) < LEAST_UNITS:
        return (phrase("evaluation.compared_few_all", units=max(units), least=LEAST_UNITS),)
    return tuple(lines)


def marked_doubtful(sentence: str) -> str:
    """Mark a sentence as doubtful, because it rests on a judge that is not trusted."""
    return phrase("evaluation.report.doubted", sentence=sentence)


def differences(evaluation: Evaluation, system_pairs: Sequence[SystemPair]) -> ValueGrid:
    columns = [column_of("system"), column_of("difference", DIFFERENCE_DIGITS, is_signed=True)]
    columns += [column_of(name, DIFFERENCE_DIGITS, is_signed=True) for name in ("by_question", "by_group")]
    columns += [column_of(name) for name in ("wins", "ties", "losses", "verdict")]
    rows: list[tuple[Value, ...]] = []
    for pair in system_pairs:
        one = pair.comparison
        intervals = (one.by_question.mean, wide_enough(one.by_question), wide_enough(one.by_group))
        counts = (one.wins, one.ties, one.losses)
        rows.append((pair.result.system.name, *intervals, *counts, phrase(f"evaluation.report_verdict.{one.verdict}")))
    notes = [phrase("evaluation.report.note_difference", first=evaluation.systems[0].system.name)]
    if any(pair.comparison.by_group is not None and not wide_enough(pair.comparison.by_group) for pair in system_pairs):
        notes.append(phrase("evaluation.report.note_few_groups", least=LEAST_UNITS))
    notes += notes_on_pairs(system_pairs)
    return grids.without_empty(ValueGrid(tuple(columns), tuple(rows), tuple(notes)))


def categories(evaluation: Evaluation) -> ValueGrid:
    """Return a table with a row for each category and system; no rows for fewer than two categories."""
    measured = measures(evaluation)
    columns = [column_of("category"), column_of("questions"), column_of("system")]
    for measure in measured:
        columns += [column_of(f"{measure.name}_{part}", DIGITS[measure.name]) for part in ("mean", "interval")]
    rows: list[tuple[Value, ...]] = []
    names = _categories(evaluation)
    for name in names if len(names) > 1 else ():
        asked = [question for question in evaluation.questions.questions if question.category == name]
        values = [_with_intervals(evaluation.systems, asked, measure) for measure in measured]
        for result, *by_measure in zip(evaluation.systems, *values, strict=True):
            cells = (cell for found in by_measure for cell in found[:2])
            rows.append((name or phrase("evaluation.report.nothing"), len(asked), result.system.name, *cells))
    return ValueGrid(tuple(columns), tuple(rows), (phrase("evaluation.report.note_few", least=LEAST_UNITS),))


def wide_enough(interval: ConfidenceInterval | None) -> ConfidenceInterval | None:
    """Return the interval; None if it rests on fewer than `LEAST_UNITS` units, which would make it too narrow."""
    return interval if interval is not None and interval.units >= LEAST_UNITS else None


def _categories(evaluation: Evaluation) -> list[str]:
    return list(dict.fromkeys(question.category for question in evaluation.questions.questions))


def _category_name(name: str) -> str:
    return phrase("evaluation.report.quoted", name=name) if name else phrase("evaluation.report.nothing")


def _of_category(evaluation: Evaluation, result: SystemResult, name: str) -> list[ResultRow]:
    ids = {question.id for question in evaluation.questions.questions if question.category == name}
    return [row for row in result.rows if row.question_id in ids]


def _with_intervals(
    results: Sequence[SystemResult], questions: Sequence[Question], measure: ComparedMeasure
) -> list[tuple[Value, Value, Value]]:
    """Return each system's mean, its interval by question if there are enough questions, and its spread over the
    seeds."""
    return [
        (found.by_question.mean, wide_enough(found.by_question), found.spread) if found else (None, None, None)
        for found in paired_statistics.means(results, questions, measure)
    ]


def _size(result: SystemResult) -> float | None:
    """Return the size of the system's files in GB; None if it is unknown."""
    return result.system.size_bytes / 1e9 if result.system.size_bytes else None


def _seconds(row: ResultRow) -> float | None:
    return None if row.verdict == "failed" else row.total_s or None


def _is_judged(row: ResultRow) -> bool:
    return row.judgement is not None and row.judgement.score is not None


def _misses_judgements(evaluation: Evaluation) -> bool:
    judged = [_is_judged(row) for result in evaluation.systems for row in result.rows]
    return any(judged) and not all(judged)


def _mean(rows: Iterable[ResultRow], value_of: Callable[[ResultRow], float | None]) -> float | None:
    """Return the mean over the rows that have a value; None if no row has one."""
    found = [value for row in rows if (value := value_of(row)) is not None]
    return _fmean(found) if found else None


def _percent(rows: Iterable[ResultRow], value_of: Callable[[ResultRow], float | None]) -> float | None:
    found = _mean(rows, value_of)
    return None if found is None else 100 * found


def _share(rows: Sequence[ResultRow], claim: Callable[[ResultRow], bool]) -> ShareValue | None:
    return ShareValue(sum(map(claim, rows)), len(rows)) if rows else None


def _fmean(values: Iterable[float]) -> float:
    return statistics.fmean(values)
