"""Provide input fields for queries, numbers that may be automatic, longer texts, prompts and corrections."""

import unicodedata
from collections.abc import Callable
from contextlib import suppress

from PySide6.QtCore import QEvent, QMimeData, QRect, QSignalBlocker, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QInputMethodEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCursor,
    QTextOption,
    QValidator,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.base.invisible_characters import STORED_TEXT_MAX, is_storable_text
from app.base.wording import phrase, shorten
from app.uikit.input_method import conversion_guard_of
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.form_rows import CONTROL_WIDTH_PX, Chooser
from app.uikit.widgets.labels import Label

QUERY_MAX = 200  # characters; longer than any real query
ICON_LEFT_PX, ICON_PX, GAP_PX = 9, 16, 7


class SearchField(QLineEdit):
    """A field with a painted glass, as an action of Qt would be a nameless button. `name`: also its placeholder."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self.setMaxLength(QUERY_MAX)
        self.setPlaceholderText(name)
        self.setAccessibleName(name)
        self.setClearButtonEnabled(True)
        clear_button = self.findChild(QToolButton)
        assert clear_button is not None
        self.clear_button: QToolButton = clear_button
        self.clear_button.setAccessibleName(phrase("uikit.clear_the_search"))
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        size = self._theme.px(ICON_PX)
        place = QRect(self._theme.px(ICON_LEFT_PX), (self.height() - size) // 2, size, size)
        self._theme.icon("search", "muted").paint(QPainter(self), place)

    def _on_theme_changed(self) -> None:
        self.setTextMargins(self._theme.px(ICON_PX + GAP_PX), 0, 0, 0)
        self.clear_button.setIcon(self._theme.icon("x", "text2"))


class FindField(SearchField):
    """A field in which Enter and Shift+Enter step through the hits, and Esc closes it instead of stopping an answer."""

    step_requested = Signal(int)  # 1: to the next hit, -1: to the previous one
    closed = Signal()

    def event(self, event: QEvent) -> bool:
        is_escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if is_escape and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.step_requested.emit(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        elif event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)


TEXT_MARGIN_PX = 7


class AutoSpin(QDoubleSpinBox):
    """A field for a number or 自動 (None), inside its minimum, one last decimal below `low`; an empty one is 自動, too.

    `changed`: called with the number or None.
    """

    def __init__(
        self, low: float, high: float, step: float, decimals: int, suffix: str, changed: Callable[[float | None], None]
    ) -> None:
        super().__init__()
        self._lowest = low
        self._auto_number: float | None = None
        self.setDecimals(decimals)
        self.setRange(low - 10**-decimals, high)
        self.setSingleStep(step)
        self.setSuffix(suffix)
        self.lineEdit().setTextMargins(TEXT_MARGIN_PX, 0, 0, 0)  # the style sheet's padding does not apply here
        self.setSpecialValueText(phrase("common.automatic"))
        self.setKeyboardTracking(False)  # valueChanged is emitted only for a complete number
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.valueChanged.connect(lambda _: changed(self.number()))

    def number(self) -> float | None:
        value = round(self.value(), self.decimals())
        return None if value < self._lowest else value

    def show_number(self, number: float | None) -> None:
        """Set the number, or 自動 for None, without calling `changed`."""

        def replace() -> None:
            with QSignalBlocker(self):
                self.setValue(self.minimum() if number is None else number)

        conversion_guard_of(self).run_after_conversion(replace)

    def show_auto(self, words: str, number: float | None) -> None:
        """Set the text of 自動, and the number from which it steps; None: from the lowest."""
        self._auto_number = number
        self.setSpecialValueText(words)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Ignore the wheel: scrolling the page must not change a setting under the mouse."""
        event.ignore()

    # --------------------------------------------------------------------- typing

    def event(self, event: QEvent) -> bool:
        """Let typing replace the text of 自動 (automatic), inside which Qt would accept no characters."""
        words = self.specialValueText()
        is_auto_text = self.text() == words and not words.removesuffix(self.suffix()).isdecimal()
        if is_auto_text and _is_typing(event):
            self.selectAll()
        return super().event(event)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Accept full-width digits too, and lower numbers only as an incomplete input."""
        if text != self.specialValueText():
            text = unicodedata.normalize("NFKC", text)
        if self._is_auto(text):
            return QValidator.State.Acceptable, text, position
        if self._lowest >= 0 and "-" in text:
            return QValidator.State.Invalid, text, position
        state, text, position = super().validate(text, position)
        if state == QValidator.State.Acceptable and super().valueFromText(text) < self._lowest:
            state = QValidator.State.Intermediate  # more digits may follow
        return state, text, position

    def fixup(self, text: str) -> str:
        """Replace a number that is too low by the lowest one."""
        with suppress(ValueError):
            if float(text.removesuffix(self.suffix())) < self._lowest:
                return f"{self.textFromValue(self._lowest)}{self.suffix()}"
        return str(super().fixup(text) or text)

    def valueFromText(self, text: str) -> float:
        return self.minimum() if self._is_auto(text) else super().valueFromText(text)

    def textFromValue(self, value: float) -> str:
        """Return the number without trailing zeros."""
        text = super().textFromValue(value)
        return text.rstrip("0").rstrip(".") if "." in text else text

    def _is_auto(self, text: str) -> bool:
        """Whether a text means "automatic": empty, 自動, or the usual number that the field shows for it (1 回)."""
        return text == self.specialValueText() or not text.removesuffix(self.suffix()).strip()

    # ------------------------------------------------------------------- stepping

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        flags = super().stepEnabled()
        if self.number() is None and self._auto_number is not None:
            flags |= QAbstractSpinBox.StepEnabledFlag.StepDownEnabled
        return flags

    def stepBy(self, steps: int) -> None:
        """Step by `steps` times the step size. Steps down end at the lowest number; one more leads to 自動."""
        self.interpretText()
        number, change = self.number(), steps * self.singleStep()
        if number is not None:
            low = self._lowest if number > self._lowest else self.minimum()
            self.setValue(max(low, number + change))
        elif self._auto_number is not None:
            self.setValue(max(self._lowest, self._auto_number + change))
        elif steps > 0:
            self.setValue(self._lowest + change - self.singleStep())
        self.selectAll()


def _is_typing(event: QEvent) -> bool:
    if isinstance(event, QKeyEvent):
        return event.type() == QEvent.Type.KeyPress and event.text() != "" and event.text().isprintable()
    return isinstance(event, QInputMethodEvent)


TEXT_HEIGHT_PX = 116
QUOTED_MAX = 400  # characters of the inherited prompt that are shown

BELOW, NONE, OWN = "below", "none", "own"


class PromptField(QWidget):
    """A choice of a system prompt: the inherited one (None), no prompt (""), or a text entered here."""

    changed = Signal()

    def __init__(self, theme: Theme, below_words: str) -> None:
        """`below_words`: the name of the inherited prompt, which is the default."""
        super().__init__()
        self._theme = theme
        self._below = ""
        choices = [(below_words, BELOW), (phrase("uikit.no_instruction"), NONE), (phrase("uikit.write_my_own"), OWN)]
        self.source = Chooser(choices, self._on_chosen)
        self._source = BELOW
        self.text = TextField(theme, phrase("uikit.text_of_the_system_prompt"), TEXT_HEIGHT_PX)
        self._quoted = Label(tone="text2", wraps=True, shrinks=True)
        self.setFocusProxy(self.source)
        make_column(self.source, self._quoted, self.text, into=self, spacing_px=8)
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
            return storable_text(self.text)
        return "" if self._source == NONE else None

    def problem(self) -> str:
        """Return a message if the prompt cannot be stored; "" if it can."""
        if self._source != OWN:
            return ""
        if not self.text.toPlainText().strip():
            return phrase("uikit.write_the_system_prompt_or")
        return length_problem(self.text)

    def show_prompt(self, prompt: str | None) -> None:
        self._source = BELOW if prompt is None else OWN if prompt else NONE
        replace_text(self.text, prompt or "")
        self._show_instruction_source()

    def show_below(self, text: str) -> None:
        """Set the text of the inherited prompt."""
        self._below = text
        self._show_instruction_source()

    def _on_chosen(self, source: str) -> None:
        self._source = source
        if source == OWN and not self.text.toPlainText().strip():
            replace_text(self.text, self._below)  # most users only change the inherited prompt
        self._show_instruction_source()
        if source == OWN:
            self.text.setFocus()
        self.changed.emit()

    def _show_instruction_source(self) -> None:
        self.source.show_value(self._source)
        self.text.setVisible(self._source == OWN)
        self._quoted.setVisible(self._source == BELOW)
        short = shorten(self._below, QUOTED_MAX)
        self._quoted.setText(phrase("common.text", text=short) if short else phrase("uikit.no_instruction_2"))


def line_field(name: str, most: int, placeholder: str = "") -> QLineEdit:
    """Return a field for a line of at most `most` characters. `name`: its accessible name."""
    field = QLineEdit(maxLength=most, placeholderText=placeholder)
    field.setAccessibleName(name)
    return field


class TextField(QPlainTextEdit):
    """A text field of several lines, in which Tab moves the focus. `name`: its accessible name."""

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


def replace_text(field: QPlainTextEdit, text: str) -> None:
    """Replace the text of a field, after the input method's conversion if one is open."""
    conversion_guard_of(field).run_after_conversion(lambda: field.setPlainText(text))


def storable_text(field: QPlainTextEdit) -> str:
    """Return the text of a field without lone surrogates, which the database does not accept."""
    return field.toPlainText().encode("utf-8", "replace").decode("utf-8")


def length_problem(field: QPlainTextEdit) -> str:
    """Return a message if the text of a field is too long to be stored; "" if it is not."""
    text = storable_text(field)
    if is_storable_text(text):
        return ""
    return phrase("common.the_text_is_too_long", n=f"{len(text):,}", limit=f"{STORED_TEXT_MAX:,}")


FRAME_PX = 12  # the style sheet's borders and paddings above and below, together


class CorrectedField(QPlainTextEdit):
    """A field for correcting a text, as high as the text needs, with keys to submit or cancel the change."""

    submitted = Signal()  # Ctrl+Enter
    cancelled = Signal()  # Esc
    entered = Signal()  # the field has the keyboard focus
    left = Signal()

    def __init__(self, theme: Theme, name: str, least: int, most: int) -> None:
        """`least`, `most`: the height in lines; a longer text scrolls."""
        super().__init__()
        self._theme = theme
        self._least, self._most = least, most
        self.setProperty("field", True)
        self.setAccessibleName(name)
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        theme.changed.connect(self._restyle)
        self._restyle()

    def finish_input_conversion(self) -> bool:
        """Commit the text under conversion unchanged. Return False if the input method does not end the conversion."""
        return conversion_guard_of(self).finish()

    def to_end(self) -> None:
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.moveCursor(QTextCursor.MoveOperation.End)

    # -------------------------------------------------------------------- events

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_return = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_return and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if not event.isAutoRepeat():
                self.submitted.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif event.matches(QKeySequence.StandardKey.Undo) and not self.document().isUndoAvailable():
            event.ignore()  # nothing was typed here, so the key undoes the window's last action
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.entered.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Return whether to insert pasted or dropped data: only text, not files, whose paths Qt would insert."""
        return source.hasText() and not any(url.isLocalFile() for url in source.urls())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    # ---------------------------------------------------------------------- size

    def _restyle(self) -> None:
        self.setFont(self._theme.font("reading"))
        self._fit()

    def _fit(self) -> None:
        needed = round(self.document().size().height())
        lines = max(self._least, min(self._most, needed))
        margin = 2 * round(self.document().documentMargin())
        wanted = lines * self.fontMetrics().lineSpacing() + margin + self._theme.px(FRAME_PX)
        is_full = needed > self._most
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if is_full else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(policy)
        if self.minimumHeight() != wanted or self.maximumHeight() != wanted:
            self.setFixedHeight(wanted)
