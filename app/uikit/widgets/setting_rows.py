"""One row of the settings: a label, a control, one sentence."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

LABEL_WIDTH_PX = 168
CONTROL_WIDTH_PX = 220


class SettingRow(QWidget):
    """The control is named by the label for screen readers, and explained by the sentence."""

    def __init__(
        self, theme: Theme, label: str, control: QWidget, sentence: str = "", *, is_wide: bool = False
    ) -> None:
        """`is_wide`: the control takes all the width below the label."""
        super().__init__()
        self._theme = theme
        self._is_wide = is_wide
        self.control = control
        control.setAccessibleName(label)
        control.setAccessibleDescription(sentence)
        self._label = Label(label)
        self._label.setBuddy(control)
        self._build(sentence)
        theme.changed.connect(self._resize)

    def set_stacked(self, is_stacked: bool) -> None:
        """Puts the label above the control, where there is no room beside it."""
        directions = QBoxLayout.Direction
        self._row.setDirection(directions.TopToBottom if is_stacked else directions.LeftToRight)
        self._row.setSpacing(4 if is_stacked else 16)

    def show_note(self, words: str) -> None:
        """A line below the control on the state of this setting; "" for none. Its sign (✓ ▲) gives the colour."""
        self._note.set_tone({"✓": "success", "▲": "warning"}.get(words[:1], "accent"))
        self._note.setText(words)
        self._note.setVisible(bool(words))

    def _build(self, sentence: str) -> None:
        self._note = Label("", "caption", "accent", wraps=True, strong=True)
        self._note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._note.hide()
        explained = QVBoxLayout()
        explained.setSpacing(4)
        if self._is_wide:
            explained.addWidget(self.control)
        else:
            explained.addWidget(self.control, 0, Qt.AlignmentFlag.AlignLeft)
        explained.addWidget(self._note)
        if sentence:
            words = Label(sentence, "caption", "muted", wraps=True)
            words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            explained.addWidget(words)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(16)
        self._row.addWidget(self._label, 0, Qt.AlignmentFlag.AlignTop)
        self._row.addLayout(explained, 1)
        self._resize()

    def _resize(self) -> None:
        self._label.setFixedWidth(self._theme.px(LABEL_WIDTH_PX))
        self._label.setMinimumHeight(self._theme.metric("button_height"))
        if not self._is_wide:
            self.control.setMinimumWidth(self._theme.px(CONTROL_WIDTH_PX))


class Chooser(QComboBox):
    """A choice of one setting. It follows the setting and reports only what the user picks."""

    def __init__(self, choices: Sequence[tuple[str, Any]], chosen: Callable[[Any], None]) -> None:
        """`choices`: words and value of each."""
        super().__init__()
        self.set_choices(choices)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(lambda place: chosen(self._values[place]))

    def set_choices(self, choices: Sequence[tuple[str, Any]]) -> None:
        self._values = [value for _, value in choices]
        self.clear()
        self.addItems([words for words, _ in choices])

    def show_value(self, value: Any) -> None:
        """A value that is not among the choices (set by hand in the file) is added to them."""
        if value not in self._values:
            self._values.append(value)
            self.addItem(f"{value:,}" if isinstance(value, int) else str(value))
        self.setCurrentIndex(self._values.index(value))

    def wheelEvent(self, event: Any) -> None:
        """Scrolling the page must not change a setting that happens to be under the mouse."""
        event.ignore()
