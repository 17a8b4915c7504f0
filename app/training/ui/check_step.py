"""Step 4, 確認: check the draft, forecast time, memory and disk, and show the examples that training would learn."""

import time
from collections.abc import Callable, Sequence

import psutil
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QProgressBar, QSizePolicy, QWidget

from app.base import wording
from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.training.drafts import TrainingForecast
from app.training.services.draft_editor import DraftEditor
from app.training.ui import settings_form, training_texts
from app.training.ui.job_dialogs import ExportJobDialog
from app.training.ui.token_view import TokenView
from app.training.ui.training_texts import BLOCK, NOTE, OK, WARN, CheckLine
from app.training.ui.wizard import MARGIN_PX, ObstacleBanner, PrimaryAction, WizardStep
from app.uikit import localization
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, Stretch, make_column, make_row, refill, set_direction
from app.uikit.widgets.labels import IconLabel, Label, announce, repolish
from app.uikit.widgets.progress_row import ProgressRow

VERDICT_MARK_DOWN_PX, MARK_DOWN_PX = 5, 2  # pixels; aligns the icon with the first line
TOPIC_PX = 104
STACKED_BELOW_PX = 560

_MARKS = {
    OK: ("circle-check", "success"),
    NOTE: ("info", "text2"),
    WARN: ("triangle-alert", "warning"),
    BLOCK: ("circle-x", "danger"),
}


class CheckStep(WizardStep):
    tells_problems = True

    def __init__(
        self,
        theme: Theme,
        work: DraftEditor,
        show_step: Callable[[str], None],
        pause_study: Callable[[], None],
        pickers: Pickers | None = None,
    ) -> None:
        """Create the step.

        `show_step`: called with the step in which the user can fix a problem. `pause_study`: pauses the evaluation that
        has the memory; the end of the engine's refusal follows.
        """
        super().__init__(theme)
        self._work = work
        self._pause_study = pause_study
        self._starts_when_free = False
        self.obstacle = ObstacleBanner(theme)
        self._pickers = pickers or Pickers()
        self._began_at = 0.0  # monotonic time when the shown work began
        self._phase = ""
        self.progress = ProgressRow(theme)
        self._mark = IconLabel(theme, "info", "text2")
        self._mark.setContentsMargins(0, VERDICT_MARK_DOWN_PX, 0, 0)
        self.verdict = Label(role="heading3", wraps=True)
        self.about = Label(tone="text2", wraps=True)
        self.findings = FindingsView(theme, show_step)
        self.forecast = ForecastBox(theme)
        self.tokens = TokenView(theme)
        self.no_tokens = Label(role="caption", tone="muted", wraps=True)
        self.again_button = Button(theme, phrase("training.check_again"), icon="refresh-cw", compact=True)
        self.job_button = Button(theme, phrase("training.make_a_job_folder_for"), icon="folder-plus", compact=True)
        self._build()
        self._connect()

    def focus_first(self) -> None:
        places = (self.tokens.text, self.again_button, self.job_button)
        first = next((one for one in places if one.isVisibleTo(self)), self.job_button)
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def begin(self) -> None:
        if not self._is_checked and not self._work.is_busy:
            self._check()

    def shows_failure(self) -> bool:
        return not self.progress.isHidden()

    def primary_action(self) -> PrimaryAction | None:
        draft = self._work.draft
        if not self._is_checked:
            return PrimaryAction(phrase("training.check_these_settings"), self._check)
        can_act = self._work.start_refusal is None
        start = PrimaryAction(phrase("training.start_training"), self._start_training, can_act)
        return start if draft.is_complete("check") else None

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        make_column(
            self.banner,
            self.obstacle,
            self.progress,
            make_row((self._mark, 0, Qt.AlignmentFlag.AlignTop), (self.verdict, 1), spacing_px=10),
            self.about,
            self.findings,
            self.forecast,
            self.tokens,
            self.no_tokens,
            FlowBox(self.again_button, self.job_button),
            Stretch(),
            into=self,
            margins_px=(MARGIN_PX, 20, MARGIN_PX, 20),
            spacing_px=16,
        )

    def _connect(self) -> None:
        work = self._work
        work.began.connect(self._on_began)
        work.progressed.connect(self._on_progressed)
        work.ended.connect(self._on_ended)
        work.failed.connect(self._on_failed)
        self.progress.cancelled.connect(work.cancel)
        self.obstacle.action_requested.connect(lambda _key: self._pause_and_start())
        self.forecast.changes_button.clicked.connect(self._take_changes)
        self.forecast.trial_button.clicked.connect(lambda: self._check(measures=True))
        self.again_button.clicked.connect(lambda: self._check())
        self.job_button.clicked.connect(
            lambda: ExportJobDialog(self._theme, self._work, self.window(), self._pickers).open()
        )

    # ------------------------------------------------------------------- showing

    @property
    def _is_checked(self) -> bool:
        return not any(problem.code == "not_checked" for problem in self._work.draft.problems("check"))

    @property
    def _can_try(self) -> bool:
        """Return whether a trial run would get as far as its steps."""
        found = self._work.draft.forecast
        is_refused = found is not None and any(one.level == training_texts.BLOCK for one in found.findings)
        return self._work.draft.has_environment and not is_refused

    def show_draft(self) -> None:
        self._show_obstacle()
        draft, is_checked = self._work.draft, self._is_checked
        plan = self._work.plan if is_checked else None
        found = plan.previews if plan is not None else ()
        for widget in (self.findings, self.forecast, self.again_button):
            widget.setVisible(is_checked)
        for shown in (self._mark, self.verdict):  # the progress says that the check runs
            shown.setVisible(is_checked or not self._work.is_busy)
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
        again, unknown = phrase("training.check_again_to_see_examples"), phrase("training.examples_of_which_words_are")
        self.no_tokens.setText(again if forecast.is_exact else unknown)
        self._show_verdict()

    def _show_unchecked(self) -> None:
        self._mark.show_icon("info", "text2")
        self.verdict.setText(phrase("training.draft_problem.not_checked"))
        whole, rough = (
            phrase("training.checks_the_data_and_settings"),
            phrase("training.without_a_training_environment_only"),
        )
        self.about.setText(whole if self._work.draft.has_environment else rough)

    def _show_verdict(self) -> None:
        found = self._work.draft.problems("check")
        blocking = sum(problem.is_blocking for problem in found)
        if blocking:
            self._mark.show_icon("circle-x", "danger")
            self.verdict.setText(phrase("training.cannot_start_like_this_n", n=blocking))
        elif self._work.start_refusal is not None:
            self._mark.show_icon("info", "text2")
            self.verdict.setText(phrase("training.checked_but_the_memory_is_taken"))
        elif warnings := sum(line.level == training_texts.WARN for line in self.findings.lines):
            self._mark.show_icon("triangle-alert", "warning")
            self.verdict.setText(phrase("training.ready_to_start_with_n", n=warnings))
        else:
            self._mark.show_icon("circle-check", "success")
            self.verdict.setText(phrase("training.ready_to_start"))

    # --------------------------------------------------------------------- slots

    def _check(self, *, measures: bool = False) -> None:
        self.banner.hide()
        self._work.check(measures=measures)

    def _start_training(self) -> None:
        self.banner.hide()
        self._work.begin()

    def _pause_and_start(self) -> None:
        self._starts_when_free = True
        self._pause_study()
        self._show_obstacle()

    def _show_obstacle(self) -> None:
        """Show why the training cannot start now, or start it once an evaluation is paused for it."""
        refusal, can_start = self._work.start_refusal, self._work.draft.is_complete("check")
        self.obstacle.show_refusal(
            refusal if can_start else None,
            phrase("training.pause_the_evaluation_and_start"),
            is_pausing=self._starts_when_free,
        )
        if refusal is None and self._starts_when_free:
            self._starts_when_free = False
            if can_start and not self._work.is_busy:
                QTimer.singleShot(0, self, self._start_training)

    def _take_changes(self) -> None:
        """Apply the proposed settings and check the draft again."""
        forecast = self._work.draft.forecast
        assert forecast is not None
        try:
            self._work.choose(**dict(forecast.changes))
        except AppError as error:
            self.banner.show_error(error)
        else:
            self._check()

    def _on_began(self, what: str) -> None:
        if what in ("checking", "beginning"):
            self._began_at, self._phase = time.monotonic(), ""
            self.progress.start(phrase(f"training.check_work.{what}"))
        self.show_draft()

    def _on_progressed(self, _done: int, _total: int) -> None:
        """Show the trainer's current phase, if the work has phases."""
        phase = self._work.phase
        if self.progress.isHidden() or phase is None:
            return
        if phase.name != self._phase:  # each phase has its own progress
            self._phase = phase.name
            self.progress.start(wording.phrase(f"training.run_phase.{phase.name}"), time.monotonic() - self._began_at)
        self.progress.set_progress(phase.done, phase.total, is_bytes=True)

    def _on_ended(self) -> None:
        was_shown = not self.progress.isHidden()
        self.progress.finish()
        self.show_draft()
        if was_shown and self.isVisible():
            announce(self, self.verdict.text())

    def _on_failed(self, error: AppError) -> None:
        """Show why a check or a start failed. Other failures of the draft are shown where the user began them."""
        if self.progress.isHidden():
            return
        sentence = describe_error(error)
        following = sentence.next
        if error.code.startswith("run_"):  # the usual advice is for a run that can be resumed
            following = phrase("training.look_over_the_data_and")
        self.banner.show_message("danger", sentence.message, following)


class FindingsView(QWidget):
    """Shows the findings, one per line: icon, topic, sentence, and a button to fix the problem."""

    def __init__(self, theme: Theme, show_step: Callable[[str], None]) -> None:
        super().__init__()
        self._theme = theme
        self._show_step = show_step
        self.lines: list[CheckLine] = []
        self.rows: list[FindingRow] = []
        self._column = make_column(into=self, spacing_px=10)

    def show_lines(self, lines: Sequence[CheckLine]) -> None:
        if list(lines) == self.lines:
            return
        self.lines = list(lines)
        self.rows = [FindingRow(self._theme, line) for line in lines]
        refill(self._column, self.rows)
        for row in self.rows:
            row.button.clicked.connect(lambda _=False, step=row.line.step: self._show_step(step))


class FindingRow(QWidget):
    def __init__(self, theme: Theme, line: CheckLine) -> None:
        super().__init__()
        self._theme = theme
        self.line = line
        self._topic = Label(line.topic, strong=True)
        self.text = Label(line.text, tone="text2" if line.level == NOTE else "text", wraps=True, shrinks=True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.text.setAccessibleName(f"{training_texts.check_level_name(line.level)} {line.topic} {line.text}")
        self.button = Button(theme, training_texts.fix_button_text(line.step) if line.step else "", compact=True)
        self.button.setVisible(bool(line.step))
        self._build()
        theme.changed.connect(self._resize)
        self._resize()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_stacked = self.width() < self._theme.px(STACKED_BELOW_PX)
        set_direction(self._words, is_row=not is_stacked)
        self._words.setSpacing(2 if is_stacked else 12)
        self._words.setAlignment(self.button, Qt.AlignmentFlag.AlignLeft if is_stacked else Qt.AlignmentFlag.AlignTop)

    def _build(self) -> None:
        top = Qt.AlignmentFlag.AlignTop
        icon, tone = _MARKS[self.line.level]
        mark = IconLabel(self._theme, icon, tone)
        mark.setToolTip(training_texts.check_level_name(self.line.level))
        mark.setContentsMargins(0, MARK_DOWN_PX, 0, 0)
        self._words = make_row((self._topic, 0, top), (self.text, 1), (self.button, 0, top))
        make_row((mark, 0, top), (self._words, 1), into=self, spacing_px=10)

    def _resize(self) -> None:
        self._topic.setMinimumWidth(self._theme.px(TOPIC_PX))


STEPS = 1000  # range of the bar
BUSY_SHARE = 0.75  # of the cores that other programs use, from which on an estimate may be far too low
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

    def show_forecast(self, forecast: TrainingForecast, *, can_try: bool, is_converted: bool, is_busy: bool) -> None:
        """Show a forecast. `can_try`: a trial run would work. `is_converted`: the base needs no conversion first."""
        name = settings_form.memory_name(forecast.device)
        self.headline.setText(self._headline(forecast, name))
        is_loaded = min(psutil.getloadavg()[:2]) > BUSY_SHARE * (psutil.cpu_count() or 1)
        is_off = is_loaded and not forecast.is_measured and forecast.device != "cuda"
        loaded = phrase("training.other_programs_are_busy") if is_off else ""
        self.source.setText(localization.join_sentences(self._source(forecast), loaded))
        self.memory.show_share(
            name, forecast.memory_bytes, forecast.allowed_bytes, phrase("training.need_needed_free_available")
        )
        self.disk.show_share(
            phrase("training.disk"),
            forecast.disk_bytes,
            forecast.free_disk_bytes,
            phrase("training.need_needed_free_free"),
        )
        self._show_advice(forecast)
        fits = self.memory.fits and self.disk.fits
        for widget in (self.trial_button, self.trial_words):
            widget.setVisible(can_try and fits and not forecast.is_measured)
        for button in (self.trial_button, self.changes_button):
            button.setEnabled(not is_busy)
        direct, after = phrase("training.computes_just_3_steps_to"), phrase("training.converts_the_base_for_training")
        self.trial_words.setText(direct if is_converted else after)

    # ------------------------------------------------------------- private methods

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

    def _headline(self, forecast: TrainingForecast, name: str) -> str:
        duration = localization.format_about_time(forecast.seconds)
        if forecast.whole_s:
            whole = localization.format_about_time(forecast.whole_s)
            duration = phrase("training.time_and_verdict", time=duration, whole=whole)
        key = "training.after_a_3_step_trial" if forecast.is_measured else "training.estimate_time_memory_size"
        return phrase(key, time=duration, memory=name, size=localization.format_gigabytes(forecast.memory_bytes))

    def _source(self, forecast: TrainingForecast) -> str:
        if forecast.is_measured:
            return phrase("training.measured_with_the_longest_examples")
        if forecast.is_exact:
            return phrase("training.computed_from_the_number_of")
        return phrase("training.rough_the_number_of_tokens")

    def _show_advice(self, forecast: TrainingForecast) -> None:
        text = ""
        if not self.memory.fits and forecast.changes:
            made = settings_form.settings_summary(dict(forecast.changes))
            text = phrase("training.not_enough_memory_it_fits", changes=made)
        elif not self.memory.fits:
            text = phrase("training.not_enough_memory_and_no")
        elif not self.disk.fits:
            text = phrase("training.not_enough_free_disk_space")
        self.advice.setText(f"▲ {text}")
        self.advice.setVisible(bool(text))
        self.changes_button.setVisible(not self.memory.fits and bool(forecast.changes))


class ResourceMeter(QWidget):
    """A meter that compares a needed amount with the available one: an icon, a bar and both numbers."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._mark = IconLabel(theme, "circle-check", "success")
        self._name = Label(strong=True)
        self.words = Label(tone="text2", wraps=True, shrinks=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, STEPS)
        self._bar.setTextVisible(False)
        self._bar.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._bar.setMaximumWidth(theme.px(BAR_PX))
        self.fits = True
        head = make_row(self._mark, self._name, (self.words, 1), spacing_px=8)
        make_column(head, self._bar, into=self, margins_px=(0, 2, 0, 2), spacing_px=4)

    def show_share(self, name: str, needed_bytes: int, available: int, text: str) -> None:
        """Show the amounts, given in bytes. `text`: a template with {need} and {free}."""
        self.fits = needed_bytes <= available
        self._mark.show_icon(*(("circle-check", "success") if self.fits else ("circle-x", "danger")))
        self._name.setText(name)
        self.words.setText(
            text.format(need=localization.format_gigabytes(needed_bytes), free=localization.format_gigabytes(available))
        )
        self.words.set_tone("text2" if self.fits else "danger")
        self._bar.setValue(min(STEPS, round(STEPS * needed_bytes / max(available, 1))))
        self._bar.setProperty("level", "" if self.fits else "low")
        repolish(self._bar)
        self._bar.setAccessibleName(name)
        self._bar.setAccessibleDescription(self.words.text())
