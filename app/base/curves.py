"""Few enough points for a curve to be drawn at once, and the course that noisy values take."""

import math
from collections.abc import Sequence

Points = tuple[tuple[float, float], ...]

MOST_POINTS = 600
_SPAN_SHARE, _SPAN_LEAST, _SPAN_MOST = 0.05, 5, 50  # values that the mean reaches back over


def finite(points: Sequence[tuple[float, float]]) -> Points:
    return tuple(point for point in points if math.isfinite(point[1]))


def smoothed(points: Sequence[tuple[float, float]]) -> Points:
    """An exponential mean, without the pull of its beginning."""
    span = min(_SPAN_MOST, max(_SPAN_LEAST, round(_SPAN_SHARE * len(points))))
    share, kept, weight = 2 / (span + 1), 0.0, 0.0
    made = []
    for x, y in points:
        kept = (1 - share) * kept + share * y
        weight = (1 - share) * weight + share
        made.append((x, kept / weight))
    return tuple(made)


def thinned(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> Points:
    """The lowest and the highest of each stretch, in their order, and both ends: what sticks out stays."""
    if len(points) <= most:
        return tuple(points)
    inner, stretches = points[1:-1], max(1, most // 2 - 1)
    made = [points[0]]
    for number in range(stretches):
        stretch = inner[len(inner) * number // stretches : len(inner) * (number + 1) // stretches]
        ends = {min(stretch, key=_height), max(stretch, key=_height)}
        made += sorted(ends)
    return (*made, points[-1])


def _height(point: tuple[float, float]) -> float:
    return point[1]
