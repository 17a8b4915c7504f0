"""What a study advises, in sentences: which system to use, and whether that is more than chance."""

from collections.abc import Callable, Sequence
from pathlib import Path

from app.core.evaluation import comparing, quant_plan, scale
from app.core.evaluation.comparing import MEASURES, Comparison, Measure
from app.core.evaluation.report_parts import Section, Table
from app.core.evaluation.results import Evaluation, SystemResult
from app.core.evaluation.study import Contender, Study
from app.core.training import plots
from app.core.training.bootstrap import LEAST_UNITS
from app.core.training.plots import Series
from app.core.training.scores import ExampleScore
from app.core.wording import phrase, size

LEAST_SHARE = 0.05  # of the most that a measure can be: below it nothing is answered to speak of
LOSS_NATS = 0.02  # a token: a quantization that costs more is named (as the gate of a training does)
DIVERGENCE_NATS = 0.1  # a token from F16: above it the first choice is another one in a fifth of places or more


def sections(study: Study, folder: Path, found: Evaluation) -> tuple[Section, ...]:
    """What the report begins with. Raises AppError for damaged files of a training."""
    if study.kind == "scale":
        return scale.sections(study, folder, found.questions)
    if study.kind == "quantizations":
        return _of_quantizations(study, found)
    if study.kind == "documents":
        return (_section(_of_documents(study, found)),)
    return (_section(_best_of(found)),) if len(found.systems) > 1 else ()


def measure_of(found: Evaluation) -> Measure:
    """What decides: the judge's score where it can be believed, else the rules'."""
    is_judged = found.judge is not None and found.judge.is_trusted
    return MEASURES["judge" if is_judged else "score"]


def value_of(found: Evaluation, one: SystemResult, measure: Measure) -> float | None:
    """The mean; None: no answer has a value."""
    mean = comparing.mean(one, found.questions.questions, measure)
    return mean.by_question.mean if mean else None


# ----------------------------------------------------------------------- documents


def _of_documents(study: Study, found: Evaluation) -> list[str]:
    """By what was added to the base: documents, training, both."""
    by_id = {one.system.id: one for one in found.systems}
    base, documents, tuned, both, quotes = (_pick(study, by_id, *wanted) for wanted in _WAYS)
    if base is None or documents is None:
        return _best_of(found)
    told = [_compared(found, base, documents)]
    if tuned is not None and both is not None:
        told += [_compared(found, base, tuned), _compared(found, documents, both)]
    ways = [one for one in (base, documents, tuned, both, quotes) if one is not None]
    return [_adviser(found, ways), *filter(None, told)]


_WAYS = ((False, False, None), (False, True, False), (True, False, None), (True, True, False), (False, True, True))


def _pick(
    study: Study, by_id: dict[str, SystemResult], has_adapter: bool, has_documents: bool, quotes: bool | None
) -> SystemResult | None:
    def fits(one: Contender) -> bool:
        is_way = bool(one.system.adapter) == has_adapter and bool(one.scope) == has_documents
        return is_way and quotes in (None, one.may_quote)

    return next((by_id[one.system.id] for one in study.contenders if fits(one)), None)


def _adviser(found: Evaluation, ways: Sequence[SystemResult]) -> str:
    """The simplest of those that nothing else is clearly better than: `ways` stand from the simplest on."""
    measure = measure_of(found)
    by, means = phrase(f"measure_{measure.name}"), _means(found, measure)
    if len(means) < 2:
        return phrase("advice_none")
    highest = max(means.values())
    if highest < LEAST_SHARE * comparing.most(measure):
        return phrase("advice_zero", measure=by, value=f"{highest:.3f}")
    for one in ways:
        others = [other for other in ways if other is not one]
        if one.system.id in means and not any(_verdict(found, one, other, measure) == "better" for other in others):
            value = f"{means[one.system.id]:.3f}"
            names = phrase("setting_between").join(other.system.name for other in others)
            return phrase("advice_use", name=one.system.name, value=value, measure=by, others=names)
    return phrase("advice_none")


def _means(found: Evaluation, measure: Measure) -> dict[str, float]:
    """Of the systems of which enough answers have a value."""
    means = {one.system.id: comparing.mean(one, found.questions.questions, measure) for one in found.systems}
    return {key: mean.by_question.mean for key, mean in means.items() if mean and mean.by_question.units >= LEAST_UNITS}


# -------------------------------------------------------------------------- models


def _best_of(found: Evaluation) -> list[str]:
    measure = measure_of(found)
    by, means = phrase(f"measure_{measure.name}"), _means(found, measure)
    known = sorted((one for one in found.systems if one.system.id in means), key=lambda one: -means[one.system.id])
    if len(known) < 2:
        return [phrase("advice_none")]
    best, rest = known[0], known[1:]
    value = f"{means[best.system.id]:.3f}"
    if means[best.system.id] < LEAST_SHARE * comparing.most(measure):
        return [phrase("advice_zero", measure=by, value=value)]
    told = [phrase("advice_best", name=best.system.name, value=value, measure=by)]
    equal = [one.system.name for one in rest if _verdict(found, one, best, measure) != "better"]
    if equal:
        names = phrase("setting_between").join(equal)
        told.append(phrase("advice_equal", names=names, name=best.system.name))
    return told


# ------------------------------------------------------------------- quantizations


def _of_quantizations(study: Study, found: Evaluation) -> tuple[Section, ...]:
    families: dict[str, list[SystemResult]] = {}
    for contender, one in zip(study.contenders, found.systems, strict=True):
        families.setdefault(contender.family, []).append(one)
    told = [sentence for family in families.values() for sentence in _of_family(found, family)]
    unpacked = [one for one in study.made if one.form == "folder"]
    if unpacked and (form := _form_of(study, unpacked[0].source)):
        told.append(phrase("quant_from_quantized", form=form))
    rows = tuple(_row(one, family[0]) for family in families.values() for one in family)
    head = tuple(phrase(f"quant_{name}") for name in _QUANT_HEAD)
    drawn = plots.plot(
        phrase("quant_plot"),
        phrase("quant_gigabytes"),
        [
            Series(_family_name(name), style, _losses_by_size(family), has_dots=True)
            for (name, family), style in zip(families.items(), ("one", "two", "three"), strict=False)
        ],
    )
    return (_section(told, plots_=(drawn,) if drawn else (), tables=(Table(head, rows),)),)


_QUANT_HEAD = ("system", "size", "memory", "speed", "first_token", "nll", "loss", "divergence", "same_first", "score")


def _losses_by_size(family: Sequence[SystemResult]) -> list[tuple[float, float]]:
    """Gigabytes and nats a token, of the forms that are one file: beside an adapter the base would be another line."""
    merged = [one for one in family if not one.system.adapter]
    return sorted((_gigabytes(one), nll) for one in merged if (nll := _nll(one)) is not None)


def _form_of(study: Study, path: str) -> str:
    return next((one.model.quantization for one in study.contenders if one.model.path == path), "")


def _family_name(family: str) -> str:
    return phrase(f"quant_family_{family if family in (quant_plan.BASE, quant_plan.TUNED) else 'other'}")


def _of_family(found: Evaluation, family: Sequence[SystemResult]) -> list[str]:
    """The smallest that loses nothing that was measured, and what loses."""
    first, told = family[0], list[str]()
    losses = {one.system.id: loss for one in family[1:] if (loss := _loss(one, first)) is not None}
    apart = {one.system.id for one in family[1:] if (_divergence(one) or 0.0) > DIVERGENCE_NATS}
    good = [
        one
        for one in family
        if losses.get(one.system.id, 0.0) <= LOSS_NATS
        and one.system.id not in apart
        and not _is_worse(found, first, one)
    ]
    smallest = min(good, key=lambda one: one.system.size_bytes)
    told.append(phrase("quant_advice", name=smallest.system.name, size=size(smallest.system.size_bytes)))
    for one in family[1:]:
        loss = losses.get(one.system.id)
        if loss is not None and loss > LOSS_NATS:
            told.append(phrase("quant_loses", name=one.system.name, loss=f"{loss:+.3f}"))
        elif one.system.id in apart:
            facts = {"divergence": f"{_divergence(one) or 0:.3f}", "same": f"{_same_first(one) or 0:.0%}"}
            told.append(phrase("quant_differs", name=one.system.name, **facts))
        elif _is_worse(found, first, one):
            told.append(_compared(found, first, one))
    return [one for one in told if one]


def _row(one: SystemResult, first: SystemResult) -> tuple[str, ...]:
    divergence, same = _divergence(one), _same_first(one)
    speeds = [row.tokens_per_s for row in one.rows if row.tokens_per_s]
    firsts = [row.first_token_s for row in one.rows if row.first_token_s]
    scores = [row.marks.score for row in one.rows if row.marks.score is not None]
    nll, loss = _nll(one), _loss(one, first)
    return (
        one.system.name,
        size(one.system.size_bytes),
        size(one.memory_bytes) if one.memory_bytes else "-",
        f"{_mean(speeds):.1f}" if speeds else "-",
        f"{_mean(firsts):.2f}" if firsts else "-",
        f"{nll:.4f}" if nll is not None else "-",
        f"{loss:+.4f}" if loss is not None and one is not first else "-",
        f"{divergence:.4f}" if divergence is not None else "-",
        f"{same:.1%}" if same is not None else "-",
        f"{_mean(scores):.3f}" if scores else "-",
    )


def _nll(one: SystemResult) -> float | None:
    return _per_token(one, lambda example: example.nll)


def _divergence(one: SystemResult) -> float | None:
    """None of what the others are compared with."""
    return _per_token(one, lambda example: example.divergence)


def _same_first(one: SystemResult) -> float | None:
    return _per_token(one, lambda example: example.same_first)


def _per_token(one: SystemResult, of: Callable[[ExampleScore], float | None]) -> float | None:
    found = [value for example in one.likelihoods if (value := of(example)) is not None]
    tokens = sum(example.tokens for example in one.likelihoods)
    return sum(found) / tokens if found and tokens else None


def _loss(one: SystemResult, first: SystemResult) -> float | None:
    nll, before = _nll(one), _nll(first)
    return nll - before if nll is not None and before is not None else None


def _gigabytes(one: SystemResult) -> float:
    return one.system.size_bytes / 1e9


# ------------------------------------------------------------------------- private


def _section(told: Sequence[str], plots_: tuple[str, ...] = (), tables: tuple[Table, ...] = ()) -> Section:
    return Section(phrase("advice_title"), tuple(told), plots_, tables)


def _compared(found: Evaluation, first: SystemResult, second: SystemResult) -> str:
    compared = _comparison(found, first, second, measure_of(found))
    return comparing.sentence(compared, first.system.name, second.system.name) if compared else ""


def _verdict(found: Evaluation, first: SystemResult, second: SystemResult, measure: Measure) -> str:
    compared = _comparison(found, first, second, measure)
    return compared.verdict if compared and compared.by_question.units >= LEAST_UNITS else "unclear"


def _is_worse(found: Evaluation, first: SystemResult, second: SystemResult) -> bool:
    return _verdict(found, first, second, measure_of(found)) == "worse"


def _comparison(found: Evaluation, first: SystemResult, second: SystemResult, measure: Measure) -> Comparison | None:
    return comparing.compare(first, second, found.questions.questions, measure)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
