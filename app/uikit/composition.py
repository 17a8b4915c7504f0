"""Whose keys are they: the text field's, or those of a Japanese conversion in progress?"""

import time
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent, QKeyEvent

# Some input methods end a conversion and then hand on the very Return (or Esc, Tab) that ended it as a key press.
# People need longer than this to press the key again on purpose; its release ends the wait earlier.
GUARD_S = 0.1

_CONFIRMING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
_COMMAND_MODIFIERS = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)


class Composition:
    """Told of every input method event and key of one field."""

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
        """Whether the field must leave this key press alone."""
        if self.is_active:
            return not _types(event)
        return event.key() in _CONFIRMING_KEYS and self._clock() - self._ended_at < GUARD_S

    def note_release(self, event: QKeyEvent) -> None:
        if event.key() in _CONFIRMING_KEYS and not event.isAutoRepeat():
            self._ended_at = float("-inf")


def _types(event: QKeyEvent) -> bool:
    """A letter, which the field may have at any time.

    No input method at work hands one on; one that was restarted in the middle of a conversion does, and says nothing
    of the end. Letters that vanish would look as if the keyboard were broken.
    """
    return event.text().isprintable() and event.text() != "" and not event.modifiers() & _COMMAND_MODIFIERS
