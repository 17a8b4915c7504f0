"""Draw plots as SVG for reports and the window, and reduce and smooth curves so that they can be drawn at once.

There are line plots, interval plots (means with confidence intervals) and bar plots (shares of a whole).
`resources/report/plots.css` sets colours and dashes by the classes of the elements. All sizes and positions are in
pixels; a report scales a plot to its page.

The file is long, because the three kinds of plots share their frame, axes, legend and marks.
"""

import dataclasses
import functools
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 520, 240
EDGE = 12  # pixels left and right of a plot without a vertical axis
CURVE_POINTS_MAX = 600
_LEFT, _RIGHT, _BOTTOM = 62, 12, 34  # pixels around the frame of a line plot
_TICKS = 5
_ROW, _NEXT, _BAR, _BAR_ROW = 36, 14, 16, 40  # heights: a row, each further interval, a bar, its row
_CAP, _RADIUS = 4, 4.5  # pixels: half the height of an interval's cap, and the radius of a mark
_LINE = 18  # pixels from one line of text to the next
_NARROW = 0.65  # the smallest factor by which the width of a name is compressed
_DIGIT = 9  # pixels: the width of a digit, with its margin
_SPAN_SHARE, _SPAN_LEAST, _SPAN_MOST = 0.05, 5, 50  # span of the mean: share of the points, least, most
# The parts of a bar differ by patterns too, not by colour alone.
_PATTERNS = (
    '<defs><pattern id="dots" width="4" height="4" patternUnits="userSpaceOnUse">'
    '<path class="ink" d="M1 1h1v1h-1z"/></pattern>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<path class="hatch" d="M-1 1l2 -2M0 6l6 -6M5 7l2 -2"/></pattern></defs>'
)
_PATTERN_COUNT = 2

Points = Sequence[tuple[float, float]]
CurvePoints = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class PlotSeries:
    """A curve of a line plot.

    `name`: its text in the legend; "": none. `style`: one | two | three | four, with " raw" after it for a faint curve;
    these are classes of plots.css. `points`: (x, y) in ascending x. `has_marks`: a mark is drawn at each point.
    """

    name: str
    style: str
    points: Points
    has_marks: bool = False


@dataclass(frozen=True, slots=True)
class PlotNote:
    """A text at a point of a line plot. `mark`: "" | ring (around the point) | line (from top to bottom)."""

    x: float
    y: float
    text: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class PlotEstimate:
    """A mean and its interval from `low` to `high`. `style`: as in `PlotSeries`. `is_open`: the mark is not filled."""

    mean: float
    low: float
    high: float
    style: str = "one"
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class PlotRow:
    """A row of an interval plot. `text`: shown at the right of the name. `estimates`: drawn below one another."""

    name: str
    text: str
    estimates: tuple[PlotEstimate, ...]


@dataclass(frozen=True, slots=True)
class PlotBar:
    """A bar that is divided into parts. `counts`: the count of each part, from the left."""

    name: str
    counts: tuple[int, ...]


def line_plot(
    title: str,
    x_name: str,
    series: Sequence[PlotSeries],
    *,
    notes: Sequence[PlotNote] = (),
    x_ends: tuple[float, float] | None = None,
    y_ends: tuple[float, float] | None = None,
    size: tuple[float, float] = (WIDTH, HEIGHT),
) -> str:
    """Return a line plot as one <svg> element; "" if there are no finite points.

    `x_name`: of the x axis. `x_ends`: values that it must include. `y_ends`: the lowest and highest y; None: the
    points'.
    """
    drawn = [dataclasses.replace(one, points=thin_points(finite_points(one.points))) for one in series]
    drawn = [one for one in drawn if one.points]
    if not drawn:
        return ""
    xs, ys = ([point[axis] for one in drawn for point in one.points] for axis in (0, 1))
    xs += x_ends or ()
    low, high = y_ends or (min(ys), max(ys))
    swatches = [(one.name, _draw_line_sample(one.style, has_mark=one.has_marks)) for one in drawn if one.name]
    legend, lines = _draw_legend(swatches, _LEFT, _LINE if title else 0, size[0])
    top = 10 + _LINE * (lines + bool(title))
    least = 1.0 if all(float(x).is_integer() for x in xs) else 0.0  # there is no step 0.2
    frame = _Frame(PlotScale(ticks(min(xs), max(xs), least)), PlotScale(ticks(low, high)), top, *size)
    inside = [*frame.axes(x_name), *legend, *(frame.line(one) for one in drawn), *map(frame.note, notes)]
    return _svg(title, *size, *inside, title_x=_LEFT)


def interval_plot(
    title: str,
    rows: Sequence[PlotRow],
    *,
    has_zero: bool = False,
    legend: Sequence[tuple[str, PlotEstimate]] = (),
    width: float = WIDTH,
) -> str:
    """Return an interval plot as one <svg> element, a mark at each mean and caps at the ends; "" without finite rows.

    `has_zero`: the values are differences, and a line is drawn at zero. `legend`: a name, and an estimate of its style.
    """
    drawn = [
        row for row in rows if all(math.isfinite(end) for one in row.estimates for end in (one.mean, one.low, one.high))
    ]
    if not drawn:
        return ""
    scale = interval_scale([estimate for row in drawn for estimate in row.estimates], has_zero=has_zero)
    swatches = [(name, _draw_line_sample(one.style, has_mark=True, is_open=one.is_open)) for name, one in legend]
    parts, lines = _draw_legend(swatches, EDGE, _LINE if title else 0, width)
    top = _LINE * (lines + bool(title)) + (10 if title or lines else 0)
    bottom = top + sum(_ROW + _NEXT * (len(row.estimates) - 1) for row in drawn)
    parts += scale.grid(top, bottom, width) + scale.numbers(bottom + 16, width)
    for row in drawn:
        parts += _draw_names(row.name, row.text, top + 14, width)
        for number, one in enumerate(row.estimates):
            parts += _draw_interval(scale, one, top + 26 + _NEXT * number, width)
        top += _ROW + _NEXT * (len(row.estimates) - 1)
    return _svg(title, width, bottom + 24, *parts)


def interval_row(scale: "PlotScale", estimate: PlotEstimate | None, width: float, height: float) -> str:
    """Return one interval as an <svg> for a table's row, over grid lines or a zero line; None: only the lines."""
    found = _draw_interval(scale, estimate, height / 2, width) if estimate else []
    return _svg("", width, height, *scale.grid(0, height, width, is_zero_alone=scale.has_zero), *found)


def axis_row(scale: "PlotScale", width: float, height: float) -> str:
    """Return the numbers of a scale as an <svg> element, for the row above those of `interval_row`."""
    return _svg("", width, height, *scale.numbers(height / 2 + 4, width, style="strong"))


def bar_plot(title: str, names: Sequence[str], rows: Sequence[PlotBar], *, width: float = WIDTH) -> str:
    """Return bars of equal length as one <svg> element, each divided by its counts; "" if all are 0.

    `names`: the names of the parts, at most four, from the left.
    """
    drawn = [bar for bar in rows if sum(bar.counts)]
    if not drawn:
        return ""
    swatches = [
        (name, f'<rect class="part{part}" x="6" y="-6" width="14" height="12"/>') for part, name in enumerate(names)
    ]
    parts, lines = _draw_legend(swatches, EDGE - 6, _LINE if title else 0, width)
    top = 10 + _LINE * (lines + bool(title))
    for number, bar in enumerate(drawn):
        parts += _draw_bar(bar, top + _BAR_ROW * number, width)
    return _svg(title, width, top + _BAR_ROW * len(drawn), _PATTERNS, *parts)


def sparkline(points: Points, total: float, width: float, height: float, *, from_zero: bool = False) -> str:
    """Return a small curve as <svg>. `total`: the x at the right edge. `from_zero`: the lower edge is y = 0."""
    parts = [f'<path class="grid" d="M0 {height - 1}H{width}"/>']
    if points:
        low, high = min(y for _x, y in points), max(y for _x, y in points)
        span = high - (0.0 if from_zero else low)
        room = height - 6
        places = [
            (1 + (width - 2) * x / total, 2 + (room * (high - y) / span if span else room / 2)) for x, y in points
        ]
        parts.append(f'<polyline class="series one" points="{_path(places)}"/>')
    return _svg("", width, height, *parts)


@dataclass(frozen=True, slots=True)
class PlotScale:
    """A scale over its ascending `ticks`. `has_zero`: of differences, with signs and an emphasized zero."""

    ticks: list[float]
    has_zero: bool = False

    def share(self, value: float) -> float:
        """Return the position of a value on the scale: 0 at its lower end, 1 at its upper end."""
        return (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])

    def x(self, value: float, width: float) -> float:
        return EDGE + (width - 2 * EDGE) * self.share(value)

    def grid(self, top: float, bottom: float, width: float, *, is_zero_alone: bool = False) -> list[str]:
        """Return SVG elements of a vertical line at each tick. `is_zero_alone`: only at zero."""
        styles = [(value, "axis zero" if self.has_zero and abs(value) < 1e-9 else "grid") for value in self.ticks]
        return [
            f'<path class="{style}" d="M{self.x(value, width):.1f} {top}V{bottom}"/>'
            for value, style in styles
            if style != "grid" or not is_zero_alone
        ]

    def numbers(self, y: float, width: float, style: str = "") -> list[str]:
        """Return SVG texts of the ticks. A number that would overlap the previous one is left out."""
        parts, taken, values = list[str](), -math.inf, self.ticks
        digits = max(0, -math.floor(math.log10(values[1] - values[0]) + 1e-9))
        for value in values:
            text = f"{value:{'+' if self.has_zero else ''}.{digits}f}".replace("-", "\u2212")
            text = "0" if self.has_zero and abs(value) < 1e-9 else text
            half = _width(text) / 2
            x = min(max(half, self.x(value, width)), width - half)
            if x - half > taken:
                parts.append(f'<text class="{style}" x="{x:.1f}" y="{y}" text-anchor="middle">{text}</text>')
                taken = x + half + 6
        return parts


def interval_scale(estimates: Sequence[PlotEstimate], *, has_zero: bool = False) -> PlotScale:
    ends = [end for one in estimates for end in (one.low, one.high, *((0.0,) if has_zero else ()))]
    low, high = min(ends), max(ends)
    return PlotScale(ticks(low, high) if high > low or low else ticks(0.0, 1.0), has_zero)  # all may be 0, as scores


def ticks(low: float, high: float, least_step: float = 0.0) -> list[float]:
    """Return round numbers at even steps of at least `least_step`, from at or below `low` to at or above `high`."""
    if high - low < max(abs(high), abs(low)) * 1e-9 or high == low:
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    raw = max((high - low) / _TICKS, least_step)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The frame of a line plot. `top`: pixels above the frame; `width`, `height`: pixels of the whole plot."""

    across: PlotScale
    up: PlotScale
    top: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        return self.height - _BOTTOM

    def x(self, value: float) -> float:
        return _LEFT + (self.width - _LEFT - _RIGHT) * self.across.share(value)

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * min(1.0, max(0.0, self.up.share(value)))

    def axes(self, x_name: str) -> list[str]:
        parts, right = list[str](), self.width - _RIGHT
        for value in self.up.ticks:
            at = self.y(value)
            parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{right}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_number(value)}</text>')
        for value in self.across.ticks:
            at = self.x(value)
            parts.append(f'<text x="{at:.1f}" y="{self.bottom + 15}" text-anchor="middle">{_number(value)}</text>')
        parts.append(f'<path class="axis" d="M{_LEFT} {self.top}V{self.bottom}H{right}"/>')
        parts.append(f'<text x="{right}" y="{self.height - 5}" text-anchor="end">{html.escape(x_name)}</text>')
        return parts

    def line(self, series: PlotSeries) -> str:
        places = [(self.x(x), self.y(y)) for x, y in series.points]
        marks = (
            [_draw_mark(series.style, x, y, is_open=True, radius=3.5) for x, y in places] if series.has_marks else []
        )
        return f'<polyline class="series {series.style}" points="{_path(places)}"/>' + "".join(marks)

    def note(self, note: PlotNote) -> str:
        """Return the SVG of a note above its point or beside its line, inside the frame."""
        x, y, share = self.x(note.x), self.y(note.y), self.across.share(note.x)
        anchor = "start" if share < 0.15 else "end" if share > 0.8 else "middle"
        mark = f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="7.5"/>' if note.mark == "ring" else ""
        y -= 14
        if note.mark == "line":
            mark = f'<path class="axis zero" d="M{x:.1f} {self.top}V{self.bottom}"/>'
            anchor = "end" if share > 0.8 else "start"
            x, y = x + (-4 if anchor == "end" else 4), self.top + 10
        elif anchor == "start":
            x += 4
        text = html.escape(note.text)
        return f'{mark}<text class="halo" x="{x:.1f}" y="{max(y, 12):.1f}" text-anchor="{anchor}">{text}</text>'


def _svg(title: str, width: float, height: float, *parts: str, title_x: float = EDGE) -> str:
    label = html.escape(title)
    head = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}">'
    heading = f'<text x="{title_x}" y="14">{label}</text>' if title else ""
    return "".join([head, heading, *parts, "</svg>"])


def _draw_legend(entries: Sequence[tuple[str, str]], left: float, top: float, width: float) -> tuple[list[str], int]:
    """Return the SVG of a legend (a name and a sign 26 px wide for each entry) and its number of text lines."""
    parts, at, line = list[str](), left, 0
    for name, sample in entries:
        wide = 44 + _width(name)
        if at > left and at + wide > width:
            at, line = left, line + 1
        y = top + 14 + _LINE * line
        parts.append(f'<g transform="translate({at:.0f} {y - 4:.0f})">{sample}</g>')
        parts.append(f'<text x="{at + 30:.0f}" y="{y:.0f}">{html.escape(name)}</text>')
        at += wide
    return parts, line + 1 if entries else 0


def _draw_line_sample(style: str, *, has_mark: bool = False, is_open: bool = True) -> str:
    mark = _draw_mark(style, 13, 0, is_open=is_open, radius=3.5) if has_mark else ""
    return f'<path class="series {style}" d="M0 0h26"/>{mark}'


def _draw_interval(scale: PlotScale, estimate: PlotEstimate, y: float, width: float) -> list[str]:
    left, middle, right = (scale.x(value, width) for value in (estimate.low, estimate.mean, estimate.high))
    return [
        f'<path class="series {estimate.style}" d="M{left:.1f} {y}H{right:.1f}"/>',
        *(f'<path class="series {estimate.style} cap" d="M{end:.1f} {y - _CAP}v{2 * _CAP}"/>' for end in (left, right)),
        _draw_mark(estimate.style, middle, y, is_open=estimate.is_open, radius=_RADIUS),
    ]


def _draw_mark(style: str, x: float, y: float, *, is_open: bool, radius: float) -> str:
    """Return a mark at (x, y): "two" square, "three" triangle, "four" diamond, else a circle of `radius` pixels."""
    opened, r = f'class="mark {style}{" open" if is_open else ""}"', radius
    wide = 1.2 * r
    if style == "two":
        return f'<path {opened} d="M{x - r + 0.5:.1f} {y - r + 0.5:.1f}h{2 * r - 1}v{2 * r - 1}h{1 - 2 * r}z"/>'
    if style == "three":
        return f'<path {opened} d="M{x:.1f} {y - wide:.1f}l{wide:.1f} {wide + 0.9 * r:.1f}h{-2 * wide:.1f}z"/>'
    if style == "four":
        sides = f"l{wide:.1f} {wide:.1f}l{-wide:.1f} {wide:.1f}l{-wide:.1f} {-wide:.1f}z"
        return f'<path {opened} d="M{x:.1f} {y - wide:.1f}{sides}"/>'
    return f'<circle {opened} cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'


def _draw_bar(bar: PlotBar, y: float, width: float) -> list[str]:
    parts, at, total = _draw_names(bar.name, f"{sum(bar.counts):,}", y + 12, width), float(EDGE), sum(bar.counts)
    for part, count in enumerate(bar.counts):
        wide = (width - 2 * EDGE) * count / total
        if count:
            parts.append(f'<rect class="part{part}" x="{at:.1f}" y="{y + 17}" width="{wide:.1f}" height="{_BAR}"/>')
        need = _DIGIT * len(f"{count:,}")
        if wide > need:
            middle = at + wide / 2
            if part < _PATTERN_COUNT:  # the number gets a plain background on a pattern
                plate = f"M{middle - need / 2:.1f} {y + 18}h{need}v{_BAR - 2}h{-need}z"
                parts.append(f'<path class="plate" d="{plate}"/>')
            parts.append(
                f'<text class="on-part{part}" x="{middle:.1f}" y="{y + 29}" text-anchor="middle">{count:,}</text>'
            )
        at += wide
    return parts


def _draw_names(name: str, text: str, y: float, width: float) -> list[str]:
    """Return `name` at the left, compressed or cut where it would reach `text`, and `text` at the right."""
    room, shown, kept = width - 2 * EDGE - 16 - _width(text), name, len(name)
    while kept > 1 and _width(shown) * _NARROW > room:
        kept -= 1
        shown = f"{name[: kept - kept // 2]}…{name[len(name) - kept // 2 :]}"
    fitted = f' textLength="{room:g}" lengthAdjust="spacingAndGlyphs"' if _width(shown) > room else ""
    return [
        f'<text class="name halo" x="{EDGE}" y="{y}"{fitted}>{html.escape(shown)}</text>',
        f'<text class="halo" x="{width - EDGE:g}" y="{y}" text-anchor="end">{html.escape(text)}</text>',
    ]


def _path(places: Points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


@functools.lru_cache(maxsize=1024)  # a plot is drawn again for each width that its place may get
def _width(text: str) -> int:
    """Return the approximate width of a text in pixels, at a font size of 12."""
    return sum(12 if ord(character) > 255 else 7 for character in text)


def _number(value: float) -> str:
    return f"{value:.4g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"


def finite_points(points: Points) -> CurvePoints:
    return tuple(point for point in points if all(map(math.isfinite, point)))


def smooth_exponentially(points: Points) -> CurvePoints:
    """Return the bias-corrected moving average of y, reaching back over 5 % of the points, 5 to 50 of them."""
    span = min(_SPAN_MOST, max(_SPAN_LEAST, round(_SPAN_SHARE * len(points))))
    share, total, weight = 2 / (span + 1), 0.0, 0.0
    smoothed = []
    for x, y in points:
        total = (1 - share) * total + share * y
        weight = (1 - share) * weight + share
        smoothed.append((x, total / weight))
    return tuple(smoothed)


def thin_points(points: Points, most: int = CURVE_POINTS_MAX) -> CurvePoints:
    """Return at most `most` points: both ends, and the lowest and highest of stretches of equal numbers of points."""
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
