"""What is shown of a finished run: its gate as conditions, loss by category, answers before and after, and forms.

Nothing is measured here, and no word is chosen: rows name what they are about, and the window words them.
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
from app.base.files import input_file, strict_json
from app.base.files.input_file import lines_of
from app.inference import scoring_files
from app.inference.scoring_files import HeldOutExample
from app.training import export_plan, quality_gate
from app.training import quality_gate as gates
from app.training.quality_gate import (
    BASE,
    BASE_ADAPTER,
    COMPARED,
    F16_ADAPTER,
    MERGED_F16,
    AnswerRow,
    FormRow,
    GateResult,
)
from app.training.runs import run_folders

Level = Literal["passed", "check", "reject"]
Kind = Literal["worse", "same", "better"]
Flaw = Literal["", "empty", "looping", "limit"]
OTHER = ""  # the category of all that are too few to be told apart
LENGTHS = ("short", "middle", "long")
_MOST_CATEGORIES = 8
_REASONS_OF = {
    "training": ("worse", "unproven"),
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
    """One that the gate sets. `code`: a key of the window's words; `facts`: numbers of what was found, and the limit.

    A number that is None was not measured.
    """

    code: str
    level: Level
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CategoryLoss:
    """Nats a token in training precision, before and after. `name`: as the rows say, OTHER, or one of LENGTHS."""

    name: str
    count: int  # of examples
    before: ConfidenceInterval
    after: ConfidenceInterval
    change: ConfidenceInterval


@dataclass(frozen=True, slots=True)
class CategoryLosses:
    """`by`: category | group (as the kept-back rows have it) | length (of the answers) | "" where there are none."""

    by: str = ""
    rows: tuple[CategoryLoss, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerPair:
    kind: Kind
    row: AnswerRow


@dataclass(frozen=True, slots=True)
class FormChoice:
    """`row` None: it was not measured. `is_made`: its file is there, and it can be used at once."""

    form: str
    row: FormRow | None
    is_made: bool
    is_proposed: bool = False

    @property
    def is_lossy(self) -> bool:
        """Whether it loses more than the gate allows."""
        loss = self.row.loss_nats if self.row else None
        return loss is not None and loss > gates.LOSS_NATS


@dataclass(frozen=True, slots=True)
class RunResult:
    """`gate` None: it is not judged yet, or its gate cannot be read (`error`). `can_judge`: rows were kept back."""

    name: str
    gate: GateResult | None = None
    error: AppError | None = None
    can_judge: bool = False
    has_adapter: bool = False
    is_further: bool = False  # it went on from another adapter; what it is held against is the base without any
    has_report: bool = False
    is_from_elsewhere: bool = False  # as of a run
    conditions: tuple[GateCondition, ...] = ()
    categories: CategoryLosses = CategoryLosses()
    pairs: tuple[AnswerPair, ...] = ()
    forms: tuple[FormChoice, ...] = ()


def read_result(folder: Path) -> RunResult:
    """Of a run's folder, whatever is wrong with it."""
    run = run_folders.read(folder)
    gate, error = None, None
    try:
        gate = quality_gate.read_gate(folder)
    except AppError as problem:
        error = problem if problem.code != "gate_missing" else None
    found = RunResult(
        run.name,
        error=error,
        can_judge=(folder / run_folders.HOLDOUT).is_file(),
        has_adapter=run.adapter is not None,
        is_further=run.spec is not None and bool(run.spec.adapter),
        has_report=(folder / run_folders.REPORT).is_file(),
        is_from_elsewhere=run.is_from_elsewhere,
    )
    if gate is None:
        return found
    return replace(
        found,
        gate=gate,
        conditions=conditions(gate),
        categories=_categories_of(folder),
        pairs=pairs(gate.answers),
        forms=form_choices(folder, gate),
    )


# --------------------------------------------------------------------- conditions


def conditions(gate: GateResult) -> tuple[GateCondition, ...]:
    """All that the gate has looked at, in the order in which a person asks."""
    return tuple(_conditions(gate))


def level_of(change: ConfidenceInterval) -> Level:
    return "passed" if change.is_better else "reject" if change.is_worse else "check"


def _conditions(gate: GateResult) -> Iterator[GateCondition]:
    row, base = gate.row(gate.proposed), gate.row(BASE)
    measured = {one.form: one for one in gate.forms}
    before, after = gate.base_nll, gate.adapter_nll
    if before is None or after is None:
        before, after = base.nll, measured[BASE_ADAPTER].nll if BASE_ADAPTER in measured else row.nll
    yield GateCondition("training", _level(gate, "training"), {"before": before, "after": after, "change": gate.change})
    if row.change is not None:  # also where the gate tells of the training alone
        told = {"form": row.form, "before": base.nll, "after": row.nll, "change": row.change}
        yield GateCondition("form", level_of(row.change), told)
    if gate.change_from_shipped is not None:
        yield GateCondition("shipped", _level(gate, "shipped"), {"change": gate.change_from_shipped})
    yield GateCondition("examples", _level(gate, "examples"), {"count": gate.change.units, "least": gates.FEW_EXAMPLES})
    yield from _of_answers(gate, row)
    yield GateCondition("ids", _level(gate, "ids"), {"equal": gate.chats_equal, "total": gate.chats})
    yield from _of_export(gate, measured)
    if row.loss_nats is not None:
        told = {"form": row.form, "loss_nats": row.loss_nats, "most": gates.LOSS_NATS}
        yield GateCondition("loss", _level(gate, "loss"), told)
    sizes = {"need_bytes": row.memory_bytes, "available_bytes": gate.available_bytes}
    yield GateCondition("memory", _level(gate, "memory"), sizes)


def _of_answers(gate: GateResult, row: FormRow) -> Iterator[GateCondition]:
    yield GateCondition("ended", _level(gate, "ended"), {"share": row.ended_share, "limit": gates.ENDED_SHARE})
    if row.ended_share is None:
        return
    yield GateCondition("looping", _level(gate, "looping"), {"share": row.looping_share, "limit": gates.LOOPING_SHARE})
    told = {"share": row.japanese_share, "reference": gate.reference_japanese_share, "limit": gates.JAPANESE_DROP}
    yield GateCondition("japanese", _level(gate, "japanese"), told)


def _of_export(gate: GateResult, measured: Mapping[str, FormRow]) -> Iterator[GateCondition]:
    f16, merged = measured.get(F16_ADAPTER), measured.get(MERGED_F16)
    if f16 is not None and gate.adapter_nll is not None:
        told = {"loss_nats": f16.nll - gate.adapter_nll, "most": gates.LOSS_NATS}
        yield GateCondition("export", _level(gate, "export"), told)
    if f16 is not None and merged is not None:
        told = {"loss_nats": merged.nll - f16.nll, "most": gates.MERGE_NATS}
        yield GateCondition("merge", _level(gate, "merge"), told)


def _level(gate: GateResult, code: str) -> Level:
    """The gravest of its reasons."""
    levels = {reason.level for reason in gate.reasons if reason.code in _REASONS_OF[code]}
    return "reject" if "reject" in levels else "check" if "check" in levels else "passed"


# --------------------------------------------------------------------- categories


def categories(examples: Sequence[HeldOutExample], names: Mapping[int, str], by: str) -> CategoryLosses:
    """`names`: of lines. Without two names that have LEAST_UNITS examples each: by the length of the answers."""
    known = [one for one in examples if one.trained and np.isfinite([one.base_nll, one.adapter_nll]).all()]
    counts = Counter(name for one in known if (name := names.get(one.line, "")))
    large = [name for name, count in counts.most_common(_MOST_CATEGORIES) if count >= LEAST_UNITS]
    if len(large) >= 2:
        parts = {name: [one for one in known if names.get(one.line) == name] for name in large}
        rest = [one for one in known if names.get(one.line) not in large]
        if len(rest) >= LEAST_UNITS:
            parts[OTHER] = rest
        return CategoryLosses(by, tuple(_category(name, part) for name, part in parts.items()))
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
    """Nothing where the kept-back examples cannot be read."""
    try:
        examples = run_folders.read_holdout(folder).examples
    except AppError:
        return CategoryLosses()
    by, names = _names(folder)
    return categories(examples, names, by)


def _names(folder: Path) -> tuple[str, dict[int, str]]:
    """What the kept-back rows are sorted by, and of each line (from 1). Rows of another file say nothing."""
    asked = run_folders.effective_spec(run_folders.read(folder))
    path = Path(asked.holdout) if asked is not None and asked.holdout else None
    try:
        if asked is None or path is None or input_file.sha256_of(path) != asked.hashes.get("holdout"):
            return "", {}
        rows = [_row(line) for line in lines_of(path)]
    except OSError:
        return "", {}
    by = "category" if any(row.get("category") for row in rows) else "group"
    return by, {number: str(row.get(by) or "") for number, row in enumerate(rows, start=1)}


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = strict_json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


# -------------------------------------------------------------------------- pairs


def pairs(answers: Sequence[AnswerRow]) -> tuple[AnswerPair, ...]:
    """The worst, the best, the next to the worst, the next to the best …: what got worse is never out of sight."""
    order = {"worse": 0, "same": 1, "better": 2}
    ranked = sorted(
        (AnswerPair(kind_of(row), row) for row in answers),
        key=lambda pair: (order[pair.kind], -(pair.row.change_nats or 0.0)),
    )
    found: list[AnswerPair] = []
    while ranked:
        found.append(ranked.pop(-1 if len(found) % 2 else 0))
    return tuple(found)


def kind_of(row: AnswerRow) -> Kind:
    """By how likely the kept-back answer has become; one that is cut off, empty or goes in circles is no better."""
    is_broken, was_broken = flaw_of(row.tuned, row.tuned_ended_by), flaw_of(row.base, row.base_ended_by)
    if is_broken and not was_broken:
        return "worse"
    if row.change_nats is None or abs(row.change_nats) <= gates.EQUAL_NATS:
        return "same"
    if row.change_nats > 0:
        return "worse"
    return "same" if is_broken else "better"


def flaw_of(text: str, ended_by: str) -> Flaw:
    """Of an answer, by which it is none."""
    if not text.strip():
        return "empty"
    return "looping" if scoring_files.is_looping(text) else "limit" if ended_by == "limit" else ""


# -------------------------------------------------------------------------- forms


def form_choices(folder: Path, gate: GateResult) -> tuple[FormChoice, ...]:
    """Those that can be given out, measured or not, as `forms.ALL` has them."""
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
    """The model that this form is used with: merged beside the run, or the base that its adapter goes on."""
    if form != BASE_ADAPTER:
        return next(iter(sorted(folder.glob(f"*-{form}.gguf"))), None)
    run = run_folders.read(folder)
    given = Path(run.spec.base) if run.spec is not None else folder
    candidates = (folder / "base.gguf", given)
    return next((path for path in candidates if path.is_file()), None) if run.adapter is not None else None
