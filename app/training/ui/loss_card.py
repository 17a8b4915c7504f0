"""Show the losses (損失) as a plot with a legend or as a table, and below them other measurements as sparklines.

The table has a row for each evaluation and for a selection of the steps.
"""

import math
from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QWidget,
)

from app.base import plots
from app.base.plots import CurvePoints, PlotNote, PlotSeries
from app.base.wording import phrase
from app.training.runs.run_progress import RunProgress
from app.training.ui import run_texts, training_texts
from app.uikit.localization import format_gigabytes, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import Label
from app.uikit.widgets.svg_plot import SvgPlot
from app.uikit.widgets.tables import NumberTableModel, NumberTableView

HEIGHT_PX, PLOT_PX = 40, 300


class Sparkline(QFrame):
    def __init__(self, theme: Theme, name: str, *, from_zero: bool = False) -> None:
        """Create the sparkline. `from_zero`: the lower edge is 0, so that a nearly constant value looks constant."""
        super().__init__()
        self.setProperty("surface", "card")
        self.name = Label(name, "caption", "text2")
        self.value = Label(role="caption", strong=True)
        self._points: CurvePoints = ()
        self._total = 1
        self._line = SvgPlot(
            theme,
            lambda *size: plots.sparkline(self._points, self._total, *size, from_zero=from_zero),
            height_px=HEIGHT_PX,
        )
        self._line.setAccessibleName(name)
        head = make_row((self.name, 1), self.value)
        make_column(head, self._line, into=self, margins_px=(10, 8, 10, 8), spacing_px=6)

    def show_points(self, points: CurvePoints, value: str, total: int) -> None:
        """Show points with `value` as the text. `total`: the step number at the right edge."""
        self.value.setText(value)
        self._line.setAccessibleDescription(value)
        self._points, self._total = points, max(1, total)
        self._line.redraw()


MOST_STEPS = 500  # most listed steps: more are unreadable, and ten thousand rows block the window


def listing_stride(steps: int) -> int:
    """Return n to list every n-th step: a power of two, so that it seldom changes as steps are added."""
    made = 1
    while steps // made > MOST_STEPS:
        made *= 2
    return made


def _step_rows(course: RunProgress) -> list[tuple[str, ...]]:
    """Return the table's cells for each evaluation and each listed step."""
    evaluations, best = {one.step: one for one in course.evaluations}, course.standing.best_evaluation
    stride = listing_stride(len(course.steps))
    steps = {one.step: one for one in course.steps if one.step % stride == 0 or one.step in evaluations}
    rows: list[tuple[str, ...]] = []
    for number in sorted({*steps, *evaluations}):
        step, evaluation = steps.get(number), evaluations.get(number)
        note = phrase("training.best") if best is not None and number == best.step else ""
        loss = with_note(run_texts.format_loss(evaluation.loss), note) if evaluation else ""
        rest = ("",) * 4
        if step is not None:
            rest = (
                run_texts.format_learning_rate(step.learning_rate),
                f"{step.gradient_norm:.2f}",
                f"{step.tokens_per_s:,.0f}",
                format_gigabytes(step.memory_bytes),
            )
        rows.append((f"{number:,}", run_texts.format_loss(step.loss) if step else "", loss, *rest))
    return rows


ROWS_SHOWN = 10
SMALL_PX = 150  # minimum width of a sparkline
_EDGE = 0.12  # share of the height that stays free above and below for notes


class LossCard(QFrame):
    """A card with the losses as a plot or a table."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("surface", "card")
        self._course: RunProgress | None = None
        titles = (
            phrase("training.step"), phrase("training.training_loss"), phrase("training.validation_loss"),
            training_texts.setting_label("learning_rate"), phrase("training.gradient_norm"), "tok/s",
            phrase("common.memory"),
        )  # fmt: skip
        self.table = NumberTableModel(titles, 2)
        self.view: NumberTableView | None = None  # built when it is first shown
        self.note = Label(phrase("training.no_loss_yet"), tone="muted", wraps=True)
        self.sparse = Label(role="caption", tone="text2", wraps=True)
        self.plot = SvgPlot(theme, lambda *size: _loss_plot(self._course, size), height_px=PLOT_PX)
        self.plot.setAccessibleName(phrase("training.loss_curves"))
        self.table_button = Button(theme, phrase("training.show_as_a_table"), compact=True)
        head = make_row(
            (Label(phrase("training.loss_nll_of_the_reference"), "heading3", wraps=True), 1),
            (self.table_button, 0, Qt.AlignmentFlag.AlignTop),
            spacing_px=12,
        )
        self._column = make_column(
            head,
            self.sparse,
            (self.note, 1, Qt.AlignmentFlag.AlignTop),
            (self.plot, 1),
            into=self,
            margins_px=(18, 14, 18, 14),
            spacing_px=10,
        )
        self.sparse.hide()
        self.plot.hide()
        self.table_button.clicked.connect(self._toggle_table)

    @property
    def shows_table(self) -> bool:
        return self.view is not None and not self.view.isHidden()

    def show_course(self, course: RunProgress) -> None:
        self._course = course
        has_values = bool(course.raw or course.validation)
        self.note.setVisible(not has_values and not self.shows_table)
        self.plot.setVisible(has_values and not self.shows_table)
        self.table_button.setVisible(has_values)
        stride = listing_stride(len(course.steps))
        self.sparse.setVisible(self.shows_table and stride > 1)
        if self.shows_table:
            self.sparse.setText(phrase("training.one_step_in_n_and", n=stride))
            self.table.set_rows(_step_rows(course))
        else:
            self.plot.setAccessibleDescription(_summary(course))
            self.plot.redraw()

    # ------------------------------------------------------------- private methods

    def _toggle_table(self) -> None:
        if self.view is None:
            name = phrase("training.table_of_losses_and_measurements")
            self.view = NumberTableView(self._theme, self.table, name, rows_shown=ROWS_SHOWN)
            self._column.addWidget(self.view, 1)
            self.view.show()
        else:
            self.view.setVisible(self.view.isHidden())
        self.table_button.setText(
            phrase("training.show_as_a_chart") if self.shows_table else phrase("training.show_as_a_table")
        )
        if self._course is not None:
            self.show_course(self._course)


def _summary(course: RunProgress) -> str:
    standing = course.standing
    return phrase(
        "training.before_base_best_best_n",
        base=run_texts.format_loss(standing.base_loss),
        best=run_texts.format_loss(standing.best_evaluation.loss if standing.best_evaluation else None),
        n=standing.last_step,
    )


def _loss_plot(course: RunProgress | None, size: tuple[float, float]) -> str:
    """Draw training and validation loss over steps.

    Outliers of the raw values may be cut off, because they would flatten the curves.
    """
    if course is None:
        return ""
    raw = sorted(y for _x, y in course.raw)
    heights = [y for _x, y in (*course.smooth, *course.validation)] + raw[len(raw) // 50 : len(raw) * 49 // 50]
    if not heights:
        return ""
    low, high = min(heights), max(heights)
    edge = max(high - low, 0.02) * _EDGE
    series = [
        PlotSeries("", "one raw", course.raw),
        PlotSeries(phrase("training.training_smoothed"), "one", course.smooth),
        PlotSeries(phrase("training.validation_2"), "two", course.validation, has_marks=True),
    ]
    step = course.standing.step
    return plots.line_plot(
        "",
        phrase("training.step"),
        series,
        notes=list(_notes(course, high + edge)),
        x_ends=(0, step.total if step else 1),
        y_ends=(low - edge, high + edge),
        size=size,
    )


def _notes(course: RunProgress, top: float) -> Iterator[PlotNote]:
    """Yield notes on the loss before training, the best loss and the current step."""
    standing, step = course.standing, course.standing.step
    base, best = standing.base_loss, standing.best_evaluation
    if base is not None and math.isfinite(base):
        yield PlotNote(0, base, phrase("training.before_loss", loss=run_texts.format_loss(base)))
    if best is not None and best.step > 0:
        text = phrase("training.best_loss_s", loss=run_texts.format_loss(best.loss), s=f"{best.step:,}")
        yield PlotNote(best.step, best.loss, text, "ring")
    if course.state == "running" and step is not None:
        yield PlotNote(step.step, top, phrase("training.now_s", s=f"{step.step:,}"), "line")


class StepMetrics(QWidget):
    """Four sparklines, side by side if there is space."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.rate = Sparkline(theme, training_texts.setting_label("learning_rate"))
        self.norm = Sparkline(theme, phrase("training.gradient_norm"))
        self.speed = Sparkline(theme, "tok/s", from_zero=True)
        self.memory = Sparkline(theme, phrase("common.memory"), from_zero=True)
        self._all = (self.rate, self.norm, self.speed, self.memory)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(12)
        self._columns = 0
        self._lay_out(2)

    def show_course(self, course: RunProgress) -> None:
        step = course.standing.step
        if step is None:
            return
        is_graphics = course.requested is not None and course.requested.device == "cuda"
        self.memory.name.setText(phrase("training.gpu_memory") if is_graphics else phrase("common.memory"))
        self.rate.show_points(course.rate, run_texts.format_learning_rate(step.learning_rate), step.total)
        self.norm.show_points(course.norm, f"{step.gradient_norm:.2f}", step.total)
        self.speed.show_points(course.speed, f"{step.tokens_per_s:,.0f}", step.total)
        self.memory.show_points(course.memory, format_gigabytes(step.memory_bytes), step.total)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out(4 if self.width() >= 4 * self._theme.px(SMALL_PX) else 2)

    def _lay_out(self, columns: int) -> None:
        if columns != self._columns:
            self._columns = columns
            for number, small in enumerate(self._all):
                self._grid.addWidget(small, number // columns, number % columns)
