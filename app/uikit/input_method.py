"""Leave the keys of an open Japanese conversion to the input method, in every text field.

An event filter does this (`FieldGuard`), so that the classes of fields need no code for it.

Facts about fcitx 5 with anthy through Qt's ibus plugin (tested by tests/uikit/ui/test_fcitx.py): fcitx takes every key
press of a conversion, so that fields receive none of them. Return commits the text and clears the preedit; the field
receives only the release of the key. When the keyboard focus moves, or the mouse clicks, Qt asks fcitx to commit, and
fcitx answers with an empty preedit: the text under conversion would be lost. When fcitx is restarted in the middle of a
conversion, it never reports the end of that conversion. Other input methods pass on the Return or Esc that ended a
conversion.

PySide6 has no plugin for fcitx, but fcitx also speaks the protocol of IBus (`prepare_fcitx`).
"""

import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import ClassVar

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QInputMethodEvent, QInputMethodQueryEvent, QKeyEvent, QWindow
from PySide6.QtWidgets import QAbstractItemView, QApplication, QComboBox, QLineEdit, QPlainTextEdit, QWidget
from shiboken6 import isValid

_LIST, _ONE = "QT_IM_MODULES", "QT_IM_MODULE"  # Qt reads the list first, separated by semicolons
_NAMES = ("fcitx", "fcitx5")
_HINTS = (("XMODIFIERS", "@im="), ("INPUT_METHOD", ""), ("GTK_IM_MODULE", ""))


def prepare_fcitx(environment: MutableMapping[str, str], plugins: Path) -> None:
    """Make Qt use fcitx through its ibus plugin. Call it before the QApplication is made, and only on Linux.

    `plugins`: Qt's folder of plugins. Without this Qt would look for a plugin that does not exist, and Japanese could
    not be typed. fcitx listens at the portal's name on the session bus, which IBUS_USE_PORTAL makes Qt use.
    """
    if any((plugins / "platforminputcontexts").glob("*fcitx*")):
        return
    chosen = [name for name in environment.get(_LIST, "").split(";") if name]
    if chosen:
        if not set(chosen) & set(_NAMES):
            return
        environment[_LIST] = ";".join(dict.fromkeys("ibus" if name in _NAMES else name for name in chosen))
    elif environment.get(_ONE):
        if environment[_ONE] not in _NAMES:
            return
        environment[_ONE] = "ibus"
    elif _is_hinted(environment):
        environment[_ONE] = "ibus"
    else:
        return
    environment["IBUS_USE_PORTAL"] = "1"


def _is_hinted(environment: MutableMapping[str, str]) -> bool:
    """Return whether the variables in _HINTS, which configure other programs, name fcitx as the input method.

    Return False on Wayland, where Qt receives text from the compositor and needs no plugin.
    """
    is_wayland = environment.get("XDG_SESSION_TYPE") == "wayland" or bool(environment.get("WAYLAND_DISPLAY"))
    if is_wayland and environment.get("QT_QPA_PLATFORM", "wayland").startswith("wayland"):
        return False
    return any(environment.get(variable, "").removeprefix(prefix) in _NAMES for variable, prefix in _HINTS)


# Some input methods end a conversion and then pass on the very Return (or Esc, Tab) that ended it as a key press.
# Users need longer than this to press the key again on purpose; its release ends the wait earlier.
GUARD_S = 0.1

_CONFIRMING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
_COMMAND_MODIFIERS = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)


class Composition:
    """The state of the Japanese conversion in one field, computed from its input method events and keys."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ended_at = float("-inf")
        self.preedit = ""

    @property
    def is_active(self) -> bool:
        return bool(self.preedit)

    def note(self, event: QInputMethodEvent) -> None:
        was_active = self.is_active
        self.preedit = event.preeditString()
        if event.commitString() or (was_active and not self.is_active):
            self._ended_at = self._clock()

    def owns(self, event: QKeyEvent) -> bool:
        """Return whether this key press belongs to the input method, so that the field must ignore it."""
        if self.is_active:
            return not _types(event)
        return event.key() in _CONFIRMING_KEYS and self._clock() - self._ended_at < GUARD_S

    def note_release(self, event: QKeyEvent) -> None:
        if event.key() in _CONFIRMING_KEYS and not event.isAutoRepeat():
            self._ended_at = float("-inf")


def _types(event: QKeyEvent) -> bool:
    """Return whether a key press types a character, which the field must receive even during a conversion.

    A working input method passes on no characters during a conversion. One that was restarted in the middle of it does,
    without reporting the end of the conversion. If these characters vanished, the keyboard would seem broken.
    """
    return event.text().isprintable() and event.text() != "" and not event.modifiers() & _COMMAND_MODIFIERS


class InputMethodGuard(QObject):
    """Installs a `FieldGuard` on each text field when it first gets the keyboard focus. Made with the QApplication."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        app.focusChanged.connect(self._on_focus_changed)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if isinstance(new, QAbstractItemView):
            self._guard_list(new)
        elif new is not None and new.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled):
            # Qt calls the last filter first: before that of an item delegate, and before those of the field's owner.
            new.installEventFilter(guard_of(new))

    def _guard_list(self, view: QAbstractItemView) -> None:
        """Turn the input method off in lists whose items are not edited by typing: their keys are commands.

        Qt turns it on for every item that can be edited. Letters would then begin an invisible conversion.
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
    """Return the `FieldGuard` of a text field; the first call for a field makes it."""
    guard: FieldGuard | None = field.findChild(FieldGuard, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return guard or FieldGuard(field)


class FieldGuard(QObject):
    """The event filter that keeps keys from one text field while a conversion is open.

    It lives as long as the field.
    """

    # For a field that Qt itself made, Python has no other reference to the guard: the garbage collector would clear it
    # while Qt still calls it.
    kept: ClassVar[set["FieldGuard"]] = set()

    def __init__(self, field: QWidget) -> None:
        super().__init__(field)
        self.kept.add(self)
        field.destroyed.connect(lambda: self.kept.discard(self))
        self._field = field
        self.composition = Composition()
        self._dropped = ""  # the preedit that the input method has just cleared without committing it
        self._placeholder = ""
        self._window: QWindow | None = None
        self._waiting: list[Callable[[], object]] = []
        field.installEventFilter(self)

    @property
    def is_active(self) -> bool:
        """Return whether a conversion is open."""
        return self.composition.is_active

    def run_after_conversion(self, act: Callable[[], object]) -> None:
        """Run `act` now, or after the conversion. Code that sets the text of a typed field must use this."""
        if self.is_active:
            self._waiting.append(act)
        else:
            act()

    def finish(self) -> bool:
        """Commit the text under conversion as it is. Return False if the input method keeps it."""
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
            self._commit(self.composition.preedit)  # Qt asks the input method too, which does not answer
        return False

    def _on_key(self, event: QKeyEvent) -> bool:
        """Handle a key before the field, its delegate, its dialog and the shortcuts of the window."""
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
            QTimer.singleShot(0, self, self._forget_dropped)
        if self.is_active and not before:
            self._begin()
        elif before and not self.is_active:
            self._end()

    def _begin(self) -> None:
        if isinstance(self._field, QPlainTextEdit):  # Qt would paint the placeholder over the preedit here
            self._placeholder = self._field.placeholderText()
            self._field.setPlaceholderText("")
        completer = self._field.completer() if isinstance(self._field, QLineEdit | QComboBox) else None
        popup = completer.popup() if completer is not None else None
        if popup is not None:  # a list of completions receives keys before the field
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
        QTimer.singleShot(0, self, self._run_waiting)  # after the field itself has handled the event

    def _run_waiting(self) -> None:
        while self._waiting and not self.is_active:
            self._waiting.pop(0)()

    # --------------------------------------------------------------------- text

    def _forget_dropped(self) -> None:
        """Forget the cleared preedit: the focus has not moved, so the user has cancelled the conversion."""
        self._dropped = ""

    def _commit(self, text: str) -> None:
        if text:
            event = QInputMethodEvent()
            event.setCommitString(text)
            QCoreApplication.sendEvent(self._field, event)
