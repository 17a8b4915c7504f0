"""Pass every copy of shown text through the gate: by key or menu, by selecting with the mouse, or by dragging.

Every widget that has had the keyboard is watched, because text can be selected only in such widgets. The label of shown
text is that of the nearest ancestor with `label_now`; without one it counts as confidential. Text that reaches the
clipboard in another way (a menu of Qt's own, an assistive technology) is removed before another program can read it,
and the user is asked. Confidential text never stays in the selection that X11 and Wayland paste with the middle button;
selecting is no export, so the user is not asked then.
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
from app.uikit.untrusted_text import remove_display_helpers

_TEXTS = (QTextEdit, QPlainTextEdit)
_COPY, _CUT = "edit-copy", "edit-cut"  # object names of the actions in Qt's menus


@runtime_checkable
class LabelledWidget(Protocol):
    """A page or a window that knows how confidential its content is."""

    def label_now(self) -> Label: ...


def label_at(widget: QWidget | None) -> Label:
    """Return the label of what a widget shows."""
    while widget is not None:
        if isinstance(widget, LabelledWidget):
            try:
                return widget.label_now()
            except AppError:  # the label cannot be read
                return HIGHEST_LABEL
        widget = widget.parentWidget()
    return HIGHEST_LABEL


def copy_text(widget: QWidget, text: str) -> None:
    """Put text that `widget` shows on the clipboard, at once or after the user's consent."""
    windows = (widget.window(), *QApplication.topLevelWidgets())
    guard = next((child for one in windows if (child := one.findChild(ClipboardGuard)) is not None), None)
    if not text:
        return
    if guard is not None:
        guard.copy(widget, text)
    elif (label := label_at(widget)) != HIGHEST_LABEL:  # a window without the main window cannot ask for consent
        export = ExportRequest("copy", CLIPBOARD, lambda: label)
        confidentiality_guard.put_on_clipboard(text, confidentiality.permit_export(export, Path(), is_agreed=False))


def guard_menu(menu: QMenu, view: QWidget) -> None:
    """Make the copy and cut actions in Qt's own menu of a view copy by `copy_selected`, which asks for consent."""
    for action in menu.actions():
        if action.objectName() in (_COPY, _CUT):
            action.triggered.disconnect()
            _MenuCopy(action, view)


class _MenuCopy(QObject):
    """Copy the selection of a view when an action of its menu is chosen. It lives as long as the action."""

    def __init__(self, action: QAction, view: QWidget) -> None:
        super().__init__(action)
        self._view = view
        self._is_cut = action.objectName() == _CUT
        action.triggered.connect(self._on_triggered)

    def _on_triggered(self) -> None:
        copy_selected(self._view, is_cut=self._is_cut)


def copy_selected(view: QWidget, *, is_cut: bool = False) -> bool:
    """Copy or cut the selection of a view. Return False if the view has none that this module can copy."""
    text = selected_text(view)
    if not text or (is_cut and not _can_cut(view)):
        return bool(text)
    copy_text(view, text)
    if is_cut and label_at(view) != HIGHEST_LABEL:  # confidential text stays, because consent is still to come
        _cut(view)
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
    """Asks for consent before text of any window is copied. `window`: the main window."""

    def __init__(self, window: QWidget, secrecy: ConfidentialityGuard) -> None:
        super().__init__(window)
        self._secrecy = secrecy
        self._is_passing = False  # the present change of the clipboard has passed the gate
        self._selected: QWidget | None = None  # the widget whose selection the middle button pastes
        clipboard = QGuiApplication.clipboard()
        clipboard.dataChanged.connect(self._on_copied)
        clipboard.selectionChanged.connect(self._on_selected)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def copy(self, widget: QWidget, text: str) -> None:
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
        """Remove text that Qt has put on the clipboard by itself from a confidential widget, and ask for consent.

        Text that this class, another program or a widget with a lower label has put there stays.
        """
        clipboard, source = QGuiApplication.clipboard(), QApplication.focusWidget()
        if self._is_passing or not clipboard.ownsClipboard() or label_at(source) != HIGHEST_LABEL:
            return
        text = clipboard.text()
        if text:
            clipboard.clear()
            self._secrecy.copy(source or self._any_window(), lambda: HIGHEST_LABEL, text, self._put_on_clipboard)

    def _on_selected(self) -> None:
        self._selected = QApplication.focusWidget()
        self._clear_confidential_selection()

    def _clear_confidential_selection(self) -> None:
        """Clear the selection that the middle button pastes if its text is confidential or its widget is hidden.

        The label is looked up now, because it may have changed since the text was selected. The label of a hidden
        widget cannot be looked up.
        """
        clipboard, source = QGuiApplication.clipboard(), self._selected
        if not clipboard.ownsSelection():
            return
        visible = source if source is not None and shiboken6.isValid(source) and source.isVisible() else None
        if visible is None or not selected_text(visible) or label_at(visible) == HIGHEST_LABEL:
            clipboard.clear(QClipboard.Mode.Selection)

    def _any_window(self) -> QWidget | None:
        return next((one for one in QApplication.topLevelWidgets() if one.isVisible()), None)


def _watched_widgets(view: QWidget | None) -> list[QWidget]:
    """Return the widget that receives the keys, and its viewport, which receives the mouse; [] for None."""
    if view is None:
        return []
    return [view, view.viewport()] if isinstance(view, QAbstractScrollArea) else [view]


def _view_of(part: QObject) -> QWidget | None:
    """Return the view to which a viewport belongs, or the widget itself."""
    parent = part.parent()
    if isinstance(parent, QAbstractScrollArea) and parent.viewport() is part:
        return parent
    return part if isinstance(part, QWidget) else None


def _can_cut(view: QWidget) -> bool:
    return isinstance(view, (*_TEXTS, QLineEdit)) and not view.isReadOnly()


def _cut(view: QWidget) -> None:
    if isinstance(view, _TEXTS):
        view.textCursor().removeSelectedText()
    elif isinstance(view, QLineEdit):
        view.del_()


def _deselect_before_drag(view: QWidget, event: QMouseEvent) -> None:
    """Clear a confidential selection when the left button is pressed in its widget.

    The press may begin to drag the text into another program. With Shift and no other modifier Qt extends the selection
    and never drags, so the selection stays.
    """
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
