"""損失: the curve with its legend, or the same in numbers; below it what else is measured at each step."""

import importlib
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.runs.course import Course
from app.training.ui.run import words
from app.training.ui.run.small import Small
from app.training.ui.run.table import StepTable, StepView, stride
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import Label

if TYPE_CHECKING:
    from app.training.ui.run.curves import LossPlot

SWATCH_PX = 30
BETWEEN_MS = 20
SMALL_PX = 150  # the least width of a small curve


class LossCard(QFrame):
    """pyqtgraph is loaded when there is a first value to be drawn."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("surface", "card")
        self.plot: LossPlot | None = None
        self._is_loading = False
        self._course: Course | None = None
        self.table = StepTable()
        self.view: StepView | None = None  # built when it is asked for
        self.note = Label(phrase("training.waiting_for_the_first_value"), tone="muted", wraps=True)
        self.sparse = Label(role="caption", tone="text2", wraps=True)
        self.sparse.hide()
        self.legend = FlowBox(
            _Key(theme, phrase("training.training_smoothed"), "chart1"),
            _Key(theme, phrase("training.validation_2"), "chart2", is_dashed=True),
        )
        self.table_button = Button(theme, phrase("training.show_as_a_table"), compact=True)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(Label(phrase("training.loss_nll_of_the_reference"), "heading3", wraps=True), 1)
        head.addWidget(self.table_button, 0, Qt.AlignmentFlag.AlignTop)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(18, 14, 18, 14)
        self._column.setSpacing(10)
        self._column.addLayout(head)
        self._column.addWidget(self.legend)
        self._column.addWidget(self.sparse)
        self._column.addWidget(self.note, 1, Qt.AlignmentFlag.AlignTop)
        self.table_button.clicked.connect(self._turn)

    @property
    def shows_table(self) -> bool:
        return self.view is not None and not self.view.isHidden()

    def show_course(self, course: Course) -> None:
        self._course = course
        has_values = bool(course.raw or course.validation)
        self.legend.setVisible(has_values and not self.shows_table)
        self.table_button.setVisible(has_values)
        apart = stride(len(course.steps))
        self.sparse.setVisible(self.shows_table and apart > 1)
        if self.shows_table:
            self.sparse.setText(phrase("training.one_step_in_n_and", n=apart))
            self.table.show_course(course)
        elif self.plot is not None and self.note.isHidden():
            self.plot.show_course(course)
        elif has_values and not self._is_loading:
            self._is_loading = True
            # One thing at a time, with what is to be drawn in between: each takes tens of milliseconds.
            QTimer.singleShot(BETWEEN_MS, self, self._load)

    # ------------------------------------------------------------------- private

    def _load(self) -> None:
        """By this thread: others must not make Qt's classes. Most of the time `Ahead` has done it."""
        module = importlib.import_module("app.training.ui.run.curves")
        QTimer.singleShot(BETWEEN_MS, self, lambda: self._build_plot(module))

    def _build_plot(self, module: Any) -> None:
        plot = self.plot = module.LossPlot(self._theme)
        QTimer.singleShot(BETWEEN_MS, self, lambda: self._on_built(plot))

    def _on_built(self, plot: "LossPlot") -> None:
        self.note.hide()
        self._column.addWidget(plot, 1)
        self._show()

    def _turn(self) -> None:
        if self.view is None:
            self.view = StepView(self._theme, self.table)
            self._column.addWidget(self.view, 1)
            self.view.show()
        else:
            self.view.setVisible(self.view.isHidden())
        self.table_button.setText(
            phrase("training.show_as_a_plot") if self.shows_table else phrase("training.show_as_a_table")
        )
        self._show()

    def _show(self) -> None:
        if self.plot is not None:
            self.plot.setVisible(not self.shows_table)
        if self._course is not None:
            self.show_course(self._course)


class Measured(QWidget):
    """Four small curves, side by side where there is room."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.rate = Small(theme, phrase("training.learning_rate"))
        self.norm = Small(theme, phrase("training.gradient_norm"))
        self.speed = Small(theme, "tok/s", from_zero=True)
        self.memory = Small(theme, phrase("common.memory"), from_zero=True)
        self._all = (self.rate, self.norm, self.speed, self.memory)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(12)
        self._columns = 0
        self._lay_out(2)

    def show_course(self, course: Course) -> None:
        step = course.standing.step
        if step is None:
            return
        is_graphics = course.asked is not None and course.asked.device == "cuda"
        self.memory.name.setText(phrase("training.gpu_memory") if is_graphics else phrase("common.memory"))
        self.rate.show_points(course.rate, words.rate(step.learning_rate), step.total)
        self.norm.show_points(course.norm, f"{step.gradient_norm:.2f}", step.total)
        self.speed.show_points(course.speed, f"{step.tokens_per_s:,.0f}", step.total)
        self.memory.show_points(course.memory, words.gigabytes(step.memory_bytes), step.total)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out(4 if self.width() >= 4 * self._theme.px(SMALL_PX) else 2)

    def _lay_out(self, columns: int) -> None:
        if columns != self._columns:
            self._columns = columns
            for number, small in enumerate(self._all):
                self._grid.addWidget(small, number // columns, number % columns)


class _Key(QWidget):
    """One line of the legend."""

    def __init__(self, theme: Theme, name: str, token: str, *, is_dashed: bool = False) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(_Swatch(theme, token, is_dashed=is_dashed))
        row.addWidget(Label(name, "caption", "text2"))


class _Swatch(QWidget):
    def __init__(self, theme: Theme, token: str, *, is_dashed: bool) -> None:
        super().__init__()
        self._theme, self._token, self._is_dashed = theme, token, is_dashed
        self.setFixedSize(theme.px(SWATCH_PX), theme.px(12))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(self._theme.color(self._token), 2)
        middle = QPointF(self.width() / 2, self.height() / 2)
        if self._is_dashed:
            pen.setDashPattern([3, 2])  # in widths: 6 and 4 pixels
        painter.setPen(pen)
        painter.drawLine(QPointF(0, middle.y()), QPointF(self.width(), middle.y()))
        if self._is_dashed:
            painter.setPen(QPen(self._theme.color(self._token), 1.5))
            painter.setBrush(self._theme.color("base"))
            painter.drawRect(round(middle.x()) - 3, round(middle.y()) - 3, 7, 7)
