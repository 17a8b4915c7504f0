"""The verdict on a run: one sentence with its reason and its interval, and what can be done with it."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base import wording
from app.base.wording import describe_error, phrase
from app.training import gate_file
from app.training.gate import Gate
from app.training.result_view import ResultView
from app.training.ui.result import words
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import IconLabel, Label, repolish

WIDE_PX = 720  # for verdict, sentences and buttons side by side
_LOOKS = {"adopt": "passed", "check": "check", "reject": "reject"}


class Verdict(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.icon = IconLabel(theme, "info", "text2", 24)
        self.word = Label(role="heading1", strong=True)
        self.sentence = Label(strong=True, wraps=True)
        self.reasons = Label(wraps=True)
        self.detail = Label(role="caption", tone="text2", wraps=True)
        self.warning = Label(role="caption", tone="text2", wraps=True)
        self.why_not = Label(role="caption", tone="warning", wraps=True)
        self.use_button = Button(theme, phrase("common.use_for_questions"), "primary")
        self.judge_button = Button(theme, phrase("training.judge"))
        self.report_button = Button(theme, phrase("common.report"), "", "file-text")
        self._buttons = FlowBox(self.use_button, self.judge_button, self.report_button)
        self._content = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._build()

    def show_result(self, view: ResultView) -> None:
        gate = view.gate
        self.report_button.setVisible(view.has_report)
        self.judge_button.setVisible(gate is None and view.can_judge)
        self.judge_button.set_kind("primary")
        self.use_button.setVisible(gate is not None or view.has_adapter)
        if gate is None:
            self._show_unjudged(view)
        else:
            self._show_gate(gate)
        for label in (self.reasons, self.detail, self.warning):
            label.setVisible(bool(label.text()))
        self.setAccessibleName(join_facts(self.word.text(), self.sentence.text()))
        repolish(self)
        self._turn()

    def show_obstacle(self, why_not: str, *, can_use: bool, can_judge: bool) -> None:
        """`why_not`: why one of both cannot be done now; "": both can."""
        for button, can in ((self.use_button, can_use), (self.judge_button, can_judge)):
            button.setEnabled(can)
            button.setAccessibleDescription("" if can else why_not)
        self.why_not.setText(f"▲ {why_not}" if why_not else "")
        self.why_not.setVisible(bool(why_not))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        head = QWidget()
        head.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.icon)
        row.addWidget(self.word)
        told = QVBoxLayout()
        told.setSpacing(4)
        for label in (self.sentence, self.reasons, self.detail, self.warning, self.why_not):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            told.addWidget(label)
        self._content.setContentsMargins(20, 14, 16, 14)
        self._content.setSpacing(20)
        self._content.addWidget(head)
        self._content.addLayout(told, 1)
        self._content.addWidget(self._buttons)

    def _turn(self) -> None:
        is_row = self.width() >= self._theme.px(WIDE_PX)
        direction = QBoxLayout.Direction.LeftToRight if is_row else QBoxLayout.Direction.TopToBottom
        if self._content.direction() != direction:
            self._content.setDirection(direction)
            self._content.setSpacing(20 if is_row else 10)
        side = QSizePolicy.Policy.Maximum if is_row else QSizePolicy.Policy.Preferred
        policy = QSizePolicy(side, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self._buttons.setSizePolicy(policy)
        self._content.setAlignment(self._buttons, Qt.AlignmentFlag.AlignVCenter if is_row else Qt.AlignmentFlag(0))

    def _show_gate(self, gate: Gate) -> None:
        icon, tone = words.LEVELS[_LOOKS[gate.verdict]]
        self.setProperty("surface", tone)
        self.icon.show_icon(icon, tone)
        self.word.setText(words.verdict(gate.verdict))
        self.word.set_tone(tone)
        told = [gate_file.sentence(reason) for reason in gate.reasons]
        if gate.verdict == "adopt":
            self.sentence.setText(phrase("training.the_tuned_model_is_better"))
        elif gate.verdict == "check":
            self.sentence.setText(told.pop(0))
        else:
            self.sentence.setText(phrase("training.keep_the_base_model"))
        self.reasons.setText("\n".join(told))
        is_told = any("low_nats" in reason.facts and "form" not in reason.facts for reason in gate.reasons)
        self.detail.setText("" if is_told else self._change(gate))
        kind = {"adopt": "primary", "check": "", "reject": "quiet"}[gate.verdict]
        self.use_button.set_kind(kind)
        is_refused = gate.verdict == "reject"
        self.use_button.setText(
            phrase("training.use_for_questions_anyway") if is_refused else phrase("common.use_for_questions")
        )
        self.warning.setText(phrase("training.answers_may_be_worse_than") if is_refused else "")

    def _change(self, gate: Gate) -> str:
        """Of the training, as the first condition has it."""
        if gate.base_nll is None or gate.adapter_nll is None:
            told = phrase("training.on_n_examples_that_were")
        else:
            told = phrase("training.on_n_examples_that_were_not_trained")
        numbers = {"a": f"{gate.base_nll or 0:.3f}", "b": f"{gate.adapter_nll or 0:.3f}"}
        return told.format(n=gate.change.units, interval=words.interval(gate.change), **numbers)

    def _show_unjudged(self, view: ResultView) -> None:
        self.setProperty("surface", "raised")
        self.icon.show_icon("info", "text2")
        self.word.setText(phrase("training.not_judged"))
        self.word.set_tone("text2")
        self.warning.setText("")
        self.use_button.set_kind("")
        self.use_button.setText(phrase("common.use_for_questions"))
        self.reasons.setText(wording.phrase("common.run_trained_elsewhere") if view.is_from_elsewhere else "")
        if view.error is not None:
            told = describe_error(view.error)
            self.sentence.setText(told.message)
            self.detail.setText(told.next)
        elif view.can_judge:
            self.sentence.setText(phrase("training.training_has_ended_but_whether"))
            self.detail.setText(phrase("training.it_is_compared_with_the"))
        else:
            self.sentence.setText(phrase("training.no_rows_were_kept_back"))
            self.detail.setText(phrase("training.compare_answers_below_under_compare"))
