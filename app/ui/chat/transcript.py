"""The open conversation: questions and answers, and the text of the answer that is being written."""

import dataclasses
import time

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.core.records import Message
from app.services.events import Stage
from app.ui.chat.answer import AnswerView
from app.ui.chat.column import Column, Estimate, gap_after
from app.ui.chat.heights import Heights
from app.ui.chat.message_view import MessageView
from app.ui.chat.question import QuestionView
from app.ui.chat.rows_view import RowsView
from app.ui.chat.words import icon_button
from app.ui.theme import Theme

FLUSH_MS = 33
# Showing text may take at most a quarter of the time, so that typing stays smooth beside a long answer.
FLUSH_SHARE = 4


class Transcript(RowsView):
    """A row is a message. Follows the end of a growing answer only while the end is in sight."""

    regenerate_requested = Signal(int)
    branch_requested = Signal(int, int)  # answer id, -1 or 1
    log_requested = Signal()
    link_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._messages: list[Message] = []
        self._rows: dict[int, int] = {}  # message id -> row
        self._stage = Stage()
        self._growing_id = 0  # the answer that streams; its text so far:
        self._growing_text = ""
        self._explanations: dict[int, str] = {}  # answer id -> why it failed
        self._build()
        self._connect()

    def _build(self) -> None:
        self.setAccessibleName(self.tr("会話"))
        self._flush_timer = QTimer(self, singleShot=True, interval=FLUSH_MS)
        self.latest_button = icon_button(self._theme, self.tr("最新へ"), "arrow-down", compact=True)
        self.latest_button.setParent(self)
        self.latest_button.hide()

    def _connect(self) -> None:
        self._flush_timer.timeout.connect(self._flush)
        self.latest_button.clicked.connect(self._on_latest_clicked)
        self._theme.changed.connect(self._rebuild)

    # ----------------------------------------------------------------- content

    @property
    def messages(self) -> list[Message]:
        return self._messages

    def view_of(self, message_id: int) -> MessageView | None:
        """The message's widget while it has one."""
        return self._live.get(self._rows.get(message_id, -1))

    def show_messages(self, messages: list[Message]) -> None:
        """Replaces the conversation and shows its end."""
        self._flush_timer.stop()
        self._live.clear()
        self._messages = list(messages)
        self._rows = {message.id: row for row, message in enumerate(messages)}
        streaming = next((message for message in reversed(messages) if message.status == "streaming"), None)
        self._growing_id = streaming.id if streaming else 0
        self._growing_text = streaming.text if streaming else ""
        self._heights = self._estimated()
        self._follows = True
        self._place()

    def add(self, message: Message) -> None:
        """A new last message. A question brings the end into sight, wherever one was reading."""
        self._rows[message.id] = len(self._messages)
        self._messages.append(message)
        self._heights.append(Estimate(self._column, self._theme).height(message))
        if message.status == "streaming":
            self._growing_id, self._growing_text = message.id, message.text
            self._announce(self.tr("回答を始めました"))
        self._follows = self._follows or message.role == "question"
        self._place()

    def append_text(self, answer_id: int, piece: str) -> None:
        """The next piece of a streaming answer; shown together with its neighbours at the next flush."""
        if answer_id == self._growing_id:
            self._growing_text += piece
            if not self._flush_timer.isActive():
                self._flush_timer.start()

    def finish(self, message: Message) -> None:
        """The answer with its last text, as it is stored."""
        row = self._rows.get(message.id)
        if row is None:
            return
        self._flush_timer.stop()
        self._flush_timer.setInterval(FLUSH_MS)
        self._growing_id = 0
        self._messages[row] = message
        view = self._live.get(row)
        if isinstance(view, AnswerView):
            view.finish(message)
        self._remeasure(row)
        self._announce(self.tr("回答が終わりました"))

    def explain(self, answer_id: int, sentence: str) -> None:
        """Why an answer failed, in more words than are stored with it."""
        self._explanations[answer_id] = sentence
        view = self.view_of(answer_id)
        if isinstance(view, AnswerView):
            view.explain(sentence)
            self._remeasure(self._rows[answer_id])

    def show_stage(self, stage: Stage) -> None:
        self._stage = stage
        view = self.view_of(self._growing_id)
        if isinstance(view, AnswerView):
            view.show_stage(stage)

    # -------------------------------------------------------------------- rows

    def _create_view(self, row: int) -> MessageView:
        message = self._messages[row]
        if message.role == "question":
            view: MessageView = QuestionView(message, self._theme, self.viewport())
        else:
            view = self._create_answer(message)
        view.resized.connect(lambda: self._on_resized(view))
        view.link_chosen.connect(self.link_chosen)
        view.caret_moved.connect(lambda rect: self._ensure_visible(view, rect))
        return view

    def _create_answer(self, message: Message) -> AnswerView:
        if message.id == self._growing_id:
            message = dataclasses.replace(message, text=self._growing_text)
        view = AnswerView(message, self._theme, self.viewport())
        view.show_stage(self._stage)
        if message.id in self._explanations:
            view.explain(self._explanations[message.id])
        view.regenerate_requested.connect(self.regenerate_requested)
        view.branch_requested.connect(self.branch_requested)
        view.log_requested.connect(self.log_requested)
        return view

    def _estimated(self) -> Heights:
        estimate = Estimate(self._column, self._theme)
        return Heights(map(estimate.height, self._messages))

    def _gap(self, row: int) -> int:
        return gap_after(self._messages[row], self._theme)

    def _remeasure(self, row: int) -> None:
        self._measure(row)
        self._place()

    # ------------------------------------------------------------------ events

    def _flush(self) -> None:
        row = self._rows.get(self._growing_id)
        if row is None:
            return
        started = time.perf_counter()
        view = self._live.get(row)
        if isinstance(view, AnswerView):
            view.grow(self._growing_text)
        self._remeasure(row)
        cost_ms = (time.perf_counter() - started) * 1000
        self._flush_timer.setInterval(max(FLUSH_MS, round(cost_ms * FLUSH_SHARE)))

    def _on_resized(self, view: MessageView) -> None:
        row = self._live.row_of(view)
        if row is not None:
            self._follows = False
            self._remeasure(row)

    def _on_latest_clicked(self) -> None:
        if self.latest_button.hasFocus():
            self.setFocus()  # else Qt hands the focus of the hidden button to some message and that is scrolled to
        self.scroll_to_end()

    def _on_placed(self) -> None:
        self.latest_button.setVisible(not self.is_at_end())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._move_latest_button()

    def _move_latest_button(self) -> None:
        hint = self.latest_button.sizeHint()
        self.latest_button.setGeometry(
            (self.width() - hint.width()) // 2, self.height() - hint.height() - 12, hint.width(), hint.height()
        )

    def _rebuild(self) -> None:
        """Text keeps the colours and sizes it was made with, so all of it is made again."""
        anchor = self._anchor()
        self._live.clear()
        self._column = Column.of(self.width(), self._theme)
        self._heights = self._estimated()
        self._place(anchor)
        self._move_latest_button()

    def _announce(self, text: str) -> None:
        event = QAccessibleAnnouncementEvent(self, text)
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Polite)
        QAccessible.updateAccessibility(event)
