"""How a model looks in the list: name, badge, one sentence, facts."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base.wording import phrase
from app.models.ui import remote_words, words
from app.models.ui.entries import Entry, EntryRole
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows

Index = QModelIndex | QPersistentModelIndex

MARGIN_PX = 16
DOWNLOAD_PX = 52  # of the progress below the words; its widget lies over the entry


class ModelDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        entry: Entry = index.data(EntryRole)
        if not entry.key:
            return QSize(0, self._theme.px(32))
        height = 2 * self._theme.line_height("ui") + self._theme.line_height("caption") + self._theme.px(26)
        return QSize(0, height + (self._theme.px(DOWNLOAD_PX) if entry.download else 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: Entry = index.data(EntryRole)
        theme = self._theme
        painter.save()
        area: QRect = option.rect
        if entry.key:
            self._paint_entry(painter, option, area, entry)
        else:
            painter.fillRect(area, theme.color("raised"))
            words_area = area.adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
            list_rows.draw_text(painter, theme, words_area, entry.title, "caption", "text2", weight=600)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_entry(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, entry: Entry) -> None:
        theme = self._theme
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        left, right = area.left() + MARGIN_PX, area.right() - MARGIN_PX
        top = area.top() + theme.px(12)
        free = self._paint_badges(painter, entry, right, top)
        lines = (
            (entry.title, "ui", "text", 600, free - theme.px(12)),
            (_sentence(entry), "ui", "text2", 400, right),
            (self._facts(entry), "caption", "text2" if is_chosen else "muted", 400, right),
        )
        for text, role, tone, weight, end in lines:
            line = QRect(left, top, end - left, theme.line_height(role))
            list_rows.draw_text(painter, theme, line, text, role, tone, weight=weight)
            top = line.bottom() + 1 + theme.px(1)

    def _paint_badges(self, painter: QPainter, entry: Entry, right: int, top: int) -> int:
        """From right to left; returns where the room for the name ends."""
        theme = self._theme
        if entry.usual is not None:
            tone, icon = words.fit_badge(entry.usual)
            right = list_rows.draw_badge(painter, theme, right, top, words.fit_word(entry.usual), tone, icon) - 6
        if entry.is_used:
            right = list_rows.draw_badge(painter, theme, right, top, phrase("models.in_use"), "accent") - 6
        if entry.is_tuned:
            right = (
                list_rows.draw_badge(painter, theme, right, top, phrase("common.tuned"), "accent", "graduation-cap") - 6
            )
        return right

    def _facts(self, entry: Entry) -> str:
        if entry.model is not None:
            return remote_words.facts(entry.model) if entry.is_remote else words.model_facts(entry.model)
        if entry.card is not None and entry.download is not None:
            return join_facts(words.card_facts(entry.card), entry.download.quantization)
        return words.card_facts(entry.card) if entry.card else ""


def _sentence(entry: Entry) -> str:
    """What would fit, where the model does not; else what it is good for."""
    if entry.usual is not None and entry.usual.verdict == "insufficient":
        way = words.other_way(entry.usual)
        return way or words.reason(entry.usual)
    if entry.model is not None and entry.model.tuned is not None:
        return words.trained_on(entry.model.tuned)
    if entry.card is not None:
        return entry.card.summary
    if entry.model is not None and entry.model.remote is not None:
        return entry.model.remote.address
    return entry.model.path if entry.model else ""
