"""How far the queue is: which document is read, how many are done, how long still; paused, resumed, cancelled.

One line on how far the search by meaning is, where an embedding model is installed.
"""

import time

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout

from app.base.wording import describe_error, phrase
from app.documents.services.embedding import Embedding, EmbeddingStatus
from app.documents.services.reading_queue import QueueStatus
from app.documents.ui import document_texts
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import ElidedLabel, Label
from app.uikit.widgets.progress_row import TimeLeftText

STEPS = 1000  # of the bar
RATED_AFTER_S = 10.0  # a number that jumps is worse than none
RATED_FROM = 8  # documents: of fewer, the size of each matters more than their number


class QueueRow(QFrame):
    """Hidden while nothing is to be done."""

    cancel_requested = Signal()
    stop_looking_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._standing = QueueStatus()
        self._found = 0  # files, while folders are looked through
        self._time_left = TimeLeftText()
        self._began_at = time.monotonic()
        self._second = QTimer(self, interval=1000)
        self._second.timeout.connect(self._refresh)
        self._build(theme)
        self.hide()

    def show_standing(self, standing: QueueStatus) -> None:
        if standing.documents_done < self._standing.documents_done or not self._standing.documents_total:
            self._time_left.restart()
            self._began_at = time.monotonic()
        self._standing = standing
        if standing.phase in ("reading", "indexing"):
            self._time_left.note(_fraction(standing))
        else:
            self._time_left.restart()
        self._refresh()

    def show_found(self, count: int) -> None:
        """Files that were found in folders so far; 0: that has ended."""
        self._found = count
        self._refresh()

    def _build(self, theme: Theme) -> None:
        self.setProperty("surface", "raised")
        self.what = ElidedLabel()
        self.amount = Label(role="caption", tone="text2")
        self.pause_button = Button(theme, phrase("common.pause"), icon="pause", compact=True)
        self.resume_button = Button(theme, phrase("common.resume"), icon="play", compact=True)
        self.cancel_button = Button(theme, phrase("common.cancel_2"), compact=True)
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(phrase("documents.reading_documents"))
        words_row = QHBoxLayout()
        words_row.setSpacing(12)
        words_row.addWidget(self.what, 1)
        for button in (self.pause_button, self.resume_button, self.cancel_button):
            words_row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 8, 8)
        column.setSpacing(6)
        column.addLayout(words_row)
        column.addWidget(self.amount)
        column.addWidget(self.bar)
        self.cancel_button.clicked.connect(self._on_cancel_clicked)

    def _on_cancel_clicked(self) -> None:
        if self._found and not self._is_reading:
            self.stop_looking_requested.emit()
        else:
            self.cancel_requested.emit()

    @property
    def _is_reading(self) -> bool:
        return self._standing.phase in ("reading", "indexing", "paused", "elsewhere")

    def _refresh(self) -> None:
        standing = self._standing
        is_shown = self._is_reading or self._found > 0
        is_running = standing.phase in ("reading", "indexing")
        self._second.start() if is_running else self._second.stop()
        self._show_buttons(standing)
        self.what.setText(self._what(standing))
        self.amount.setText(self._amount(standing))
        self.amount.setVisible(bool(self.amount.text()))
        self.bar.setVisible(self._is_reading)
        self.bar.setValue(round(STEPS * _fraction(standing)))
        self.setVisible(is_shown)

    def _show_buttons(self, standing: QueueStatus) -> None:
        had_focus = self.pause_button.hasFocus() or self.resume_button.hasFocus()
        is_running = standing.phase in ("reading", "indexing")
        self.pause_button.setVisible(is_running)
        self.resume_button.setVisible(standing.phase == "paused")
        if had_focus:  # the keyboard stays on what stands there now
            (self.resume_button if standing.phase == "paused" else self.pause_button).setFocus()

    def _what(self, standing: QueueStatus) -> str:
        match standing.phase:
            case "paused":
                return phrase("documents.reading_is_paused")
            case "elsewhere":
                return phrase("documents.another_kotae_a_command_is")
            case "reading" | "indexing" if standing.name:
                return phrase("documents.reading_name", name=standing.name)
            case "reading" | "indexing":
                return phrase("documents.preparing_to_go_on_reading")
        return phrase("documents.looking_through_folders_n_files", n=f"{self._found:,}") if self._found else ""

    def _amount(self, standing: QueueStatus) -> str:
        if not self._is_reading:
            return ""
        done = phrase("documents.document_a_b", a=f"{standing.documents_done:,}", b=f"{standing.documents_total:,}")
        if standing.phase not in ("reading", "indexing"):
            return done
        within = ""
        if standing.phase == "indexing":
            within = phrase("documents.writing_the_search_index")
        elif standing.total:
            within = document_texts.reading(standing.done, standing.total)
        can_rate = standing.documents_total >= RATED_FROM or (standing.documents_total == 1 and standing.total > 0)
        return join_facts(done, within, self._rate(standing), self._time_left.words if can_rate else "")

    def _rate(self, standing: QueueStatus) -> str:
        """Documents a minute, once there are enough of them to say so."""
        elapsed_s = time.monotonic() - self._began_at
        if standing.documents_done < RATED_FROM or elapsed_s < RATED_AFTER_S:
            return ""
        return phrase("documents.n_a_minute", n=f"{standing.documents_done * 60 / elapsed_s:,.0f}")


def _fraction(standing: QueueStatus) -> float:
    """Each document counts as one; the one that is read by its pages."""
    if not standing.documents_total:
        return 0.0
    within = min(1.0, standing.done / standing.total) if standing.total else 0.0
    within = 1.0 if standing.phase == "indexing" else within
    return min(1.0, (standing.documents_done + within) / standing.documents_total)


class MeaningLine(Label):
    """Hidden while there is nothing to say."""

    def __init__(self, embedding: Embedding) -> None:
        super().__init__(role="caption", tone="text2", wraps=True)
        embedding.stood.connect(self._show)
        self._show(embedding.standing)

    def _show(self, standing: EmbeddingStatus) -> None:
        self.setText(self._words(standing))
        self.setVisible(bool(self.text()))

    def _words(self, standing: EmbeddingStatus) -> str:
        amount = {"a": f"{standing.done:,}", "b": f"{standing.total:,}"}
        match standing.phase:
            case "working":
                return phrase("documents.preparing_the_search_by_meaning_a_of", **amount)
            case "paused":
                return phrase("documents.preparing_the_search_by_meaning_a_of_b_resting", **amount)
            case "elsewhere":
                return phrase("documents.preparing_the_search_by_meaning")
            case "failed" if standing.error is not None:
                why = describe_error(standing.error).message
                return phrase("documents.the_search_by_meaning_cannot", why=why)
        return ""
