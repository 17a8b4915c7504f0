"""The questions as a list: each with what every system scored on it."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.evaluation.report.result_shown import QuestionShown, ResultShown
from app.evaluation.ui.result import words
from app.uikit.language import joined
from app.uikit.theme import Theme
from app.uikit.widgets import rows
from app.uikit.widgets.labels import tip

SIDE_PX, TOP_PX = 12, 6

QuestionRole = Qt.ItemDataRole.UserRole + 1
FactsRole = Qt.ItemDataRole.UserRole + 2

Index = QModelIndex | QPersistentModelIndex


class Questions(QAbstractListModel):
    """Those of a category, in their order or by how far the systems lie apart."""

    def __init__(self) -> None:
        super().__init__()
        self._all: Sequence[QuestionShown] = ()
        self._systems: Sequence[str] = ()  # their names
        self._shown: list[QuestionShown] = []
        self.category: str | None = None  # None: all
        self.is_by_spread = False

    def show_result(self, found: ResultShown) -> None:
        self._all, self.category = found.questions, None
        self._systems = [one.system.name for one in found.systems]
        self.refilter()

    def refilter(self) -> None:
        """After `category` or `is_by_spread` was set."""
        self.beginResetModel()
        self._shown = [one for one in self._all if self.category in (None, one.question.category)]
        if self.is_by_spread:
            self._shown.sort(key=lambda one: -one.spread)  # stable: equal ones keep their order
        self.endResetModel()

    def row_of(self, question_id: str) -> int:
        """-1: it is not among those that are shown."""
        return next((at for at, one in enumerate(self._shown) if one.question.id == question_id), -1)

    @property
    def total(self) -> int:
        return len(self._all)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return one.question.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(joined(one.question.text, *self._named(one)))
        if role == FactsRole:
            return self._facts(one)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return joined(one.question.text, *self._named(one), one.question.category)
        return one if role == QuestionRole else None

    def _facts(self, one: QuestionShown) -> str:
        """In the order of the systems."""
        scores = " / ".join(map(words.points_of, one.means))
        return joined(scores, one.question.category)

    def _named(self, one: QuestionShown) -> list[str]:
        """What each system scored, with its name."""
        scores = zip(self._systems, one.means, strict=True)
        return [f"{name}\u00a0{words.points_of(mean)}" for name, mean in scores]


class QuestionDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        return QSize(0, theme.line_height("ui") + theme.line_height("caption") + 2 * theme.px(TOP_PX) + 1)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme, area = self._theme, QRect(option.rect)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        side = theme.px(SIDE_PX)
        line = QRect(
            area.left() + side, area.top() + theme.px(TOP_PX), area.width() - 2 * side, theme.line_height("ui")
        )
        rows.draw_text(painter, theme, line, index.data(), "ui", "text", weight=600 if is_chosen else 400)
        second = QRect(line.left(), line.bottom() + 1, line.width(), theme.line_height("caption"))
        tone = "text2" if is_chosen else "muted"
        rows.draw_text(painter, theme, second, index.data(FactsRole), "caption", tone)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()


class QuestionView(QListView):
    def __init__(self, theme: Theme, questions: Questions) -> None:
        super().__init__()
        questions.setParent(self)
        self.setModel(questions)
        self.setItemDelegate(QuestionDelegate(theme, self))
        self.setProperty("framed", True)
        self.setAccessibleName(self.tr("問いの一覧"))
        self.setUniformItemSizes(True)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        theme.changed.connect(self.doItemsLayout)
