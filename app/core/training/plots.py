"""Line plots as inline SVG: a frame, round numbers at its edges, lines and their names. Colours come from the page."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 520, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 46, 34
_TICKS = 5
_MOST_POINTS = 600

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Series:
    """`style`: a class of the page: one | two | three. `has_dots`: few points, each worth seeing."""

    name: str
    style: str
    points: Points
    has_dots: bool = False


def plot(title: str, x_name: str, series: Sequence[Series]) -> str:
    """One <svg> element; "" where there is nothing to draw. Points that are not finite are left out."""
    drawn = [Series(one.name, one.style, _finite(one.points), one.has_dots) for one in series]
    drawn = [one for one in drawn if one.points]
    if not drawn:
        return ""
    xs, ys = ([point[axis] for one in drawn for point in one.points] for axis in (0, 1))
    frame = _Frame(ticks(min(xs), max(xs)), ticks(min(ys), max(ys)))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
        f'<text x="{_LEFT}" y="16">{html.escape(title)}</text>',
        *frame.drawn(x_name),
        *_legend(drawn),
        *(frame.line(one) for one in drawn),
        "</svg>",
    ]
    return "".join(parts)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, from one not above `low` to one not below `high`."""
    if high - low < max(abs(high), abs(low)) * 1e-9 or high == low:
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def smooth(points: Points, width: int) -> list[tuple[float, float]]:
    """The mean of the last `width` points at each."""
    found, window = [], list[float]()
    for x, y in points:
        window = [*window, y][-width:]
        found.append((x, sum(window) / len(window)))
    return found


@dataclass(frozen=True, slots=True)
class _Frame:
    x_ticks: list[float]
    y_ticks: list[float]

    def x(self, value: float) -> float:
        low, high = self.x_ticks[0], self.x_ticks[-1]
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    def drawn(self, x_name: str) -> list[str]:
        bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        parts = []
        for value in self.y_ticks:
            at = self.y(value)
            parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{right}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_number(value)}</text>')
        for value in self.x_ticks:
            at = self.x(value)
            parts.append(f'<text x="{at:.1f}" y="{bottom + 15}" text-anchor="middle">{_number(value)}</text>')
        parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>')
        parts.append(f'<text x="{right}" y="{HEIGHT - 5}" text-anchor="end">{html.escape(x_name)}</text>')
        return parts

    def line(self, series: Series) -> str:
        places = [(self.x(x), self.y(y)) for x, y in series.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = "".join(f'<circle class="dot {series.style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
        return f'<polyline class="series {series.style}" points="{path}"/>' + (dots if series.has_dots else "")


def _legend(series: Sequence[Series]) -> list[str]:
    parts, at = [], float(_LEFT)
    for one in series:
        parts.append(f'<path class="series {one.style}" d="M{at:.0f} 32h18"/>')
        parts.append(f'<text x="{at + 23:.0f}" y="36">{html.escape(one.name)}</text>')
        at += 43 + sum(12 if ord(character) > 255 else 7 for character in one.name)
    return parts


def _finite(points: Points) -> list[tuple[float, float]]:
    """At most `_MOST_POINTS`: means of neighbours."""
    found = [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    width = -(-len(found) // _MOST_POINTS)
    if width <= 1:
        return found
    groups = [found[at : at + width] for at in range(0, len(found), width)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _number(value: float) -> str:
    return f"{value:.4g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"
