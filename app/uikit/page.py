"""Define pages: their base class, their list in the sidebar, their header, and what they request of the window."""

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QWidget

from app.base.confidentiality import Label
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, Separator, set_surface


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

    def label_now(self) -> Label:
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

    def label_now(self) -> Label:
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
