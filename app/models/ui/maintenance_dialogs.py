"""Show the dialogs of model maintenance: add models of other programs, export a kit, and report on a kit."""

from collections.abc import Collection, Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from app.base.wording import describe_error, format_size, phrase
from app.inference.local_model import LocalModel
from app.models import found_models
from app.models.found_models import FoundModel, FoundModels, SkippedModel
from app.models.kits.kit_import import ImportedModels
from app.models.kits.transfer_kit import Kit
from app.models.services.maintenance import ModelMaintenance
from app.models.ui.work_progress import MaintenanceProgress
from app.uikit import localization
from app.uikit.dialogs import Dialog, DialogButton, cancel_or
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import Stretch, make_box, make_column
from app.uikit.widgets.form_rows import CheckableList, CheckRow
from app.uikit.widgets.labels import ElidedLabel, FactList, Label
from app.uikit.widgets.progress_row import ProgressRow

FOUND_WIDTH_PX = 640


class FoundModelsDialog(Dialog):
    """Searches for models of other programs and asks which to add in place."""

    paths_chosen = Signal(object)  # list[str]

    def __init__(self, theme: Theme, upkeep: ModelMaintenance, listed: Collection[str], parent: QWidget) -> None:
        """Build the dialog. `listed`: the paths of the models in the list."""
        self.state = Label(tone="text2", wraps=True)
        self.progress = ProgressRow(theme, can_cancel=False)  # Esc and キャンセル end the search
        self.banner = Banner(theme)
        self.list = CheckableList(theme, phrase("models.models_found"), parent)
        super().__init__(
            theme,
            phrase("models.find_models_of_other_apps"),
            phrase("models.looks_into_the_folders_of"),
            cancel_or("add", phrase("models.add")),
            parent,
            content=make_box(self.banner, self.progress, self.state, self.list, Stretch(), spacing_px=10),
            width_px=FOUND_WIDTH_PX,
        )
        self._listed = set(map(found_models.resolved, listed))
        self._upkeep = upkeep
        self._work = MaintenanceProgress(upkeep, self.progress, self.banner, self)
        self._work.ended.connect(self._on_search_ended)
        self.list.changed.connect(self._show_count)
        self.chosen.connect(self._on_chosen)
        self._show_count()

    def showEvent(self, event: QShowEvent) -> None:
        if not self._work.is_own_task_running and not self.list.rows:
            self.search()
        super().showEvent(event)

    def search(self) -> None:
        self.state.setText(phrase("models.searching_cancel_ends_the_search"))
        what = phrase("models.looking_through_folders")
        if not self._work.begin(what, self._upkeep.find, self._upkeep.found, self.show_findings):
            self.state.setText("")

    def show_findings(self, found: FoundModels) -> None:
        """Show new models first, then listed ones, then unusable ones with the reason."""
        self.progress.hide()
        models = sorted(
            found.models, key=lambda model: (found_models.resolved(model.path) in self._listed, model.name.casefold())
        )
        for model in models:
            self._add(model)
        self.list.setVisible(bool(models or found.skipped))
        new = sum(row.box.isEnabled() for row in self.list.rows.values())
        sentence = phrase("models.models_that_can_be_added", n=new) if new else phrase("models.there_are_no_new_models")
        more = "" if found.is_complete else phrase("models.found_incomplete")
        self.state.setText(join_facts(sentence, more))
        if found.skipped:
            self._add_skipped(found.skipped)
        self._show_count()
        first = self.list.first_box()
        (first or self.buttons["cancel"]).setFocus()
        self.list.fit(self.width())
        self.fit_height()

    # ------------------------------------------------------------------- private

    def _add(self, model: FoundModel) -> None:
        is_listed = found_models.resolved(model.path) in self._listed
        parts = phrase("models.n_files", n=model.parts) if model.parts > 1 else ""
        facts = join_facts(
            phrase("models.added_2") if is_listed else "",
            phrase(f"models.model_source.{model.source}"),
            format_size(model.size_bytes),
            model.quantization,
            parts,
        )
        name = model.name.partition("-00001-of-")[0]
        row = CheckRow(name, facts, is_checked=is_listed, is_fixed=is_listed)
        self.list.add_row(str(model.path), row)

    def _add_skipped(self, skipped: list[SkippedModel]) -> None:
        head = Label(phrase("models.cannot_be_used_n", n=len(skipped)), "caption", "muted", strong=True)
        head.setContentsMargins(12, 8, 12, 4)
        self.list.add(head)
        for one in skipped:
            self.list.add(_SkippedRow(one))

    def _show_count(self) -> None:
        count = len(self.list.marked())
        add = self.buttons["add"]
        add.setText(phrase("models.add_n", n=count) if count else phrase("models.add"))
        add.setEnabled(count > 0)
        add.setAccessibleDescription("" if count else phrase("models.tick_the_models_to_add"))

    def _on_search_ended(self) -> None:
        if not self.banner.isHidden():  # the search has failed
            self.state.setText("")

    def _on_chosen(self, key: str) -> None:
        if self._work.is_own_task_running:
            self._upkeep.cancel()
        if key == "add":
            self.paths_chosen.emit(self.list.marked())


class _SkippedRow(QWidget):
    def __init__(self, skipped: SkippedModel) -> None:
        super().__init__()
        name = skipped.reason.facts.get("name") or skipped.path.name
        why = str(describe_error(skipped.reason))
        make_column(
            ElidedLabel(join_facts(str(name), phrase(f"models.model_source.{skipped.source}"))),
            Label(why, "caption", "text2", wraps=True),
            into=self,
            margins_px=(12, 6, 12, 6),
            spacing_px=0,
        )


KIT_WIDTH_PX = 600


class KitExportDialog(Dialog):
    """Asks which models to put into a kit. `chosen`: export or cancel; `list.marked()`: the chosen models' ids."""

    def __init__(
        self, theme: Theme, models: Sequence[LocalModel], marked: str | None, parent: QWidget, *, has_presets: bool
    ) -> None:
        """Build the dialog. `marked`: the id of the model to tick at first; None: all."""
        self._sizes = {model.id: model.size_bytes for model in models}
        self.sum = Label(tone="text2", wraps=True)
        self.list = CheckableList(theme, phrase("models.models_to_carry"), parent)
        for model in models:
            facts = join_facts(format_size(model.size_bytes), model.quantization)
            self.list.add_row(model.id, CheckRow(model.name, facts, is_checked=marked in (None, model.id)))
        body = phrase("models.makes_a_folder_that_a")
        presets = phrase("models.your_own_presets_go_along")
        super().__init__(
            theme,
            phrase("models.which_models_do_you_want"),
            f"{body}\n{presets}" if has_presets else body,
            cancel_or("export", phrase("models.choose_where_to_write")),
            parent,
            content=make_box(self.list, self.sum, spacing_px=8),
            width_px=KIT_WIDTH_PX,
        )
        self.list.changed.connect(self._show_total_size)
        self._show_total_size()
        self.list.fit(self.width())
        (self.list.first_box() or self.buttons["cancel"]).setFocus()

    def _show_total_size(self) -> None:
        marked = self.list.marked()
        total = sum(self._sizes[model_id] for model_id in marked)
        words = phrase("models.models_n_size_as_much", n=len(marked), size=format_size(total))
        self.sum.setText(words if marked else phrase("models.tick_the_models_to_carry"))
        self.buttons["export"].setEnabled(bool(marked))


def kit_written_dialog(theme: Theme, kit: Kit, folder: Path, parent: QWidget) -> Dialog:
    """Return a dialog about a written kit, with the steps on the other machine. `chosen`: folder or cancel."""
    facts = FactList(theme)
    parts = len(list(kit.parts()))
    facts.set_facts(
        [
            (phrase("common.place"), str(folder)),
            (phrase("common.size"), format_size(kit.size_bytes)),
            (phrase("common.models"), phrase("models.n", n=len(kit.models))),
            (phrase("models.parts"), phrase("models.n_read_back_and_checked", n=parts)),
        ]
    )
    steps = ("models.1_put_this_whole_folder", "models.2_there_open_models_in", "models.3_choose_this_folder_if")
    labels = [Label(phrase(step), tone="text2", wraps=True) for step in steps]
    return Dialog(
        theme,
        phrase("common.the_transfer_kit_is_written"),
        phrase("models.on_the_other_pc_do"),
        (
            DialogButton("folder", phrase("common.open_the_folder")),
            DialogButton("cancel", phrase("common.close"), "primary", is_default=True),
        ),
        parent,
        icon=("circle-check", "success"),
        content=make_box(*labels, facts, spacing_px=8),
        width_px=KIT_WIDTH_PX,
    )


def kit_problems_dialog(theme: Theme, outcome: ImportedModels, parent: QWidget) -> Dialog:
    """Return a dialog about damaged or missing parts of a kit. `chosen`: again or cancel."""
    new = [model.name for model in outcome.models if model not in outcome.existing]
    added = phrase("models.imported_names", names=localization.join_names(new))
    waiting = phrase("models.not_imported_yet_names", names=localization.join_names(outcome.waiting))
    body = "\n".join(line for line, has in ((added, new), (waiting, outcome.waiting)) if has)
    problems = CheckableList(theme, phrase("models.parts_with_a_problem"), parent)
    for problem in outcome.problems:
        label = Label(str(describe_error(problem)), wraps=True)
        label.setContentsMargins(12, 8, 12, 8)
        problems.add(label)
    problems.fit(min(theme.px(KIT_WIDTH_PX), parent.width()))
    return Dialog(
        theme,
        phrase("models.part_of_the_kit_could"),
        body,
        (
            DialogButton("cancel", phrase("common.close")),
            DialogButton("again", phrase("models.import_again"), "primary", is_default=True),
        ),
        parent,
        icon=("triangle-alert", "warning"),
        content=problems,
        width_px=KIT_WIDTH_PX,
    )
