"""Keep keys from a text field while the input method converts Japanese text in it, by a filter (`ConversionGuard`).

The preedit is the text under conversion. fcitx 5 with anthy, through Qt's ibus plugin (tests/uikit/ui/test_fcitx.py),
consumes all key presses meanwhile: Return commits and clears the preedit, and the field gets only the release. When the
focus moves or the mouse clicks, fcitx clears the preedit although Qt asks it to commit, so the text would be lost. Once
restarted, it never reports the end. Other input methods send the Return or Esc that ended a conversion.
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
    """Make Qt use fcitx, if chosen and without a plugin of its own, through its ibus plugin and IBUS_USE_PORTAL.

    Call it on Linux before the QApplication. `environment`: is changed. `plugins`: Qt's folder.
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
    """Whether variables for other programs (_HINTS) name fcitx; False on Wayland, which needs no plugin."""
    is_wayland = environment.get("XDG_SESSION_TYPE") == "wayland" or bool(environment.get("WAYLAND_DISPLAY"))
    if is_wayland and environment.get("QT_QPA_PLATFORM", "wayland").startswith("wayland"):
        return False
    return any(environment.get(variable, "").removeprefix(prefix) in _NAMES for variable, prefix in _HINTS)


# Some input methods send the field the Return, Esc or Tab that ended a conversion as a key press. For this time after a
# conversion, or until the key is released, such keys are ignored; users need longer to press a key again.
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
        """Return whether the field must ignore a key press, because it belongs to the conversion."""
        if self.is_active:
            return not _types(event)
        return event.key() in _CONFIRMING_KEYS and self._clock() - self._ended_at < GUARD_S

    def note_release(self, event: QKeyEvent) -> None:
        if event.key() in _CONFIRMING_KEYS and not event.isAutoRepeat():
            self._ended_at = float("-inf")


def _types(event: QKeyEvent) -> bool:
    """Whether a key types a character, which in a conversion only a restarted input method lets through."""
    return event.text().isprintable() and event.text() != "" and not event.modifiers() & _COMMAND_MODIFIERS


class InputMethodGuard(QObject):
    """Installs a `ConversionGuard` on each text field when it gets the keyboard focus. The application has one."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        app.focusChanged.connect(self._on_focus_changed)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if isinstance(new, QAbstractItemView):
            # Qt turns the input method on for every editable item; it must be off in a list whose keys are commands.
            if not new.editTriggers() & QAbstractItemView.EditTrigger.AnyKeyPressed:
                new.installEventFilter(self)
                QGuiApplication.inputMethod().update(Qt.InputMethodQuery.ImEnabled)
        elif new is not None and new.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled):
            # Qt calls the filter installed last first, so before those of an item delegate and of the field's owner.
            new.installEventFilter(conversion_guard_of(new))

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QInputMethodQueryEvent) and event.queries() & Qt.InputMethodQuery.ImEnabled:
            event.setValue(Qt.InputMethodQuery.ImEnabled, False)
            event.accept()
            return True
        return False


def conversion_guard_of(field: QWidget) -> "ConversionGuard":
    """Return the `ConversionGuard` of a text field; create it at the first call."""
    guard: ConversionGuard | None = field.findChild(ConversionGuard, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return guard or ConversionGuard(field)


class ConversionGuard(QObject):
    """The event filter, owned by a text field, that keeps keys from it during a conversion."""

    # Keeps the guards of fields that Qt itself has created, to which Python has no other reference: the garbage
    # collector would clear them while Qt still calls them.
    kept: ClassVar[set["ConversionGuard"]] = set()

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
    def is_converting(self) -> bool:
        """Return whether a conversion is open."""
        return self.composition.is_active

    def run_after_conversion(self, act: Callable[[], object]) -> None:
        """Call `act` now, or after the open conversion. Code that sets the text of a field must do so through this."""
        if self.is_converting:
            self._waiting.append(act)
        else:
            act()

    def finish(self) -> bool:
        """Commit the text under conversion unchanged. Return False if the input method does not end the conversion."""
        if self.is_converting:
            QGuiApplication.inputMethod().commit()
        text, self._dropped = self._dropped, ""
        self._commit(text)
        return not self.is_converting

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
            self._commit(self.composition.preedit)  # Qt has requested the input method to commit, without effect
        return False

    def _on_key(self, event: QKeyEvent) -> bool:
        """Return whether to keep a key event from the field, its delegate, its dialog and the window's shortcuts."""
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
        elif before and not self.is_converting:
            self._dropped = before
            QTimer.singleShot(0, self, self._forget_dropped)
        if self.is_converting and not before:
            self._begin()
        elif before and not self.is_converting:
            if isinstance(self._field, QPlainTextEdit):
                self._field.setPlaceholderText(self._placeholder)
            if self._window is not None and isValid(self._window):
                self._window.removeEventFilter(self)
            QTimer.singleShot(0, self, self._run_waiting)  # after the field itself has handled the event

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

    def _run_waiting(self) -> None:
        while self._waiting and not self.is_converting:
            self._waiting.pop(0)()

    # --------------------------------------------------------------------- text

    def _forget_dropped(self) -> None:
        """Drop the cleared preedit: the focus has not moved, so the user has cancelled the conversion."""
        self._dropped = ""

    def _commit(self, text: str) -> None:
        if text:
            event = QInputMethodEvent()
            event.setCommitString(text)
            QCoreApplication.sendEvent(self._field, event)
