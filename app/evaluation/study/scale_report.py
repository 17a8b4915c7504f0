"""Report how much training data is enough: the sections of a scale study's report, and its advice.

The advice is one of: more data help; the data are enough; use documents instead of training; too early to say.
A power law NLL(n) = a + b n^-c through the measured sizes predicts the gain of twice the data (form: arXiv 1712.00409
and 2001.08361). There is no curve for three sizes or fewer, which do not determine three numbers, nor for losses that
fluctuate or whose gains grow.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base import bootstrap, plots
from app.base.bootstrap import ConfidenceInterval
from app.base.plots import PlotSeries
from app.base.wording import phrase
from app.evaluation.records import QuestionSet, ReportSection, ReportTable
from app.evaluation.study import scale_plan, scale_results
from app.evaluation.study.scale_results import FixedStepsControl, LossChange, ScaleResults, TrainingCurve
from app.evaluation.study.studies import Study
from app.training import training_errors
from app.training.quality_gate import FEW_EXAMPLES, LOSS_NATS
from app.training.runs import run_folders

LEAST_SIZES = 4  # one more than the curve has parameters
_EXPONENTS = np.geomspace(0.02, 4, 300)  # candidates for c; at either end c is only bounded, not determined
_MISFIT = 0.1  # largest residual of a curve, as a share of the range of losses
_RESAMPLES = 2000
_SEED = 20260318

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LossCurve:
    """A power law NLL(n) = a + b n^-c, fitted to the losses of a scale study.

    `gain`: predicted fall of NLL at twice the largest size, in nats a token. `low` to `high`: 95 % interval of the gain
    over examples and seeds, if losses follow a power law. `rms`: root mean square of the residuals, in nats a token.
    """

    a: float
    b: float
    c: float
    gain: float
    low: float
    high: float
    rms: float

    def loss_at(self, rows: float) -> float:
        return self.a + self.b * math.pow(rows, -self.c)


def fit_power_law(sizes: Sequence[int], losses: Sequence[float]) -> tuple[float, float, float] | None:
    """Return a, b and c by least squares with a, b >= 0; None if the sizes do not determine them.

    `losses`: nats a token for each size.
    """
    if len(sizes) < LEAST_SIZES:
        return None
    ns, measured = np.asarray(sizes, np.float64), np.asarray(losses, np.float64)
    a, b, at = (one[0] for one in _fit_power_laws(ns, measured[None]))
    c = _EXPONENTS[at]
    if b <= 0 or at in (0, len(_EXPONENTS) - 1) or _rms(measured - (a + b * ns**-c)) > _MISFIT * np.ptp(measured):
        return None
    return float(a), float(b), float(c)


def extrapolated_curve(
    sizes: Sequence[int], runs: Sequence[Sequence[Sequence[float]]], tokens: Sequence[int], groups: Sequence[str] = ()
) -> LossCurve | None:
    """Fit the power law with the interval of its gain; None if the losses give no curve.

    `runs`: nats by size, seed and example. `tokens`: number of tokens of each example. `groups`: the group of each
    example; groups are drawn as a whole. In simulated studies the interval contained the true gain in 95 % of cases
    with three seeds but in 83 % with one, whose chance deviation cannot be estimated
    (`tests/benchmarks/scale_study.py`).
    """
    values = [np.asarray(run, np.float64) for run in runs]
    weights = np.asarray(tokens, np.float64)
    losses = [float(value.mean(0).sum() / weights.sum()) for value in values]
    found = fit_power_law(sizes, losses)
    if found is None:
        return None
    a, b, c = found
    ns = np.asarray(sizes, np.float64)
    gain = float(_gain(ns[-1], np.asarray([b]), np.asarray([c]))[0])
    drawn = _resampled(values, weights, groups)
    _, factors, places = _fit_power_laws(ns, drawn)
    gains = _gain(ns[-1], factors, _EXPONENTS[places])
    units = len(set(groups)) if groups else len(weights)
    tail = bootstrap.tail_share(units)
    low, high = np.quantile(gains, (tail, 1 - tail))
    return LossCurve(a, b, c, gain, float(low), float(high), _rms(np.asarray(losses) - (a + b * ns**-c)))


def _rms(values: _Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _gain(largest: float, b: _Floats, c: _Floats) -> _Floats:
    found: _Floats = b * (largest**-c - (2 * largest) ** -c)
    return found


def _fit_power_laws(sizes: _Floats, losses: _Floats) -> tuple[_Floats, _Floats, npt.NDArray[np.int64]]:
    """Return a, b, and the index of c in _EXPONENTS for each row of `losses` (resamples x sizes).

    For a fixed c the least squares are linear; where a or b would be negative, it is set to 0 and the other one fitted.
    """
    best = np.full(len(losses), np.inf)
    a, b, at = np.zeros(len(losses)), np.zeros(len(losses)), np.zeros(len(losses), np.int64)
    mean = losses.mean(1)
    for place, exponent in enumerate(_EXPONENTS):
        x = (sizes / sizes[0]) ** -exponent
        spread = x - x.mean()
        slope = np.maximum(losses @ spread / (spread @ spread), 0.0)
        level = mean - slope * x.mean()
        slope = np.where(level < 0, losses @ x / (x @ x), slope)
        level = np.maximum(level, 0.0)
        error = ((losses - level[:, None] - slope[:, None] * x) ** 2).sum(1)
        is_better = error < best
        best = np.where(is_better, error, best)
        a, b = np.where(is_better, level, a), np.where(is_better, slope * sizes[0] ** exponent, b)
        at = np.where(is_better, place, at)
    return a, b, at


def _resampled(values: Sequence[_Floats], weights: _Floats, groups: Sequence[str]) -> _Floats:
    """Draw bootstrap resamples, and return their losses in nats a token (resamples x sizes).

    Each resample draws whole groups of examples (without `groups`: examples), the same for all sizes, and seeds of each
    size. `values`: nats, for each size an array (seeds x examples). `weights`: tokens of each example.
    """
    random = np.random.default_rng(_SEED)
    members = np.unique(list(groups), return_inverse=True)[1] if groups else np.arange(len(weights))
    units = int(members.max()) + 1
    counts = random.multinomial(units, np.full(units, 1 / units), _RESAMPLES)[:, members].astype(np.float64)
    tokens = counts @ weights
    found = []
    for value in values:
        sums = counts @ value.T  # resamples x seeds
        drawn = random.integers(0, len(value), (_RESAMPLES, len(value)))
        found.append(np.take_along_axis(sums, drawn, 1).mean(1) / tokens)
    return np.stack(found, 1)


WORTH_NATS = LOSS_NATS  # nats a token that twice the data must bring: 2 % of perplexity
FACTS_SHARE = 0.5  # share of questions from which the set counts as being about facts in documents
FEW_SEEDS = 3
_CURVE_POINTS = 60
_MOST_TIMES = 2  # the curve ends at this many times the largest size
_SETTINGS = ("rank", "alpha", "dropout", "learning_rate", "micro_batch", "accumulation", "epochs")
_NONE = "-"


@dataclass(frozen=True, slots=True)
class ScaleAdvice:
    """The advice of a scale study. `code`: more | enough | documents | early.

    `sentence`: the advice with its numbers.
    """

    code: str
    sentence: str


def scale_sections(study: Study, folder: Path, questions: QuestionSet) -> tuple[ReportSection, ...]:
    """Return the report's sections on a scale study whose runs have all ended, in the language in use.

    Raises AppError: evaluation_not_finished, evaluation_damaged, holdout_unreadable.
    """
    found = scale_results.measure(study)
    about = scale_plan.read_about(folder)
    drawn = curve_of(found)
    asked = questions if study.contenders else None
    verdict = ReportSection(
        phrase("evaluation.scale_title"),
        (advise(found, asked).sentence, *_curve_sentences(found, drawn), *_caveats(found, about)),
        (_plot(found, drawn),),
        (_sizes(found),),
    )
    control = ReportSection(
        phrase("evaluation.scale_control.title"),
        tuple(_control_sentence(one, found) for one in found.controls),
        tables=(_controls(found),),
    )
    course = ReportSection(
        phrase("evaluation.scale_course_title"),
        (
            *_course_sentences(found),
            _settings(study),
            *([phrase("evaluation.scale_settings_control")] if found.controls else []),
        ),
        tuple(filter(None, _course_plots(found))),
        (_courses(found),),
    )
    return (verdict, *([control] if found.controls else []), course)


def advise(results: ScaleResults, questions: QuestionSet | None = None) -> ScaleAdvice:
    """Choose the advice from the results.

    `questions`: the questions that the systems answered; None: only the hold-out was measured.
    """
    rows, base, change = results.largest.rows, results.largest.from_base, results.doubling
    sizes = {"rows": f"{rows:,}", "half": f"{results.half:,}"}
    facts, count = _facts(questions)
    if count and facts >= FACTS_SHARE * count:
        return _advice("documents", "facts", base.decisive, facts=facts, count=count)
    if not base.decisive.is_better:
        is_few = base.decisive.units < FEW_EXAMPLES
        return _advice("early", "few", base.decisive) if is_few else _advice("documents", "base", base.decisive)
    if change.decisive.is_worse:
        return _advice("enough", "worse", change.decisive, **sizes)
    most = max(0.0, -change.decisive.low)
    if most < WORTH_NATS:
        return _advice("enough", "", change.decisive, most=f"{most:.3f}", worth=WORTH_NATS, **sizes)
    if not change.is_better:
        reason = "seeds" if change.decisive.is_better else ""
        return _advice("early", reason, change.decisive, **sizes)
    control = next((one for one in results.controls if one.run.training.rows == results.half), None)
    if control is not None and control.explains == "steps":
        return _advice("enough", "steps", control.by_data.decisive, **sizes)
    return _advice("more", "", change.decisive, **sizes)


def curve_of(results: ScaleResults) -> LossCurve | None:
    sizes = results.sizes
    nll = [[run.nll for run in size.runs] for size in sizes]
    return extrapolated_curve([size.rows for size in sizes], nll, results.tokens, results.groups)


# -------------------------------------------------------------------------- words


def _advice(code: str, reason: str, interval: ConfidenceInterval, **facts: Any) -> ScaleAdvice:
    key = f"evaluation.scale_advice.{code}" + (f"_{reason}" if reason else "")
    return ScaleAdvice(code, phrase(key, **_numbers(interval), **facts))


def _facts(questions: QuestionSet | None) -> tuple[int, int]:
    """Return the number of questions that ask for facts in documents, and the number of all questions."""
    asked = questions.questions if questions else ()
    return sum(bool(one.gold or one.must_include) for one in asked), len(asked)


def _numbers(interval: ConfidenceInterval) -> dict[str, Any]:
    return {
        "mean": f"{interval.mean:+.3f}",
        "low": f"{interval.low:+.3f}",
        "high": f"{interval.high:+.3f}",
        "units": interval.units,
    }


def _curve_sentences(results: ScaleResults, drawn: LossCurve | None) -> Iterator[str]:
    if len(results.sizes) < LEAST_SIZES:
        yield phrase("evaluation.scale_curve_few", count=len(results.sizes), least=LEAST_SIZES)
    elif drawn is None:
        yield phrase("evaluation.scale_curve_unknown")
    else:
        numbers = {name: f"{getattr(drawn, name):.3f}" for name in ("a", "c", "gain", "low", "high", "rms")}
        yield phrase(
            "evaluation.scale_curve", b=f"{drawn.b:.3g}", twice=f"{_MOST_TIMES * results.largest.rows:,}", **numbers
        )
        if any(control.explains == "steps" for control in results.controls):
            yield phrase("evaluation.scale_curve_steps")


def _caveats(results: ScaleResults, about: dict[str, Any]) -> Iterator[str]:
    if not about["is_nested"]:
        yield phrase("evaluation.scale_not_nested")
    seeds = min(len(size.runs) for size in results.sizes)
    if seeds < FEW_SEEDS:
        yield phrase("evaluation.scale_few_seeds", seeds=seeds, least=FEW_SEEDS)
    units = results.largest.from_base.decisive.units
    if units < FEW_EXAMPLES:
        yield phrase("evaluation.scale_few_examples", units=units, least=FEW_EXAMPLES)
    if not results.groups:
        yield phrase("evaluation.scale_no_groups")


def _control_sentence(control: FixedStepsControl, results: ScaleResults) -> str:
    rows, largest = f"{control.run.training.rows:,}", f"{results.largest.rows:,}"
    decisive = control.by_data.decisive if control.explains != "nothing" else control.gain.decisive
    return phrase(f"evaluation.scale_control.{control.explains}", rows=rows, largest=largest, **_numbers(decisive))


def _course_sentences(results: ScaleResults) -> Iterator[str]:
    courses = [run.course for run in results.main_runs]
    early = sum(one.reason == "early_stopping" for one in courses)
    over = sum(one.overfit_step is not None for one in courses)
    yield phrase("evaluation.scale_early_stopped", count=early, runs=len(courses), share=f"{results.early_share:.0%}")
    yield phrase("evaluation.scale_overfit" if over else "evaluation.scale_not_overfit", count=over, runs=len(courses))


def _settings(study: Study) -> str:
    run = run_folders.read(Path(study.trainings[0].folder))
    decided = run_folders.effective_spec(run.folder)
    values = {name: getattr(decided, name) for name in _SETTINGS if getattr(decided, name, None) is not None}
    texts = phrase("common.setting_between").join(
        training_errors.setting_text(name, value) for name, value in values.items()
    )
    return phrase("evaluation.scale_settings", settings=texts)


# ------------------------------------------------------------------------- tables


def _sizes(results: ScaleResults) -> ReportTable:
    head = ("rows", "seeds", "steps", "nll", "spread", "from_base", "from_previous")
    lines = [(phrase("evaluation.scale_base"), _NONE, _NONE, f"{results.base_nll:.3f}", _NONE, _NONE, _NONE)]
    lines += [
        (
            f"{size.rows:,}",
            str(len(size.runs)),
            phrase("common.setting_between").join(_steps(run.course) for run in size.runs),
            f"{size.nll:.3f}",
            _NONE if size.spread is None else f"{size.spread:.3f}",
            _format_change(size.from_base),
            _format_change(size.from_previous),
        )
        for size in results.sizes
    ]
    notes = (
        phrase("evaluation.scale_note_nll"),
        phrase("evaluation.scale_note_groups" if results.groups else "evaluation.scale_note_examples"),
    )
    return ReportTable(_head(head), tuple(lines), notes)


def _controls(results: ScaleResults) -> ReportTable:
    lines = []
    for one in results.controls:
        changes = (_format_change(change) for change in (one.gain, one.by_steps, one.by_data))
        lines.append((f"{one.run.training.rows:,}", _steps(one.run.course), f"{one.nll:.3f}", *changes))
    head = ("rows", "steps", "nll", "gain", "by_steps", "by_data")
    return ReportTable(_head(head), tuple(lines), (phrase("evaluation.scale_note_control"),))


def _courses(results: ScaleResults) -> ReportTable:
    lines = []
    for run in [*results.main_runs, *(control.run for control in results.controls)]:
        training, course = run.training, run.course
        rows = f"{training.rows:,}"
        lines.append(
            (
                phrase("evaluation.scale_is_control", rows=rows) if training.is_control else rows,
                str(training.seed),
                _steps(course),
                phrase(f"evaluation.scale_end.{course.reason}") if course.reason else _NONE,
                _NONE if course.overfit_step is None else str(course.overfit_step),
                _NONE if course.gap is None else f"{course.gap:+.3f}",
            )
        )
    return ReportTable(
        _head(("rows", "seed", "steps", "end", "overfit", "gap")), tuple(lines), (phrase("evaluation.scale_note_gap"),)
    )


def _head(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(phrase(f"evaluation.scale_column.{name}") for name in names)


def _steps(course: TrainingCurve) -> str:
    """Return a text with the best step and the number of steps."""
    return phrase("evaluation.scale_best_step", best=course.best_step, steps=course.steps)


def _format_change(change: LossChange | None) -> str:
    """Return a text with the mean and the interval of a change in nats a token, with signs; "-" for None."""
    if change is None:
        return _NONE
    return f"{change.decisive.mean:+.3f} ({change.decisive.low:+.3f} … {change.decisive.high:+.3f})"


# -------------------------------------------------------------------------- plots


def _plot(results: ScaleResults, drawn: LossCurve | None) -> str:
    first, last = results.sizes[0].rows, _MOST_TIMES * results.largest.rows
    series = [
        PlotSeries(
            phrase("evaluation.scale_series"), "one", [(size.rows, size.nll) for size in results.sizes], has_marks=True
        )
    ]
    if drawn is not None:
        places = [first + (last - first) * at / _CURVE_POINTS for at in range(_CURVE_POINTS + 1)]
        series.append(
            PlotSeries(phrase("evaluation.scale_series_curve"), "two", [(rows, drawn.loss_at(rows)) for rows in places])
        )
    return plots.line_plot(phrase("evaluation.scale_plot"), phrase("evaluation.scale_column.rows"), series)


def _course_plots(results: ScaleResults) -> Iterator[str]:
    """Yield for each size the plot of its first seed's run and of its control."""
    for size in results.sizes:
        run = size.runs[0]
        control = next((one.run for one in results.controls if one.run.training.rows == size.rows), None)
        series = [
            PlotSeries(phrase("evaluation.scale_series_training"), "two", run.course.training),
            PlotSeries(phrase("evaluation.scale_series_validation"), "one", run.course.validation),
        ]
        if control is not None:
            series.append(PlotSeries(phrase("evaluation.scale_series_control"), "three", control.course.validation))
        yield plots.line_plot(
            phrase("evaluation.scale_size", rows=f"{size.rows:,}"), phrase("evaluation.scale_column.step"), series
        )
