"""Recommend a system in sentences, and say whether the difference is more than chance.

For quantizations the advice names the file that keeps the quality of the first one: their losses on the references are
compared with that of the first file.
"""

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.base import bootstrap, plots
from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval
from app.base.plots import PlotSeries
from app.base.wording import format_size, phrase
from app.evaluation.judge import paired_statistics
from app.evaluation.judge.paired_statistics import ComparedMeasure, Comparison
from app.evaluation.records import Evaluation, Question, ReportSection, ReportTable, System, SystemResult
from app.evaluation.report import grids, tables
from app.evaluation.report.grids import Value, ValueGrid, column_of
from app.evaluation.study import planning, scale_report
from app.evaluation.study.studies import ComparedSystem, Study
from app.training.quality_gate import LOSS_NATS

_STYLES = ("one", "two", "three")  # styles of the lines in one plot

Family = Sequence[SystemResult]  # systems that share a tokenizer; the others are compared with the first


@dataclass(frozen=True, slots=True)
class LossDifference:
    """The loss of the second system minus that of the first, in nats a token, over the references that both read."""

    by_question: ConfidenceInterval
    by_group: ConfidenceInterval | None

    @property
    def decisive(self) -> ConfidenceInterval:
        """Return the union of both intervals, so that nothing is excluded too early; too few groups are ignored."""
        one, group = self.by_question, self.by_group
        if group is None or group.units < LEAST_UNITS:
            return one
        return ConfidenceInterval(one.mean, min(one.low, group.low), max(one.high, group.high), one.units)

    @property
    def verdict(self) -> Literal["loses", "keeps", "unclear"]:
        """Return whether the second system loses quality.

        loses: the whole interval is above 0 and its mean above `LOSS_NATS`. keeps: the whole interval is at most
        `LOSS_NATS`. unclear: anything else, or too few questions.
        """
        decisive = self.decisive
        if decisive.units < LEAST_UNITS:
            return "unclear"
        if decisive.high <= LOSS_NATS:
            return "keeps"
        return "loses" if decisive.low > 0 and decisive.mean > LOSS_NATS else "unclear"


def loss_between(first: SystemResult, second: SystemResult, questions: Sequence[Question]) -> LossDifference | None:
    """Return the loss of `second` minus that of `first`, in nats a token.

    None: there is no reference that both read in the same number of tokens.
    """
    known = {likelihood.line: likelihood for likelihood in first.likelihoods}
    pairs = [(known[likelihood.line], likelihood) for likelihood in second.likelihoods if likelihood.line in known]
    pairs = [(before, after) for before, after in pairs if before.tokens == after.tokens]
    if not pairs:
        return None
    nats = [before.nll for before, _ in pairs], [after.nll for _, after in pairs]
    tokens = [after.tokens for _, after in pairs]
    groups = paired_statistics.groups_of([questions[after.line - 1] for _, after in pairs])
    by_question = bootstrap.difference_interval(*nats, tokens)
    return LossDifference(by_question, bootstrap.difference_interval(*nats, tokens, groups) if groups else None)


def loss_tables(families: Sequence[Family], questions: Sequence[Question]) -> Iterator[ReportTable]:
    """Return one table of the loss differences of all families; no table if no loss was measured on both sides."""
    rows, has_few_groups = list[tuple[Value, ...]](), False
    for first, *others in families:
        for one in others:
            if (loss := loss_between(first, one, questions)) is not None:
                by_group = tables.wide_enough(loss.by_group)
                intervals = (loss.by_question.mean, tables.wide_enough(loss.by_question), by_group)
                rows.append((one.system.name, first.system.name, *intervals))
                has_few_groups |= loss.by_group is not None and by_group is None
    columns = [column_of("system"), column_of("compared_with")]
    columns += [column_of(name, 4, is_signed=True) for name in ("loss_change", "by_question", "by_group")]
    notes = [phrase("evaluation.report.note_few_groups", least=LEAST_UNITS)] if has_few_groups else []
    if rows:
        yield grids.as_report_table(grids.without_empty(ValueGrid(tuple(columns), tuple(rows), tuple(notes))))


def loss_plots(families: Mapping[str, Family]) -> Iterator[str]:
    """Return plots of loss by file size with a line for each of the named families, three lines to a plot.

    A family are the systems whose models share a tokenizer, such as the quantizations of one model.
    """
    lines = [(name, points) for name, family in families.items() if (points := _by_size(family))]
    for at in range(0, len(lines), len(_STYLES)):
        some = zip(lines[at : at + len(_STYLES)], _STYLES, strict=False)
        series = [PlotSeries(name, style, points, has_marks=True) for (name, points), style in some]
        yield plots.line_plot(phrase("evaluation.quant_plot"), phrase("evaluation.quant_gigabytes"), series)


def _by_size(family: Family) -> list[tuple[float, float]]:
    """Return size (GB) and loss (nats a token) of each system without a separate adapter, by size."""
    merged = [one for one in family if not one.system.adapter]
    return sorted((one.system.size_bytes / 1e9, scores.nll) for one in merged if (scores := one.scores) is not None)


NEAR_SHARE = 0.9  # share of the best mean; a simpler system below it is not advised
LEAST_SHARE = 0.05  # share of a measure's best value; below it no system answers anything useful
# divergence from the first file in nats a token; above it the most likely token differs in a fifth of the places or
# more
DIVERGENCE_NATS = 0.1
_EQUAL = 1e-9  # rounding difference of equal means


Recommendation = tuple[list[str], System | None]  # sentences, and the system that the first of them recommends


@dataclass(frozen=True, slots=True)
class StudyAdvice:
    """The advice at the beginning of a report. `system`: the recommended system; None: there is none."""

    sections: tuple[ReportSection, ...] = ()
    system: System | None = None


def advise(study: Study, folder: Path, evaluation: Evaluation) -> StudyAdvice:
    """Return the advice for a study. Raises AppError for damaged files of a training."""
    if study.kind == "scale":
        return StudyAdvice(scale_report.scale_sections(study, folder, evaluation.questions))
    if study.kind == "quantizations":
        return _quantization_advice(study, evaluation)
    sentences, system = list[str](), None
    if study.kind == "documents":
        sentences, system = _document_recommendation(study, evaluation)
    elif study.kind == "thinking":
        sentences, system = _thinking_recommendation(evaluation)
    elif len(evaluation.systems) > 1:
        sentences, system = _best_recommendation(evaluation)
    all_sentences = [*_cut_warning(evaluation), *sentences]
    return StudyAdvice((_section(all_sentences),) if all_sentences else (), system)


# ----------------------------------------------------------------------- documents


def _document_recommendation(study: Study, evaluation: Evaluation) -> Recommendation:
    """Recommend one of: the base model alone, with documents, trained, or trained with documents."""
    by_id = {one.system.id: one for one in evaluation.systems}
    base, documents, tuned, both, quotes = (_pick(study, by_id, *wanted) for wanted in _WAYS)
    if base is None or documents is None:
        return _best_recommendation(evaluation)
    if _scored_count(evaluation) < LEAST_UNITS:
        return [_missing_sentence(evaluation)], None
    sentences = [_comparison_sentence(evaluation, base, documents)]
    if tuned is not None and both is not None:
        sentences += [_comparison_sentence(evaluation, base, tuned), _comparison_sentence(evaluation, documents, both)]
    ways = [one for one in (base, documents, tuned, both, quotes) if one is not None]
    first, system = _simplest_recommendation(evaluation, ways)
    return [*first, *filter(None, sentences)], system


_WAYS = ((False, False, None), (False, True, False), (True, False, None), (True, True, False), (False, True, True))


def _pick(
    study: Study, by_id: dict[str, SystemResult], is_tuned: bool, has_documents: bool, quotes: bool | None
) -> SystemResult | None:
    def fits(system: ComparedSystem) -> bool:
        is_way = study.is_tuned(system) == is_tuned and bool(system.scope) == has_documents
        return is_way and quotes in (None, system.may_quote)

    return next((by_id[one.system.id] for one in study.contenders if fits(one)), None)


def _simplest_recommendation(evaluation: Evaluation, ways: Sequence[SystemResult]) -> Recommendation:
    """Recommend the simplest system that no other clearly beats. `ways`: the systems, simplest first.

    Its mean must be at least NEAR_SHARE of the best mean and within the best mean's interval, because few questions
    cannot show that another system is better. Otherwise the system with the best mean is recommended.
    """
    measure = paired_statistics.measure_of(evaluation)
    means = _means(evaluation, measure)
    if len(means) < 2 or _is_low(means, measure):
        return _best_recommendation(evaluation)
    best = max(means.values(), key=lambda mean: mean.mean)
    for one in ways:
        others = [other for other in ways if other is not one]
        if one.system.id in means and not any(
            _verdict(evaluation, one, other, measure) == "better" for other in others
        ):
            mean = means[one.system.id].mean
            if mean < max(NEAR_SHARE * best.mean, best.low) - _EQUAL:
                break
            names = phrase("common.setting_between").join(other.system.name for other in others)
            facts = {"measure": phrase(f"evaluation.measure.{measure.name}"), "value": f"{mean:.3f}", "others": names}
            return [phrase("evaluation.advice_use", name=one.system.name, **facts)], one.system
    return _best_recommendation(evaluation)


def _thinking_recommendation(evaluation: Evaluation) -> Recommendation:
    """Recommend to think only if the answers are clearly better then, and say what it costs."""
    at_once, thinking = evaluation.systems
    sentences, system = _simplest_recommendation(evaluation, evaluation.systems)
    seconds = [[row.total_s for row in one.rows if row.total_s] for one in (at_once, thinking)]
    if all(seconds):
        before, after = map(statistics.fmean, seconds)
        took = phrase("evaluation.advice_thinking_s", before=f"{before:.1f}", after=f"{after:.1f}")
        sentences = [*sentences, _comparison_sentence(evaluation, at_once, thinking), took]
    return list(filter(None, sentences)), system


def _means(evaluation: Evaluation, measure: ComparedMeasure) -> dict[str, ConfidenceInterval]:
    """Return by system id the mean and its interval by question; systems with too few values are left out."""
    systems = evaluation.systems
    means = paired_statistics.means(systems, evaluation.questions.questions, measure)
    return {
        one.system.id: mean.by_question
        for one, mean in zip(systems, means, strict=True)
        if mean and mean.by_question.units >= LEAST_UNITS
    }


def _is_low(means: Mapping[str, ConfidenceInterval], measure: ComparedMeasure) -> bool:
    """Return whether the best mean is below `LEAST_SHARE` of the measure's best value, so that no system is useful."""
    return max(one.mean for one in means.values()) < LEAST_SHARE * paired_statistics.best_value(measure.name)


def _cut_warning(evaluation: Evaluation) -> list[str]:
    """Return a warning if most answers were cut off at the length limit and got 0 for that; else [].

    It is given only if systems are compared by the score of the rules, because a judge reads such answers.
    """
    scored = [row for one in evaluation.systems for row in one.rows if row.marks.score is not None]
    cut = sum(tables.is_cut(row) and row.marks.score == 0 for row in scored)
    if paired_statistics.measure_of(evaluation).name != "score" or cut * 2 <= len(scored):
        return []
    return [phrase("evaluation.advice_cut", cut=cut, count=len(scored))]


def _scored_count(evaluation: Evaluation) -> int:
    """Return the number of questions for which a system has a value, of the system with the most."""
    measure = paired_statistics.measure_of(evaluation)
    means = paired_statistics.means(evaluation.systems, evaluation.questions.questions, measure)
    return max((mean.by_question.units for mean in means if mean), default=0)


def _missing_sentence(evaluation: Evaluation) -> str:
    """Return a sentence that says that no question, or too few questions, can be scored."""
    count = _scored_count(evaluation)
    return phrase(
        "evaluation.advice_few" if 0 < count < LEAST_UNITS else "evaluation.advice_none", count=count, least=LEAST_UNITS
    )


# -------------------------------------------------------------------------- models


def _best_recommendation(evaluation: Evaluation) -> Recommendation:
    measure = paired_statistics.measure_of(evaluation)
    means = _means(evaluation, measure)
    known = sorted(
        (system for system in evaluation.systems if system.system.id in means),
        key=lambda one: -means[one.system.id].mean,
    )
    if len(known) < 2:
        return [_missing_sentence(evaluation)], None
    best, rest = known[0], known[1:]
    mean = means[best.system.id]
    facts = {"measure": phrase(f"evaluation.measure.{measure.name}"), "value": f"{mean.mean:.3f}"}
    if _is_low(means, measure):
        return [] if _cut_warning(evaluation) else [phrase("evaluation.advice_zero", **facts)], None
    against_best = _verdicts(evaluation, [(one, best) for one in rest], measure)
    is_unclear = set(against_best) == {"unclear"}
    if is_unclear and set(_verdicts(evaluation, list(itertools.combinations(rest, 2)), measure)) <= {"unclear"}:
        sentences = [
            phrase("evaluation.advice_unclear", name=best.system.name, units=mean.units, **facts),
            phrase("evaluation.advice_more"),
        ]
        return sentences, best.system
    sentences = [phrase("evaluation.advice_best", name=best.system.name, **facts)]
    equal = [one.system.name for one, verdict in zip(rest, against_best, strict=True) if verdict != "better"]
    if equal:
        names = phrase("common.setting_between").join(equal)
        sentences.append(phrase("evaluation.advice_equal", names=names, name=best.system.name))
    return sentences, best.system


# ------------------------------------------------------------------- quantizations


def _quantization_advice(study: Study, evaluation: Evaluation) -> StudyAdvice:
    families: dict[str, list[SystemResult]] = {}
    for contender, one in zip(study.contenders, evaluation.systems, strict=True):
        families.setdefault(contender.family, []).append(one)
    several = [family for family in families.values() if len(family) > 1]
    advised = [
        recommendation
        for family in several
        if (recommendation := _family_recommendation(evaluation, family)) is not None
    ]
    if not advised and len(evaluation.systems) > 1:  # nothing was measured, or the models differ
        advised = [_best_recommendation(evaluation)]
    all_sentences = _cut_warning(evaluation) + [sentence for sentences, _ in advised for sentence in sentences]
    all_sentences += [
        phrase("evaluation.quant_from_quantized", form=one.source_form) for one in study.made if one.source_form
    ]
    drawn = loss_plots({_family_name(name, family): family for name, family in families.items()})
    section = _section(all_sentences, tuple(drawn), tuple(loss_tables(several, evaluation.questions.questions)))
    return StudyAdvice((section,), advised[0][1] if advised else None)


def _family_name(name: str, family: Family) -> str:
    if name in (planning.BASE, planning.TUNED):
        return phrase(f"evaluation.quant_family.{name}")
    first = family[0].system.name
    return phrase("evaluation.quant_family.other", name=first) if len(family) > 1 else first


def _family_recommendation(evaluation: Evaluation, family: Family) -> Recommendation | None:
    """Recommend the smallest file that keeps the quality of the first file, and describe the others.

    None: nothing was measured.
    """
    first, *others = family
    verdicts = {one.system.id: _quality_verdict(evaluation, first, one) for one in others}
    if not any(verdicts.values()):
        return None
    kept = [one for one in others if verdicts[one.system.id] == "keeps"]
    smallest = min((first, *kept), key=lambda one: one.system.size_bytes)
    facts = {"name": smallest.system.name, "size": format_size(smallest.system.size_bytes), "first": first.system.name}
    key = (
        "evaluation.quant_advice" if _loss_difference(evaluation, first, smallest) else "evaluation.quant_advice_scores"
    )
    if smallest is first:
        key = "evaluation.quant_advice_none"
    sentences = [
        phrase(key, measure=phrase(f"evaluation.measure.{paired_statistics.measure_of(evaluation).name}"), **facts)
    ]
    sentences += [_quality_sentence(evaluation, first, one, verdicts[one.system.id]) for one in others]
    return [sentence for sentence in sentences if sentence], smallest.system


def _quality_verdict(evaluation: Evaluation, first: SystemResult, result: SystemResult) -> str:
    """Return how well a file keeps the quality of the first: keeps | loses | differs | worse | unclear.

    "": nothing was measured of both. Without a measured loss, a file that does not score worse keeps its quality.
    """
    loss, compared = (
        _loss_difference(evaluation, first, result),
        _comparison(evaluation, first, result, paired_statistics.measure_of(evaluation)),
    )
    has_scores = compared is not None and tables.wide_enough(compared.by_question) is not None
    if loss is not None and loss.verdict == "loses":
        return "loses"
    if loss is not None and _divergence(result) > DIVERGENCE_NATS:
        return "differs"
    if _verdict(evaluation, first, result, paired_statistics.measure_of(evaluation)) == "worse":
        return "worse"
    return loss.verdict if loss is not None else "keeps" if has_scores else ""


def _quality_sentence(evaluation: Evaluation, first: SystemResult, result: SystemResult, verdict: str) -> str:
    """Return a sentence on a file that does not keep its quality, else ""."""
    name, loss = result.system.name, _loss_difference(evaluation, first, result)
    if verdict == "worse":
        return _comparison_sentence(evaluation, first, result)
    if verdict == "differs":
        same = result.scores.same_first_share if result.scores else None
        facts = {"divergence": f"{_divergence(result):.3f}", "same": f"{same or 0:.0%}"}
        return phrase("evaluation.quant_differs", name=name, first=first.system.name, **facts)
    if verdict in ("loses", "unclear") and loss is not None:
        ends = {part: paired_statistics.signed(getattr(loss.decisive, part)) for part in ("mean", "low", "high")}
        return phrase(f"evaluation.quant_verdict.{verdict}", name=name, **ends)
    return ""


def _loss_difference(evaluation: Evaluation, first: SystemResult, result: SystemResult) -> LossDifference | None:
    """Return the loss of `result` minus that of `first`; None if it was not measured on enough questions."""
    loss = loss_between(first, result, evaluation.questions.questions)
    return loss if loss is not None and tables.wide_enough(loss.by_question) else None


def _divergence(result: SystemResult) -> float:
    """Return the divergence from the first file in nats a token; 0 if it was not measured."""
    return (result.scores.divergence if result.scores else None) or 0.0


def _section(
    sentences: Sequence[str], plots: tuple[str, ...] = (), report_tables: tuple[ReportTable, ...] = ()
) -> ReportSection:
    return ReportSection(phrase("evaluation.advice_title"), tuple(sentences), plots, report_tables)


def _comparison_sentence(evaluation: Evaluation, first: SystemResult, second: SystemResult) -> str:
    compared = _comparison(evaluation, first, second, paired_statistics.measure_of(evaluation))
    return paired_statistics.comparison_sentence(compared, first.system.name, second.system.name) if compared else ""


def _verdict(evaluation: Evaluation, first: SystemResult, second: SystemResult, measure: ComparedMeasure) -> str:
    return _verdicts(evaluation, [(first, second)], measure)[0]


def _verdicts(
    evaluation: Evaluation, pairs: Sequence[tuple[SystemResult, SystemResult]], measure: ComparedMeasure
) -> list[str]:
    return [
        compared.verdict if compared and compared.by_question.units >= LEAST_UNITS else "unclear"
        for compared in paired_statistics.compare_pairs(pairs, evaluation.questions.questions, measure)
    ]


def _comparison(
    evaluation: Evaluation, first: SystemResult, second: SystemResult, measure: ComparedMeasure
) -> Comparison | None:
    return paired_statistics.compare(first, second, evaluation.questions.questions, measure)
