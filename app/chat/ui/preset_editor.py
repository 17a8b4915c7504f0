"""Edit answer settings: those of a preset or quick action, and この会話だけの設定, those of the open conversation only.

Both use `ChoicesForm`, which shows for each undefined setting the value that applies instead. The texts explain each
number to people who have never heard of sampling.
"""

import dataclasses
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.base.wording import phrase
from app.chat.presets import LIMITS, NAME_MAX, Choices, Preset, in_force, is_preset_name
from app.chat.services.chat_session import ChatSession
from app.chat.services.preset_library import PresetLibrary
from app.models.catalogue import ModelCard
from app.uikit.dialogs import EditorWindow
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import fields as prompt_field
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column
from app.uikit.widgets.fields import AutoSpin, PromptField
from app.uikit.widgets.form_rows import Chooser, SettingRow
from app.uikit.widgets.labels import Label


@dataclass(frozen=True, slots=True)
class SamplingNumber:
    """A number of `Choices`: the step and decimals of its field, and whether only the detailed view (詳細) shows it."""

    key: str
    step: float
    decimals: int
    is_detail: bool = True


NUMBERS = (
    SamplingNumber("temperature", 0.1, 2, is_detail=False),
    SamplingNumber("max_tokens", 128, 0, is_detail=False),
    SamplingNumber("top_k", 10, 0),
    SamplingNumber("top_p", 0.05, 3),
    SamplingNumber("min_p", 0.01, 3),
    SamplingNumber("repeat_penalty", 0.05, 2),
    SamplingNumber("thought_tokens", 512, 0),
    SamplingNumber("seed", 1, 0),
)


def number_text(key: str, number: float | None) -> str:
    """Return a number as its field shows it; for None, what happens without one."""
    if number is None:
        return phrase("chat.new_each_time" if key == "seed" else "chat.as_the_model_does")
    return f"{round(number, 3):g}" if isinstance(number, float) else str(number)


def preset_summary(preset: Preset) -> str:
    """Return one line: the numbers that the preset defines, then the beginning of its instructions or request."""
    text = preset.request if preset.kind == "action" else (preset.choices.system_prompt or "")
    facts = [_fact(number.key, getattr(preset.choices, number.key)) for number in NUMBERS]
    if preset.choices.system_prompt == "":
        facts.insert(0, phrase("chat.no_instruction"))
    words = join_facts(*facts, " ".join(text.split()))
    return words or phrase("chat.everything_as_the_model_recommends")


def _fact(key: str, number: float | None) -> str:
    if number is None:
        return ""
    if key == "max_tokens":
        return phrase("chat.at_most_n_tokens", n=f"{number:,}")
    return f"{phrase(f'chat.setting.{key}')} {number_text(key, number)}"


# The level whose value applies to an undefined setting, and which the form therefore shows: the model card, the
# conversation, or the preset.
BELOW_CARD, BELOW_CONVERSATION, BELOW_PRESET = "card", "conversation", "preset"


class ChoicesForm(QWidget):
    """Edits the settings of one level. A number that is not edited keeps its exact value, though shown rounded."""

    changed = Signal()

    def __init__(self, theme: Theme, below: str, *, shows_details: bool) -> None:
        """Build the form. `below` is BELOW_CARD, BELOW_CONVERSATION or BELOW_PRESET. With BELOW_CONVERSATION, for a
        quick action, the form has no field for instructions."""
        super().__init__()
        self._theme = theme
        self._level = below
        self._shows_details = shows_details
        self._below = Choices()
        self._numbers: dict[str, float | None] = {}
        is_above_preset = below == BELOW_PRESET
        self.prompt = PromptField(
            theme, phrase("chat.use_the_presets_text" if is_above_preset else "chat.use_what_the_model_recommends")
        )
        self.spins = {number.key: self._spin(number) for number in NUMBERS}
        self.rows: dict[str, SettingRow] = {}
        self._build()
        self.prompt.changed.connect(self._on_changed)

    def show_choices(self, choices: Choices, below: Choices) -> None:
        """Show choices; `below` has the values that apply where a choice is None."""
        self._below = below
        self._numbers = {number.key: getattr(choices, number.key) for number in NUMBERS}
        self.prompt.show_below(below.system_prompt or "")
        self.prompt.show_prompt(choices.system_prompt)
        for number in NUMBERS:
            spin, value = self.spins[number.key], self._numbers[number.key]
            auto = getattr(below, number.key)
            spin.show_auto(self._default_number_text(number.key, auto), auto)
            spin.show_number(value)
            is_wanted = not number.is_detail or self._shows_details
            self.rows[number.key].setVisible(is_wanted or value is not None)  # a defined setting is always shown
        self._show_notes()

    def choices(self) -> Choices:
        for spin in self.spins.values():
            spin.interpretText()  # a click need not move the focus, so typed text may not be read yet
        return Choices(system_prompt=self.prompt.prompt(), **self._numbers)  # type: ignore[arg-type]  # ints are ints

    def problem(self) -> str:
        """Return why the settings cannot be stored; "" when they can."""
        return self.prompt.problem()

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        column = make_column(into=self, spacing_px=20)
        controls: dict[str, QWidget] = {"system_prompt": self.prompt, **self.spins}
        for key, control in controls.items():
            name, purpose = phrase(f"chat.setting.{key}"), phrase(f"chat.setting_help.{key}")
            self.rows[key] = SettingRow(self._theme, name, control, purpose, is_wide=key == "system_prompt")
            column.addWidget(self.rows[key])
        self.rows["system_prompt"].setVisible(self._level != BELOW_CONVERSATION)

    def _spin(self, number: SamplingNumber) -> AutoSpin:
        low, high = LIMITS[number.key]
        unit = phrase("common.tokens") if number.key in ("max_tokens", "thought_tokens") else ""
        return AutoSpin(
            low, high, number.step, number.decimals, unit, lambda value: self._on_number_changed(number, value)
        )

    def _on_number_changed(self, number: SamplingNumber, value: float | None) -> None:
        self._numbers[number.key] = int(value) if value is not None and number.decimals == 0 else value
        self._on_changed()

    def _on_changed(self) -> None:
        self._show_notes()
        self.changed.emit()

    def _show_notes(self) -> None:
        """Mark, in a conversation, the settings that differ from its preset."""
        if self._level != BELOW_PRESET:
            return
        for number in NUMBERS:
            value, below = self._numbers.get(number.key), getattr(self._below, number.key)
            note = phrase("chat.for_this_conversation_only_the", value=number_text(number.key, below))
            self.rows[number.key].show_note(note if value is not None and value != below else "")
        prompt = self.prompt.prompt()
        is_own = prompt is not None and prompt != (self._below.system_prompt or "")
        self.rows["system_prompt"].show_note(phrase("chat.for_this_conversation_only") if is_own else "")

    def _default_number_text(self, key: str, number: float | None) -> str:
        shown = number_text(key, number)
        if self._level == BELOW_CONVERSATION:
            return phrase("chat.auto_as_the_conversation")
        if self._level == BELOW_PRESET:
            return phrase("chat.as_the_preset_value", value=shown)
        return phrase("chat.auto_value", value=shown)


REQUEST_HEIGHT_PX = 116


class PresetEditor(EditorWindow):
    """The window that edits a preset or quick action."""

    saved = Signal(object)  # Preset

    def __init__(
        self,
        theme: Theme,
        presets: PresetLibrary,
        preset: Preset,
        card: ModelCard | None,
        *,
        shows_details: bool,
        parent: QWidget | None = None,
    ) -> None:
        """Build the window. A `preset` with the id "" is new. `card`: whose recommendations are shown, or None."""
        super().__init__(theme, parent)
        self._presets = presets
        self._preset = preset
        self._is_action = preset.kind == "action"
        self.name = QLineEdit(preset.name)
        self.name.setMaxLength(NAME_MAX)
        self.request = prompt_field.TextField(theme, "", REQUEST_HEIGHT_PX)
        self.request.setPlainText(preset.request)
        below = BELOW_CONVERSATION if self._is_action else BELOW_CARD
        self.form = ChoicesForm(theme, below, shows_details=shows_details and not self._is_action)
        self.form.show_choices(preset.choices, Choices() if self._is_action else in_force(card))
        self.set_words(*self._heading(), phrase("common.save"))
        self._fill()
        self.name.setFocus()
        self.name.selectAll()

    def save_or_explain(self) -> str:
        name = self.name.text().strip()
        problem = self._problem(name)
        if not problem:
            request = prompt_field.storable_text(self.request) if self._is_action else ""
            changed = dataclasses.replace(self._preset, name=name, choices=self.form.choices(), request=request)
            problem = "" if self._store(changed) else phrase("chat.it_could_not_be_saved")
        return problem

    def _fill(self) -> None:
        theme = self._theme
        self.column.addWidget(SettingRow(theme, phrase("common.name"), self.name))
        if self._is_action:
            words = phrase("chat.what_the_model_is_asked")
            self.column.addWidget(SettingRow(theme, phrase("chat.request"), self.request, words, is_wide=True))
        self.column.addWidget(self.form)
        self.column.addStretch(1)
        self.name.textChanged.connect(self.note_change)
        self.request.textChanged.connect(self.note_change)
        self.form.changed.connect(self.note_change)

    def _heading(self) -> tuple[str, str]:
        """Return the title of the window and the sentence below it."""
        if self._preset.id:
            return phrase("chat.edit_name", name=self._preset.name), ""
        if self._is_action:
            return phrase("chat.new_quick_action"), phrase("chat.turns_what_you_often_ask")
        return phrase("chat.new_preset"), phrase("chat.keeps_instructions_and_settings_for")

    def _problem(self, name: str) -> str:
        others = [
            preset.name for preset in self._presets.presets_of_kind(self._preset.kind) if preset.id != self._preset.id
        ]
        field: QWidget = self.name
        if not name:
            words = phrase("chat.enter_a_name")
        elif not is_preset_name(name):
            words = phrase("chat.the_name_contains_characters_that")
        elif name in others:
            words = phrase("chat.the_name_is_taken_choose")
        elif self._is_action:
            is_empty = not self.request.toPlainText().strip()
            words = phrase("chat.write_the_request") if is_empty else prompt_field.length_problem(self.request)
            field = self.request
        else:
            words, field = self.form.problem(), self.form.prompt
        if words:
            field.setFocus()
        return words

    def _store(self, preset: Preset) -> bool:
        if preset.id:
            stored = preset if self._presets.put(preset) else None
        else:
            stored = self._presets.add(preset.kind, preset.name, preset.choices, preset.request)
        if stored is not None:
            self.saved.emit(stored)
        return stored is not None


class ConversationSettings(EditorWindow):
    """Edits the settings of the open conversation. Accepted changes apply from the next answer on."""

    def __init__(
        self,
        theme: Theme,
        session: ChatSession,
        presets: PresetLibrary,
        card: ModelCard | None,
        *,
        shows_details: bool,
        parent: QWidget | None = None,
    ) -> None:
        """Build the window. `card` is that of the model whose recommendations are shown, or None."""
        super().__init__(theme, parent)
        self.set_words(
            phrase("chat.settings_of_this_conversation_2"),
            phrase("chat.applies_from_the_next_answer"),
            phrase("chat.use_in_this_conversation"),
        )
        self._session = session
        self._presets = presets
        self._card = card
        self._shows_details = shows_details
        self._preset = session.preset
        self.preset = Chooser([], self._on_preset_chosen)
        self.form = ChoicesForm(theme, BELOW_PRESET, shows_details=shows_details)
        self._row = SettingRow(
            self._theme, phrase("chat.preset"), self.preset, phrase("chat.the_settings_that_answers_start")
        )
        self.column.addWidget(self._row)
        self.column.addWidget(self._build_deviations())
        self.column.addWidget(self.form)
        self.column.addStretch(1)
        self._show_answer_settings(session.choices)
        self.form.changed.connect(self._on_changed)
        self.preset.setFocus()

    def save_or_explain(self) -> str:
        problem = self.form.problem()
        if problem:
            self.form.prompt.setFocus()
        elif not self._session.answer_by(self._preset.id, self.form.choices()):
            return phrase("chat.it_could_not_be_saved")
        return problem

    # ------------------------------------------------------------------- private

    def _build_deviations(self) -> QWidget:
        """Build the line of the differences from the preset, with buttons to revert or keep them as a preset."""
        self.deviations = Label(strong=True, wraps=True)
        self.revert_button = Button(self._theme, phrase("chat.back_to_the_preset"), icon="undo-2", compact=True)
        self.keep_button = Button(self._theme, phrase("chat.save_as_a_new_preset"), icon="plus", compact=True)
        self.revert_button.clicked.connect(self._on_revert_clicked)
        self.keep_button.clicked.connect(self._on_keep_clicked)
        self._deviation_box = QWidget()
        make_column(
            self.deviations, FlowBox(self.revert_button, self.keep_button), into=self._deviation_box, spacing_px=8
        )
        return self._deviation_box

    def _show_answer_settings(self, choices: Choices) -> None:
        self.preset.set_choices([(preset.name, preset.id) for preset in self._presets.presets_of_kind("chat")])
        self.preset.show_value(self._preset.id)
        self.form.show_choices(choices, in_force(self._card, self._preset.choices))
        self._show_deviations()

    def _show_deviations(self) -> None:
        names = phrase("common.data_gap").join(phrase(f"chat.setting.{key}") for key in self.form.choices().as_dict())
        self.deviations.setText(phrase("chat.differs_from_the_preset_names", names=names))
        self._deviation_box.setVisible(bool(names))

    def _on_preset_chosen(self, preset_id: str) -> None:
        """Change the preset, but keep the settings that differ from it."""
        choices = self.form.choices()
        self._preset = self._presets.chat_preset(preset_id)
        self._show_answer_settings(choices)
        self.note_change()

    def _on_changed(self) -> None:
        self._show_deviations()
        self.note_change()

    def _on_revert_clicked(self) -> None:
        self._show_answer_settings(Choices())
        self.note_change()
        self.preset.setFocus()  # the button that had the focus is hidden now

    def _on_keep_clicked(self) -> None:
        """Open an editor for a new preset with these settings; once saved, it becomes this conversation's preset."""
        name = self._presets.free_name("chat", self._preset.name)
        new = Preset("", "chat", name, self.form.choices().with_defaults(self._preset.choices))
        self.editor = PresetEditor(
            self._theme, self._presets, new, self._card, shows_details=self._shows_details, parent=self
        )
        self.editor.saved.connect(self._on_kept)
        self.editor.open()

    def _on_kept(self, preset: Preset) -> None:
        self._preset = preset
        self._show_answer_settings(Choices())
        self.note_change()
