"""Decide from measurements alone whether a run's result should be used, in which form, and why.

Verdict `adopt`: the model is better on unseen examples, ends its answers, writes Japanese, and loses nothing as a file
of that form (adapter, F16, Q4_K_M, …). `check`: a person should look at it first. `reject`: it answers worse, or not in
the way it was trained. After preference tuning, better means that it prefers the chosen answer in more than half of the
held-out pairs: the likelihood of the chosen answers may fall as long as that of the rejected ones falls more.
`gate.json` in a run's folder holds the whole result for the report and the window.
The file is over 450 lines because every reason is checked in the module that names its verdict.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from app.base import authenticity, bootstrap, json_lines, wording
from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import drive_errors
from app.inference import scoring_files
from app.inference.scoring_files import AnswerScore, Holdout, Scores
from app.training.data.rows import read_objects

BASE, BASE_ADAPTER, F16_ADAPTER, MERGED_F16 = "base", "base+adapter", "f16+adapter", "F16"
SHIPPED = "base+shipped"  # with the catalogue's adapter for this base: the answers without this run
ON_BASE = (BASE, SHIPPED, BASE_ADAPTER)  # forms that use the base's own file
COMPARED = (BASE, SHIPPED, F16_ADAPTER)  # forms used only for comparison, never published

# All thresholds in nats per token.
LOSS_NATS = 0.02  # loss relative to f16 from which the user is warned
EQUAL_NATS = 0.002  # two forms closer than this count as equal (the smaller file is chosen)
EQUAL_DIVERGENCE = 0.02  # if the divergence of next-token distributions from f16 is also this low (Q6_K: 0.016)
MERGE_NATS = 0.01  # merging in f16 changes the loss by less than this
EXPORT_NATS = 0.2  # between training and the engine; above this, another model was exported
FEW_EXAMPLES = 20
MOST_NEEDED = 10_000  # test questions that can be asked for
ENDED_SHARE, ENDED_LEAST = 0.95, 0.5
LOOPING_SHARE, LOOPING_MOST = 0.05, 0.3
JAPANESE_DROP, JAPANESE_MOST = 0.15, 0.5  # drops of the Japanese share that lead to "check" and "reject"

VERSION = 3
VERDICTS = ("adopt", "check", "reject")
_CHANGE = ("change_nats", "low_nats", "high_nats", "count", "needed")
# For each reason's code, the names of its facts.
REASON_FACTS = {
    "worse": _CHANGE,
    "unproven": _CHANGE,
    "form_worse": ("form", *_CHANGE),
    "form_unproven": ("form", *_CHANGE),
    # The codes of preference tuning.
    "wins_less": ("win_share", "low_share", "high_share", "count"),
    "wins_unproven": ("win_share", "low_share", "high_share", "count"),
    "chosen_rarer": _CHANGE,
    "shipped_worse": _CHANGE,
    "shipped_unproven": _CHANGE,
    "ids_differ": ("equal", "total"),
    "ids_unchecked": (),
    "merge_differs": ("loss_nats",),
    "export_differs": ("loss_nats", "precision"),
    "form_loss": ("form", "loss_nats"),
    "nothing_fits": ("form", "need_bytes", "available_bytes"),
    "few_examples": ("count", "least"),
    "groups_unknown": (),
    "trained_elsewhere": (),  # the training data cannot be verified here
    "not_answered": (),
    # The codes "…_yet" are for a model that is not worse than its base: more training may help.
    "ends_seldom": ("ended_share", "base_share", "least_share"),
    "ends_seldom_yet": ("ended_share", "base_share", "least_share"),
    "looping": ("looping_share", "base_share"),
    "looping_yet": ("looping_share", "base_share"),
    "not_japanese": ("japanese_share", "base_share", "reference_share"),
    "not_japanese_yet": ("japanese_share", "base_share", "reference_share"),
}


Flaw = Literal["", "empty", "looping", "limit"]


@dataclass(frozen=True, slots=True)
class GateReason:
    code: str  # one of REASON_FACTS
    level: str  # "check" | "reject": the verdict that the reason leads to
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FormRow:
    """The measurements of one form; all losses are in nats per token.

    `nll`: loss on the held-out answers. `loss_nats`: difference from f16 with the adapter. `change`: difference from
    the base. `divergence`: of the next-token distributions, from f16. A value of None does not apply to the form.
    """

    form: str
    size_bytes: int
    memory_bytes: int
    fits: bool
    nll: float
    loss_nats: float | None
    divergence: float | None
    same_first_share: float | None
    change: ConfidenceInterval | None
    ended_share: float | None
    looping_share: float | None
    japanese_share: float | None
    write_tokens_per_s: float


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """A held-out question with its answers.

    `base`, `tuned`: the answers that the base and the tuned model wrote; `…_ended_by`: how they ended, as in
    `scoring_files`. `reference`: the held-out answer. `change_nats`: change of its loss per token.
    """

    line: int
    question: str
    reference: str
    base: str
    base_ended_by: str
    tuned: str
    tuned_ended_by: str
    change_nats: float | None  # tuned minus base; None: unknown

    @property
    def base_flaw(self) -> Flaw:
        return flaw_of(self.base, self.base_ended_by)

    @property
    def tuned_flaw(self) -> Flaw:
        return flaw_of(self.tuned, self.tuned_ended_by)


def flaw_of(text: str, ended_by: str) -> Flaw:
    """Return the flaw that makes an answer unusable, even if the held-out answer has become likelier; "" if none."""
    if not text.strip():
        return "empty"
    return "looping" if scoring_files.is_looping(text) else "limit" if ended_by == "limit" else ""


@dataclass(frozen=True, slots=True)
class GateResult:
    """The content of `gate.json`.

    `proposed`: the form to use; `file`: its model file in the run's folder; "" for the base's own file. `answered`: the
    form that wrote the answers (`answering_form`); "" in older files, where it is the proposed one. `change`: the
    effect of training alone (the same weights with and without the adapter), while a form's change includes its
    precision. `change_from_shipped`: from SHIPPED to the proposed form; None if the base has no such adapter.
    `win_rate`: after preference tuning, the share of held-out pairs whose chosen answer the training made likelier in
    relation to the rejected one, 0 to 1; None for other runs.
    """

    verdict: str
    proposed: str
    reasons: tuple[GateReason, ...]
    available_bytes: int
    precision: str  # the base's precision in training
    base_nll: float | None  # nats per token in that precision; None: unknown
    adapter_nll: float | None
    change: ConfidenceInterval
    chats_equal: int
    chats: int
    reference_japanese_share: float | None
    forms: tuple[FormRow, ...]
    answers: tuple[AnswerRow, ...]
    file: str = ""
    answered: str = ""
    made_at: float = 0.0  # seconds since 1970 (UTC)
    change_from_shipped: ConfidenceInterval | None = None
    export_loss_nats: float | None = None  # what exporting lost; None: unknown
    win_rate: ConfidenceInterval | None = None
    version: int = VERSION

    @property
    def is_usable(self) -> bool:
        """Return whether the model may be used to answer questions."""
        return self.verdict != "reject"

    def row(self, form: str) -> FormRow:
        return next(row for row in self.forms if row.form == form)


def judge(
    holdout: Holdout,
    measured: Mapping[str, Scores],
    available_bytes: int,
    groups: Sequence[str] | None = (),
    *,
    is_from_elsewhere: bool = False,
) -> GateResult:
    """Judge the measurements of a run.

    `holdout`: all that was held out, as the trainer measured it. `measured`: the engine's scores of some or all of its
    lines, for BASE, SHIPPED if it exists, BASE_ADAPTER and, if they were measured, F16_ADAPTER and the merged forms.
    `available_bytes`: memory for a model. `groups`: the group of each example; () if each example is a group of its
    own; None if the groups are unknown.
    """
    lines = [example.line for example in measured[BASE].examples]
    group_of = dict(zip((example.line for example in holdout.examples), groups or (), strict=False))
    scored_groups = [group_of[line] for line in lines] if group_of else []
    order = [form for form in dict.fromkeys((*ON_BASE, F16_ADAPTER, *measured)) if form in measured]
    rows = tuple(_row(form, measured, available_bytes, scored_groups) for form in order)
    proposed = choose_form(measured, available_bytes)
    answered = answering_form(measured, proposed)
    row, answered_row = (next(row for row in rows if row.form == form) for form in (proposed, answered))
    japanese = scoring_files.mean_japanese_share(measured[BASE].references)
    trained = _trained(holdout)
    change = _training_change(holdout, groups or ()) or _change(measured[BASE], measured[BASE_ADAPTER], scored_groups)
    shipped = _change(measured[SHIPPED], measured[proposed], scored_groups) if SHIPPED in measured else None
    export_loss = _export_loss(measured, *_trained(holdout.only(lines)))
    lost = None if export_loss is None or len(lines) == len(holdout.examples) else export_loss + (row.loss_nats or 0.0)
    same_ids = [all(same) for same in zip(*(found.same_ids for found in measured.values()), strict=True)]
    wins = _win_rate(holdout, groups or ())
    reasons = [
        *(_gain_reasons(change, row, lost, shipped) if wins is None else _preference_reasons(wins, change)),
        *_id_reasons(same_ids),
        *_export_reasons(rows, row, export_loss, holdout.precision),
        *_example_reasons(change.units, groups),
        *([GateReason("trained_elsewhere", "check")] if is_from_elsewhere else []),
        *_answer_reasons(answered_row, rows[0], japanese, measured[answered].answers, group_of),
        *_memory_reasons(row, available_bytes),
    ]
    reasons.sort(key=lambda reason: -VERDICTS.index(reason.level))
    return GateResult(
        verdict=reasons[0].level if reasons else "adopt",
        proposed=proposed,
        reasons=tuple(reasons),
        available_bytes=available_bytes,
        precision=holdout.precision,
        base_nll=trained[0],
        adapter_nll=trained[1],
        change=change,
        chats_equal=sum(same_ids),
        chats=len(same_ids),
        reference_japanese_share=japanese,
        forms=rows,
        answers=_answers(measured[BASE], measured[answered], measured[BASE].references),
        answered=answered,
        change_from_shipped=shipped,
        export_loss_nats=export_loss,
        win_rate=wins,
    )


def choose_form(measured: Mapping[str, Scores], available_bytes: int) -> str:
    """Return the tuned form that fits in memory and has the smallest loss; of equal ones (EQUAL_…) the smallest file.

    If none fits, return the one that needs the least memory.
    """
    tuned = {form: found for form, found in measured.items() if form not in COMPARED}
    fitting = [form for form, found in tuned.items() if found.memory_bytes <= available_bytes]
    if not fitting:
        return min(tuned, key=lambda form: tuned[form].memory_bytes)
    best = min(fitting, key=lambda form: tuned[form].nll)
    near = [form for form in fitting if (tuned[form].divergence or 0.0) <= EQUAL_DIVERGENCE]
    equal = [form for form in near if tuned[form].nll <= tuned[best].nll + EQUAL_NATS]
    return min(equal or [best], key=lambda form: tuned[form].size_bytes)


def answering_form(measured: Mapping[str, Scores], proposed: str) -> str:
    """Return the form whose answers are judged: BASE_ADAPTER if both it and the proposed one predict as f16 does.

    Twenty answers of another form would be the same model's once more: they differ by chance and turn a verdict near a
    limit, as if the test had been repeated until it was passed. A form that predicts otherwise answers for itself.
    """
    found = [measured[form].divergence for form in (BASE_ADAPTER, proposed)]
    return BASE_ADAPTER if all(one is not None and one <= EQUAL_DIVERGENCE for one in found) else proposed


# ------------------------------------------------------------------------- reasons


def _gain_reasons(
    change: ConfidenceInterval, proposed: FormRow, lost: float | None, shipped: ConfidenceInterval | None
) -> list[GateReason]:
    """Return the reasons that follow from the change from the base, for the training and for the proposed form.

    `shipped`: the change from the base with the catalogue's adapter; None without one.

    The form is mentioned only if its verdict is worse than that of the training, which happens when the form loses more
    than was gained. A sample of the lines, on which the form lost `lost` nats, may be too small to show again what all
    of them have proven. `lost` None: all lines were measured.
    """
    training = _change_reasons(change, "")
    from_shipped = _change_reasons(shipped, "shipped_")
    is_kept = lost is not None and change.is_better and change.high + max(lost, 0.0) < 0
    if is_kept and proposed.change is not None and not proposed.change.is_worse:
        return from_shipped
    form = _change_reasons(proposed.change, "form_", {"form": proposed.form})
    if training and form and VERDICTS.index(form[0].level) <= VERDICTS.index(training[0].level):
        return training + from_shipped
    return training + form + from_shipped


def _change_reasons(
    change: ConfidenceInterval | None, prefix: str, form_facts: Mapping[str, Any] | None = None
) -> list[GateReason]:
    if change is None or change.is_better:
        return []
    facts = {**(form_facts or {}), **change_facts(change)}
    kind, level = ("worse", "reject") if change.is_worse else ("unproven", "check")
    return [GateReason(prefix + kind, level, facts)]


def change_facts(change: ConfidenceInterval) -> dict[str, Any]:
    """Return the facts of a change. "needed": how many test questions would prove a gain of this size; 0: too many."""
    is_known = change.mean < 0 and change.units >= LEAST_UNITS
    needed = float(f"{change.units * (change.times_needed or 0.0):.1e}") if is_known else 0.0
    ends = {"change_nats": change.mean, "low_nats": change.low, "high_nats": change.high}
    return {**ends, "count": change.units, "needed": int(needed) if needed <= MOST_NEEDED else 0}


def _win_rate(holdout: Holdout, groups: Sequence[str]) -> ConfidenceInterval | None:
    margins = [one.margin for one in holdout.examples]
    return bootstrap.share_interval([one > 0 for one in margins], groups) if all(map(math.isfinite, margins)) else None


def _preference_reasons(wins: ConfidenceInterval, change: ConfidenceInterval) -> list[GateReason]:
    found = []
    if wins.low <= 0.5:
        code, level = ("wins_less", "reject") if wins.high < 0.5 else ("wins_unproven", "check")
        facts = {"win_share": wins.mean, "low_share": wins.low, "high_share": wins.high, "count": wins.units}
        found.append(GateReason(code, level, facts))
    if change.is_worse:
        found.append(GateReason("chosen_rarer", "check", change_facts(change)))
    return found


def _id_reasons(same: Sequence[bool]) -> list[GateReason]:
    if not same:
        return [GateReason("ids_unchecked", "check")]
    return [] if all(same) else [GateReason("ids_differ", "reject", {"equal": sum(same), "total": len(same)})]


def _export_reasons(
    rows: Sequence[FormRow], proposed: FormRow, export_loss: float | None, precision: str
) -> list[GateReason]:
    found = []
    merged = next((row for row in rows if row.form == MERGED_F16), None)
    if merged is not None and merged.loss_nats is not None and abs(merged.loss_nats) > MERGE_NATS:
        found.append(GateReason("merge_differs", "reject", {"loss_nats": merged.loss_nats}))
    if export_loss is not None and export_loss > LOSS_NATS:
        level = "reject" if export_loss > EXPORT_NATS else "check"
        found.append(GateReason("export_differs", level, {"loss_nats": export_loss, "precision": precision}))
    if proposed.loss_nats is not None and proposed.loss_nats > LOSS_NATS:
        found.append(GateReason("form_loss", "check", {"form": proposed.form, "loss_nats": proposed.loss_nats}))
    return found


def _example_reasons(units: int, groups: Sequence[str] | None) -> list[GateReason]:
    """Return reasons about the number of independent examples: forty rows of one document count as one."""
    found = [] if groups is not None else [GateReason("groups_unknown", "check")]
    if units < FEW_EXAMPLES:
        found.append(GateReason("few_examples", "check", {"count": units, "least": FEW_EXAMPLES}))
    return found


def _answer_reasons(
    row: FormRow, base: FormRow, reference: float | None, answers: Sequence[AnswerScore], group_of: Mapping[int, str]
) -> list[GateReason]:
    """Return reasons about the answers of the proposed form.

    `group_of`: the group of each line; {} if each is its own. An answer whose line is unknown (0) belongs to its
    question. If the answers end as often and loop as seldom as the base's, only an interval beyond the limit leads to
    "reject": few answers leave open on which side of it they are.
    """
    if row.ended_share is None or row.looping_share is None:
        return [GateReason("not_answered", "check")]
    groups = [group_of.get(one.line, one.question) for one in answers] if group_of else []
    found = []
    before = base.ended_share or 0.0
    if row.ended_share < ENDED_SHARE:
        is_no_worse = row.ended_share >= before
        most = bootstrap.share_interval([one.is_ended for one in answers], groups).high
        level = "reject" if (most if is_no_worse else row.ended_share) < ENDED_LEAST else "check"
        facts = {"ended_share": row.ended_share, "base_share": before, "least_share": ENDED_SHARE}
        found.append(GateReason(_yet("ends_seldom", is_no_worse), level, facts))
    before = base.looping_share or 0.0
    if row.looping_share > LOOPING_SHARE:
        is_no_worse = row.looping_share <= before
        least = bootstrap.share_interval([scoring_files.is_looping(one.answer) for one in answers], groups).low
        level = "reject" if (least if is_no_worse else row.looping_share) > LOOPING_MOST else "check"
        facts = {"looping_share": row.looping_share, "base_share": before}
        found.append(GateReason(_yet("looping", is_no_worse), level, facts))
    japanese, before = row.japanese_share or 0.0, base.japanese_share or 0.0
    drop = (reference or 0.0) - japanese
    if drop > JAPANESE_DROP:
        level = "reject" if drop > JAPANESE_MOST else "check"
        facts = {"japanese_share": japanese, "base_share": before, "reference_share": reference or 0.0}
        found.append(GateReason(_yet("not_japanese", japanese >= before), level, facts))
    return found


def _memory_reasons(row: FormRow, available_bytes: int) -> list[GateReason]:
    facts = {"form": row.form, "need_bytes": row.memory_bytes, "available_bytes": available_bytes}
    return [] if row.fits else [GateReason("nothing_fits", "check", facts)]


def _yet(code: str, is_no_worse: bool) -> str:
    return f"{code}_yet" if is_no_worse else code


# ---------------------------------------------------------------------------- rows


def _row(form: str, measured: Mapping[str, Scores], available_bytes: int, groups: Sequence[str]) -> FormRow:
    found, base = measured[form], measured[BASE]
    is_tuned = form not in (BASE, SHIPPED)
    return FormRow(
        form=form,
        size_bytes=found.size_bytes,
        memory_bytes=found.memory_bytes,
        fits=found.memory_bytes <= available_bytes,
        nll=found.nll,
        loss_nats=found.nll - measured[F16_ADAPTER].nll if is_tuned and F16_ADAPTER in measured else None,
        divergence=found.divergence if is_tuned else None,
        same_first_share=found.same_first_share if is_tuned else None,
        change=None if form == BASE else _change(base, found, groups),
        ended_share=found.ended_share,
        looping_share=found.looping_share,
        japanese_share=found.japanese_share,
        write_tokens_per_s=found.write_tokens_per_s,
    )


def _change(base: Scores, scores: Scores, groups: Sequence[str]) -> ConfidenceInterval:
    before, after = ([example.nll for example in one.examples] for one in (base, scores))
    return bootstrap.difference_interval(before, after, [example.tokens for example in base.examples], groups)


def _training_change(holdout: Holdout, groups: Sequence[str]) -> ConfidenceInterval | None:
    """Return how training changed the loss, as the trainer measured it; None if it did not."""
    before, after = ([getattr(one, name) for one in holdout.examples] for name in ("base_nll", "adapter_nll"))
    if not all(map(math.isfinite, (*before, *after))):
        return None
    return bootstrap.difference_interval(before, after, [len(one.trained) for one in holdout.examples], groups)


def _trained(holdout: Holdout) -> tuple[float | None, float | None]:
    """Return the loss of base and adapter in training precision (nats per token); None if it was not reported."""
    sums = [sum(example.base_nll for example in holdout.examples), sum(one.adapter_nll for one in holdout.examples)]
    base, adapter = (total / holdout.scored_positions if math.isfinite(total) else None for total in sums)
    return base, adapter


def _export_loss(measured: Mapping[str, Scores], before: float | None, after: float | None) -> float | None:
    """Return what the exported adapter lost, in nats per token; None if the trainer has not measured the same lines.

    In f16 it is what the loss differs from that in training (`after`). Without that form it is the part of the gain
    from `before` to `after` that the engine does not find on the base's own file; what the precision of that file costs
    is the same with and without the adapter.
    """
    if before is None or after is None:
        return None
    if F16_ADAPTER in measured:
        return measured[F16_ADAPTER].nll - after
    return (measured[BASE_ADAPTER].nll - measured[BASE].nll) - (after - before)


def _answers(base: Scores, tuned: Scores, references: Sequence[str]) -> tuple[AnswerRow, ...]:
    before = {example.line: example for example in base.examples}
    after = {example.line: example for example in tuned.examples}
    found = []
    for at, (one, other) in enumerate(zip(base.answers, tuned.answers, strict=False)):
        known = one.line in before and before[one.line].tokens > 0
        change = (after[one.line].nll - before[one.line].nll) / before[one.line].tokens if known else None
        reference = references[at].strip() if at < len(references) else ""
        texts = (one.question, reference, one.answer, one.ended_by, other.answer, other.ended_by)
        found.append(AnswerRow(one.line, *texts, change))
    return tuple(found)


FILE_NAME = "gate.json"


def write_gate(gate: GateResult, folder: Path) -> Path:
    """Write `gate.json` and register the file as this program's. Raises AppError("run_unwritable" | "drive_space")."""
    path = folder / FILE_NAME
    content = json.dumps(dataclasses.asdict(gate), ensure_ascii=False).encode("utf-8", "replace")
    with drive_errors(folder, "run_unwritable"):
        authenticity.write_registered(path, content)
    return path


def read_gate(folder: Path) -> GateResult:
    """Read `gate.json`.

    Raises AppError: gate_missing, gate_unreadable; gate_from_elsewhere if it was not measured on this machine.
    """
    path = folder / FILE_NAME
    try:
        raw = strict_json.read_bytes(path)
        data = strict_json.loads(raw)
        if not isinstance(data, dict) or data.get("version") != VERSION:
            raise ValueError("another version")
        gate = json_lines.convert(data, GateResult)
    except FileNotFoundError as error:
        raise AppError("gate_missing", id=folder.name) from error
    except (OSError, ValueError) as error:
        raise AppError("gate_unreadable", path=str(path), reason=str(error)[:200]) from error
    if not authenticity.is_content_written_by_kotae(FILE_NAME, raw):
        raise AppError("gate_from_elsewhere", id=folder.name)
    return gate


def read_gate_or_none(folder: Path) -> GateResult | None:
    """Return the result; None if the run is not judged, or the file is damaged, foreign or of another version."""
    try:
        return read_gate(folder)
    except AppError:
        return None


def groups_of_lines(rows: Path, numbers: Sequence[int]) -> tuple[str, ...] | None:
    """Return the group of each of these lines (from 1) of a file of rows; None if there is no file.

    A row without a group is its own group.
    """
    try:
        groups = {number: row.get("group") for number, row in enumerate(read_objects(rows), start=1)}
    except OSError:
        return None
    return tuple(str(groups.get(number) or f"line {number}") for number in numbers)


def reason_text(reason: GateReason) -> str:
    """Return the reason as a sentence in the current language."""
    facts = {name: fact_text(name, value) for name, value in reason.facts.items()}
    if "low_nats" in facts:
        is_few = reason.facts.get("count", LEAST_UNITS) < LEAST_UNITS  # without a count in older files
        key = "training.change_of_few" if is_few else "training.change_and_interval"
        facts["change"] = wording.phrase(key, **facts)
    text = wording.phrase(f"training.gate.{reason.code}", **facts)
    if not reason.code.endswith("unproven") or not reason.facts.get("needed"):
        return text
    needed = wording.phrase("training.questions_needed", needed=f"{reason.facts['needed']:,}")
    return f"{text}{'' if wording.current_language() == 'ja' else ' '}{needed}"


def win_rate_text(rate: ConfidenceInterval) -> str:
    share, low, high = (fact_text("win_share", value) for value in (rate.mean, rate.low, rate.high))
    return wording.phrase("training.win_rate", share=share, low=low, high=high, n=rate.units)


def fact_text(name: str, value: object) -> object:
    """Format nats with three decimals, shares as percentages and bytes as sizes; return other values unchanged."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name.endswith("_nats"):
            return f"{value:+.3f}"
        if name.endswith("_share"):
            return f"{100 * value:.0f}\u00a0%"
        if name.endswith("_bytes"):
            return wording.format_size(int(value))
    return value
