"""自分の質問で比べる: one's own question to the base and to the adapter at a strength, as it is written."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QSlider, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error
from app.training.services.adapter_trial import MOST_STRENGTH, AdapterTrial, Answered
from app.training.ui.result.side_by_side import Answer, SideBySide
from app.uikit.language import joined
from app.uikit.theme import Theme
from app.uikit.widgets.announce import announce
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.card import Card
from app.uikit.widgets.flow import Flow
from app.uikit.widgets.labels import Label

STEPS = 10  # of the slider, for a strength of 1
SLIDER_PX = 150


class TryingCard(Card):
    def __init__(self, theme: Theme, trial: AdapterTrial) -> None:
        super().__init__("")
        self.title.setText(self.tr("自分の質問で比べる"))
        self._theme = theme
        self._trial = trial
        self._strength = 1.0  # that the answers are of
        self._why_not = ""
        about = self.tr("元のモデルと、学習したアダプターを重ねたモデルに、同じ質問をします。資料は使いません。")
        self.about = Label(about, "caption", "muted", wraps=True)
        self.question = QLineEdit()
        self.question.setPlaceholderText(self.tr("例：点検の頻度を教えてください。"))
        self.question.setAccessibleName(self.tr("質問"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round(MOST_STRENGTH * STEPS))
        self.slider.setPageStep(5)
        self.slider.setValue(STEPS)
        self.slider.setAccessibleName(self.tr("強さ"))
        self.value = Label()
        self.compare_button = Button(theme, self.tr("比べる"))
        self.stop_button = Button(theme, self.tr("停止"))
        self.hint = Label(self.tr("0 は元のモデルのまま、1 は学習したとおりです。"), "caption", "muted", wraps=True)
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
        label = Label(self.tr("強さ"), tone="text2")
        label.setBuddy(self.slider)
        for widget in (label, self.slider, self.value):
            row.addWidget(widget)
        strength.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        controls = Flow(strength, self.compare_button, self.stop_button)
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
            view.head.setText(joined(self._name(side), self.tr("待っています…")))
            view.text.setText("")
        self.answers.show()
        self._trial.start(question, self._strength)
        self._settle()

    def _name(self, side: str) -> str:
        if side == "base":
            return self.tr("元のモデル")
        return self.tr("学習後（強さ {s}）").format(s=f"{self._strength:.1f}")

    def _show_strength(self) -> None:
        self.value.setText(f"{self.strength:.1f}")
        self.slider.setAccessibleDescription(self.value.text())

    def _on_began(self, side: str) -> None:
        self._views[side].head.setText(joined(self._name(side), self.tr("回答中…")))

    def _on_text(self, side: str, text: str) -> None:
        view = self._views[side]
        view.text.setText((view.text.text() + text).lstrip())

    def _on_answered(self, side: str, found: Answered) -> None:
        view = self._views[side]
        cut = self.tr("途中で打ち切り") if found.was_cut else ""
        seconds = self.tr("{s} 秒").format(s=f"{found.seconds:.1f}")
        view.head.setText(joined(self._name(side), seconds, cut))
        view.text.setText(found.text or self.tr("（空）"))

    def _on_finished(self) -> None:
        announce(self, self.tr("回答を並べました。"))
        self._settle()

    def _on_failed(self, error: AppError) -> None:
        self._end_unfinished()
        told = describe_error(error)
        self.banner.show_message("danger", told.message, told.next)

    def _on_stopped(self) -> None:
        self._end_unfinished()

    def _end_unfinished(self) -> None:
        """What was not answered says so, and what was written of it stays."""
        waiting = (self.tr("待っています…"), self.tr("回答中…"))
        for side, view in self._views.items():
            if view.head.text().endswith(waiting):
                view.head.setText(joined(self._name(side), self.tr("ここで停止しました")))
        self._settle()

    def _settle(self) -> None:
        is_running = self._trial.is_running
        self.compare_button.setVisible(not is_running)
        self.stop_button.setVisible(is_running)
        self.compare_button.setEnabled(not self._why_not)
        self.compare_button.setAccessibleDescription(self._why_not)
        self.reason.setText(f"▲ {self._why_not}" if self._why_not else "")
        self.reason.setVisible(bool(self._why_not))
