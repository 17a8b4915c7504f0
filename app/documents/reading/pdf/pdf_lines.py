"""Join glyphs to runs and lines on a page turned so that its lines run to the right (`PageRotation.back` undoes it)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from app.documents.reading.pdf.pdf_page import Glyph, RawPage, RuledLine
from app.documents.reading.text_blocks import is_japanese

Direction = Literal["right", "down", "up", "left"]
Edges = tuple[float, float, float, float]  # left, top, right, bottom

GAP_EM = 1.0  # a wider gap separates two runs of a line
SAME_LINE = 0.35  # largest offset between the middles of two runs of a line, as a share of their height


@dataclass(frozen=True, slots=True)
class PageRotation:
    """The rotation of a page for reading. `width`, `height`: size of the page as displayed, in points."""

    direction: Direction
    width: float
    height: float

    def forth(self, edges: Edges) -> Edges:
        """Convert edges on the displayed page to edges on the rotated page."""
        left, top, right, bottom = edges
        match self.direction:
            case "down":
                return top, self.width - right, bottom, self.width - left
            case "up":
                return self.height - bottom, left, self.height - top, right
            case "left":  # upside down
                return self.width - right, self.height - bottom, self.width - left, self.height - top
        return edges

    def back(self, edges: Edges) -> Edges:
        """Convert edges on the rotated page to edges on the displayed page."""
        left, top, right, bottom = edges
        match self.direction:
            case "down":
                return self.width - bottom, left, self.width - top, right
            case "up":
                return top, self.height - right, bottom, self.height - left
            case "left":
                return self.forth(edges)
        return edges


@dataclass(slots=True)
class GlyphRun:
    """A run of adjacent glyphs. `is_across`: it is written downward, on a page whose lines run to the right."""

    glyphs: list[Glyph]
    left: float
    top: float
    right: float
    bottom: float
    is_across: bool = False

    @property
    def size(self) -> float:
        sizes = [glyph.size for glyph in self.glyphs]
        if sizes.count(sizes[0]) < len(sizes):
            return Counter(round(size * 2) / 2 for size in sizes).most_common(1)[0][0]
        return round(sizes[0] * 2) / 2

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def text(self) -> str:
        return glyphs_to_text(self.glyphs)


@dataclass(slots=True)
class PageLine:
    """The runs of a line from left to right."""

    runs: list[GlyphRun]
    left: float
    top: float
    right: float
    bottom: float
    size: float
    text: str


def rotate_page(raw: RawPage) -> tuple[PageRotation, RawPage]:
    """Rotate a page so that its lines run to the right; return the rotation and the page."""
    turn = PageRotation(_direction(raw.glyphs), raw.width, raw.height)
    if turn.direction == "right":
        return turn, raw
    for glyph in raw.glyphs:
        edges = turn.forth((glyph.left, glyph.top, glyph.right, glyph.bottom))
        glyph.left, glyph.top, glyph.right, glyph.bottom = edges
    horizontal = [_turned_rule(turn, (rule.start, rule.position, rule.end, rule.position)) for rule in raw.horizontal]
    vertical = [_turned_rule(turn, (rule.position, rule.start, rule.position, rule.end)) for rule in raw.vertical]
    is_quarter = turn.direction != "left"
    raw.horizontal, raw.vertical = (vertical, horizontal) if is_quarter else (horizontal, vertical)
    raw.width, raw.height = (raw.height, raw.width) if is_quarter else (raw.width, raw.height)
    return turn, raw


def _turned_rule(rotation: PageRotation, edges: Edges) -> RuledLine:
    left, top, right, bottom = rotation.forth(edges)
    return RuledLine(top, left, right) if right - left > bottom - top else RuledLine(left, top, bottom)


def _direction(glyphs: Sequence[Glyph]) -> Direction:
    """Return the direction from a glyph to the next one, for most glyphs of the page."""
    steps: Counter[Direction] = Counter()
    for before, glyph in pairwise(glyphs):
        across = (glyph.left + glyph.right - before.left - before.right) / 2
        down = (glyph.top + glyph.bottom - before.top - before.bottom) / 2
        near = 1.6 * max(glyph.size, before.size)
        if abs(across) <= near and abs(down) <= 0.3 * glyph.size:
            steps["right" if across > 0 else "left"] += 1
        elif abs(down) <= near and abs(across) <= 0.3 * glyph.size:
            steps["down" if down > 0 else "up"] += 1
    direction, count = steps.most_common(1)[0] if steps else ("right", 0)
    return direction if count > 0.5 * sum(steps.values()) else "right"


def build_runs(glyphs: Sequence[Glyph]) -> list[GlyphRun]:
    """Return the runs in the order of the file."""
    runs: list[GlyphRun] = []
    for glyph in glyphs:
        last = runs[-1] if runs else None
        if last is not None and _continues(last, glyph):
            last.glyphs.append(glyph)
            last.left, last.top = min(last.left, glyph.left), min(last.top, glyph.top)
            last.right, last.bottom = max(last.right, glyph.right), max(last.bottom, glyph.bottom)
            last.is_across = len(last.glyphs) > 1 and last.is_across
        elif last is not None and _continues_downward(last, glyph):
            last.glyphs.append(glyph)
            last.left, last.right = min(last.left, glyph.left), max(last.right, glyph.right)
            last.bottom, last.is_across = glyph.bottom, True
        else:
            runs.append(GlyphRun([glyph], glyph.left, glyph.top, glyph.right, glyph.bottom))
    return [part for run in runs for part in _without_short_columns(run)]


def _continues(run: GlyphRun, glyph: Glyph) -> bool:
    before = run.glyphs[-1]
    height = max(before.size, glyph.size)
    gap = glyph.left - before.right
    is_level = abs(glyph.top + glyph.bottom - before.top - before.bottom) / 2 <= SAME_LINE * height
    return not run.is_across and is_level and -0.5 * height <= gap <= GAP_EM * height and glyph.left >= before.left


def _continues_downward(run: GlyphRun, glyph: Glyph) -> bool:
    """Whether the glyph continues a label that is written downward next to a table or figure."""
    before = run.glyphs[-1]
    size = max(before.size, glyph.size)
    step = (glyph.top + glyph.bottom - before.top - before.bottom) / 2
    is_below = abs(glyph.left + glyph.right - before.left - before.right) / 2 <= 0.15 * size
    is_alone = run.is_across or len(run.glyphs) == 1
    return is_alone and is_below and not glyph.is_spaced and 0.7 * size <= step <= 1.2 * size


def _without_short_columns(run: GlyphRun) -> Iterable[GlyphRun]:
    """Split a vertical run of only two glyphs, because these are two cells of a table."""
    if not run.is_across or len(run.glyphs) > 2:
        return [run]
    return [GlyphRun([glyph], glyph.left, glyph.top, glyph.right, glyph.bottom) for glyph in run.glyphs]


def build_lines(runs: Sequence[GlyphRun]) -> list[PageLine]:
    """Return the lines of one column's runs from the top; raised and lowered ones belong to the line beside."""
    return sorted(map(build_line, group_runs(runs)), key=lambda line: (line.top + line.bottom) / 2)


def group_runs(runs: Sequence[GlyphRun]) -> list[list[GlyphRun]]:
    """Return the runs of each line in one column."""
    rows: list[list[GlyphRun]] = []
    leader: GlyphRun | None = None
    alone = [[run] for run in runs if run.is_across]
    for run in sorted((run for run in runs if not run.is_across), key=lambda run: run.middle):
        if leader is not None and _is_level(leader, run):
            rows[-1].append(run)
            if run.bottom - run.top > leader.bottom - leader.top:
                leader = run
        else:
            rows.append([run])
            leader = run
    return [*rows, *alone]


def _is_level(leader: GlyphRun, run: GlyphRun) -> bool:
    height = leader.bottom - leader.top
    small, large = sorted((height, run.bottom - run.top))
    overlap = min(leader.bottom, run.bottom) - max(leader.top, run.top)
    return overlap >= 0.5 * small if small < 0.8 * large else abs(run.middle - leader.middle) <= SAME_LINE * height


def build_line(runs: Sequence[GlyphRun]) -> PageLine:
    ordered = sorted(runs, key=lambda run: run.left)
    glyphs = [glyph for run in ordered for glyph in run.glyphs]
    largest = max(ordered, key=lambda run: len(run.glyphs))
    return PageLine(
        ordered,
        min(run.left for run in ordered),
        min(run.top for run in ordered),
        max(run.right for run in ordered),
        max(run.bottom for run in ordered),
        largest.size,
        glyphs_to_text(glyphs),
    )


def glyphs_to_text(glyphs: Sequence[Glyph]) -> str:
    """Return the text of glyphs with visible spaces, but not the gaps that justify Japanese lines."""
    parts: list[str] = []
    before: Glyph | None = None
    for glyph in glyphs:
        if before is not None and _has_space(before, glyph):
            parts.append(" ")
        parts.append(glyph.text)
        before = glyph
    return "".join(parts)


def _has_space(before: Glyph, glyph: Glyph) -> bool:
    size = max(before.size, glyph.size)
    gap = max(glyph.left - before.right, 0.0)
    if not glyph.is_spaced and gap < 0.2 * size:
        return False
    japanese = is_japanese(before.text[-1:]) + is_japanese(glyph.text[:1])
    if japanese == 2:
        return gap >= 0.6 * size
    if japanese == 1:
        return gap >= 0.2 * size
    return glyph.is_spaced or gap >= 0.3 * size
