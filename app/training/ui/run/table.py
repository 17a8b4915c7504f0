"""The curves in numbers: a row for each step that has told something."""

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QTreeView

from app.base.wording import phrase
from app.training.runs.course import Course
from app.training.ui.run import words
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from trainer.events import EvaluationStep, TrainingStep

Index = QModelIndex | QPersistentModelIndex
Row = tuple[int, TrainingStep | None, EvaluationStep | None]

MOST_STEPS = 500  # that are listed: nobody reads more, and a view of ten thousand rows holds the window up


class StepTable(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._best = -1

    def show_course(self, course: Course) -> None:
        """Where nothing but more is told, what is chosen and how far it is scrolled stays."""
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
                with_note(words.loss(evaluation.loss), phrase("training.best") if is_best else "") if evaluation else ""
            )
        if step is None:
            return ""
        return {
            1: words.loss(step.loss),
            3: words.rate(step.learning_rate),
            4: f"{step.gradient_norm:.2f}",
            5: f"{step.tokens_per_s:,.0f}",
            6: words.gigabytes(step.memory_bytes),
        }[column]


class StepView(QTreeView):
    def __init__(self, theme: Theme, table: StepTable) -> None:
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


def stride(steps: int) -> int:
    """Of how many steps one is listed: a power of two, so that more steps seldom change it."""
    made = 1
    while steps // made > MOST_STEPS:
        made *= 2
    return made


def _rows(course: Course) -> list[Row]:
    """All that was evaluated, and of the steps besides as many as are listed."""
    evaluated = {one.step: one for one in course.evaluations}
    apart = stride(len(course.steps))
    listed = [one for one in course.steps if one.step % apart == 0 or one.step in evaluated]
    rows: list[Row] = [(one.step, one, evaluated.pop(one.step, None)) for one in listed]
    return sorted([*rows, *((step, None, one) for step, one in evaluated.items())], key=lambda row: row[0])
