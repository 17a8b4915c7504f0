"""The parts of the window that F6 goes round."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.uikit.page import Page


def move_focus(regions: Sequence[QWidget], focus: QWidget | None, step: int) -> None:
    """To the next of those that are visible, or the one before (-1)."""
    regions = [region for region in regions if region.isVisible()]
    inside = [region is focus or (focus is not None and region.isAncestorOf(focus)) for region in regions]
    here = inside.index(True) if True in inside else -step
    focus_first(regions[(here + step) % len(regions)])


def focus_first(region: QWidget) -> None:
    """What a page names as its first, the region itself, or the first widget in it that takes the keyboard."""
    if isinstance(region, Page):
        region.focus_first()
        return
    for widget in (region, *region.findChildren(QWidget)):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.isEnabled():
            widget.setFocus(Qt.FocusReason.ShortcutFocusReason)
            return
