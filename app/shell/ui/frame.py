"""Sidebar and page: beside each other, or in a narrow window the sidebar over the page, when it is asked for."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import Separator

VEIL_ALPHA = 90


class Veil(QWidget):
    """Over the part of the page that the sidebar leaves free: a click there closes the sidebar."""

    clicked = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        color = self._theme.color("control")
        color.setAlpha(VEIL_ALPHA)
        QPainter(self).fillRect(self.rect(), color)


class Frame(QWidget):
    """The page keeps its width when the sidebar comes over it."""

    changed = Signal()  # narrow or wide, or the sidebar came or went

    def __init__(self, theme: Theme, sidebar: QWidget, page: QWidget) -> None:
        """`sidebar` has a fixed width."""
        super().__init__()
        self._theme = theme
        self._sidebar = sidebar
        self._page = page
        self._is_open = False  # in a narrow window
        page.setParent(self)
        self._veil = Veil(theme, self)
        sidebar.setParent(self)
        self._rule = Separator("vertical")
        self._rule.setParent(self)
        self._veil.clicked.connect(self.hide_sidebar)
        theme.changed.connect(self.lay_out)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    @property
    def is_narrow(self) -> bool:
        return self.width() < self._theme.metric("sidebar_collapse_below")

    @property
    def is_sidebar_shown(self) -> bool:
        return self._is_open or not self.is_narrow

    def show_sidebar(self) -> None:
        self._is_open = self.is_narrow
        self.lay_out()

    def hide_sidebar(self) -> None:
        """In a wide window it stays."""
        if self._is_open:
            self._is_open = False
            self.lay_out()

    def lay_out(self) -> None:
        if not self.is_narrow:
            self._is_open = False
        width, height = self.width(), self.height()
        left = self._sidebar.width() + 1 if self.is_sidebar_shown else 0
        page_left = 0 if self.is_narrow else left
        self._page.setGeometry(page_left, 0, width - page_left, height)
        self._sidebar.setGeometry(0, 0, self._sidebar.width(), height)
        self._rule.setGeometry(left - 1, 0, 1, height)
        self._veil.setGeometry(left, 0, width - left, height)
        self._sidebar.setVisible(self.is_sidebar_shown)
        self._rule.setVisible(self.is_sidebar_shown)
        self._veil.setVisible(self._is_open)
        for above in (self._veil, self._sidebar, self._rule):
            above.raise_()
        self.changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.lay_out()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc that nobody in the sidebar wanted."""
        if event.key() == Qt.Key.Key_Escape and self._is_open:
            self.hide_sidebar()
            self._page.setFocus()
        else:
            super().keyPressEvent(event)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        """Who goes on to the page by keyboard must see where they are."""
        if new is not None and self._page.isAncestorOf(new):
            self.hide_sidebar()
