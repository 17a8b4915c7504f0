"""How often a scale study (app.evaluation.study.scale_report) advises what, and its curve's interval holds the truth.

    python -m tests.benchmarks.scale_study [--studies 150]

Studies are simulated with four sizes and 100 examples of 20 to 120 tokens. The loss of an example is that of the size,
and of how hard the example is, how this subset suits it, what this run knows of it, and what its seed changes; standard
deviations are in nats a token.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.study import scale_report
from app.evaluation.study.scale_results import HoldoutLosses, MeasuredRun, ScaleResults, TrainingCurve, combine_runs
from app.evaluation.study.studies import Training

SEED = 20260318
SIZES, EXAMPLES, BASE = (50, 100, 200, 400), 100, 2.5
HARD, SUITS, KNOWS, OF_SEED = 0.3, 0.08, 0.08, 0.01
COURSE = TrainingCurve(1, 1, "", (), (), None, None)


@dataclass(frozen=True, slots=True)
class Scenario:
    loss: Callable[[float], float]  # of rows
    seeds: int = 3


SCENARIOS = {
    "1 + 8 n^-0.5, three seeds": Scenario(lambda rows: 1 + 8 * rows**-0.5),
    "1 + 8 n^-0.5, one seed": Scenario(lambda rows: 1 + 8 * rows**-0.5, seeds=1),
    "1.5 + 0.5 n^-0.5": Scenario(lambda rows: 1.5 + 0.5 * rows**-0.5),
    "1.5 whatever the size": Scenario(lambda _: 1.5),
    "as the base": Scenario(lambda _: BASE),
}


def study(random: np.random.Generator, scenario: Scenario, sizes: Sequence[int] = SIZES) -> ScaleResults:
    tokens = random.integers(20, 120, EXAMPLES)
    hard = random.normal(0, HARD, EXAMPLES)
    runs = []
    for rows in sizes:
        suits = random.normal(0, SUITS, EXAMPLES)
        for seed in range(scenario.seeds):
            own = random.normal(0, KNOWS, EXAMPLES) + random.normal(0, OF_SEED)
            loss = scenario.loss(rows) + hard + suits + own
            runs.append(MeasuredRun(Training("", rows, seed), tuple((loss * tokens).tolist()), COURSE))
    base = BASE + hard + random.normal(0, KNOWS, EXAMPLES)
    return combine_runs(HoldoutLosses(tuple((base * tokens).tolist()), tuple(tokens.tolist()), ()), runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=150)
    count = parser.parse_args().studies
    for name, scenario in SCENARIOS.items():
        random = np.random.default_rng(SEED)
        found = [study(random, scenario) for _ in range(count)]
        advice = Counter(scale_report.advise(one).code for one in found)
        curves = [curve for one in found if (curve := scale_report.curve_of(one)) is not None]
        truth = scenario.loss(SIZES[-1]) - scenario.loss(2 * SIZES[-1])
        held = sum(one.low <= truth <= one.high for one in curves)
        print(f"{name}: {dict(advice.most_common())}; curves {len(curves)}, of which {held} hold {truth:.3f}")


if __name__ == "__main__":
    main()
