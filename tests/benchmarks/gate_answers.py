"""How often few answers pass the gate's limit: `python -m tests.benchmarks gate_answers`.

Computed exactly, for some numbers of answers and true shares of those that end: how often a model is not doubted, and
how often two sets of answers of the same model disagree on that. The limit is compared with the share that ended, as
the gate does, or with the upper end of its interval. Nothing is loaded.
"""

import math

from app.base import bootstrap
from app.training import quality_gate

COUNTS, SHARES = (12, 20, 40, 64), (0.7, 0.8, 0.9, 0.95, 0.98, 1.0)


def main() -> None:
    for count in COUNTS:
        found = [bootstrap.share_interval([True] * ended + [False] * (count - ended)) for ended in range(count + 1)]
        for name, values in (("share", [one.mean for one in found]), ("interval", [one.high for one in found])):
            least = next(ended for ended, value in enumerate(values) if value >= quality_gate.ENDED_SHARE)
            passed = [sum(chance(count, ended, share) for ended in range(least, count + 1)) for share in SHARES]
            told = [f"{share}: {p:.1%}, {2 * p * (1 - p):.1%}" for share, p in zip(SHARES, passed, strict=True)]
            print(f"{count} answers, {name:8} from {least} on; share: passed, disagree: {'; '.join(told)}")


def chance(count: int, ended: int, share: float) -> float:
    """Return the probability that `ended` of `count` answers end, if this share of all does."""
    return math.comb(count, ended) * share**ended * (1 - share) ** (count - ended)


if __name__ == "__main__":
    main()
