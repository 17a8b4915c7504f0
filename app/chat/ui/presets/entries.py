"""The presets of conversations and the quick actions, as one list under two headings, and how its rows look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base.wording import phrase
from app.chat.presets import Preset
from app.chat.ui.presets import words
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows

EntryRole = Qt.ItemDataRole.UserRole + 1
MARGIN_PX = 16

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Entry:
    """A preset, or a heading (None)."""

    title: str
    preset: Preset | None = None
    is_default: bool = False  # new conversations get it
    is_changed: bool = False  # came with Kotae and is otherwise now


class PresetList(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Entry] = []

    def set_entries(self, chat: Sequence[Entry], actions: Sequence[Entry]) -> None:
        self.beginResetModel()
        self._entries = [
            Entry(phrase("chat.presets_of_conversations")), *chat,
            Entry(phrase("chat.quick_actions_below_answers")), *actions,
        ]  # fmt: skip
        self.endResetModel()

    def entry(self, index: Index) -> Entry | None:
        return self._entries[index.row()] if index.isValid() else None

    def index_of(self, preset_id: str, near: int = 0) -> QModelIndex:
        """The row of that preset, else the preset that is nearest to the row `near`."""
        presets = {row: entry.preset for row, entry in enumerate(self._entries) if entry.preset is not None}
        same = (row for row, preset in presets.items() if preset.id == preset_id)
        return self.index(next(same, min(presets, key=lambda row: abs(row - near))))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self._entries[index.row()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return join_facts(entry.title, self.note(entry), self.summary(entry))
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        return entry if role == EntryRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self._entries[index.row()].preset is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def note(self, entry: Entry) -> str:
        return phrase("chat.used_for_new_conversations") if entry.is_default else ""

    def summary(self, entry: Entry) -> str:
        if entry.preset is None:
            return ""
        changed = phrase("chat.changed_2") if entry.is_changed else ""
        return join_facts(changed, words.summary(entry.preset))


class PresetDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        if index.data(EntryRole).preset is None:
            return QSize(0, theme.px(32))
        return QSize(0, theme.line_height("ui") + theme.line_height("caption") + theme.px(18))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: Entry = index.data(EntryRole)
        theme, area = self._theme, QRect(option.rect)
        painter.save()
        if entry.preset is None:
            painter.fillRect(area, theme.color("raised"))
            line = area.adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
            list_rows.draw_text(painter, theme, line, entry.title, "caption", "text2", weight=600)
        else:
            self._paint_preset(painter, option, index, entry)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_preset(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, entry: Entry) -> None:
        theme, area = self._theme, QRect(option.rect)
        model = index.model()
        assert isinstance(model, PresetList)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        left, right, top = area.left() + MARGIN_PX, area.right() - MARGIN_PX, area.top() + theme.px(8)
        end = right
        if note := model.note(entry):
            end = list_rows.draw_badge(painter, theme, right, top, note, "accent", "circle-check") - theme.px(12)
        name = QRect(left, top, end - left, theme.line_height("ui"))
        list_rows.draw_text(painter, theme, name, entry.title, "ui", "text", weight=600)
        line = QRect(left, name.bottom() + 1 + theme.px(1), right - left, theme.line_height("caption"))
        list_rows.draw_text(painter, theme, line, model.summary(entry), "caption", "text2" if is_chosen else "muted")
