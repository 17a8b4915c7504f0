"""How far two who rate the same things agree: Cohen's kappa and Spearman's rank correlation."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def kappa(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Cohen's kappa of two ratings of the same things: 1 they agree, 0 no more than by chance, below 0 less.

    A disagreement weighs the square of the distance of the two ratings: 1 - (mean weight of the pairs) / (mean weight
    of all pairs of a first and a second rating). Cohen, Psychological Bulletin 70, 1968. None where that is not
    defined: nothing was rated, or both gave everything one and the same rating.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape:
        raise ValueError("ratings of different things")
    if not one.size:
        return None
    ones, one_counts = np.unique(one, return_counts=True)
    others, other_counts = np.unique(other, return_counts=True)
    by_chance = one_counts @ (ones[:, None] - others[None, :]) ** 2 @ other_counts / one.size**2
    return 1 - float(((one - other) ** 2).mean() / by_chance) if by_chance else None


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rho, -1 to 1; equal values share the mean of their ranks (Kendall, Rank Correlation Methods, 1948).

    None where it is not defined: fewer than two pairs, or one side has the same value throughout.
    """
    one, other = _ranks(first), _ranks(second)
    if one.shape != other.shape:
        raise ValueError("values of different things")
    middle = (one.size + 1) / 2  # the mean of all ranks
    one, other = one - middle, other - middle
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale else None


def _ranks(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """From 1; of equal values the mean."""
    _, which, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]
