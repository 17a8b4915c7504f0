"""Draw plots as inline SVG, and reduce and smooth curves so that they can be drawn at once.

There are three plots: lines in a frame, means with their intervals, and bars of shares. The page's stylesheet sets the
colours.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 520, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 46, 34
_TICKS = 5
CURVE_POINTS_MAX = 600
_ROW, _CAP, _BAR = 36, 5, 16  # pixels: the height of a row, half the height of an interval's cap, a bar's height
_NARROW = 0.65  # the smallest share of its usual width to which a name is compressed
_DIGIT = 9  # pixels: the width of a digit, with its margin
_SPAN_SHARE, _SPAN_LEAST, _SPAN_MOST = 0.05, 5, 50  # number of values over which the exponential mean reaches back

Points = Sequence[tuple[float, float]]
CurvePoints = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class PlotSeries:
    """One line of a plot. `style`: a CSS class of the page: one | two | three. `has_dots`: draw a dot at each point."""

    name: str
    style: str
    points: Points
    has_dots: bool = False


@dataclass(frozen=True, slots=True)
class PlotEstimate:
    """A mean and its interval. `text`: the numbers as they are shown. `is_open`: the dot is not filled."""

    name: str
    text: str
    mean: float
    low: float
    high: float
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class PlotBar:
    """A bar that is divided into parts. `counts`: of its parts, from the left."""

    name: str
    counts: tuple[int, ...]


def line_plot(title: str, x_name: str, series: Sequence[PlotSeries]) -> str:
    """Return a line plot as one <svg> element.

    Return "" where there is nothing to draw. Points that are not finite are skipped.
    """
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
    """Return one <svg> element with a row for each estimate: a dot at the mean and caps at the ends of the interval.

    `has_zero`: draw a line at zero. Estimates that are not finite are skipped; "" where there is nothing to draw.
    """
    drawn = [one for one in estimates if all(map(math.isfinite, (one.mean, one.low, one.high)))]
    if not drawn:
        return ""
    ends = [end for one in drawn for end in (one.low, one.high, *((0.0,) if has_zero else ()))]
    low, high = min(ends), max(ends)
    places = ticks(low, high) if high > low or low else [0.0, 0.5, 1.0]  # all are 0: shares and scores from 0 up
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
    """Return one <svg> element with bars of equal length, each divided in proportion to its counts.

    `names`: of the parts, at most four, from the left. A bar without counts is skipped; "" where none is left.
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
    """Return evenly spaced round numbers from one not above `low` to one not below `high`."""
    if high - low < max(abs(high), abs(low)) * 1e-9 or high == low:
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def moving_average(points: Points, width: int) -> list[tuple[float, float]]:
    """Return for each point the mean of the last `width` values."""
    means, window = [], list[float]()
    for x, y in points:
        window = [*window, y][-width:]
        means.append((x, sum(window) / len(window)))
    return means


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
    """Return the name and the numbers of a row.

    The name is compressed where it would meet the numbers; of a very long name the middle is left out.
    """
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
    """Return the approximate width of a text in pixels, at a font size of 12."""
    return sum(12 if ord(character) > 255 else 7 for character in text)


def _thin_by_means(points: Points) -> list[tuple[float, float]]:
    """Return at most `CURVE_POINTS_MAX` finite points, by taking means of neighbours."""
    finite = [(float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    width = -(-len(finite) // CURVE_POINTS_MAX)
    if width <= 1:
        return finite
    groups = [finite[at : at + width] for at in range(0, len(finite), width)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _number(value: float) -> str:
    return f"{value:.4g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"


def finite_points(points: Points) -> CurvePoints:
    return tuple(point for point in points if math.isfinite(point[1]))


def smooth_exponentially(points: Points) -> CurvePoints:
    """Return an exponential moving average, corrected for the bias of its beginning."""
    span = min(_SPAN_MOST, max(_SPAN_LEAST, round(_SPAN_SHARE * len(points))))
    share, total, weight = 2 / (span + 1), 0.0, 0.0
    smoothed = []
    for x, y in points:
        total = (1 - share) * total + share * y
        weight = (1 - share) * weight + share
        smoothed.append((x, total / weight))
    return tuple(smoothed)


def thin_points(points: Points, most: int = CURVE_POINTS_MAX) -> CurvePoints:
    """Return the lowest and the highest point of each stretch, in order, and both ends, so that peaks stay visible."""
    if len(points) <= most:
        return tuple(points)
    inner, stretches = points[1:-1], max(1, most // 2 - 1)
    thinned = [points[0]]
    for number in range(stretches):
        stretch = inner[len(inner) * number // stretches : len(inner) * (number + 1) // stretches]
        ends = {min(stretch, key=_height), max(stretch, key=_height)}
        thinned += sorted(ends)
    return (*thinned, points[-1])


def _height(point: tuple[float, float]) -> float:
    return point[1]
