"""Whether a judge can be believed: measured with right answers made wrong on purpose, and with the scores of people.

Kappa from 0.4 on is called moderate agreement (Landis & Koch 1977, Biometrics 33, 159-174).

Right answers made wrong on purpose, so that it can be measured whether a judge notices.

number, negation, swapped and irrelevant are wrong; verbose is right, and says it at length. Each is made by rules from
a question's reference, the same at every call, and never the reference itself. Metrics are tested by such changes in
Sai et al. 2021 (Perturbation CheckLists, arXiv 2109.05771).
"""

import functools
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.base import search_text
from app.base.paths import resources
from app.base.wording import phrase
from app.documents.grounding import modality, sentences
from app.documents.values import notation, quantities
from app.documents.values.quantities import Quantity
from app.evaluation.judge import paired_statistics
from app.evaluation.records import JudgeScore, Question, ReportTable
from app.training.data.duplicates import normalized

WRONG_PERTURBATIONS = ("number", "negation", "swapped", "irrelevant")
PERTURBATIONS = (*WRONG_PERTURBATIONS, "verbose")

_DIGITS = re.compile(r"\d[\d,\uff0c]*(?:[.\uff0e]\d+)?")
_JAPANESE = re.compile("[ぁ-んァ-ヶ一-龥]")
_END = re.compile(r"[。．.!！\s]*$")


def perturbed(kind: str, question: Question, questions: Sequence[Question] = ()) -> str | None:
    """The reference with that change; None where it cannot be made. `questions`: where an irrelevant one is taken from.

    Raises KeyError for what is none of `PERTURBATIONS`.
    """
    makers: dict[str, Callable[[], str | None]] = {
        "number": lambda: wrong_number(question),
        "negation": lambda: negated(question),
        "swapped": lambda: swapped(question),
        "irrelevant": lambda: irrelevant(question, questions),
        "verbose": lambda: verbose(question),
    }
    made = makers[kind]() if has_right_answer(question) else None
    return made if made and normalized(made) != normalized(question.reference) else None


def has_right_answer(question: Question) -> bool:
    return question.is_answerable and bool(question.reference.strip())


def wrong_number(question: Question) -> str | None:
    """The first value that the question does not name itself, one with a unit before one without, twice as large.

    More than half of a whole (80 %) is halved; of a range, the end. The unit and what limits the value stay.
    """
    asked = quantities.parse(question.text)
    found = [
        value
        for value in quantities.parse(question.reference)
        if value.value
        and not value.is_range_start
        and not value.unit.startswith("第")
        and not any(value.is_same(other) for other in asked)
    ]
    for value in sorted(found, key=lambda value: not value.unit):
        made = _with_other_number(question.reference, value)
        if made is not None:
            return made
    return None


def negated(question: Question) -> str | None:
    """The first sentence that says the opposite when its end is turned, so turned."""
    reference = question.reference
    for sentence in sentences.split(reference):
        before = reference[sentence.start : sentence.end]
        after = _opposite(before) if sentence.kind == "text" else None
        if after is not None:
            return reference[: sentence.start] + after + reference[sentence.end :]
    return None


def swapped(question: Question) -> str | None:
    """What limits a value turned round; else a pair of terms that exclude each other; else two things spoken of."""
    reference = question.reference
    return _other_bound(reference) or _contrast(reference) or _quoted(reference)


def irrelevant(question: Question, questions: Sequence[Question]) -> str | None:
    """The right answer to another question, of another group, from the other half of the set where there is one."""
    ids = [other.id for other in questions]
    start = (ids.index(question.id) if question.id in ids else 0) + len(questions) // 2
    for other in (questions[(start + step) % len(questions)] for step in range(len(questions))):
        is_elsewhere = other.id != question.id and (not question.group or other.group != question.group)
        if is_elsewhere and has_right_answer(other) and normalized(other.reference) != normalized(question.reference):
            return other.reference
    return None


def verbose(question: Question) -> str:
    frame: str = _perturbation_rules()["verbose"]["frame"]
    before, after = (part.replace("{question}", question.text.strip()) for part in frame.split("{answer}"))
    return before + question.reference.strip() + after


def _with_other_number(reference: str, value: Quantity) -> str | None:
    written = reference[value.start : value.end]
    digits = _DIGITS.search(written)
    if digits is None:  # in kanji
        number = f"{value.number * 2:g}"
        kanji = re.match(f"[{notation.KANJI_NUMERALS}]+", written)
        made = number + written[kanji.end() :] if kanji else ""
    else:
        flat = Decimal(search_text.normalize_nfkc(digits.group()).replace(",", ""))
        other = flat / 2 if value.unit == "%" and 50 < value.value <= 100 else flat * 2
        shown = f"{other:,}" if "," in search_text.normalize_nfkc(digits.group()) else f"{other:f}"
        made = written[: digits.start()] + shown + written[digits.end() :]
    whole = reference[: value.start] + made + reference[value.end :]
    now = next((one for one in quantities.parse(whole) if one.start == value.start), None)
    is_other = now is not None and now.unit == value.unit and not now.has_value_of(value)
    return whole if is_other else None


def _opposite(sentence: str) -> str | None:
    """Only where it is sure that the sentence is said to be so, or not, and afterwards the other way round."""
    end = _END.search(sentence)
    if end is None or not _JAPANESE.search(sentence):  # a value, or another language
        return None
    body, stop = sentence[: end.start()], end.group()
    rules: list[tuple[str, str]] = _perturbation_rules()["negation"]["rules"]
    for pattern, replacement in rules:
        if re.search(pattern, body):
            turned = re.sub(pattern, replacement, body)
            return turned + stop if modality.polarity_of(body) * modality.polarity_of(turned) == -1 else None
    return None


def _other_bound(reference: str) -> str | None:
    for value in quantities.parse(reference):
        bounds: dict[str, str] = _perturbation_rules()["bounds"] if value.bound else {}
        for bound, other in bounds.items():
            at = reference.find(bound, value.end, value.bound_end + 3)  # 超え is a bound, and the word goes on: 超える
            if at >= 0:
                return reference[:at] + other + reference[at + len(bound) :]
    return None


def _contrast(reference: str) -> str | None:
    contrasts: list[tuple[str, str]] = _perturbation_rules()["contrasts"]
    for one, other in contrasts:
        exchanged: dict[str, str] = {one: other, other: one}
        made = "".join(exchanged.get(piece, piece) for piece in re.split(f"({one}|{other})", reference))
        if made != reference and not _is_listed(one, other, reference):
            return made
    return None


def _is_listed(one: str, other: str, reference: str) -> bool:
    """Side by side, where another order says the same; or drawn together: 左右岸."""
    between: str = _perturbation_rules()["listed"]
    orders = ((one, other), (other, one))
    return any(re.search(f"{a}(?:{between})?{b}|{a[0]}{b}", reference) for a, b in orders)


def _quoted(reference: str) -> str | None:
    """Two names, each written once, of which something is said."""
    found = list(re.finditer(_perturbation_rules()["quoted"], reference))
    if len(found) != 2 or any(reference.count(one[1]) > 1 for one in found):
        return None
    first, second = found
    between = reference[first.end(1) : second.start(1)]
    return reference[: first.start(1)] + second[1] + between + first[1] + reference[second.end(1) :]


@functools.cache
def _perturbation_rules() -> dict[str, Any]:
    return tomllib.loads((resources() / "evaluation" / "seeding.toml").read_text("utf-8"))


LEAST_KAPPA = 0.4
LEAST_ANSWERS = 20  # of fewer, a kappa of 0.4 may be chance: its standard error is above 0.2 (Cohen 1960)
LEAST_PAIRS = 5  # of one kind; fewer say nothing of the judge
RIGHT_SCORE = 2  # from which on a judge takes an answer for a right one


@dataclass(frozen=True, slots=True)
class CalibrationCase:
    """An answer to be judged. `kind`: right | one of `seeding.KINDS` | human, which has the score of a person."""

    question: Question
    answer: str
    kind: str
    human: int | None = None


@dataclass(frozen=True, slots=True)
class PerturbationResult:
    """Of one kind, `n` right answers beside the same ones changed. Means are of scores from 0 to 3, shares 0 to 1."""

    kind: str
    n: int
    right_mean: float
    seeded_mean: float
    lowered: float  # the changed one had the lower score
    equal: float
    raised: float


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """What a judge is worth. `kappa`: quadratic, of its scores and people's; where fewer than `LEAST_ANSWERS` were
    scored by people, of its right and wrong (score below 2) and what the answers were made to be.

    `basis`: human | seeded, `n`: the answers that kappa is reckoned from. `unscored`: answers that it gave no score.
    """

    model_name: str
    preset: str
    kappa: float | None  # None: there was nothing to agree on
    basis: str
    n: int
    spearman: float | None = None  # with people's scores
    seedings: tuple[PerturbationResult, ...] = ()
    unscored: int = 0

    @property
    def doubt(self) -> str:
        """few | constant | kappa | seeding | length; "" where there is none. The first that holds."""
        if self.n < LEAST_ANSWERS:
            return "few"
        if self.kappa is None:
            return "constant"
        if self.kappa < LEAST_KAPPA:
            return "kappa"
        if self.blind_to:
            return "seeding"
        return "length" if self.is_swayed_by_length else ""

    @property
    def is_trusted(self) -> bool | None:
        """Kappa is 0.4 or more, each kind of wrong answer that was tried 5 times has mostly cost points, and the right
        one at length has mostly the same score. None: too little is known to say so or not."""
        return None if self.doubt in ("few", "constant") else not self.doubt

    @property
    def blind_to(self) -> tuple[str, ...]:
        """The kinds of wrong answers that had no lower score than the right ones in half of the cases or more."""
        return tuple(
            one.kind
            for one in self.seedings
            if one.kind in WRONG_PERTURBATIONS and one.n >= LEAST_PAIRS and one.lowered <= 0.5
        )

    @property
    def is_swayed_by_length(self) -> bool:
        """Whether half of the right answers or more had another score where the same was said at length."""
        return any(one.kind == "verbose" and one.n >= LEAST_PAIRS and one.equal <= 0.5 for one in self.seedings)


def calibration_cases(questions: Sequence[Question]) -> tuple[CalibrationCase, ...]:
    """Each known right answer, and behind it all that can be made of it."""
    found: list[CalibrationCase] = []
    for question in filter(has_right_answer, questions):
        found.append(CalibrationCase(question, question.reference, "right"))
        for kind in PERTURBATIONS:
            answer = perturbed(kind, question, questions)
            if answer is not None:
                found.append(CalibrationCase(question, answer, kind))
    return tuple(found)


def calibrate(
    model_name: str, preset: str, cases: Sequence[CalibrationCase], judgements: Sequence[JudgeScore]
) -> JudgeCalibration:
    """`judgements`: of the cases, in their order. Answers without a score count for nothing but `unscored`."""
    scored = [
        (case, judgement.score)
        for case, judgement in zip(cases, judgements, strict=True)
        if judgement.score is not None
    ]
    human = [(case.human, score) for case, score in scored if case.human is not None]
    made = [
        (case.kind == "right", score >= RIGHT_SCORE)
        for case, score in scored
        if case.kind in ("right", *WRONG_PERTURBATIONS)
    ]
    basis = "human" if len(human) >= LEAST_ANSWERS or not made else "seeded"
    pairs = human if basis == "human" else made
    return JudgeCalibration(
        model_name,
        preset,
        paired_statistics.kappa([one for one, _ in pairs], [other for _, other in pairs]),
        basis,
        len(pairs),
        paired_statistics.spearman([one for one, _ in human], [score for _, score in human]) if human else None,
        _perturbation_results(scored),
        len(cases) - len(scored),
    )


def _perturbation_results(scored: Sequence[tuple[CalibrationCase, int]]) -> tuple[PerturbationResult, ...]:
    right = {case.question.id: score for case, score in scored if case.kind == "right"}
    found = []
    for kind in PERTURBATIONS:
        pairs = [(right[case.question.id], score) for case, score in scored
                 if case.kind == kind and case.question.id in right]  # fmt: skip
        if pairs:
            found.append(_perturbation_result(kind, pairs))
    return tuple(found)


def _perturbation_result(kind: str, pairs: Sequence[tuple[int, int]]) -> PerturbationResult:
    n = len(pairs)
    return PerturbationResult(
        kind,
        n,
        sum(before for before, _ in pairs) / n,
        sum(after for _, after in pairs) / n,
        sum(after < before for before, after in pairs) / n,
        sum(after == before for before, after in pairs) / n,
        sum(after > before for before, after in pairs) / n,
    )


# -------------------------------------------------------------------------- shown


def calibration_sentence(calibration: JudgeCalibration) -> str:
    """Whether to believe the judge, why, and where it is not to be believed, what next."""
    return phrase(
        f"evaluation.judge_{calibration.doubt or 'trusted'}",
        kappa=_number(calibration.kappa),
        basis=phrase(f"evaluation.judge_basis.{calibration.basis}"),
        n=calibration.n,
        least=LEAST_ANSWERS,
        kinds=phrase("evaluation.judge_kinds_between").join(
            phrase(f"evaluation.judge_kind.{kind}") for kind in calibration.blind_to
        ),
    )


def calibration_table(calibration: JudgeCalibration) -> ReportTable:
    """A row for each kind of change."""
    head = ("kind", "n", "right_mean", "seeded_mean", "lowered", "equal", "raised")
    rows = tuple(
        (phrase(f"evaluation.judge_kind.{one.kind}"), str(one.n), _number(one.right_mean), _number(one.seeded_mean),
         *(f"{100 * share:.0f} %" for share in (one.lowered, one.equal, one.raised)))
        for one in calibration.seedings
    )  # fmt: skip
    kappa = {"kappa": _number(calibration.kappa), "n": calibration.n}
    notes = [phrase(f"evaluation.judge_note.{calibration.basis}", **kappa)]
    if calibration.spearman is not None:
        notes.append(phrase("evaluation.judge_note.spearman", rho=_number(calibration.spearman)))
    if calibration.unscored:
        notes.append(phrase("evaluation.judge_note.unscored", count=calibration.unscored))
    return ReportTable(tuple(phrase(f"evaluation.judge_column.{name}") for name in head), rows, tuple(notes))


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"
