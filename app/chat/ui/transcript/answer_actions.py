"""The row below an answer: what it took, its other versions, and what can be done with it."""

import functools
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QBoxLayout, QHBoxLayout, QMenu, QWidget, QWidgetAction

from app.base.wording import phrase
from app.chat import answer_origin
from app.chat.presets import Preset
from app.chat.records import AnswerDetails, Message
from app.chat.services.answering import can_repeat
from app.chat.ui.text import citations
from app.chat.ui.transcript import answer_facts, rating
from app.chat.ui.transcript.message_view import MessageRequests
from app.chat.ui.transcript.pager import Pager
from app.chat.ui.transcript.rating import RatingMark
from app.documents.grounding import source_citations
from app.uikit import clipboard_guard
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton, escape_mnemonic, make_icon_button
from app.uikit.widgets.labels import Label, plain_tooltip


@dataclass(frozen=True, slots=True)
class Look:
    """How answers are shown: the same for all of them."""

    actions: tuple[Preset, ...] = ()  # one click away: 要約, やさしく, …
    shows_details: bool = False


class AnswerActions(QWidget):
    """`fit` decides which actions have a button; those without are in the menu."""

    copy_shown_requested = Signal()

    def __init__(self, message: Message, theme: Theme, look: Look, requests: MessageRequests) -> None:
        super().__init__()
        self._message = message
        self._details = message.details or AnswerDetails()
        self._theme = theme
        self._look = look
        self._requests = requests
        self._is_busy = False
        self._again: Button | None = None
        self.pager: Pager | None = None
        self._quick: list[tuple[Preset, Button]] = []
        self._rating = RatingMark(theme, self)
        self._more = IconButton(theme, "ellipsis", phrase("chat.more_actions_for_this_answer"))
        self._build()
        self.show_rated(message)

    def fit(self, width: int) -> None:
        """As many actions as there is room for; both halves below each other where they do not fit side by side."""
        gap = self._theme.px(8)
        left, right = self._left.sizeHint().width(), self._fixed_width()
        is_row = left + gap + right <= width
        room = width - right - (left + gap if is_row else 0)
        for _, button in self._quick:
            room -= button.sizeHint().width() + self._right.spacing()
            button.setVisible(room >= 0)
        direction = QBoxLayout.Direction.LeftToRight if is_row else QBoxLayout.Direction.TopToBottom
        if self._halves.direction() != direction:
            self._halves.setDirection(direction)
        self._halves.invalidate()
        self.updateGeometry()

    def show_rated(self, message: Message) -> None:
        """The same message, of which the user thinks otherwise now."""
        self._message = message
        self._rating.show_rating(message)
        self._more.setAccessibleDescription(join_facts(rating.words(message), answer_facts.line(self._details)))

    def set_busy(self, is_busy: bool) -> None:
        """While an answer is written, no other one can be."""
        self._is_busy = is_busy
        words = plain_tooltip(phrase("chat.available_when_the_answer_has")) if is_busy else ""
        for button in (self._again, *(button for _, button in self._quick)):
            if button is not None:
                button.setEnabled(not is_busy)
                button.setToolTip(words)

    def menu(self) -> QMenu:
        """Made when it is wanted: most answers scroll past without one."""
        requests, navigation = self._requests, self._requests.navigation
        answer_id, question_id = self._message.id, self._message.parent_id or 0
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for preset, button in self._quick:
            if button.isHidden():
                self._add(menu, escape_mnemonic(preset.name)).triggered.connect(
                    lambda _checked=False, preset=preset: self._act(preset)
                )
        menu.addSeparator()
        edit = self._add(menu, phrase("chat.edit_and_ask_again"))
        edit.triggered.connect(lambda: requests.edit_requested.emit(question_id))
        if self._message.text and can_repeat(self._details):
            again = self._add(menu, phrase("chat.reproduce"))
            again.setToolTip(plain_tooltip(phrase("chat.answers_again_with_the_same")))
            again.triggered.connect(lambda: requests.reproduce_requested.emit(answer_id))
        menu.addSeparator()
        if self._message.text:
            menu.addAction(phrase("chat.copy_without_markup"), self.copy_shown_requested.emit)
            menu.addSeparator()
            menu.addAction(phrase("chat.export_to_word"), lambda: requests.answer_export_requested.emit(answer_id))
        menu.addAction(phrase("common.export_conversations"), navigation.export_requested.emit)
        if self._message.text:
            menu.addSeparator()
            rate = functools.partial(requests.rating_requested.emit, answer_id)
            rating.add_to_menu(menu, self._message, rate)
            menu.addSeparator()
        menu.addAction(phrase("common.view_log"), navigation.log_requested.emit)
        if facts := answer_facts.lines(self._details):
            menu.addSeparator()
            for fact in facts:
                menu.addAction(self._fact(fact, menu))
        return menu

    def copy_cited(self) -> None:
        """Copy the answer with the marks of its sources, and below it where they are from."""
        kept = answer_origin.grounding_of(self._message)
        if kept is not None:
            cited = source_citations.append_sources(self._message.text, kept)
            clipboard_guard.copy_text(self, answer_origin.copied(self._message, cited))

    # ------------------------------------------------------------------ private

    def _copy(self) -> None:
        """Copy the answer as the model wrote it, with its headings, lists and tables, without what the display adds."""
        clipboard_guard.copy_text(self, answer_origin.copied(self._message, self._message.text))

    def _act(self, preset: Preset) -> None:
        self._requests.action_chosen.emit(self._message.id, preset)

    def _build(self) -> None:
        px = self._theme.px
        self._left, self._right = QHBoxLayout(), QHBoxLayout()
        self._left.setSpacing(px(10))
        self._right.setSpacing(px(2))
        self._halves = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._halves.setContentsMargins(0, 0, 0, 0)
        self._halves.setSpacing(px(2))
        self._halves.addLayout(self._left)
        self._halves.addStretch(1)
        self._halves.addLayout(self._right)
        self._fill_left()
        self._fill_right()

    def _fill_left(self) -> None:
        if not self._look.shows_details and (brief := answer_facts.brief(self._details)):
            meta = Label(brief, role="caption", tone="text2")
            meta.setToolTip(plain_tooltip(answer_facts.line(self._details)))
            self._left.addWidget(meta)
        self._left.addWidget(self._rating)
        if self._message.branches > 1:
            self.pager = Pager(self._theme, self._message, phrase("chat.previous_answer"), phrase("chat.next_answer"))
            branch = functools.partial(self._requests.branch_requested.emit, self._message.id)
            self.pager.step_requested.connect(branch)
            self._left.addWidget(self.pager)
        self._left.addStretch(1)

    def _fill_right(self) -> None:
        self._right.addStretch(1)
        if self._message.text:
            is_ours = citations.is_ours(self._message)  # then there is nothing to do something with
            for preset in () if is_ours else self._look.actions:
                self._add_quick(preset)
            copy = make_icon_button(self._theme, phrase("common.copy"), "copy", "quiet", compact=True)
            copy.clicked.connect(self._copy)
            self._right.addWidget(copy)
            if not is_ours and self._details.grounding is not None and self._details.grounding.sources:
                cited = make_icon_button(self._theme, phrase("chat.copy_with_sources"), "quote", "quiet", compact=True)
                cited.setToolTip(plain_tooltip("Ctrl+Shift+C"))
                cited.clicked.connect(self.copy_cited)
                self._right.addWidget(cited)
        if self._message.status != "failed":  # its error has a button for that
            self._again = make_icon_button(self._theme, phrase("chat.regenerate"), "refresh-cw", "quiet", compact=True)
            self._again.clicked.connect(lambda: self._requests.regenerate_requested.emit(self._message.id))
            self._right.addWidget(self._again)
        self._more.clicked.connect(lambda: self._show_menu(self._more))
        self._right.addWidget(self._more)

    def _add_quick(self, preset: Preset) -> None:
        button = Button(self._theme, escape_mnemonic(preset.name), "quiet", compact=True, parent=self)
        button.setAccessibleName(preset.name)
        button.setAccessibleDescription(preset.request)
        button.clicked.connect(lambda: self._act(preset))
        self._quick.append((preset, button))
        self._right.addWidget(button)

    def _fixed_width(self) -> int:
        """Of the buttons that are always there."""
        quick = [button for _, button in self._quick]
        fixed = [child for child in self.findChildren(QAbstractButton) if child.parent() is self and child not in quick]
        return sum(button.sizeHint().width() + self._right.spacing() for button in fixed)

    def _add(self, menu: QMenu, words: str) -> QAction:
        action = menu.addAction(words)
        action.setEnabled(not self._is_busy)
        return action

    def _fact(self, words: str, menu: QMenu) -> QWidgetAction:
        """A line to read. As an entry that cannot be chosen it would be grey on grey."""
        label = Label(words, role="caption", tone="text2")
        label.setContentsMargins(self._theme.px(12), self._theme.px(2), self._theme.px(12), self._theme.px(2))
        action = QWidgetAction(menu)
        action.setText(words)
        action.setDefaultWidget(label)
        action.setEnabled(False)
        return action

    def _show_menu(self, button: QWidget) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(button.mapToGlobal(QPoint(0, button.height())))
