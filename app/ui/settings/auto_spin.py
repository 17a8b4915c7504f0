"""A number that can be left to measurement (自動)."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox

TEXT_MARGIN_PX = 7


class AutoSpin(QDoubleSpinBox):
    """The lowest position is 自動 and stands for None."""

    def __init__(
        self, low: float, high: float, step: float, decimals: int, suffix: str, changed: Callable[[float | None], None]
    ) -> None:
        super().__init__()
        self._lowest = low
        self.setDecimals(decimals)
        self.setRange(low - step, high)
        self.setSingleStep(step)
        self.setSuffix(suffix)
        self.lineEdit().setTextMargins(TEXT_MARGIN_PX, 0, 0, 0)  # the style sheet's padding does not reach it
        self.setSpecialValueText(self.tr("自動"))
        self.setKeyboardTracking(False)  # a number counts when it is complete
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.valueChanged.connect(lambda _: changed(self.number()))

    def number(self) -> float | None:
        value = round(self.value(), self.decimals())
        return None if value < self._lowest else value

    def show_number(self, number: float | None) -> None:
        self.blockSignals(True)
        self.setValue(self.minimum() if number is None else number)
        self.blockSignals(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scrolling the page must not change a setting that happens to be under the mouse."""
        event.ignore()
