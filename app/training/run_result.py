"""Prepare a finished run for display: the gate's conditions, loss by category, answers before and after, and forms.

Nothing is measured here. Rows carry codes, for which the window looks up the text.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from app.base import bootstrap
from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval
from app.base.errors import AppError
from app.base.files import input_file
from app.inference.scoring_files import HeldOutExample
from app.training import export_plan, quality_gate
from app.training.data.rows import read_objects
from app.training.quality_gate import (
    BASE,
    BASE_ADAPTER,
    COMPARED,
    MERGED_F16,
    AnswerRow,
    FormRow,
    GateResult,
)
from app.training.runs import run_folders

Level = Literal["passed", "check", "reject"]
Kind = Literal["worse", "same", "better"]
OTHER = ""  # name of the category for the rows of all small categories
LENGTHS = ("short", "middle", "long")
_MOST_CATEGORIES = 8
_REASONS_OF = {
    "wins": ("wins_less", "wins_unproven"),
    "training": ("worse", "unproven", "chosen_rarer"),
    "shipped": ("shipped_worse", "shipped_unproven"),
    "ids": ("ids_differ", "ids_unchecked"),
    "merge": ("merge_differs",),
    "export": ("export_differs",),
    "loss": ("form_loss",),
    "examples": ("few_examples", "groups_unknown", "trained_elsewhere"),
    "ended": ("ends_seldom", "ends_seldom_yet", "not_answered"),
    "looping": ("looping", "looping_yet"),
    "japanese": ("not_japanese", "not_japanese_yet"),
    "memory": ("nothing_fits",),
}


@dataclass(frozen=True, slots=True)
class GateCondition:
    """A condition of the gate.

    `code`: key of its text; `facts`: the measured values and the limit; a value of None was not measured.
    """

    code: str
    level: Level
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CategoryLoss:
    """Loss of one category in nats per token, in training precision, before and after training.

    `name`: a category of the rows, OTHER, or one of LENGTHS.
    """

    name: str
    count: int  # number of examples
    before: ConfidenceInterval
    after: ConfidenceInterval
    change: ConfidenceInterval


@dataclass(frozen=True, slots=True)
class CategoryLosses:
    """Losses by category.

    `by`: "category" | "group" (both fields of the held-out rows) | "length" (of the answers) | "" if there are no
    categories.
    """

    by: str = ""
    rows: tuple[CategoryLoss, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerPair:
    kind: Kind
    row: AnswerRow


@dataclass(frozen=True, slots=True)
class FormChoice:
    """A form that can be published. `row`: its measurements, or None. `is_made`: its file exists and can be used."""

    form: str
    row: FormRow | None
    is_made: bool
    is_proposed: bool = False

    @property
    def is_lossy(self) -> bool:
        """Return whether the form's loss of precision exceeds the gate's limit."""
        loss = self.row.loss_nats if self.row else None
        return loss is not None and loss > quality_gate.LOSS_NATS


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything that is shown about a finished run.

    `gate`: None if the run is not judged yet or its gate is unreadable (then `error` is set). `can_judge`: there are
    held-out rows.
    """

    name: str
    gate: GateResult | None = None
    error: AppError | None = None
    can_judge: bool = False
    has_adapter: bool = False
    is_further: bool = False  # started from another adapter, but is compared with the base alone
    has_report: bool = False
    is_from_elsewhere: bool = False  # another machine or person trained the run
    preset: str = ""
    conditions: tuple[GateCondition, ...] = ()
    categories: CategoryLosses = CategoryLosses()
    pairs: tuple[AnswerPair, ...] = ()
    forms: tuple[FormChoice, ...] = ()


def read_result(folder: Path) -> RunResult:
    """Read the result in a run's folder, even if files are damaged."""
    run = run_folders.read(folder)
    gate, error = None, None
    try:
        gate = quality_gate.read_gate(folder)
    except AppError as problem:
        error = problem if problem.code != "gate_missing" else None
    run_result = RunResult(
        run.name,
        error=error,
        can_judge=(folder / run_folders.HOLDOUT).is_file(),
        has_adapter=run.adapter is not None,
        is_further=run.spec is not None and bool(run.spec.adapter),
        has_report=(folder / run_folders.REPORT).is_file(),
        is_from_elsewhere=run.is_from_elsewhere,
        preset=run.spec.preset if run.spec is not None else "",
    )
    if gate is None:
        return run_result
    return replace(
        run_result,
        gate=gate,
        conditions=conditions(gate),
        categories=_categories_of(folder),
        pairs=pairs(gate.answers),
        forms=form_choices(folder, gate),
    )


# --------------------------------------------------------------------- conditions


def conditions(gate: GateResult) -> tuple[GateCondition, ...]:
    """Return all conditions of the gate, in the order of display."""
    return tuple(_conditions(gate))


def level_of(change: ConfidenceInterval) -> Level:
    return "passed" if change.is_better else "reject" if change.is_worse else "check"


def _conditions(gate: GateResult) -> Iterator[GateCondition]:
    row, base = gate.row(gate.proposed), gate.row(BASE)
    measured = {form.form: form for form in gate.forms}
    before, after = gate.base_nll, gate.adapter_nll
    if before is None or after is None:
        before, after = base.nll, measured[BASE_ADAPTER].nll if BASE_ADAPTER in measured else row.nll
    if gate.win_rate is not None:
        yield GateCondition("wins", _worst_level(gate, "wins"), {"rate": gate.win_rate})
    yield GateCondition(
        "training", _worst_level(gate, "training"), {"before": before, "after": after, "change": gate.change}
    )
    if row.change is not None and gate.win_rate is None:  # shown even if the gate's reasons mention only the training
        facts = {"form": row.form, "before": base.nll, "after": row.nll, "change": row.change}
        yield GateCondition("form", level_of(row.change), facts)
    if gate.change_from_shipped is not None:
        yield GateCondition("shipped", _worst_level(gate, "shipped"), {"change": gate.change_from_shipped})
    yield GateCondition(
        "examples", _worst_level(gate, "examples"), {"count": gate.change.units, "least": quality_gate.FEW_EXAMPLES}
    )
    yield from _answer_conditions(gate, gate.row(gate.answered or gate.proposed))
    yield GateCondition("ids", _worst_level(gate, "ids"), {"equal": gate.chats_equal, "total": gate.chats})
    yield from _export_conditions(gate, measured)
    if row.loss_nats is not None:
        facts = {"form": row.form, "loss_nats": row.loss_nats, "most": quality_gate.LOSS_NATS}
        yield GateCondition("loss", _worst_level(gate, "loss"), facts)
    sizes = {"need_bytes": row.memory_bytes, "available_bytes": gate.available_bytes}
    yield GateCondition("memory", _worst_level(gate, "memory"), sizes)


def _answer_conditions(gate: GateResult, row: FormRow) -> Iterator[GateCondition]:
    count = len(gate.answers)
    ended = {"share": row.ended_share, "limit": quality_gate.ENDED_SHARE, "count": count}
    yield GateCondition("ended", _worst_level(gate, "ended"), ended)
    if row.ended_share is None:
        return
    looping = {"share": row.looping_share, "limit": quality_gate.LOOPING_SHARE, "count": count}
    yield GateCondition("looping", _worst_level(gate, "looping"), looping)
    facts = {
        "share": row.japanese_share,
        "reference": gate.reference_japanese_share,
        "limit": quality_gate.JAPANESE_DROP,
    }
    yield GateCondition("japanese", _worst_level(gate, "japanese"), facts)


def _export_conditions(gate: GateResult, measured: Mapping[str, FormRow]) -> Iterator[GateCondition]:
    if gate.export_loss_nats is not None:
        facts = {"loss_nats": gate.export_loss_nats, "most": quality_gate.LOSS_NATS}
        yield GateCondition("export", _worst_level(gate, "export"), facts)
    merged = measured.get(MERGED_F16)
    if merged is not None and merged.loss_nats is not None:
        facts = {"loss_nats": merged.loss_nats, "most": quality_gate.MERGE_NATS}
        yield GateCondition("merge", _worst_level(gate, "merge"), facts)


def _worst_level(gate: GateResult, code: str) -> Level:
    """Return the worst level among the gate's reasons for the condition `code`; "passed" if there is none."""
    levels = {reason.level for reason in gate.reasons if reason.code in _REASONS_OF[code]}
    return "reject" if "reject" in levels else "check" if "check" in levels else "passed"


# --------------------------------------------------------------------- categories


def categories(examples: Sequence[HeldOutExample], names: Mapping[int, str], column_kind: str) -> CategoryLosses:
    """Return losses by category; by answer length unless two categories have at least LEAST_UNITS examples.

    `names`: the category of each line. `column_kind`: the kind of these categories, as in CategoryLosses.
    """
    known = [
        example
        for example in examples
        if example.trained and np.isfinite([example.base_nll, example.adapter_nll]).all()
    ]
    counts = Counter(name for one in known if (name := names.get(one.line, "")))
    large = [name for name, count in counts.most_common(_MOST_CATEGORIES) if count >= LEAST_UNITS]
    if len(large) >= 2:
        parts = {name: [one for one in known if names.get(one.line) == name] for name in large}
        rest = [one for one in known if names.get(one.line) not in large]
        if len(rest) >= LEAST_UNITS:
            parts[OTHER] = rest
        return CategoryLosses(column_kind, tuple(_category(name, part) for name, part in parts.items()))
    if len(known) < LEAST_UNITS * len(LENGTHS):
        return CategoryLosses()
    ordered = sorted(known, key=lambda one: len(one.trained))
    cuts = [round(len(ordered) * at / len(LENGTHS)) for at in range(len(LENGTHS) + 1)]
    return CategoryLosses(
        "length", tuple(_category(name, ordered[cuts[at] : cuts[at + 1]]) for at, name in enumerate(LENGTHS))
    )


def _category(name: str, part: Sequence[HeldOutExample]) -> CategoryLoss:
    before, after = np.array([one.base_nll for one in part]), np.array([one.adapter_nll for one in part])
    tokens = [len(one.trained) for one in part]
    intervals = [bootstrap.ratio_interval(values, tokens) for values in (before, after, after - before)]
    return CategoryLoss(name, len(part), *intervals)


def _categories_of(folder: Path) -> CategoryLosses:
    """Return the losses of a run by category; no rows if its held-out examples are unreadable."""
    try:
        examples = run_folders.read_holdout(folder).examples
    except AppError:
        return CategoryLosses()
    by, names = _names(folder)
    return categories(examples, names, by)


def _names(folder: Path) -> tuple[str, dict[int, str]]:
    """Return the kind of category and each held-out line's (from 1) category; ("", {}) if the file has changed."""
    asked = run_folders.effective_spec(folder)
    path = Path(asked.holdout) if asked is not None and asked.holdout else None
    try:
        if asked is None or path is None or input_file.sha256_of(path) != asked.hashes.get("holdout"):
            return "", {}
        rows = read_objects(path)
    except OSError:
        return "", {}
    by = "category" if any(row.get("category") for row in rows) else "group"
    return by, {number: str(row.get(by) or "") for number, row in enumerate(rows, start=1)}


# -------------------------------------------------------------------------- pairs


def pairs(answers: Sequence[AnswerRow]) -> tuple[AnswerPair, ...]:
    """Return the answers, alternating from the worst and the best, so that worse ones are always visible."""
    order = {"worse": 0, "same": 1, "better": 2}
    ranked = sorted(
        (AnswerPair(classify_answer(row), row) for row in answers),
        key=lambda pair: (order[pair.kind], -(pair.row.change_nats or 0.0)),
    )
    found: list[AnswerPair] = []
    while ranked:
        found.append(ranked.pop(-1 if len(found) % 2 else 0))
    return tuple(found)


def classify_answer(row: AnswerRow) -> Kind:
    """Classify by the change in the held-out answer's probability; a cut, empty or looping answer is never "better"."""
    is_broken, was_broken = bool(row.tuned_flaw), bool(row.base_flaw)
    if is_broken and not was_broken:
        return "worse"
    if row.change_nats is None or abs(row.change_nats) <= quality_gate.EQUAL_NATS:
        return "same"
    if row.change_nats > 0:
        return "worse"
    return "same" if is_broken else "better"


# -------------------------------------------------------------------------- forms


def form_choices(folder: Path, gate: GateResult) -> tuple[FormChoice, ...]:
    """Return the forms that can be published, measured or not, in the order of `export_plan.ALL_FORMS`."""
    measured = {row.form: row for row in gate.forms}
    return tuple(
        FormChoice(
            form,
            measured.get(form),
            form_file(folder, form) is not None,
            is_proposed=gate.is_usable and form == gate.proposed,
        )
        for form in export_plan.ALL_FORMS
        if form not in COMPARED
    )


def form_file(folder: Path, form: str) -> Path | None:
    """Return a form's model file, for BASE_ADAPTER the base's file; None if it is missing."""
    if form != BASE_ADAPTER:
        return next(iter(sorted(folder.glob(f"*-{form}.gguf"))), None)
    run = run_folders.read(folder)
    given = Path(run.spec.base) if run.spec is not None else folder
    candidates = (folder / "base.gguf", given)
    return next((path for path in candidates if path.is_file()), None) if run.adapter is not None else None
