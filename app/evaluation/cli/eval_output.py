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


def as_text(folder: Path | None, found: Evaluation, sections: Sequence[ReportSection]) -> str:
    """Return the results as text for the terminal. `folder`: folder of the study; None: there is no report file."""
    lines = [found.name, *(sentence for section in sections for sentence in section.sentences)]
    if found.judge is not None and not found.systems:
        lines += _of_judge(sections)
    if found.systems:
        lines += _compared_systems(found)
    for result in found.systems:
        lines += ["", result.system.name, *(f"  {line}" for line in _described(found, result))]
    for measure in tables.measures(found)[:1]:
        lines += ["", *tables.sentences(tables.pairs(found, measure))]
    if folder is not None:
        lines += ["", phrase("common.run_report", path=folder / studies.REPORT)]
    return "\n".join(lines)


def as_json(folder: Path | None, found: Evaluation, sections: Sequence[ReportSection]) -> dict[str, Any]:
    questions = found.questions
    judge = dataclasses.asdict(found.judge) if found.judge else None
    return {
        "id": found.id,
        "name": found.name,
        "set": {"name": questions.name, "version": questions.version, "sha256": questions.sha256,
                "questions": len(questions.questions)},
        "seeds": list(found.seeds),
        "judge": judge,
        "systems": [_system(found, result) for result in found.systems],
        "comparisons": [
            _compared(found, pair) for measure in tables.measures(found) for pair in tables.pairs(found, measure)
        ],
        "advice": [sentence for section in sections for sentence in section.sentences],
        "sections": [_section(one) for one in sections],
        "report": str(folder / studies.REPORT) if folder is not None else None,
    }  # fmt: skip


# ---------------------------------------------------------------------------- text


def _compared_systems(found: Evaluation) -> list[str]:
    """Return a table with one row for each system: quality, speed, and unusable answers."""
    grid = tables.summary(found)
    names = [phrase("evaluation.report_column.system"), *_summary_columns(found)]
    table = grids.as_report_table(grids.select_columns(grid, names))
    notes = [phrase("evaluation.report.note_cut_off")] if phrase("evaluation.report.note_cut_off") in grid.notes else []
    return ["", *_aligned(table.head, table.rows), *notes]


def _summary_columns(found: Evaluation) -> list[str]:
    means = [phrase(f"evaluation.report_column.{measure.name}_mean") for measure in tables.measures(found)]
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


def _described(found: Evaluation, result: SystemResult) -> list[str]:
    """Return the lines on one system: the interval of each measure, and the values that the table leaves out."""
    lines = []
    for measure in tables.measures(found):
        mean = paired_statistics.mean(result, found.questions.questions, measure)
        if mean is not None:
            one, name = mean.by_question, phrase(f"evaluation.measure.{measure.name}")
            facts = {"mean": f"{one.mean:.3f}", "low": f"{one.low:.3f}", "high": f"{one.high:.3f}"}
            key = "evaluation.eval_mean" if tables.enough(one) else "evaluation.eval_mean_few"
            lines.append(phrase(key, measure=name, **facts))
    one_row = dataclasses.replace(found, systems=(result,))
    shown = grids.as_report_table(
        grids.without_empty(grids.join_grids(tables.marks(one_row), tables.models(one_row)), kept=0)
    )
    for name, cell in zip(shown.head[1:], shown.rows[0][1:], strict=True):
        if cell != grids.NONE and name not in _summary_columns(found):
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


def _section(one: ReportSection) -> dict[str, Any]:
    found = [{"head": table.head, "rows": table.rows, "notes": table.notes} for table in one.tables]
    return {"title": one.title, "sentences": one.sentences, "tables": found}


def _system(found: Evaluation, result: SystemResult) -> dict[str, Any]:
    questions, rows, scores = found.questions.questions, result.rows, result.scores
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
        "seconds": round(row.total_s, 3),
    }


def _compared(found: Evaluation, pair: SystemPair) -> dict[str, Any]:
    one = pair.comparison
    return {
        "first": found.systems[0].system.name,
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


def _interval(one: ConfidenceInterval) -> dict[str, float | int]:
    return {"mean": round(one.mean, 4), "low": round(one.low, 4), "high": round(one.high, 4), "units": one.units}


def _median(rows: Iterable[ResultRow], of: Callable[[ResultRow], float]) -> float | None:
    found = [of(row) for row in rows if row.verdict != "failed" and of(row)]
    return round(statistics.median(found), 3) if found else None
