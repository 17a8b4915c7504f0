"""An answer: bare text on the page, and below it what it is waiting for or how it ended."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.chat import answer_origin
from app.chat.records import Message
from app.chat.ui.transcript.answer_actions import Look
from app.chat.ui.transcript.answer_end import AnswerEnd
from app.chat.ui.transcript.grounds import ExcerptLine
from app.chat.ui.transcript.message_view import MessageRequests, MessageView, clock_time
from app.chat.ui.transcript.pager import Pager
from app.chat.ui.transcript.stage_line import StageLine
from app.documents.grounding import source_citations
from app.inference.services.events import AnswerStage
from app.uikit import clipboard_guard
from app.uikit.localization import join_facts
from app.uikit.text.markdown import first_page
from app.uikit.theme import Theme


class AnswerView(MessageView):
    """While its message streams: `grow` with all the text so far, `show_stage`, at last `finish`."""

    def __init__(
        self, message: Message, theme: Theme, look: Look, requests: MessageRequests, parent: QWidget | None = None
    ) -> None:
        super().__init__(message, theme, requests, parent)
        self._look = look
        self._column.setSpacing(theme.px(6))
        self._column.addWidget(self.text)
        self._stage_line: StageLine | None = None
        self._end: AnswerEnd | None = None
        self._open: int | None = None  # the source that is shown beside the conversation
        self.text.source_chosen.connect(self._choose)
        if message.status == "streaming":
            self._stage_line = StageLine(theme, self)
            self._column.addWidget(self._stage_line)
            self.grow(message.text)
            self._describe()
        else:
            self._show_ended()

    @property
    def pager(self) -> Pager | None:
        return self._end.row.pager if self._end else None

    def fit(self, width: int) -> int:
        if self._end is not None:
            self._end.fit(width)
        return super().fit(width)

    def grow(self, text: str) -> None:
        """What is shown while streaming is bounded; the rest can be seen when the answer has ended."""
        self.text.show_growing(first_page(text))
        self.text.setVisible(bool(text))

    def show_stage(self, stage: AnswerStage) -> None:
        if self._stage_line is not None:
            self._stage_line.show_stage(stage)

    def finish(self, message: Message) -> None:
        self.message = message
        if self._stage_line is not None:
            self._column.removeWidget(self._stage_line)
            self._stage_line.deleteLater()
            self._stage_line = None
        self._show_ended()

    def show_as(self, look: Look) -> None:
        """Other facts or actions below the text, which stays as it is."""
        self._look = look
        if self._end is not None:
            self._put_end()

    def show_rated(self, message: Message) -> None:
        self.message = message
        if self._end is not None:
            self._end.row.show_rated(message)

    def set_busy(self, is_busy: bool) -> None:
        super().set_busy(is_busy)
        if self._end is not None:
            self._end.row.set_busy(is_busy)

    def explain(self, sentence: str) -> None:
        """Why it failed, with facts that are not stored."""
        if self._end is not None:
            self._end.explain(sentence)

    @property
    def sources(self) -> tuple[int, ...]:
        """Numbers of those that it shows."""
        kept = answer_origin.grounding_of(self.message)
        is_shown = self._end is not None and self._end.grounds is not None
        return (
            source_citations.used_sources(self.message.text, kept)
            if kept is not None and kept.sources and is_shown
            else ()
        )

    @property
    def check_summary(self) -> str:
        """How the check of its sentences came out; "" where there was none."""
        found = self._end.grounds.summary if self._end is not None and self._end.grounds is not None else ""
        return join_facts(answer_origin.mark(self.message), found)

    def show_open(self, number: int | None) -> None:
        """Which of its sources is shown beside the conversation; None: none."""
        self._open = number
        self.text.show_source(number)
        if self._end is not None and self._end.grounds is not None:
            self._end.grounds.show_open(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """1 to 9 opens a source."""
        if (number := source_number(event)) in self.sources:
            self._choose(number)
        else:
            super().keyPressEvent(event)

    def _choose(self, number: int) -> None:
        self._requests.source_chosen.emit(self.message.id, number)

    def _show_ended(self) -> None:
        kept = answer_origin.grounding_of(self.message)
        if kept is not None and kept.is_excerpt:
            line = ExcerptLine(self._theme, self)
            self._column.insertWidget(0, line)
            line.show()  # at once, as with the end
        self._show_text(as_markdown=True)
        self._put_end()
        self._describe()

    def _put_end(self) -> None:
        """In the place of an earlier one."""
        if self._end is not None:
            self._column.removeWidget(self._end)
            self._end.hide()
            self._end.deleteLater()
        end = AnswerEnd(self.message, self._theme, self._look, self._requests, self)
        end.row.copy_shown_requested.connect(self._copy_shown)
        self._column.addWidget(end)
        end.show()  # at once: a child that comes later counts for no height before it is shown
        self._end = end
        self.show_open(self._open)

    def _describe(self) -> None:
        self._name(phrase("chat.answer_time", time=clock_time(self.message.created_at)))

    def copy_cited(self) -> None:
        """Copy the answer with its sources, once it has ended."""
        if self._end is not None:
            self._end.row.copy_cited()

    def _copy_shown(self) -> None:
        clipboard_guard.copy_text(self, answer_origin.copied(self.message, self.text.plain_text()))


def source_number(event: QKeyEvent) -> int:
    """The source that a key asks for by itself, 1 to 9; 0: none."""
    is_digit = event.text().isdecimal() and event.text().isascii()
    return int(event.text()) if is_digit and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier else 0
