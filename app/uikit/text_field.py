"""Where the instruction to the model comes from: left to the level below, none at all, or written here."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from app.base.storable_text import TEXT_MAX, is_text
from app.base.wording import phrase
from app.uikit.input_method import guard_of
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label
from app.uikit.widgets.setting_rows import CONTROL_WIDTH_PX, Chooser

TEXT_HEIGHT_PX = 116
QUOTED_MAX = 400  # characters of the text below; more would push the rest of the form away

BELOW, NONE, OWN = "below", "none", "own"


class PromptField(QWidget):
    """None, "" and a text are three answers to one question, so they are three choices of one list."""

    changed = Signal()

    def __init__(self, theme: Theme, below_words: str) -> None:
        """`below_words` names what holds when nothing is chosen here."""
        super().__init__()
        self._theme = theme
        self._below = ""
        choices = [(below_words, BELOW), (phrase("uikit.no_instruction"), NONE), (phrase("uikit.write_my_own"), OWN)]
        self.source = Chooser(choices, self._on_chosen)
        self._source = BELOW
        self.text = TextField(theme, phrase("uikit.text_of_the_system_prompt"), TEXT_HEIGHT_PX)
        self._quoted = Label(tone="text2", wraps=True)
        self._quoted.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setFocusProxy(self.source)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.source)
        column.addWidget(self._quoted)
        column.addWidget(self.text)
        self.source.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.source.setMinimumWidth(theme.px(CONTROL_WIDTH_PX))
        self.source.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.text.textChanged.connect(self.changed)

    def setAccessibleName(self, name: str) -> None:
        super().setAccessibleName(name)
        self.source.setAccessibleName(name)

    def setAccessibleDescription(self, description: str) -> None:
        super().setAccessibleDescription(description)
        self.source.setAccessibleDescription(description)

    def prompt(self) -> str | None:
        if self._source == OWN:
            return storable(self.text)
        return "" if self._source == NONE else None

    def problem(self) -> str:
        """Why this cannot be stored; "" when it can."""
        if self._source != OWN:
            return ""
        if not self.text.toPlainText().strip():
            return phrase("uikit.write_the_system_prompt_or")
        return too_long(self.text)

    def show_prompt(self, prompt: str | None) -> None:
        self._source = BELOW if prompt is None else OWN if prompt else NONE
        show_text(self.text, prompt or "")
        self._show()

    def show_below(self, text: str) -> None:
        """The text that holds when nothing is chosen here."""
        self._below = text
        self._show()

    def _on_chosen(self, source: str) -> None:
        self._source = source
        if source == OWN and not self.text.toPlainText().strip():
            show_text(self.text, self._below)  # most people change what is there
        self._show()
        if source == OWN:
            self.text.setFocus()
        self.changed.emit()

    def _show(self) -> None:
        self.source.show_value(self._source)
        self.text.setVisible(self._source == OWN)
        self._quoted.setVisible(self._source == BELOW)
        short = self._below if len(self._below) <= QUOTED_MAX else self._below[: QUOTED_MAX - 1] + "…"
        self._quoted.setText(phrase("common.text", text=short) if short else phrase("uikit.no_instruction_2"))


class TextField(QPlainTextEdit):
    """A field of several lines that Tab leaves."""

    def __init__(self, theme: Theme, name: str, height_px: int) -> None:
        super().__init__()
        self._theme = theme
        self._height_px = height_px
        self.setProperty("field", True)
        self.setAccessibleName(name)
        self.setTabChangesFocus(True)
        theme.changed.connect(self._resize)
        self._resize()

    def _resize(self) -> None:
        self.setFixedHeight(self._theme.px(self._height_px))


def show_text(field: QPlainTextEdit, text: str) -> None:
    """Never into the middle of a conversion."""
    guard_of(field).when_free(lambda: field.setPlainText(text))


def storable(field: QPlainTextEdit) -> str:
    """What is written, without halves of surrogate pairs, which the database does not take."""
    return field.toPlainText().encode("utf-8", "replace").decode("utf-8")


def too_long(field: QPlainTextEdit) -> str:
    text = storable(field)
    if is_text(text):
        return ""
    words = phrase("common.the_text_is_too_long")
    return words.format(n=f"{len(text):,}", limit=f"{TEXT_MAX:,}")
