"""What a training would take: time, memory and disk beside what there is, and what would make it fit."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.plan import Forecast
from app.training.ui.model import words
from app.uikit import localization
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import IconLabel, Label

STEPS = 1000  # of a bar
BAR_PX = 560  # at most


class ForecastBox(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self.headline = Label(role="heading3", wraps=True)
        self.source = Label(role="caption", tone="muted", wraps=True)
        self.memory = Meter(theme)
        self.disk = Meter(theme)
        self.advice = Label(tone="warning", wraps=True)
        self.changes_button = Button(theme, phrase("training.use_these_settings"), compact=True)
        self.trial_button = Button(theme, phrase("training.try_3_steps"), compact=True)
        self.trial_words = Label(role="caption", tone="muted", wraps=True)
        self._build()

    def show_forecast(self, found: Forecast, *, can_try: bool, is_converted: bool, is_busy: bool) -> None:
        """`can_try`: there is a trainer. `is_converted`: the base can be loaded as it is."""
        name = words.memory_name(found.device)
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
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(8)
        column.addWidget(self.headline)
        column.addWidget(self.source)
        column.addWidget(self.memory)
        column.addWidget(self.disk)
        column.addWidget(self.advice)
        column.addWidget(self.changes_button, 0, left)
        column.addWidget(self.trial_button, 0, left)
        column.addWidget(self.trial_words)

    def _headline(self, found: Forecast, name: str) -> str:
        text = phrase("training.estimate_time_memory_size")
        if found.is_measured:
            text = phrase("training.after_a_3_step_trial")
        size = localization.format_gigabytes(found.memory_bytes)
        return text.format(time=localization.format_about_time(found.seconds), memory=name, size=size)

    def _source(self, found: Forecast) -> str:
        if found.is_measured:
            return phrase("training.measured_with_the_longest_examples")
        if found.is_exact:
            return phrase("training.computed_from_the_number_of")
        return phrase("training.rough_the_number_of_tokens")

    def _show_advice(self, found: Forecast) -> None:
        text = ""
        if not self.memory.fits and found.changes:
            made = words.changes(dict(found.changes))
            text = phrase("training.not_enough_memory_it_fits", changes=made)
        elif not self.memory.fits:
            text = phrase("training.not_enough_memory_and_no")
        elif not self.disk.fits:
            text = phrase("training.not_enough_free_disk_space")
        self.advice.setText(f"▲ {text}")
        self.advice.setVisible(bool(text))
        self.changes_button.setVisible(not self.memory.fits and bool(found.changes))


class Meter(QWidget):
    """What is needed beside what there is: a mark, a bar and both numbers."""

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
        head = QHBoxLayout()
        head.setSpacing(8)
        for widget in (self._mark, self._name):
            head.addWidget(widget)
        head.addWidget(self.words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 2)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._bar)

    def show_share(self, name: str, needed: int, there: int, words_of: str) -> None:
        """`words_of`: with {need} and {free}."""
        self.fits = needed <= there
        self._mark.show_icon(*(("circle-check", "success") if self.fits else ("circle-x", "danger")))
        self._name.setText(name)
        self.words.setText(
            words_of.format(need=localization.format_gigabytes(needed), free=localization.format_gigabytes(there))
        )
        self.words.set_tone("text2" if self.fits else "danger")
        self._bar.setValue(min(STEPS, round(STEPS * needed / max(there, 1))))
        self._bar.setProperty("level", "" if self.fits else "low")
        self._bar.style().unpolish(self._bar)
        self._bar.style().polish(self._bar)
        self._bar.setAccessibleName(name)
        self._bar.setAccessibleDescription(self.words.text())
