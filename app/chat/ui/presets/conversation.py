"""この会話だけの設定: the preset of the open conversation, and what it has otherwise."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.wording import phrase
from app.chat.presets import Choices, Preset, in_force
from app.chat.services.chat import ChatSession
from app.chat.services.presets import Presets
from app.chat.ui.presets import form, words
from app.chat.ui.presets.editor import PresetEditor
from app.chat.ui.presets.form import ChoicesForm
from app.models.catalogue import ModelCard
from app.uikit.editor_window import EditorWindow
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.form_rows import Chooser, SettingRow
from app.uikit.widgets.labels import Label


class ConversationSettings(EditorWindow):
    """Changes take effect with the next answer, when they are accepted."""

    def __init__(
        self,
        theme: Theme,
        session: ChatSession,
        presets: Presets,
        card: ModelCard | None,
        *,
        shows_details: bool,
        parent: QWidget | None = None,
    ) -> None:
        """`card`: of the model whose recommendations are shown."""
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
        self.form = ChoicesForm(theme, form.PRESET, shows_details=shows_details)
        self._fill()
        self._show(session.choices)
        self.form.changed.connect(self._on_changed)
        self.preset.setFocus()

    def save(self) -> str:
        problem = self.form.problem()
        if problem:
            self.form.prompt.setFocus()
        elif not self._session.answer_by(self._preset.id, self.form.choices()):
            return phrase("chat.it_could_not_be_saved")
        return problem

    # ------------------------------------------------------------------- private

    def _fill(self) -> None:
        self._row = SettingRow(
            self._theme, phrase("chat.preset"), self.preset, phrase("chat.the_settings_that_answers_start")
        )
        self.column.addWidget(self._row)
        self.column.addWidget(self._build_deviations())
        self.column.addWidget(self.form)
        self.column.addStretch(1)

    def _build_deviations(self) -> QWidget:
        """What is otherwise than the preset, and what can be done about it."""
        self.deviations = Label(strong=True, wraps=True)
        self.revert_button = Button(self._theme, phrase("chat.back_to_the_preset"), icon="undo-2", compact=True)
        self.keep_button = Button(self._theme, phrase("chat.save_as_a_new_preset"), icon="plus", compact=True)
        self.revert_button.clicked.connect(self._on_revert_clicked)
        self.keep_button.clicked.connect(self._on_keep_clicked)
        self._deviation_box = QWidget()
        column = QVBoxLayout(self._deviation_box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.deviations)
        column.addWidget(FlowBox(self.revert_button, self.keep_button))
        return self._deviation_box

    def _show(self, choices: Choices) -> None:
        self.preset.set_choices([(preset.name, preset.id) for preset in self._presets.all("chat")])
        self.preset.show_value(self._preset.id)
        self.form.show_choices(choices, in_force(self._card, self._preset.choices))
        self._show_deviations()

    def _show_deviations(self) -> None:
        names = words.names(self.form.choices())
        self.deviations.setText(phrase("chat.differs_from_the_preset_names", names=names))
        self._deviation_box.setVisible(bool(names))

    def _on_preset_chosen(self, preset_id: str) -> None:
        """What was changed here stays, over the other preset."""
        choices = self.form.choices()
        self._preset = self._presets.chat_preset(preset_id)
        self._show(choices)
        self.note_change()

    def _on_changed(self) -> None:
        self._show_deviations()
        self.note_change()

    def _on_revert_clicked(self) -> None:
        self._show(Choices())
        self.note_change()
        self.preset.setFocus()  # the button that had the keyboard is gone

    def _on_keep_clicked(self) -> None:
        """Another editor, for the name; what it saves becomes this conversation's preset."""
        name = self._presets.free_name("chat", self._preset.name)
        new = Preset("", "chat", name, self.form.choices().over(self._preset.choices))
        self.editor = PresetEditor(
            self._theme, self._presets, new, self._card, shows_details=self._shows_details, parent=self
        )
        self.editor.saved.connect(self._on_kept)
        self.editor.open()

    def _on_kept(self, preset: Preset) -> None:
        self._preset = preset
        self._show(Choices())
        self.note_change()
