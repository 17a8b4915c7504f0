"""Show a message with icon, heading, sentence and buttons, which wrap below it, until the user closes it."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import make_column, make_row, set_direction
from app.uikit.widgets.labels import IconLabel, Label, repolish

WORDS_PX = 260  # the least width of the text beside the buttons

_ICONS = {"warning": "triangle-alert", "danger": "circle-x", "success": "circle-check"}


class Banner(QFrame):
    """A message, hidden until `show_message` is called. `level`: success, warning or danger."""

    action_requested = Signal(str)  # the key of a clicked button
    closed = Signal()

    def __init__(self, theme: Theme, *, can_close: bool = True) -> None:
        super().__init__()
        self._theme = theme
        self.level = ""  # the level of the last message
        self._build(can_close)
        self.hide()

    def show_message(self, level: str, heading: str, sentence: str, actions: tuple[tuple[str, str], ...] = ()) -> None:
        """Show a message. `heading`: the heading. `sentence`: "" for none. `actions`: (key, text) of each button."""
        self.level = level
        self.setProperty("surface", level)
        self._icon.show_icon(_ICONS[level], level)
        self._heading.setText(heading)
        self._heading.set_tone(level)
        self._sentence.setText(sentence)
        self._sentence.setVisible(bool(sentence))
        while (item := self._buttons.takeAt(0)) is not None:
            if (button := item.widget()) is not None:
                button.deleteLater()
        for key, words in actions:
            button = Button(self._theme, words, compact=True)
            button.clicked.connect(lambda _=False, key=key: self.action_requested.emit(key))
            self._buttons.addWidget(button)
        self.setAccessibleName(join_facts(heading, sentence))
        repolish(self)
        self._arrange()
        self.show()

    def show_error(self, error: AppError, actions: tuple[tuple[str, str], ...] = (), level: str = "danger") -> None:
        """Show the two sentences of an error: what happened and what to do next."""
        sentence = describe_error(error)
        self.show_message(level, sentence.message, sentence.next, actions)

    def dismiss(self) -> None:
        self.hide()
        self.closed.emit()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _build(self, can_close: bool) -> None:
        self._icon = IconLabel(self._theme, "triangle-alert", "warning")
        self._heading = Label(strong=True, wraps=True)
        self._sentence = Label(tone="text2", wraps=True)
        words = make_column(self._heading, self._sentence, spacing_px=2)
        self._buttons = make_row(spacing_px=8)
        self._content = make_row((words, 1), self._buttons, spacing_px=8)
        close = IconButton(self._theme, "x", phrase("common.close"))
        close.clicked.connect(self.dismiss)
        if not can_close:
            close.hide()
        make_row(self._icon, (self._content, 1), close, into=self, margins_px=(12, 8, 8, 8), spacing_px=12)

    def _arrange(self) -> None:
        buttons = self._buttons.sizeHint().width()
        fits = self.width() - buttons - self._theme.px(100) >= self._theme.px(WORDS_PX)
        is_row = fits or self._buttons.count() == 0
        if is_row != (self._content.direction() == QBoxLayout.Direction.LeftToRight):
            set_direction(self._content, is_row=is_row)
            self._content.setAlignment(self._buttons, Qt.AlignmentFlag.AlignLeft if not is_row else Qt.AlignmentFlag(0))
