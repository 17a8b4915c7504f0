"""Show an answer: its text, its current stage while it streams, and at the end its footer.

The footer shows how the answer ended, and its check, sources, facts and actions. The file is long because an answer
changes from one state to the next in place, without a jump.
"""

import functools
import time
from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QWidget

from app.base import wording
from app.base.wording import phrase
from app.chat import answer_check
from app.chat.records import AnswerDetails, Message
from app.chat.ui.transcript import answer_actions, sources_footer
from app.chat.ui.transcript.answer_actions import AnswerActions, AnswerDisplayOptions
from app.chat.ui.transcript.message_view import MessageRequests, MessageView, Pager, clock_time
from app.chat.ui.transcript.sources_footer import SourcesFooter
from app.inference.engine.messages import THOUGHT_TOKENS
from app.inference.services.events import AnswerStage
from app.uikit import clipboard_guard, untrusted_text
from app.uikit.localization import join_facts
from app.uikit.text.markdown import first_page
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, ElidedButton
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import IconLabel, Label, plain_tooltip
from app.uikit.widgets.progress_row import TimeLeftText

TICK_MS = 100
MORE_THOUGHTS = 4  # times as many tokens, for an answer that ended in its thoughts


class StageLine(Label):
    """Shows the stage of a streaming answer, and the seconds since its `started_at`, until it is deleted."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(role="caption", tone="text2", parent=parent)
        self.setFixedHeight(theme.px(24))
        self._stage = AnswerStage()
        self._time_left = TimeLeftText()  # estimates the time for loading the model or reading the question
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._refresh)

    def show_stage(self, stage: AnswerStage) -> None:
        if stage.kind != self._stage.kind:
            self._time_left.restart()
        self._stage = stage
        if stage.fraction is not None:
            self._time_left.note(stage.fraction)
        if stage.kind == "idle":
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
        self._refresh()

    def _refresh(self) -> None:
        text = self._words()
        if text != self.text():
            self.setText(text)

    def _words(self) -> str:
        stage = self._stage
        seconds = max(0.0, time.monotonic() - stage.started_at)
        match stage.kind:
            case "searching":
                return phrase("chat.searching_beside_other_work" if stage.is_shared else "chat.searching_documents")
            case "loading":
                doing = join_facts(phrase("chat.loading_the_model_s_s", s=int(seconds)), self._time_left.words)
            case "reading":
                share = round(100 * (stage.fraction or 0))
                doing = join_facts(phrase("chat.reading_the_question_p", p=share), self._time_left.words)
            case "thinking":
                doing = phrase("chat.thinking_s_s", s=f"{seconds:.1f}")
            case "answering":
                doing = phrase("chat.answering_s_s", s=f"{seconds:.1f}")
            case "checking":
                doing = phrase("chat.checking_against_the_sources")
            case _:
                doing = ""
        return join_facts(self._passages_text(), doing)

    def _passages_text(self) -> str:
        """Return the number of passages retrieved from documents; "" when no documents are searched."""
        if not self._stage.count:
            return ""
        # How many passages fit into the prompt is known only when the model is loaded.
        is_found = self._stage.kind in ("passages", "loading")
        key = "chat.found_n_passages_search_ms" if is_found else "chat.read_n_passages_search_ms"
        return phrase(key, n=self._stage.count, ms=f"{round(1000 * self._stage.search_s):,}")


class AnswerFooter(QWidget):
    """Shows how a finished answer ended, its check, sources, facts and actions."""

    def __init__(
        self,
        message: Message,
        theme: Theme,
        options: AnswerDisplayOptions,
        requests: MessageRequests,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._message = message
        self._details = message.details or AnswerDetails()
        self._theme = theme
        self._options = options
        self._requests = requests
        self._is_busy = False
        self._build()

    def fit(self, width: int) -> None:
        self.row.fit(width)
        if self._follow_ups is not None:
            self._follow_ups.fit(width)
        self.updateGeometry()

    def explain(self, sentence: str) -> None:
        """Show a more detailed reason of the failure, with facts that are not stored with the answer."""
        if self._error_label is not None:
            self._error_label.setText(sentence)
            self._frame.updateGeometry()  # otherwise the outer layouts update one event-loop round later
            self.updateGeometry()

    def _build(self) -> None:
        self._error_label: Label | None = None
        column = make_column(into=self, spacing_px=self._theme.px(6))
        if self._message.status == "failed":
            column.addWidget(self._error())
        elif notice := self._notice():
            column.addWidget(Label(notice, role="caption", tone="text2", wraps=True))
        self.thinking_buttons = self._thinking_buttons() if self._message.ended_in_thoughts else []
        if self.thinking_buttons:
            column.addWidget(FlowBox(*self.thinking_buttons))
        self.sources_footer: SourcesFooter | None = None
        grounding = answer_check.grounding_of(self._message)
        if self._message.is_edited:
            column.addWidget(self._edited_line())
        if answer_check.imported_mark(self._message):
            column.addWidget(sources_footer.imported_box(self._message, self._theme))
        if grounding is not None and self._message.status != "failed":
            self.sources_footer = SourcesFooter(self._message, grounding, self._theme, self._requests)
            column.addWidget(self.sources_footer)
        if self._details.is_same is not None:
            sign = ("circle-check", "success") if self._details.is_same else ("triangle-alert", "warning")
            words = answer_actions.comparison_text(self._details)
            column.addLayout(sources_footer.signed_line(self._theme, *sign, words))
        if self._options.shows_details and (facts := answer_actions.facts_line(self._details)):
            column.addWidget(Label(facts, role="caption", tone="text2", wraps=True))
        self.row = AnswerActions(self._message, self._theme, self._options, self._requests)
        column.addWidget(self.row)
        self._questions = grounding.follow_ups if grounding is not None and grounding.has_answer else ()
        self._follow_ups: FollowUps | None = None  # built for the last answer only

    def set_busy(self, is_busy: bool) -> None:
        self._is_busy = is_busy
        self.row.set_busy(is_busy)
        for button in self.thinking_buttons:
            button.setEnabled(not is_busy)
        if self._follow_ups is not None:
            self._follow_ups.set_busy(is_busy)

    def suggest(self, is_wanted: bool) -> None:
        """Show or hide the suggested questions of an answer that was written to its end."""
        is_wanted = is_wanted and bool(self._questions) and self._message.status == "done"
        if is_wanted and self._follow_ups is None:
            self._follow_ups = FollowUps(self._message, self._questions, self._theme, self._requests)
            self._follow_ups.set_busy(self._is_busy)
            layout = self.layout()
            assert layout is not None
            layout.addWidget(self._follow_ups)
        if self._follow_ups is not None:
            self._follow_ups.setVisible(is_wanted)
            self.updateGeometry()

    def _edited_line(self) -> QWidget:
        """Return the line below an answer that somebody edited, with the way to its original text."""
        words = join_facts(answer_check.edited_mark(self._message), phrase("chat.edited_is_not_checked"))
        see = Button(self._theme, phrase("chat.see_the_original"), compact=True)
        see.clicked.connect(lambda: self._requests.original_requested.emit(self._message.id))
        line, px = QWidget(), self._theme.px
        icon = IconLabel(self._theme, "pencil", "text2")
        make_row(icon, (Label(words, role="caption", tone="text2", wraps=True), 1), see, into=line, spacing_px=px(6))
        return line

    def _thinking_buttons(self) -> list[Button]:
        """Return what helps an answer that ended in its thoughts: a larger budget for them, or none."""
        choices = self._details.choices
        budget = MORE_THOUGHTS * ((choices.thought_tokens if choices else None) or THOUGHT_TOKENS)
        longer = self._thinking_button(phrase("chat.think_longer", n=MORE_THOUGHTS), budget, "refresh-cw")
        longer.setToolTip(plain_tooltip(phrase("chat.at_most_n_tokens_of_thoughts", n=f"{budget:,}")))
        return [longer, self._thinking_button(phrase("chat.answer_without_thinking"), 0)]

    def _thinking_button(self, words: str, thought_tokens: int, icon: str = "") -> Button:
        button = Button(self._theme, words, icon=icon, compact=True)
        ask = functools.partial(self._requests.thinking_requested.emit, self._message.id, thought_tokens)
        button.clicked.connect(ask)
        return button

    def _notice(self) -> str:
        if self._message.ended_in_thoughts:
            return phrase("chat.the_model_was_still_thinking")
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

    def _error(self) -> QFrame:
        frame = self._frame = QFrame()
        frame.setProperty("surface", "danger")
        # The message without its facts (sizes, names), because an answer does not store them.
        code = self._details.error_code
        reason = wording.outline_error(code) if code else phrase("chat.no_answer_could_be_given")
        self._error_label = Label(reason, wraps=True)
        again = Button(self._theme, phrase("chat.answer_again"), compact=True)
        again.clicked.connect(lambda: self._requests.regenerate_requested.emit(self._message.id))
        log = Button(self._theme, phrase("common.view_log"), "quiet", compact=True)
        log.clicked.connect(self._requests.navigation.log_requested)
        icon, px = IconLabel(self._theme, "circle-x", "danger"), self._theme.px
        margins = (px(12), px(8), px(8), px(8))
        make_row(icon, (self._error_label, 1), again, log, into=frame, margins_px=margins, spacing_px=px(8))
        return frame


class ThoughtsFold(QWidget):
    """Shows how long the model thought, and what, when the user unfolds it."""

    resized = Signal()

    def __init__(self, message: Message, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        details = message.details or AnswerDetails()
        self._theme = theme
        self._thoughts = details.thoughts
        self.button = Button(
            theme, phrase("chat.what_it_thought", s=f"{details.thought_s:.0f}"), "quiet", icon="chevron-right",
            compact=True,
        )  # fmt: skip
        self.button.setCheckable(True)
        self.button.toggled.connect(self._show)
        self._text: Label | None = None
        self._column = make_column((self.button, 0, Qt.AlignmentFlag.AlignLeft), into=self, spacing_px=theme.px(4))

    def _show(self, is_unfolded: bool) -> None:
        self.button.show_icon("chevron-down" if is_unfolded else "chevron-right", "text2")
        if self._text is None:
            thoughts = untrusted_text.make_harmless(self._thoughts)
            self._text = Label(thoughts, tone="text2", wraps=True, selectable=True)
            self._column.addWidget(self._text)
        self._text.setVisible(is_unfolded)
        self._column.invalidate()  # otherwise the outer layouts update one event-loop round later
        self.updateGeometry()
        self.resized.emit()


class FollowUps(QWidget):
    """One line of suggested questions, of which as many are shown as fit; one click asks one."""

    def __init__(self, message: Message, questions: Sequence[str], theme: Theme, requests: MessageRequests) -> None:
        super().__init__()
        self._theme = theme
        self._buttons: list[Button] = []
        self._label = Label(phrase("chat.ask_next"), role="caption", tone="text2")
        row = make_row(self._label, into=self, spacing_px=theme.px(8))
        for question in questions:
            words = untrusted_text.make_harmless(question)
            button = ElidedButton(theme, words, compact=True)
            button.setAccessibleName(phrase("chat.ask_next_question", question=words))
            button.clicked.connect(functools.partial(requests.follow_up_chosen.emit, message.id, question))
            self._buttons.append(button)
            row.addWidget(button)
        row.addStretch(1)

    def fit(self, width: int) -> None:
        """Show as many questions as fit into `width` px, at least the first one."""
        room = width - self._label.sizeHint().width()
        for number, button in enumerate(self._buttons):
            room -= button.sizeHint().width() + self._theme.px(8)
            button.setVisible(room >= 0 or number == 0)
            button.setMaximumWidth(width)

    def set_busy(self, is_busy: bool) -> None:
        for button in self._buttons:
            button.setEnabled(not is_busy)
            busy = phrase("chat.available_when_the_answer_has")
            button.setToolTip(plain_tooltip(busy if is_busy else button.accessibleName()))


class AnswerView(MessageView):
    """An answer. While it streams, call `grow` with all text so far and `show_stage`; at the end call `finish`."""

    def __init__(
        self,
        message: Message,
        theme: Theme,
        options: AnswerDisplayOptions,
        requests: MessageRequests,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(message, theme, requests, parent)
        self._options = options
        self._column.setSpacing(theme.px(6))
        self._column.addWidget(self.text)
        self._stage_line: StageLine | None = None
        self._end: AnswerFooter | None = None
        self._open: int | None = None  # number of the source that is open next to the conversation; None: none
        self._lines: list[QWidget] = []  # above the text
        self._is_last = False
        self.text.source_chosen.connect(functools.partial(requests.source_chosen.emit, message.id))
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
        """Show the first page of the text so far; the rest is shown when the answer has ended."""
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

    def set_last(self, is_last: bool) -> bool:
        """Set whether this is the last message, below which questions are suggested; return whether that changed."""
        self._is_last, was_last = is_last, self._is_last
        if self._end is not None:
            self._end.suggest(is_last)
        return is_last != was_last

    def show_edited(self, message: Message) -> None:
        """Show another text of the same answer."""
        self.message = message
        for line in self._lines:
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        self._lines.clear()
        self._show_ended()

    def show_as(self, options: AnswerDisplayOptions) -> None:
        """Show facts and actions by new options, below the unchanged text."""
        self._options = options
        if self._end is not None:
            self._replace_footer()

    def show_rated(self, message: Message) -> None:
        self.message = message
        if self._end is not None:
            self._end.row.show_rated(message)

    def set_busy(self, is_busy: bool) -> None:
        super().set_busy(is_busy)
        if self._end is not None:
            self._end.set_busy(is_busy)

    def explain(self, sentence: str) -> None:
        """Show a more detailed reason of the failure than the stored one."""
        if self._end is not None:
            self._end.explain(sentence)

    @property
    def sources(self) -> tuple[int, ...]:
        """Return the numbers of the sources that the answer shows."""
        footer = self._sources_footer
        return footer.numbers if footer is not None else ()

    @property
    def check_summary(self) -> str:
        """Return the mark of an imported answer and the result of the check, for screen readers; "" without both."""
        footer = self._sources_footer
        grounding = answer_check.grounding_of(self.message)
        near = phrase("documents.near") if grounding is not None and grounding.verdict == "near" else ""
        return join_facts(*answer_check.origin_marks(self.message), near, footer.summary if footer is not None else "")

    @property
    def _sources_footer(self) -> SourcesFooter | None:
        return self._end.sources_footer if self._end is not None else None

    def show_open(self, number: int | None) -> None:
        """Mark the source that is open next to the conversation; None marks none."""
        self._open = number
        self.text.show_source(number)
        if self._sources_footer is not None:
            self._sources_footer.show_open(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open a source with the keys 1 to 9."""
        if (number := source_number(event)) in self.sources:
            self._requests.source_chosen.emit(self.message.id, number)
        else:
            super().keyPressEvent(event)

    def _show_ended(self) -> None:
        grounding = answer_check.grounding_of(self.message)
        if grounding is not None and grounding.is_excerpt:
            line = sources_footer.excerpt_line(self._theme, self)
            self._insert_first(line)
        if grounding is not None and grounding.verdict == "near":
            self._insert_first(sources_footer.near_line(self._theme, self))
        if self.message.details is not None and self.message.details.thoughts:
            fold = ThoughtsFold(self.message, self._theme, self)
            fold.resized.connect(self.resized)
            self._insert_first(fold)
        self._show_text(as_markdown=True)
        self._replace_footer()
        self._describe()

    def _insert_first(self, line: QWidget) -> None:
        self._column.insertWidget(0, line)
        self._lines.append(line)
        line.show()  # needed as in `_replace_footer`

    def _replace_footer(self) -> None:
        """Build the footer, in place of the last one if there is one."""
        if self._end is not None:
            self._column.removeWidget(self._end)
            self._end.hide()
            self._end.deleteLater()
        end = AnswerFooter(self.message, self._theme, self._options, self._requests, self)
        end.row.copy_shown_requested.connect(self._copy_shown)
        if end.sources_footer is not None and not self._pages:
            end.sources_footer.show_all_rows()
        self._column.addWidget(end)
        end.show()  # Qt gives a child that is added later no height in the layout before it is shown
        self._end = end
        self.set_last(self._is_last)
        self.show_open(self._open)

    def _show_more(self) -> None:
        if self._end is not None and self._end.sources_footer is not None:
            self._end.sources_footer.show_all_rows()
            self._end.updateGeometry()
        super()._show_more()

    def _describe(self) -> None:
        self._name(phrase("chat.answer_time", time=clock_time(self.message.created_at)))

    def copy_cited(self) -> None:
        """Copy the answer with its sources. Do nothing before the answer has ended."""
        if self._end is not None:
            self._end.row.copy_cited()

    def _copy_shown(self) -> None:
        clipboard_guard.copy_text(self, answer_check.with_origin_marks(self.message, self.text.plain_text()))


def source_number(event: QKeyEvent) -> int:
    """Return the number of a digit key pressed without modifiers, 1 to 9; 0 for any other key."""
    is_digit = event.text().isdecimal() and event.text().isascii()
    return int(event.text()) if is_digit and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier else 0
