"""A long step: what, how far, and a way to stop it."""

import time

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from app.ui.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.labels import ElidedLabel, Label


class ProgressRow(QFrame):
    """Hidden until `start`. While the length is unknown it counts seconds instead of drawing an endless animation."""

    cancelled = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._started_at = 0.0
        self._timer = QTimer(self, interval=1000)
        self._build()
        self._timer.timeout.connect(self._show_elapsed)
        self.hide()

    def start(self, what: str) -> None:
        self._what.setText(what)
        self._started_at = time.monotonic()
        self._bar.hide()
        self._show_elapsed()
        self._timer.start()
        self.show()

    def set_fraction(self, what: str, fraction: float) -> None:
        """`fraction`: 0 to 1."""
        self._timer.stop()
        self._what.setText(what)
        self._bar.setValue(round(fraction * 1000))
        self._amount.setText(f"{fraction * 100:.0f} %")
        self._bar.show()
        self.show()

    def finish(self) -> None:
        self._timer.stop()
        self.hide()

    def _build(self) -> None:
        self.setProperty("surface", "raised")
        self._what = ElidedLabel()
        self._amount = Label(role="caption", tone="text2")
        self.cancel_button = Button(self._theme, self.tr("取り消す"), compact=True)
        self.cancel_button.clicked.connect(self.cancelled)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("進み具合"))
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._what, 1)
        row.addWidget(self._amount)
        row.addWidget(self.cancel_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 8, 8)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self._bar)

    def _show_elapsed(self) -> None:
        self._amount.setText(self.tr("{s} 秒").format(s=int(time.monotonic() - self._started_at)))
