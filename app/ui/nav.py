"""The pages of the window, as buttons with icon and word."""

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QStyleOptionViewItem, QVBoxLayout, QWidget

from app.ui.language import noted
from app.ui.theme import Theme
from app.ui.widgets import rows
from app.ui.widgets.labels import tip


class NavButton(QAbstractButton):
    """A page of the window; the one that is shown has the soft ground, the bar and weight 600."""

    def __init__(self, theme: Theme, icon: str, text: str, shortcut: str) -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self.setText(text)
        self.setAccessibleName(text)
        self.setToolTip(tip(noted(text, shortcut)))
        self.setCheckable(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(120), self._theme.metric("row_list"))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        painter = QPainter(self)
        area = self._ground()
        rows.draw_ground(painter, theme, area, is_chosen=self.isChecked(), option=self._option())
        size = theme.px(16)
        token = "accent" if self.isChecked() else "text2"
        theme.icon(self._icon, token).paint(painter, QRect(area.left() + 10, area.top(), size, area.height()))
        rows.draw_text(
            painter, theme, self.words_area(), self.text(), "ui", "text", weight=600 if self.isChecked() else 400
        )

    def words_area(self) -> QRect:
        """Where the word stands, behind the icon."""
        return self._ground().adjusted(10 + self._theme.px(16) + self._theme.px(10), 0, -8, 0)

    def _ground(self) -> QRect:
        return self.rect().adjusted(8, 0, -8, 0)

    def _option(self) -> QStyleOptionViewItem:
        option = QStyleOptionViewItem()
        option.initFrom(self)  # focus, mouse and whether the keyboard moved the focus
        return option


class Nav(QWidget):
    """`pages`: (key, icon, word) from top to bottom; Ctrl+1 is the first."""

    chosen = Signal(str)  # the key of a page

    def __init__(self, theme: Theme, pages: tuple[tuple[str, str, str], ...]) -> None:
        super().__init__()
        self._buttons: dict[str, NavButton] = {}
        self._group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.setSpacing(0)
        for number, (key, icon, word) in enumerate(pages, start=1):
            button = NavButton(theme, icon, word, f"Ctrl+{number}")
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[key] = button
            column.addWidget(button)

    def show_page(self, key: str) -> None:
        self._buttons[key].setChecked(True)
