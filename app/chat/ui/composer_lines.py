"""Show the lines above the question field: where the text goes, and what cannot be asked now."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.uikit.localization import sending_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label


class RemoteMark(QWidget):
    """The line above the field that informs the user that the text leaves this machine."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = IconLabel(theme, "external-link", "warning")
        self.words = ElidedLabel("", "caption", "warning", strong=True)
        make_row(self._icon, (self.words, 1), into=self, margins_px=(4, 0, 4, 2), spacing_px=8)
        self.hide()

    def show_place(self, server: str, *, is_allowed: bool = True) -> None:
        """Show the server that will get the text. `server`: host and port; "" for a local model. `is_allowed`: whether
        the settings allow network access."""
        self.setVisible(bool(server))
        stopped = phrase("chat.outside_traffic_is_blocked_so", place=server)
        self.words.setText(sending_note(server) if is_allowed else stopped)
        self._icon.show_icon("external-link" if is_allowed else "lock", "warning")
        self.setAccessibleName(self.words.text())


class AskingNotice(QWidget):
    """The line above the field that says, before a question is sent, what cannot be asked and what helps."""

    acted = Signal()  # the button was clicked

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = IconLabel(theme, "info")
        self._words = Label(role="caption", wraps=True)
        self.button = Button(theme, "", compact=True)
        self.button.clicked.connect(self.acted)
        make_row(self._icon, (self._words, 1), self.button, into=self, margins_px=(4, 0, 0, 2), spacing_px=8)
        self.hide()

    @property
    def words(self) -> str:
        """Return the shown sentence; "" if there is none."""
        return "" if self.isHidden() else self._words.text()

    def show_notice(self, words: str, action: str = "", *, is_warning: bool = False) -> None:
        """Show a sentence and a button. `words` "": hide the line; `action` "": no button."""
        had_focus = self.button.hasFocus()
        self._words.setText(words)
        self._words.set_tone("warning" if is_warning else "text2")
        self._icon.show_icon("triangle-alert" if is_warning else "info", "warning" if is_warning else "text2")
        self.button.setText(action)
        self.button.setVisible(bool(action))
        self.button.setAccessibleDescription(words)
        self.setAccessibleName(words)
        self.setVisible(bool(words))
        if had_focus and not self.button.isVisible():
            self.focusNextChild()
