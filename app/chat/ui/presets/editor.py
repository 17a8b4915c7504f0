"""The editor of one preset: of a conversation's, or of a quick action's."""

import dataclasses

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.base.wording import phrase
from app.chat.presets import NAME_MAX, Choices, Preset, in_force, is_name
from app.chat.services.presets import Presets
from app.chat.ui.presets import form
from app.chat.ui.presets.form import ChoicesForm
from app.models.catalogue import ModelCard
from app.uikit.editor_window import EditorWindow
from app.uikit.theme import Theme
from app.uikit.widgets import fields as prompt_field
from app.uikit.widgets.form_rows import SettingRow

REQUEST_HEIGHT_PX = 116


class PresetEditor(EditorWindow):
    saved = Signal(object)  # Preset

    def __init__(
        self,
        theme: Theme,
        presets: Presets,
        preset: Preset,
        card: ModelCard | None,
        *,
        shows_details: bool,
        parent: QWidget | None = None,
    ) -> None:
        """`preset` without an id is a new one. `card`: of the model whose recommendations are shown."""
        super().__init__(theme, parent)
        self._presets = presets
        self._preset = preset
        self._is_action = preset.kind == "action"
        self.name = QLineEdit(preset.name)
        self.name.setMaxLength(NAME_MAX)
        self.request = prompt_field.TextField(theme, "", REQUEST_HEIGHT_PX)
        self.request.setPlainText(preset.request)
        below = form.CONVERSATION if self._is_action else form.CARD
        self.form = ChoicesForm(theme, below, shows_details=shows_details and not self._is_action)
        self.form.show_choices(preset.choices, Choices() if self._is_action else in_force(card))
        self.set_words(*self._heading(), phrase("common.save"))
        self._fill()
        self.name.setFocus()
        self.name.selectAll()

    def save(self) -> str:
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
        """Title and sentence."""
        if self._preset.id:
            return phrase("chat.edit_name", name=self._preset.name), ""
        if self._is_action:
            return phrase("chat.new_quick_action"), phrase("chat.turns_what_you_often_ask")
        return phrase("chat.new_preset"), phrase("chat.keeps_instructions_and_settings_for")

    def _problem(self, name: str) -> str:
        others = [preset.name for preset in self._presets.all(self._preset.kind) if preset.id != self._preset.id]
        field: QWidget = self.name
        if not name:
            words = phrase("chat.enter_a_name")
        elif not is_name(name):
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
