"""Whose keys are they: the text field's, or those of a Japanese conversion in progress?"""

import time
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent, QKeyEvent

# Some input methods end a conversion and then hand on the very Return (or Esc, Tab) that ended it as a key press.
# People need longer than this to press the key again on purpose; its release ends the wait earlier.
GUARD_S = 0.1

_CONFIRMING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab)


class Composition:
    """Told of every input method event and key of one field."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._preedit = ""
        self._ended_at = float("-inf")

    @property
    def is_active(self) -> bool:
        return bool(self._preedit)

    def note(self, event: QInputMethodEvent) -> None:
        was_active = self.is_active
        self._preedit = event.preeditString()
        if event.commitString() or (was_active and not self.is_active):
            self._ended_at = self._clock()

    def end(self) -> None:
        """The field lost the focus, or its input method went away in the middle of a conversion."""
        self._preedit = ""

    def owns(self, event: QKeyEvent) -> bool:
        """Whether the field must leave this key press alone."""
        if self.is_active:
            return True
        return event.key() in _CONFIRMING_KEYS and self._clock() - self._ended_at < GUARD_S

    def note_release(self, event: QKeyEvent) -> None:
        if event.key() in _CONFIRMING_KEYS and not event.isAutoRepeat():
            self._ended_at = float("-inf")
