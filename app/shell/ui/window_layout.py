"""Lay out sidebar and page, store the window's geometry, move the focus with F6, and draw the icon (答 on indigo)."""

import base64
import contextlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.uikit.page import focus_first_widget
from app.uikit.theme import Theme, application, render_svg
from app.uikit.widgets.labels import Separator

FRAME_PX = (2, 40)  # width and height in px reserved for the window's frame, whose size is known only once it is shown


class WindowGeometry:
    """The stored geometry of the window; its default place without a readable file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def restore(self, window: QWidget) -> bool:
        try:
            geometry = base64.b64decode(self._read_stored()["geometry"], validate=True)
        except (ValueError, KeyError, TypeError):
            return False
        return window.restoreGeometry(QByteArray(geometry))

    def folded_folder_ids(self) -> frozenset[int]:
        """Return the stored ids of the folded folders of conversations."""
        ids = self._read_stored().get("folded")
        return frozenset(number for number in ids if isinstance(number, int)) if isinstance(ids, list) else frozenset()

    def save(self, window: QWidget, folded: Collection[int] = ()) -> None:
        geometry = base64.b64encode(window.saveGeometry().data()).decode("ascii")
        stored = {"geometry": geometry, "folded": sorted(folded)}
        # A full disk must not prevent the window from closing; then the next window opens at its default place.
        with contextlib.suppress(OSError):
            write_atomically(self._path, json.dumps(stored).encode("ascii"))

    def _read_stored(self) -> dict[str, Any]:
        try:
            stored = strict_json.load_file(self._path)
        except (OSError, ValueError):
            return {}
        return stored if isinstance(stored, dict) else {}


def screen_area(window: QWidget) -> QRect:
    """Return the area, without the taskbar, of the screen on which the window is or will be."""
    place = window.geometry().center()
    screen = QGuiApplication.screenAt(place) if window.testAttribute(Qt.WidgetAttribute.WA_Moved) else None
    return (screen or window.screen()).availableGeometry()


def fit_to_screen(window: QWidget, available: QRect) -> None:
    """Limit the window to the area `available`, and centre it unless it has a place, which Qt keeps inside."""
    if window.isMaximized() or window.isFullScreen():
        return
    frame = QSize(*FRAME_PX)
    window.resize(window.size().boundedTo(available.size() - frame))
    if not window.testAttribute(Qt.WidgetAttribute.WA_Moved):
        taken = QRect(available.topLeft(), window.size() + frame)
        taken.moveCenter(available.center())
        window.move(max(taken.left(), available.left()), max(taken.top(), available.top()))


SCRIM_ALPHA = 90


class Scrim(QWidget):
    """A translucent overlay on the page next to an open sidebar. A click on it closes the sidebar."""

    clicked = Signal()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        QPainter(self).fillRect(self.rect(), QColor(0, 0, 0, SCRIM_ALPHA))


class MainFrame(QWidget):
    """Sidebar and page side by side; in a narrow window the sidebar opens over the page."""

    changed = Signal()  # the layout changed, including between narrow and wide, or the sidebar opened or closed

    def __init__(self, theme: Theme, sidebar: QWidget, page: QWidget) -> None:
        """Build the frame. `sidebar` must decide its own width."""
        super().__init__()
        self._theme = theme
        self._sidebar = sidebar
        self._page = page
        self._is_open = False  # True while the sidebar is open in a narrow window
        page.setParent(self)
        self._scrim = Scrim(self)
        sidebar.setParent(self)
        self._rule = Separator("vertical")
        self._rule.setParent(self)
        self._scrim.clicked.connect(self.hide_sidebar)
        theme.changed.connect(self.lay_out)
        application().focusChanged.connect(self._on_focus_changed)

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
        """Close the sidebar in a narrow window; in a wide one it always stays open."""
        if self._is_open:
            self._is_open = False
            self.lay_out()

    def lay_out(self) -> None:
        if not self.is_narrow:
            self._is_open = False
        width, height = self.width(), self.height()
        self._sidebar.resize(self._sidebar.width(), height)  # its width may depend on its height
        left = self._sidebar.width() + 1 if self.is_sidebar_shown else 0
        page_left = 0 if self.is_narrow else left
        self._page.setGeometry(page_left, 0, width - page_left, height)
        self._sidebar.setGeometry(0, 0, self._sidebar.width(), height)
        self._rule.setGeometry(left - 1, 0, 1, height)
        self._scrim.setGeometry(left, 0, width - left, height)
        self._sidebar.setVisible(self.is_sidebar_shown)
        self._rule.setVisible(self.is_sidebar_shown)
        self._scrim.setVisible(self._is_open)
        for above in (self._scrim, self._sidebar, self._rule):
            above.raise_()
        self.changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.lay_out()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close the open sidebar on Esc, if no widget in it has handled the key."""
        if event.key() == Qt.Key.Key_Escape and self._is_open:
            self.hide_sidebar()
            self._page.setFocus()
        else:
            super().keyPressEvent(event)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        """Close the sidebar when the focus moves to the page, so that the focused widget is visible."""
        if new is not None and self._page.isAncestorOf(new):
            self.hide_sidebar()


def move_focus(regions: Sequence[QWidget], focus: QWidget | None, step: int) -> None:
    """Move the focus from the region with `focus` to the next visible region (`step` 1) or the previous one (-1)."""
    regions = [region for region in regions if region.isVisible()]
    inside = [region is focus or (focus is not None and region.isAncestorOf(focus)) for region in regions]
    here = inside.index(True) if True in inside else -step
    focus_first_widget(regions[(here + step) % len(regions)])


ICON_SIZES_PX = (16, 24, 32, 48, 64, 128, 256)


def render_app_icon() -> QIcon:
    icon = QIcon()
    for size in ICON_SIZES_PX:
        icon.addPixmap(render_svg("kotae", "", size))
    return icon
