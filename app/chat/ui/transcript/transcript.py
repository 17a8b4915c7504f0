"""Show the transcript of the open conversation: questions, answers, and the answer that is being written."""

import dataclasses
import itertools
import math
import time
from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.base.wording import phrase
from app.chat.records import Message
from app.chat.ui.transcript import answer_actions
from app.chat.ui.transcript.answer_actions import AnswerDisplayOptions
from app.chat.ui.transcript.answer_view import AnswerView, source_number
from app.chat.ui.transcript.message_view import MessageRequests, MessageView, QuestionView
from app.chat.ui.transcript.rows_view import TOP_PX, HeightEstimate, RowHeights, RowsView, gap_after
from app.inference.services.events import AnswerStage
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme, application
from app.uikit.widgets.buttons import Button, with_icon_space
from app.uikit.widgets.labels import announce

FOOT_PX = 12


FLUSH_MS = 33
# Showing new text may take at most a quarter of the time, so that typing stays smooth during a long answer.
FLUSH_SHARE = 4


class Transcript(RowsView[MessageView]):
    """The column of all messages. It follows the end of a growing answer only while the end is visible."""

    content_changed = Signal()  # messages were replaced or added, or an answer has ended

    def __init__(self, theme: Theme, navigation: NavigationSignals) -> None:
        super().__init__(theme)
        self.requests = MessageRequests(navigation, self)  # shared by all rows
        self._messages: list[Message] = []
        self._rows: dict[int, int] = {}  # message id -> row
        self._stage = AnswerStage()
        self._options = AnswerDisplayOptions()
        self._is_busy = False
        self._open: tuple[int, int] = (0, 0)  # answer id and number of the source that is open
        self._growing_id = 0  # id of the streaming answer; 0: none
        self._growing_text = ""  # text so far of the streaming answer
        self._explanations: dict[int, str] = {}  # answer id -> why it failed
        self._query_words: tuple[str, ...] = ()  # words of the query that are marked
        self._revealed = (0, 0)  # message id, and the number of its match that was scrolled to
        self._build()
        self._flush_timer.timeout.connect(self._flush)
        self.latest_button.clicked.connect(self._on_latest_clicked)
        self._theme.changed.connect(self._place_latest_button)
        application().focusChanged.connect(self._on_focus_changed)

    def _build(self) -> None:
        self.setAccessibleName(phrase("chat.conversation"))
        self._flush_timer = QTimer(self, singleShot=True, interval=FLUSH_MS)
        words = phrase("chat.latest")
        self.latest_button = Button(self._theme, with_icon_space(words), icon="arrow-down", compact=True, parent=self)
        self.latest_button.setAccessibleName(words)
        self.latest_button.hide()

    # ----------------------------------------------------------------- content

    @property
    def messages(self) -> list[Message]:
        return self._messages

    def view_of(self, message_id: int) -> MessageView | None:
        """Return the widget of a message, or None if it has none now."""
        return self.views.get(self._rows.get(message_id, -1))

    def _answers(self) -> list[AnswerView]:
        """Return the widgets of answers from top to bottom."""
        return [view for _, view in sorted(self.views.items()) if isinstance(view, AnswerView)]

    def show_messages(self, messages: list[Message]) -> None:
        """Replace the conversation and scroll to its end."""
        self._explanations.clear()  # message ids are unique only within one store
        self._replace(messages, 0)
        self._follows = True
        self._place()
        self.content_changed.emit()

    def add_earlier(self, messages: list[Message]) -> None:
        """Add messages before all others, without moving what is visible."""
        row, y = self._anchor()
        self._messages[:0] = messages
        self._rows = {message.id: row for row, message in enumerate(self._messages)}
        estimate = HeightEstimate(self._column, self._theme)
        self._heights = RowHeights([*map(estimate.height, messages), *self._heights])
        self.views = {row + len(messages): view for row, view in self.views.items()}
        self._place((row + len(messages), y))
        self.content_changed.emit()

    def show_branch(self, messages: list[Message]) -> None:
        """Replace the messages that differ in another branch, without moving the messages before them.

        Scroll to the end if an answer is being written there.
        """
        pairs = enumerate(zip(self._messages, messages, strict=False))
        fork = next((row for row, (old, new) in pairs if old != new), min(len(self._messages), len(messages)))
        if fork == 0:
            self._explanations.clear()  # this may be the same conversation in another store, with other ids
        is_growing = bool(messages) and messages[-1].status == "streaming"
        y = self._y(fork, self.verticalScrollBar().value())
        focus = self._focus_in(fork)
        self._replace(messages, fork)
        self._show_last()
        self._follows = is_growing or fork == len(messages)
        self._place((fork, y if 0 <= y < self.viewport().height() else TOP_PX))
        self._follows = self._follows or self.is_at_end()
        self._restore_focus(fork, focus)
        self.content_changed.emit()

    def step_branch(self, step: int) -> None:
        """Request the next (1) or previous (-1) version of the focused message, else of the last one with several."""
        focused = QApplication.focusWidget()
        here = [view.message for view in self.views.values() if focused and view.isAncestorOf(focused)]
        message = next((m for m in itertools.chain(here, reversed(self._messages)) if m.branches > 1), None)
        if message is not None and 1 <= message.branch + step <= message.branches:
            self.requests.branch_requested.emit(message.id, step)

    def show_answers_as(self, options: AnswerDisplayOptions) -> None:
        """Show the facts and actions below all answers by new options."""
        if options == self._options:
            return
        anchor = self._anchor()
        self._options = options
        for view in self._answers():
            view.show_as(options)
            self._restore_state(view)
            self._measure(self._rows[view.message.id])
        self._place(anchor)

    # ------------------------------------------------------------------ sources

    def show_open(self, answer_id: int, number: int) -> None:
        """Mark the source `number` of an answer, which is open next to the conversation; 0 and 0 mark none."""
        self._open = (answer_id, number)
        for view in self._answers():
            self._restore_state(view)

    def current_answer(self) -> AnswerView | None:
        """Return the answer with sources that has the focus, else the last one with a widget; None without any."""
        focused = QApplication.focusWidget()
        views = [view for view in self._answers() if view.sources]
        here = (view for view in views if focused is not None and view.isAncestorOf(focused))
        return next(here, views[-1] if views else None)

    # ------------------------------------------------------------------ finding

    def mark(self, query_words: Sequence[str]) -> None:
        """Mark these words in all messages; () removes all marks."""
        self._query_words, self._revealed = tuple(query_words), (0, 0)
        for view in self.views.values():
            view.mark(self._query_words)

    def reveal(self, message_id: int, match_number: int) -> None:
        """Scroll to match number `match_number` of a message, from 0. Do nothing for a message of another branch."""
        row = self._rows.get(message_id)
        if row is None:
            return
        before = self.view_of(self._revealed[0])
        self._revealed = (message_id, match_number)
        if before is not None:
            before.mark(self._query_words)
        self._ensure_view(row, math.inf)
        self.views[row].mark(self._query_words, match_number)
        self._bring_into_view(row, lambda view: view.mark_rect())

    def first_in_sight(self) -> int:
        """Return the id of the first visible message; 0 when there is none."""
        return self._messages[self._anchor()[0]].id if self._messages else 0

    def set_busy(self, is_busy: bool) -> None:
        """Disable everything that would write or show another answer, while one is being written."""
        if is_busy != self._is_busy:
            self._is_busy = is_busy
            for view in self.views.values():
                view.set_busy(is_busy)

    def add(self, message: Message) -> None:
        """Add a message at the end. A question always scrolls to the end."""
        self._rows[message.id] = len(self._messages)
        self._messages.append(message)
        self._heights.append(HeightEstimate(self._column, self._theme).height(message))
        if message.status == "streaming":
            self._growing_id, self._growing_text = message.id, message.text
            announce(self, phrase("chat.answer_started"))
        self._follows = self._follows or message.role == "question"
        self._show_last()
        self._place()
        self.content_changed.emit()

    def append_text(self, answer_id: int, piece: str) -> None:
        """Add text to the streaming answer. It is shown within FLUSH_MS, or later if showing it is slow."""
        if answer_id == self._growing_id:
            self._growing_text += piece
            if not self._flush_timer.isActive():
                self._flush_timer.start()

    def finish(self, message: Message) -> None:
        """Show an answer that has ended, as it is stored."""
        self._explanations.pop(message.id, None)  # the explanation of an earlier attempt
        row = self._rows.get(message.id)
        if row is None:
            return
        self._flush_timer.stop()
        self._flush_timer.setInterval(FLUSH_MS)
        self._growing_id = 0
        self._messages[row] = message
        view = self.views.get(row)
        if isinstance(view, AnswerView):
            view.finish(message)
            view.set_busy(self._is_busy)
        self._remeasure(row)
        announce(self, phrase("common.answer_finished"))
        if isinstance(view, AnswerView) and view.check_summary:
            announce(self, view.check_summary)
        if message.details is not None and message.details.is_same is not None:
            announce(self, answer_actions.comparison_text(message.details))
        self.content_changed.emit()

    def explain(self, answer_id: int, sentence: str) -> None:
        """Show a more detailed reason why an answer failed than the stored one."""
        self._explanations[answer_id] = sentence
        view = self.view_of(answer_id)
        if isinstance(view, AnswerView):
            view.explain(sentence)
            self._remeasure(self._rows[answer_id])

    def show_rated(self, message: Message) -> None:
        """Show the new rating of an answer."""
        row, view = self._rows[message.id], self.view_of(message.id)
        self._messages[row] = message
        if isinstance(view, AnswerView):
            view.show_rated(message)
        self._remeasure(row)

    def _show_last(self) -> None:
        """Suggest questions only below the last message."""
        for row, view in self.views.items():
            if isinstance(view, AnswerView) and view.set_last(row == len(self._messages) - 1):
                self._measure(row)

    def show_edited(self, message: Message) -> None:
        """Show an answer whose text somebody changed."""
        row, view = self._rows.get(message.id), self.view_of(message.id)
        if row is None:
            return
        self._messages[row] = dataclasses.replace(
            message, branch=self._messages[row].branch, branches=self._messages[row].branches
        )
        if isinstance(view, AnswerView):
            focused = self.window().focusWidget()  # also while the editor is open, in whose window the keys are
            had_focus = focused is not None and view.isAncestorOf(focused)
            view.show_edited(self._messages[row])
            self._restore_state(view)
            if had_focus:
                view.text.setFocus()
        self._remeasure(row)
        self.content_changed.emit()

    def show_stage(self, stage: AnswerStage) -> None:
        self._stage = stage
        view = self.view_of(self._growing_id)
        if isinstance(view, AnswerView):
            view.show_stage(stage)

    # -------------------------------------------------------------------- rows

    def _create_view(self, row: int) -> MessageView:
        message = self._messages[row]
        if message.role == "question":
            view: MessageView = QuestionView(message, self._theme, self.requests, self.viewport())
        else:
            view = self._create_answer(message)
        view.set_busy(self._is_busy)
        if self._query_words:
            view.mark(self._query_words, self._revealed[1] if self._revealed[0] == message.id else None)
        view.resized.connect(lambda: self._on_resized(view))
        view.caret_moved.connect(lambda rect: self._ensure_visible(view, rect))
        return view

    def _create_answer(self, message: Message) -> AnswerView:
        if message.id == self._growing_id:
            message = dataclasses.replace(message, text=self._growing_text)
        view = AnswerView(message, self._theme, self._options, self.requests, self.viewport())
        view.set_last(message.id == self._messages[-1].id)
        view.show_stage(self._stage)
        self._restore_state(view)
        return view

    def _restore_state(self, view: AnswerView) -> None:
        """Apply what no answer stores: whether the session is busy, the open source, why an answer failed."""
        view.set_busy(self._is_busy)
        view.show_open(self._open[1] if self._open[0] == view.message.id else None)
        if view.message.id in self._explanations:
            view.explain(self._explanations[view.message.id])

    def _replace(self, messages: list[Message], first: int) -> None:
        """Replace the messages from row `first` on, without positioning their widgets."""
        self._flush_timer.stop()
        focused = QApplication.focusWidget()
        if focused and any(view.isAncestorOf(focused) for row, view in self.views.items() if row >= first):
            self.setFocus()  # otherwise Qt moves the focus to another message and scrolls there
        self._drop_from(first)
        self._messages = list(messages)
        self._rows = {message.id: row for row, message in enumerate(messages)}
        streaming = next((message for message in reversed(messages) if message.status == "streaming"), None)
        self._growing_id = streaming.id if streaming else 0
        self._growing_text = streaming.text if streaming else ""
        estimate = HeightEstimate(self._column, self._theme)
        self._heights = RowHeights([*itertools.islice(self._heights, first), *map(estimate.height, messages[first:])])

    def _focus_in(self, row: int) -> int | None:
        """Return the focused part of a row: a button of its pager (-1 or 1), another part (0); None without focus."""
        view, focused = self.views.get(row), QApplication.focusWidget()
        if view is None or focused is None or not view.isAncestorOf(focused):
            return None
        return view.pager.focused_step() if view.pager else 0

    def _restore_focus(self, row: int, step: int | None) -> None:
        view = self.views.get(row)
        if view is None or step is None:
            return
        if step and view.pager is not None:
            view.pager.focus_step(step)
        else:
            view.text.setFocus()

    def _estimated(self) -> RowHeights:
        estimate = HeightEstimate(self._column, self._theme)
        return RowHeights(map(estimate.height, self._messages))

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
        view = self.views.get(row)
        if isinstance(view, AnswerView):
            view.grow(self._growing_text)
        self._remeasure(row)
        cost_ms = (time.perf_counter() - started) * 1000
        self._flush_timer.setInterval(max(FLUSH_MS, round(cost_ms * FLUSH_SHARE)))

    def _on_resized(self, view: MessageView) -> None:
        row = self._rows.get(view.message.id, -1)
        if self.views.get(row) is view:
            self._follows = False
            self._remeasure(row)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if new is None:
            return  # another window has the focus, or this one is closing and its widgets may be partly destroyed
        for view in self.views.values():
            if isinstance(view, QuestionView):
                view.set_focused(view.isAncestorOf(new))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the focus on a click outside every control, so that keys apply to the conversation."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open a source of the current answer with the keys 1 to 9."""
        answer, number = self.current_answer(), source_number(event)
        if answer is not None and number in answer.sources:
            self.requests.source_chosen.emit(answer.message.id, number)
        else:
            super().keyPressEvent(event)

    def _on_placed(self) -> None:
        self.latest_button.setVisible(not self.is_at_end())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_latest_button()

    def _place_latest_button(self) -> None:
        """Place the button ↓ 最新へ at the foot, which is shown while the conversation's end is not visible."""
        hint = self.latest_button.sizeHint()
        left, top = (self.width() - hint.width()) // 2, self.height() - hint.height() - FOOT_PX
        self.latest_button.setGeometry(left, top, hint.width(), hint.height())

    def _on_latest_clicked(self) -> None:
        if self.latest_button.hasFocus():
            self.setFocus()  # otherwise Qt moves the focus of the hidden button to a message and scrolls there
        self.scroll_to_end()
