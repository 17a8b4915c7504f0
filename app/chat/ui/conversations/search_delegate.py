"""How a result looks: title and date, below them one line of the message with the words in bold on their ground."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base.search_text import Snippet
from app.chat.ui.conversations.search_results import ResultList
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows

Index = QModelIndex | QPersistentModelIndex

MARGIN_PX = 14
GAP_PX = 12


class ResultDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, model: ResultList, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        return QSize(0, theme.line_height("ui") * 2 + theme.px(22))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._theme
        result = self._model.result(index.row())
        state: QStyle.StateFlag = option.state
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        area: QRect = option.rect
        painter.save()
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        inner = area.adjusted(theme.px(MARGIN_PX), theme.px(9), -theme.px(MARGIN_PX), 0)
        height = theme.line_height("ui")
        quiet = "text2" if is_chosen else "muted"
        self._paint_line(
            painter, QRect(inner.topLeft(), QSize(inner.width(), height)), result.title, "", result.date, 600, quiet
        )
        inner.translate(0, height + theme.px(3))
        second = QRect(inner.topLeft(), QSize(inner.width(), height))
        self._paint_line(painter, second, result.line, result.kind, result.more, 400, quiet)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_line(
        self, painter: QPainter, area: QRect, snippet: Snippet, before: str, after: str, weight: int, quiet: str
    ) -> None:
        """A line of text with a quiet word before it and one at the right edge."""
        theme = self._theme
        gap = theme.px(GAP_PX)
        small = QFontMetrics(theme.font("caption"))
        left, right = area.left(), area.right() + 1
        if after:
            right -= small.horizontalAdvance(after) + 1  # the width is rounded
            room = QRect(right, area.top(), area.right() + 1 - right, area.height())
            list_rows.draw_text(painter, theme, room, after, "caption", quiet)
            right -= gap
        if before:
            room = QRect(left, area.top(), right - left, area.height())
            left += list_rows.draw_text(painter, theme, room, before, "caption", quiet) + theme.px(8)
        tone = "text" if weight == 600 else "text2"
        self._paint_snippet(painter, QRect(left, area.top(), right - left, area.height()), snippet, weight, tone)

    def _paint_snippet(self, painter: QPainter, area: QRect, snippet: Snippet, weight: int, tone: str) -> None:
        """From left to right until the room ends, there with …"""
        theme = self._theme
        left = area.left()
        for words, is_hit in pieces(snippet):
            font = theme.font("ui", 600 if is_hit else weight)
            metrics = QFontMetrics(font)
            room = area.right() + 1 - left
            shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room)
            width = metrics.horizontalAdvance(shown)
            place = QRect(left, area.top(), width, area.height())
            if is_hit:
                painter.fillRect(place.adjusted(0, theme.px(1), 0, -theme.px(1)), theme.color("cite"))
            painter.setFont(font)
            painter.setPen(theme.color("text" if is_hit else tone))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine), shown)
            left += width
            if shown != words:
                break


def pieces(snippet: Snippet) -> list[tuple[str, bool]]:
    """The text cut at its marks: (words, whether they are marked)."""
    found: list[tuple[str, bool]] = []
    at = 0
    for start, end in (*snippet.marks, (len(snippet.text), len(snippet.text))):
        found += [(snippet.text[at:start], False), (snippet.text[start:end], True)]
        at = end
    return [piece for piece in found if piece[0]]
