"""A number that can be left to measurement, or to a recommendation (自動)."""

import unicodedata
from collections.abc import Callable
from contextlib import suppress

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QInputMethodEvent, QKeyEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox

from app.base.wording import phrase
from app.uikit.input_method import guard_of

TEXT_MARGIN_PX = 7


class AutoSpin(QDoubleSpinBox):
    """The lowest position is 自動 and stands for None; so does a field that was emptied. It lies one place of the
    smallest digit below `low`: nothing else can be typed or stepped to there."""

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
        self.lineEdit().setTextMargins(TEXT_MARGIN_PX, 0, 0, 0)  # the style sheet's padding does not reach it
        self.setSpecialValueText(phrase("common.automatic"))
        self.setKeyboardTracking(False)  # a number counts when it is complete
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.valueChanged.connect(lambda _: changed(self.number()))

    def number(self) -> float | None:
        value = round(self.value(), self.decimals())
        return None if value < self._lowest else value

    def show_number(self, number: float | None) -> None:
        guard_of(self).when_free(lambda: self._replace(number))

    def _replace(self, number: float | None) -> None:
        self.blockSignals(True)
        self.setValue(self.minimum() if number is None else number)
        self.blockSignals(False)

    def show_auto(self, words: str, number: float | None) -> None:
        """Says in `words` what 自動 comes to; stepping starts from there. `number` None: it is not one number."""
        self._auto_number = number
        self.setSpecialValueText(words)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scrolling the page must not change a setting that happens to be under the mouse."""
        event.ignore()

    # --------------------------------------------------------------------- typing

    def event(self, event: QEvent) -> bool:
        """Typing replaces the words of 自動 wherever the cursor stands: Qt would refuse letters among them."""
        words = self.specialValueText()
        is_words = self.text() == words and not words.removesuffix(self.suffix()).isdecimal()
        if is_words and _is_typing(event):
            self.selectAll()
        return super().event(event)

    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        """Digits may be full-width: a Japanese input method gives those."""
        if text != self.specialValueText():
            text = unicodedata.normalize("NFKC", text)
        if self._is_auto(text):
            return QValidator.State.Acceptable, text, place
        if self._lowest >= 0 and "-" in text:
            return QValidator.State.Invalid, text, place
        state, text, place = super().validate(text, place)
        if state == QValidator.State.Acceptable and super().valueFromText(text) < self._lowest:
            state = QValidator.State.Intermediate  # more digits may follow
        return state, text, place

    def fixup(self, text: str) -> str:
        """What ends below the lowest number becomes that."""
        with suppress(ValueError):
            if float(text.removesuffix(self.suffix())) < self._lowest:
                return f"{self.textFromValue(self._lowest)}{self.suffix()}"
        return str(super().fixup(text) or text)

    def valueFromText(self, text: str) -> float:
        return self.minimum() if self._is_auto(text) else super().valueFromText(text)

    def textFromValue(self, value: float) -> str:
        """Without zeros at the end that say nothing."""
        text = super().textFromValue(value)
        return text.rstrip("0").rstrip(".") if "." in text else text

    def _is_auto(self, text: str) -> bool:
        """The words may be a number, such as 1 回: then it means the same."""
        return text == self.specialValueText() or not text.removesuffix(self.suffix()).strip()

    # ------------------------------------------------------------------- stepping

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        flags = super().stepEnabled()
        if self.number() is None and self._auto_number is not None:
            flags |= QAbstractSpinBox.StepEnabledFlag.StepDownEnabled
        return flags

    def stepBy(self, steps: int) -> None:
        """Down to the lowest number, and from there to 自動."""
        self.interpretText()
        number, way = self.number(), steps * self.singleStep()
        if number is not None:
            low = self._lowest if number > self._lowest else self.minimum()
            self.setValue(max(low, number + way))
        elif self._auto_number is not None:
            self.setValue(max(self._lowest, self._auto_number + way))
        elif steps > 0:
            self.setValue(self._lowest + way - self.singleStep())
        self.selectAll()


def _is_typing(event: QEvent) -> bool:
    if isinstance(event, QKeyEvent):
        return event.type() == QEvent.Type.KeyPress and event.text() != "" and event.text().isprintable()
    return isinstance(event, QInputMethodEvent)
