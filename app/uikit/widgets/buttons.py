"""Buttons that keep their icon in the colours of the theme."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QPushButton, QToolButton, QWidget

from app.uikit.language import noted
from app.uikit.theme import Theme
from app.uikit.widgets.labels import repolish, tip

LEADING_GAP_PX = 4

_ICON_TONES = {"primary": "on_accent", "danger_fill": "on_accent", "danger": "danger", "link": "accent", "": "text"}


class Button(QPushButton):
    """A button with a word. `kind`: "" (secondary), primary, quiet, danger, danger_fill, link."""

    def __init__(
        self,
        theme: Theme,
        text: str,
        kind: str = "",
        icon: str = "",
        *,
        compact: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._theme = theme
        self._icon, self._token = icon, ""
        self.setProperty("kind", kind)
        self.setProperty("compact", compact)
        self.setAutoDefault(False)
        if kind == "link":
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self._retint)
        self._retint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not _pressed_by(event, self):
            super().keyPressEvent(event)

    def set_kind(self, kind: str) -> None:
        if self.property("kind") != kind:
            self.setProperty("kind", kind)
            repolish(self)
            self._retint()

    def show_icon(self, icon: str, token: str) -> None:
        """Another icon, in a colour of its own; "": none."""
        self._icon, self._token = icon, token
        self.setIcon(QIcon())
        self._retint()

    def _retint(self) -> None:
        if self._icon:
            token = self._token or _ICON_TONES.get(self.property("kind"), "text2")
            self.setIcon(self._theme.leading_icon(self._icon, token, gap=LEADING_GAP_PX))
            self.setIconSize(QSize(self._theme.px(16) + self._theme.px(LEADING_GAP_PX), self._theme.px(16)))


class IconButton(QToolButton):
    """A button with an icon alone; its name is the tooltip and what screen readers say."""

    def __init__(self, theme: Theme, icon: str, name: str, shortcut: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = icon
        self.setAccessibleName(name)
        self.setToolTip(tip(noted(name, shortcut)))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self._retint)
        self._retint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not _pressed_by(event, self):
            super().keyPressEvent(event)

    def _retint(self) -> None:
        self.setIcon(self._theme.icon(self._icon))
        self.setIconSize(QSize(self._theme.px(16), self._theme.px(16)))


def _pressed_by(event: QKeyEvent, button: QAbstractButton) -> bool:
    """Whether Enter pressed the button, as the space bar does by itself. Held down it presses once."""
    if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or event.modifiers() & ~_KEYPAD:
        return False
    if not event.isAutoRepeat():
        button.click()
    return True


_KEYPAD = Qt.KeyboardModifier.KeypadModifier
