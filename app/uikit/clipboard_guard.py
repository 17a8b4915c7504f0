"""Ask for consent before confidential text of a widget is copied by key or menu, selected for pasting, or dragged.

Every widget that has had the keyboard focus is watched, as only there text can be selected. Its label is that of the
nearest ancestor with `label_now`; without one its text counts as secret. Secret text that Qt copied otherwise is
removed and the user asked; from the primary selection of X11 and Wayland it is removed without a question.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

import shiboken6
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAction, QClipboard, QGuiApplication, QKeyEvent, QKeySequence, QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QApplication,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from app.base import confidentiality
from app.base.confidentiality import CLIPBOARD, HIGHEST_LABEL, ExportRequest, Label, Permit
from app.base.errors import AppError
from app.uikit import confidentiality_guard
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.theme import application
from app.uikit.untrusted_text import remove_display_helpers

_TEXTS = (QTextEdit, QPlainTextEdit)
_COPY, _CUT = "edit-copy", "edit-cut"  # objectName of the actions in Qt's own menus


@runtime_checkable
class LabelledWidget(Protocol):
    """A page or a window that returns the confidentiality label of its content."""

    def label_now(self) -> Label: ...


def label_at(widget: QWidget | None) -> Label:
    """Return the label of the widget or its nearest ancestor with `label_now`; HIGHEST_LABEL without one."""
    while widget is not None:
        if isinstance(widget, LabelledWidget):
            try:
                return widget.label_now()
            except AppError:  # the label cannot be read
                return HIGHEST_LABEL
        widget = widget.parentWidget()
    return HIGHEST_LABEL


def copy_text(widget: QWidget, text: str) -> None:
    """Copy text that `widget` shows to the clipboard; secret text only after the user's consent."""
    windows = (widget.window(), *QApplication.topLevelWidgets())
    guard = next((child for one in windows if (child := one.findChild(ClipboardGuard)) is not None), None)
    if not text:
        return
    if guard is not None:
        guard.copy(widget, text)
    elif (label := label_at(widget)) != HIGHEST_LABEL:  # without the main window nothing can ask for consent
        export = ExportRequest("copy", CLIPBOARD, lambda: label)
        confidentiality_guard.put_on_clipboard(text, confidentiality.permit_export(export, Path(), is_agreed=False))


def guard_menu(menu: QMenu, view: QWidget) -> None:
    """Connect the copy and cut actions in Qt's own menu of a view to `copy_selected`, which asks for consent."""
    for action in menu.actions():
        if action.objectName() in (_COPY, _CUT):
            action.triggered.disconnect()
            _MenuCopy(action, view)


class _MenuCopy(QObject):
    """The connection of a menu action to `copy_selected`. The action owns it."""

    def __init__(self, action: QAction, view: QWidget) -> None:
        super().__init__(action)
        self._view = view
        self._is_cut = action.objectName() == _CUT
        action.triggered.connect(self._on_triggered)

    def _on_triggered(self) -> None:
        copy_selected(self._view, is_cut=self._is_cut)


def copy_selected(view: QWidget, *, is_cut: bool = False) -> bool:
    """Copy or cut the selection of a view. Return False if `selected_text` returns none."""
    text = selected_text(view)
    can_cut = isinstance(view, (*_TEXTS, QLineEdit)) and not view.isReadOnly()
    if not text or (is_cut and not can_cut):
        return bool(text)
    copy_text(view, text)
    if is_cut and label_at(view) != HIGHEST_LABEL:  # secret text is not cut, because the user has not consented yet
        if isinstance(view, _TEXTS):
            view.textCursor().removeSelectedText()
        elif isinstance(view, QLineEdit):
            view.del_()
    return True


def selected_text(view: QWidget) -> str:
    """Return the text that Ctrl+C or the menu would copy from a text widget, a label or a list; "" for none."""
    if isinstance(view, _TEXTS):
        return remove_display_helpers(view.textCursor().selection().toPlainText())
    if isinstance(view, QLabel):
        return view.selectedText()
    if isinstance(view, QLineEdit):
        return view.selectedText() if view.echoMode() == QLineEdit.EchoMode.Normal else ""
    if isinstance(view, QAbstractItemView):  # Qt copies the text of the current item
        return str(view.currentIndex().data(Qt.ItemDataRole.DisplayRole) or "")
    return ""


class ClipboardGuard(QObject):
    """Asks for consent before secret text of any window is copied. `window`: the main window, which owns the guard."""

    def __init__(self, window: QWidget, secrecy: ConfidentialityGuard) -> None:
        super().__init__(window)
        self._secrecy = secrecy
        self._is_passing = False  # this class is changing the clipboard with a permit
        self._selected: QWidget | None = None  # the widget whose text is the primary selection
        clipboard = QGuiApplication.clipboard()
        clipboard.dataChanged.connect(self._on_copied)
        clipboard.selectionChanged.connect(self._on_selected)
        application().focusChanged.connect(self._on_focus_changed)

    def copy(self, widget: QWidget, text: str) -> None:
        """Copy text that `widget` shows; secret text only after consent."""
        self._secrecy.copy(widget.window(), lambda: label_at(widget), text, self._put_on_clipboard)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        view = _view_of(watched)
        if view is None:
            return False
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            is_cut = event.matches(QKeySequence.StandardKey.Cut)
            if is_cut or event.matches(QKeySequence.StandardKey.Copy):
                return copy_selected(view, is_cut=is_cut)
        elif isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress:
            _deselect_before_drag(view, event)
        elif event.type() == QEvent.Type.ContextMenu:
            QTimer.singleShot(0, self, lambda: self._guard_menus(view))  # after Qt has made the menu
        return False

    # ------------------------------------------------------------------- private

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if new is None:
            self._clear_confidential_selection()  # the user switches to another program
        for part in _watched_widgets(new):  # the filter stays: a selection remains while another window is active
            part.installEventFilter(self)

    def _guard_menus(self, view: QWidget) -> None:
        for menu in view.findChildren(QMenu):
            if menu.isVisible():
                guard_menu(menu, view)

    def _put_on_clipboard(self, text: str, permit: Permit) -> None:
        self._is_passing = True
        try:
            confidentiality_guard.put_on_clipboard(text, permit)
        finally:
            self._is_passing = False

    def _on_copied(self) -> None:
        """Remove text that Qt itself has copied from a secret widget, and ask; other text is kept."""
        clipboard, source = QGuiApplication.clipboard(), QApplication.focusWidget()
        if self._is_passing or not clipboard.ownsClipboard() or label_at(source) != HIGHEST_LABEL:
            return
        text = clipboard.text()
        if text:
            clipboard.clear()
            self._secrecy.copy(
                source or next((one for one in QApplication.topLevelWidgets() if one.isVisible()), None),
                lambda: HIGHEST_LABEL,
                text,
                self._put_on_clipboard,
            )

    def _on_selected(self) -> None:
        self._selected = QApplication.focusWidget()
        self._clear_confidential_selection()

    def _clear_confidential_selection(self) -> None:
        """Clear the primary selection if its text is secret now, or its widget hidden, whose label is unknown."""
        clipboard, source = QGuiApplication.clipboard(), self._selected
        if not clipboard.ownsSelection():
            return
        visible = source if source is not None and shiboken6.isValid(source) and source.isVisible() else None
        if visible is None or not selected_text(visible) or label_at(visible) == HIGHEST_LABEL:
            clipboard.clear(QClipboard.Mode.Selection)


def _watched_widgets(view: QWidget | None) -> list[QWidget]:
    """Return a widget, which gets key events, and its viewport if it has one, which gets mouse events; [] for None."""
    if view is None:
        return []
    return [view, view.viewport()] if isinstance(view, QAbstractScrollArea) else [view]


def _view_of(part: QObject) -> QWidget | None:
    """Return the scroll area whose viewport `part` is; else `part` if it is a widget; else None."""
    parent = part.parent()
    if isinstance(parent, QAbstractScrollArea) and parent.viewport() is part:
        return parent
    return part if isinstance(part, QWidget) else None


def _deselect_before_drag(view: QWidget, event: QMouseEvent) -> None:
    """Clear a selection of secret text at the press that could drag it; with Shift alone Qt only extends it."""
    may_drag = event.button() == Qt.MouseButton.LeftButton and event.modifiers() != Qt.KeyboardModifier.ShiftModifier
    if not may_drag or not isinstance(view, (*_TEXTS, QLabel)) or not selected_text(view):
        return
    if label_at(view) != HIGHEST_LABEL:
        return
    if isinstance(view, QLabel):
        view.setSelection(0, 0)
    else:
        cursor = view.textCursor()
        cursor.clearSelection()
        view.setTextCursor(cursor)
