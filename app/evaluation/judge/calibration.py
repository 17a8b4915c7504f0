"""Whether a judge can be believed: measured with right answers made wrong on purpose, and with the scores of people.

Kappa from 0.4 on is called moderate agreement (Landis & Koch 1977, Biometrics 33, 159-174).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.base.wording import phrase
from app.evaluation.judge import agreement, seeding
from app.evaluation.records import Question
from app.evaluation.report_parts import Table
from app.evaluation.results import Judgement

LEAST_KAPPA = 0.4
LEAST_ANSWERS = 20  # of fewer, a kappa of 0.4 may be chance: its standard error is above 0.2 (Cohen 1960)
LEAST_PAIRS = 5  # of one kind; fewer say nothing of the judge
RIGHT_SCORE = 2  # from which on a judge takes an answer for a right one


@dataclass(frozen=True, slots=True)
class Case:
    """An answer to be judged. `kind`: right | one of `seeding.KINDS` | human, which has the score of a person."""

    question: Question
    answer: str
    kind: str
    human: int | None = None


@dataclass(frozen=True, slots=True)
class Seeding:
    """Of one kind, `n` right answers beside the same ones changed. Means are of scores from 0 to 3, shares 0 to 1."""

    kind: str
    n: int
    right_mean: float
    seeded_mean: float
    lowered: float  # the changed one had the lower score
    equal: float
    raised: float


@dataclass(frozen=True, slots=True)
class Calibration:
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
    seedings: tuple[Seeding, ...] = ()
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
            if one.kind in seeding.FACTUAL and one.n >= LEAST_PAIRS and one.lowered <= 0.5
        )

    @property
    def is_swayed_by_length(self) -> bool:
        """Whether half of the right answers or more had another score where the same was said at length."""
        return any(one.kind == "verbose" and one.n >= LEAST_PAIRS and one.equal <= 0.5 for one in self.seedings)


def cases(questions: Sequence[Question]) -> tuple[Case, ...]:
    """Each known right answer, and behind it all that can be made of it."""
    found: list[Case] = []
    for question in filter(seeding.has_right_answer, questions):
        found.append(Case(question, question.reference, "right"))
        for kind in seeding.KINDS:
            answer = seeding.seeded(kind, question, questions)
            if answer is not None:
                found.append(Case(question, answer, kind))
    return tuple(found)


def measured(model_name: str, preset: str, cases: Sequence[Case], judgements: Sequence[Judgement]) -> Calibration:
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
        if case.kind in ("right", *seeding.FACTUAL)
    ]
    basis = "human" if len(human) >= LEAST_ANSWERS or not made else "seeded"
    pairs = human if basis == "human" else made
    return Calibration(
        model_name,
        preset,
        agreement.kappa([one for one, _ in pairs], [other for _, other in pairs]),
        basis,
        len(pairs),
        agreement.spearman([one for one, _ in human], [score for _, score in human]) if human else None,
        _seedings(scored),
        len(cases) - len(scored),
    )


def _seedings(scored: Sequence[tuple[Case, int]]) -> tuple[Seeding, ...]:
    right = {case.question.id: score for case, score in scored if case.kind == "right"}
    found = []
    for kind in seeding.KINDS:
        pairs = [(right[case.question.id], score) for case, score in scored
                 if case.kind == kind and case.question.id in right]  # fmt: skip
        if pairs:
            found.append(_seeding(kind, pairs))
    return tuple(found)


def _seeding(kind: str, pairs: Sequence[tuple[int, int]]) -> Seeding:
    n = len(pairs)
    return Seeding(
        kind,
        n,
        sum(before for before, _ in pairs) / n,
        sum(after for _, after in pairs) / n,
        sum(after < before for before, after in pairs) / n,
        sum(after == before for before, after in pairs) / n,
        sum(after > before for before, after in pairs) / n,
    )


# -------------------------------------------------------------------------- shown


def sentence(calibration: Calibration) -> str:
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


def table(calibration: Calibration) -> Table:
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
    return Table(tuple(phrase(f"evaluation.judge_column.{name}") for name in head), rows, tuple(notes))


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"
