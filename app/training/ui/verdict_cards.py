"""Show the verdict on a run, and the forms in which its model can be used (使う形).

The verdict has a sentence, its reason and interval, and buttons. Each form has its measured size, speed and loss.
"""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QRadioButton, QSizePolicy, QWidget

from app.base import wording
from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.models.artifact_steps import StepProgress
from app.training import quality_gate, training_errors
from app.training.quality_gate import GateResult
from app.training.run_result import FormChoice, RunResult
from app.training.runs import rerun
from app.training.ui import training_texts, verdict_texts
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, CardGrid, FlowBox, make_column, make_row, set_direction
from app.uikit.widgets.labels import IconLabel, Label, repolish
from app.uikit.widgets.progress_row import ProgressRow


class StatusBadge(QWidget):
    def __init__(self, theme: Theme, icon: str, tone: str, words: str) -> None:
        super().__init__()
        self.words = Label(words, "caption", tone, strong=True)
        make_row(IconLabel(theme, icon, tone, 14), self.words, into=self, spacing_px=6)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)


BESIDE_BUTTONS_PX = 460  # from this width on, verdict and sentences stand beside the buttons
_LEVELS = {"adopt": "passed", "check": "check", "reject": "reject"}


class VerdictCard(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.icon = IconLabel(theme, "info", "text2", 24)
        self.word = Label(role="heading1", strong=True)
        self.sentence = Label(strong=True, wraps=True, selectable=True)
        self.reasons = Label(wraps=True, selectable=True)
        self.detail = Label(role="caption", tone="text2", wraps=True, selectable=True)
        self.warning = Label(role="caption", tone="text2", wraps=True, selectable=True)
        self.why_not = Label(role="caption", tone="warning", wraps=True, selectable=True)
        self.is_rejected = self._has_report = False
        self.advised_preset = ""  # with which a rejected run is repeated; "": with other rows
        self.advice_button = Button(theme, "", "primary", "refresh-cw")
        self.fold_button = Button(theme, "", "link")
        self.fold_button.setCheckable(True)
        self.use_button = Button(theme, phrase("common.use_for_questions"), "primary")
        self.judge_button = Button(theme, phrase("training.judge"), "primary")
        self.report_button = Button(theme, phrase("common.report"), "", "file-text")
        self._buttons = FlowBox(self.advice_button, self.use_button, self.judge_button, self.report_button)
        self.fold_button.toggled.connect(self._fold)
        self._build()

    def show_result(self, view: RunResult) -> None:
        gate, self._has_report = view.gate, view.has_report
        self.judge_button.setVisible(gate is None and view.can_judge)
        self.is_rejected = gate is not None and gate.verdict == "reject"
        self.advice_button.setVisible(self.is_rejected)
        self.fold_button.setVisible(self.is_rejected)
        if gate is None:
            self._show_unjudged(view)
        else:
            self._show_gate(gate)
            self._show_advice(gate, view.preset)
        self.use_button.setVisible(gate is not None or view.has_adapter)
        self._fold()
        self.setAccessibleName(join_facts(self.word.text(), self.sentence.text()))
        repolish(self)

    @property
    def shows_details(self) -> bool:
        """Return whether the details of the result are to be shown: those of a rejection only on request."""
        return not self.is_rejected or self.fold_button.isChecked()

    def show_obstacle(self, why_not: str, *, can_use: bool, can_judge: bool) -> None:
        """Enable the buttons. `why_not`: the reason why one of them is disabled; "" if none is."""
        for button, can in ((self.use_button, can_use), (self.judge_button, can_judge)):
            button.setEnabled(can)
            button.setAccessibleDescription("" if can else why_not)
        self.why_not.setText(f"▲ {why_not}" if why_not else "")
        self._fold()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_direction()

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        head = QWidget()
        head.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        make_row(self.icon, self.word, into=head, spacing_px=10)
        texts = make_column(
            self.sentence,
            (self.fold_button, 0, Qt.AlignmentFlag.AlignLeft),
            self.reasons,
            self.detail,
            self.warning,
            self.why_not,
            spacing_px=4,
        )
        self._content = make_row(head, (texts, 1), self._buttons, into=self, margins_px=(20, 14, 16, 14), spacing_px=20)

    def _set_direction(self) -> None:
        is_row = self.width() - self._buttons.sizeHint().width() >= self._theme.px(BESIDE_BUTTONS_PX)
        set_direction(self._content, is_row=is_row)
        self._content.setSpacing(20 if is_row else 10)
        side = QSizePolicy.Policy.Maximum if is_row else QSizePolicy.Policy.Preferred
        policy = QSizePolicy(side, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self._buttons.setSizePolicy(policy)
        self._content.setAlignment(self._buttons, Qt.AlignmentFlag.AlignVCenter if is_row else Qt.AlignmentFlag(0))

    def _fold(self) -> None:
        """Show the details; those of a rejection, with report and the button to use it anyway, only if unfolded."""
        is_shown = self.shows_details
        self.fold_button.setText(
            phrase("training.hide_reasons_and_figures") if is_shown else phrase("training.reasons_and_figures")
        )
        for label in (self.reasons, self.detail, self.warning, self.why_not):
            label.setVisible(is_shown and bool(label.text()))
        self.report_button.setVisible(self._has_report and is_shown)
        if self.is_rejected:
            self.use_button.setVisible(is_shown)
        self._set_direction()

    def _show_advice(self, gate: GateResult, preset: str) -> None:
        codes = [reason.code for reason in gate.reasons if reason.level == "reject"]
        self.advised_preset = rerun.advised_preset(codes, preset)
        name = training_errors.preset_name(self.advised_preset) if self.advised_preset else ""
        add = phrase("training.mend_the_rows_and_train_again")
        self.advice_button.setText(phrase("training.train_again_with", preset=name) if name else add)

    def _show_gate(self, gate: GateResult) -> None:
        icon, tone = verdict_texts.LEVEL_SIGNS[_LEVELS[gate.verdict]]
        self.setProperty("surface", tone)
        self.icon.show_icon(icon, tone)
        self.word.setText(training_texts.verdict_name(gate.verdict))
        self.word.set_tone(tone)
        reasons = [quality_gate.reason_text(reason) for reason in gate.reasons]
        if gate.verdict == "adopt":
            self.sentence.setText(phrase("training.the_tuned_model_is_better"))
        elif gate.verdict == "check":
            self.sentence.setText(reasons.pop(0))
        else:
            main = next((reason for reason in gate.reasons if reason.level == "reject"), gate.reasons[0])
            facts = {name: quality_gate.fact_text(name, value) for name, value in main.facts.items()}
            self.sentence.setText(phrase(f"training.rejected_because.{main.code}", **facts))
        self.reasons.setText("\n".join(reasons))
        is_stated = any("low_nats" in reason.facts and "form" not in reason.facts for reason in gate.reasons)
        self.detail.setText("" if is_stated else self._change(gate))
        self.use_button.set_kind({"adopt": "primary", "check": "", "reject": "quiet"}[gate.verdict])
        is_refused = gate.verdict == "reject"
        self.use_button.setText(
            phrase("training.use_for_questions_anyway") if is_refused else phrase("common.use_for_questions")
        )
        self.warning.setText(phrase("training.answers_may_be_worse_than") if is_refused else "")

    def _change(self, gate: GateResult) -> str:
        """Return a sentence on the change of the loss, with the figures of the first condition."""
        has_no_figures = gate.base_nll is None or gate.adapter_nll is None
        key = "training.on_n_examples_that_were" if has_no_figures else "training.on_n_examples_that_were_not_trained"
        numbers = {"a": f"{gate.base_nll or 0:.3f}", "b": f"{gate.adapter_nll or 0:.3f}"}
        return phrase(key, n=gate.change.units, interval=verdict_texts.interval_text(gate.change), **numbers)

    def _show_unjudged(self, view: RunResult) -> None:
        self.setProperty("surface", "raised")
        self.icon.show_icon("info", "text2")
        self.word.setText(phrase("training.not_judged"))
        self.word.set_tone("text2")
        self.warning.setText("")
        self.use_button.set_kind("")
        self.use_button.setText(phrase("common.use_for_questions"))
        self.reasons.setText(wording.phrase("common.run_trained_elsewhere") if view.is_from_elsewhere else "")
        if view.error is not None:
            sentence = describe_error(view.error)
            self.sentence.setText(sentence.message)
            self.detail.setText(sentence.next)
        elif view.can_judge:
            self.sentence.setText(phrase("training.training_has_ended_but_whether"))
            self.detail.setText(phrase("training.it_is_compared_with_the"))
        else:
            self.sentence.setText(phrase("training.no_rows_were_kept_back"))
            self.detail.setText(phrase("training.compare_answers_below_under_compare"))


TABLE_WIDE_PX = 520  # from this width on, all columns of a table are side by side


class TableCard(Card):
    """A card with a table that has fewer columns and more lines if the card is narrow."""

    def __init__(self, theme: Theme, title: str) -> None:
        super().__init__(title)
        self._theme = theme
        self._is_wide = True
        self.grid = CardGrid()
        self.column.addWidget(self.grid)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(TABLE_WIDE_PX)
        if is_wide != self._is_wide:
            self._is_wide = is_wide
            self._refill()
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()  # the layout around it can keep the height of wrapped lines at another width

    def _refill(self) -> None:
        with self.grid.refilled():
            self._fill()

    def _fill(self) -> None:
        """Fill the empty grid in the layout for the current width. Subclasses implement it."""
        raise NotImplementedError


COLUMNS = 5


class FormsCard(TableCard):
    """A card to choose a model form."""

    chosen = Signal(str)  # form
    make_requested = Signal(str)  # form

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, phrase("training.form_to_use"))
        self._choices: tuple[FormChoice, ...] = ()
        self._why_not = ""
        self.form = ""  # the chosen form
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QRadioButton] = {}
        self.note = Label(role="caption", tone="text2", wraps=True)
        self.make_button = Button(theme, phrase("training.make_this_form"))
        self.measure_button = Button(theme, phrase("training.measure_2"))
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        self._group.buttonClicked.connect(lambda button: self._choose(button.property("form")))
        self.make_button.clicked.connect(lambda: self.make_requested.emit(self.form))
        for widget in (self.note, FlowBox(self.make_button, self.measure_button), self.progress, self.banner):
            self.column.addWidget(widget)

    def show_choices(self, choices: Sequence[FormChoice]) -> None:
        """Show the forms. The chosen one stays; at first it is the proposed one, or else one whose file exists."""
        if self._choices == tuple(choices):
            return
        self._choices = tuple(choices)
        if not choices:
            self.form = ""
            return
        known = {one.form for one in choices}
        ranked = sorted(choices, key=lambda one: (not one.is_proposed, not one.is_made))
        self.form = self.form if self.form in known else ranked[0].form
        self._refill()
        self._update_buttons()

    @property
    def choice(self) -> FormChoice | None:
        return next((one for one in self._choices if one.form == self.form), None)

    def show_obstacle(self, why_not: str) -> None:
        """Show the reason why nothing can be made or measured now; "" if it can."""
        self._why_not = why_not
        self._update_buttons()

    def show_making(self, progress: StepProgress) -> None:
        if self.progress.isHidden():
            self.begin()
        what = training_texts.gate_step_text(progress)
        self.progress.say(phrase("training.making_a_b_what", a=progress.number, b=progress.steps, what=what))
        self.progress.set_progress(progress.done, progress.total, is_bytes=progress.kind != "score")

    def begin(self) -> None:
        self.banner.hide()
        self.progress.start(phrase("training.getting_ready"))
        self._update_buttons()

    def finish(self, error: AppError | None) -> None:
        self.progress.finish()
        if error is not None:
            self.banner.show_error(error)
        self._update_buttons()

    # ------------------------------------------------------------- private methods

    def _choose(self, form: str) -> None:
        self.form = form
        self._update_buttons()
        self.chosen.emit(form)

    def _fill(self) -> None:
        focused = next((form for form, button in self.buttons.items() if button.hasFocus()), "")
        for button in self.buttons.values():
            self._group.removeButton(button)
        self.buttons = {}
        if self._is_wide:
            names = (phrase("training.form"), phrase("common.size"), "tok/s", phrase("training.loss_added"), "")
            for column, name in enumerate(names):
                self.grid.put(Label(name, "caption", "muted"), column, is_number=0 < column < COLUMNS - 1)
            self.grid.add_separator(COLUMNS)
        self.grid.grid.setColumnStretch(0, 1)
        for choice in self._choices:
            self._add(choice)
        if focused in self.buttons:
            self.buttons[focused].setFocus()

    def _add(self, choice: FormChoice) -> None:
        button = self.buttons[choice.form] = QRadioButton(
            training_texts.capitalized(training_errors.form_name(choice.form))
        )
        button.setProperty("form", choice.form)
        button.setChecked(choice.form == self.form)
        self._group.addButton(button)
        cells, badge = self._cells(choice), self._badge(choice)
        button.setAccessibleDescription(join_facts(*cells, badge.words.text() if badge else ""))
        self.grid.put(button, 0)
        if self._is_wide:
            for column, cell in enumerate(cells, 1):
                self.grid.put(Label(cell, "caption"), column, is_number=True)
            if badge:
                self.grid.put(badge, COLUMNS - 1)
        else:
            if badge:
                self.grid.put(badge, 1)
            self.grid.next_row()
            names = ("{v}", "{v} tok/s", phrase("training.loss_v"))
            text = join_facts(*(name.format(v=cell) for name, cell in zip(names, cells, strict=False)))
            self.grid.put(Label(text if choice.row else cells[0], "caption", "text2", wraps=True), 0, span=2)
        self.grid.add_separator(COLUMNS if self._is_wide else 2)

    def _cells(self, choice: FormChoice) -> tuple[str, str, str]:
        row = choice.row
        if row is None:
            return phrase("training.not_measured"), "–", "–"
        speed = f"{row.write_tokens_per_s:.1f}" if row.write_tokens_per_s else "–"
        return (
            training_texts.format_size(row.size_bytes),
            speed,
            verdict_texts.format_change(row.loss_nats) if row.loss_nats is not None else "–",
        )

    def _badge(self, choice: FormChoice) -> StatusBadge | None:
        if choice.is_proposed:
            return StatusBadge(self._theme, "check", "accent", phrase("training.recommended"))
        if choice.row is not None and not choice.row.fits:
            return StatusBadge(self._theme, "circle-x", "danger", phrase("common.not_enough_memory"))
        if choice.is_lossy:
            return StatusBadge(self._theme, "triangle-alert", "warning", phrase("training.large_loss"))
        return None

    def _update_buttons(self) -> None:
        one, is_making = self.choice, not self.progress.isHidden()
        is_missing = one is not None and not one.is_made
        self.make_button.setVisible(is_missing and not is_making)
        self.measure_button.setVisible(any(choice.row is None for choice in self._choices) and not is_making)
        for radio in self.buttons.values():
            radio.setEnabled(not is_making)
        for button in (self.make_button, self.measure_button):
            button.setEnabled(not self._why_not)
            button.setAccessibleDescription(self._why_not)
        notes = [phrase("training.there_is_no_file_of")] if is_missing else []
        is_offered = self.make_button.isVisibleTo(self) or self.measure_button.isVisibleTo(self)
        notes += [f"▲ {self._why_not}"] if self._why_not and is_offered else []
        self.note.setText("\n".join(notes))
        self.note.setVisible(bool(notes) and not is_making)
