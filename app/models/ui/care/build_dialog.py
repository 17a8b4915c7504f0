"""From a publisher's folder to models in the list: which folder, which forms, what goes along, the room it takes."""

import shutil
from pathlib import Path
from typing import cast

from PySide6.QtCore import QStandardPaths, QTimer, Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.inference import quantizations
from app.models import build_plan, hf_adapter, hf_folder, training_environment
from app.models.build_plan import BuildPlan, BuildRequest, Step
from app.models.hf_adapter import HfAdapter
from app.models.hf_folder import HfModel
from app.models.ui import words
from app.models.ui.care.build_desk import BuildDesk
from app.models.ui.care.marked_list import MarkedList
from app.uikit import localization
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.form_rows import CheckRow, PathRow
from app.uikit.widgets.labels import Label

WIDTH_PX = 640
SIDES_PX = 80  # margins of the dialog and of a row, left and right
FORMS = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
NAME_MAX = 100  # characters


class BuildDialog(Dialog):
    """Nothing is written before `plan_chosen`."""

    plan_chosen = Signal(object)  # BuildPlan

    def __init__(self, theme: Theme, desk: BuildDesk, parent: QWidget, pickers: Pickers | None = None) -> None:
        self._desk = desk
        self._pickers = pickers or Pickers()
        self._model: HfModel | None = None
        self._adapter: HfAdapter | None = None
        self._text: Path | None = None
        self.plan: BuildPlan | None = None  # None: not everything is chosen, or something is wrong
        self.banner = Banner(theme, can_close=False)
        self.making = desk.make_installer(theme, self._pickers)
        self.list = MarkedList(theme, phrase("models.models_to_make"), parent)
        self._fill(theme)
        super().__init__(
            theme,
            phrase("models.build_a_model"),
            phrase("models.makes_what_this_pc_can"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("build", phrase("models.build"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
            width_px=WIDTH_PX,
        )
        self._connect()
        self._show_obstacle()
        self.source.choose_button.setFocus()

    def read_source(self, folder: Path) -> None:
        """Looks through the folder: nothing of it is run, and no weight is read."""
        self._model, self._adapter = None, None
        self.source.show_path(str(folder))
        self.source.show_note(phrase("common.checking"), "muted")
        background.run(lambda: hf_folder.read(folder), self._on_source_read, self._on_source_refused)
        self._refresh()

    def read_adapter(self, folder: Path) -> None:
        model = self._model
        if model is not None:
            self.adapter.show_path(str(folder))
            background.run(lambda: hf_adapter.read(folder, model), self._on_adapter_read, self._on_adapter_refused)

    def use_text(self, path: Path | None) -> None:
        self._text = path
        self.text.show_path(str(path) if path else "")
        self._refresh()

    # ------------------------------------------------------------------ building

    def _fill(self, theme: Theme) -> None:
        about = phrase("models.a_folder_with_config_json")
        self.source = PathRow(theme, phrase("models.source_folder"), about, can_clear=False)
        self.list.add(self.source)
        for form in FORMS:
            self.list.add_row(form, CheckRow(form, localization.quality_text(form), is_checked=form == FORMS[0]))
        self.name = QLineEdit()
        self.name.setMaxLength(NAME_MAX)
        self.name.setAccessibleName(phrase("common.name"))
        self.adapter = PathRow(theme, phrase("models.adapter_optional"), phrase("models.merges_a_lora_made_by"))
        measured = phrase("models.a_file_with_text_from")
        self.text = PathRow(theme, phrase("models.text_for_the_importance_matrix"), measured)
        self.room = Label(wraps=True, strong=True)
        self.phases = Label(role="caption", tone="muted", wraps=True)
        for widget in (_titled(phrase("common.name"), self.name), self.adapter, self.text):
            self.list.add(widget)
        self._rest = [*self.list.rows.values(), self.adapter, self.text]

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        installer = cast(QWidget, self.making)  # a protocol cannot say that it is a widget
        for widget in (self.banner, installer, self.list, self.room, self.phases):
            column.addWidget(widget)
        return content

    def _connect(self) -> None:
        self.source.choose_requested.connect(self._choose_source)
        self.adapter.choose_requested.connect(self._choose_adapter)
        self.adapter.cleared.connect(self._clear_adapter)
        self.text.choose_requested.connect(self._choose_text)
        self.text.cleared.connect(lambda: self.use_text(None))
        self.banner.action_requested.connect(self.making.ask)
        self.making.changed.connect(self._show_obstacle)
        self.list.changed.connect(self._refresh)
        self.name.textChanged.connect(self._refresh)
        self.chosen.connect(lambda key: self.plan_chosen.emit(self.plan) if key == "build" else None)

    # ------------------------------------------------------------------- showing

    def _show_obstacle(self) -> None:
        """The training environment is offered where it is missing; while it is made, its progress says enough."""
        error = self._desk.obstacle()
        self.banner.hide()
        if error is not None and not self.making.is_shown:
            sentence = describe_error(error)
            can_make = error.code in training_environment.MISSING
            actions = (("make", phrase("models.set_up_the_training_environment")),) if can_make else ()
            self.banner.show_message("warning", sentence.message, "" if can_make else sentence.next, actions)
        self._refresh()
        QTimer.singleShot(0, self, self.fit_height)  # what was hidden or shown is laid out by then

    def _refresh(self) -> None:
        """The plan for what is chosen now, and the room that it needs."""
        self.plan, problem = None, ""
        model = self._model
        for widget in self._rest:
            widget.setEnabled(model is not None)
        forms = self.list.marked()
        if model is not None:
            self._show_sizes(model)
            try:
                self.plan = self._planned(model, forms) if forms else None
            except AppError as error:
                problem = f"▲ {describe_error(error)}"
        self._show_room(problem)
        is_possible = self.banner.isHidden() and not self.making.is_shown
        self.buttons["build"].setEnabled(self.plan is not None and is_possible)
        self.list.fit(self.width() - self._theme.px(SIDES_PX))
        self.fit_height()

    def _planned(self, model: HfModel, forms: list[str]) -> BuildPlan:
        made = tuple(quantizations.QUANTIZATIONS[form] for form in forms)
        folder = self._desk.models_folder
        return build_plan.plan(BuildRequest(model, made, folder, self._adapter, self.name.text(), self._text))

    def _show_sizes(self, model: HfModel) -> None:
        for step in self._steps_of_all(model):
            if step.form is not None:
                size = phrase("common.about_size", size=words.gigabytes(step.writes_bytes))
                self.list.rows[step.form.name].show_facts(join_facts(size, localization.quality_text(step.form.name)))

    def _steps_of_all(self, model: HfModel) -> tuple[Step, ...]:
        made = tuple(quantizations.QUANTIZATIONS[form] for form in FORMS)
        return build_plan.plan(BuildRequest(model, made, self._desk.models_folder)).steps

    def _show_room(self, problem: str) -> None:
        plan = self.plan
        self.phases.setVisible(plan is not None)
        self.room.setVisible(plan is not None or bool(problem))
        if plan is None:
            self.room.setText(problem)
            self.room.set_tone("warning")
            return
        free = shutil.disk_usage(self._desk.models_folder).free
        is_short = plan.peak_bytes > free
        sentence = phrase("models.takes_up_to_need_while")
        text = sentence.format(need=words.gigabytes(plan.peak_bytes), free=words.gigabytes(free))
        self.room.setText(f"▲ {text}" if is_short else text)
        self.room.set_tone("warning" if is_short else "text")
        steps = [with_note(step_words(step), words.gigabytes(step.writes_bytes)) for step in plan.steps]
        self.phases.setText(" → ".join(steps))

    # --------------------------------------------------------------------- slots

    def _choose_source(self) -> None:
        path = self._pickers.folder(self, phrase("models.choose_the_source_folder"), _home())
        if path:
            self.read_source(Path(path))

    def _choose_adapter(self) -> None:
        path = self._pickers.folder(self, phrase("models.choose_the_adapters_folder"), _home())
        if path:
            self.read_adapter(Path(path))

    def _choose_text(self) -> None:
        kinds = phrase("models.text_txt_md_all_files")
        path = self._pickers.open(self, phrase("models.choose_a_text_file"), _home(), kinds)
        if path:
            self.use_text(Path(path))

    def _on_source_read(self, model: HfModel) -> None:
        self._model = model
        size = sum(fact.size_bytes for fact in model.files)
        parameters = phrase("common.n_b_parameters", n=f"{model.parameters / 1e9:.1f}")
        facts = join_facts(model.name, parameters, model.type, words.gigabytes(size))
        self.source.show_note(f"✓ {facts}", "success")
        self.name.setPlaceholderText(model.name)
        self._refresh()

    def _on_source_refused(self, error: AppError) -> None:
        self.source.show_note(f"▲ {describe_error(error)}", "warning")
        self._refresh()

    def _on_adapter_read(self, adapter: HfAdapter) -> None:
        self._adapter = adapter
        rank = phrase("models.rank_n_m_matrices", n=adapter.rank, m=adapter.targets)
        self.adapter.show_note(f"✓ {rank}", "success")
        self._refresh()

    def _on_adapter_refused(self, error: AppError) -> None:
        self._adapter = None
        self.adapter.show_path("")
        self.adapter.show_note(f"▲ {describe_error(error)}", "warning")
        self._refresh()

    def _clear_adapter(self) -> None:
        self._adapter = None
        self.adapter.show_path("")
        self.adapter.show_note(phrase("models.merges_a_lora_made_by"), "muted")
        self._refresh()


def step_words(step: Step) -> str:
    """A step as a noun, for the list of what takes room."""
    return {
        "convert": phrase("models.conversion"),
        "adapter": phrase("models.adapter"),
        "merge": phrase("models.merge"),
        "imatrix": phrase("models.importance"),
        "quantize": step.form.name if step.form else "",
    }[step.kind]


def _titled(title: str, field: QLineEdit) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(12, 8, 12, 8)
    column.setSpacing(4)
    label = Label(title, strong=True)
    label.setBuddy(field)
    column.addWidget(label)
    column.addWidget(field)
    return holder


def _home() -> str:
    return QStandardPaths.writableLocation(QStandardPaths.StandardLocation.HomeLocation)
