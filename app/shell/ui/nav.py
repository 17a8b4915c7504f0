"""The pages of the window, as buttons with icon and word."""

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QGridLayout, QStyleOptionViewItem, QWidget

from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import plain_tooltip


class NavButton(QAbstractButton):
    """A page of the window; the one that is shown has the soft ground, the bar and weight 600."""

    def __init__(self, theme: Theme, icon: str, text: str, shortcut: str = "") -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self.note = ""
        self.setText(text)
        self.setAccessibleName(text)
        self.setToolTip(plain_tooltip(with_note(text, shortcut)))
        self.setCheckable(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self.updateGeometry)

    def set_note(self, note: str) -> None:
        """A few characters at the right."""
        self.note = note
        self.setAccessibleName(join_facts(self.text(), note))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(120), self._theme.metric("row_list"))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        painter = QPainter(self)
        area = self._ground()
        list_rows.draw_ground(painter, theme, area, is_chosen=self.isChecked(), option=self._option())
        size = theme.px(16)
        token = "accent" if self.isChecked() else "text2"
        theme.icon(self._icon, token).paint(painter, QRect(area.left() + 10, area.top(), size, area.height()))
        list_rows.draw_text(
            painter, theme, self.words_area(), self.text(), "ui", "text", weight=600 if self.isChecked() else 400
        )
        if self.note:
            width = self._note_width()
            place = QRect(area.right() - 8 - width, area.top(), width, area.height())
            list_rows.draw_text(painter, theme, place, self.note, "caption", "muted")

    def words_area(self) -> QRect:
        """Where the word stands, behind the icon."""
        right = self._note_width() + self._theme.px(8) if self.note else 0
        return self._ground().adjusted(10 + self._theme.px(16) + self._theme.px(10), 0, -8 - right, 0)

    def _note_width(self) -> int:
        return QFontMetrics(self._theme.font("caption")).horizontalAdvance(self.note) + 1

    def _ground(self) -> QRect:
        return self.rect().adjusted(8, 0, -8, 0)

    def _option(self) -> QStyleOptionViewItem:
        option = QStyleOptionViewItem()
        option.initFrom(self)  # focus, mouse and whether the keyboard moved the focus
        return option


class Nav(QWidget):
    """`pages`: (key, icon, word) from top to bottom; Ctrl+1 is the first. Two side by side where height is short."""

    chosen = Signal(str)  # the key of a page

    def __init__(self, theme: Theme, pages: tuple[tuple[str, str, str], ...]) -> None:
        super().__init__()
        self._buttons: dict[str, NavButton] = {}
        self._group = QButtonGroup(self)
        self._theme = theme
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 8, 0, 8)
        self._grid.setSpacing(0)
        self._grid.setColumnStretch(0, 1)
        for number, (key, icon, word) in enumerate(pages, start=1):
            button = NavButton(theme, icon, word, f"Ctrl+{number}")
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[key] = button
        self.set_columns(1)

    @property
    def full_height(self) -> int:
        """Of one column."""
        return len(self._buttons) * self._theme.metric("row_list") + 16

    def set_columns(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        self._grid.setColumnStretch(1, columns - 1)
        for button in self._buttons.values():
            self._grid.removeWidget(button)
        for place, button in enumerate(self._buttons.values()):
            self._grid.addWidget(button, place // columns, place % columns)

    def show_page(self, key: str) -> None:
        """Marks none where the page is not one of these."""
        if key in self._buttons:
            self._buttons[key].setChecked(True)
        elif (shown := self._group.checkedButton()) is not None:
            self._group.setExclusive(False)
            shown.setChecked(False)
            self._group.setExclusive(True)
