"""Provide what questions and answers share: text, height for a width, version switch; and show a question."""

import time
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from app.base.wording import phrase
from app.chat import answer_check
from app.chat.records import Message
from app.chat.ui.text import citations
from app.chat.ui.text.citations import CitedText
from app.chat.ui.transcript.rows_view import Row
from app.uikit import clipboard_guard, untrusted_text
from app.uikit.page import NavigationSignals
from app.uikit.text import markdown
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton, make_icon_button, make_menu
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import Label, plain_tooltip


class Pager(QWidget):
    """The switch ‹ 2／3 › between the versions of a question or an answer."""

    step_requested = Signal(int)  # -1: to the previous version, 1: to the next version

    def __init__(self, theme: Theme, message: Message, before: str, after: str, parent: QWidget | None = None) -> None:
        """Build the switch. `before` and `after` are the accessible names of its two buttons."""
        super().__init__(parent)
        self._message = message
        self._buttons = {
            -1: IconButton(theme, "chevron-left", before, "Alt+←"),
            1: IconButton(theme, "chevron-right", after, "Alt+→"),
        }
        count = Label(phrase("chat.i_n", i=message.branch, n=message.branches), role="caption", tone="text2")
        row = make_row(into=self, spacing_px=theme.px(2))
        for widget in (self._buttons[-1], count, self._buttons[1]):
            row.addWidget(widget)
        for step, button in self._buttons.items():
            button.clicked.connect(lambda _checked=False, step=step: self.step_requested.emit(step))
        self.set_busy(False)

    def set_busy(self, is_busy: bool) -> None:
        """Disable the buttons while an answer is being written, because no other branch can be shown then."""
        for step, button in self._buttons.items():
            is_there = 1 <= self._message.branch + step <= self._message.branches
            button.setEnabled(is_there and not is_busy)

    def focused_step(self) -> int:
        """Return the step of the button with the focus: -1 or 1; 0 when neither has it."""
        return next((step for step, button in self._buttons.items() if button.hasFocus()), 0)

    def focus_step(self, step: int) -> None:
        """Focus the button of `step` (-1 or 1), or the other one if that is disabled."""
        button = self._buttons[step] if self._buttons[step].isEnabled() else self._buttons[-step]
        button.setFocus()


class MessageRequests(QObject):
    """Signals by which the messages of a conversation send requests to the page."""

    regenerate_requested = Signal(int)  # answer id, also in the next two signals
    reproduce_requested = Signal(int)
    thinking_requested = Signal(int, int)  # answer id, at most so many tokens of thoughts; 0: none
    action_chosen = Signal(int, object)  # answer id, Preset
    follow_up_chosen = Signal(int, str)  # answer id, question
    answer_export_requested = Signal(int)  # answer id
    rating_requested = Signal(int, int)  # answer id, rating; BAD also to write a correction
    source_chosen = Signal(int, int)  # answer id, source number
    edit_requested = Signal(int)  # question id
    answer_edit_requested = Signal(int)  # answer id, also in the next signal
    original_requested = Signal(int)
    branch_requested = Signal(int, int)  # message id; -1: previous version, 1: next version
    link_chosen = Signal(str)

    def __init__(self, navigation: NavigationSignals, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.navigation = navigation  # for requests of messages to the window


class MessageView(Row):
    """The widget of a message. The transcript sets its width with `fit`, and again when it emits `resized`."""

    resized = Signal()
    caret_moved = Signal(QRect)  # the text cursor, in this widget's coordinates

    def __init__(
        self, message: Message, theme: Theme, requests: MessageRequests, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.message = message
        self._theme = theme
        self._requests = requests
        self._pages: list[str] = []
        self._column = make_column(into=self, spacing_px=0)
        self.text = CitedText(theme, self)
        self._expand_button: Button | None = None
        self.text.link_chosen.connect(requests.link_chosen)
        self.text.cursorPositionChanged.connect(self._on_caret_moved)

    @property
    def pager(self) -> Pager | None:
        """Return the switch between the versions of this message; None if it has only one."""
        return None

    def set_busy(self, is_busy: bool) -> None:
        """Disable everything that would write or show another answer, while one is being written."""
        if self.pager is not None:
            self.pager.set_busy(is_busy)

    def fit(self, width: int) -> int:
        """Lay out the text for a width in px and return the height needed in px, without applying the height."""
        margins = self._column.contentsMargins()
        self.text.fit(width - margins.left() - margins.right())
        self._column.activate()
        if self._column.hasHeightForWidth():
            return self._column.totalHeightForWidth(width)
        return self._column.totalSizeHint().height()

    def mark(self, query_words: Sequence[str], current: int | None = None) -> None:
        """Mark words as `RichText.mark` does, and show more of a long text until match `current` is visible."""
        count = self.text.mark(query_words, current)
        while current is not None and current >= count and self._pages:
            self._show_more()
            count = self.text.mark(query_words, current)

    def mark_rect(self) -> QRect:
        """Return the rectangle of the current match, in this widget's coordinates."""
        return self.text.mark_rect().translated(self.text.mapTo(self, QPoint()))

    def _show_text(self, *, as_markdown: bool) -> None:
        """Show the text, or its first page with a button for the next; a further page is laid out only on request."""
        shown = citations.shown_text(self.message)
        if self._expand_button is not None:
            self._column.removeWidget(self._expand_button)
            self._expand_button.deleteLater()
            self._expand_button = None
        self._pages = citations.excerpt_pages(self.message) or markdown.pages(shown)
        if as_markdown:
            self.text.show_markdown(self._pages.pop(0), answer_check.grounding_of(self.message))
        else:
            self.text.show_plain(self._pages.pop(0))
        self.text.setVisible(bool(shown))
        if self._pages:
            self._expand_button = Button(self._theme, "", compact=True, parent=self)
            self._expand_button.clicked.connect(self._show_more)
            self._column.insertWidget(
                self._column.indexOf(self.text) + 1, self._expand_button, 0, Qt.AlignmentFlag.AlignLeft
            )
            self._count_rest()

    def _show_more(self) -> None:
        if citations.hidden_excerpts(self.message):
            self.text.show_markdown(self._pages.pop(0), answer_check.grounding_of(self.message))
        else:
            self.text.append_plain(self._pages.pop(0))
        self._count_rest()
        self.resized.emit()

    def _count_rest(self) -> None:
        assert self._expand_button is not None
        rest = sum(map(len, self._pages))
        excerpts = citations.hidden_excerpts(self.message)
        more = phrase("chat.show_more_n_characters_left", n=f"{rest:,}")
        self._expand_button.setText(phrase("common.n_more", n=excerpts) if excerpts else more)
        self._expand_button.setVisible(rest > 0)

    def _on_caret_moved(self) -> None:
        if self.text.hasFocus():
            self.caret_moved.emit(self.text.cursorRect().translated(self.text.mapTo(self, QPoint())))

    def _name(self, kind: str) -> None:
        """Set the accessible name and description of the message, for screen readers."""
        self.setAccessibleName(kind)
        self.setAccessibleDescription(untrusted_text.make_harmless(self.message.text[: markdown.PAGE_CHARACTERS]))
        self.text.setAccessibleName(kind)


def clock_time(seconds: float) -> str:
    local = time.localtime(seconds)
    return f"{local.tm_hour}:{local.tm_min:02d}"


HEAD_PX = 26  # height of the buttons in px, reserved while they are hidden too
SIDE_PX = 16


class QuestionView(MessageView):
    """A question. Its buttons appear while it has the pointer or the focus. Its menu, which is always visible, has the
    same actions.

    The question of an action, which the user has not written, is only a line with the action's name.
    """

    def __init__(
        self, message: Message, theme: Theme, requests: MessageRequests, parent: QWidget | None = None
    ) -> None:
        super().__init__(message, theme, requests, parent)
        px = theme.px
        self._is_focused = False
        self._has_room = True
        self._buttons: list[Button] = []
        self._pager: Pager | None = None
        side = 0 if message.is_action else SIDE_PX
        self._column.setContentsMargins(px(side), px(6), px(side), px(0 if message.is_action else 12))
        self._column.setSpacing(px(2))
        caption = question_caption(message)
        self._column.addLayout(self._head(caption))
        self._column.addWidget(self.text)
        self._show_text(as_markdown=False)
        self._name(caption)

    @property
    def pager(self) -> Pager | None:
        return self._pager

    def fit(self, width: int) -> int:
        """Lay out as `MessageView.fit` does; hide the buttons if the header row would be wider than `width`."""
        if self._buttons:
            head = self._head_row.sizeHint().width()
            hidden_px = sum(button.sizeHint().width() for button in self._buttons if button.isHidden())
            self._has_room = head + hidden_px + self._theme.px(SIDE_PX * 2) <= width
            self._show_buttons()
        return super().fit(width)

    def set_focused(self, is_focused: bool) -> None:
        """Set whether a widget of the question has the focus."""
        if is_focused != self._is_focused:
            self._is_focused = is_focused
            self._show_buttons()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._show_buttons()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_buttons()

    def menu(self) -> QMenu:
        menu = make_menu(self)
        menu.addAction(phrase("chat.edit_and_ask_again"), self._edit)
        menu.addAction(phrase("common.copy"), self._copy)
        return menu

    # ------------------------------------------------------------------ private

    def _head(self, caption: str) -> QHBoxLayout:
        px = self._theme.px
        time = Label(caption, role="caption", tone="text2", parent=self)
        self._head_row = row = make_row(time, spacing_px=px(2))
        if self.message.branches > 1:
            self._pager = Pager(
                self._theme, self.message, phrase("chat.previous_version"), phrase("chat.next_version"), self
            )
            branch = self._requests.branch_requested
            self._pager.step_requested.connect(lambda step: branch.emit(self.message.id, step))
            row.addSpacing(px(8))
            row.addWidget(self._pager)
        row.addStretch(1)
        row.addStrut(px(HEAD_PX))
        if self.message.is_action:
            return row
        self._more_button = IconButton(
            self._theme, "ellipsis", phrase("chat.more_actions_for_this_question"), parent=self
        )
        self._more_button.clicked.connect(self._show_menu)
        row.addWidget(self._more_button)
        return row

    def _show_buttons(self) -> None:
        is_shown = self._is_focused or self.underMouse()
        if is_shown and not self._buttons and not self.message.is_action:
            self._add_buttons()
        for button in self._buttons:
            button.setVisible(is_shown and self._has_room)

    def _add_buttons(self) -> None:
        """Build the buttons on first use, because most questions never need them."""
        edit = make_icon_button(self._theme, phrase("common.edit"), "pencil", "quiet", compact=True)
        edit.setAccessibleName(phrase("chat.edit_and_ask_again"))
        edit.setToolTip(plain_tooltip(phrase("chat.edit_and_ask_again")))
        edit.clicked.connect(self._edit)
        copy = make_icon_button(self._theme, phrase("common.copy"), "copy", "quiet", compact=True)
        copy.clicked.connect(self._copy)
        self._buttons = [edit, copy]
        before: QWidget = self.text
        for button in self._buttons:
            button.hide()
            self._head_row.insertWidget(self._head_row.indexOf(self._more_button), button)
            QWidget.setTabOrder(before, button)
            before = button
        QWidget.setTabOrder(before, self._more_button)
        self.fit(self.width())

    def _edit(self) -> None:
        self._requests.edit_requested.emit(self.message.id)

    def _copy(self) -> None:
        clipboard_guard.copy_text(self, self.message.text)

    def _show_menu(self) -> None:
        self.menu().popup(self._more_button.mapToGlobal(QPoint(0, self._more_button.height())))

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self.message.is_action:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("line"), 1))
        painter.setBrush(self._theme.color("raised"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def question_caption(message: Message) -> str:
    """Return the caption of a question, with the name of an action, which is untrusted text of a file or the user."""
    time = clock_time(message.created_at)
    if message.is_action:
        return phrase("chat.action_time", name=untrusted_text.make_harmless(message.text), time=time)
    return phrase("chat.question_time", time=time)
