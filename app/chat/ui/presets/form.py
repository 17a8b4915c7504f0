"""The settings of one level, each with what holds when it is left alone."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.wording import phrase
from app.chat.presets import LIMITS, Choices
from app.chat.ui.presets import words
from app.uikit.theme import Theme
from app.uikit.widgets.fields import AutoSpin, PromptField
from app.uikit.widgets.form_rows import SettingRow

# What a level leaves alone is said to be: as the model's card has it, as the conversation has it, as the preset has it.
CARD, CONVERSATION, PRESET = "card", "conversation", "preset"


class ChoicesForm(QWidget):
    """A number that was not touched stays exactly as it was, however its field rounds it."""

    changed = Signal()

    def __init__(self, theme: Theme, below: str, *, shows_details: bool) -> None:
        """`below`: CARD, CONVERSATION or PRESET. A conversation's prompt is no matter of an action's."""
        super().__init__()
        self._theme = theme
        self._level = below
        self._shows_details = shows_details
        self._below = Choices()
        self._numbers: dict[str, float | None] = {}
        self.prompt = PromptField(theme, self._prompt_words())
        self.spins = {number.key: self._spin(number) for number in words.NUMBERS}
        self.rows: dict[str, SettingRow] = {}
        self._build()
        self.prompt.changed.connect(self._on_changed)

    def show_choices(self, choices: Choices, below: Choices) -> None:
        """`below`: what holds where `choices` are silent."""
        self._below = below
        self._numbers = {number.key: getattr(choices, number.key) for number in words.NUMBERS}
        self.prompt.show_below(below.system_prompt or "")
        self.prompt.show_prompt(choices.system_prompt)
        for number in words.NUMBERS:
            spin, value = self.spins[number.key], self._numbers[number.key]
            auto = getattr(below, number.key)
            spin.show_auto(self._auto_words(auto), auto)
            spin.show_number(value)
            is_wanted = not number.is_detail or self._shows_details
            self.rows[number.key].setVisible(is_wanted or value is not None)  # nothing works unseen
        self._show_notes()

    def choices(self) -> Choices:
        for spin in self.spins.values():
            spin.interpretText()  # what is typed counts, also where the button took no focus
        return Choices(system_prompt=self.prompt.prompt(), **self._numbers)  # type: ignore[arg-type]  # ints are ints

    def problem(self) -> str:
        """Why this cannot be stored; "" when it can."""
        return self.prompt.problem()

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(20)
        controls: dict[str, QWidget] = {"system_prompt": self.prompt, **self.spins}
        for key, control in controls.items():
            is_wide = key == "system_prompt"
            row = SettingRow(self._theme, words.label(key), control, words.help_sentence(key), is_wide=is_wide)
            self.rows[key] = row
            column.addWidget(row)
        self.rows["system_prompt"].setVisible(self._level != CONVERSATION)

    def _spin(self, number: words.Number) -> AutoSpin:
        low, high = LIMITS[number.key]
        unit = words.unit(number.key)
        return AutoSpin(
            low, high, number.step, number.decimals, unit, lambda value: self._on_number_changed(number, value)
        )

    def _on_number_changed(self, number: words.Number, value: float | None) -> None:
        self._numbers[number.key] = int(value) if value is not None and number.decimals == 0 else value
        self._on_changed()

    def _on_changed(self) -> None:
        self._show_notes()
        self.changed.emit()

    def _show_notes(self) -> None:
        """In a conversation: what is otherwise than its preset."""
        if self._level != PRESET:
            return
        for number in words.NUMBERS:
            value, below = self._numbers.get(number.key), getattr(self._below, number.key)
            note = phrase("chat.for_this_conversation_only_the", value=words.shown(below))
            self.rows[number.key].show_note(note if value is not None and value != below else "")
        prompt = self.prompt.prompt()
        is_own = prompt is not None and prompt != (self._below.system_prompt or "")
        self.rows["system_prompt"].show_note(phrase("chat.for_this_conversation_only") if is_own else "")

    def _prompt_words(self) -> str:
        return (
            phrase("chat.use_the_presets_text")
            if self._level == PRESET
            else phrase("chat.use_what_the_model_recommends")
        )

    def _auto_words(self, number: float | None) -> str:
        shown = words.shown(number)
        if self._level == CONVERSATION:
            return phrase("chat.auto_as_the_conversation")
        if self._level == PRESET:
            return phrase("chat.as_the_preset_value", value=shown)
        return phrase("chat.auto_value", value=shown)
