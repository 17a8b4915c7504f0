"""The rows of the conversation list as they are drawn, and the field in which they are renamed."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base import confidentiality
from app.base.wording import phrase
from app.chat.ui.conversations.conversation_list import (
    ConversationList,
    DraftRole,
    FactsRole,
    FolderRole,
    IsOpenRole,
    Row,
    TimeRole,
)
from app.uikit import confidentiality_guard
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows

INDENT_PX = 14  # of conversations under the heading of their folder

Index = QModelIndex | QPersistentModelIndex


class ConversationDelegate(QStyledItemDelegate):
    """The open conversation has the soft ground, the bar and weight 600. Of several chosen ones each has a tick."""

    def __init__(self, theme: Theme, model: ConversationList, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = model
        self.has_several = False  # several rows are chosen
        self.target: int | None = None  # the folder that is dragged to
        self._set_sizes()
        theme.changed.connect(self._set_sizes)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        row = self._model.row(index.row())  # asked for each row of thousands
        if row.conversation is not None:
            return self._row_size
        return self._heading_size if row.folder is None else self._folder_size

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        row = self._model.row(index.row())
        area: QRect = option.rect.adjusted(8, 0, -8, 0)
        if row.conversation is not None:
            self._paint_conversation(painter, option, area, index, row)
        elif row.folder is not None:
            self._paint_folder(painter, option, area, index, row)
        else:
            area.adjust(10, self._theme.px(10), 0, 0)
            list_rows.draw_text(painter, self._theme, area, row.text, "caption", "muted")
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: ARG002
        editor = QLineEdit(index.data(), parent)
        is_folder = index.data(FolderRole) is not None
        editor.setAccessibleName(
            phrase("chat.name_of_the_folder") if is_folder else phrase("chat.name_of_the_conversation")
        )
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Leave the field as it is. Qt asks again at each change of a row: a new text would undo what is being typed.

        The field had its text from the beginning, and the row gets no other before the renaming ends.
        """

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: ARG002
        area: QRect = option.rect
        height = max(area.height() - 2, editor.minimumSizeHint().height())
        editor.setGeometry(8, area.center().y() - height // 2, area.width() - 16, height)

    def _set_sizes(self) -> None:
        self._row_size = QSize(0, self._theme.metric("row_conversation"))
        self._heading_size = QSize(0, self._theme.px(32))
        self._folder_size = QSize(0, self._theme.metric("row_list"))

    def _paint_folder(
        self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, index: Index, row: Row
    ) -> None:
        theme = self._theme
        assert row.folder is not None
        if row.folder.id == self.target:
            list_rows.draw_soft(painter, theme, area)
        is_open = bool(index.data(IsOpenRole))
        list_rows.draw_ground(painter, theme, area, is_chosen=is_open, option=option)
        size = theme.px(14)
        icon = theme.icon("chevron-right" if row.is_folded else "chevron-down", "text2", 14)
        icon.paint(painter, QRect(area.left() + 6, area.top(), size, area.height()))
        count = str(row.count)
        count_width = QFontMetrics(theme.font("caption")).horizontalAdvance(count)
        place = QRect(area.right() - 8 - count_width, area.top(), count_width + 1, area.height())
        list_rows.draw_text(painter, theme, place, count, "caption", "muted")
        words = area.adjusted(6 + size + theme.px(6), 0, -(count_width + 16), 0)
        list_rows.draw_text(painter, theme, words, row.text, "ui", "text2", weight=600)

    def _paint_conversation(
        self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, index: Index, row: Row
    ) -> None:
        theme = self._theme
        is_open = bool(index.data(IsOpenRole))
        is_ticked = self.has_several and bool(option.state & QStyle.StateFlag.State_Selected)
        if is_ticked:
            list_rows.draw_soft(painter, theme, area)
        list_rows.draw_ground(painter, theme, area, is_chosen=is_open and not self.has_several, option=option)
        indent = theme.px(INDENT_PX) if row.place == "folder" else 0
        text = area.adjusted(10 + indent, theme.px(4), -8, -theme.px(4))
        if is_ticked:
            text.setRight(_draw_icon(painter, theme, area.adjusted(0, 0, -8, 0), "check", "accent", 16))
        title = QRect(text.left(), text.top(), text.width(), theme.line_height("ui"))
        time = QRect(text.left(), title.bottom() + 1, text.width(), theme.line_height("caption"))
        if row.conversation is not None and row.conversation.pinned_at is not None:
            title.setRight(_draw_icon(painter, theme, title, "pin", "text2", 12))
        list_rows.draw_text(painter, theme, title, row.text, "ui", "text", weight=600 if is_open else 400)
        tone = "text2" if is_open or is_ticked else "muted"
        draft = index.data(DraftRole)
        if draft:
            width = list_rows.draw_text(painter, theme, time, draft, "caption", "accent", weight=600)
            time.setLeft(time.left() + width + theme.px(8))
        self._paint_facts(painter, time, index, tone)

    def _paint_facts(self, painter: QPainter, area: QRect, index: Index, tone: str) -> None:
        time, label, folder = index.data(FactsRole)
        if label != confidentiality.HIGHEST_LABEL:
            list_rows.draw_text(painter, self._theme, area, index.data(TimeRole), "caption", tone)
            return
        gap = self._theme.px(8)
        area.setLeft(area.left() + list_rows.draw_text(painter, self._theme, area, time, "caption", tone) + gap)
        area.setLeft(area.left() + confidentiality_guard.draw_label(painter, self._theme, area, label, tone) + gap)
        list_rows.draw_text(painter, self._theme, area, folder, "caption", tone)


def _draw_icon(painter: QPainter, theme: Theme, area: QRect, name: str, token: str, size: int) -> int:
    """At the right of `area`. Gives where the room left of it ends."""
    width = theme.px(size)
    theme.icon(name, token, size).paint(painter, QRect(area.right() - width, area.top(), width, area.height()))
    return area.right() - width - theme.px(6)
