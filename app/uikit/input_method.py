"""While a conversion is open, its keys belong to the input method: in every text field, without the field's help.

What fcitx 5 with anthy does through Qt's ibus plugin (tried with tests/uikit/ui/test_fcitx.py): it takes every key of a
conversion, so that fields see none of them; Return commits, clears the preedit and is then released. When the
keyboard goes elsewhere, or the mouse clicks, Qt tells it to commit, and it answers with an empty preedit: what was
being converted would be gone. When it is restarted in the middle of a conversion, it never says that this has ended.
Other input methods hand on the Return or Esc that ended a conversion.
"""

from collections.abc import Callable
from typing import ClassVar

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QInputMethodEvent, QInputMethodQueryEvent, QKeyEvent, QWindow
from PySide6.QtWidgets import QAbstractItemView, QApplication, QComboBox, QLineEdit, QPlainTextEdit, QWidget
from shiboken6 import isValid

from app.uikit.composition import Composition


class InputMethodGuard(QObject):
    """Made with the QApplication. Guards the widget that has the keyboard, and costs nothing at any other."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        app.focusChanged.connect(self._on_focus_changed)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if isinstance(new, QAbstractItemView):
            self._guard_list(new)
        elif new is not None and new.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled):
            # The last filter is asked first: before that of an item delegate, and before those of the field's owner.
            new.installEventFilter(guard_of(new))

    def _guard_list(self, view: QAbstractItemView) -> None:
        """Lists whose items are not opened by typing turn the input method off: their keys are commands.

        Qt turns it on for every item that can be edited. Letters would then begin a conversion that nobody sees.
        """
        if not view.editTriggers() & QAbstractItemView.EditTrigger.AnyKeyPressed:
            view.installEventFilter(self)
            QGuiApplication.inputMethod().update(Qt.InputMethodQuery.ImEnabled)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QInputMethodQueryEvent) and event.queries() & Qt.InputMethodQuery.ImEnabled:
            event.setValue(Qt.InputMethodQuery.ImEnabled, False)
            event.accept()
            return True
        return False


def guard_of(field: QWidget) -> "FieldGuard":
    """The guard of a field, made when it is first asked for."""
    found: FieldGuard | None = field.findChild(FieldGuard, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return found or FieldGuard(field)


class FieldGuard(QObject):
    """Stands before one field, and lives as long as it."""

    # Of a field that Qt made, Python knows nothing but its guard: the collector would empty both, and Qt go on asking.
    kept: ClassVar[set["FieldGuard"]] = set()

    def __init__(self, field: QWidget) -> None:
        super().__init__(field)
        self.kept.add(self)
        field.destroyed.connect(lambda: self.kept.discard(self))
        self._field = field
        self.composition = Composition()
        self._dropped = ""  # what the input method has just cleared without committing it
        self._placeholder = ""
        self._window: QWindow | None = None
        self._waiting: list[Callable[[], object]] = []
        field.installEventFilter(self)

    @property
    def is_active(self) -> bool:
        """Whether a conversion is open."""
        return self.composition.is_active

    def when_free(self, act: Callable[[], object]) -> None:
        """Runs `act` now, or after the conversion. Nothing else may set the text of a field that can be typed in."""
        if self.is_active:
            self._waiting.append(act)
        else:
            act()

    def finish(self) -> bool:
        """Takes what is being converted as it is. False: the input method keeps it."""
        if self.is_active:
            QGuiApplication.inputMethod().commit()
        text, self._dropped = self._dropped, ""
        self._commit(text)
        return not self.is_active

    # ------------------------------------------------------------------ events

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if isinstance(event, QKeyEvent):
            return not isinstance(watched, QWindow) and self._on_key(event)
        if watched is not self._field:
            if kind == QEvent.Type.MouseButtonPress:
                self.finish()
        elif isinstance(event, QInputMethodEvent):
            self._on_input_method(event)
        elif kind == QEvent.Type.FocusAboutToChange and not self.finish():
            self._commit(self.composition.preedit)  # Qt asks too, and nobody answers
        return False

    def _on_key(self, event: QKeyEvent) -> bool:
        """Before the field, its delegate, its dialog and the shortcuts of the window."""
        if event.type() == QEvent.Type.KeyRelease:
            self.composition.note_release(event)
            return False
        is_taken = self.composition.owns(event)
        if is_taken:
            event.accept()
        return is_taken

    def _on_input_method(self, event: QInputMethodEvent) -> None:
        before = self.composition.preedit
        self.composition.note(event)
        if event.commitString():
            self._dropped = ""
        elif before and not self.is_active:
            self._dropped = before
            QTimer.singleShot(0, self, self._forget)
        if self.is_active and not before:
            self._begin()
        elif before and not self.is_active:
            self._end()

    def _begin(self) -> None:
        if isinstance(self._field, QPlainTextEdit):  # Qt paints its placeholder through the letters; not that of others
            self._placeholder = self._field.placeholderText()
            self._field.setPlaceholderText("")
        completer = self._field.completer() if isinstance(self._field, QLineEdit | QComboBox) else None
        popup = completer.popup() if completer is not None else None
        if popup is not None:  # a list of completions has the keys before the field
            popup.hide()
            popup.installEventFilter(self)
        self._window = self._field.window().windowHandle()
        if self._window is not None:
            self._window.installEventFilter(self)

    def _end(self) -> None:
        if isinstance(self._field, QPlainTextEdit):
            self._field.setPlaceholderText(self._placeholder)
        if self._window is not None and isValid(self._window):
            self._window.removeEventFilter(self)
        QTimer.singleShot(0, self, self._run_waiting)  # after the field itself has heard of the end

    def _run_waiting(self) -> None:
        while self._waiting and not self.is_active:
            self._waiting.pop(0)()

    # --------------------------------------------------------------------- text

    def _forget(self) -> None:
        """The field stays where it is: the user has cancelled the conversion."""
        self._dropped = ""

    def _commit(self, text: str) -> None:
        if text:
            event = QInputMethodEvent()
            event.setCommitString(text)
            QCoreApplication.sendEvent(self._field, event)
