"""Show the settings of a training one by one: a name, a control, a sentence, and the preset's value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.training import training_errors
from app.training.ui import training_texts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import LayoutItem, Stretch, make_column, make_row, set_direction
from app.uikit.widgets.fields import AutoSpin, TextField, replace_text, storable_text
from app.uikit.widgets.form_rows import CONTROL_WIDTH_PX, Chooser, SettingRow
from app.uikit.widgets.labels import Label
from trainer import spec


@dataclass(frozen=True, slots=True)
class SettingNumber:
    """The step and decimals of a number field of `trainer.spec.RunSpec`; its limits are those of the spec."""

    key: str
    step: float
    decimals: int = 0


NUMBER_SETTINGS = (
    SettingNumber("rank", 8), SettingNumber("alpha", 8), SettingNumber("dropout", 0.05, 2),
    SettingNumber("learning_rate", 0.00005, 6),
    SettingNumber("epochs", 0.5, 2), SettingNumber("micro_batch", 1), SettingNumber("accumulation", 1),
    SettingNumber("context_tokens", 128),
    SettingNumber("evaluations_per_epoch", 1), SettingNumber("patience", 1), SettingNumber("seed", 1),
)  # fmt: skip
SETTING_CHOICES: dict[str, tuple[Any, ...]] = {
    "over_length": spec.OVER_LENGTH,
    "loss": spec.LOSSES,
    "precision": spec.PRECISIONS,
    "gradient_checkpointing": (True, False),
}
SETTING_ORDER = (
    "rank", "alpha", "dropout", "learning_rate", "epochs", "micro_batch", "accumulation", "context_tokens",
    "over_length", "loss", "precision", "gradient_checkpointing", "evaluations_per_epoch", "patience", "seed",
    "samples",
)  # fmt: skip


def setting_unit(key: str) -> str:
    """Return the unit to write after a number, with its leading space; "" if there is none."""
    return {
        "epochs": phrase("training.epochs"),
        "micro_batch": phrase("training.examples"),
        "accumulation": phrase("training.times"),
        "context_tokens": phrase("common.tokens"),
        "evaluations_per_epoch": phrase("training.times"),
        "patience": phrase("training.times"),
    }.get(key, "")


def setting_value(key: str, value: Any) -> str:
    """Return the displayed text of a setting's value, with its unit."""
    if isinstance(value, bool):
        return phrase("common.yes") if value else phrase("common.no")
    if isinstance(value, int | float):
        return f"{training_errors.number_text(value)}{setting_unit(key)}"
    if value in SETTING_CHOICES.get(key, ()):
        return training_texts.capitalized(phrase(f"common.setting.{key}_{value}"))
    return str(value)


def settings_summary(settings: dict[str, Any]) -> str:
    """Return all settings with their values on one line."""
    return phrase("common.data_gap").join(
        phrase("common.name_value", name=training_texts.setting_label(key), value=setting_value(key, value))
        for key, value in settings.items()
    )


def memory_name(device: str) -> str:
    """Return the displayed name of the device's memory. `device`: "cuda" | "cpu"; "" if it is unknown."""
    return phrase("training.gpu_memory") if device == "cuda" else phrase("common.memory")


SAMPLES_HEIGHT_PX = 92
STACKED_BELOW_PX = 620  # below this width, the name is above its control
NARROW_BELOW_PX = 470  # below this width, the reset button is below its control

_LIMITS = spec.WHOLE | spec.REAL
_MIDDLE = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_START = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft


class TrainingSettingsForm(QWidget):
    chosen = Signal(str, object)  # a setting and its value; None: the preset's value

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.numbers = {number.key: self._spin(number) for number in NUMBER_SETTINGS}
        self.choices = {key: self._chooser(key) for key in SETTING_CHOICES}
        self.samples = SampleQuestionsField(theme)
        self.samples.left.connect(self._on_samples_left)
        controls: dict[str, QWidget] = {**self.numbers, **self.choices, "samples": self.samples}
        self.fields = {key: SettingField(theme, controls[key]) for key in SETTING_ORDER}
        self.rows = {key: self._row(key) for key in SETTING_ORDER}
        self.others = Button(theme, phrase("training.reset_the_other_settings"), "link")
        self._others_line = Label(tone="text2", wraps=True)
        self._settings: Mapping[str, Any] = {}
        self._build()

    def show_settings(
        self,
        settings: Mapping[str, Any],
        left: Mapping[str, Any],
        problem: tuple[str, str],
        fixed: Mapping[str, Any],
    ) -> None:
        """Show the chosen settings.

        `left`: the value of each setting if the preset decides it; {} while unknown. `problem`: a setting and its
        error; ("", "") if there is none. `fixed`: values that the adapter to be trained further determines.
        """
        self._settings, left = settings, {**left, **fixed}
        for key, field in self.fields.items():
            default = setting_value(key, left[key]) if left.get(key) not in (None, ()) else ""
            field.show_default(default, is_changed=key in settings, is_fixed=key in fixed)
            note = phrase("training.that_of_the_adapter_that") if key in fixed else ""
            self.rows[key].show_note(f"▲ {problem[1]}" if problem[0] == key else note)
            self._show_value(key, settings.get(key), default, left.get(key))
        rest = {key: value for key, value in settings.items() if key not in self.fields}
        for widget in (self._others_line, self.others):
            widget.setVisible(bool(rest))
        self._others_line.setText(phrase("training.other_settings_settings", settings=settings_summary(rest)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for key, row in self.rows.items():
            row.set_stacked(self.width() < self._theme.px(STACKED_BELOW_PX))
            self.fields[key].set_narrow(self.width() < self._theme.px(NARROW_BELOW_PX))

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        others = (self.others, 0, Qt.AlignmentFlag.AlignLeft)
        make_column(*self.rows.values(), self._others_line, others, into=self, margins_px=(0, 4, 0, 0), spacing_px=18)
        for key, field in self.fields.items():
            field.reset_requested.connect(lambda key=key: self.chosen.emit(key, None))
        self.others.clicked.connect(self._reset_others)

    def _row(self, key: str) -> SettingRow:
        about = phrase(f"training.setting_description.{key}")
        return SettingRow(self._theme, training_texts.setting_label(key), self.fields[key], about, is_wide=True)

    def _spin(self, number: SettingNumber) -> AutoSpin:
        low, high = _LIMITS[number.key]
        return AutoSpin(
            low, high, number.step, number.decimals, setting_unit(number.key),
            lambda value: self._on_number(number, value),
        )  # fmt: skip

    def _chooser(self, key: str) -> Chooser:
        return Chooser([("", None)], lambda value: self.chosen.emit(key, value))

    def _show_value(self, key: str, value: Any, default: str, left: Any) -> None:
        auto = phrase("training.default_value", value=default) if default else phrase("training.default")
        if key in self.numbers:
            self.numbers[key].show_auto(auto, left)
            self.numbers[key].show_number(value)
        elif key in self.choices:
            named = [(setting_value(key, one), one) for one in SETTING_CHOICES[key]]
            self.choices[key].set_choices([(auto, None), *named])
            self.choices[key].show_value(value)
        else:
            self.samples.show_questions(value or ())

    def _on_number(self, number: SettingNumber, value: float | None) -> None:
        whole = int(value) if value is not None and number.key in spec.WHOLE else value
        if whole != self._settings.get(number.key):
            self.chosen.emit(number.key, whole)

    def _on_samples_left(self) -> None:
        questions = self.samples.questions() or None
        if questions != self._settings.get("samples"):
            self.chosen.emit("samples", questions)

    def _reset_others(self) -> None:
        for key in [key for key in self._settings if key not in self.fields]:
            self.chosen.emit(key, None)


class SettingField(QWidget):
    """A control with a button that resets it to the preset's value; the button is shown while the value differs."""

    reset_requested = Signal()

    def __init__(self, theme: Theme, control: QWidget) -> None:
        super().__init__()
        self._theme = theme
        self._control = control
        self._name = ""
        self.reset_button = Button(theme, phrase("training.reset"), "link")
        self.reset_button.hide()
        self.setFocusProxy(control)
        if isinstance(control, TextField):
            items: tuple[LayoutItem, ...] = ((control, 1), (self.reset_button, 0, _START), Stretch(0))
        else:
            items = ((control, 0, _START), (self.reset_button, 0, _MIDDLE), Stretch())
        self._box = make_row(*items, into=self, spacing_px=12)
        self.reset_button.clicked.connect(self._reset)
        theme.changed.connect(self._resize)
        self._resize()

    def show_default(self, default: str, *, is_changed: bool, is_fixed: bool) -> None:
        """Show the preset's value in the reset button; "" if it is unknown. `is_fixed`: the user cannot change it."""
        self._control.setEnabled(not is_fixed)
        label = phrase("training.reset_to_value", value=default) if default else phrase("training.reset")
        self.reset_button.setText(label)
        self.reset_button.setAccessibleName(f"{self._name} {label}")
        self.reset_button.setVisible(is_changed)

    def set_narrow(self, is_narrow: bool) -> None:
        set_direction(self._box, is_row=not is_narrow)
        self._box.setSpacing(4 if is_narrow else 12)

    def setAccessibleName(self, name: str) -> None:
        super().setAccessibleName(name)
        self._name = name
        self._control.setAccessibleName(name)

    def setAccessibleDescription(self, description: str) -> None:
        super().setAccessibleDescription(description)
        self._control.setAccessibleDescription(description)

    def _reset(self) -> None:
        """Reset the value and move the focus to the control, because the button will be hidden."""
        self._control.setFocus(Qt.FocusReason.OtherFocusReason)
        self.reset_requested.emit()

    def _resize(self) -> None:
        self._control.setMinimumWidth(self._theme.px(CONTROL_WIDTH_PX))


class SampleQuestionsField(TextField):
    """A text field with one question per line."""

    left = Signal()  # the field lost the focus or was hidden; its text may have changed

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "", SAMPLES_HEIGHT_PX)

    def questions(self) -> tuple[str, ...]:
        return tuple(line.strip() for line in storable_text(self).splitlines() if line.strip())

    def show_questions(self, questions: tuple[str, ...]) -> None:
        if tuple(questions) != self.questions():
            replace_text(self, "\n".join(questions))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.left.emit()
