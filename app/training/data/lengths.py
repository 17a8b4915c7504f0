"""How long texts are, in characters or tokens: the figures that people ask for, and how many there are of each size."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

FIRST_BOUND = 64


@dataclass(frozen=True, slots=True)
class Lengths:
    """`histogram`: (upper bound, how many are longer than the bound before and no longer than this one)."""

    shortest: int
    median: float
    mean: float
    p95: int  # 95 of 100 are no longer
    longest: int
    total: int
    histogram: tuple[tuple[int, int], ...]


def measure(lengths: Sequence[int]) -> Lengths:
    """Of at least one."""
    ordered = sorted(lengths)
    return Lengths(
        shortest=ordered[0],
        median=statistics.median(ordered),
        mean=round(statistics.fmean(ordered), 1),
        p95=ordered[max(0, -(-len(ordered) * 95 // 100) - 1)],
        longest=ordered[-1],
        total=sum(ordered),
        histogram=_histogram(ordered),
    )


def _histogram(ordered: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """From the first size that occurs to the last, each twice the one before."""
    bounds = [FIRST_BOUND]
    while bounds[-1] < ordered[-1]:
        bounds.append(2 * bounds[-1])
    counts = [0] * len(bounds)
    at = 0
    for length in ordered:
        while length > bounds[at]:
            at += 1
        counts[at] += 1
    first = next(at for at, count in enumerate(counts) if count)
    return tuple(zip(bounds[first:], counts[first:], strict=True))
