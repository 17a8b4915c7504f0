"""問いごとの結果: the questions at the left, and the one that is chosen at the right, or below where room is short."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from app.evaluation.report.result_shown import QuestionShown, ResultShown
from app.evaluation.ui.result.question_detail import QuestionDetail
from app.evaluation.ui.result.question_list import QuestionRole, Questions, QuestionView
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import Label, tip
from app.uikit.widgets.scroll import scrolled

MARGIN_PX, WIDE_PX, LIST_PX, LIST_LOW_PX, DETAIL_LEAST_PX, NAME_CHARACTERS = 24, 700, 320, 150, 160, 16


class QuestionsTab(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._found: ResultShown | None = None
        self._question_id = ""
        self.questions = Questions()
        self.view = QuestionView(theme, self.questions)
        self.categories = QComboBox()
        self.categories.setAccessibleName(self.tr("分野"))
        self.categories.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.spread_button = Button(theme, self.tr("差が大きい順"))
        self.spread_button.setCheckable(True)
        self.count = Label(role="caption", tone="text2", wraps=True)
        self.legend = Label(role="caption", tone="text2", wraps=True)
        self.detail = QuestionDetail(theme)
        self._area = scrolled(self.detail)
        self._left = QWidget()
        self._inside = QWidget()
        self._content = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._inside)
        self._build()
        self.categories.activated.connect(self._on_category_chosen)
        self.spread_button.toggled.connect(self._on_order_chosen)
        self.view.selectionModel().currentChanged.connect(lambda *_: self._show_current())
        theme.changed.connect(self._turn)

    def show_result(self, found: ResultShown) -> None:
        self._found, self._question_id = found, ""
        self.questions.show_result(found)
        names = list(dict.fromkeys(one.question.category for one in found.questions))
        self.categories.clear()
        self.categories.addItem(self.tr("すべての分野"), None)
        for name in names:
            self.categories.addItem(_short(name or self.tr("（分野なし）")), name)
            self.categories.setItemData(self.categories.count() - 1, tip(name), Qt.ItemDataRole.ToolTipRole)
        self.categories.setVisible(len(names) > 1)
        self.spread_button.setVisible(len(found.systems) > 1)
        order = " / ".join(one.system.name for one in found.systems)
        self.legend.setText(self.tr("数字は左から：{names}").format(names=order))
        self.legend.setVisible(bool(found.measure) and len(found.systems) > 1)
        self._choose()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    @property
    def current(self) -> QuestionShown | None:
        found: QuestionShown | None = self.view.currentIndex().data(QuestionRole)
        return found

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        left = QVBoxLayout(self._left)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.spread_button)
        row.addWidget(self.count, 1)
        left.addWidget(self.categories)
        left.addLayout(row)
        left.addWidget(self.legend)
        left.addWidget(self.view, 1)
        self._content.setContentsMargins(MARGIN_PX, 14, MARGIN_PX, 14)
        self._content.setSpacing(16)
        self._content.addWidget(self._left)
        self._content.addWidget(self._area, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scrolled(self._inside))  # where not even both have room

    def _turn(self) -> None:
        px = self._theme.px
        is_row = self.width() >= px(WIDE_PX)
        directions = QBoxLayout.Direction
        self._content.setDirection(directions.LeftToRight if is_row else directions.TopToBottom)
        self._left.setMaximumWidth(px(LIST_PX) if is_row else 16777215)
        self._left.setMinimumWidth(px(LIST_PX) if is_row else 0)
        self.view.setMinimumHeight(px(LIST_LOW_PX) * 3 // 4)
        self._area.setMinimumHeight(px(DETAIL_LEAST_PX))
        self.view.setMaximumHeight(16777215 if is_row else px(LIST_LOW_PX))

    def _on_category_chosen(self) -> None:
        self.questions.category = self.categories.currentData()
        self.questions.refilter()
        self._choose()

    def _on_order_chosen(self, is_by_spread: bool) -> None:
        """What differs most is what one wants to see then."""
        self.questions.is_by_spread = is_by_spread
        self.questions.refilter()
        self._question_id = "" if is_by_spread else self._question_id
        self._choose()

    def _choose(self) -> None:
        """The one that was shown, where it is still there; else the first."""
        shown, total = self.questions.rowCount(), self.questions.total
        told = self.tr("{n} 問") if shown == total else self.tr("{n}／{total} 問")
        self.count.setText(told.format(n=f"{shown:,}", total=f"{total:,}"))
        row = max(0, self.questions.row_of(self._question_id))
        index = self.questions.index(row)
        if index != self.view.currentIndex():
            self.view.setCurrentIndex(index)  # which shows it
        else:
            self._show_current()
        self.view.scrollTo(index)

    def _show_current(self) -> None:
        if self._found is None:
            return
        one = self.current
        if one is not None:
            self._question_id = one.question.id
        self.detail.show_question(one, self._found)
        self._area.verticalScrollBar().setValue(0)


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else name[:NAME_CHARACTERS] + "…"
