"""One question at a time, with two answers that have no names."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractSlider, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.evaluation.report.blind import BlindComparison, Pair
from app.evaluation.report.blind_file import VOTES
from app.evaluation.ui.blind import words
from app.evaluation.ui.blind.answers import AnswersView, draw_ring
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.untrusted_text import make_harmless
from app.uikit.widgets.buttons import Button, KeyButton
from app.uikit.widgets.containers import CARD_SIDE_PX, FlowBox, make_scrollable
from app.uikit.widgets.labels import Label, Separator, set_surface

VOTING = dict(zip((Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4), VOTES, strict=True))
SCROLLING = {
    Qt.Key.Key_Up: QAbstractSlider.SliderAction.SliderSingleStepSub,
    Qt.Key.Key_Down: QAbstractSlider.SliderAction.SliderSingleStepAdd,
    Qt.Key.Key_PageUp: QAbstractSlider.SliderAction.SliderPageStepSub,
    Qt.Key.Key_PageDown: QAbstractSlider.SliderAction.SliderPageStepAdd,
}
LEAST_PX = 90  # of what scrolls; with less room the whole panel does


class VotingPanel(QWidget):
    """Has the keyboard itself, so that digits and ← mean what the buttons say wherever one is in here."""

    vote_chosen = Signal(str)  # one of VOTES
    undo_requested = Signal()
    result_requested = Signal()
    leave_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        set_surface(self, "card")
        self.pair: Pair | None = None
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
            vote: VoteButton(theme, words.vote(vote), str(number)) for number, vote in enumerate(VOTES, start=1)
        }
        self.undo_button = Button(theme, phrase("evaluation.take_back_the_last_one"), "quiet", "undo-2")
        self.undo_button.setAccessibleName(with_note(phrase("evaluation.take_back_the_last_one"), "←"))
        self.undo_button.setToolTip(phrase("evaluation.or_ctrl_z"))
        self.result_button = Button(theme, phrase("evaluation.see_the_result_so_far"), "quiet")
        self.leave_button = Button(theme, phrase("evaluation.choose_other_settings"), "quiet")
        self.agreement = Label(role="caption", tone="text2", wraps=True)
        self._build()
        self._connect()

    def show_comparison(self, comparison: BlindComparison) -> None:
        """Its current pair; where all are decided the last one stays until the result is there."""
        pair = comparison.current
        done, count = len(comparison.votes), len(comparison.pairing.pairs)
        self.progress.setText(words.progress(done, count))
        self.note.setText(self._note(is_revealed=comparison.is_revealed))
        if pair is not None and pair != self.pair:
            self._show_pair(pair)
        self.undo_button.setVisible(done > 0)
        self.result_button.setVisible(done > 0)
        self.result_button.setText(
            phrase("evaluation.back_to_the_result")
            if comparison.is_revealed
            else phrase("evaluation.see_the_result_so_far")
        )
        self.agreement.setText(words.agreement(comparison.agreement))
        self.setAccessibleName(join_facts(self.title.text(), self.progress.text(), self.question.text()))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def heightForWidth(self, width: int) -> int:
        """Qt leaves out what takes any height, whatever it needs at the least."""
        return super().heightForWidth(width) + self._area.minimumHeight()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            draw_ring(self, self._theme)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A key that is held down chooses once; those that scroll may be held."""
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

    # ------------------------------------------------------------------- private

    def _show_pair(self, pair: Pair) -> None:
        self.pair = pair
        self.question.setText(make_harmless(pair.question.text))
        self.answers.show_answers(pair.a, pair.b)
        reference = make_harmless(pair.question.reference.strip())
        self.reference.setText(reference)
        self.reference_button.setVisible(bool(reference))
        self.reference_button.setChecked(False)
        self._show_reference()
        self._area.verticalScrollBar().setValue(0)

    def _note(self, *, is_revealed: bool) -> str:
        if is_revealed:
            return phrase("evaluation.what_you_choose_after_the")
        return phrase("evaluation.which_is_which_stays_hidden")

    def _build(self) -> None:
        self.setAccessibleDescription(phrase("evaluation.1_a_is_better_2"))
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.title, 1)
        head.addWidget(self.progress)
        inside = QWidget()
        content = QVBoxLayout(inside)
        content.setContentsMargins(CARD_SIDE_PX, 0, CARD_SIDE_PX, 8)
        content.setSpacing(10)
        content.addWidget(self.note)
        content.addWidget(self.question)
        content.addWidget(self.answers, 1000)
        content.addWidget(self.reference_button, 0, Qt.AlignmentFlag.AlignLeft)
        content.addWidget(self.reference)
        content.addWidget(self.agreement)
        content.addStretch(1)
        self._area = make_scrollable(inside)
        self._area.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # what is left, at any height
        foot = QVBoxLayout()
        foot.setContentsMargins(CARD_SIDE_PX, 8, CARD_SIDE_PX, 10)
        foot.setSpacing(6)
        foot.addWidget(FlowBox(*self.buttons.values()))
        foot.addWidget(FlowBox(self.undo_button, self.result_button, self.leave_button))
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        head.setContentsMargins(CARD_SIDE_PX, 11, CARD_SIDE_PX, 6)
        column.addLayout(head)
        column.addWidget(self._area, 1)
        column.addWidget(Separator())
        column.addLayout(foot)
        self._theme.changed.connect(self._restyle)
        self._restyle()

    def _connect(self) -> None:
        for vote, button in self.buttons.items():
            button.clicked.connect(lambda _=False, vote=vote: self.vote_chosen.emit(vote))
        self.reference_button.toggled.connect(self._show_reference)
        self.undo_button.clicked.connect(lambda _: self.undo_requested.emit())
        self.result_button.clicked.connect(lambda _: self.result_requested.emit())
        self.leave_button.clicked.connect(lambda _: self.leave_requested.emit())

    def _show_reference(self, *_: object) -> None:
        is_shown = self.reference_button.isChecked()
        self.reference.setVisible(is_shown and bool(self.reference.text()))
        self.reference_button.setText(
            phrase("evaluation.hide_the_reference_answer")
            if is_shown
            else phrase("evaluation.show_the_reference_answer")
        )

    def _restyle(self) -> None:
        self._area.setMinimumHeight(self._theme.px(LEAST_PX))


class VoteButton(KeyButton):
    """A click leaves the keyboard with the panel, where the digits and ← go on working."""

    def __init__(self, theme: Theme, text: str, key: str) -> None:
        super().__init__(theme, text, key)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt would go to the button before this one."""
        if event.key() == Qt.Key.Key_Left:
            event.ignore()
        else:
            super().keyPressEvent(event)
