"""Show one download: its progress, speed, time left and buttons."""

import math

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QProgressBar, QWidget

from app.base.wording import describe_error, format_size, format_time_left, phrase
from app.models.services.downloads import Download
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import ElidedLabel

STEPS = 1000  # of the progress bar


class DownloadRow(QWidget):
    """Shows a download as a row, in the list, in the detail and in the first run."""

    pause_requested = Signal(str)  # id of the download, as in the following signals
    resume_requested = Signal(str)
    cancel_requested = Signal(str)
    menu_requested = Signal(str)  # to open the menu that moves it in the queue

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._id = ""
        self.bar = QProgressBar(maximum=STEPS, textVisible=False)
        self.state = ElidedLabel(role="caption", tone="text2")
        self.pause_button = Button(theme, phrase("common.pause"), icon="pause", compact=True)
        self.resume_button = Button(theme, phrase("common.resume"), icon="play", compact=True)
        self.cancel_button = Button(theme, phrase("common.cancel_2"), compact=True)
        self.menu_button = IconButton(theme, "ellipsis", phrase("models.change_the_order"))
        self.menu_button.hide()
        buttons = (self.pause_button, self.resume_button, self.cancel_button, self.menu_button)
        row = make_row((self.state, 1), *buttons, spacing_px=8)
        make_column(self.bar, row, into=self, spacing_px=6)
        self.pause_button.clicked.connect(lambda: self.pause_requested.emit(self._id))
        self.resume_button.clicked.connect(lambda: self.resume_requested.emit(self._id))
        self.cancel_button.clicked.connect(lambda: self.cancel_requested.emit(self._id))
        self.menu_button.clicked.connect(lambda: self.menu_requested.emit(self._id))

    def show_download(self, download: Download, queue_position: int = 0) -> None:
        """Show the state of a download. `queue_position`: number of downloads before it in the queue."""
        is_other = self._id != download.id
        self._id = download.id
        total = download.total_bytes
        self.bar.setValue(round(STEPS * download.done_bytes / total) if total else 0)
        self.state.setText(state_words(download, queue_position))
        self.state.set_tone("danger" if download.state == "failed" else "text2")
        can_pause = download.state in ("waiting", "running", "verifying", "repairing")
        had_focus = self.pause_button.hasFocus() or self.resume_button.hasFocus()
        self.pause_button.setVisible(can_pause)
        self.resume_button.setVisible(not can_pause)
        if had_focus and not is_other:  # keep the keyboard focus on the visible button
            (self.pause_button if can_pause else self.resume_button).setFocus()
        self._set_accessible_names(download)

    def _set_accessible_names(self, download: Download) -> None:
        title = with_note(download.title, download.quantization)
        self.bar.setAccessibleName(phrase("models.download_of_name", name=title))
        for button in (self.pause_button, self.resume_button, self.cancel_button):
            button.setAccessibleName(f"{button.text()} {title}")
        self.menu_button.setAccessibleName(f"{phrase('models.change_the_order')} {title}")


def state_words(download: Download, queue_position: int) -> str:
    """Return a download's state in one line. `queue_position`: number of downloads before it in the queue."""
    amount = amount_words(download)
    state = download.state
    if state == "waiting":
        return join_facts(
            phrase("models.waiting_n_before_it", n=queue_position)
            if queue_position
            else phrase("models.starting_soon"),
            amount,
        )
    if state == "failed":
        reason = describe_error(download.problem).message if download.problem else ""
        return join_facts(phrase("models.stopped"), reason, amount)
    if state == "running":
        state = "reconnecting" if download.problem else "connecting" if not download.done_bytes else "running"
    if state != "running":
        return join_facts(phrase(f"models.download_state.{state}"), amount)
    left = format_time_left(max(1, math.ceil(download.seconds_left))) if download.seconds_left is not None else ""
    return join_facts(amount, left, speed_words(download.bytes_per_s))


def amount_words(download: Download) -> str:
    done, total = download.done_bytes, download.total_bytes
    if not total or not done:
        return format_size(done or total) if done or total else ""
    divisor, unit = (1e9, "GB") if total >= 1e8 else (1e6, "MB")
    percent = math.floor(100 * done / total)  # 100 only when complete
    return phrase("models.a_b_unit_p", a=f"{done / divisor:.2f}", b=f"{total / divisor:.2f}", unit=unit, p=percent)


def speed_words(bytes_per_s: float) -> str:
    if bytes_per_s <= 0:
        return ""
    return f"{bytes_per_s / 1e6:.1f} MB/s" if bytes_per_s >= 1e5 else f"{bytes_per_s / 1e3:.0f} kB/s"
