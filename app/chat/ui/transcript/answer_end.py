"""What stands below a finished answer: how it ended, what a repetition has shown, facts, and actions."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.base import wording
from app.base.wording import phrase
from app.chat import answer_origin
from app.chat.records import AnswerDetails, Message
from app.chat.ui.transcript import answer_facts
from app.chat.ui.transcript.answer_actions import AnswerActions, Look
from app.chat.ui.transcript.grounds import Grounds, ImportedBox
from app.chat.ui.transcript.message_view import MessageRequests
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import IconLabel, Label


class AnswerEnd(QWidget):
    def __init__(
        self, message: Message, theme: Theme, look: Look, requests: MessageRequests, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._message = message
        self._details = message.details or AnswerDetails()
        self._theme = theme
        self._look = look
        self._requests = requests
        self._build()

    def fit(self, width: int) -> None:
        self.row.fit(width)
        self.updateGeometry()

    def explain(self, sentence: str) -> None:
        """What is known about the failure while the program still runs: sizes, names, causes."""
        if self._what is not None:
            self._what.setText(sentence)
            self._frame.updateGeometry()  # else the layouts above learn of it a round later
            self.updateGeometry()

    def _build(self) -> None:
        self._what: Label | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(self._theme.px(6))
        if self._message.status == "failed":
            column.addWidget(self._error())
        elif notice := self._notice():
            column.addWidget(Label(notice, role="caption", tone="text2", wraps=True))
        self.grounds: Grounds | None = None
        kept = answer_origin.grounding_of(self._message)
        if answer_origin.mark(self._message):
            column.addWidget(ImportedBox(self._message, self._theme))
        if kept is not None and self._message.status != "failed":
            self.grounds = Grounds(self._message, kept, self._theme, self._requests)
            column.addWidget(self.grounds)
        if self._details.is_same is not None:
            column.addLayout(self._comparison())
        if self._look.shows_details and (facts := answer_facts.line(self._details)):
            column.addWidget(Label(facts, role="caption", tone="text2", wraps=True))
        self.row = AnswerActions(self._message, self._theme, self._look, self._requests)
        column.addWidget(self.row)

    def _notice(self) -> str:
        match self._details.stop_reason:
            case "cancelled":
                return phrase("common.stopped_here")
            case "interrupted":
                if not self._message.text:
                    return phrase("chat.kotae_ended_before_the_answer")
                return phrase("chat.kotae_ended_during_the_answer")
            case "length":
                return phrase("chat.the_answer_ended_here_at")
            case "context":
                return phrase("chat.the_answer_ended_here_because")
        if self._message.status == "stopped":
            return phrase("common.stopped_here")
        return "" if self._message.text else phrase("chat.the_model_ended_without_writing")

    def _comparison(self) -> QHBoxLayout:
        """Of 再現: a mark and a sentence, so that it does not depend on a colour."""
        icon, tone = ("circle-check", "success") if self._details.is_same else ("triangle-alert", "warning")
        words = answer_facts.comparison(self._details)
        mark = IconLabel(self._theme, icon, tone)
        mark.setFixedHeight(self._theme.line_height("caption"))
        row = QHBoxLayout()
        row.setSpacing(self._theme.px(6))
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(Label(words, role="caption", tone=tone, wraps=True), 1)
        return row

    def _error(self) -> QFrame:
        frame = self._frame = QFrame()
        frame.setProperty("surface", "danger")
        row = QHBoxLayout(frame)
        px = self._theme.px
        row.setContentsMargins(px(12), px(8), px(8), px(8))
        row.setSpacing(px(8))
        row.addWidget(IconLabel(self._theme, "circle-x", "danger"))
        self._what = Label(self._what_failed(), wraps=True)
        row.addWidget(self._what, 1)
        again = Button(self._theme, phrase("chat.answer_again"), compact=True)
        again.clicked.connect(lambda: self._requests.regenerate_requested.emit(self._message.id))
        log = Button(self._theme, phrase("common.view_log"), "quiet", compact=True)
        log.clicked.connect(self._requests.navigation.log_requested)
        row.addWidget(again)
        row.addWidget(log)
        return frame

    def _what_failed(self) -> str:
        """Facts (sizes, names) are not stored with an answer: what would need them is left out."""
        if not self._details.error_code:
            return phrase("chat.no_answer_could_be_given")
        return wording.outline_error(self._details.error_code)
