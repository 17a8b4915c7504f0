"""Provide the texts of the gate's verdict, its conditions and its categories."""

from typing import Any

from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval, share_interval
from app.base.wording import phrase
from app.training.quality_gate import Flaw, win_rate_text
from app.training.run_result import LENGTHS, OTHER, CategoryLosses, GateCondition, Kind
from app.training.ui import training_texts
from app.uikit.localization import format_percent, with_note

LEVEL_SIGNS = {
    "passed": ("circle-check", "success"),
    "check": ("triangle-alert", "warning"),
    "reject": ("circle-x", "danger"),
}
CHANGE_SIGNS: dict[Kind, tuple[str, str]] = {
    "worse": ("triangle-alert", "warning"),
    "same": ("info", "text2"),
    "better": ("circle-check", "success"),
}


def format_change(value: float) -> str:
    """Format a change in nats per token; a negative change is an improvement."""
    return f"{value:+.3f}".replace("-", "\u2212")


def interval_text(change: ConfidenceInterval) -> str:
    if change.units < LEAST_UNITS:
        return phrase("training.difference_d_of_few", d=format_change(change.mean), n=change.units)
    low, high = format_change(change.low), format_change(change.high)
    return phrase("training.difference_d_95_interval_lo", d=format_change(change.mean), lo=low, hi=high)


def range_text(low: str, high: str) -> str:
    return phrase("training.lo_to_hi", lo=low, hi=high)


def level_name(kind: str) -> str:
    """Return the displayed name of a condition's level. `kind`: "passed" | "check" | "reject"."""
    if kind == "check":
        return training_texts.verdict_name(kind)
    return phrase("training.passed" if kind == "passed" else "training.failed")


def answer_flaw_text(kind: Flaw) -> str:
    """Return the text of an answer's flaw; "" if there is none."""
    return {
        "": "",
        "limit": phrase("training.cut_off"),
        "empty": phrase("training.no_answer"),
        "looping": phrase("training.repeats_itself"),
    }[kind]


def category_title(losses: CategoryLosses) -> str:
    return {
        "category": phrase("training.loss_by_category_smaller_is"),
        "group": phrase("training.loss_by_group_smaller_is"),
        "length": phrase("training.loss_by_length_of_the"),
    }.get(losses.by, "")


def category_name(name: str) -> str:
    if name not in (OTHER, *LENGTHS):
        return name
    return {
        OTHER: phrase("training.other"),
        "short": phrase("training.short_answers"),
        "middle": phrase("training.medium_answers"),
        "long": phrase("training.long_answers"),
    }[name]


# --------------------------------------------------------------------- conditions


def condition_texts(condition: GateCondition) -> tuple[str, str, str]:
    """Return the texts of a condition's subject, its limit, and the measured value."""
    facts = condition.facts
    return (
        _condition_name(condition.code, facts),
        _condition_limit(condition.code, facts),
        _condition_value(condition.code, facts),
    )


def _share_text(share: float, count: int) -> str:
    """Return a share of `count` answers with its interval, which is wide for few of them."""
    holds = round(share * count)
    found = share_interval([True] * holds + [False] * (count - holds))
    low, high = format_percent(found.low), format_percent(found.high)
    return phrase("training.share_of_n", share=format_percent(share), n=count, low=low, high=high)


def _condition_name(code: str, facts: dict[str, Any]) -> str:
    named = phrase(f"training.gate_condition.{code}")
    return with_note(named, facts["form"]) if code == "loss" else named


def _condition_limit(code: str, facts: dict[str, Any]) -> str:
    most = f"{facts.get('most', 0):.3f}"
    limit = format_percent(facts.get("limit", 0))
    match code:
        case "training" | "form" | "shipped":
            return phrase("training.falls_interval_below_0")
        case "wins":
            return phrase("training.over_half")
        case "examples":
            return phrase("training.n_or_more", n=facts["least"])
        case "ended":
            return phrase("training.p_or_more", p=limit)
        case "looping":
            return phrase("training.p_or_less", p=limit)
        case "japanese" if facts["reference"] is not None:
            text = phrase("training.within_n_points_of_the")
            return text.format(p=format_percent(facts["reference"]), n=round(facts["limit"] * 100))
        case "japanese":
            return phrase("training.not_far_below_the_kept")
        case "ids":
            return phrase("training.all_equal")
        case "merge":
            return phrase("training.within_most", most=most)
        case "memory":
            return phrase(
                "training.within_size_that_are_free", size=training_texts.format_size(facts["available_bytes"])
            )
        case _:
            return phrase("training.most_or_less", most=most)


def _condition_value(code: str, facts: dict[str, Any]) -> str:
    match code:
        case "training" | "form":
            return f"{facts['before']:.3f} → {facts['after']:.3f}\n{interval_text(facts['change'])}"
        case "wins":
            return win_rate_text(facts["rate"])
        case "shipped":
            return interval_text(facts["change"])
        case "examples":
            return phrase("common.n", n=f"{facts['count']:,}")
        case "ended" | "looping" if facts["share"] is not None and facts["count"]:
            return _share_text(facts["share"], facts["count"])
        case "ended" | "looping" | "japanese":
            return format_percent(facts["share"]) if facts["share"] is not None else phrase("training.not_measured")
        case "ids" if facts["total"]:
            return phrase("common.a_b", a=facts["equal"], b=facts["total"])
        case "ids":
            return phrase("training.not_measured")
        case "memory":
            return training_texts.format_size(facts["need_bytes"])
        case _:
            return format_change(facts["loss_nats"])
