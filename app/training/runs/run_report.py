"""Write `report.html`: one run in one file that opens anywhere, without network, scripts or other files.

The report uses only the run's folder: spec, journal and, if the run was judged, `gate.json`. All text is escaped.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from app.base import confidentiality, html_report, plots, wording
from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval
from app.base.files.input_file import lines_of
from app.base.files.output_file import drive_errors, write_atomically
from app.base.plots import PlotSeries
from app.base.wording import format_size, phrase
from app.models import base_models
from app.training import quality_gate, training_errors
from app.training.data.rows import PARTS
from app.training.quality_gate import AnswerRow, FormRow, GateResult
from app.training.runs import lineage, run_folders, run_journal
from app.training.runs.run_journal import RunHistory
from trainer import spec
from trainer.events import Adjusted

REPORT_FILE = "report.html"
_ANSWERS_EACH = 5
_SAMPLE_STEPS = 8  # most answers shown for one question
_LONG_STEPS = 60  # steps from which single losses are drawn faintly behind their mean
_NONE = "-"


def write_report(folder: Path) -> Path:
    """Write the report in the current language and return its path.

    Raises AppError("run_unwritable" | "drive_space").
    """
    path = folder / REPORT_FILE
    with drive_errors(folder, "run_unwritable"):
        write_atomically(path, render_report(folder).encode("utf-8", "replace"))
    return path


def render_report(folder: Path) -> str:
    run = run_folders.read(folder)
    history = run_journal.read_history(folder)
    gate = quality_gate.read_gate_or_none(folder)
    return html_report.render(
        "training.html",
        phrase("training.report.title"),
        name=run.name,
        id=run.id,
        made_at=wording.format_time(gate.made_at if gate else 0.0),
        gate=gate,
        origin=phrase("common.run_trained_elsewhere") if run.is_from_elsewhere else "",
        verdict=phrase(f"training.gate.{gate.verdict}") if gate else "",
        reasons=_reasons(gate) if gate else [],
        rejected=phrase("common.run_rejected") if gate and not gate.is_usable else "",
        summary=_summary(gate) if gate else [],
        form_columns=_COLUMNS,
        forms=[_form(row, gate) for row in gate.forms] if gate else [],
        plots=[Markup(drawn) for drawn in _plots(history) if drawn],  # noqa: S704  names in it are escaped
        best=_best_evaluation_text(history),
        answers=_answers(gate.answers) if gate else [],
        samples=_samples(history),
        tables=_tables(run, history),
    )


# ---------------------------------------------------------------------------- gate


def _reasons(gate: GateResult) -> list[tuple[str, str]]:
    found = [(reason.level, quality_gate.reason_text(reason)) for reason in gate.reasons]
    return found or [("adopt", phrase("training.gate_adopt_why"))]


def _summary(gate: GateResult) -> list[tuple[str, str]]:
    row, base = gate.row(gate.proposed), gate.row(quality_gate.BASE)
    name = (
        phrase("training.report.proposed_none")
        if gate.proposed == quality_gate.BASE_ADAPTER
        else _form_name(gate.proposed)
    )
    pairs = [
        (
            phrase("training.report.proposed" if gate.is_usable else "training.report.judged"),
            f"{name} ({format_size(row.size_bytes)})",
        ),
        (phrase("training.report_column.nll"), f"{base.nll:.3f} → {row.nll:.3f}"),
        (phrase("training.report_column.change"), _change(row.change)),
        (phrase("training.report.change_by_training"), _change(gate.change)),
    ]
    if gate.win_rate is not None:
        pairs.insert(1, (phrase("training.gate_condition.wins"), quality_gate.win_rate_text(gate.win_rate)))
    if gate.change_from_shipped is not None:
        pairs.append((phrase("training.report.change_from_shipped"), _change(gate.change_from_shipped)))
    if gate.base_nll is not None and gate.adapter_nll is not None:
        pairs.append(
            (
                f"{phrase('training.report.precision')} ({gate.precision})",
                f"{gate.base_nll:.3f} → {gate.adapter_nll:.3f}",
            )
        )
    if gate.chats:
        pairs.append((phrase("training.report.chats_equal"), f"{gate.chats_equal} / {gate.chats}"))
    pairs.append((phrase("training.report.memory_free"), format_size(gate.available_bytes)))
    return pairs


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class _Form:
    name: str
    mark: str  # CSS class
    cells: tuple[_Cell, ...]


_COLUMNS = ("size", "memory", "nll", "loss", "change", "kld", "top1", "ended", "loops", "japanese", "speed")


def _form(row: FormRow, gate: GateResult) -> _Form:
    is_loss = row.loss_nats is not None and row.loss_nats > quality_gate.LOSS_NATS
    loss = f"{row.loss_nats:+.3f}" if row.loss_nats is not None else _NONE
    speed = f"{row.write_tokens_per_s:.1f}" if row.write_tokens_per_s else _NONE
    cells = (
        _Cell(format_size(row.size_bytes)),
        _Cell(format_size(row.memory_bytes)),
        _Cell(f"{row.nll:.4f}"),
        _Cell(f"▲ {loss}" if is_loss else loss, is_loss),
        _Cell(_change(row.change)),
        _Cell(f"{row.divergence:.2g}" if row.divergence is not None else _NONE),
        *(_Cell(_percent(share)) for share in _shares(row)),
        _Cell(speed),
    )
    is_proposed = gate.is_usable and row.form == gate.proposed
    mark = "proposed" if is_proposed else "" if row.fits else "does-not-fit"
    return _Form(_form_name(row.form), mark, cells)


def _shares(row: FormRow) -> tuple[float | None, ...]:
    return row.same_first_share, row.ended_share, row.looping_share, row.japanese_share


def _form_name(form: str) -> str:
    own = (*quality_gate.ON_BASE, quality_gate.F16_ADAPTER)
    return (
        phrase(f"training.report_form.{form.replace('+', '_')}")
        if form in own
        else phrase("training.report_form.merged", form=form)
    )


def _change(change: ConfidenceInterval | None) -> str:
    if change is None or change.units < LEAST_UNITS:
        return f"{change.mean:+.3f}" if change else _NONE
    return f"{change.mean:+.3f} ({change.low:+.3f} … {change.high:+.3f})"


def _percent(share: float | None) -> str:
    return f"{share:.0%}" if share is not None else _NONE


@dataclass(frozen=True, slots=True)
class _Answer:
    question: str
    base: str
    base_end: str
    tuned: str
    tuned_end: str
    reference: str


def _answers(rows: Sequence[AnswerRow]) -> list[tuple[str, list[_Answer]]]:
    """Return the answers that became most likely by the training and most unlikely, each group with its heading.

    What is compared is how likely the base and the tuned model find the answer that was kept back. An answer that the
    tuned model wrote with a flaw, and one without a known change, does not count as an improvement.
    """
    ranked = sorted(rows, key=lambda row: row.change_nats or 0.0)
    better = [row for row in ranked if (row.change_nats or 0.0) < 0 and not row.tuned_flaw]
    worse = [row for row in reversed(ranked) if row not in better]
    groups = [
        (phrase("training.report.most_better"), better[:_ANSWERS_EACH]),
        (phrase("training.report.most_worse"), worse[:_ANSWERS_EACH]),
    ]
    return [(heading, [_answer(row) for row in found]) for heading, found in groups if found]


def _answer(row: AnswerRow) -> _Answer:
    base, tuned = row.base or phrase("training.report.empty"), row.tuned or phrase("training.report.empty")
    ends = [wording.phrase_or(f"training.report_ended_by.{how}", "") for how in (row.base_ended_by, row.tuned_ended_by)]
    return _Answer(row.question, base, ends[0], tuned, ends[1], row.reference or _NONE)


# ------------------------------------------------------------------------- training


def _plots(history: RunHistory) -> list[str]:
    losses = [(float(step.step), step.loss) for step in history.steps]
    validation = [(float(evaluation.step), evaluation.loss) for evaluation in history.evaluations]
    is_long = len(losses) > _LONG_STEPS
    train = [PlotSeries(phrase("training.report.series_train"), "one raw" if is_long else "one", losses)]
    if is_long:
        train.append(PlotSeries(phrase("training.report.series_smooth"), "one", plots.smooth_exponentially(losses)))
    rates = [(float(step.step), step.learning_rate) for step in history.steps]
    norms = [(float(step.step), step.gradient_norm) for step in history.steps]
    return [
        plots.line_plot(
            phrase("training.report.plot_loss"),
            phrase("training.report.step"),
            [
                *train,
                PlotSeries(
                    phrase("training.report.series_validation"), "two", validation, has_marks=len(validation) <= 60
                ),
            ],
        ),
        plots.line_plot(
            phrase("training.report.plot_rate"),
            phrase("training.report.step"),
            [PlotSeries(phrase("training.report.series_rate"), "one", rates)],
        ),
        plots.line_plot(
            phrase("training.report.plot_norm"),
            phrase("training.report.step"),
            [PlotSeries(phrase("training.report.series_norm"), "one", norms)],
        ),
    ]


def _best_evaluation_text(history: RunHistory) -> str:
    best = history.status.best_evaluation
    return phrase("training.report.best_here", step=best.step, loss=f"{best.loss:.4f}") if best else ""


def _samples(history: RunHistory) -> list[tuple[str, list[tuple[int, str, str]]]]:
    """Return for each question at most _SAMPLE_STEPS answers, including the first and the last."""
    by_question: dict[str, list[tuple[int, str, str]]] = {}
    for one in history.samples:
        end = "" if one.has_ended else phrase("training.report_ended_by.limit")
        by_question.setdefault(one.question, []).append(
            (one.step, one.answer.strip() or phrase("training.report.empty"), end)
        )
    return [(question, _thinned(found)) for question, found in by_question.items()]


def _thinned(points: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    if len(points) <= _SAMPLE_STEPS:
        return points
    places = {round(at * (len(points) - 1) / (_SAMPLE_STEPS - 1)) for at in range(_SAMPLE_STEPS)}
    return [one for at, one in enumerate(points) if at in places]


def _tables(run: run_folders.TrainingRunFolder, history: RunHistory) -> list[tuple[str, str, list[tuple[str, str]]]]:
    asked = run_folders.effective_spec(run.folder)
    facts = history.status.effective.facts if history.status.effective else {}
    tables = [
        (
            phrase("training.report.settings"),
            phrase("training.report.settings_note"),
            _settings(asked) if asked else [],
        ),
        (phrase("training.report.facts"), "", _pairs(facts)),
        (phrase("training.report.data"), "", _data(run.folder, asked) if asked else []),
        (
            phrase("training.report.findings"),
            "",
            [
                (phrase(f"training.report_level.{finding.level}"), training_errors.finding_text(finding))
                for finding in history.status.findings
            ],
        ),
        (phrase("training.report.adjusted"), "", [_adjustment(one) for one in history.adjusted]),
        (phrase("training.report.versions"), "", _pairs(history.started.versions) if history.started else []),
        (phrase("training.report.finished"), "", _pairs(_end_facts(history))),
    ]
    return [table for table in tables if table[2]]


def _data(folder: Path, requested: spec.RunSpec) -> list[tuple[str, str]]:
    """Return the row count and hash of each data file; no row count if the file is missing or has changed."""
    found = []
    for name in PARTS:
        known = requested.hashes.get(name, "")
        rows, sha256 = _counted(getattr(requested, name))
        parts = [f"{phrase('training.report.rows')}: {rows}"] if rows and known in ("", sha256) else []
        parts += [f"sha256: {known or sha256}"] if known or sha256 else []
        if parts:
            found.append((phrase(f"training.report_of.{name}"), ", ".join(parts)))
    label = lineage.lineage_of_run(folder).label or confidentiality.DEFAULT_LABEL
    return [*found, (phrase("training.report.label"), phrase(f"common.label.{label}"))]


def _counted(path: str) -> tuple[int, str]:
    rows, digest = 0, hashlib.sha256()
    try:
        for line in lines_of(Path(path)):
            rows += bool(line.strip())
            digest.update(line)
    except OSError:
        return 0, ""
    return rows, digest.hexdigest()


def _end_facts(history: RunHistory) -> dict[str, Any]:
    end = history.finished
    if end is None:
        return {}
    return {
        "reason": wording.phrase_or(f"training.report_end.{end.reason}", end.reason),
        "step": end.step,
        "best_step": end.best_step,
        "seconds": round(end.seconds),
        "tokens_per_s": round(end.tokens_per_s, 1),
        "peak_bytes": format_size(end.peak_bytes),
    }


def _settings(requested: spec.RunSpec) -> list[tuple[str, str]]:
    """Return the names and values of the settings, without the hashes, which are shown with the data."""
    values = {name: value for name, value in spec.to_json(requested).items() if name not in ("version", "hashes")}
    if requested.form is not None:
        values["form"] = (requested.form.question + requested.form.answer).replace("{text}", "…")
    if requested.base_weights:
        values["base_weights"] = base_models.weights_text(requested.base_weights)
    return _pairs(values)


def _adjustment(adjusted: Adjusted) -> tuple[str, str]:
    sentences = [phrase(f"training.run_adjusted.{adjusted.reason}", step=adjusted.step)]
    return f"{phrase('training.report.step')} {adjusted.step}", " ".join(
        [*sentences, *(": ".join(pair) for pair in _pairs(adjusted.facts))]
    )


def _pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the texts of names and values; a name without a text of its own, such as a library's, stays as it is."""
    named = [
        (wording.phrase_or(f"training.report_of.{key}", training_errors.setting_name(key)), value)
        for key, value in values.items()
    ]
    return [(name, _value_text(value)) for name, value in named if value not in (None, "", {}, [], ())]


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return phrase("training.report.yes" if value else "training.report.no")
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return " / ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, default=str)
