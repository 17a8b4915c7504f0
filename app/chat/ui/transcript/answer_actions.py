"""Show the row below an answer: the time it took, its other versions, its rating, and the actions.

The facts of an answer are shown briefly, or completely for users who want all details.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QMenu, QWidget, QWidgetAction

from app.base.wording import phrase
from app.chat import answer_check
from app.chat.answer_ratings import BAD, GOOD, UNRATED
from app.chat.presets import Preset
from app.chat.records import STOP_REASONS, AnswerDetails, Message
from app.chat.services.answer_settings import can_repeat
from app.chat.ui.text import citations
from app.chat.ui.transcript.message_view import MessageRequests, Pager
from app.documents.grounding import source_citations
from app.uikit import clipboard_guard
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton, escape_mnemonic, make_icon_button, make_menu
from app.uikit.widgets.containers import Stretch, make_row, set_direction
from app.uikit.widgets.labels import IconLabel, Label, plain_tooltip


def fact_lines(details: AnswerDetails) -> list[str]:
    """Return all facts about an answer that are not empty, one per item."""
    seconds = _seconds(details) if details.total_s > 0 else ""
    facts = [seconds, _speed(details), answer_check.model_text(details), _remote(details)]
    if details.answer_tokens:
        facts.append(phrase("common.n_tokens", n=f"{details.answer_tokens:,}"))
    if details.stop_reason:
        # A newer program may have stored a reason for which there is no text here.
        reason = "end" if details.stop_reason == "stop" else details.stop_reason
        words = phrase(f"chat.stop_reason.{reason}") if reason in STOP_REASONS else reason
        facts.append(phrase("chat.ended_reason", reason=words))
    if details.grounding is not None and details.grounding.by_meaning:
        is_by_meaning = details.grounding.by_meaning == "used"
        facts.append(
            phrase("chat.searched_by_words_and_meaning")
            if is_by_meaning
            else phrase("chat.searched_by_words_alone_meaning")
        )
    if details.grounding is not None and details.grounding.reranked:
        seconds_text = f"{details.grounding.rerank_s:.1f}"
        is_reranked = details.grounding.reranked == "used"
        facts.append(phrase("chat.reranked_in_s", s=seconds_text) if is_reranked else phrase("chat.not_reranked"))
    if details.seed is not None:
        facts.append(phrase("chat.seed_seed", seed=details.seed))
    return [fact for fact in facts if fact]


def facts_line(details: AnswerDetails) -> str:
    return phrase("chat.symbol_3").join(fact_lines(details))


def comparison_text(details: AnswerDetails) -> str:
    """Return a sentence that compares a repetition with the original answer."""
    if details.is_same and details.is_part:
        return phrase("chat.the_same_text_as_before")
    if details.is_same:
        return phrase("chat.the_text_is_the_same")
    return phrase("chat.the_text_differs_from_before")


# Errors that end an answer before anything is sent (`app.chat.services.answer_run`).
_REFUSED_HERE = frozenset(("remote_secret", "remote_not_agreed"))


def _remote(details: AnswerDetails) -> str:
    """Return a text with the machine that the question was sent to; "" when it stayed on this machine."""
    place = "" if details.error_code in _REFUSED_HERE else answer_check.remote_machine(details)
    return phrase("chat.sent_to_place", place=place) if place else ""


def _seconds(details: AnswerDetails) -> str:
    return phrase("common.s_s", s=f"{details.total_s:.1f}")


def _speed(details: AnswerDetails) -> str:
    """Return the speed of an answer, or "" for one of a single token, whose speed is meaningless."""
    return f"{details.tokens_per_s:.1f} tok/s" if details.tokens_per_s > 0 and details.answer_tokens > 1 else ""


_ICONS = {GOOD: "thumbs-up", BAD: "thumbs-down"}


class RatingMark(QWidget):
    """Shows an answer's rating. The icon is built for rated answers only, because most are not rated."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon: IconLabel | None = None
        self._label = Label("", role="caption", tone="text2", parent=self)

    def show_rating(self, answer: Message) -> None:
        self.setVisible(answer.rating != UNRATED)
        if answer.rating == UNRATED:
            return
        if self._icon is None:
            self._icon = self._build(_ICONS[answer.rating])
        self._icon.show_icon(_ICONS[answer.rating], "text2")
        self._label.setText(rating_text(answer))

    def _build(self, icon_name: str) -> IconLabel:
        icon = IconLabel(self._theme, icon_name)
        make_row((icon, 0, Qt.AlignmentFlag.AlignVCenter), self._label, into=self, spacing_px=self._theme.px(4))
        icon.show()  # Qt gives a child that is added later no width in the layout before it is shown
        return icon


def rating_text(answer: Message) -> str:
    """Return the rating as text, such as 「悪い（訂正あり）」; "" for an unrated answer."""
    if answer.rating == BAD:
        is_corrected = bool(answer.correction)
        return with_note(phrase("chat.bad"), phrase("chat.corrected") if is_corrected else "")
    return phrase("chat.good") if answer.rating == GOOD else ""


def add_rating_actions(menu: QMenu, answer: Message, rate: Callable[[int], object]) -> None:
    """Add the rating actions to a menu. `rate` is called with the new rating.

    Choosing the current rating again removes it. An answer rated BAD has a further entry that calls `rate(BAD)` to open
    its correction.
    """
    for rating, name in ((GOOD, phrase("chat.good")), (BAD, phrase("chat.bad"))):
        is_given = answer.rating == rating
        entry = menu.addAction(name)
        entry.setCheckable(True)
        entry.setChecked(is_given)
        entry.triggered.connect(lambda _checked, new_rating=UNRATED if is_given else rating: rate(new_rating))
    if answer.rating == BAD:
        menu.addAction(phrase("chat.write_the_right_answer"), lambda: rate(BAD))


@dataclass(frozen=True, slots=True)
class AnswerDisplayOptions:
    """Options for showing all answers of the transcript."""

    actions: tuple[Preset, ...] = ()  # quick actions such as 要約 and やさしく
    shows_details: bool = False


class AnswerActions(QWidget):
    """Shows the facts and buttons below an answer. `fit` decides which actions only the menu has."""

    copy_shown_requested = Signal()

    def __init__(
        self, message: Message, theme: Theme, options: AnswerDisplayOptions, requests: MessageRequests
    ) -> None:
        super().__init__()
        self._message = message
        self._details = message.details or AnswerDetails()
        self._theme = theme
        self._options = options
        self._requests = requests
        self._is_busy = False
        self._regenerate_button: Button | None = None
        self.pager: Pager | None = None
        self._quick: list[tuple[Preset, Button]] = []
        self._rating = RatingMark(theme, self)
        self._more_button = IconButton(theme, "ellipsis", phrase("chat.more_actions_for_this_answer"))
        self._build()
        self.show_rated(message)

    def fit(self, width: int) -> None:
        """Show as many buttons as fit into `width` px. Facts and buttons share a row, or use two if they must."""
        gap = self._theme.px(8)
        left, right = self._left.sizeHint().width(), self._fixed_width()
        is_row = left + gap + right <= width
        room = width - right - (left + gap if is_row else 0)
        for _, button in self._quick:
            room -= button.sizeHint().width() + self._right.spacing()
            button.setVisible(room >= 0)
        set_direction(self._halves, is_row=is_row)
        self._halves.invalidate()
        self.updateGeometry()

    def show_rated(self, message: Message) -> None:
        """Show the new rating of the same message."""
        self._message = message
        self._rating.show_rating(message)
        self._more_button.setAccessibleDescription(join_facts(rating_text(message), facts_line(self._details)))

    def set_busy(self, is_busy: bool) -> None:
        """Disable everything that would start an answer, while one is being written."""
        self._is_busy = is_busy
        words = plain_tooltip(phrase("chat.available_when_the_answer_has")) if is_busy else ""
        for button in (self._regenerate_button, *(button for _, button in self._quick)):
            if button is not None:
                button.setEnabled(not is_busy)
                button.setToolTip(words)

    def menu(self) -> QMenu:
        """Build the menu; it is built on request, because most answers never need it."""
        requests, navigation = self._requests, self._requests.navigation
        answer_id, question_id = self._message.id, self._message.parent_id or 0
        menu = make_menu(self)
        menu.setToolTipsVisible(True)
        for preset, button in self._quick:
            if button.isHidden():
                self._add(menu, escape_mnemonic(preset.name)).triggered.connect(
                    lambda _checked=False, preset=preset: self._act(preset)
                )
        menu.addSeparator()
        if not self._details.is_action:  # nobody has written its question
            edit = self._add(menu, phrase("chat.edit_and_ask_again"))
            edit.triggered.connect(lambda: requests.edit_requested.emit(question_id))
        if self._message.text and not citations.is_not_found_notice(self._message):
            edit_answer = self._add(menu, phrase("chat.edit_the_answer"))
            edit_answer.triggered.connect(lambda: requests.answer_edit_requested.emit(answer_id))
        if self._message.text and can_repeat(self._details):
            again = self._add(menu, phrase("chat.reproduce"))
            again.setToolTip(plain_tooltip(phrase("chat.answers_again_with_the_same")))
            again.triggered.connect(lambda: requests.reproduce_requested.emit(answer_id))
        menu.addSeparator()
        if self._message.text:
            menu.addAction(phrase("chat.copy_without_markup"), self.copy_shown_requested.emit)
            menu.addSeparator()
            menu.addAction(phrase("chat.export_to_word"), lambda: requests.answer_export_requested.emit(answer_id))
            menu.addSeparator()
            rate = functools.partial(requests.rating_requested.emit, answer_id)
            add_rating_actions(menu, self._message, rate)
            menu.addSeparator()
        menu.addAction(phrase("common.view_log"), navigation.log_requested.emit)
        if facts := fact_lines(self._details):
            shown = menu.addMenu(phrase("chat.answer_facts"))
            for fact in facts:
                shown.addAction(self._fact(fact, shown))
        return menu

    def copy_cited(self) -> None:
        """Copy the answer with its source marks and a list of the sources."""
        grounding = answer_check.grounding_of(self._message)
        if grounding is not None:
            cited = source_citations.append_sources(self._message.text, grounding)
            clipboard_guard.copy_text(self, answer_check.with_origin_marks(self._message, cited))

    # ------------------------------------------------------------------ private

    def _copy(self) -> None:
        """Copy the answer as the model wrote it, in Markdown, without marks and links that the display adds."""
        clipboard_guard.copy_text(self, answer_check.with_origin_marks(self._message, self._message.text))

    def _act(self, preset: Preset) -> None:
        self._requests.action_chosen.emit(self._message.id, preset)

    def _build(self) -> None:
        px = self._theme.px
        self._left, self._right = make_row(spacing_px=px(10)), make_row(spacing_px=px(2))
        self._halves = make_row(self._left, Stretch(), self._right, into=self, spacing_px=px(2))
        if not self._options.shows_details and (
            brief := join_facts(_seconds(self._details) if self._details.total_s > 0 else "", _remote(self._details))
        ):
            meta = Label(brief, role="caption", tone="text2")
            meta.setToolTip(plain_tooltip(facts_line(self._details)))
            self._left.addWidget(meta)
        self._left.addWidget(self._rating)
        if self._message.branches > 1:
            self.pager = Pager(self._theme, self._message, phrase("chat.previous_answer"), phrase("chat.next_answer"))
            branch = functools.partial(self._requests.branch_requested.emit, self._message.id)
            self.pager.step_requested.connect(branch)
            self._left.addWidget(self.pager)
        self._left.addStretch(1)
        self._add_buttons()

    def _add_buttons(self) -> None:
        self._right.addStretch(1)
        if self._message.text:
            is_not_found_notice = citations.is_not_found_notice(self._message)  # no model wrote its text
            for preset in () if is_not_found_notice else self._options.actions:
                self._add_quick(preset)
            copy = make_icon_button(self._theme, phrase("common.copy"), "copy", "quiet", compact=True)
            copy.clicked.connect(self._copy)
            self._right.addWidget(copy)
            if not is_not_found_notice and self._details.grounding is not None and self._details.grounding.sources:
                cited = make_icon_button(self._theme, phrase("chat.copy_with_sources"), "quote", "quiet", compact=True)
                cited.setToolTip(plain_tooltip("Ctrl+Shift+C"))
                cited.clicked.connect(self.copy_cited)
                self._right.addWidget(cited)
        if self._message.status != "failed":  # the error box of a failed answer has this button
            self._regenerate_button = make_icon_button(
                self._theme, phrase("chat.regenerate"), "refresh-cw", "quiet", compact=True
            )
            self._regenerate_button.clicked.connect(lambda: self._requests.regenerate_requested.emit(self._message.id))
            self._right.addWidget(self._regenerate_button)
        self._more_button.clicked.connect(self._show_menu)
        self._right.addWidget(self._more_button)

    def _add_quick(self, preset: Preset) -> None:
        button = Button(self._theme, escape_mnemonic(preset.name), "quiet", compact=True, parent=self)
        button.setAccessibleName(preset.name)
        button.clicked.connect(lambda: self._act(preset))
        self._quick.append((preset, button))
        self._right.addWidget(button)

    def _fixed_width(self) -> int:
        """Return the width in px of the buttons that are always visible."""
        quick = [button for _, button in self._quick]
        fixed = [child for child in self.findChildren(QAbstractButton) if child.parent() is self and child not in quick]
        return sum(button.sizeHint().width() + self._right.spacing() for button in fixed)

    def _add(self, menu: QMenu, words: str) -> QAction:
        action = menu.addAction(words)
        action.setEnabled(not self._is_busy)
        return action

    def _fact(self, words: str, menu: QMenu) -> QWidgetAction:
        """Return a menu entry with readable text, because Qt greys out a disabled entry."""
        label = Label(words, role="caption", tone="text2")
        label.setContentsMargins(self._theme.px(12), self._theme.px(2), self._theme.px(12), self._theme.px(2))
        action = QWidgetAction(menu)
        action.setText(words)
        action.setDefaultWidget(label)
        action.setEnabled(False)
        return action

    def _show_menu(self) -> None:
        self.menu().popup(self._more_button.mapToGlobal(QPoint(0, self._more_button.height())))
