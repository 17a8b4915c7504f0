"""Build the data that the window shows of an evaluation. It draws every interval, 0.2 s for 20 systems."""

import dataclasses
import secrets
import statistics
from collections.abc import Callable, Iterable, Sequence, Set
from pathlib import Path

from app.base.bootstrap import LEAST_UNITS, RESAMPLES, ConfidenceInterval
from app.base.confidentiality import Permit
from app.base.files.output_file import export_error
from app.base.plots import PlotEstimate
from app.base.wording import phrase
from app.evaluation.judge import paired_statistics
from app.evaluation.judge.paired_statistics import MEASURES, ComparedMeasure, MeanScore
from app.evaluation.records import Evaluation, ReportSection, ReportTable, ResultRow, SystemResult
from app.evaluation.report import advice, answer_table, export, grids, report, tables
from app.evaluation.report.advice import StudyAdvice
from app.evaluation.report.result_view_data import (
    ResultViewData,
    SystemDifference,
    SystemViewData,
)
from app.evaluation.report.tables import SystemPair
from app.evaluation.study.studies import Study

_EQUAL = 1e-9
_STEPS = (0.5, 1.0)  # steps of the rules' score: 0, below the first, below the second, full


def build_result_view(
    study: Study, folder: Path, evaluation: Evaluation, sections: Sequence[ReportSection]
) -> ResultViewData:
    """Build the data of the result view. `sections`: the report in results.json.

    The advice is written again in the language in use, except in scale studies, where every training would have to be
    read again.
    """
    evaluation = _mark_quoting_systems(study, evaluation)
    measured = tables.measures(evaluation)
    measure = measured[0] if measured else None
    advised = advice.advise(study, folder, evaluation) if study.kind != "scale" else StudyAdvice()
    advice_sections = advised.sections
    head, rest = (
        (advice_sections[0], sections[len(advice_sections) :]) if advice_sections else _verdict_section(study, sections)
    )
    has_judged = any(
        row.judgement and row.judgement.score is not None for system in evaluation.systems for row in system.rows
    )
    doubt, is_doubted = report.banner_of(evaluation, measured)
    differences, notes = _differences(study, evaluation, measure) if measure is not None else ((), ())
    return ResultViewData(
        kind=study.kind,
        measure=measure.name if measure else "",
        most=paired_statistics.best_value(measure.name) if measure else 1.0,
        digits=tables.DIGITS[measure.name] if measure else 0,
        resamples=RESAMPLES,
        least_units=LEAST_UNITS,
        advice=head.sentences if head else (),
        advised=advised.system,
        doubt=doubt if is_doubted else "",
        systems=tuple(_systems(evaluation, measure, has_judged=has_judged)),
        differences=differences,
        notes=notes,
        has_judged_counts=has_judged,
        categories=_categories(evaluation),
        sections=tuple(_without_advice(head, rest, study)),
        questions=tuple(answer_table.questions(evaluation, measure)),
    )


def save_result(
    evaluation: Evaluation, sections: Sequence[ReportSection], out: Path, folder: Path | None = None, *, permit: Permit
) -> None:
    """Export an evaluation as `export.save` does, but replace an existing file, as the user has agreed."""
    beside = out.with_name(f".kotae-{secrets.token_hex(8)}{out.suffix}")
    export.save(evaluation, sections, beside, folder, permit=permit)
    try:
        beside.replace(permit.at(out))
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise export_error(error, out) from error


# -------------------------------------------------------------------------- advice


def _verdict_section(
    study: Study, sections: Sequence[ReportSection]
) -> tuple[ReportSection | None, Sequence[ReportSection]]:
    """Return the first section, which is the verdict of a study of trainings or of a judge, and the other sections.

    Other kinds of study have no verdict: return None and all sections.
    """
    if study.kind in ("scale", "judge") and sections:
        return sections[0], sections[1:]
    return None, sections


def _without_advice(
    head: ReportSection | None, sections: Sequence[ReportSection], study: Study
) -> Iterable[ReportSection]:
    """Yield the sections without the sentences of the advice.

    Plots and tables of the advice become a section with a title that names them.
    """
    if head is not None and (any(head.plots) or any(table.rows for table in head.tables)):
        is_advice = study.kind == "quantizations"
        title = phrase("evaluation.report_section.models") if is_advice else head.title
        yield ReportSection(title, (), head.plots, head.tables)
    yield from sections


# ------------------------------------------------------------------------- systems


def _mark_quoting_systems(study: Study, evaluation: Evaluation) -> Evaluation:
    """Return the evaluation with `System.is_quoted` set, which results stored by older versions of the app lack."""
    if study.kind != "documents":
        return evaluation
    quoted = {one.system.id for one in study.contenders if one.scope and one.may_quote}
    systems = (
        dataclasses.replace(one, system=dataclasses.replace(one.system, is_quoted=True))
        if one.system.id in quoted
        else one
        for one in evaluation.systems
    )
    return dataclasses.replace(evaluation, systems=tuple(systems))


def _systems(evaluation: Evaluation, measure: ComparedMeasure | None, *, has_judged: bool) -> Iterable[SystemViewData]:
    systems, asked = evaluation.systems, evaluation.questions.questions
    means = paired_statistics.means(systems, asked, measure) if measure else [None] * len(systems)
    unanswerable = {question.id for question in asked if not question.is_answerable}
    for result, mean in zip(systems, means, strict=True):
        yield _system(result, mean, unanswerable, measure, has_judged=has_judged)


def _system(
    result: SystemResult,
    mean: MeanScore | None,
    unanswerable: Set[str],
    measure: ComparedMeasure | None,
    *,
    has_judged: bool,
) -> SystemViewData:
    missing = [row for row in result.rows if row.question_id in unanswerable]
    full = paired_statistics.best_value(measure.name) - _EQUAL if measure else 0.0
    return SystemViewData(
        result.system,
        mean.by_question.mean if mean else None,
        _span(tables.wide_enough(mean.by_question)) if mean else None,
        _mean(value >= full for value in _values(result.rows, measure.value_of)) if measure else None,
        _mean(_values(result.rows, MEASURES["citation"].value_of)),
        (sum(row.marks.has_abstained for row in missing), len(missing)) if missing else None,
        _mean(row.total_s for row in result.rows if row.total_s and row.verdict != "failed"),
        _counts(result.rows, has_judged=has_judged),
    )


def _counts(rows: Sequence[ResultRow], *, has_judged: bool) -> tuple[int, ...]:
    if has_judged:
        found = [row.judgement.score for row in rows if row.judgement and row.judgement.score is not None]
    else:
        found = [_step(value) for value in _values(rows, MEASURES["score"].value_of)]
    return tuple(found.count(score) for score in range(4)) if found else ()


def _step(value: float) -> int:
    if value <= _EQUAL:
        return 0
    return 1 + sum(value >= limit - _EQUAL for limit in _STEPS)


def _categories(evaluation: Evaluation) -> ReportTable | None:
    grid = tables.categories(evaluation)
    return grids.as_report_table(grids.without_repeats(grid, columns=2)) if grid.rows else None


# --------------------------------------------------------------------- differences


def _differences(
    study: Study, evaluation: Evaluation, measure: ComparedMeasure
) -> tuple[tuple[SystemDifference, ...], tuple[str, ...]]:
    """Compare every other system with the first system.

    In a study of documents also compare the tuned model with the base, both with documents.
    """
    if not evaluation.systems:
        return (), ()
    first, *others = evaluation.systems
    systems = [*_with_documents(study, evaluation), *((first, other) for other in others)]
    pairs = tables.compare(evaluation, systems, measure)
    return tuple(map(_difference, pairs)), tuple(tables.notes_on_pairs(pairs))


def _with_documents(study: Study, evaluation: Evaluation) -> list[tuple[SystemResult, SystemResult]]:
    """Return the base and the tuned model, both with documents, as a pair.

    []: one of them is missing, or this base is the first system, with which every other is compared anyway.
    """
    if study.kind != "documents":
        return []
    ids = {study.is_tuned(one): one.system.id for one in reversed(study.contenders) if one.scope and not one.may_quote}
    by_id = {one.system.id: one for one in evaluation.systems}
    before, after = (by_id.get(ids.get(is_tuned, "")) for is_tuned in (False, True))
    return [(before, after)] if before and after and before is not evaluation.systems[0] else []


def _difference(pair: SystemPair) -> SystemDifference:
    comparison = pair.comparison
    return SystemDifference(
        pair.first.system.name,
        pair.result.system.name,
        comparison.by_question.mean,
        _span(tables.wide_enough(comparison.decisive)),
        "few" if comparison.has_few else comparison.verdict,
        pair.sentence,
    )


def _span(interval: ConfidenceInterval | None) -> PlotEstimate | None:
    return PlotEstimate(interval.mean, interval.low, interval.high) if interval is not None else None


def _values(rows: Iterable[ResultRow], value_of: Callable[[ResultRow], float | None]) -> list[float]:
    return [value for row in rows if (value := value_of(row)) is not None]


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.fmean(found) if found else None
