"""自分の質問で比べる: one's own question to the base and to the adapter at a strength, as it is written."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QSlider, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.training.services.adapter_trial import MOST_STRENGTH, AdapterTrial, Answered
from app.training.ui.result.side_by_side import Answer, SideBySide
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, FlowBox
from app.uikit.widgets.labels import Label, announce

STEPS = 10  # of the slider, for a strength of 1
SLIDER_PX = 150


class TryingCard(Card):
    def __init__(self, theme: Theme, trial: AdapterTrial) -> None:
        super().__init__("")
        self.title.setText(phrase("training.compare_with_your_own_question"))
        self._theme = theme
        self._trial = trial
        self._strength = 1.0  # that the answers are of
        self._why_not = ""
        about = phrase("training.asks_the_base_model_and")
        self.about = Label(about, "caption", "muted", wraps=True)
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
        self.answers = SideBySide(theme)
        self._views: dict[str, Answer] = {"base": self.answers.base, "tuned": self.answers.tuned}
        self._build()
        self._connect(theme)
        self._resize()
        self.answers.hide()
        self._show_strength()
        self._settle()

    @property
    def strength(self) -> float:
        return self.slider.value() / STEPS

    def show_obstacle(self, why_not: str) -> None:
        """Why nothing can be asked now; "": it can."""
        self._why_not = why_not
        self._settle()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._trial.is_running:
            self._trial.stop()
        else:
            super().keyPressEvent(event)

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        strength = QWidget()
        row = QHBoxLayout(strength)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        label = Label(phrase("training.strength"), tone="text2")
        label.setBuddy(self.slider)
        for widget in (label, self.slider, self.value):
            row.addWidget(widget)
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
        trial.stopped.connect(self._on_stopped)
        theme.changed.connect(self._resize)

    def _resize(self) -> None:
        """The slider is as high as the buttons beside it, so that all stand on one line."""
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
        self._settle()

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

    def _on_answered(self, side: str, found: Answered) -> None:
        view = self._views[side]
        cut = phrase("training.cut_off") if found.was_cut else ""
        seconds = phrase("common.s_s", s=f"{found.seconds:.1f}")
        view.head.setText(join_facts(self._name(side), seconds, cut))
        view.text.setText(found.text or phrase("training.nothing"))

    def _on_finished(self) -> None:
        announce(self, phrase("training.both_answers_are_there"))
        self._settle()

    def _on_failed(self, error: AppError) -> None:
        self._end_unfinished()
        told = describe_error(error)
        self.banner.show_message("danger", told.message, told.next)

    def _on_stopped(self) -> None:
        self._end_unfinished()

    def _end_unfinished(self) -> None:
        """What was not answered says so, and what was written of it stays."""
        waiting = (phrase("training.waiting"), phrase("common.answering"))
        for side, view in self._views.items():
            if view.head.text().endswith(waiting):
                view.head.setText(join_facts(self._name(side), phrase("common.stopped_here")))
        self._settle()

    def _settle(self) -> None:
        is_running = self._trial.is_running
        self.compare_button.setVisible(not is_running)
        self.stop_button.setVisible(is_running)
        self.compare_button.setEnabled(not self._why_not)
        self.compare_button.setAccessibleDescription(self._why_not)
        self.reason.setText(f"▲ {self._why_not}" if self._why_not else "")
        self.reason.setVisible(bool(self._why_not))
