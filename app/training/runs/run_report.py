"""Write `report.html`: one run in one file that opens anywhere, without network, scripts or other files.

It is made from the run's folder alone: spec, journal and, if the run was judged, `gate.json`. All text is escaped.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from app.base import confidentiality, html_report, plots, wording
from app.base.bootstrap import ConfidenceInterval
from app.base.errors import AppError
from app.base.files.input_file import lines_of
from app.base.files.output_file import drive_error, write_atomically
from app.base.plots import PlotSeries
from app.base.wording import format_size
from app.inference import scoring_files
from app.training import quality_gate, training_errors
from app.training.quality_gate import AnswerRow, FormRow, GateResult
from app.training.runs import lineage, run_folders, run_journal
from app.training.runs.run_journal import RunHistory
from trainer import spec
from trainer.events import Adjusted

REPORT_FILE = "report.html"
_ANSWERS_EACH = 5
_SAMPLE_STEPS = 8  # answers to one question
_LONG_STEPS = 60  # from here on the single losses stand faintly behind their mean
_NONE = "-"


def write_report(folder: Path) -> Path:
    """Write the report in the current language. Raises AppError("run_unwritable" | "drive_space")."""
    path = folder / REPORT_FILE
    try:
        write_atomically(path, render_report(folder).encode("utf-8", "replace"))
    except OSError as error:
        raise drive_error(error, folder, "run_unwritable") from error
    return path


def render_report(folder: Path) -> str:
    run = run_folders.read(folder)
    history = run_journal.read_history(folder)
    gate = _gate(folder)
    word = html_report.load_words("training.toml")
    made_at = gate.made_at if gate else 0.0
    return html_report.render(
        "training.html",
        word,
        name=run.name,
        id=run.id,
        made_at=time.strftime("%Y-%m-%d %H:%M", time.localtime(made_at)) if made_at else "",
        gate=gate,
        origin=wording.phrase("common.run_trained_elsewhere") if run.is_from_elsewhere else "",
        verdict=wording.phrase(f"training.gate_{gate.verdict}") if gate else "",
        reasons=_reasons(gate) if gate else [],
        rejected=wording.phrase("common.run_rejected") if gate and not gate.is_usable else "",
        summary=_summary(gate, word) if gate else [],
        form_columns=_COLUMNS,
        forms=[_form(row, gate, word) for row in gate.forms] if gate else [],
        plots=[Markup(drawn) for drawn in _plots(history, word) if drawn],  # noqa: S704  names in it are escaped
        best=_best(history, word),
        answers=_answers(gate.answers, word) if gate else [],
        samples=_samples(history, word),
        tables=_tables(run, history, word),
    )


def _gate(folder: Path) -> GateResult | None:
    try:
        return quality_gate.read_gate(folder)
    except AppError:
        return None


# ---------------------------------------------------------------------------- gate


def _reasons(gate: GateResult) -> list[tuple[str, str]]:
    found = [(reason.level, quality_gate.reason_text(reason)) for reason in gate.reasons]
    return found or [("adopt", wording.phrase("training.gate_adopt_why"))]


def _summary(gate: GateResult, word: dict[str, str]) -> list[tuple[str, str]]:
    row, base = gate.row(gate.proposed), gate.row(quality_gate.BASE)
    name = word["proposed_none"] if gate.proposed == quality_gate.BASE_ADAPTER else _form_name(gate.proposed, word)
    pairs = [
        (word["proposed" if gate.is_usable else "judged"], f"{name} ({format_size(row.size_bytes)})"),
        (word["nll"], f"{base.nll:.3f} → {row.nll:.3f}"),
        (word["change"], _change(row.change)),
        (word["change_by_training"], _change(gate.change)),
    ]
    if gate.change_from_shipped is not None:
        pairs.append((word["change_from_shipped"], _change(gate.change_from_shipped)))
    if gate.base_nll is not None and gate.adapter_nll is not None:
        pairs.append((f"{word['precision']} ({gate.precision})", f"{gate.base_nll:.3f} → {gate.adapter_nll:.3f}"))
    if gate.chats:
        pairs.append((word["chats_equal"], f"{gate.chats_equal} / {gate.chats}"))
    pairs.append((word["memory_free"], format_size(gate.available_bytes)))
    return pairs


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class _Form:
    name: str
    mark: str  # a CSS class of the page
    cells: tuple[_Cell, ...]


_COLUMNS = ("size", "memory", "nll", "loss", "change", "kld", "top1", "ended", "loops", "japanese", "speed")


def _form(row: FormRow, gate: GateResult, word: dict[str, str]) -> _Form:
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
    return _Form(_form_name(row.form, word), mark, cells)


def _shares(row: FormRow) -> tuple[float | None, ...]:
    return row.same_first_share, row.ended_share, row.looping_share, row.japanese_share


def _form_name(form: str, word: dict[str, str]) -> str:
    own = (*quality_gate.ON_BASE, quality_gate.F16_ADAPTER)
    return word["form_" + form.replace("+", "_")] if form in own else word["form_merged"].format(form=form)


def _change(change: ConfidenceInterval | None) -> str:
    return f"{change.mean:+.3f} ({change.low:+.3f} … {change.high:+.3f})" if change else _NONE


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


def _answers(rows: Sequence[AnswerRow], word: dict[str, str]) -> list[tuple[str, list[_Answer]]]:
    """Return the answers that gained most and lost most.

    Broken answers, and those without a known change, do not count as gains.
    """
    ranked = sorted(rows, key=lambda row: row.change_nats or 0.0)
    better = [row for row in ranked if (row.change_nats or 0.0) < 0 and not _is_broken(row)]
    worse = [row for row in reversed(ranked) if row not in better]
    groups = [(word["most_better"], better[:_ANSWERS_EACH]), (word["most_worse"], worse[:_ANSWERS_EACH])]
    return [(heading, [_answer(row, word) for row in found]) for heading, found in groups if found]


def _is_broken(row: AnswerRow) -> bool:
    """Return whether the answer is cut off, empty or looping: then a likelier held-out answer is no gain."""
    return row.tuned_ended_by == "limit" or not row.tuned.strip() or scoring_files.is_looping(row.tuned)


def _answer(row: AnswerRow, word: dict[str, str]) -> _Answer:
    base, tuned = row.base or word["empty"], row.tuned or word["empty"]
    ends = [word.get(f"ended_by_{how}", "") for how in (row.base_ended_by, row.tuned_ended_by)]
    return _Answer(row.question, base, ends[0], tuned, ends[1], row.reference or _NONE)


# ------------------------------------------------------------------------- training


def _plots(history: RunHistory, word: dict[str, str]) -> list[str]:
    losses = [(float(step.step), step.loss) for step in history.steps]
    validation = [(float(one.step), one.loss) for one in history.evaluations]
    is_long = len(losses) > _LONG_STEPS
    train = [PlotSeries(word["series_train"], "one raw" if is_long else "one", losses)]
    if is_long:
        train.append(PlotSeries(word["series_smooth"], "one", plots.smooth_exponentially(losses)))
    rates = [(float(step.step), step.learning_rate) for step in history.steps]
    norms = [(float(step.step), step.gradient_norm) for step in history.steps]
    return [
        plots.line_plot(
            word["plot_loss"],
            word["step"],
            [*train, PlotSeries(word["series_validation"], "two", validation, has_marks=len(validation) <= 60)],
        ),
        plots.line_plot(word["plot_rate"], word["step"], [PlotSeries(word["series_rate"], "one", rates)]),
        plots.line_plot(word["plot_norm"], word["step"], [PlotSeries(word["series_norm"], "one", norms)]),
    ]


def _best(history: RunHistory, word: dict[str, str]) -> str:
    best = min(history.evaluations, key=lambda one: one.loss, default=None)
    return word["best_here"].format(step=best.step, loss=f"{best.loss:.4f}") if best else ""


def _samples(history: RunHistory, word: dict[str, str]) -> list[tuple[str, list[tuple[int, str, str]]]]:
    """Return at most _SAMPLE_STEPS answers by question, including the first and the last."""
    by_question: dict[str, list[tuple[int, str, str]]] = {}
    for one in history.samples:
        end = "" if one.has_ended else word["ended_by_limit"]
        by_question.setdefault(one.question, []).append((one.step, one.answer.strip() or word["empty"], end))
    return [(question, _thinned(found)) for question, found in by_question.items()]


def _thinned(found: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    if len(found) <= _SAMPLE_STEPS:
        return found
    places = {round(at * (len(found) - 1) / (_SAMPLE_STEPS - 1)) for at in range(_SAMPLE_STEPS)}
    return [one for at, one in enumerate(found) if at in places]


def _tables(
    run: run_folders.TrainingRunFolder, history: RunHistory, word: dict[str, str]
) -> list[tuple[str, str, list[tuple[str, str]]]]:
    asked = run_folders.effective_spec(run)
    facts = history.effective.facts if history.effective else {}
    tables = [
        (word["settings"], word["settings_note"], _settings(asked, word) if asked else []),
        (word["facts"], "", _pairs(facts, word)),
        (word["data"], "", _data(run.folder, asked, word) if asked else []),
        (
            word["findings"],
            "",
            [(word[f"level_{one.level}"], training_errors.finding_text(one)) for one in history.findings],
        ),
        (word["adjusted"], "", [_adjustment(one, word) for one in history.adjusted]),
        (word["versions"], "", _pairs(history.started.versions, word) if history.started else []),
        (word["finished"], "", _pairs(_end(history, word), word)),
    ]
    return [table for table in tables if table[2]]


def _data(folder: Path, asked: spec.RunSpec, word: dict[str, str]) -> list[tuple[str, str]]:
    """Return rows and hash of each file; no row count for a missing or changed file."""
    found = []
    for name in ("train", "validation", "holdout"):
        known = asked.hashes.get(name, "")
        rows, sha256 = _counted(getattr(asked, name))
        parts = [f"{word['rows']}: {rows}"] if rows and known in ("", sha256) else []
        parts += [f"sha256: {known or sha256}"] if known or sha256 else []
        if parts:
            found.append((word[f"of_{name}"], ", ".join(parts)))
    label = lineage.lineage_of_run(folder).label or confidentiality.DEFAULT_LABEL
    return [*found, (word["label"], wording.phrase(f"common.label.{label}"))]


def _counted(path: str) -> tuple[int, str]:
    rows, digest = 0, hashlib.sha256()
    try:
        for line in lines_of(Path(path)):
            rows += bool(line.strip())
            digest.update(line)
    except OSError:
        return 0, ""
    return rows, digest.hexdigest()


def _end(history: RunHistory, word: dict[str, str]) -> dict[str, Any]:
    end = history.finished
    if end is None:
        return {}
    return {
        "reason": word.get(f"end_{end.reason}", end.reason),
        "step": end.step,
        "best_step": end.best_step,
        "seconds": round(end.seconds),
        "tokens_per_s": round(end.tokens_per_s, 1),
        "peak_bytes": format_size(end.peak_bytes),
    }


def _settings(asked: spec.RunSpec, word: dict[str, str]) -> list[tuple[str, str]]:
    """Return the settings without the hashes, which are shown with the data."""
    values = {name: value for name, value in spec.to_json(asked).items() if name not in ("version", "hashes")}
    if asked.form is not None:
        values["form"] = (asked.form.question + asked.form.answer).replace("{text}", "…")
    return _pairs(values, word)


def _adjustment(one: Adjusted, word: dict[str, str]) -> tuple[str, str]:
    sentences = [wording.phrase(f"training.run_adjusted.{one.reason}", step=one.step)]
    return f"{word['step']} {one.step}", " ".join([*sentences, *(": ".join(pair) for pair in _pairs(one.facts, word))])


def _pairs(values: dict[str, Any], word: dict[str, str]) -> list[tuple[str, str]]:
    """Return names and values; a name without a text (`of_…`), such as a library's, is shown as it is."""
    named = [(word.get(f"of_{key}", key), value) for key, value in values.items()]
    return [(name, _shown(value, word)) for name, value in named if value not in (None, "", {}, [], ())]


def _shown(value: Any, word: dict[str, str]) -> str:
    if isinstance(value, bool):
        return word["yes" if value else "no"]
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return " / ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, default=str)
