"""What forms of one model lose: the loss of the references against the first form, and whether that is chance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.base import bootstrap, html_report, plots
from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval
from app.base.plots import PlotSeries
from app.base.wording import phrase
from app.evaluation.judge import comparing
from app.evaluation.records import Question
from app.evaluation.report import grids, tables
from app.evaluation.report.grids import WORDS, Column, Grid, Value
from app.evaluation.report_parts import Table
from app.evaluation.results import SystemResult
from app.training.quality_gate import LOSS_NATS

_STYLES = ("one", "two", "three")  # of the lines of one plot

Family = Sequence[SystemResult]  # of one tokenizer; the others are compared with the first


@dataclass(frozen=True, slots=True)
class Loss:
    """Of second - first, in nats a token, over the references of both. `by_group`: as in `comparing.Mean`."""

    by_question: ConfidenceInterval
    by_group: ConfidenceInterval | None

    @property
    def decisive(self) -> ConfidenceInterval:
        """As wide as both together: what one of them does not exclude may be. Few groups say nothing of chance."""
        one, group = self.by_question, self.by_group
        if group is None or group.units < LEAST_UNITS:
            return one
        return ConfidenceInterval(one.mean, min(one.low, group.low), max(one.high, group.high), one.units)

    @property
    def verdict(self) -> Literal["loses", "keeps", "unclear"]:
        """loses: by more than `LOSS_NATS` on average, and its sign is no chance. keeps: so large a loss is excluded.

        A loss that is sure and smaller than `LOSS_NATS` keeps; of few questions nothing is known.
        """
        decisive = self.decisive
        if decisive.units < LEAST_UNITS:
            return "unclear"
        if decisive.high <= LOSS_NATS:
            return "keeps"
        return "loses" if decisive.low > 0 and decisive.mean > LOSS_NATS else "unclear"


def of(first: SystemResult, second: SystemResult, questions: Sequence[Question]) -> Loss | None:
    """None: there is no reference that both have read, in the same tokens."""
    known = {one.line: one for one in first.likelihoods}
    pairs = [(known[one.line], one) for one in second.likelihoods if one.line in known]
    pairs = [(before, after) for before, after in pairs if before.tokens == after.tokens]
    if not pairs:
        return None
    nats = [before.nll for before, _ in pairs], [after.nll for _, after in pairs]
    tokens = [after.tokens for _, after in pairs]
    groups = comparing.groups_of([questions[after.line - 1] for _, after in pairs])
    by_question = bootstrap.difference_interval(*nats, tokens)
    return Loss(by_question, bootstrap.difference_interval(*nats, tokens, groups) if groups else None)


def table(families: Sequence[Family], questions: Sequence[Question]) -> Iterator[Table]:
    """One, where any loss is known."""
    word, rows, has_few_groups = html_report.load_words(WORDS), list[tuple[Value, ...]](), False
    for first, *others in families:
        for one in others:
            if (loss := of(first, one, questions)) is not None:
                by_group = tables.enough(loss.by_group)
                intervals = (loss.by_question.mean, tables.enough(loss.by_question), by_group)
                rows.append((one.system.name, first.system.name, *intervals))
                has_few_groups |= loss.by_group is not None and by_group is None
    columns = [Column(word["system"]), Column(word["compared_with"])]
    columns += [Column(word[name], 4, is_signed=True) for name in ("loss_change", "by_question", "by_group")]
    notes = [word["note_few_groups"].format(least=LEAST_UNITS)] if has_few_groups else []
    if rows:
        yield grids.shown(grids.without_empty(Grid(tuple(columns), tuple(rows), tuple(notes))))


def drawn(families: Mapping[str, Family]) -> Iterator[str]:
    """Loss by size, a line each family, by its name; as many plots as it takes to tell the lines apart."""
    lines = [(name, points) for name, family in families.items() if (points := _by_size(family))]
    for at in range(0, len(lines), len(_STYLES)):
        some = zip(lines[at : at + len(_STYLES)], _STYLES, strict=False)
        series = [PlotSeries(name, style, points, has_dots=True) for (name, points), style in some]
        yield plots.line_plot(phrase("evaluation.quant_plot"), phrase("evaluation.quant_gigabytes"), series)


def _by_size(family: Family) -> list[tuple[float, float]]:
    """Gigabytes and nats a token, of the forms that are one file: beside an adapter the base would be another line."""
    merged = [one for one in family if not one.system.adapter]
    return sorted((one.system.size_bytes / 1e9, scores.nll) for one in merged if (scores := one.scores) is not None)
