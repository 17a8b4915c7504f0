"""Build the texts and number formats of the results of an evaluation."""

from app.base.plots import PlotEstimate
from app.base.wording import phrase
from app.evaluation.report.result_view_data import ResultViewData

NONE = "—"
# icon and tone of each verdict; without an icon the badge shows a sign
VERDICTS = {
    "better": ("circle-check", "success"),
    "worse": ("circle-x", "danger"),
    "unclear": ("", "text2"),
    "few": ("info", "text2"),
}


def number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def points_of(value: float | None) -> str:
    """Format the score of one question without trailing zeros; most scores are whole numbers."""
    return NONE if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def signed(value: float, digits: int) -> str:
    text = f"{value:+,.{digits}f}".replace("-", "\u2212")
    return text if text.strip("+\u22120.,") else text.lstrip("+\u2212")  # a number rounded to zero has no sign


def range_text(low: str, high: str) -> str:
    return phrase("evaluation.low_to_high", low=low, high=high)


def span(bounds: PlotEstimate | None, digits: int) -> str:
    return range_text(number(bounds.low, digits), number(bounds.high, digits)) if bounds is not None else NONE


def signed_span(bounds: PlotEstimate | None, digits: int) -> str:
    if bounds is None:
        return NONE
    return phrase("evaluation.low_to_high_2", low=signed(bounds.low, digits), high=signed(bounds.high, digits))


def percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.0f}\u00a0%"


def gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f}\u00a0GB" if size_bytes else NONE


def share(counts: tuple[int, int] | None) -> str:
    if counts is None:
        return NONE
    return phrase("common.a_b", a=f"{counts[0]:,}", b=f"{counts[1]:,}")


def measured_by(result: ResultViewData) -> str:
    """Return sentences on how the means are computed, and how to read the intervals if there are any."""
    if result.measure == "judge":
        scale = phrase("evaluation.judges_score_0_to_3")
    else:
        scale = phrase("evaluation.score_0_to_1_the")
    if any(one.span for one in result.systems):
        form = phrase("evaluation.lines_95_intervals_bootstrap_of")
        lines = form.format(n=f"{result.resamples:,}")
    else:
        form = phrase("evaluation.with_fewer_than_n_questions")
        lines = form.format(n=result.least_units)
    return phrase("evaluation.scale_lines", scale=scale, lines=lines)


def points(result: ResultViewData) -> tuple[str, ...]:
    """Return the names of the four parts of a bar, from the left."""
    if result.has_judged_counts:
        return tuple(phrase("evaluation.n", n=score) for score in range(4))
    return (
        "0",
        phrase("evaluation.below_0_5"),
        phrase("evaluation.below_1"),
        phrase("evaluation.1_full"),
    )
