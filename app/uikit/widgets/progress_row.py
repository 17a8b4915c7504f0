"""Show the progress of long work, the time left, and a button to cancel."""

import time

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QProgressBar

from app.base.services import background
from app.base.wording import format_duration, format_time_left, phrase
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, Label


class TimeLeftText(background.TimeLeftEstimator):
    """A `TimeLeftEstimator` that also returns a text."""

    @property
    def words(self) -> str:
        """Return the time left as text; "" while it is unknown."""
        return format_time_left(self.seconds) if self.seconds is not None else ""


STEPS = 1000  # the maximum of the progress bar


class ProgressRow(QFrame):
    """A row for one work, from `start` to `finish`, with the elapsed time while the total is unknown."""

    cancelled = Signal()

    def __init__(self, theme: Theme, *, can_cancel: bool = True) -> None:
        super().__init__()
        self._theme = theme
        self._started_at = 0.0
        self._amount_words = ""  # "": the total is not known
        self._time_left = TimeLeftText()
        self._timer = QTimer(self, interval=1000)
        self._build(can_cancel)
        self._timer.timeout.connect(self._refresh)
        self.cancel_button.clicked.connect(self._on_cancel_clicked)
        self.hide()

    def start(self, label: str, elapsed_s: float = 0.0) -> None:
        """Show the row with a text such as 取り込んでいます：模型.gguf, `elapsed_s` after the start."""
        self.say(label)
        self._bar.hide()
        self._started_at = time.monotonic() - elapsed_s
        self._amount_words = ""
        self._time_left.restart()
        self.cancel_button.setText(phrase("common.cancel_2"))
        self.cancel_button.setEnabled(True)
        self._timer.start()
        self._refresh()
        self.show()

    def say(self, label: str) -> None:
        """Show another text about the same work, whose time continues."""
        self._label.setText(label)
        self._bar.setAccessibleName(label)

    def set_progress(self, done: int, total: int, *, is_bytes: bool = False, is_brief: bool = False) -> None:
        """Show `done` of `total` (0: unknown), in GB or MB if `is_bytes`; `is_brief`: the percentage only."""
        if total <= 0:
            return
        fraction = min(1.0, done / total)
        self._time_left.note(fraction)
        self._bar.setValue(round(fraction * STEPS))
        self._bar.show()
        a, b, words = f"{done:,}", f"{total:,}", phrase("uikit.a_b_p")
        if is_brief:
            words = phrase("common.p")
        elif is_bytes and total >= 1e8:
            a, b, words = f"{done / 1e9:.2f}", f"{total / 1e9:.2f}", phrase("uikit.a_b_gb_p")
        elif is_bytes:
            a, b, words = f"{done / 1e6:.1f}", f"{total / 1e6:.1f}", phrase("uikit.a_b_mb_p")
        self._amount_words = words.format(a=a, b=b, p=round(fraction * 100))
        self._refresh()

    def finish(self) -> None:
        self._timer.stop()
        self.hide()

    @property
    def words(self) -> str:
        """Return the shown progress and time left."""
        return self._amount.text()

    def _build(self, can_cancel: bool) -> None:
        self.setProperty("surface", "raised")
        self._label = ElidedLabel()
        self._amount = Label(role="caption", tone="text2")
        self.cancel_button = Button(self._theme, phrase("common.cancel_2"), compact=True)
        self._bar = QProgressBar(maximum=STEPS, textVisible=False)
        row = make_row((self._label, 1), self._amount, self.cancel_button, spacing_px=12)
        make_column(row, self._bar, into=self, margins_px=(16, 8, 8, 8), spacing_px=8)
        self.cancel_button.setVisible(can_cancel)  # not before it has a parent: it would be a window

    def _on_cancel_clicked(self) -> None:
        self.cancel_button.setEnabled(False)
        self.cancel_button.setText(phrase("uikit.cancelling"))
        self.cancelled.emit()

    def _refresh(self) -> None:
        """Update the text about elapsed or remaining time; called also each second by the timer."""
        elapsed = format_duration(int(time.monotonic() - self._started_at))
        left = self._time_left.words if self._amount_words else ""
        self._amount.setText(join_facts(self._amount_words or elapsed, left))
