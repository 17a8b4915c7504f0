"""The settings of a training one by one, folded: a term, a control, one sentence, and what the preset would take."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.ui.model import words
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.fields import AutoSpin, TextField, replace_text, storable_text
from app.uikit.widgets.form_rows import CONTROL_WIDTH_PX, Chooser, SettingRow
from app.uikit.widgets.labels import Label
from trainer import spec

SAMPLES_HEIGHT_PX = 92
STACKED_BELOW_PX = 620  # the term stands above its control
NARROW_BELOW_PX = 470  # so does the control above the way back

_LIMITS = spec.WHOLE | spec.REAL
_MIDDLE = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_START = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft


class ExpertForm(QWidget):
    chosen = Signal(str, object)  # a setting and its value; None: as the preset has it

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.numbers = {number.key: self._spin(number) for number in words.NUMBERS}
        self.choices = {key: self._chooser(key) for key in words.CHOICES}
        self.samples = SamplesField(theme)
        self.samples.left.connect(self._on_samples_left)
        controls: dict[str, QWidget] = {**self.numbers, **self.choices, "samples": self.samples}
        self.fields = {key: Field(theme, controls[key]) for key in words.ORDER}
        self.rows = {key: self._row(key) for key in words.ORDER}
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
        """`left`: what each setting is where it is left to the preset; {}: not known yet. `fixed`: what the adapter
        that is trained further decides.

        `problem`: a setting, and what is wrong with it; ("", "").
        """
        self._settings, left = settings, {**left, **fixed}
        for key, field in self.fields.items():
            default = words.value(key, left[key]) if left.get(key) not in (None, ()) else ""
            field.show_default(default, is_changed=key in settings)
            field.set_fixed(is_fixed=key in fixed)
            note = phrase("training.that_of_the_adapter_that") if key in fixed else ""
            self.rows[key].show_note(f"▲ {problem[1]}" if problem[0] == key else note)
            self._show_value(key, settings.get(key), default, left.get(key))
        rest = {key: value for key, value in settings.items() if key not in self.fields}
        for widget in (self._others_line, self.others):
            widget.setVisible(bool(rest))
        self._others_line.setText(phrase("training.other_settings_settings", settings=words.changes(rest)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for key, row in self.rows.items():
            row.set_stacked(self.width() < self._theme.px(STACKED_BELOW_PX))
            self.fields[key].set_narrow(self.width() < self._theme.px(NARROW_BELOW_PX))

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(18)
        for key, row in self.rows.items():
            column.addWidget(row)
            self.fields[key].reset_requested.connect(lambda key=key: self.chosen.emit(key, None))
        column.addWidget(self._others_line)
        column.addWidget(self.others, 0, Qt.AlignmentFlag.AlignLeft)
        self.others.clicked.connect(self._reset_others)

    def _row(self, key: str) -> SettingRow:
        return SettingRow(self._theme, words.term(key), self.fields[key], words.sentence(key), is_wide=True)

    def _spin(self, number: words.Number) -> AutoSpin:
        low, high = _LIMITS[number.key]
        return AutoSpin(
            low, high, number.step, number.decimals, words.unit(number.key),
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
            named = [(words.value(key, one), one) for one in words.CHOICES[key]]
            self.choices[key].set_choices([(auto, None), *named])
            self.choices[key].show_value(value)
        else:
            self.samples.show_questions(value or ())

    def _on_number(self, number: words.Number, value: float | None) -> None:
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


class Field(QWidget):
    """A control, and beside it the way back to the preset's value while it has another."""

    reset_requested = Signal()

    def __init__(self, theme: Theme, control: QWidget) -> None:
        super().__init__()
        self._theme = theme
        self._control = control
        self._name = ""
        self.reset_button = Button(theme, phrase("training.reset"), "link")
        self.reset_button.hide()
        self.setFocusProxy(control)
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(12)
        is_text = isinstance(control, TextField)
        self._box.addWidget(control, 1 if is_text else 0, Qt.AlignmentFlag(0) if is_text else _START)
        self._box.addWidget(self.reset_button, 0, _START if is_text else _MIDDLE)
        self._box.addStretch(0 if is_text else 1)
        self.reset_button.clicked.connect(self._reset)
        theme.changed.connect(self._resize)
        self._resize()

    def show_default(self, default: str, *, is_changed: bool) -> None:
        """`default`: the preset's value in words; "": not known."""
        words_of = phrase("training.reset_to_value", value=default) if default else phrase("training.reset")
        self.reset_button.setText(words_of)
        self.reset_button.setAccessibleName(f"{self._name} {words_of}")
        self.reset_button.setVisible(is_changed)

    def set_fixed(self, *, is_fixed: bool) -> None:
        self._control.setEnabled(not is_fixed)

    def set_narrow(self, is_narrow: bool) -> None:
        directions = QBoxLayout.Direction
        self._box.setDirection(directions.TopToBottom if is_narrow else directions.LeftToRight)
        self._box.setSpacing(4 if is_narrow else 12)

    def setAccessibleName(self, name: str) -> None:
        super().setAccessibleName(name)
        self._name = name
        self._control.setAccessibleName(name)

    def setAccessibleDescription(self, description: str) -> None:
        super().setAccessibleDescription(description)
        self._control.setAccessibleDescription(description)

    def _reset(self) -> None:
        """The button hides with it: the keyboard stays at the field."""
        self._control.setFocus(Qt.FocusReason.OtherFocusReason)
        self.reset_requested.emit()

    def _resize(self) -> None:
        self._control.setMinimumWidth(self._theme.px(CONTROL_WIDTH_PX))


class SamplesField(TextField):
    """Questions, one a line."""

    left = Signal()  # by the keyboard or with the page: what is written may be another now

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
