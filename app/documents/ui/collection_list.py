"""Show the list of collections with name, label, number of documents and problems, and the menus of the page 資料."""

import functools
from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QActionGroup, QFontMetrics, QKeySequence, QPainter
from PySide6.QtWidgets import QMenu, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base.confidentiality import LABELS
from app.base.wording import phrase
from app.documents.records import DocumentCollection
from app.documents.ui import document_texts
from app.uikit import confidentiality_guard
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import escape_mnemonic
from app.uikit.widgets.list_rows import EntryListModel, EntryRole, EntryRow, NamedList

Index = QModelIndex | QPersistentModelIndex


def collection_row(one: DocumentCollection) -> EntryRow:
    """Return the row of a collection in the list. `CollectionDelegate` draws its facts."""
    label, facts = phrase(f"common.label.{one.label}"), [phrase("common.n_items", n=f"{one.documents:,}")]
    if one.unfinished:
        facts.append(phrase("documents.n_waiting_to_be_read", n=f"{one.unfinished:,}"))
    if one.troubled:
        facts.append(phrase("documents.n_need_attention", n=f"{one.troubled:,}"))
    return EntryRow(one.name, one.id, one, join_facts(label, *facts), label)


class CollectionDelegate(QStyledItemDelegate):
    """A delegate that paints name and number of documents above, the label and a sign for problems below."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.metric("row_conversation"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme = self._theme
        one: DocumentCollection = index.data(EntryRole)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        area: QRect = option.rect.adjusted(4, 1, -4, -1)
        list_rows.draw_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        inside = area.adjusted(10, theme.px(4), -10, -theme.px(4))
        above = QRect(inside.left(), inside.top(), inside.width(), theme.line_height("ui"))
        below = QRect(inside.left(), above.bottom() + 1, inside.width(), theme.line_height("caption"))
        tone = "text2" if is_chosen else "muted"
        count = f"{one.documents:,}"
        width = QFontMetrics(theme.font("caption")).horizontalAdvance(count) + 1
        list_rows.draw_text(
            painter, theme, QRect(above.right() - width, above.top(), width, above.height()), count, "caption", tone
        )
        name = above.adjusted(0, 0, -(width + theme.px(8)), 0)
        list_rows.draw_text(painter, theme, name, one.name, "ui", "text", weight=600 if is_chosen else 400)
        taken = confidentiality_guard.draw_label(painter, theme, below, one.label, tone)
        self._draw_sign(painter, one, below.adjusted(taken + theme.px(8), 0, 0, 0))
        painter.restore()

    def _draw_sign(self, painter: QPainter, one: DocumentCollection, area: QRect) -> None:
        sign = "waiting" if one.unfinished else "doubtful" if one.troubled else ""
        if sign:
            list_rows.draw_sign(
                painter, self._theme, area, *document_texts.STATES[sign], f"{one.unfinished or one.troubled:,}"
            )


class CollectionView(NamedList):
    def __init__(self, theme: Theme, model: EntryListModel) -> None:
        super().__init__(theme, model, phrase("documents.list_of_collections"))
        self.setItemDelegate(CollectionDelegate(theme, self))


class CollectionMenu(QMenu):
    """A menu with all actions of a collection, as the header of a narrow window has no room for the buttons."""

    files_requested = Signal()
    folder_requested = Signal()
    refresh_requested = Signal()
    read_all_requested = Signal()
    rename_requested = Signal()
    remove_requested = Signal()
    new_requested = Signal()
    sort_requested = Signal(int)  # column

    def __init__(self, theme: Theme, collection: DocumentCollection | None, titles: list[str], parent: QWidget) -> None:
        """`titles`: of the columns that the table can be sorted by."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        is_own = collection is not None and not collection.is_builtin
        if collection is None or is_own:
            self.addAction(theme.icon("file-text"), phrase("documents.add_files"), self.files_requested.emit)
            self.addAction(theme.icon("folder-plus"), phrase("documents.add_a_folder"), self.folder_requested.emit)
            self.addSeparator()
        if is_own:
            self.addAction(
                theme.icon("refresh-cw"), phrase("documents.take_in_changes_of_the"), self.refresh_requested.emit
            )
            self.addAction(phrase("documents.read_everything_again"), self.read_all_requested.emit)
        if collection is not None:
            self.sorting = self.addMenu(phrase("documents.sort_by"))
            for column, title in enumerate(titles):
                self.sorting.addAction(title, functools.partial(self.sort_requested.emit, column))
            self.addSeparator()
        self.addAction(theme.icon("plus"), phrase("documents.new_collection"), self.new_requested.emit)
        if is_own:
            rename = self.addAction(
                theme.icon("pencil"), phrase("documents.change_name_and_label"), self.rename_requested.emit
            )
            rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
            remove = self.addAction(
                theme.icon("trash-2"), phrase("documents.delete_collection"), self.remove_requested.emit
            )
            remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))


class DocumentMenu(QMenu):
    """A menu for the selected documents."""

    open_requested = Signal()
    folder_requested = Signal()
    read_again_requested = Signal()
    remove_requested = Signal()

    def __init__(self, theme: Theme, count: int, parent: QWidget, *, can_remove: bool) -> None:
        """`count`: the number of selected documents."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if count == 1:
            self.addAction(theme.icon("external-link"), phrase("documents.open"), self.open_requested.emit)
            self.addAction(theme.icon("folder-open"), phrase("documents.show_in_folder"), self.folder_requested.emit)
            self.addSeparator()
        again = self.addAction(theme.icon("refresh-cw"), phrase("common.read_again"), self.read_again_requested.emit)
        again.setShortcut(QKeySequence(Qt.Key.Key_F5))
        if can_remove:
            self.addSeparator()
            remove = self.addAction(theme.icon("trash-2"), phrase("documents.remove"), self.remove_requested.emit)
            remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))


class ChoiceMenu(QMenu):
    """A menu of the collections for narrow windows, which do not show the list."""

    chosen = Signal(int)

    def __init__(self, collections: Sequence[DocumentCollection], current_id: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for one in collections:
            action = self.addAction(escape_mnemonic(one.name), functools.partial(self.chosen.emit, one.id))
            action.setCheckable(True)
            action.setChecked(one.id == current_id)


class LabelMenu(QMenu):
    """A menu of the labels."""

    chosen = Signal(str)

    def __init__(self, current: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        group = QActionGroup(self)
        for key in LABELS:
            action = self.addAction(phrase(f"common.label.{key}"), functools.partial(self.chosen.emit, key))
            action.setCheckable(True)
            action.setChecked(key == current)
            group.addAction(action)
