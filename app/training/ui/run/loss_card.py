"""Show the losses (損失) as a plot with its legend or as a table, and below them other measurements as sparklines.

The table has a row for each evaluation and for a selection of the steps.
"""

import importlib
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPointF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHeaderView,
    QSizePolicy,
    QTreeView,
    QWidget,
)

from app.base.plots import CurvePoints
from app.base.wording import phrase
from app.training.runs.run_progress import RunProgress
from app.training.ui import run_texts
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import Label
from trainer.events import EvaluationStep, TrainingStep

if TYPE_CHECKING:
    from app.training.ui.run.loss_plot import LossPlot


HEIGHT_PX = 40


class Sparkline(QFrame):
    def __init__(self, theme: Theme, name: str, *, from_zero: bool = False) -> None:
        """`from_zero`: the lower edge is 0, so that a nearly constant value looks constant."""
        super().__init__()
        self.setProperty("surface", "card")
        self.name = Label(name, "caption", "text2")
        self.value = Label(role="caption", strong=True)
        self._line = _SparklineCurve(theme, from_zero=from_zero)
        self._line.setAccessibleName(name)
        head = make_row((self.name, 1), self.value)
        make_column(head, self._line, into=self, margins_px=(10, 8, 10, 8), spacing_px=6)

    def show_points(self, points: CurvePoints, value: str, total: int) -> None:
        """Show points. `total`: the number of steps at the right edge."""
        self.value.setText(value)
        self._line.setAccessibleDescription(value)
        self._line.show_points(points, total)


class _SparklineCurve(QWidget):
    def __init__(self, theme: Theme, *, from_zero: bool) -> None:
        super().__init__()
        self._theme = theme
        self._from_zero = from_zero
        self._points: CurvePoints = ()
        self._total = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._resize)
        self._resize()

    def show_points(self, points: CurvePoints, total: int) -> None:
        self._points, self._total = points, max(1, total)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, height = self.width() - 2.0, self.height() - 6.0
        painter.setPen(QPen(self._theme.color("line"), 1))
        painter.drawLine(QPointF(0, self.height() - 1.0), QPointF(self.width(), self.height() - 1.0))
        if not self._points:
            return
        low, high = min(y for _x, y in self._points), max(y for _x, y in self._points)
        low = 0.0 if self._from_zero else low
        span = high - low
        places = [
            QPointF(1 + width * x / self._total, 2 + (height * (high - y) / span if span else height / 2))
            for x, y in self._points
        ]
        painter.setPen(QPen(self._theme.color("chart1"), 1.5, Qt.PenStyle.SolidLine))
        painter.drawPolyline(QPolygonF(places))

    def _resize(self) -> None:
        self.setFixedHeight(self._theme.px(HEIGHT_PX))


Index = QModelIndex | QPersistentModelIndex
Row = tuple[int, TrainingStep | None, EvaluationStep | None]

MOST_STEPS = 500  # listed steps: more are unreadable, and a view of ten thousand rows blocks the window


class StepTableModel(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._best = -1

    def show_course(self, course: RunProgress) -> None:
        """Show a run. If rows were only added, selection and scroll position stay."""
        rows, best = _rows(course), course.standing.best
        old = self._rows
        self._best = best.step if best else -1
        if len(rows) >= len(old) and rows[: len(old)] == old:
            if len(rows) > len(old):
                self.beginInsertRows(QModelIndex(), len(old), len(rows) - 1)
                self._rows = rows
                self.endInsertRows()
        else:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self.titles())

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | int | None:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.titles()[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def titles(self) -> list[str]:
        return [
            phrase("training.step"), phrase("training.training_loss"), phrase("training.validation_loss"),
            phrase("training.learning_rate"), phrase("training.gradient_norm"), "tok/s", phrase("common.memory"),
        ]  # fmt: skip

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(self._rows[index.row()], index.column())
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _cell(self, row: Row, column: int) -> str:
        number, step, evaluation = row
        if column == 0:
            return f"{number:,}"
        if column == 2:
            is_best = number == self._best
            return (
                with_note(run_texts.format_loss(evaluation.loss), phrase("training.best") if is_best else "")
                if evaluation
                else ""
            )
        if step is None:
            return ""
        return {
            1: run_texts.format_loss(step.loss),
            3: run_texts.format_learning_rate(step.learning_rate),
            4: f"{step.gradient_norm:.2f}",
            5: f"{step.tokens_per_s:,.0f}",
            6: run_texts.format_gigabytes(step.memory_bytes),
        }[column]


class StepTableView(QTreeView):
    def __init__(self, theme: Theme, table: StepTableModel) -> None:
        super().__init__()
        self._theme = theme
        self.setModel(table)
        self.setProperty("framed", True)
        self.setAccessibleName(phrase("training.table_of_losses_and_measurements"))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.header().setSectionsMovable(False)
        theme.changed.connect(self._resize)
        self._resize()

    def _resize(self) -> None:
        self.setMinimumHeight(self._theme.px(300))
        self.header().setMinimumSectionSize(self._theme.px(76))


def listing_stride(steps: int) -> int:
    """Return n to list every n-th step: a power of two, so that more steps seldom change it."""
    made = 1
    while steps // made > MOST_STEPS:
        made *= 2
    return made


def _rows(course: RunProgress) -> list[Row]:
    """Return a row for each evaluation and each listed step."""
    evaluated = {one.step: one for one in course.evaluations}
    stride = listing_stride(len(course.steps))
    listed = [one for one in course.steps if one.step % stride == 0 or one.step in evaluated]
    rows: list[Row] = [(one.step, one, evaluated.pop(one.step, None)) for one in listed]
    return sorted([*rows, *((step, None, one) for step, one in evaluated.items())], key=lambda row: row[0])


SWATCH_PX = 30
BETWEEN_MS = 20
SMALL_PX = 150  # the least width of a sparkline


class LossCard(QFrame):
    """A card of the losses. It loads pyqtgraph when there is a first value to plot."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("surface", "card")
        self.plot: LossPlot | None = None
        self._is_loading = False
        self._course: RunProgress | None = None
        self.table = StepTableModel()
        self.view: StepTableView | None = None  # built at its first use
        self.note = Label(phrase("training.waiting_for_the_first_value"), tone="muted", wraps=True)
        self.sparse = Label(role="caption", tone="text2", wraps=True)
        self.sparse.hide()
        self.legend = FlowBox(
            _LegendEntry(theme, phrase("training.training_smoothed"), "chart1"),
            _LegendEntry(theme, phrase("training.validation_2"), "chart2", is_dashed=True),
        )
        self.table_button = Button(theme, phrase("training.show_as_a_table"), compact=True)
        head = make_row(
            (Label(phrase("training.loss_nll_of_the_reference"), "heading3", wraps=True), 1),
            (self.table_button, 0, Qt.AlignmentFlag.AlignTop),
            spacing_px=12,
        )
        self._column = make_column(
            head,
            self.legend,
            self.sparse,
            (self.note, 1, Qt.AlignmentFlag.AlignTop),
            into=self,
            margins_px=(18, 14, 18, 14),
            spacing_px=10,
        )
        self.table_button.clicked.connect(self._toggle_table)

    @property
    def shows_table(self) -> bool:
        return self.view is not None and not self.view.isHidden()

    def show_course(self, course: RunProgress) -> None:
        self._course = course
        has_values = bool(course.raw or course.validation)
        self.legend.setVisible(has_values and not self.shows_table)
        self.table_button.setVisible(has_values)
        stride = listing_stride(len(course.steps))
        self.sparse.setVisible(self.shows_table and stride > 1)
        if self.shows_table:
            self.sparse.setText(phrase("training.one_step_in_n_and", n=stride))
            self.table.show_course(course)
        elif self.plot is not None and self.note.isHidden():
            self.plot.show_course(course)
        elif has_values and not self._is_loading:
            self._is_loading = True
            # Load, build and show in separate rounds of the event loop: each takes tens of milliseconds.
            QTimer.singleShot(BETWEEN_MS, self, self._load)

    # ------------------------------------------------------------------- private

    def _load(self) -> None:
        """Import the plot's module in this thread, the only one that may make Qt's classes.

        Usually `ModulePreloader` has already imported it.
        """
        module = importlib.import_module("app.training.ui.run.loss_plot")
        QTimer.singleShot(BETWEEN_MS, self, lambda: self._build_plot(module))

    def _build_plot(self, module: Any) -> None:
        plot = self.plot = module.LossPlot(self._theme)
        QTimer.singleShot(BETWEEN_MS, self, lambda: self._on_built(plot))

    def _on_built(self, plot: "LossPlot") -> None:
        self.note.hide()
        self._column.addWidget(plot, 1)
        self._show()

    def _toggle_table(self) -> None:
        if self.view is None:
            self.view = StepTableView(self._theme, self.table)
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


class StepMetrics(QWidget):
    """Four sparklines, side by side if there is space."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.rate = Sparkline(theme, phrase("training.learning_rate"))
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
        is_graphics = course.asked is not None and course.asked.device == "cuda"
        self.memory.name.setText(phrase("training.gpu_memory") if is_graphics else phrase("common.memory"))
        self.rate.show_points(course.rate, run_texts.format_learning_rate(step.learning_rate), step.total)
        self.norm.show_points(course.norm, f"{step.gradient_norm:.2f}", step.total)
        self.speed.show_points(course.speed, f"{step.tokens_per_s:,.0f}", step.total)
        self.memory.show_points(course.memory, run_texts.format_gigabytes(step.memory_bytes), step.total)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out(4 if self.width() >= 4 * self._theme.px(SMALL_PX) else 2)

    def _lay_out(self, columns: int) -> None:
        if columns != self._columns:
            self._columns = columns
            for number, small in enumerate(self._all):
                self._grid.addWidget(small, number // columns, number % columns)


class _LegendEntry(QWidget):
    """An entry of the legend."""

    def __init__(self, theme: Theme, name: str, token: str, *, is_dashed: bool = False) -> None:
        super().__init__()
        make_row(
            _LineSample(theme, token, is_dashed=is_dashed),
            Label(name, "caption", "text2"),
            into=self,
            margins_px=(0, 0, 12, 0),
            spacing_px=8,
        )


class _LineSample(QWidget):
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
            pen.setDashPattern([3, 2])  # in pen widths: 6 and 4 pixels
        painter.setPen(pen)
        painter.drawLine(QPointF(0, middle.y()), QPointF(self.width(), middle.y()))
        if self._is_dashed:
            painter.setPen(QPen(self._theme.color(self._token), 1.5))
            painter.setBrush(self._theme.color("base"))
            painter.drawRect(round(middle.x()) - 3, round(middle.y()) - 3, 7, 7)
