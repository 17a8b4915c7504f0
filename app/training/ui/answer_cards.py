"""Show answers before and after training: those to the hold-out questions, and those to the user's own question.

The two answers are side by side, or one above the other in a narrow window; either can be hidden.
"""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QLineEdit, QSizePolicy, QSlider, QWidget

from app.base.errors import AppError
from app.base.wording import phrase
from app.training.run_result import AnswerPair
from app.training.services.adapter_trial import MOST_STRENGTH, AdapterTrial, TrialAnswers
from app.training.ui import verdict_texts
from app.training.ui.verdict_cards import StatusBadge
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import Card, FlowBox, Stretch, make_column, make_row, refill, set_direction
from app.uikit.widgets.labels import Label, Separator, announce

WIDE_PX = 440


class AnswerColumn(QWidget):
    """An answer below a heading that names its model and state."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Label(role="caption", tone="text2", wraps=True, shrinks=True)
        self.text = Label(wraps=True, shrinks=True)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        make_column(self.head, self.text, Stretch(), into=self, spacing_px=2)


class SideBySideAnswers(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.base, self.tuned = AnswerColumn(), AnswerColumn()
        self._row = make_row((self.base, 1), (self.tuned, 1), into=self, spacing_px=16)

    def show_only(self, side: str) -> None:
        """Show one answer or both. `side`: "base" | "tuned"; "" for both."""
        self.base.setVisible(side != "tuned")
        self.tuned.setVisible(side != "base")

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        set_direction(self._row, is_row=self.width() >= self._theme.px(WIDE_PX))


PAIRS_PER_PAGE = 2
MOST_CHARACTERS = 160  # most characters of an answer, unless the user shows all


class AnswerPairsCard(Card):
    """A card with answers before and after training (問いごとの前後)."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(phrase("training.before_and_after_by_question"))
        self._theme = theme
        self._pairs: tuple[AnswerPair, ...] = ()
        self._first = 0
        self.counts = Label(role="caption", tone="text2", wraps=True)
        self.about = Label(phrase("training.better_and_worse_by_how"), "caption", "muted", wraps=True)
        self.sides = QButtonGroup(self)
        self.buttons: dict[str, Button] = {}
        for side, name in (
            ("", phrase("training.both")),
            ("base", phrase("training.before")),
            ("tuned", phrase("training.after")),
        ):
            button = self.buttons[side] = Button(theme, name, compact=True)
            button.setCheckable(True)
            self.sides.addButton(button)
        self.buttons[""].setChecked(True)
        self.whole_button = Button(theme, phrase("training.show_all_text"), "quiet", compact=True)
        self.whole_button.setCheckable(True)
        self.back_button = IconButton(theme, "chevron-left", phrase("training.previous_questions"))
        self.next_button = IconButton(theme, "chevron-right", phrase("training.next_questions"))
        self.position = Label(role="caption", tone="text2")
        self._list = make_column(spacing_px=10)
        self._build()
        self.sides.buttonClicked.connect(self._show_page)
        self.whole_button.clicked.connect(self._show_page)
        self.back_button.clicked.connect(lambda: self._turn_page(-PAIRS_PER_PAGE))
        self.next_button.clicked.connect(lambda: self._turn_page(PAIRS_PER_PAGE))

    def show_pairs(self, pairs: Sequence[AnswerPair]) -> None:
        """Show pairs of answers in the order of `run_result.pairs`, alternating from the worst and the best."""
        if tuple(pairs) != self._pairs:
            self._pairs, self._first = tuple(pairs), 0
        found = [pair.kind for pair in pairs]
        counts = phrase("training.better_a_same_b_worse")
        self.counts.setText(counts.format(a=found.count("better"), b=found.count("same"), c=found.count("worse")))
        self._show_page()

    @property
    def shown_pairs(self) -> tuple[AnswerPair, ...]:
        return self._pairs[self._first : self._first + PAIRS_PER_PAGE]

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        pages = QWidget()
        make_row(self.back_button, self.position, self.next_button, into=pages, spacing_px=4)
        for widget in (self.counts, self.about, FlowBox(*self.buttons.values(), self.whole_button, pages)):
            self.column.addWidget(widget)
        self.column.addLayout(self._list)

    def _turn_page(self, step: int) -> None:
        self._first += step
        self._show_page()

    def _show_page(self, *_: object) -> None:
        side = next(key for key, button in self.buttons.items() if button.isChecked())
        is_whole = self.whole_button.isChecked()
        views = [_AnswerPairView(self._theme, pair, side, is_whole=is_whole) for pair in self.shown_pairs]
        refill(self._list, [widget for view in views for widget in (Separator(), view)][1:])
        count, last = len(self._pairs), self._first + len(self.shown_pairs)
        self.position.setText(phrase("training.a_b_of_n", a=self._first + 1, b=last, n=count))
        self.back_button.setEnabled(self._first > 0)
        self.next_button.setEnabled(last < count)
        self.whole_button.setVisible(any(_is_long(text) for pair in self._pairs for text in _answer_texts(pair)))


class _AnswerPairView(QWidget):
    def __init__(self, theme: Theme, pair: AnswerPair, side: str, *, is_whole: bool) -> None:
        super().__init__()
        row = pair.row
        change = join_facts(phrase(f"training.answer_change.{pair.kind}"), _change_reason(pair))
        badge = StatusBadge(theme, *verdict_texts.CHANGE_SIGNS[pair.kind], change)
        self.answers = SideBySideAnswers(theme)
        for view, name, text, flaw in (
            (self.answers.base, phrase("training.before"), row.base, row.base_flaw),
            (self.answers.tuned, phrase("training.after"), row.tuned, row.tuned_flaw),
        ):
            view.head.setText(join_facts(name, verdict_texts.answer_flaw_text(flaw)))
            view.text.setText(_shortened(text.strip() or phrase("training.nothing"), is_whole=is_whole))
        self.answers.show_only(side)
        question = Label(row.question, strong=True, wraps=True)
        column = make_column(question, badge, self.answers, into=self, spacing_px=6)
        if row.reference:
            reference = phrase("training.kept_back_answer_text", text=_shortened(row.reference, is_whole=is_whole))
            column.addWidget(Label(reference, "caption", "text2", wraps=True))


def _change_reason(pair: AnswerPair) -> str:
    """Return the reason why the pair counts as changed: the answer's flaw if the loss does not explain it."""
    change, flaw = pair.row.change_nats, pair.row.tuned_flaw
    if flaw and pair.kind != "better" and (change is None or change <= 0):
        return verdict_texts.answer_flaw_text(flaw)
    return phrase("training.loss_v", v=verdict_texts.format_change(change)) if change is not None else ""


def _answer_texts(pair: AnswerPair) -> tuple[str, ...]:
    return pair.row.base, pair.row.tuned, pair.row.reference


def _is_long(text: str) -> bool:
    return len(text.strip()) > MOST_CHARACTERS


def _shortened(text: str, *, is_whole: bool) -> str:
    return text if is_whole or not _is_long(text) else text.strip()[:MOST_CHARACTERS].rstrip() + "…"


STEPS = 10  # slider steps for a strength of 1
SLIDER_PX = 150


class TryItCard(Card):
    def __init__(self, theme: Theme, trial: AdapterTrial) -> None:
        super().__init__(phrase("training.compare_with_your_own_question"))
        self._theme = theme
        self._trial = trial
        self._strength = 1.0  # strength of the shown answers
        self._why_not = ""
        self.about = Label(phrase("training.asks_the_base_model_and"), "caption", "muted", wraps=True)
        self.question = QLineEdit()
        self.question.setPlaceholderText(phrase("training.example_how_often_are_inspections"))
        self.question.setAccessibleName(phrase("common.batch_column.question"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round(MOST_STRENGTH * STEPS))
        self.slider.setPageStep(5)
        self.slider.setValue(STEPS)
        self.slider.setAccessibleName(phrase("training.strength"))
        self.value = Label()
        self.compare_button = Button(theme, phrase("training.compare"))
        self.stop_button = Button(theme, phrase("common.stop"))
        self.hint = Label(phrase("training.0_is_the_base_as"), "caption", "muted", wraps=True)
        self.reason = Label(role="caption", tone="warning", wraps=True)
        self.banner = Banner(theme)
        self.answers = SideBySideAnswers(theme)
        self._views: dict[str, AnswerColumn] = {"base": self.answers.base, "tuned": self.answers.tuned}
        self._build()
        self._connect(theme)
        self._resize()
        self.answers.hide()
        self._show_strength()
        self._update_buttons()

    @property
    def strength(self) -> float:
        return self.slider.value() / STEPS

    def show_obstacle(self, why_not: str) -> None:
        """Show the reason why no question can be asked now; "" if one can."""
        self._why_not = why_not
        self._update_buttons()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._trial.is_running:
            self._trial.stop()
        else:
            super().keyPressEvent(event)

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        strength, label = QWidget(), Label(phrase("training.strength"), tone="text2")
        label.setBuddy(self.slider)
        make_row(label, self.slider, self.value, into=strength, spacing_px=8)
        strength.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        controls = FlowBox(strength, self.compare_button, self.stop_button)
        for part in (self.about, self.question, controls, self.hint, self.reason, self.banner, self.answers):
            self.column.addWidget(part)

    def _connect(self, theme: Theme) -> None:
        trial = self._trial
        self.question.returnPressed.connect(self._compare)
        self.slider.valueChanged.connect(self._show_strength)
        self.compare_button.clicked.connect(self._compare)
        self.stop_button.clicked.connect(trial.stop)
        trial.began.connect(self._on_began)
        trial.text_received.connect(self._on_text)
        trial.answered.connect(self._on_answered)
        trial.finished.connect(self._on_finished)
        trial.failed.connect(self._on_failed)
        trial.stopped.connect(self._end_unfinished)
        theme.changed.connect(self._resize)

    def _resize(self) -> None:
        """Make the slider as high as the buttons, so that all align on one line."""
        self.slider.setFixedSize(self._theme.px(SLIDER_PX), self._theme.metric("button_height"))
        self.value.setMinimumWidth(self._theme.px(28))

    def _compare(self) -> None:
        question = self.question.text().strip()
        if self._trial.is_running or self._why_not:
            return
        if not question:
            self.question.setFocus()
            return
        self.banner.hide()
        self._strength = self.strength
        for side, view in self._views.items():
            view.head.setText(join_facts(self._name(side), phrase("training.waiting")))
            view.text.setText("")
        self.answers.show()
        self._trial.start(question, self._strength)
        self._update_buttons()

    def _name(self, side: str) -> str:
        if side == "base":
            return phrase("common.base_model")
        return phrase("training.tuned_strength_s", s=f"{self._strength:.1f}")

    def _show_strength(self) -> None:
        self.value.setText(f"{self.strength:.1f}")
        self.slider.setAccessibleDescription(self.value.text())

    def _on_began(self, side: str) -> None:
        self._views[side].head.setText(join_facts(self._name(side), phrase("common.answering")))

    def _on_text(self, side: str, text: str) -> None:
        view = self._views[side]
        view.text.setText((view.text.text() + text).lstrip())

    def _on_answered(self, side: str, answers: TrialAnswers) -> None:
        view = self._views[side]
        cut = phrase("training.cut_off") if answers.was_cut else ""
        seconds = phrase("common.s_s", s=f"{answers.seconds:.1f}")
        view.head.setText(join_facts(self._name(side), seconds, cut))
        view.text.setText(answers.text or phrase("training.nothing"))

    def _on_finished(self) -> None:
        announce(self, phrase("training.both_answers_are_there"))
        self._update_buttons()

    def _on_failed(self, error: AppError) -> None:
        self._end_unfinished()
        self.banner.show_error(error)

    def _end_unfinished(self) -> None:
        """Mark unfinished answers as stopped, and keep their text."""
        waiting = (phrase("training.waiting"), phrase("common.answering"))
        for side, view in self._views.items():
            if view.head.text().endswith(waiting):
                view.head.setText(join_facts(self._name(side), phrase("common.stopped_here")))
        self._update_buttons()

    def _update_buttons(self) -> None:
        is_running = self._trial.is_running
        self.compare_button.setVisible(not is_running)
        self.stop_button.setVisible(is_running)
        self.compare_button.setEnabled(not self._why_not)
        self.compare_button.setAccessibleDescription(self._why_not)
        self.reason.setText(f"▲ {self._why_not}" if self._why_not else "")
        self.reason.setVisible(bool(self._why_not))
