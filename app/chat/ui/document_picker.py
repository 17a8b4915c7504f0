"""Show a dialog with every document that can be asked, to be ticked one by one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, QEvent, QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QListView, QStyleOptionViewItem, QWidget

from app.base import search_text
from app.base.wording import phrase
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import AskableDocument
from app.uikit.dialogs import Dialog, cancel_or, scrolled_height
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, plain_tooltip
from app.uikit.widgets.list_rows import Index, ThemedDelegate

LIST_PX = 340
INDENT_PX = 22


@dataclass(frozen=True, slots=True)
class CollectionDocuments:
    """A collection with its documents. `chosen`: the paths of those that are asked."""

    ref: CollectionRef
    documents: Sequence[AskableDocument]
    chosen: Collection[str] = ()


class DocumentChoices(QAbstractListModel):
    """The collections, each followed by its documents, with a tick for each; a filter hides documents."""

    changed = Signal()

    def __init__(self, collections: Sequence[CollectionDocuments]) -> None:
        super().__init__()
        self._collections = collections
        self._chosen = {(one.ref.name, path) for one in collections for path in one.chosen}
        self._rows: list[tuple[CollectionDocuments, AskableDocument | None]] = []  # None: the row of the collection
        self.show_matching("")

    def show_matching(self, words: str) -> None:
        """Show the documents whose names contain all of these words, below their collections."""
        wanted = search_text.fold(words).split()
        self.beginResetModel()
        self._rows = []
        for one in self._collections:
            found = [each for each in one.documents if all(word in search_text.fold(each.name) for word in wanted)]
            self._rows += [(one, each) for each in (None, *found)] if found else []
        self.endResetModel()

    def chosen_scope(self) -> tuple[CollectionRef, ...]:
        """Return the ticked documents; a collection with all of them ticked is named as a whole."""
        scope = []
        for one in self._collections:
            paths = tuple(each.path for each in one.documents if (one.ref.name, each.path) in self._chosen)
            if paths:
                scope.append(CollectionRef(one.ref.id, one.ref.name, () if len(paths) == len(one.documents) else paths))
        return tuple(scope)

    @property
    def chosen_count(self) -> int:
        return len(self._chosen)

    def is_collection(self, row: int) -> bool:
        return self._rows[row][1] is None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsUserCheckable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one, document = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return document.name if document else one.ref.name
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(document.path if document else one.ref.name)
            case Qt.ItemDataRole.CheckStateRole:
                return self._state(one, [document] if document else one.documents)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole:
            return False
        one, document = self._rows[index.row()]
        shown = [document] if document else [each for listed, each in self._rows if listed is one]
        keys = {(one.ref.name, each.path) for each in shown if each is not None}
        self._chosen = self._chosen | keys if Qt.CheckState(value) == Qt.CheckState.Checked else self._chosen - keys
        self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))
        self.changed.emit()
        return True

    def _state(self, one: CollectionDocuments, documents: Sequence[AskableDocument]) -> Qt.CheckState:
        ticked = sum((one.ref.name, each.path) in self._chosen for each in documents)
        if 0 < ticked < len(documents):
            return Qt.CheckState.PartiallyChecked
        return Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked


class _Delegate(ThemedDelegate):
    """Indents documents below their collection, and ticks a row by a click anywhere on it or the space bar."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        model = index.model()
        assert isinstance(model, DocumentChoices)
        option.textElideMode = Qt.TextElideMode.ElideMiddle
        option.font = self._theme.font("ui", 600 if model.is_collection(index.row()) else 400)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.metric("row_compact"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, DocumentChoices)
        if not model.is_collection(index.row()):
            option.rect.setLeft(option.rect.left() + self._theme.px(INDENT_PX))
        super().paint(painter, option, index)

    def editorEvent(
        self,
        event: QEvent,
        model: QAbstractItemModel,
        option: QStyleOptionViewItem,  # noqa: ARG002 (Qt passes it)
        index: Index,
    ) -> bool:
        is_space = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Space
        is_toggled = event.type() == (QEvent.Type.KeyPress if is_space else QEvent.Type.MouseButtonRelease)
        if not is_toggled:
            return False
        is_on = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
        state = Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked
        return model.setData(index, state, Qt.ItemDataRole.CheckStateRole)


class DocumentPicker(Dialog):
    """A dialog in which the user ticks the documents that the conversation asks."""

    scope_chosen = Signal(object)  # tuple[CollectionRef, ...]

    def __init__(self, theme: Theme, collections: Sequence[CollectionDocuments], parent: QWidget) -> None:
        self.choices = DocumentChoices(collections)
        self.filter = SearchField(theme, phrase("common.filter_by_document_name"))
        self.view = QListView()
        self.view.setModel(self.choices)
        self.view.setItemDelegate(_Delegate(theme, self.view))
        self.view.setUniformItemSizes(True)
        self.view.setProperty("framed", True)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName(phrase("chat.documents_to_ask"))
        self.view.setFixedHeight(scrolled_height(theme, parent, theme.px(LIST_PX)))
        self.count = Label(role="caption", tone="text2")
        content = QWidget()
        make_column(self.filter, self.view, self.count, into=content, spacing_px=8)
        super().__init__(
            theme,
            phrase("chat.which_documents_to_ask"),
            phrase("chat.only_ticked_documents_are_searched"),
            cancel_or("ask", phrase("chat.ask_the_ticked")),
            parent,
            content=content,
        )
        self.filter.textChanged.connect(self.choices.show_matching)
        self.choices.changed.connect(self._show_count)
        self.chosen.connect(self._on_chosen)
        self._show_count()
        self.filter.setFocus()

    def _show_count(self) -> None:
        count = self.choices.chosen_count
        self.count.setText(
            phrase("chat.n_documents_ticked", n=f"{count:,}") if count else phrase("chat.tick_a_document")
        )
        self.buttons["ask"].setEnabled(count > 0)

    def _on_chosen(self, key: str) -> None:
        if key == "ask":
            self.scope_chosen.emit(self.choices.chosen_scope())
