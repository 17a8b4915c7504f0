"""Plots as inline SVG: lines in a frame, means with their intervals, bars of shares. Colours come from the page.

Few enough points for a curve to be drawn at once, and the course that noisy values take.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 520, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 46, 34
_TICKS = 5
_MOST_POINTS = 600
_ROW, _CAP, _BAR = 36, 5, 16  # of a plot with a row for each name: its height, half an interval's end, a bar's height
_NARROW = 0.65  # of the usual width, at the least
_DIGIT = 9  # wide, with the room beside it

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class PlotSeries:
    """`style`: a class of the page: one | two | three. `has_dots`: few points, each worth seeing."""

    name: str
    style: str
    points: Points
    has_dots: bool = False


@dataclass(frozen=True, slots=True)
class PlotEstimate:
    """`text`: the numbers, as they are shown. `is_open`: the dot is not filled."""

    name: str
    text: str
    mean: float
    low: float
    high: float
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class PlotBar:
    """`counts`: of its parts, from the left."""

    name: str
    counts: tuple[int, ...]


def line_plot(title: str, x_name: str, series: Sequence[PlotSeries]) -> str:
    """One <svg> element; "" where there is nothing to draw. Points that are not finite are left out."""
    drawn = [PlotSeries(one.name, one.style, _thin_by_means(one.points), one.has_dots) for one in series]
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


def interval_plot(title: str, estimates: Sequence[PlotEstimate], *, has_zero: bool = False) -> str:
    """One <svg> element, a row each: a dot at the mean, caps at the ends. `has_zero`: with a line there.

    "" where there is nothing to draw; what is not finite is left out.
    """
    drawn = [one for one in estimates if all(map(math.isfinite, (one.mean, one.low, one.high)))]
    if not drawn:
        return ""
    ends = [end for one in drawn for end in (one.low, one.high, *((0.0,) if has_zero else ()))]
    low, high = min(ends), max(ends)
    places = ticks(low, high) if high > low or low else [0.0, 0.5, 1.0]  # all is 0: shares and scores never lie below
    bottom = _TOP - 18 + _ROW * len(drawn)
    parts = [_opened(title, bottom + 24)]

    def x(value: float) -> float:
        return 12 + (WIDTH - 24) * (value - places[0]) / (places[-1] - places[0])

    for value in places:
        style = "axis zero" if has_zero and abs(value) < 1e-12 else "grid"
        parts.append(f'<path class="{style}" d="M{x(value):.1f} {_TOP - 18}V{bottom}"/>')
        parts.append(f'<text x="{x(value):.1f}" y="{bottom + 16}" text-anchor="middle">{_number(value)}</text>')
    for number, one in enumerate(drawn):
        at = _TOP - 18 + _ROW * number
        left, right, y = x(one.low), x(one.high), at + 26
        parts += _named(one.name, one.text, at + 14)
        parts.append(f'<path class="series one" d="M{left:.1f} {y}H{right:.1f}"/>')
        parts += [f'<path class="series one" d="M{end:.1f} {y - _CAP}v{2 * _CAP}"/>' for end in (left, right)]
        style = "mean open" if one.is_open else "mean"
        parts.append(f'<circle class="{style}" cx="{x(one.mean):.1f}" cy="{y}" r="4.5"/>')
    return "".join([*parts, "</svg>"])


def bar_plot(title: str, names: Sequence[str], rows: Sequence[PlotBar]) -> str:
    """One <svg> element: bars of one length, each divided by its counts, which stand in their parts.

    `names`: of the parts, at most four, from the left. A bar of nothing is left out; "" where none is left.
    """
    drawn = [bar for bar in rows if sum(bar.counts)]
    if not drawn:
        return ""
    parts, at = [_opened(title, _TOP + (_ROW + 4) * len(drawn))], 12.0
    for number, name in enumerate(names):
        parts.append(f'<rect class="part{number}" x="{at:.0f}" y="24" width="14" height="12"/>')
        parts.append(f'<text x="{at + 19:.0f}" y="34">{html.escape(name)}</text>')
        at += 38 + _width(name)
    for number, bar in enumerate(drawn):
        y, at, total = _TOP + (_ROW + 4) * number, 12.0, sum(bar.counts)
        parts += _named(bar.name, f"{total:,}", y + 12)
        for part, count in enumerate(bar.counts):
            width = (WIDTH - 24) * count / total
            if count:
                parts.append(
                    f'<rect class="part{part}" x="{at:.1f}" y="{y + 17}" width="{width:.1f}" height="{_BAR}"/>'
                )
            if width > _DIGIT * len(f"{count:,}"):
                middle = f'x="{at + width / 2:.1f}" y="{y + 29}" text-anchor="middle"'
                parts.append(f'<text class="on-part{part}" {middle}>{count:,}</text>')
            at += width
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, from one not above `low` to one not below `high`."""
    if high - low < max(abs(high), abs(low)) * 1e-9 or high == low:
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def moving_average(points: Points, width: int) -> list[tuple[float, float]]:
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

    def line(self, series: PlotSeries) -> str:
        places = [(self.x(x), self.y(y)) for x, y in series.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = "".join(f'<circle class="dot {series.style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
        return f'<polyline class="series {series.style}" points="{path}"/>' + (dots if series.has_dots else "")


def _legend(series: Sequence[PlotSeries]) -> list[str]:
    parts, at = [], float(_LEFT)
    for one in series:
        parts.append(f'<path class="series {one.style}" d="M{at:.0f} 32h18"/>')
        parts.append(f'<text x="{at + 23:.0f}" y="36">{html.escape(one.name)}</text>')
        at += 43 + _width(one.name)
    return parts


def _opened(title: str, height: int) -> str:
    label = html.escape(title)
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'
    return f'{head}<text x="12" y="14">{label}</text>'


def _named(name: str, text: str, y: float) -> list[str]:
    """A row's name, set narrower where it would meet the numbers; of a very long one the middle is left out."""
    room, shown, kept = WIDTH - 40 - _width(text), name, len(name)
    while kept > 1 and _width(shown) * _NARROW > room:
        kept -= 1
        shown = f"{name[: kept - kept // 2]}…{name[len(name) - kept // 2 :]}"
    fitted = f' textLength="{room}" lengthAdjust="spacingAndGlyphs"' if _width(shown) > room else ""
    return [
        f'<text class="name halo" x="12" y="{y}"{fitted}>{html.escape(shown)}</text>',
        f'<text class="halo" x="{WIDTH - 12}" y="{y}" text-anchor="end">{html.escape(text)}</text>',
    ]


def _width(text: str) -> int:
    """About, of letters of 12 pixels."""
    return sum(12 if ord(character) > 255 else 7 for character in text)


def _thin_by_means(points: Points) -> list[tuple[float, float]]:
    """At most `_MOST_POINTS`: means of neighbours."""
    found = [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    width = -(-len(found) // _MOST_POINTS)
    if width <= 1:
        return found
    groups = [found[at : at + width] for at in range(0, len(found), width)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _number(value: float) -> str:
    return f"{value:.4g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"


CurvePoints = tuple[tuple[float, float], ...]

CURVE_POINTS_MAX = 600
_SPAN_SHARE, _SPAN_LEAST, _SPAN_MOST = 0.05, 5, 50  # values that the mean reaches back over


def finite_points(points: Sequence[tuple[float, float]]) -> CurvePoints:
    return tuple(point for point in points if math.isfinite(point[1]))


def smooth_exponentially(points: Sequence[tuple[float, float]]) -> CurvePoints:
    """An exponential mean, without the pull of its beginning."""
    span = min(_SPAN_MOST, max(_SPAN_LEAST, round(_SPAN_SHARE * len(points))))
    share, kept, weight = 2 / (span + 1), 0.0, 0.0
    made = []
    for x, y in points:
        kept = (1 - share) * kept + share * y
        weight = (1 - share) * weight + share
        made.append((x, kept / weight))
    return tuple(made)


def thin_points(points: Sequence[tuple[float, float]], most: int = CURVE_POINTS_MAX) -> CurvePoints:
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
