"""Define the panels of a blind comparison: choose two systems, and vote on two anonymous answers to each question.

The answers are side by side, or one below the other where there is little room; a long answer scrolls inside its box.
The file is long because the panels share the texts and the keyboard handling of one comparison.
"""

from PySide6.QtCore import QEvent, QObject, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractSlider,
    QBoxLayout,
    QComboBox,
    QFrame,
    QScrollArea,
    QSizePolicy,
    QWidget,
)

from app.base.wording import phrase
from app.evaluation.records import Evaluation
from app.evaluation.report.blind import VOTES, BlindComparison, BlindPair, Vote
from app.evaluation.ui import blind_texts
from app.uikit.localization import join_facts, join_sentences, with_note
from app.uikit.text.rich_text import RichText
from app.uikit.theme import Theme
from app.uikit.untrusted_text import make_harmless
from app.uikit.widgets.buttons import Button, KeyButton
from app.uikit.widgets.containers import (
    CARD_SIDE_PX,
    Card,
    FlowBox,
    Stretch,
    make_column,
    make_row,
    make_scrollable,
    set_direction,
)
from app.uikit.widgets.labels import Label, Separator, plain_tooltip, set_surface

BOX_PX = 480
LEAST_NAME_CHARACTERS = 12  # characters of a system's name for which the boxes have room


class BlindStartPanel(QWidget):
    """Chooses the two systems by name, which does not reveal who gave an answer, and shows the progress."""

    pair_chosen = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.first_chooser = _box(phrase("evaluation.setting_to_compare_1"))
        self.second_chooser = _box(phrase("evaluation.setting_to_compare_2"))
        self.about = Label(phrase("evaluation.the_answers_of_two_settings"), wraps=True)
        self.note = Label(phrase("evaluation.which_is_which_stays_hidden"), "caption", "text2", wraps=True)
        self.facts = Label(tone="text2", wraps=True)
        self.reason = Label(tone="warning", wraps=True)
        self.begin_button = Button(theme, phrase("evaluation.start_comparing"))
        self.result_button = Button(theme, phrase("evaluation.see_the_result_so_far"), "quiet")
        self._build()

    @property
    def chosen_systems(self) -> tuple[str, str]:
        """Return the ids of the two systems, which may be equal."""
        return self.first_chooser.currentData() or "", self.second_chooser.currentData() or ""

    def show_systems(self, evaluation: Evaluation, system_ids: tuple[str, str]) -> None:
        for box, wanted in ((self.first_chooser, system_ids[0]), (self.second_chooser, system_ids[1])):
            with QSignalBlocker(box):
                box.clear()
                for one in evaluation.systems:
                    box.addItem(blind_texts.name(one.system.name), one.system.id)
                box.setCurrentIndex(max(0, box.findData(wanted)))
            box.setToolTip(plain_tooltip(box.currentText()))

    def show_comparison(self, comparison: BlindComparison | None) -> None:
        """Show the progress of a comparison; None: the user has chosen the same system twice, so there is none."""
        count = len(comparison.pairing.pairs) if comparison else 0
        done = len(comparison.votes) if comparison else 0
        is_revealed = comparison is not None and comparison.is_revealed
        facts = ""
        if comparison is not None:
            standing = blind_texts.status(done, count, is_revealed=is_revealed)
            facts = "\n".join(filter(None, (blind_texts.questions(comparison.pairing), standing)))
        self.facts.setText(facts)
        self.facts.setVisible(bool(facts))
        reason = "" if count else phrase("evaluation.there_is_nothing_to_compare")
        self.reason.setText(reason if comparison else phrase("evaluation.choose_two_different_settings"))
        self.reason.setVisible(bool(self.reason.text()))
        self.begin_button.setEnabled(count > 0)
        self.begin_button.setVisible(done < count or not count)
        self.begin_button.setText(phrase("evaluation.go_on_comparing" if done else "evaluation.start_comparing"))
        self.result_button.setText(
            phrase("evaluation.see_the_result" if is_revealed else "evaluation.see_the_result_so_far")
        )
        self.result_button.setVisible(done > 0)

    def _build(self) -> None:
        self.card = Card(phrase("evaluation.blind_sheet"))
        name = Label(phrase("evaluation.settings_to_compare"), tone="text2")
        name.setBuddy(self.first_chooser)
        boxes = make_column(name, spacing_px=6)
        for box in (self.first_chooser, self.second_chooser):
            boxes.addLayout(make_row((box, 1000), Stretch()))
            box.currentIndexChanged.connect(lambda _: self._on_chosen())
        buttons = FlowBox(self.begin_button, self.result_button)
        column = make_column(self.about, self.note, boxes, self.facts, self.reason, buttons, spacing_px=10)
        self.card.column.addLayout(column)
        make_column(self.card, Stretch(), into=self)
        self._theme.changed.connect(self._restyle)
        self._restyle()

    def _on_chosen(self) -> None:
        for box in (self.first_chooser, self.second_chooser):
            box.setToolTip(plain_tooltip(box.currentText()))  # a long name is cut off in the box
        self.pair_chosen.emit()

    def _restyle(self) -> None:
        for box in (self.first_chooser, self.second_chooser):
            box.setMaximumWidth(self._theme.px(BOX_PX))


def _box(name: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(LEAST_NAME_CHARACTERS)
    box.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
    return box


VOTING = dict(zip((Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4), VOTES, strict=True))
SCROLLING = {
    Qt.Key.Key_Up: QAbstractSlider.SliderAction.SliderSingleStepSub,
    Qt.Key.Key_Down: QAbstractSlider.SliderAction.SliderSingleStepAdd,
    Qt.Key.Key_PageUp: QAbstractSlider.SliderAction.SliderPageStepSub,
    Qt.Key.Key_PageDown: QAbstractSlider.SliderAction.SliderPageStepAdd,
}
LEAST_PX = 90  # least height of the scrolling part; with less room the whole panel scrolls


class VotingPanel(QWidget):
    """Votes on one pair. The panel handles the keys itself, so that digits and ← work wherever in it the focus is."""

    vote_chosen = Signal(str)  # one of VOTES
    undo_requested = Signal()  # the user pressed ←

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        set_surface(self, "card")
        self.pair: BlindPair | None = None
        self.title = Label(phrase("evaluation.blind_sheet"), "heading3")
        self.progress = Label(tone="text2")
        self.note = Label(role="caption", tone="text2", wraps=True)
        self.question = Label(strong=True, wraps=True)
        self.question.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.answers = AnswersView(theme)
        self.reference_button = Button(theme, phrase("evaluation.show_the_reference_answer"), "link")
        self.reference_button.setCheckable(True)
        self.reference = Label(tone="text2", wraps=True)
        self.reference.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.buttons = {
            vote: VoteButton(theme, phrase(f"evaluation.blind_vote.{vote}"), str(number))
            for number, vote in enumerate(VOTES, start=1)
        }
        self.undo_button = Button(theme, phrase("evaluation.take_back_the_last_one"), "quiet", "undo-2")
        self.undo_button.setAccessibleName(with_note(phrase("evaluation.take_back_the_last_one"), "←"))
        self.undo_button.setToolTip(phrase("evaluation.or_ctrl_z"))
        self.redo_button = Button(theme, phrase("common.redo"), "quiet", "redo-2")
        self.result_button = Button(theme, phrase("evaluation.see_the_result_so_far"), "quiet")
        self.leave_button = Button(theme, phrase("evaluation.choose_other_settings"), "quiet")
        self.agreement = Label(role="caption", tone="text2", wraps=True)
        self._build()
        self._connect()

    def show_comparison(self, comparison: BlindComparison, retracted: Vote | None = None) -> None:
        """Show the current pair; after the last vote the last pair stays until the result is shown.

        `retracted`: the vote that was just taken back.
        """
        pair = comparison.current
        done, count = len(comparison.votes), len(comparison.pairing.pairs)
        self.progress.setText(blind_texts.progress(done, count))
        is_revealed = comparison.is_revealed
        names = phrase(
            "evaluation.what_you_choose_after_the" if is_revealed else "evaluation.which_is_which_stays_hidden"
        )
        vote = phrase(f"evaluation.blind_vote.{retracted}") if retracted else ""
        self.note.setText(join_sentences(phrase("evaluation.vote_taken_back", vote=vote) if vote else "", names))
        self.redo_button.setVisible(bool(vote))
        if pair is not None and pair != self.pair:
            self._show_pair(pair)
        self.undo_button.setVisible(done > 0)
        self.result_button.setVisible(done > 0)
        self.result_button.setText(
            phrase("evaluation.back_to_the_result" if is_revealed else "evaluation.see_the_result_so_far")
        )
        self.agreement.setText(blind_texts.agreement(comparison.agreement))
        self.setAccessibleName(join_facts(self.title.text(), self.progress.text(), self.question.text()))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def heightForWidth(self, width: int) -> int:
        """Return the height for a width, with the height of the scrolling area, which Qt would leave out."""
        return super().heightForWidth(width) + self._area.minimumHeight()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            draw_ring(self, self._theme)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Vote once for a key that is held down; only the scrolling keys repeat."""
        key, is_plain = Qt.Key(event.key()), not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if is_plain and key in SCROLLING and self.hasFocus():
            self._area.verticalScrollBar().triggerAction(SCROLLING[key])
        elif not is_plain or (key not in VOTING and key != Qt.Key.Key_Left):
            super().keyPressEvent(event)
        elif event.isAutoRepeat():
            return
        elif key in VOTING:
            self.vote_chosen.emit(VOTING[key])
        else:
            self.undo_requested.emit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def _show_pair(self, pair: BlindPair) -> None:
        self.pair = pair
        self.question.setText(make_harmless(pair.question.text))
        self.answers.show_answers(pair.a, pair.b)
        reference = make_harmless(pair.question.shown_reference)
        self.reference.setText(reference)
        self.reference_button.setVisible(bool(reference))
        self.reference_button.setChecked(False)
        self._show_reference()
        self._area.verticalScrollBar().setValue(0)

    def _build(self) -> None:
        self.setAccessibleDescription(phrase("evaluation.1_a_is_better_2"))
        head = make_row((self.title, 1), self.progress, margins_px=(CARD_SIDE_PX, 11, CARD_SIDE_PX, 6), spacing_px=12)
        inside = QWidget()
        make_column(
            self.note,
            self.question,
            (self.answers, 1000),
            (self.reference_button, 0, Qt.AlignmentFlag.AlignLeft),
            self.reference,
            self.agreement,
            Stretch(),
            into=inside,
            margins_px=(CARD_SIDE_PX, 0, CARD_SIDE_PX, 8),
            spacing_px=10,
        )
        self._area = make_scrollable(inside)
        self._area.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # takes the remaining height
        foot = make_column(
            FlowBox(*self.buttons.values()),
            FlowBox(self.undo_button, self.redo_button, self.result_button, self.leave_button),
            margins_px=(CARD_SIDE_PX, 8, CARD_SIDE_PX, 10),
            spacing_px=6,
        )
        make_column(head, (self._area, 1), Separator(), foot, into=self, margins_px=(1, 1, 1, 1), spacing_px=0)
        self._theme.changed.connect(self._restyle)
        self._restyle()

    def _connect(self) -> None:
        for vote, button in self.buttons.items():
            button.clicked.connect(lambda _=False, vote=vote: self.vote_chosen.emit(vote))
        self.reference_button.toggled.connect(self._show_reference)

    def _show_reference(self, *_: object) -> None:
        is_shown = self.reference_button.isChecked()
        self.reference.setVisible(is_shown and bool(self.reference.text()))
        self.reference_button.setText(
            phrase("evaluation.hide_the_reference_answer" if is_shown else "evaluation.show_the_reference_answer")
        )

    def _restyle(self) -> None:
        self._area.setMinimumHeight(self._theme.px(LEAST_PX))


class VoteButton(KeyButton):
    """A button that leaves the focus on the panel when clicked, so that digits and ← go on working."""

    def __init__(self, theme: Theme, text: str, key: str) -> None:
        super().__init__(theme, text, key)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave ← to the panel; Qt would move the focus to the previous button."""
        if event.key() == Qt.Key.Key_Left:
            event.ignore()
        else:
            super().keyPressEvent(event)


ANSWER_WIDE_PX = 620
ANSWER_LEAST_PX = 52  # least height of a text
MOST_PX, MOST_STACKED_PX = 380, 220  # preferred height of a text; it takes more where there is room
ANSWER_SIDE_PX = 12


class AnswersView(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.a, self.b = AnswerBox(theme, "A"), AnswerBox(theme, "B")
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(12)
        self._row.addWidget(self.a, 1)
        self._row.addWidget(self.b, 1)
        theme.changed.connect(self._fit)

    def show_answers(self, a: str, b: str) -> None:
        self.a.show_answer(a)
        self.b.show_answer(b)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Fit the boxes; side by side both get the height of the longer answer."""
        theme = self._theme
        is_row = self.width() >= theme.px(ANSWER_WIDE_PX)
        set_direction(self._row, is_row=is_row)
        width = (self.width() - self._row.spacing()) // 2 if is_row else self.width()
        heights = [box.fit(width) for box in (self.a, self.b)]
        if is_row:
            heights = [max(heights)] * 2
        least, most = theme.px(ANSWER_LEAST_PX), theme.px(MOST_PX if is_row else MOST_STACKED_PX)
        for box, height in zip((self.a, self.b), heights, strict=True):
            box.area.setMinimumHeight(min(most, max(least, height)))
            box.area.setMaximumHeight(max(most, height))


class AnswerBox(QFrame):
    """An answer as plain text: it can be selected and copied, and its links do nothing."""

    def __init__(self, theme: Theme, letter: str) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("surface", "raised")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.title = Label(letter, "heading3")
        self.text = RichText(theme)
        self.text.setAccessibleName(phrase("evaluation.answer_letter", letter=letter))
        self.text.setTabChangesFocus(True)
        self.text.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled, False)  # digits are votes here
        self.text.installEventFilter(self)
        self.area = QScrollArea()
        self.area.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # `AnswersView` sets its height
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self.text)
        self.area.viewport().setAutoFillBackground(False)
        self.text.setAutoFillBackground(False)
        rest = Stretch(0)  # otherwise a short text would be centred in a high box
        margins_px = (ANSWER_SIDE_PX, 8, ANSWER_SIDE_PX, ANSWER_SIDE_PX)
        make_column(self.title, (self.area, 1), rest, into=self, margins_px=margins_px, spacing_px=4)
        theme.changed.connect(self._show_answer)
        self._answer = ""

    def show_answer(self, answer: str) -> None:
        self._answer = answer
        self._show_answer()
        self.area.verticalScrollBar().setValue(0)

    def fit(self, width: int) -> int:
        """Return the height of the text in a box of that width, with room for the scroll bar in any case."""
        bar = self.area.verticalScrollBar().sizeHint().width()
        return self.text.fit(max(self._theme.px(60), width - 2 * ANSWER_SIDE_PX - bar - 2))

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.text.hasFocus():
            draw_ring(self, self._theme)

    def _show_answer(self) -> None:
        self.text.setFont(self._theme.font("reading"))
        self.text.show_plain(self._answer or phrase("evaluation.no_answer"))


def draw_ring(widget: QWidget, theme: Theme) -> None:
    """Draw the focus ring around a whole widget."""
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    width, radius = theme.metric("focus_ring"), theme.metric("radius_card")
    painter.setPen(QPen(theme.color("accent"), width))
    inset = width / 2
    painter.drawRoundedRect(QRectF(widget.rect()).adjusted(inset, inset, -inset, -inset), radius, radius)
