"""Show the collections that the next question searches above the composer, with a menu and a dialog to choose them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, QEvent, QModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QListView, QMenu, QStyleOptionViewItem, QWidget

from app.base import confidentiality, search_text
from app.base.confidentiality import HIGHEST_LABEL, LABELS
from app.base.wording import phrase
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import AskableDocument, collection_title
from app.uikit import confidentiality_guard
from app.uikit.dialogs import Dialog, cancel_or, scrolled_height
from app.uikit.localization import join_facts, with_note
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton, escape_mnemonic, make_icon_button
from app.uikit.widgets.containers import Badge, Stretch, make_column, make_row
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, plain_tooltip
from app.uikit.widgets.list_rows import Index, ThemedDelegate

CHIP_PX = 220  # width in px; longer names end in …


@dataclass(frozen=True, slots=True)
class CollectionChoice:
    """A collection in the menu. `unfinished` is the number of its documents that are not read yet.

    `is_chosen`: the next question searches it. `is_there` is False for a chosen collection that was removed.
    `chosen`: the names of those of its documents that are searched alone; (): it is searched as a whole.
    """

    name: str
    documents: int = 0
    is_chosen: bool = False
    is_there: bool = True
    unfinished: int = 0
    label: confidentiality.Label = LABELS[0]
    chosen: tuple[str, ...] = ()
    is_attached: bool = False  # a file for the questions of this conversation

    @property
    def title(self) -> str:
        """Return the name of the chip: that of the collection, of its one chosen document, or their number."""
        if len(self.chosen) == 1:
            return self.chosen[0]
        if self.chosen:
            return phrase("chat.n_documents_of", name=self.name, n=f"{len(self.chosen):,}")
        return collection_title(self.name)


class CollectionPicker(QWidget):
    """Shows the chosen collections as chips if they fit into one line, otherwise only their number."""

    changed = Signal(object)  # tuple[str, ...]: names of the chosen collections
    actions_requested = Signal(str, QPoint)  # name of an attached file's collection, and the place for its menu
    documents_requested = Signal()  # the user wants to tick documents

    def __init__(self, theme: Theme, navigation: NavigationSignals) -> None:
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._choices: tuple[CollectionChoice, ...] = ()
        self.chips: list[CollectionChip] = []
        self._build()
        theme.changed.connect(self._lay_out)

    def show_choices(self, choices: Sequence[CollectionChoice]) -> None:
        if tuple(choices) == self._choices:
            return
        self._choices = tuple(choices)
        had_focus = any(chip.isAncestorOf(self.focusWidget()) for chip in self.chips if self.focusWidget())
        for chip in self.chips:
            self._row.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self.chips = [CollectionChip(self._theme, choice, self) for choice in choices if choice.is_chosen]
        for place, chip in enumerate(self.chips, start=self._row.indexOf(self.caption) + 1):
            chip.removed.connect(lambda name: self._set_chosen(name, is_chosen=False))
            chip.actions_requested.connect(self.actions_requested)
            self._row.insertWidget(place, chip)
        self._show_text()
        self._lay_out()
        if had_focus:
            self.add_button.setFocus()

    def open_menu(self) -> None:
        """Open the menu at its button, with the first checked entry active for the keyboard."""
        button = self.count_button if self.count_button.isVisible() else self.add_button
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(button.mapToGlobal(QPoint(0, -menu.sizeHint().height())))
        actions = menu.actions()
        menu.setActiveAction(next((action for action in actions if action.isChecked()), actions[0]))

    def menu(self) -> "StayOpenMenu":
        menu = StayOpenMenu(self)
        menu.setToolTipsVisible(True)
        for choice in self._choices:
            name = choice.title if choice.is_attached else choice.name
            facts = join_facts(name, confidentiality_guard.label_text(choice.label), self._state(choice))
            action = menu.addAction(escape_mnemonic(facts))
            action.setCheckable(True)
            action.setChecked(choice.is_chosen)
            action.setData(choice.name)
            action.toggled.connect(lambda is_chosen, name=choice.name: self._set_chosen(name, is_chosen=is_chosen))
        menu.addSeparator()
        one_by_one = menu.addAction(phrase("chat.choose_documents_one_by_one"), self.documents_requested.emit)
        one_by_one.setEnabled(any(choice.documents and not choice.is_attached for choice in self._choices))
        menu.addAction(phrase("chat.add_documents"), lambda: self._navigation.page_requested.emit("documents"))
        return menu

    def minimumSizeHint(self) -> QSize:
        """Return a width of 1 px, so that chips never prevent a narrower page."""
        return QSize(1, self._theme.metric("button_height_small"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    # ------------------------------------------------------------------ private

    def _build(self) -> None:
        self.caption = ElidedLabel(role="caption", tone="text2")
        self.add_button = make_icon_button(self._theme, phrase("chat.choose_documents"), "plus", "quiet", compact=True)
        self.add_button.setToolTip(plain_tooltip(with_note(phrase("chat.choose_the_documents_to_ask"), "Ctrl+L")))
        self.add_button.clicked.connect(self.open_menu)
        self.add_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.count_button = Button(self._theme, "", compact=True)
        self.count_button.clicked.connect(self.open_menu)
        self.count_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        icon = IconLabel(self._theme, "library-big", size=14)
        parts = (icon, self.caption, self.count_button, self.add_button, Stretch())
        self._row = make_row(*parts, into=self, spacing_px=self._theme.px(6))
        self._row.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)
        self._show_text()
        self._lay_out()

    def _show_text(self) -> None:
        names = tuple(choice.title for choice in self._choices if choice.is_chosen)
        self.caption.setText(
            phrase("chat.documents_to_search") if names else phrase("chat.answers_without_documents_no_sources")
        )
        self.count_button.setText(phrase("common.n_items", n=len(names)))
        self.count_button.setAccessibleName(
            with_note(phrase("chat.documents_to_search"), phrase("common.data_gap").join(names))
        )
        self.count_button.setToolTip(plain_tooltip(phrase("common.data_gap").join(names)))

    def _lay_out(self) -> None:
        """Show the chips, or their number if they do not fit, by size hints, which hidden widgets have too."""
        self.setFixedHeight(self._theme.metric("button_height_small") + self._theme.px(2))
        gap = self._row.spacing()
        fixed = self._theme.px(14) + self.caption.sizeHint().width() + self.add_button.sizeHint().width() + 3 * gap
        fits = fixed + sum(chip.sizeHint().width() + gap for chip in self.chips) <= self.width()
        for chip in self.chips:
            chip.setVisible(fits)
        self.count_button.setVisible(bool(self.chips) and not fits)
        self.add_button.setVisible(fits or not self.chips)

    def _state(self, choice: CollectionChoice) -> str:
        if not choice.is_there:
            return phrase("chat.not_found")
        if choice.is_attached:
            return phrase("documents.attached_file")
        count = phrase("common.n_items", n=f"{choice.documents:,}")
        if choice.chosen:
            count = phrase("chat.n_of_m_documents", n=f"{len(choice.chosen):,}", m=f"{choice.documents:,}")
        reading = phrase("chat.n_not_read_yet", n=f"{choice.unfinished:,}") if choice.unfinished else ""
        return with_note(count, reading)

    def _set_chosen(self, name: str, *, is_chosen: bool) -> None:
        names = [choice.name for choice in self._choices if choice.is_chosen and choice.name != name]
        order = [choice.name for choice in self._choices]
        self.changed.emit(tuple(sorted([*names, name], key=order.index) if is_chosen else names))


class CollectionChip(QFrame):
    """A collection that questions search, with a button × to exclude it."""

    removed = Signal(str)  # name of the collection
    actions_requested = Signal(str, QPoint)  # as in `CollectionPicker`

    def __init__(self, theme: Theme, choice: CollectionChoice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setProperty("surface", "chip")
        row = make_row(into=self, margins_px=(theme.px(8), 0, theme.px(2), 0), spacing_px=theme.px(2))
        if choice.is_there:
            reading = phrase("chat.reading") if choice.is_attached and choice.unfinished else ""
            self.label = ElidedLabel(with_note(choice.title, reading), role="caption")
            names = choice.chosen if choice.is_attached else (choice.name, *choice.chosen)
            self.setToolTip(plain_tooltip("\n".join(names)) if choice.chosen else "")
        else:
            self.label = ElidedLabel(with_note(choice.title, phrase("chat.not_found")), role="caption", tone="warning")
            row.addWidget(IconLabel(theme, "triangle-alert", "warning", size=14))
        self.label.setMaximumWidth(theme.px(CHIP_PX))
        if choice.is_attached:
            self.menu_button = IconButton(theme, "paperclip", phrase("chat.actions_for_name", name=choice.title))
            self.menu_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self.menu_button.setProperty("tight", True)
            self.menu_button.clicked.connect(
                lambda: self.actions_requested.emit(choice.name, self.mapToGlobal(QPoint(0, 0)))
            )
            row.addWidget(self.menu_button)
        button = IconButton(theme, "x", phrase("chat.remove_name", name=choice.title))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the cursor in the question
        if choice.label == HIGHEST_LABEL:
            label_text = confidentiality_guard.label_text(choice.label)
            lock = IconLabel(theme, *confidentiality_guard.LABEL_LOOKS[choice.label], size=14)
            lock.setAccessibleName(label_text)
            lock.setToolTip(plain_tooltip(label_text))
            row.addWidget(lock)
            button.setAccessibleDescription(label_text)  # the lock itself cannot get the focus
        button.setProperty("tight", True)
        button.clicked.connect(lambda: self.removed.emit(choice.name))
        row.addWidget(self.label)
        row.addWidget(button)


class StayOpenMenu(QMenu):
    """A menu that stays open while the user checks several entries, with the mouse or the space bar."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._toggle():
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Space or not self._toggle():
            super().keyPressEvent(event)

    def _toggle(self) -> bool:
        action = self.activeAction()
        if action is None or not action.isCheckable():
            return False
        action.toggle()
        return True


class LabelTag(Badge):
    """Shows the label of a conversation."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.hide()

    def show_label(self, label: confidentiality.Label | None) -> None:
        """Show a label; None hides the tag."""
        self.setVisible(label is not None)
        if label is not None:
            icon, tone = confidentiality_guard.LABEL_LOOKS[label]
            is_highest = label == HIGHEST_LABEL
            self.words.setProperty("strong", is_highest)
            self.show_state(tone if is_highest else "tag", icon, phrase(f"common.label.{label}"), tone)


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
