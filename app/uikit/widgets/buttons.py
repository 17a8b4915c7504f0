"""Provide buttons whose icons follow the theme, and key caps that show shortcuts."""

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QIcon, QKeyEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractButton,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStyleOptionViewItem,
    QStylePainter,
    QToolButton,
    QWidget,
)

from app.base.wording import current_language
from app.uikit.localization import with_note
from app.uikit.theme import PIXEL_RATIOS, Theme
from app.uikit.widgets.labels import plain_tooltip, repolish

LEADING_GAP_PX = 4

_ICON_TONES = {"primary": "on_accent", "danger_fill": "on_accent", "danger": "danger", "link": "accent", "": "text"}


def make_menu(parent: QWidget) -> QMenu:
    """Return a menu that Qt deletes when it closes."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return menu


def pop_up(menu: QMenu, button: QWidget) -> None:
    """Open the menu below the button, right-aligned with it."""
    menu.popup(button.mapToGlobal(QPoint(button.width() - menu.sizeHint().width(), button.height() + 2)))


class Button(QPushButton):
    """A button with text. `kind`: "" (secondary), primary, quiet, danger, danger_fill, link."""

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
        """Show another icon. `icon` "": none. `token`: its colour; "": that of the button's kind."""
        self._icon, self._token = icon, token
        self.setIcon(QIcon())
        self._retint()

    def _retint(self) -> None:
        if self._icon:
            token = self._token or _ICON_TONES.get(self.property("kind"), "text2")
            self.setIcon(self._theme.icon(self._icon, token, gap=LEADING_GAP_PX))
            self.setIconSize(QSize(self._theme.px(16) + self._theme.px(LEADING_GAP_PX), self._theme.px(16)))


class ElidedButton(Button):
    """A button with foreign words, which end in … where they do not fit."""

    def __init__(self, theme: Theme, words: str, *, compact: bool = False) -> None:
        super().__init__(theme, escape_mnemonic(words), compact=compact)
        self.setAccessibleName(words)
        self.setToolTip(plain_tooltip(words))
        self.setMinimumWidth(1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, option = QStylePainter(self), QStyleOptionButton()
        self.initStyleOption(option)
        room = self.style().subElementRect(QStyle.SubElement.SE_PushButtonContents, option, self).width()
        option.text = QFontMetrics(self.font()).elidedText(self.text(), Qt.TextElideMode.ElideRight, room)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)


class IconButton(QToolButton):
    """A button with an icon only. `name`: the tooltip and accessible name."""

    def __init__(self, theme: Theme, icon: str, name: str, shortcut: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = icon
        self.setAccessibleName(name)
        self.setToolTip(plain_tooltip(with_note(name, shortcut)))
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
    """Click the button, once while held, if the key is Enter, as Qt does for space; return whether it is."""
    if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or event.modifiers() & ~_KEYPAD:
        return False
    if not event.isAutoRepeat():
        button.click()
    return True


_KEYPAD = Qt.KeyboardModifier.KeypadModifier


class PaintedButton(QAbstractButton):
    """The base of buttons that paint themselves."""

    def __init__(self, theme: Theme, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setText(text)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not _pressed_by(event, self):
            super().keyPressEvent(event)

    def _view_option(self) -> QStyleOptionViewItem:
        """Return the states of focus, mouse and keyboard focus, to draw the button as a row of a list."""
        option = QStyleOptionViewItem()
        option.initFrom(self)
        return option


_SPACE = "\u2009"  # added to the 4 px that Qt leaves between icon and text, too little for Japanese


def make_icon_button(theme: Theme, words: str, icon: str, kind: str = "", *, compact: bool = False) -> Button:
    """Return a button with an icon before its text."""
    button = Button(theme, with_icon_space(words), kind, icon, compact=compact)
    button.setAccessibleName(words)
    return button


def with_icon_space(words: str) -> str:
    """Return a text with a thin space before it, to show after an icon."""
    return _SPACE + words


def escape_mnemonic(text: str) -> str:
    """Escape &, which in texts of buttons and menus Qt takes for the mark of a shortcut."""
    return text.replace("&", "&&")


CAP_PX, CAP_GAP_PX = 18, 6


class KeyButton(Button):
    """A button that shows its shortcut as a drawn key cap behind its text. `key`: the text on the cap."""

    def __init__(self, theme: Theme, text: str, key: str) -> None:
        super().__init__(theme, text)
        self._key = key
        self.setAccessibleName(with_note(text, key))
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the cap is the button's icon, and so behind the text
        theme.changed.connect(self._draw_cap)
        self._draw_cap()

    def _draw_cap(self) -> None:
        theme = self._theme
        icon = QIcon()
        for mode, token in ((QIcon.Mode.Normal, "text2"), (QIcon.Mode.Disabled, "control")):
            for ratio in PIXEL_RATIOS:
                icon.addPixmap(_draw_key_cap(theme, self._key, token, ratio), mode)
        self.setIcon(icon)
        self.setIconSize(QSize(theme.px(CAP_PX + CAP_GAP_PX), theme.px(CAP_PX)))


def _draw_key_cap(theme: Theme, key: str, token: str, ratio: float) -> QPixmap:
    """Draw a key cap with a margin at its left. `token`: its colour; `ratio`: the device pixel ratio."""
    size, gap = theme.px(CAP_PX), theme.px(CAP_GAP_PX)
    pixmap = QPixmap(QSize(size + gap, size) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.color(token), 1))
    cap = QRectF(gap + 0.5, 0.5, size - 1, size - 1)
    painter.drawRoundedRect(cap, theme.px(4), theme.px(4))
    painter.setFont(theme.font("caption"))
    painter.drawText(cap, int(Qt.AlignmentFlag.AlignCenter), key)
    painter.end()
    return pixmap


KeyHintPart = tuple[str, bool]  # a text, and whether it is the name of a key


class KeyHint(QWidget):
    """A line of keys, drawn as key caps, and texts about their effects."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._parts: tuple[KeyHintPart, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)
        theme.changed.connect(self.update)

    def show_parts(self, *parts: KeyHintPart) -> None:
        self._parts = parts
        gap = "" if current_language() == "ja" else " "
        self.setAccessibleName(gap.join(words.strip(" ") for words, _ in parts))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(int(self._lay_out()[-1][0].right()) if self._parts else 0, self._theme.px(22))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self._theme.px(22))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._theme.font("caption"))
        for place, words, is_key in self._lay_out():
            if place.right() > self.width() + 1:
                break
            if is_key:
                painter.setPen(QPen(self._theme.color("control"), 1))
                painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), self._theme.px(3), self._theme.px(3))
            painter.setPen(self._theme.color("text2"))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), words)

    def _lay_out(self) -> list[tuple[QRectF, str, bool]]:
        metrics = QFontMetrics(self._theme.font("caption"))
        height = self._theme.px(20)
        x = 0.0
        placed = []
        for words, is_key in self._parts:
            width = metrics.horizontalAdvance(words) + self._theme.px(10 if is_key else 8)
            placed.append((QRectF(x, self._theme.px(1), width, height), words, is_key))
            x += width
        return placed
