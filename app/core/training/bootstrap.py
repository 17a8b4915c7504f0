"""How sure a difference is: a paired bootstrap over held-out examples, or over groups of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
SEED = 20260318
LEAST_UNITS = 5  # fewer draws say nothing of chance: of a single one the interval is a point
_AT_ONCE = 500  # resamples; an array of that many by the number of groups


@dataclass(frozen=True, slots=True)
class Interval:
    """Of a difference in nats a token; below 0: the second is better. `low` to `high` holds 95 %."""

    mean: float
    low: float
    high: float
    units: int  # that were drawn: groups, or examples

    @property
    def is_better(self) -> bool:
        return self.high < 0 and self.units >= LEAST_UNITS

    @property
    def is_worse(self) -> bool:
        return self.low > 0 and self.units >= LEAST_UNITS


def interval(
    before: Sequence[float], after: Sequence[float], tokens: Sequence[int], groups: Sequence[str] = ()
) -> Interval:
    """Percentile interval of sum(after - before) / sum(tokens); the same for the same numbers.

    `before`, `after`: nats of each example. Examples of one group (a section of a document) are drawn together, because
    they are alike (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13).
    """
    names = list(groups) or [str(at) for at in range(len(tokens))]
    _, members = np.unique(names, return_inverse=True)
    differences = np.bincount(members, np.asarray(after, np.float64) - np.asarray(before, np.float64)).astype(
        np.float64
    )
    lengths = np.bincount(members, np.asarray(tokens, np.float64)).astype(np.float64)
    means = _resampled(differences, lengths)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(differences.sum() / lengths.sum()), float(low), float(high), len(lengths))


def _resampled(differences: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    random = np.random.default_rng(SEED)
    count = len(differences)
    found = []
    for _ in range(RESAMPLES // _AT_ONCE):
        drawn = random.integers(0, count, (_AT_ONCE, count))
        found.append(differences[drawn].sum(1) / lengths[drawn].sum(1))
    return np.concatenate(found)
