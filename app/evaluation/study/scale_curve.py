"""A power law through what was measured at each size: NLL(n) = a + b n^-c, and what twice the data would bring.

The form is that of arXiv 1712.00409 and 2001.08361. Three numbers cannot be told from three sizes or fewer, and losses
that waver, or whose gains grow, are no power law: then there is no curve.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.base import bootstrap

LEAST_SIZES = 4  # one more than there are numbers to find
_EXPONENTS = np.geomspace(0.02, 4, 300)  # of c; at the ends it is not found but bounded
_MISFIT = 0.1  # of the range of losses: a curve that leaves more is none
_RESAMPLES = 2000
_SEED = 20260318

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """`gain`: of twice the largest size, in nats a token, that NLL falls by; `low` to `high` holds 95 % if the form is
    right, over examples and seeds. `rms`: of what is left between the curve and the sizes, in nats a token."""

    a: float
    b: float
    c: float
    gain: float
    low: float
    high: float
    rms: float

    def at(self, rows: float) -> float:
        return self.a + self.b * math.pow(rows, -self.c)


def fit(sizes: Sequence[int], losses: Sequence[float]) -> tuple[float, float, float] | None:
    """a, b and c by least squares with a, b >= 0; None: they are not told by these sizes."""
    if len(sizes) < LEAST_SIZES:
        return None
    ns, measured = np.asarray(sizes, np.float64), np.asarray(losses, np.float64)
    a, b, at = (one[0] for one in _fits(ns, measured[None]))
    c = _EXPONENTS[at]
    if b <= 0 or at in (0, len(_EXPONENTS) - 1) or _rms(measured - (a + b * ns**-c)) > _MISFIT * np.ptp(measured):
        return None
    return float(a), float(b), float(c)


def curve(
    sizes: Sequence[int], runs: Sequence[Sequence[Sequence[float]]], tokens: Sequence[int], groups: Sequence[str] = ()
) -> Curve | None:
    """`runs`: of each size, of each seed, the nats of each example. `groups`: examples that are drawn together.

    Of simulated studies the interval held the truth in 95 % with three seeds and in 83 % with one, whose chance it
    cannot see (`tests/benchmarks/scale_study.py`).
    """
    values = [np.asarray(one, np.float64) for one in runs]
    weights = np.asarray(tokens, np.float64)
    losses = [float(one.mean(0).sum() / weights.sum()) for one in values]
    found = fit(sizes, losses)
    if found is None:
        return None
    a, b, c = found
    ns = np.asarray(sizes, np.float64)
    gain = float(_gain(ns[-1], np.asarray([b]), np.asarray([c]))[0])
    drawn = _resampled(values, weights, groups)
    _, factors, places = _fits(ns, drawn)
    gains = _gain(ns[-1], factors, _EXPONENTS[places])
    units = len(set(groups)) if groups else len(weights)
    tail = bootstrap.tail_share(units)
    low, high = np.quantile(gains, (tail, 1 - tail))
    return Curve(a, b, c, gain, float(low), float(high), _rms(np.asarray(losses) - (a + b * ns**-c)))


def _rms(values: _Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _gain(largest: float, b: _Floats, c: _Floats) -> _Floats:
    found: _Floats = b * (largest**-c - (2 * largest) ** -c)
    return found


def _fits(sizes: _Floats, losses: _Floats) -> tuple[_Floats, _Floats, npt.NDArray[np.int64]]:
    """For each row of `losses` (resamples x sizes): a, b, and the place of c among _EXPONENTS.

    For one c the least squares are linear; where they would have a or b below 0, the best with that one at 0.
    """
    best = np.full(len(losses), np.inf)
    a, b, at = np.zeros(len(losses)), np.zeros(len(losses)), np.zeros(len(losses), np.int64)
    mean = losses.mean(1)
    for place, exponent in enumerate(_EXPONENTS):
        x = (sizes / sizes[0]) ** -exponent
        spread = x - x.mean()
        slope = np.maximum(losses @ spread / (spread @ spread), 0.0)
        level = mean - slope * x.mean()
        slope = np.where(level < 0, losses @ x / (x @ x), slope)
        level = np.maximum(level, 0.0)
        error = ((losses - level[:, None] - slope[:, None] * x) ** 2).sum(1)
        is_better = error < best
        best = np.where(is_better, error, best)
        a, b = np.where(is_better, level, a), np.where(is_better, slope * sizes[0] ** exponent, b)
        at = np.where(is_better, place, at)
    return a, b, at


def _resampled(values: Sequence[_Floats], weights: _Floats, groups: Sequence[str]) -> _Floats:
    """Resamples x sizes: nats a token of drawn examples (or groups) and, of each size, drawn seeds."""
    random = np.random.default_rng(_SEED)
    members = np.unique(list(groups), return_inverse=True)[1] if groups else np.arange(len(weights))
    units = int(members.max()) + 1
    counts = random.multinomial(units, np.full(units, 1 / units), _RESAMPLES)[:, members].astype(np.float64)
    tokens = counts @ weights
    found = []
    for one in values:
        sums = counts @ one.T  # resamples x seeds
        drawn = random.integers(0, len(one), (_RESAMPLES, len(one)))
        found.append(np.take_along_axis(sums, drawn, 1).mean(1) / tokens)
    return np.stack(found, 1)
