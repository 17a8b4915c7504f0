"""Write `report.html` of an evaluation: one file that opens anywhere, without network, scripts or other files.

The sections of the study's kind come first, then those that all kinds have. All text is escaped except the plots of
`app.base.plots`, which escapes the names in them. The facts (pairs of name and value) are also used for a sheet.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from app import __version__
from app.base import html_report, plots
from app.base.bootstrap import ConfidenceInterval
from app.base.files.output_file import drive_errors, write_atomically
from app.base.plots import PlotBar, PlotEstimate, PlotRow
from app.base.wording import format_time, phrase
from app.evaluation.judge import judge_prompt, paired_statistics
from app.evaluation.judge.paired_statistics import ComparedMeasure
from app.evaluation.records import (
    Evaluation,
    Judge,
    ReportSection,
    System,
    SystemResult,
)
from app.evaluation.report import answer_table, grids, tables
from app.evaluation.report.answer_table import ScoreChange
from app.evaluation.report.grids import NONE, GridColumn, ValueGrid
from app.evaluation.study.studies import REPORT

_DIRECTIONS = ("evaluation.report.better_than_first", "evaluation.report.worse_than_first")


def write(evaluation: Evaluation, sections: Sequence[ReportSection], folder: Path) -> Path:
    """Write the report in the language in use. Raises AppError("evaluation_unwritable" | "drive_space")."""
    path = folder / REPORT
    with drive_errors(folder, "evaluation_unwritable"):
        write_atomically(path, content(evaluation, sections))
    return path


def content(evaluation: Evaluation, sections: Sequence[ReportSection] = ()) -> bytes:
    return render(evaluation, sections).encode("utf-8", "replace")


def render(evaluation: Evaluation, sections: Sequence[ReportSection] = ()) -> str:
    measured = tables.measures(evaluation)
    banner, is_warning = banner_of(evaluation, measured)
    return html_report.render(
        "evaluation.html",
        phrase("evaluation.report.title"),
        name=evaluation.name,
        id=evaluation.id,
        made_at=format_time(evaluation.made_at),
        banner=banner,
        is_warning=is_warning,
        has_judge=evaluation.judge is not None,
        first_name=_first_name(evaluation),
        head=question_facts(evaluation),
        facts=evaluation_facts(evaluation),
        sections=[*sections, *(_sections(evaluation, measured) if evaluation.systems else ())],
        pairs=_pairs(evaluation, measured[0]) if measured else [],
        pairs_note=_note_text("evaluation.report.note_pairs", evaluation, measured),
        points=_points,
        has_scores=bool(measured),
        questions=answer_table.questions(evaluation, measured[0] if measured else None),
        questions_note=_note_text("evaluation.report.note_answers", evaluation, measured),
    )


def banner_of(evaluation: Evaluation, measured: Sequence[ComparedMeasure]) -> tuple[str, bool]:
    """Return the report's first text, on the judge and the compared measure, and whether it is a warning."""
    judge = evaluation.judge
    by = phrase(f"evaluation.report_banner_by.{measured[0].name}") if measured else ""
    if judge is None:
        return phrase("evaluation.report_banner.none") + by, False
    key = {True: "trusted", False: "untrusted", None: "unknown"}[judge.is_trusted]
    text = phrase(f"evaluation.report_banner.{key}", model=judge.model_name, kappa=kappa_text(judge))
    return (text, False) if judge.is_trusted else (text + by, True)


def _note_text(key: str, evaluation: Evaluation, measured: Sequence[ComparedMeasure]) -> str:
    measure = phrase(f"evaluation.measure.{measured[0].name}") if measured else ""
    return phrase(key, first=_first_name(evaluation), measure=measure)


def _first_name(evaluation: Evaluation) -> str:
    """Return the name of the system that others are compared with; "" for a study of only a judge or trainings."""
    return evaluation.systems[0].system.name if evaluation.systems else ""


# ------------------------------------------------------------------------ sections


def _sections(evaluation: Evaluation, measured: Sequence[ComparedMeasure]) -> list[ReportSection]:
    drawn = [*(_interval_plot(evaluation, measure) for measure in measured), _share_plot(evaluation)]
    found = [_section("results", *tables.results(evaluation), tables.means(evaluation), drawn=drawn)]
    found += [one for measure in measured if (one := _differences(evaluation, measure)) is not None]
    others = {name: make(evaluation) for name, make in _TABLES.items()}
    return [*found, *(_section(name, grid) for name, grid in others.items() if len(grid.columns) > 1 and grid.rows)]


_TABLES: dict[str, Callable[[Evaluation], ValueGrid]] = {
    "marks": tables.rule_scores,
    "documents": tables.documents,
    "models": tables.models,
    "categories": lambda evaluation: grids.without_repeats(tables.categories(evaluation), columns=2),
}


def _section(key: str, *found: ValueGrid, drawn: Sequence[str] = ()) -> ReportSection:
    title = phrase(f"evaluation.report_section.{key}")
    return ReportSection(title, plots=tuple(drawn), tables=tuple(map(grids.as_report_table, found)))


def _interval_plot(evaluation: Evaluation, measure: ComparedMeasure) -> str:
    digits, rows = tables.DIGITS[measure.name], list[PlotRow]()
    for result in evaluation.systems:
        found = paired_statistics.mean(result, evaluation.questions.questions, measure)
        if found is not None and tables.wide_enough(found.by_question):
            rows.append(_plot_row(result, found.by_question, GridColumn("", digits)))
    return plots.interval_plot(phrase(f"evaluation.report_plot.{measure.name}"), rows)


def _plot_row(
    result: SystemResult, interval: ConfidenceInterval, column: GridColumn, *, is_open: bool = False
) -> PlotRow:
    text = f"{grids.text_of(interval.mean, column)} ({grids.text_of(interval, column)})"
    return PlotRow(
        result.system.name, text, (PlotEstimate(interval.mean, interval.low, interval.high, is_open=is_open),)
    )


def _share_plot(evaluation: Evaluation) -> str:
    rows = list[PlotBar]()
    for result in evaluation.systems:
        scores = [row.judgement.score for row in result.rows if row.judgement]
        rows.append(PlotBar(result.system.name, tuple(scores.count(score) for score in judge_prompt.SCORES)))
    return plots.bar_plot(
        phrase("evaluation.report_plot.shares"),
        [phrase("evaluation.report.points", score=score) for score in judge_prompt.SCORES],
        rows,
    )


def _differences(evaluation: Evaluation, measure: ComparedMeasure) -> ReportSection | None:
    """Return the section of differences; None if there is nothing to compare."""
    found = tables.pairs(evaluation, measure)
    if not found:
        return None
    column = GridColumn("", tables.DIFFERENCE_DIGITS, is_signed=True)
    rows = [
        _plot_row(pair.result, pair.comparison.by_question, column, is_open=pair.comparison.verdict == "unclear")
        for pair in found
        if tables.wide_enough(pair.comparison.by_question)
    ]
    return ReportSection(
        phrase("evaluation.report_section.differences", measure=phrase(f"evaluation.measure.{measure.name}")),
        tables.sentences(found),
        (plots.interval_plot(phrase("evaluation.report_plot.difference"), rows, has_zero=True),),
        (grids.as_report_table(tables.differences(evaluation, found)),),
    )


# ------------------------------------------------------------------------- answers


def _pairs(evaluation: Evaluation, measure: ComparedMeasure) -> list[tuple[str, str, list[ScoreChange]]]:
    """Return the questions on which systems differ most from the first system.

    Each group has a heading, the name of the other system, and the questions.
    """
    found = []
    for result in evaluation.systems[1:]:
        name, changes = result.system.name, answer_table.changes(evaluation, result, measure)
        for key, some in zip(_DIRECTIONS, changes, strict=True):
            if some:
                found.append((phrase(key, system=name), name, some))
    return found


def _points(value: float | None) -> str:
    return grids.NONE if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def evaluation_facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return all facts of an evaluation as pairs of name and value, in the language in use."""
    found = [
        (phrase("evaluation.report.fact_name"), evaluation.name),
        *question_facts(evaluation),
        (phrase("evaluation.report.fact_seeds"), ", ".join(map(str, evaluation.seeds)) if evaluation.systems else ""),
        *(_trust_facts(evaluation.judge) if evaluation.judge else ()),
        (phrase("evaluation.report.fact_made"), format_time(evaluation.made_at)),
        (phrase("evaluation.report.fact_version"), f"Kotae {__version__}"),
    ]
    for number, result in enumerate(evaluation.systems, start=1):
        found.append((phrase("evaluation.report.fact_system", number=number), _system_text(result.system)))
    return [(name, value) for name, value in found if value]


def question_facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return the facts about the questions and the judge as pairs of name and value."""
    questions, judge = evaluation.questions, evaluation.judge
    named = phrase("evaluation.report.set_version", name=questions.name, version=questions.version)
    found = [
        (phrase("evaluation.report.fact_set"), named if questions.version else questions.name),
        (phrase("evaluation.report.fact_count"), _count_text(evaluation)),
        (phrase("evaluation.report.fact_sha256"), questions.sha256),
        (phrase("evaluation.report.fact_label"), phrase(f"common.label.{questions.label}")),
    ]
    if judge is not None:
        found.append((phrase("evaluation.report.fact_judge"), judge.model_name))
        preset = "evaluation.report.preset_kotae" if judge.preset == "kotae" else "evaluation.report.preset_paper"
        found.append((phrase("evaluation.report.fact_preset"), phrase(preset)))
    return found


def kappa_text(judge: Judge) -> str:
    return NONE if judge.kappa is None else f"{judge.kappa:.2f}"


def _count_text(evaluation: Evaluation) -> str:
    asked = evaluation.questions.questions
    unanswerable = sum(not question.is_answerable for question in asked)
    form = "evaluation.report.count_unanswerable" if unanswerable else "evaluation.report.count_all"
    return phrase(form, count=f"{len(asked):,}", unanswerable=f"{unanswerable:,}")


def _trust_facts(judge: Judge) -> list[tuple[str, str]]:
    answer = {True: "evaluation.report.yes", False: "evaluation.report.no", None: "evaluation.report.not_known"}[
        judge.is_trusted
    ]
    return [
        (phrase("evaluation.report.fact_kappa"), kappa_text(judge)),
        (phrase("evaluation.report.fact_trusted"), phrase(answer)),
    ]


def _system_text(system: System) -> str:
    """Return a text that describes a system. Files are named without their folders, which differ on another machine."""
    is_named = system.quantization in system.model_name
    model = system.model_name if is_named else f"{system.model_name} {system.quantization}"
    found = [system.name, phrase("evaluation.report.system_model", model=model)]
    if system.adapter:
        found.append(
            phrase("evaluation.report.system_adapter", name=Path(system.adapter).name, strength=f"{system.strength:g}")
        )
    if system.collections:
        found.append(phrase("evaluation.report.system_collections", names=", ".join(system.collections)))
    if system.model_sha256:
        found.append(phrase("evaluation.report.system_sha256", sha256=system.model_sha256))
    return " / ".join(found)
