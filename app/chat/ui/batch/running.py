"""How far a batch is: which question is being answered, how many are, how long still; paused, gone on with, ended."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout

from app.base.wording import phrase
from app.chat.services.batch import Standing
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import ElidedLabel, Label
from app.uikit.widgets.progress_row import format_time_left


class Running(QFrame):
    stop_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "raised")
        self.what = ElidedLabel()
        self.amount = Label(role="caption", tone="text2", wraps=True)
        self.pause_button = Button(theme, phrase("common.pause"), icon="pause", compact=True)
        self.resume_button = Button(theme, phrase("common.resume"), icon="play", compact=True)
        self.stop_button = Button(theme, phrase("common.stop_here"), compact=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(phrase("chat.ask_in_batch"))
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self.what, 1)
        for button in (self.pause_button, self.resume_button, self.stop_button):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 8, 10)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self.amount)
        column.addWidget(self.bar)
        self.stop_button.clicked.connect(self._on_stop_clicked)

    def begin(self) -> None:
        self.stop_button.setEnabled(True)
        self.stop_button.setText(phrase("common.stop_here"))
        self.what.setText(phrase("chat.looking_where_to_go_on"))
        self.amount.setText("")
        self.bar.setValue(0)
        self._show_paused(is_paused=False)
        self.show()

    def show_standing(self, standing: Standing, *, is_paused: bool) -> None:
        question = " ".join(standing.question.split())
        words = phrase("chat.paused") if is_paused else phrase("chat.answering_question")
        self.what.setText(words.format(question=question))
        percent = round(100 * standing.done / max(1, standing.total))
        done = phrase("chat.a_of_b_p", a=f"{standing.done:,}", b=f"{standing.total:,}", p=percent)
        left = format_time_left(standing.left_s) if standing.left_s and not is_paused else ""
        self.amount.setText(join_facts(done, left))
        self.bar.setRange(0, max(1, standing.total))
        self.bar.setValue(standing.done)
        self._show_paused(is_paused=is_paused)

    def _show_paused(self, *, is_paused: bool) -> None:
        had_focus = self.pause_button.hasFocus() or self.resume_button.hasFocus()
        self.pause_button.setVisible(not is_paused)
        self.resume_button.setVisible(is_paused)
        if had_focus:  # the keyboard stays on what stands there now
            (self.resume_button if is_paused else self.pause_button).setFocus()

    def _on_stop_clicked(self) -> None:
        self.stop_button.setEnabled(False)
        self.stop_button.setText(phrase("common.stopping"))
        self.stop_requested.emit()
