"""The base model: one of the library, or a folder; what cannot be trained is named with its reason."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error, format_size, phrase
from app.inference.local_model import LocalModel
from app.models import base_models, local_models
from app.models.hf_folders import HfModel
from app.uikit.desktop import Pickers
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.form_rows import Chooser
from app.uikit.widgets.labels import Label, plain_tooltip

WIDTH_PX = 520


class BaseField(QWidget):
    chosen = Signal(str)  # as `bases.resolve` takes it

    def __init__(self, theme: Theme, pickers: Pickers) -> None:
        super().__init__()
        self._theme = theme
        self._pickers = pickers
        self._shown: tuple[str, tuple[LocalModel, ...]] | None = None
        self._build()
        theme.changed.connect(self._resize)
        self._resize()

    def show_base(self, base: str, models: Sequence[LocalModel]) -> None:
        if self._shown == (base, tuple(models)):
            return
        self._shown = (base, tuple(models))
        names = local_models.distinct_names(models)
        refused = {model.id: error for model in models if (error := base_models.training_refusal(model)) is not None}
        choices = [(names[model.id], model.id) for model in models if model.id not in refused]
        self.refused.setText("\n".join(describe_error(error).message for error in refused.values()))
        self.refused.setVisible(bool(refused))
        path = base_models.existing_path(base)
        found = None if path else base_models.find_listed(base, models)
        if path is not None:
            choices.append((path.name, base))
        self.box.set_choices(choices)
        self.box.setEnabled(bool(choices))
        self.empty.setVisible(not choices)
        self._show_chosen(base, path, found)
        self.box.setToolTip(plain_tooltip(self.box.currentText()))  # of a name that is longer than the box

    def _show_chosen(self, base: str, path: Path | None, found: LocalModel | None) -> None:
        if not base:
            self.box.setCurrentIndex(-1)
            self._say("", "text2")
        elif path is not None:
            self.box.show_value(base)
            self._say(phrase("training.looking") if path.is_dir() else phrase("training.can_be_used"), "text2")
            if path.is_dir():
                background.run(lambda: (base, base_models.read_base_folder(path)), self._on_read, self._on_unreadable)
        elif found is None or base_models.training_refusal(found) is not None:
            self.box.setCurrentIndex(-1)
            reason = base_models.training_refusal(found) if found else None
            unknown = phrase("training.the_base_model_chosen_before", name=base)
            self._say(f"▲ {describe_error(reason).message}" if reason else unknown, "warning")
        else:
            self.box.show_value(found.id)
            facts = join_facts(found.quantization, format_size(found.size_bytes))
            self._say(join_facts(phrase("training.can_be_used"), facts), "success")

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        title = Label(phrase("training.base_model"), "heading3")
        self.box = Chooser((), self.chosen.emit)
        self.box.setAccessibleName(title.text())
        self.box.setPlaceholderText(phrase("training.choose_one"))
        self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.box.setMinimumContentsLength(8)
        self.box.setSizeAdjustPolicy(self.box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        title.setBuddy(self.box)
        self.empty = Label(phrase("training.there_is_no_model_yet_that_can"), tone="text2", wraps=True)
        self.state = Label(role="caption", tone="text2", wraps=True)
        self.refused = Label(role="caption", tone="muted", wraps=True)
        self.folder_button = Button(self._theme, phrase("training.choose_a_folder"), "", "folder-open", compact=True)
        self.get_button = Button(self._theme, phrase("training.get_a_model"), "", "download", compact=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (title, self.empty, self.box, self.state, FlowBox(self.folder_button, self.get_button)):
            column.addWidget(widget)
        column.addWidget(self.refused)
        self.folder_button.setToolTip(phrase("training.a_publishers_safetensors_folder_becomes"))
        self.folder_button.clicked.connect(self._choose_folder)

    def _resize(self) -> None:
        self.box.setMaximumWidth(self._theme.px(WIDTH_PX))

    def _say(self, text: str, tone: str) -> None:
        self.state.set_tone(tone)
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def _choose_folder(self) -> None:
        home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.HomeLocation)
        if path := self._pickers.folder(self.window(), phrase("training.choose_the_base_models_folder"), home):
            self.chosen.emit(path)

    def _on_read(self, found: tuple[str, HfModel]) -> None:
        base, model = found
        if self._shown is not None and self._shown[0] == base:
            parameters = phrase("common.n_b_parameters", n=f"{model.parameters / 1e9:.1f}")
            self._say(join_facts(phrase("training.can_be_used"), model.name, parameters), "success")

    def _on_unreadable(self, error: AppError) -> None:
        self._say(f"▲ {describe_error(error)}", "warning")
