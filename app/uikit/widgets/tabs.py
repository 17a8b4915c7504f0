"""The parts of the step, side by side, with how much there is in each; they go on in a second line where room ends."""

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.flow import Flow

HEIGHT_PX, SIDE_PX, LINE_PX = 36, 10, 2


class Tabs(QWidget):
    chosen = Signal(str)

    def __init__(self, theme: Theme, names: Mapping[str, str]) -> None:
        super().__init__()
        self.buttons = {key: TabButton(theme, name) for key, name in names.items()}
        self._names = names
        group = QButtonGroup(self)
        for button in self.buttons.values():
            group.addButton(button)
        group.buttonClicked.connect(lambda _button: self.chosen.emit(self.key))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(Flow(*self.buttons.values()), 1)
        next(iter(self.buttons.values())).setChecked(True)

    @property
    def key(self) -> str:
        return next(key for key, button in self.buttons.items() if button.isChecked())

    def show_tab(self, key: str) -> None:
        """The keyboard goes along where it is on another tab."""
        has_keyboard = any(button.hasFocus() for button in self.buttons.values())
        self.buttons[key].setChecked(True)
        if has_keyboard:
            self.buttons[key].setFocus()

    def show_count(self, key: str, count: int) -> None:
        """0: none is written."""
        name = self._names[key]
        self.buttons[key].show_words(f"{name} {count:,}" if count else name)


class TabButton(QAbstractButton):
    """The one that is shown is underlined and heavier. The arrow keys go from one to the next."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)
        self.show_words(name)

    def show_words(self, words: str) -> None:
        if words != self.text():
            self.setText(words)
            self.setAccessibleName(words)
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Of the heavier name, so that nothing moves."""
        width = QFontMetrics(self._theme.font("ui", 600)).horizontalAdvance(self.text())
        return QSize(width + 2 * self._theme.px(SIDE_PX), self._theme.px(HEIGHT_PX))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter, theme = QPainter(self), self._theme
        is_shown = self.isChecked()
        painter.setFont(theme.font("ui", 600 if is_shown else 400))
        painter.setPen(theme.color("text" if is_shown or self.underMouse() else "text2"))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self.text())
        if is_shown:
            line = theme.px(LINE_PX)
            painter.fillRect(0, self.height() - line, self.width(), line, theme.color("accent"))
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.color("accent"), theme.metric("focus_ring")))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(1, 3, -1, -5), 6, 6)
        painter.end()
