"""Format the results of an evaluation for the terminal, and as a JSON object."""

import dataclasses
import statistics
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from app.base.bootstrap import ConfidenceInterval
from app.base.wording import phrase
from app.evaluation.judge import paired_statistics
from app.evaluation.judge.paired_statistics import MEASURES
from app.evaluation.records import Evaluation, ReportSection, ResultRow, SystemResult
from app.evaluation.report import grids, tables
from app.evaluation.report.tables import SystemPair
from app.evaluation.study import studies

_OF_JUDGE = (0, 1, 4)  # columns of `calibration_table`: kind of change, number of answers, how often the score fell


def as_text(folder: Path | None, evaluation: Evaluation, sections: Sequence[ReportSection]) -> str:
    """Return the results as text for the terminal. `folder`: folder of the study; None: there is no report file."""
    lines = [evaluation.name, *(sentence for section in sections for sentence in section.sentences)]
    if evaluation.judge is not None and not evaluation.systems:
        lines += _of_judge(sections)
    if evaluation.systems:
        lines += _compared_systems(evaluation)
    for result in evaluation.systems:
        lines += ["", result.system.name, *(f"  {line}" for line in _described(evaluation, result))]
    for measure in tables.measures(evaluation)[:1]:
        lines += ["", *tables.sentences(tables.pairs(evaluation, measure))]
    if folder is not None:
        lines += ["", phrase("common.run_report", path=folder / studies.REPORT)]
    return "\n".join(lines)


def as_json(folder: Path | None, evaluation: Evaluation, sections: Sequence[ReportSection]) -> dict[str, Any]:
    questions = evaluation.questions
    judge = dataclasses.asdict(evaluation.judge) if evaluation.judge else None
    return {
        "id": evaluation.id,
        "name": evaluation.name,
        "set": {"name": questions.name, "version": questions.version, "sha256": questions.sha256,
                "questions": len(questions.questions)},
        "seeds": list(evaluation.seeds),
        "judge": judge,
        "systems": [_system(evaluation, result) for result in evaluation.systems],
        "comparisons": [
            _compared(evaluation, pair)
            for measure in tables.measures(evaluation)
            for pair in tables.pairs(evaluation, measure)
        ],
        "advice": [sentence for section in sections for sentence in section.sentences],
        "sections": [_section(section) for section in sections],
        "report": str(folder / studies.REPORT) if folder is not None else None,
    }  # fmt: skip


# ---------------------------------------------------------------------------- text


def _compared_systems(evaluation: Evaluation) -> list[str]:
    """Return a table with one row for each system: quality, speed, and unusable answers."""
    grid = tables.summary(evaluation)
    names = [phrase("evaluation.report_column.system"), *_summary_columns(evaluation)]
    table = grids.as_report_table(grids.select_columns(grid, names))
    notes = [phrase("evaluation.report.note_cut_off")] if phrase("evaluation.report.note_cut_off") in grid.notes else []
    return ["", *_aligned(table.head, table.rows), *notes]


def _summary_columns(evaluation: Evaluation) -> list[str]:
    means = [phrase(f"evaluation.report_column.{measure.name}_mean") for measure in tables.measures(evaluation)]
    return [
        *means,
        *(phrase(f"evaluation.report_column.{name}") for name in ("seconds", "cut_off", "broken", "failed")),
    ]


def _of_judge(sections: Sequence[ReportSection]) -> list[str]:
    lines = []
    for table in (table for section in sections for table in section.tables if table.rows):
        head, *rows = ([cells[at] for at in _OF_JUDGE] for cells in (table.head, *table.rows))
        lines += ["", *_aligned(head, rows)]
    return lines


def _described(evaluation: Evaluation, result: SystemResult) -> list[str]:
    """Return the lines on one system: the interval of each measure, and the values that the table leaves out."""
    lines = []
    for measure in tables.measures(evaluation):
        mean = paired_statistics.mean(result, evaluation.questions.questions, measure)
        if mean is not None:
            one, name = mean.by_question, phrase(f"evaluation.measure.{measure.name}")
            facts = {"mean": f"{one.mean:.3f}", "low": f"{one.low:.3f}", "high": f"{one.high:.3f}"}
            key = "evaluation.eval_mean" if tables.wide_enough(one) else "evaluation.eval_mean_few"
            lines.append(phrase(key, measure=name, **facts))
    one_row = dataclasses.replace(evaluation, systems=(result,))
    shown = grids.as_report_table(
        grids.without_empty(grids.join_grids(tables.rule_scores(one_row), tables.models(one_row)), kept_columns=0)
    )
    for name, cell in zip(shown.head[1:], shown.rows[0][1:], strict=True):
        if cell != grids.NONE and name not in _summary_columns(evaluation):
            lines.append(phrase("evaluation.eval_mean_few", measure=name, mean=cell))
    return lines


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines with aligned columns for a terminal, names left and values right."""
    widths = [max(map(_width, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for name, *values in (head, *rows):
        cells = [" " * (width - _width(cell)) + cell for cell, width in zip(values, widths[1:], strict=True)]
        lines.append("  ".join([name + " " * (widths[0] - _width(name)), *cells]))
    return lines


def _width(text: str) -> int:
    """Return the number of terminal columns that a text takes; wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


# ---------------------------------------------------------------------------- JSON


def _section(section: ReportSection) -> dict[str, Any]:
    found = [{"head": table.head, "rows": table.rows, "notes": table.notes} for table in section.tables]
    return {"title": section.title, "sentences": section.sentences, "tables": found}


def _system(evaluation: Evaluation, result: SystemResult) -> dict[str, Any]:
    questions, rows, scores = evaluation.questions.questions, result.rows, result.scores
    divergence = scores.divergence if scores else None
    means = {name: paired_statistics.mean(result, questions, measure) for name, measure in MEASURES.items()}
    return dataclasses.asdict(result.system) | {
        "means": {name: _interval(mean.by_question) for name, mean in means.items() if mean is not None},
        "by_document": {name: _interval(mean.by_group) for name, mean in means.items() if mean and mean.by_group},
        "abstained": sum(row.marks.has_abstained for row in rows),
        "broken": sum(row.marks.is_broken for row in rows),
        "cut_off": sum(map(tables.is_cut, rows)),  # included in `broken`
        "failed": sum(row.verdict == "failed" for row in rows),
        "seconds_median": _median(rows, lambda row: row.total_s),
        "first_token_s_median": _median(rows, lambda row: row.first_token_s),
        "tokens_per_s_median": _median(rows, lambda row: row.tokens_per_s),
        "memory_bytes": result.memory_bytes,
        "nll": round(scores.nll, 5) if scores else None,
        "kl_divergence": None if divergence is None else round(divergence, 6),
        "answers": [_answer(row) for row in rows],
    }


def _answer(row: ResultRow) -> dict[str, Any]:
    judgement = row.judgement
    return {
        "question": row.question_id,
        "seed": row.seed,
        "verdict": row.verdict,
        "answer": row.answer,
        "marks": dataclasses.asdict(row.marks),
        "judge": judgement and {name: getattr(judgement, name) for name in ("score", "reason", "trouble")},
        "seconds": round(row.total_s, 3) or None,  # null: it was answered beside others, or failed
    }


def _compared(evaluation: Evaluation, pair: SystemPair) -> dict[str, Any]:
    one = pair.comparison
    return {
        "first": evaluation.systems[0].system.name,
        "second": pair.result.system.name,
        "measure": one.measure,
        "difference": _interval(one.by_question),
        "by_document": _interval(one.by_group) if one.by_group else None,
        "wins": one.wins,
        "ties": one.ties,
        "losses": one.losses,
        "verdict": one.verdict,
        "sentence": pair.sentence,
    }


def _interval(interval: ConfidenceInterval) -> dict[str, float | int]:
    return {
        "mean": round(interval.mean, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
        "units": interval.units,
    }


def _median(rows: Iterable[ResultRow], value_of: Callable[[ResultRow], float]) -> float | None:
    found = [value_of(row) for row in rows if row.verdict != "failed" and value_of(row)]
    return round(statistics.median(found), 3) if found else None
