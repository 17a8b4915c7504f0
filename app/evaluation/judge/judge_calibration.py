"""Measure whether a judge can be trusted, with right answers that are made wrong on purpose, and with people's scores.

A kappa of 0.4 and more is called moderate agreement (Landis & Koch 1977, Biometrics 33, 159-174).
The perturbations number, negation, swapped and irrelevant are wrong answers; verbose is right, but at length. Rules
make each from a question's reference, the same at every call, and never equal to the reference. Sai et al. 2021 test
metrics in this way (Perturbation CheckLists, arXiv 2109.05771).
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
    """Return the reference with one kind of change; None if the change cannot be made.

    `kind`: one of `PERTURBATIONS`; others raise KeyError. `questions`: the question set, from which "irrelevant" takes
    another answer.
    """
    makers: dict[str, Callable[[], str | None]] = {
        "number": lambda: wrong_number(question),
        "negation": lambda: negated(question),
        "swapped": lambda: swapped(question),
        "irrelevant": lambda: irrelevant_answer(question, questions),
        "verbose": lambda: verbose(question),
    }
    made = makers[kind]() if has_right_answer(question) else None
    return made if made and normalized(made) != normalized(question.reference) else None


def has_right_answer(question: Question) -> bool:
    return question.is_answerable and bool(question.reference.strip())


def wrong_number(question: Question) -> str | None:
    """Return the reference with its first value that is not in the question doubled; values with a unit come first.

    A percentage above 50 is halved; in a range the end is changed. Unit and bound stay. None: there is no such value.
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
    """Return the reference with the first sentence negated whose ending can be reversed; None if there is none."""
    reference = question.reference
    for sentence in sentences.split_sentences(reference):
        before = reference[sentence.start : sentence.end]
        after = _opposite(before) if sentence.kind == "text" else None
        if after is not None:
            return reference[: sentence.start] + after + reference[sentence.end :]
    return None


def swapped(question: Question) -> str | None:
    """Return the reference with a bound reversed, else with two contrary terms exchanged, else with two quoted names.

    None if none of these is possible.
    """
    reference = question.reference
    return _other_bound(reference) or _contrast(reference) or _quoted(reference)


def irrelevant_answer(question: Question, questions: Sequence[Question]) -> str | None:
    """Return the right answer to a question of another group; None if there is none.

    The search begins half a question set away.
    """
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
    if digits is None:  # the number is in kanji
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
    """Return the negated sentence; None unless its polarity is certain before and after."""
    end = _END.search(sentence)
    if end is None or not _JAPANESE.search(sentence):  # only a value, or not Japanese
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
            at = reference.find(bound, value.end, value.bound_end + 3)  # 超え is a bound, but part of the word 超える
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


def _is_listed(text: str, other: str, reference: str) -> bool:
    """Return whether the terms are listed side by side, in an order without meaning, or fused as in 左右岸."""
    between: str = _perturbation_rules()["listed"]
    orders = ((text, other), (other, text))
    return any(re.search(f"{a}(?:{between})?{b}|{a[0]}{b}", reference) for a, b in orders)


def _quoted(reference: str) -> str | None:
    """Exchange the two quoted names of a text; None unless there are exactly two, each occurring once."""
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
LEAST_ANSWERS = 20  # below it a kappa of 0.4 may be chance: its standard error is above 0.2 (Cohen 1960)
LEAST_PAIRS = 5  # changed answers of one kind; fewer tell nothing about the judge
RIGHT_SCORE = 2  # lowest score with which an answer counts as right


@dataclass(frozen=True, slots=True)
class CalibrationCase:
    """An answer to be judged. `kind`: right | one of `PERTURBATIONS` | human.

    `human`: a person's score 0 to 3, or None.
    """

    question: Question
    answer: str
    kind: str
    human: int | None = None


@dataclass(frozen=True, slots=True)
class PerturbationResult:
    """The judge's scores of `n` right answers before and after one kind of change.

    `right_mean`, `seeded_mean`: mean score before and after, 0 to 3. `lowered`, `equal`, `raised`: shares of the
    answers, 0 to 1.
    """

    kind: str
    n: int
    right_mean: float
    seeded_mean: float
    lowered: float  # share whose changed answer got a lower score
    equal: float
    raised: float


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """How far a judge can be trusted.

    `kappa`: Cohen's kappa with quadratic weights. With `basis` human it compares the judge's scores with people's. With
    `basis` seeded, which is used if people scored fewer than `LEAST_ANSWERS` answers, it compares the judge's verdict
    (right: score 2 or 3) with whether the answer is right or was made wrong. `n`: number of answers from which kappa is
    computed. `unscored`: number of answers to which the judge gave no score.
    """

    model_name: str
    preset: str
    kappa: float | None  # None: undefined, because there are no answers or all ratings are equal
    basis: str
    n: int
    spearman: float | None = None  # rank correlation with people's scores; None: there are none
    seedings: tuple[PerturbationResult, ...] = ()
    unscored: int = 0

    @property
    def doubt(self) -> str:
        """Return the first reason not to trust the judge; "" if there is none.

        few: too few answers. constant: kappa is undefined. kappa: kappa is too low. seeding: wrong answers keep their
        score. length: long answers change the score.
        """
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
        """Return whether kappa is at least 0.4, most wrong answers lose points, and length mostly does not matter.

        Kinds of change with fewer than 5 answers do not count. None: too few answers, or kappa is undefined.
        """
        return None if self.doubt in ("few", "constant") else not self.doubt

    @property
    def blind_to(self) -> tuple[str, ...]:
        """Return the kinds of wrong answers of which at most half got a lower score than the right answers."""
        return tuple(
            one.kind
            for one in self.seedings
            if one.kind in WRONG_PERTURBATIONS and one.n >= LEAST_PAIRS and one.lowered <= 0.5
        )

    @property
    def is_swayed_by_length(self) -> bool:
        """Return whether at most half of the right answers kept their score when written at length."""
        return any(one.kind == "verbose" and one.n >= LEAST_PAIRS and one.equal <= 0.5 for one in self.seedings)


def calibration_cases(questions: Sequence[Question]) -> tuple[CalibrationCase, ...]:
    """Return a case for the right answer of each question that has one, followed by cases for its perturbations."""
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
    """Compute how far the judge can be trusted.

    `judgements`: one for each case, in order; those without a score are only counted.
    """
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
        if not pairs:
            continue
        n = len(pairs)
        found.append(
            PerturbationResult(
                kind,
                n,
                right_mean=sum(before for before, _ in pairs) / n,
                seeded_mean=sum(after for _, after in pairs) / n,
                lowered=sum(after < before for before, after in pairs) / n,
                equal=sum(after == before for before, after in pairs) / n,
                raised=sum(after > before for before, after in pairs) / n,
            )
        )
    return tuple(found)


# -------------------------------------------------------------------------- shown


def calibration_sentence(calibration: JudgeCalibration) -> str:
    """Return a text for the user: whether the judge can be trusted, why, and if not, what to do."""
    return phrase(
        f"evaluation.judge_doubt.{calibration.doubt or 'trusted'}",
        kappa=_number(calibration.kappa),
        basis=phrase(f"evaluation.judge_basis.{calibration.basis}"),
        n=calibration.n,
        least=LEAST_ANSWERS,
        kinds=phrase("evaluation.judge_kinds_between").join(
            phrase(f"evaluation.judge_kind.{kind}") for kind in calibration.blind_to
        ),
    )


def calibration_table(calibration: JudgeCalibration) -> ReportTable:
    """Return a table with a row for each kind of change."""
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
