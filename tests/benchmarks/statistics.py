"""How often a comparison (app.evaluation.judge.paired_statistics) finds a difference between simulated systems.

    python -m tests.benchmarks.statistics [--sets 1000]

An answer's score is rounded from a sum: how hard its question is, and how its document suits both systems, which both
share; what this system knows of this document and of this question; and what another seed changes. Standard deviations
are in points of the scale 0 to 3; those of answers that are right or wrong are of the same sum, against a threshold.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.evaluation.judge.paired_statistics import MEASURES, compare
from app.evaluation.records import Question, ResultRow, RuleScores, System, SystemResult

SEED = 20260318
MEAN, THRESHOLD = 2.0, 1.5
HARD, SUITS, KNOWS_DOCUMENT, KNOWS_QUESTION, OF_SEED = 0.8, 0.3, 0.4, 0.45, 0.4

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`difference`: of the systems' true mean scores. `documents`: that the questions are on; 0: each on its own."""

    difference: float = 0.0
    is_right_or_wrong: bool = False
    questions: int = 100
    documents: int = 0
    seeds: int = 1


SCENARIOS = {
    "equal scores": Scenario(),
    "equal answers": Scenario(is_right_or_wrong=True),
    "equal scores, 20 questions": Scenario(questions=20),
    "equal answers, 20 questions": Scenario(is_right_or_wrong=True, questions=20),
    "equal scores, 10 documents": Scenario(documents=10),
    "equal scores, 25 documents": Scenario(documents=25),
    "equal scores, 3 seeds": Scenario(seeds=3),
    "better scores": Scenario(0.3),
    "better scores, 20 questions": Scenario(0.3, questions=20),
    "better scores, 10 documents": Scenario(0.3, documents=10),
    "better scores, 25 documents": Scenario(0.3, documents=25),
    "better scores, 3 seeds": Scenario(0.3, seeds=3),
    "better answers, 0.15": Scenario(0.15, is_right_or_wrong=True),
}


def share_without_difference(scenario: Scenario, sets: int) -> float:
    """Of that many simulated sets, those of which the verdict is "unclear"."""
    verdicts = [_verdict(scenario, first, second) for first, second in _simulated(scenario, sets)]
    return verdicts.count("unclear") / sets


def _verdict(scenario: Scenario, first: Array, second: Array) -> str:
    asked = [Question(str(at), "", group=_document(scenario, at)) for at in range(scenario.questions)]
    found = compare(_system(first), _system(second), asked, MEASURES["score"])
    assert found is not None
    return found.verdict


def _document(scenario: Scenario, question: int) -> str:
    return str(question % scenario.documents) if scenario.documents else ""


def _system(scores: Array) -> SystemResult:
    """`scores`: (questions, seeds)."""
    rows = [
        ResultRow(str(question), seed, "", "answered", RuleScores(score=float(score)))
        for (question, seed), score in np.ndenumerate(scores)
    ]
    return SystemResult(System("", "", "", ""), tuple(rows))


def _simulated(scenario: Scenario, sets: int) -> Iterator[tuple[Array, Array]]:
    """Scores of both systems, (questions, seeds), of each set."""
    random = np.random.default_rng(SEED)
    shift = _shift(scenario)
    count, documents = scenario.questions, scenario.documents or scenario.questions
    document = np.arange(count) % documents
    for _ in range(sets):
        shared = MEAN + random.normal(0, HARD, count) + random.normal(0, SUITS, documents)[document]
        known = random.normal(0, KNOWS_DOCUMENT, (2, documents))[:, document] + random.normal(
            0, KNOWS_QUESTION, (2, count)
        )
        each = (shared + known)[:, :, None] + random.normal(0, OF_SEED, (2, count, scenario.seeds))
        yield _scored(scenario, each[0]), _scored(scenario, each[1] + shift)


def _scored(scenario: Scenario, sums: Array) -> Array:
    return (sums > THRESHOLD).astype(np.float64) if scenario.is_right_or_wrong else np.clip(np.rint(sums), 0, 3)


def _shift(scenario: Scenario) -> float:
    """What of the sum makes the difference of the true mean scores, by halving; the scale's ends take some of it."""
    deviation = np.sqrt(sum(one**2 for one in (HARD, SUITS, KNOWS_DOCUMENT, KNOWS_QUESTION, OF_SEED)))
    sums = MEAN + deviation * np.random.default_rng(SEED).normal(0, 1, 200_000)
    goal = _scored(scenario, sums).mean() + scenario.difference
    low, high = 0.0, 3.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if _scored(scenario, sums + middle).mean() < goal else (low, middle)
    return low


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1000)
    sets = parser.parse_args(arguments).sets
    print(f"{'':30} {'no difference':>13} {'a difference':>12}   of {sets} sets")
    for name, scenario in SCENARIOS.items():
        share = share_without_difference(scenario, sets)
        print(f"{name:30} {share:13.3f} {1 - share:12.3f}", flush=True)


if __name__ == "__main__":
    main()
