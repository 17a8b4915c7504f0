"""Step 4, 確認: check the draft, forecast time, memory and disk, and show the examples that training would learn."""

import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QProgressBar, QSizePolicy, QWidget

from app.base import wording
from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.training.drafts import TrainingForecast
from app.training.services.draft_editor import DraftEditor
from app.training.ui import settings_form, training_texts
from app.training.ui.job_dialogs import ExportJobDialog
from app.training.ui.token_view import TokenView
from app.training.ui.training_texts import BLOCK, NOTE, OK, WARN, CheckLine
from app.training.ui.wizard import PrimaryAction, WizardStep
from app.uikit import localization
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import IconLabel, Label, announce
from app.uikit.widgets.progress_row import ProgressRow

MARGIN_PX = 24
VERDICT_MARK_DOWN_PX, MARK_DOWN_PX = 5, 2  # aligns the icon with the first line
CHECK, START = "check", "start"
TOPIC_PX = 104
STACKED_BELOW_PX = 560

_MARKS = {
    OK: ("circle-check", "success"),
    NOTE: ("info", "text2"),
    WARN: ("triangle-alert", "warning"),
    BLOCK: ("circle-x", "danger"),
}


class CheckStep(WizardStep):
    def __init__(
        self, theme: Theme, work: DraftEditor, show_step: Callable[[str], None], pickers: Pickers | None = None
    ) -> None:
        """`show_step`: shows the step where a problem can be fixed."""
        super().__init__()
        self._theme = theme
        self._work = work
        self._show_step = show_step
        self._pickers = pickers or Pickers()
        self._began_at = 0.0  # when the shown work began
        self._phase = ""
        self.banner = Banner(theme)
        self.progress = ProgressRow(theme)
        self._mark = IconLabel(theme, "info", "text2")
        self._mark.setContentsMargins(0, VERDICT_MARK_DOWN_PX, 0, 0)
        self.verdict = Label(role="heading3", wraps=True)
        self.about = Label(tone="text2", wraps=True)
        self.findings = FindingsView(theme)
        self.forecast = ForecastBox(theme)
        self.tokens = TokenView(theme)
        self.no_tokens = Label(role="caption", tone="muted", wraps=True)
        self.again_button = Button(theme, phrase("training.check_again"), icon="refresh-cw", compact=True)
        self.job_button = Button(theme, phrase("training.make_a_job_folder_for"), icon="folder-plus", compact=True)
        self._build()
        self._connect()

    def show_draft(self) -> None:
        self._show_state()

    def focus_first(self) -> None:
        shown = self.tokens.text if self.tokens.isVisibleTo(self) else self.job_button
        shown.setFocus(Qt.FocusReason.OtherFocusReason)

    def primary_action(self) -> PrimaryAction | None:
        draft = self._work.draft
        if not self._is_checked:
            return PrimaryAction(CHECK, phrase("training.check_these_settings"))
        return PrimaryAction(START, phrase("training.start_training")) if draft.is_complete("check") else None

    def do(self, key: str) -> None:
        self.banner.hide()
        if key == CHECK:
            self._work.check()
        else:
            self._work.begin()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        column = make_column(into=self, margins_px=(MARGIN_PX, 20, MARGIN_PX, 20), spacing_px=16)
        head = make_row((self._mark, 0, Qt.AlignmentFlag.AlignTop), (self.verdict, 1), spacing_px=10)
        column.addWidget(self.banner)
        column.addWidget(self.progress)
        column.addLayout(head)
        for widget in (self.about, self.findings, self.forecast, self.tokens, self.no_tokens):
            column.addWidget(widget)
        column.addWidget(FlowBox(self.again_button, self.job_button))
        column.addStretch(1)

    def _connect(self) -> None:
        work = self._work
        work.began.connect(self._on_began)
        work.progressed.connect(self._on_progressed)
        work.ended.connect(self._on_ended)
        work.failed.connect(self._on_failed)
        self.progress.cancelled.connect(work.cancel)
        self.findings.step_requested.connect(self._show_step)
        self.forecast.changes_button.clicked.connect(self._take_changes)
        self.forecast.trial_button.clicked.connect(lambda: self._check(measures=True))
        self.again_button.clicked.connect(lambda: self._check())
        self.job_button.clicked.connect(self._open_job)

    # ------------------------------------------------------------------- showing

    @property
    def _is_checked(self) -> bool:
        return not any(problem.code == "not_checked" for problem in self._work.draft.problems("check"))

    @property
    def _can_try(self) -> bool:
        """Return whether a trial would reach its steps."""
        found = self._work.draft.forecast
        is_refused = found is not None and any(one.level == training_texts.BLOCK for one in found.findings)
        return self._work.draft.has_environment and not is_refused

    def _show_state(self) -> None:
        draft, is_checked = self._work.draft, self._is_checked
        plan = self._work.plan if is_checked else None
        found = plan.previews if plan is not None else ()
        for widget in (self.findings, self.forecast, self.again_button):
            widget.setVisible(is_checked)
        self.again_button.setEnabled(not self._work.is_busy)
        self.about.setVisible(not is_checked)
        self.tokens.setVisible(bool(found))
        self.tokens.show_previews(found)
        self.no_tokens.setVisible(is_checked and not found and draft.has_environment)
        forecast = draft.forecast
        if forecast is None or not is_checked:
            self._show_unchecked()
            return
        self.findings.show_lines(training_texts.check_lines(draft, has_preview=forecast.is_exact))
        self.forecast.show_forecast(
            forecast, can_try=self._can_try, is_converted=forecast.is_exact, is_busy=self._work.is_busy
        )
        self.no_tokens.setText(self._no_tokens(is_exact=forecast.is_exact))
        self._show_verdict()

    def _show_unchecked(self) -> None:
        self._mark.show_icon("info", "text2")
        self.verdict.setText(phrase("training.draft_problem.not_checked"))
        if self._work.draft.has_environment:
            self.about.setText(phrase("training.checks_the_data_and_settings"))
        else:
            self.about.setText(phrase("training.without_a_training_environment_only"))

    def _show_verdict(self) -> None:
        found = self._work.draft.problems("check")
        blocking = sum(problem.is_blocking for problem in found)
        if blocking:
            self._mark.show_icon("circle-x", "danger")
            self.verdict.setText(phrase("training.cannot_start_like_this_n", n=blocking))
        elif warnings := sum(line.level == training_texts.WARN for line in self.findings.shown):
            self._mark.show_icon("triangle-alert", "warning")
            self.verdict.setText(phrase("training.ready_to_start_with_n", n=warnings))
        else:
            self._mark.show_icon("circle-check", "success")
            self.verdict.setText(phrase("training.ready_to_start"))

    def _no_tokens(self, *, is_exact: bool) -> str:
        if is_exact:
            return phrase("training.check_again_to_see_examples")
        return phrase("training.examples_of_which_words_are")

    # --------------------------------------------------------------------- slots

    def _check(self, *, measures: bool = False) -> None:
        self.banner.hide()
        self._work.check(measures=measures)

    def _open_job(self) -> None:
        ExportJobDialog(self._theme, self._work, self.window(), self._pickers).open()

    def _take_changes(self) -> None:
        """Apply the proposed settings and check whether they suffice."""
        forecast = self._work.draft.forecast
        assert forecast is not None
        try:
            self._work.choose(**dict(forecast.changes))
        except AppError as error:
            self._show_failure(error)
            return
        self._check()

    def _on_began(self, what: str) -> None:
        titles = {"checking": phrase("training.checking"), "beginning": phrase("training.preparing_the_training")}
        if what in titles:
            self._began_at, self._phase = time.monotonic(), ""
            self.progress.start(titles[what])
        self._show_state()

    def _on_progressed(self, _done: int, _total: int) -> None:
        """Show the trainer's phase; other work has none."""
        phase = self._work.phase
        if self.progress.isHidden() or phase is None:
            return
        if phase.name != self._phase:  # another phase has its own progress bar, or none
            self._phase = phase.name
            self.progress.start(wording.phrase(f"training.run_phase.{phase.name}"), time.monotonic() - self._began_at)
        self.progress.set_progress(phase.done, phase.total, is_bytes=True)

    def _on_ended(self) -> None:
        was_shown = not self.progress.isHidden()
        self.progress.finish()
        self._show_state()
        if was_shown and self.isVisible():
            announce(self, self.verdict.text())

    def _on_failed(self, error: AppError) -> None:
        """Show the failure of a check or a start. The draft's other failures are shown where the user began them."""
        if not self.progress.isHidden():
            self._show_failure(error)

    def _show_failure(self, error: AppError) -> None:
        sentence = describe_error(error)
        following = sentence.next
        if error.code.startswith("run_"):  # its usual advice is for a run that can be resumed
            following = phrase("training.look_over_the_data_and")
        self.banner.show_message("danger", sentence.message, following)


class FindingsView(QWidget):
    """The findings, one a line: icon, topic, sentence, and a button to fix it."""

    step_requested = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.shown: list[CheckLine] = []
        self.rows: list[FindingRow] = []
        self._column = make_column(into=self, spacing_px=10)

    def show_lines(self, lines: Sequence[CheckLine]) -> None:
        if list(lines) == self.shown:
            return
        self.shown = list(lines)
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.rows = [FindingRow(self._theme, line) for line in lines]
        for row in self.rows:
            self._column.addWidget(row)
            row.button.clicked.connect(lambda _=False, step=row.line.step: self.step_requested.emit(step))
            row.show()  # Qt would show it a moment later, which flickers


class FindingRow(QWidget):
    def __init__(self, theme: Theme, line: CheckLine) -> None:
        super().__init__()
        self._theme = theme
        self.line = line
        self._topic = Label(line.topic, strong=True)
        self.text = Label(line.text, tone="text2" if line.level == NOTE else "text", wraps=True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setAccessibleName(f"{training_texts.check_level_name(line.level)} {line.topic} {line.text}")
        self.button = Button(theme, training_texts.fix_button_text(line.step) if line.step else "", compact=True)
        self.button.setVisible(bool(line.step))
        self._build()
        theme.changed.connect(self._resize)
        self._resize()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_stacked = self.width() < self._theme.px(STACKED_BELOW_PX)
        directions = QBoxLayout.Direction
        self._words.setDirection(directions.TopToBottom if is_stacked else directions.LeftToRight)
        self._words.setSpacing(2 if is_stacked else 12)
        self._words.setAlignment(self.button, Qt.AlignmentFlag.AlignLeft if is_stacked else Qt.AlignmentFlag.AlignTop)

    def _build(self) -> None:
        top = Qt.AlignmentFlag.AlignTop
        icon, tone = _MARKS[self.line.level]
        mark = IconLabel(self._theme, icon, tone)
        mark.setToolTip(training_texts.check_level_name(self.line.level))
        mark.setContentsMargins(0, MARK_DOWN_PX, 0, 0)
        self._words = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._words.addWidget(self._topic, 0, top)
        self._words.addWidget(self.text, 1)
        self._words.addWidget(self.button, 0, top)
        make_row((mark, 0, top), (self._words, 1), into=self, spacing_px=10)

    def _resize(self) -> None:
        self._topic.setMinimumWidth(self._theme.px(TOPIC_PX))


STEPS = 1000  # of the bar's range
BAR_PX = 560  # largest width


class ForecastBox(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self.headline = Label(role="heading3", wraps=True)
        self.source = Label(role="caption", tone="muted", wraps=True)
        self.memory = ResourceMeter(theme)
        self.disk = ResourceMeter(theme)
        self.advice = Label(tone="warning", wraps=True)
        self.changes_button = Button(theme, phrase("training.use_these_settings"), compact=True)
        self.trial_button = Button(theme, phrase("training.try_3_steps"), compact=True)
        self.trial_words = Label(role="caption", tone="muted", wraps=True)
        self._build()

    def show_forecast(self, found: TrainingForecast, *, can_try: bool, is_converted: bool, is_busy: bool) -> None:
        """Show a forecast. `can_try`: a trial run would work. `is_converted`: the base needs no conversion first."""
        name = settings_form.memory_name(found.device)
        self.headline.setText(self._headline(found, name))
        self.source.setText(self._source(found))
        self.memory.show_share(
            name, found.memory_bytes, found.allowed_bytes, phrase("training.need_needed_free_available")
        )
        self.disk.show_share(
            phrase("training.disk"), found.disk_bytes, found.free_disk_bytes, phrase("training.need_needed_free_free")
        )
        self._show_advice(found)
        fits = self.memory.fits and self.disk.fits
        for widget in (self.trial_button, self.trial_words):
            widget.setVisible(can_try and fits and not found.is_measured)
        for button in (self.trial_button, self.changes_button):
            button.setEnabled(not is_busy)
        self.trial_words.setText(
            phrase("training.computes_just_3_steps_to")
            if is_converted
            else phrase("training.converts_the_base_for_training")
        )

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        left = Qt.AlignmentFlag.AlignLeft
        make_column(
            self.headline,
            self.source,
            self.memory,
            self.disk,
            self.advice,
            (self.changes_button, 0, left),
            (self.trial_button, 0, left),
            self.trial_words,
            into=self,
            margins_px=(16, 14, 16, 14),
            spacing_px=8,
        )

    def _headline(self, found: TrainingForecast, name: str) -> str:
        text = phrase("training.estimate_time_memory_size")
        if found.is_measured:
            text = phrase("training.after_a_3_step_trial")
        size = localization.format_gigabytes(found.memory_bytes)
        return text.format(time=localization.format_about_time(found.seconds), memory=name, size=size)

    def _source(self, found: TrainingForecast) -> str:
        if found.is_measured:
            return phrase("training.measured_with_the_longest_examples")
        if found.is_exact:
            return phrase("training.computed_from_the_number_of")
        return phrase("training.rough_the_number_of_tokens")

    def _show_advice(self, found: TrainingForecast) -> None:
        text = ""
        if not self.memory.fits and found.changes:
            made = settings_form.settings_summary(dict(found.changes))
            text = phrase("training.not_enough_memory_it_fits", changes=made)
        elif not self.memory.fits:
            text = phrase("training.not_enough_memory_and_no")
        elif not self.disk.fits:
            text = phrase("training.not_enough_free_disk_space")
        self.advice.setText(f"▲ {text}")
        self.advice.setVisible(bool(text))
        self.changes_button.setVisible(not self.memory.fits and bool(found.changes))


class ResourceMeter(QWidget):
    """A meter of a needed amount against the available one: an icon, a bar and both numbers."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._mark = IconLabel(theme, "circle-check", "success")
        self._name = Label(strong=True)
        self.words = Label(tone="text2", wraps=True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._bar = QProgressBar()
        self._bar.setRange(0, STEPS)
        self._bar.setTextVisible(False)
        self._bar.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._bar.setMaximumWidth(theme.px(BAR_PX))
        self.fits = True
        head = make_row(spacing_px=8)
        for widget in (self._mark, self._name):
            head.addWidget(widget)
        head.addWidget(self.words, 1)
        make_column(head, self._bar, into=self, margins_px=(0, 2, 0, 2), spacing_px=4)

    def show_share(self, name: str, needed: int, available: int, text: str) -> None:
        """Show the amounts in bytes. `text`: with {need} and {free}."""
        self.fits = needed <= available
        self._mark.show_icon(*(("circle-check", "success") if self.fits else ("circle-x", "danger")))
        self._name.setText(name)
        self.words.setText(
            text.format(need=localization.format_gigabytes(needed), free=localization.format_gigabytes(available))
        )
        self.words.set_tone("text2" if self.fits else "danger")
        self._bar.setValue(min(STEPS, round(STEPS * needed / max(available, 1))))
        self._bar.setProperty("level", "" if self.fits else "low")
        self._bar.style().unpolish(self._bar)
        self._bar.style().polish(self._bar)
        self._bar.setAccessibleName(name)
        self._bar.setAccessibleDescription(self.words.text())
