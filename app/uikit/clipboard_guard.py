"""Every way of shown text out of the window, in one place: copied by key or menu, selected with the mouse, dragged.

Whatever widget has had the keyboard is watched, since text is only selected in such ones. What a widget shows is
labelled by the nearest of its ancestors that has `label_now`; without any it counts as confidential. What reaches the
clipboard in another way (a menu of Qt's own, an assistive technology) is taken back before another program can read it
and asked about, and confidential text never stays in the selection that X11 and Wayland paste with the middle button:
selecting is no export, so nobody is asked there.
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
_COPY, _CUT = "edit-copy", "edit-cut"  # what Qt calls the actions of its menus


@runtime_checkable
class LabelledWidget(Protocol):
    """A page or a window that says how confidential what it shows is."""

    def label_now(self) -> Label: ...


def label_at(widget: QWidget | None) -> Label:
    """Return the label of what a widget shows."""
    while widget is not None:
        if isinstance(widget, LabelledWidget):
            try:
                return widget.label_now()
            except AppError:  # what says it cannot be read
                return HIGHEST_LABEL
        widget = widget.parentWidget()
    return HIGHEST_LABEL


def copy_text(widget: QWidget, text: str) -> None:
    """Put text that `widget` shows on the clipboard, at once or after a yes."""
    windows = (widget.window(), *QApplication.topLevelWidgets())
    exits = next((found for one in windows if (found := one.findChild(ClipboardGuard)) is not None), None)
    if not text:
        return
    if exits is not None:
        exits.copy(widget, text)
    elif (label := label_at(widget)) != HIGHEST_LABEL:  # of a window that stands alone; nobody can ask there
        export = ExportRequest("copy", CLIPBOARD, lambda: label)
        confidentiality_guard.put_on_clipboard(text, confidentiality.permit_export(export, Path(), is_agreed=False))


def guard_menu(menu: QMenu, view: QWidget) -> None:
    """Let what Qt's own menu of a view copies pass the gate."""
    for action in menu.actions():
        if action.objectName() in (_COPY, _CUT):
            action.triggered.disconnect()
            _MenuCopy(action, view)


class _MenuCopy(QObject):
    """Copies what is selected in a view when an action of its menu is chosen; lives as long as the action."""

    def __init__(self, action: QAction, view: QWidget) -> None:
        super().__init__(action)
        self._view = view
        self._is_cut = action.objectName() == _CUT
        action.triggered.connect(self._on_triggered)

    def _on_triggered(self) -> None:
        copy_selected(self._view, is_cut=self._is_cut)


def copy_selected(view: QWidget, *, is_cut: bool = False) -> bool:
    """False: there is nothing that we would know how to copy."""
    text = selected_text(view)
    if not text or (is_cut and not _can_cut(view)):
        return bool(text)
    copy_text(view, text)
    if is_cut and label_at(view) != HIGHEST_LABEL:  # else it stays: the yes is still to come
        _cut(view)
    return True


def selected_text(view: QWidget) -> str:
    """Return what a key or a menu would copy."""
    if isinstance(view, _TEXTS):
        return remove_display_helpers(view.textCursor().selection().toPlainText())
    if isinstance(view, QLabel):
        return view.selectedText()
    if isinstance(view, QLineEdit):
        return view.selectedText() if view.echoMode() == QLineEdit.EchoMode.Normal else ""
    if isinstance(view, QAbstractItemView):  # Qt copies the words of the current item
        return str(view.currentIndex().data(Qt.ItemDataRole.DisplayRole) or "")
    return ""


class ClipboardGuard(QObject):
    """One for all windows; `window` is the main one."""

    def __init__(self, window: QWidget, secrecy: ConfidentialityGuard) -> None:
        super().__init__(window)
        self._secrecy = secrecy
        self._is_passing = False  # what reaches the clipboard has passed the gate
        self._selected: QWidget | None = None  # whose text the middle button pastes
        clipboard = QGuiApplication.clipboard()
        clipboard.dataChanged.connect(self._on_copied)
        clipboard.selectionChanged.connect(self._on_selected)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def copy(self, widget: QWidget, text: str) -> None:
        self._secrecy.copy(widget.window(), lambda: label_at(widget), text, self._put)

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
            QTimer.singleShot(0, self, lambda: self._take_over_menus(view))  # once Qt has made it
        return False

    # ------------------------------------------------------------------- private

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if new is None:
            self._take_back_selection()  # the user goes to another program
        for part in _parts(new):  # for good: what is selected stays so while another window is active
            part.installEventFilter(self)

    def _take_over_menus(self, view: QWidget) -> None:
        for menu in view.findChildren(QMenu):
            if menu.isVisible():
                guard_menu(menu, view)

    def _put(self, text: str, permit: Permit) -> None:
        self._is_passing = True
        try:
            confidentiality_guard.put_on_clipboard(text, permit)
        finally:
            self._is_passing = False

    def _on_copied(self) -> None:
        """Qt or somebody else has filled the clipboard past the gate."""
        clipboard, source = QGuiApplication.clipboard(), QApplication.focusWidget()
        if self._is_passing or not clipboard.ownsClipboard() or label_at(source) != HIGHEST_LABEL:
            return
        text = clipboard.text()
        if text:
            clipboard.clear()
            self._secrecy.copy(source or self._any_window(), lambda: HIGHEST_LABEL, text, self._put)

    def _on_selected(self) -> None:
        self._selected = QApplication.focusWidget()
        self._take_back_selection()

    def _take_back_selection(self) -> None:
        """What is selected may have become confidential since, and the keyboard have gone through other pages. What is
        not in sight any more has no label that could be looked up."""
        clipboard, source = QGuiApplication.clipboard(), self._selected
        if not clipboard.ownsSelection():
            return
        in_sight = source if source is not None and shiboken6.isValid(source) and source.isVisible() else None
        if in_sight is None or not selected_text(in_sight) or label_at(in_sight) == HIGHEST_LABEL:
            clipboard.clear(QClipboard.Mode.Selection)

    def _any_window(self) -> QWidget | None:
        return next((one for one in QApplication.topLevelWidgets() if one.isVisible()), None)


def _parts(view: QWidget | None) -> list[QWidget]:
    """The widget that gets the keys, and the one that gets the mouse."""
    if view is None:
        return []
    return [view, view.viewport()] if isinstance(view, QAbstractScrollArea) else [view]


def _view_of(part: QObject) -> QWidget | None:
    """The widget whose part it is."""
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
    """A press on selected text may begin to drag it, into any program: then nothing is selected any more. Only with
    Shift alone Qt never drags, and selects on."""
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
