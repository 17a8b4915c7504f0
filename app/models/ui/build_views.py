"""Plan a build in a dialog (source, quantizations, additions, space), run it, and show its progress."""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from PySide6.QtCore import QObject, QTimer, Signal, SignalInstance
from PySide6.QtWidgets import QLineEdit, QWidget

from app.base.errors import AppError
from app.base.services.background import LatestWork
from app.base.wording import describe_error, format_size, phrase
from app.inference import quantizations
from app.inference.local_model import LocalModel
from app.models import gguf_build, hf_folders, training_environment
from app.models.artifact_steps import StepProgress
from app.models.gguf_build import BuildPlan, BuildRequest
from app.models.hf_folders import HfAdapter, HfModel
from app.models.ui.work_progress import StatusStrip
from app.uikit import localization
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import make_box
from app.uikit.widgets.fields import line_field
from app.uikit.widgets.form_rows import CheckableList, CheckRow, PathRow
from app.uikit.widgets.labels import Label

if TYPE_CHECKING:  # most sessions build nothing
    from app.models.services.build_runner import BuildRunner


class EnvironmentInstaller(Protocol):
    """Defines a widget that installs the training environment, which conversion needs, and shows the progress."""

    @property
    def changed(self) -> SignalInstance:
        """Return the signal that the installation has begun or ended."""

    @property
    def is_shown(self) -> bool:
        """Return whether the installation is running and shows its progress."""

    def ask(self, *_key: object) -> object:
        """Ask the user whether and how to install."""


class BuildController(QObject):
    """Starts the builds that the dialog has planned and reports them to the page.

    The training environment is searched until one is found, and again after `forget_environment`.
    """

    began = Signal(object)  # BuildPlan
    progressed = Signal(object)  # StepProgress
    finished = Signal(object)  # list[LocalModel]
    failed = Signal(object)  # AppError
    cancelled = Signal()

    def __init__(
        self,
        make_builds: "Callable[[], BuildRunner]",
        models_folder: Callable[[], Path],
        make_installer: Callable[[Theme, Pickers], EnvironmentInstaller],
        parent: QObject,
    ) -> None:
        """Prepare the controller. `make_builds` raises AppError("no_training_environment") if there is none."""
        super().__init__(parent)
        self.make_installer = make_installer
        self._make_builds = make_builds
        self._models_folder = models_folder
        self._runner: BuildRunner | None = None
        self._plan: BuildPlan | None = None  # the last plan started; None after it has succeeded

    @property
    def is_running(self) -> bool:
        return self._runner is not None and self._runner.is_running

    @property
    def models_folder(self) -> Path:
        return self._models_folder()

    def obstacle(self) -> AppError | None:
        """Return why this machine cannot build models; None if it can."""
        try:
            self._runner = self._runner or self._make_connected()
        except AppError as error:
            return error
        return None

    def start(self, plan: BuildPlan) -> None:
        """Build the plan. Ends with exactly one of `finished`, `failed` and `cancelled`."""
        if self.is_running:
            self.failed.emit(AppError("build_running"))
            return
        self._plan = plan
        try:
            self._runner = self._runner or self._make_connected()
            self.began.emit(plan)
            self._runner.start(plan)
        except AppError as error:
            self.failed.emit(error)

    def start_again(self) -> None:
        """Build the last plan again; it resumes from its finished steps."""
        if self._plan is not None:
            self.start(self._plan)

    def cancel(self) -> None:
        if self._runner is not None:
            self._runner.cancel()

    def kept_bytes(self) -> int:
        """Return the bytes that unfinished builds occupy."""
        return gguf_build.unfinished_build_bytes(self.models_folder)

    def clean(self) -> int:
        """Delete unfinished builds; return the bytes freed."""
        return gguf_build.delete_unfinished_builds(self.models_folder)

    def forget_environment(self) -> None:
        """Look for the training environment again at the next start, because it was installed or removed."""
        if self._runner is not None and not self._runner.is_running:
            self._runner.deleteLater()
            self._runner = None

    def _make_connected(self) -> "BuildRunner":
        runner = self._make_builds()
        runner.setParent(self)
        runner.progressed.connect(self.progressed)
        runner.finished.connect(self._on_finished)
        runner.failed.connect(self.failed)
        runner.stopped.connect(self.cancelled)
        return runner

    def _on_finished(self, models: list[LocalModel]) -> None:
        self._plan = None
        self.finished.emit(models)


WIDTH_PX = 640
FORMS = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
NAME_MAX = 100  # characters


class BuildDialog(Dialog):
    """Plans a build. Nothing is written before `plan_chosen`."""

    plan_chosen = Signal(object)  # BuildPlan

    def __init__(self, theme: Theme, controller: BuildController, parent: QWidget) -> None:
        self._controller = controller
        self._pickers = Pickers()
        self._model: HfModel | None = None
        self._adapter: HfAdapter | None = None
        self._text: Path | None = None
        self._reading_source, self._reading_adapter = LatestWork(), LatestWork()
        self.plan: BuildPlan | None = None  # None: the choice is incomplete or wrong
        self.banner = Banner(theme, can_close=False)
        self.making = controller.make_installer(theme, self._pickers)
        self.list = CheckableList(theme, phrase("models.models_to_make"), parent)
        self._build_fields(theme)
        super().__init__(
            theme,
            phrase("models.build_a_model"),
            phrase("models.makes_what_this_pc_can"),
            cancel_or("build", phrase("models.build")),
            parent,
            content=self._build_content(),
            width_px=WIDTH_PX,
        )
        self._connect()
        self._show_obstacle()
        self.source.choose_button.setFocus()

    def read_source(self, folder: Path) -> None:
        """Check the folder in the background; no file in it is executed, and no weights are read."""
        self._model = None
        self._clear_adapter()
        self.source.show_path(str(folder))
        self.source.show_note(phrase("common.checking"), "muted")
        self._reading_source.run(
            lambda: hf_folders.read_hf_model(folder), self._on_source_read, self._on_source_refused
        )

    def read_adapter(self, folder: Path) -> None:
        model = self._model
        if model is not None:
            self.adapter.show_path(str(folder))
            self._reading_adapter.run(
                lambda: hf_folders.read_hf_adapter(folder, model), self._on_adapter_read, self._on_adapter_refused
            )

    def use_text(self, path: Path | None) -> None:
        self._text = path
        self.text.show_path(str(path) if path else "")
        self._refresh()

    # ------------------------------------------------------------------ building

    def _build_fields(self, theme: Theme) -> None:
        about = phrase("models.a_folder_with_config_json")
        self.source = PathRow(theme, phrase("models.source_folder"), about, can_clear=False)
        self.list.add(self.source)
        for form in FORMS:
            self.list.add_row(form, CheckRow(form, localization.quality_text(form), is_checked=form == FORMS[0]))
        self.name = line_field(phrase("common.name"), NAME_MAX)
        self.adapter = PathRow(theme, phrase("models.adapter_optional"), phrase("models.merges_a_lora_made_by"))
        measured = phrase("models.a_file_with_text_from")
        self.text = PathRow(theme, phrase("models.text_for_the_importance_matrix"), measured)
        self.room = Label(wraps=True, strong=True)
        self.phases = Label(role="caption", tone="muted", wraps=True)
        for widget in (_titled(phrase("common.name"), self.name), self.adapter, self.text):
            self.list.add(widget)
        self._after_source = [*self.list.rows.values(), self.adapter, self.text]

    def _build_content(self) -> QWidget:
        installer = cast(QWidget, self.making)  # a protocol cannot be derived from QWidget
        return make_box(self.banner, installer, self.list, self.room, self.phases, spacing_px=8)

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
        """Offer to install a missing training environment; hide the offer while the installation shows its progress."""
        error = self._controller.obstacle()
        self.banner.hide()
        if error is not None and not self.making.is_shown:
            sentence = describe_error(error)
            can_make = error.code in training_environment.MISSING
            actions = (("make", phrase("models.set_up_the_training_environment")),) if can_make else ()
            self.banner.show_message("warning", sentence.message, "" if can_make else sentence.next, actions)
        self._refresh()
        QTimer.singleShot(0, self, self.fit_height)  # after hidden and shown widgets are laid out

    def _refresh(self) -> None:
        """Plan the chosen build, and show the space that it needs."""
        self.plan, problem = None, ""
        model = self._model
        for widget in self._after_source:
            widget.setEnabled(model is not None)
        forms = self.list.marked()
        if model is not None:
            self._show_sizes(model)
            try:
                request = dataclasses.replace(
                    self._request(model, forms), adapter=self._adapter, name=self.name.text(), text=self._text
                )
                self.plan = gguf_build.plan_build(request) if forms else None
            except AppError as error:
                problem = f"▲ {describe_error(error)}"
        self._show_room(problem)
        is_possible = self.banner.isHidden() and not self.making.is_shown
        self.buttons["build"].setEnabled(self.plan is not None and is_possible)
        self.list.fit(self.width())
        self.fit_height()

    def _request(self, model: HfModel, forms: Sequence[str]) -> BuildRequest:
        wanted = tuple(quantizations.QUANTIZATIONS[form] for form in forms)
        return BuildRequest(model, wanted, self._controller.models_folder)

    def _show_sizes(self, model: HfModel) -> None:
        for step in gguf_build.plan_build(self._request(model, FORMS)).steps:
            if step.name:
                size = phrase("common.about_size", size=format_size(step.writes_bytes))
                self.list.rows[step.name].show_facts(join_facts(size, localization.quality_text(step.name)))

    def _show_room(self, problem: str) -> None:
        plan = self.plan
        self.phases.setVisible(plan is not None)
        self.room.setVisible(plan is not None or bool(problem))
        if plan is None:
            self.room.setText(problem)
            self.room.set_tone("warning")
            return
        free = shutil.disk_usage(self._controller.models_folder).free
        is_short = plan.peak_bytes > free
        text = phrase("models.takes_up_to_need_while", need=format_size(plan.peak_bytes), free=format_size(free))
        self.room.setText(f"▲ {text}" if is_short else text)
        self.room.set_tone("warning" if is_short else "text")
        names = [step.name or phrase(f"models.build_step.{step.kind}") for step in plan.steps]
        sizes = [format_size(step.writes_bytes) for step in plan.steps]
        self.phases.setText(" → ".join(map(with_note, names, sizes)))

    # --------------------------------------------------------------------- slots

    def _choose_source(self) -> None:
        path = self._pickers.folder(self, phrase("models.choose_the_source_folder"), "")
        if path:
            self.read_source(Path(path))

    def _choose_adapter(self) -> None:
        path = self._pickers.folder(self, phrase("models.choose_the_adapters_folder"), "")
        if path:
            self.read_adapter(Path(path))

    def _choose_text(self) -> None:
        kinds = phrase("models.text_txt_md_all_files")
        path = self._pickers.open(self, phrase("models.choose_a_text_file"), "", kinds)
        if path:
            self.use_text(Path(path))

    def _on_source_read(self, model: HfModel) -> None:
        self._model = model
        size = sum(fact.size_bytes for fact in model.files)
        parameters = phrase("common.n_b_parameters", n=f"{model.parameters / 1e9:.1f}")
        facts = join_facts(model.name, parameters, model.type, format_size(size))
        self.source.show_note(f"✓ {facts}", "success")
        self.name.setPlaceholderText(model.name)
        self._refresh()

    def _on_source_refused(self, error: AppError) -> None:
        self.source.show_note(f"▲ {describe_error(error)}", "warning")
        self._refresh()

    def _on_adapter_read(self, adapter: HfAdapter) -> None:
        self._adapter = adapter
        rank = phrase("models.rank_n_m_matrices", n=adapter.rank, m=len(adapter.shapes))
        self.adapter.show_note(f"✓ {rank}", "success")
        self._refresh()

    def _on_adapter_refused(self, error: AppError) -> None:
        self._adapter = None
        self.adapter.show_path("")
        self.adapter.show_note(f"▲ {describe_error(error)}", "warning")
        self._refresh()

    def _clear_adapter(self) -> None:
        self._reading_adapter.drop()
        self._adapter = None
        self.adapter.show_path("")
        self.adapter.show_note(phrase("models.merges_a_lora_made_by"), "muted")
        self._refresh()


def _titled(title: str, field: QLineEdit) -> QWidget:
    label = Label(title, strong=True)
    label.setBuddy(field)
    return make_box(label, field, margins_px=(12, 8, 12, 8), spacing_px=4)


class BuildStrip(StatusStrip):
    """Shows the progress and outcome of a build on the page モデル."""

    model_requested = Signal(str)  # id of a model that was built

    def __init__(self, theme: Theme, controller: BuildController) -> None:
        super().__init__(theme)
        self._controller = controller
        self._step: tuple[int, str] | None = None  # number and phase shown
        self.progress.cancelled.connect(controller.cancel)
        self.banner.action_requested.connect(self._on_action)
        controller.began.connect(self._on_began)
        controller.progressed.connect(self._on_progressed)
        controller.finished.connect(self._on_finished)
        controller.failed.connect(self._on_failed)
        controller.cancelled.connect(self._on_cancelled)

    def _on_began(self, plan: BuildPlan) -> None:
        self.banner.hide()
        self._step = None
        self.progress.start(phrase("models.building_name", name=plan.name))

    def _on_progressed(self, progress: StepProgress) -> None:
        step = (progress.number, progress.kind)
        if step != self._step:  # each step has its own pace
            self._step = step
            place = f"{progress.number}/{progress.steps}"
            phase = phrase(f"models.build_phase.{progress.kind}", form=progress.name)
            self.progress.start(phrase("models.place_phase", place=place, phase=phase))
        self.progress.set_progress(progress.done, progress.total, is_bytes=progress.kind != "imatrix")

    def _on_finished(self, models: list[LocalModel]) -> None:
        self.progress.finish()
        what = phrase("models.models_built_n", n=len(models))
        self.banner.show_message("success", what, localization.join_names([model.name for model in models]))
        if models:
            self.model_requested.emit(models[0].id)

    def _on_failed(self, error: AppError) -> None:
        self.progress.finish()
        clean = (("clean", phrase("models.delete_unfinished_files")),) if self._controller.kept_bytes() else ()
        self.banner.show_error(error, (("again", phrase("models.try_again")), *clean))

    def _on_cancelled(self) -> None:
        self.progress.finish()
        kept = self._controller.kept_bytes()
        if kept:
            what = phrase("models.the_build_was_stopped")
            sentence = phrase("models.what_was_finished_size_is", size=format_size(kept))
            actions = (("again", phrase("models.go_on_building")), ("clean", phrase("models.delete_unfinished_files")))
            self.banner.show_message("warning", what, sentence, actions)

    def _on_action(self, key: str) -> None:
        self.banner.hide()
        if key == "again":
            self._controller.start_again()
        elif key == "clean":
            freed = format_size(self._controller.clean())
            self.banner.show_message("success", phrase("models.unfinished_files_were_deleted_size", size=freed), "")
