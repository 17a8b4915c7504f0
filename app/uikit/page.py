"""Define pages: their base class, their list in the sidebar, their header, what they request of the window, and the
page with a list of entries and the chosen one, as 学習 and 評価 have."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QMenu, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.wording import ErrorMessage, describe_error, phrase
from app.uikit import desktop
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button, make_menu
from app.uikit.widgets.containers import FlowBox, Stretch, make_box, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import ElidedLabel, Label, Separator, set_surface
from app.uikit.widgets.list_rows import EntryListModel, EntryRole, NamedList


class SidebarPanel(QWidget):
    """The list of a page, which the window shows in its sidebar while the page is shown."""

    picked = Signal()  # the user clicked an entry or pressed Enter on it

    def __init__(self, page: "Page", view: QAbstractItemView, above: Sequence[QWidget] = ()) -> None:
        """`above`: the widgets above the list `view`."""
        super().__init__()
        self._page = page
        self.view = view
        set_surface(self, "side")
        view.setProperty("ground", "side")
        rows = make_column(*above, margins_px=(10, 0, 10, 0), spacing_px=8)
        make_column(
            rows, (make_row(view, margins_px=(4, 0, 4, 0)), 1), into=self, margins_px=(0, 10, 0, 4), spacing_px=8
        )
        view.clicked.connect(self._on_clicked)
        view.activated.connect(self.picked)

    def label_now(self) -> confidentiality.Label:
        """Return the confidentiality label of the page, which has the same content."""
        return self._page.label_now()

    def _on_clicked(self, index: QModelIndex) -> None:
        is_selecting = bool(QGuiApplication.keyboardModifiers())  # Ctrl or Shift select several
        if index.flags() & Qt.ItemFlag.ItemIsEnabled and not is_selecting:
            self.picked.emit()


class Page(QWidget):
    """The base of the pages of the window."""

    header: "PageHeader"
    sidebar_panel: SidebarPanel | None = None  # None: the page has no list in the sidebar

    def set_header_inset(self, inset_px: int) -> None:
        """Keep `inset_px` free at the left of the header, for the window's sidebar button; 0: there is none."""
        self.header.set_inset(inset_px)

    def label_now(self) -> confidentiality.Label:
        """Return the confidentiality label of the shown content, for copies of it (`app.uikit.clipboard_guard`)."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """Focus the widget where work on this page begins."""
        raise NotImplementedError


def focus_first_widget(region: QWidget) -> None:
    """Focus the first widget of a page, or else the region itself or the first widget in it that takes the focus."""
    if isinstance(region, Page):
        region.focus_first()
        return
    for widget in (region, *region.findChildren(QWidget)):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.isEnabled():
            widget.setFocus(Qt.FocusReason.ShortcutFocusReason)
            return


class NavigationSignals(QObject):
    """The requests of widgets to the window, which connects them, since pages do not know each other."""

    page_requested = Signal(str)  # ask | documents | models | training | evaluation | settings | bin | search | batch
    settings_requested = Signal(str)  # a section of the settings: models | network | training | presets
    answer_settings_requested = Signal()  # show how the open conversation is answered
    conversation_requested = Signal(int)  # id of a conversation to open
    message_requested = Signal(int, str)  # id of a message to open, and the words to mark in it
    # Begin a conversation: its scope (None: as usual), a question or its beginning, and whether to ask it at once.
    question_requested = Signal(object, str, bool)
    search_requested = Signal(str)  # words to search for in all conversations and documents
    search_closed = Signal()  # return to the page before the search
    reading_requested = Signal(object)  # ReadingPlace: open a document in the reader
    overview_requested = Signal(object)  # OverviewRequest: a summary, a comparison or a list of values, in a window
    reading_closed = Signal()  # return to the page before the reader
    restore_requested = Signal(object)  # ids of conversations to restore from the bin
    export_requested = Signal()  # export the open conversation
    starter_requested = Signal()  # add the trial model
    model_file_requested = Signal()  # choose a GGUF file to add
    first_run_requested = Signal()  # show the guide of the first start
    log_requested = Signal()  # open the folder of the logs
    undo_offered = Signal(object)  # UndoableAction
    problem_occurred = Signal(object)  # AppError
    work_ended = Signal(str, float)  # the name of the work, as shown, and the seconds it took
    reopened = Signal()  # emitted by the window, for pages: it is shown again after it was closed while work continued


class MachinePause(QObject):
    """Pauses the long work that holds the machine for a question; the window knows it and implements this."""

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.state = ""  # "", pausing or paused

    @property
    def can_pause(self) -> bool:
        """Return whether the work can be paused and continued."""
        raise NotImplementedError

    def pause(self) -> None:
        raise NotImplementedError

    def go_on(self) -> None:
        raise NotImplementedError


PAGE_MARGIN_PX = 24


class PageHeader(QWidget):
    """A page's title and actions; `set_inset` keeps space at the left for a narrow window's button."""

    def __init__(self, theme: Theme, title: str = "") -> None:
        super().__init__()
        self._theme = theme
        set_surface(self, "base")
        self.title = ElidedLabel(title, "heading3")
        self._row = make_row((self.title, 1), margins_px=(PAGE_MARGIN_PX, 0, PAGE_MARGIN_PX, 0), spacing_px=10)
        make_column((self._row, 1), Separator(), into=self, spacing_px=0)
        theme.changed.connect(self._resize)
        self._resize()

    def add_action(self, widget: QWidget) -> None:
        """Add a widget, such as a button, at the right."""
        # Without the alignment, the fixed height of a button would limit that of the row.
        self._row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)

    def add_before(self, widget: QWidget) -> None:
        """Add a widget, such as a button back, before the title."""
        self._row.insertWidget(self._row.indexOf(self.title), widget, 0, Qt.AlignmentFlag.AlignVCenter)

    def add_after(self, widget: QWidget) -> None:
        """Add a widget, such as a label, right after the title."""
        self._row.insertWidget(self._row.indexOf(self.title) + 1, widget, 0, Qt.AlignmentFlag.AlignVCenter)

    def set_inset(self, inset_px: int) -> None:
        self._row.setContentsMargins(max(PAGE_MARGIN_PX, inset_px), 0, PAGE_MARGIN_PX if inset_px == 0 else 12, 0)

    def _resize(self) -> None:
        self.setFixedHeight(self._theme.metric("header_height"))


ACTIONS_BELOW_PX = 760  # a narrower page has the actions of the content below its header
MARGIN_PX = 24

EntryKey = tuple[str, str]  # the kind of an entry, and its id or name


class EntryListView(NamedList):
    """A list of entries, of which several may be selected."""

    @property
    def entry(self) -> Any:
        """Return the current entry; None if there is none."""
        return self.currentIndex().data(EntryRole) if self.currentIndex().isValid() else None

    @property
    def selected_entries(self) -> list[Any]:
        """Return the selected entries from top to bottom."""
        return [index.data(EntryRole) for index in sorted(self.selectedIndexes(), key=lambda index: index.row())]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.activated.emit(self.currentIndex())  # on macOS Qt itself would do nothing
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Request the menu. If one of several selected entries is clicked, keep the whole selection."""
        is_by_mouse = event.reason() != QContextMenuEvent.Reason.Keyboard
        if is_by_mouse and len(self.selectedIndexes()) > 1 and self.indexAt(event.pos()) in self.selectedIndexes():
            self.menu_requested.emit(event.globalPos())
        else:
            super().contextMenuEvent(event)


class EmptyState(QWidget):
    """The content of a page while no entry is chosen: a message, buttons to begin with, and an example."""

    def __init__(self, message: str, example: str, *buttons: Button) -> None:
        super().__init__()
        self.button = buttons[0]
        self.message = Label(message, "heading3", wraps=True)
        self._beginnings = (FlowBox(*buttons), Label(example, tone="muted", wraps=True))
        content = make_box(
            Stretch(2), self.message, *self._beginnings, Stretch(3), margins_px=(MARGIN_PX,) * 4, spacing_px=12
        )
        make_column(make_scrollable(content), into=self)

    def show_message(self, message: str, *, is_list_empty: bool) -> None:
        """Show another message. `is_list_empty`: show the buttons and the example too."""
        self.message.setText(message)
        for widget in self._beginnings:
            widget.setVisible(is_list_empty)


class EntryActions(QObject):
    """The actions on entries of the list. The subclass of a page adds its own actions and the menu."""

    changed = Signal()  # the list must be read again
    opened = Signal(object)  # EntryKey: the entry must be shown
    closed = Signal(object)  # EntryKey: the entry must no longer be shown
    failed = Signal(object)  # AppError

    def __init__(self, theme: Theme, page: QWidget) -> None:
        super().__init__(page)
        self._theme = theme
        self._page = page

    def _begin_menu(self) -> QMenu:
        return make_menu(self._page)

    def _add_rename(self, menu: QMenu, title: str, rename: Callable[[], object]) -> None:
        menu.addAction(self._theme.icon("pencil"), title, rename).setShortcut(QKeySequence("F2"))

    def _add_open_folder(self, menu: QMenu, folder: Path) -> None:
        icon = self._theme.icon("folder-open")
        menu.addAction(icon, phrase("common.open_the_folder"), lambda: desktop.open_folder(folder))

    def _open_menu(self, menu: QMenu, at: QPoint, remove: Callable[[], object]) -> QMenu:
        """Add the action that deletes to a menu, as the last, and open it at a position on the screen."""
        menu.addSeparator()
        action = menu.addAction(self._theme.icon("trash-2"), phrase("common.delete"), remove)
        action.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        menu.popup(at)
        return menu


class ListDetailPage(Page):
    """A page with a list of entries in the sidebar, each opened when it becomes current. Subclasses fill both."""

    def __init__(self, theme: Theme, title: str, list_name: str, *, selects_several: bool = False) -> None:
        """`list_name`: the accessible name of the list. `selects_several`: several entries can be selected."""
        super().__init__()
        self._theme = theme
        self._selects_several = selects_several
        set_surface(self, "base")
        self.header = PageHeader(theme, title)
        self._hidden_actions = QWidget(self)  # the parent of actions that are not shown
        self._hidden_actions.hide()
        self.entries = EntryListModel()
        self.list = EntryListView(theme, self.entries, list_name)
        self.banner = Banner(theme)

    # ------------------------------------------------- to be implemented by subclasses

    @property
    def shown_key(self) -> EntryKey | None:
        """Return the key of the shown entry; None if there is none, or several."""
        raise NotImplementedError

    @property
    def is_empty(self) -> bool:
        """Return whether no content is shown."""
        return self.shown_key is None

    def refresh(self) -> None:
        """Read the list again."""
        raise NotImplementedError

    def open(self, key: EntryKey) -> None:
        """Show an entry."""
        raise NotImplementedError

    def close_content(self) -> None:
        """Show no content."""
        raise NotImplementedError

    def _show_chosen(self, entry: Any) -> None:
        """Show the entry that the user has chosen. It may be shown already."""
        raise NotImplementedError

    def _describe(self, error: AppError) -> ErrorMessage:
        return describe_error(error)

    # ----------------------------------------------------------------------- shown

    def say(self, error: AppError) -> None:
        """Show an error above the content."""
        message = self._describe(error)
        self.banner.show_message("danger", message.message, message.next)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _show_content(self, title: str, actions: Sequence[QWidget]) -> None:
        """Show the title and the actions of the content in the header, and select its entry in the list."""
        self.header.title.setText(title)
        self._show_actions(actions)
        self._mark_shown()

    def _mark_shown(self) -> None:
        """Select the shown entry in the list, or none, and place the actions for the present width."""
        index = self.entries.index_of(self.shown_key)
        if index.isValid():
            if index != self.list.currentIndex():
                self.list.setCurrentIndex(index)
        elif not self._selects_several or self.is_empty:
            self.list.clearSelection()
            self.list.setCurrentIndex(QModelIndex())  # so that choosing the same entry again emits a signal
        self._lay_out()

    def _show_actions(self, actions: Sequence[QWidget]) -> None:
        """Show the actions in the header. Do nothing if they are the same as before, since one may have the focus."""
        row = self._actions_row
        if list(actions) == [item.widget() for at in range(row.count()) if (item := row.itemAt(at)) is not None]:
            return
        self._clear_actions()
        for action in actions:
            row.addWidget(action)
            action.setVisible(not _is_hidden_by_its_view(action))

    def _clear_actions(self) -> None:
        """Remove the actions from the header. They get a hidden parent, because without one they would be windows."""
        while (item := self._actions_row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.setParent(self._hidden_actions)

    def _delete_actions(self) -> None:
        """Delete the actions of the content. Call this before removing the content."""
        self._clear_actions()
        for action in self._hidden_actions.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            action.deleteLater()

    # -------------------------------------------------------------------- building

    def _arrange(
        self,
        content: QWidget,
        *,
        side_widgets: Sequence[QWidget],
        above: Sequence[QWidget] = (),
        buttons: Sequence[Button] = (),
    ) -> None:
        """Arrange the page. `side_widgets`: above the list; `above`: above the content; `buttons`: in the header."""
        self._actions, self._tail, self._below = QWidget(), QWidget(), QWidget()
        self._actions_row, self._tail_row, self._below_row = (
            make_row(into=widget, spacing_px=8) for widget in (self._actions, self._tail, self._below)
        )
        for widget in (self._actions, *buttons):
            self._tail_row.addWidget(widget)
        self.header.add_action(self._tail)
        self._below_row.setContentsMargins(PAGE_MARGIN_PX, 10, PAGE_MARGIN_PX, 0)
        self._below_row.addStretch(1)
        right = make_column(spacing_px=0)
        for widget in (*above, self._below, self.banner):
            right.addWidget(widget)
        right.addWidget(content, 1)
        make_column(self.header, (right, 1), into=self, spacing_px=0)
        self.sidebar_panel = SidebarPanel(self, self.list, side_widgets)
        self.list.selectionModel().currentChanged.connect(self._choose)
        if self._selects_several:
            self.list.setSelectionMode(NamedList.SelectionMode.ExtendedSelection)
            for signal in (self.list.clicked, self.list.activated):  # the current entry too, if other content is shown
                signal.connect(self._choose)

    def _connect_actions(self, actions: EntryActions) -> None:
        actions.changed.connect(self.refresh)
        actions.opened.connect(self.open)
        actions.closed.connect(self._on_entry_closed)
        actions.failed.connect(self.say)

    def _lay_out(self) -> None:
        """Place the actions of the content in the header, or in a row below it if the page is narrow."""
        is_below = self.width() < self._theme.px(ACTIONS_BELOW_PX)
        self._below.setVisible(is_below and self._actions_row.count() > 0)
        if is_below != (self._actions.parentWidget() is self._below):
            (self._below_row if is_below else self._tail_row).insertWidget(0, self._actions)
        self._tail.setVisible(self._tail_row.count() > 0)

    # ----------------------------------------------------------------------- slots

    def _choose(self) -> None:
        if self.list.entry is not None:
            self._show_chosen(self.list.entry)

    def _on_entry_closed(self, key: EntryKey) -> None:
        if self.shown_key == key:
            self.close_content()


def _is_hidden_by_its_view(action: QWidget) -> bool:
    """Return whether an action was hidden explicitly, and not only through its hidden parent."""
    return action.isHidden() and action.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
