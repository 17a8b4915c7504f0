"""Run the maintenance of models on the page モデル: verify them, find those of other programs, write and read kits.

A kit is a folder with models and their presets that carries them to another machine, such as on a memory stick.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QTimer, Signal

from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.wording import phrase
from app.models.kits import kit_export, transfer_kit
from app.models.kits.kit_import import ImportedModels
from app.models.kits.transfer_kit import Kit
from app.models.services.maintenance import ModelMaintenance
from app.models.services.model_library import ModelLibrary
from app.models.ui import maintenance_dialogs
from app.models.ui.maintenance_dialogs import FoundModelsDialog, KitExportDialog
from app.models.ui.work_progress import MaintenanceProgress, StatusStrip
from app.models.verification import VerifyResult
from app.uikit import desktop, localization
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.localization import join_facts
from app.uikit.theme import Theme


class MaintenancePresenter(StatusStrip):
    """Starts maintenance tasks and shows their progress and outcome."""

    verified = Signal()
    model_requested = Signal(str)  # id of a model to show
    began = Signal()
    import_ended = Signal(object)  # AppError if the import failed; None if the banner or a dialog shows the outcome

    def __init__(
        self,
        theme: Theme,
        upkeep: ModelMaintenance,
        library: ModelLibrary,
        add_files: Callable[[Sequence[str]], None],
    ) -> None:
        super().__init__(theme)
        self._theme = theme
        self._upkeep = upkeep
        self.secrecy = ConfidentialityGuard(theme, upkeep.exports_log)
        self._library = library
        self._add_files = add_files
        self._pickers = Pickers()
        self._folder = ""  # the kit folder that was used last
        self._bad_id = ""  # the first model that is damaged, changed or missing
        self._is_importing = False
        self.work = MaintenanceProgress(upkeep, self.progress, self.banner, self)
        self.banner.action_requested.connect(self._on_action)
        upkeep.failed.connect(self._on_failed)

    # ------------------------------------------------------------------- found

    def search_other_programs(self) -> FoundModelsDialog:
        listed = [model.path for model in self._library.models()]
        dialog = FoundModelsDialog(self._theme, self._upkeep, listed, self.window())
        dialog.paths_chosen.connect(self._add_files)
        dialog.open()
        return dialog

    # ------------------------------------------------------------------ verify

    def verify(self, model_ids: Sequence[str] = ()) -> None:
        """Verify the models with these ids; (): all."""
        models = [model for model in self._library.models() if not model_ids or model.id in model_ids]
        if not models:
            return
        what = phrase("models.verifying_models_n", n=len(models))
        if len(models) == 1:
            what = phrase("models.verifying_name", name=models[0].name)
        ids = [model.id for model in models]
        if self.work.begin(what, lambda: self._upkeep.verify(ids), self._upkeep.verified, self._on_verified):
            self.began.emit()

    def _on_verified(self, verdicts: list[VerifyResult]) -> None:
        bad = [verdict for verdict in verdicts if not verdict.is_good]
        if not bad:
            what = phrase("models.all_models_are_sound_n", n=len(verdicts))
            if len(verdicts) == 1:
                what = phrase("models.name_is_sound", name=verdicts[0].model.name)
            self.banner.show_message("success", what, "")
        elif len(verdicts) == 1:
            assert bad[0].problem is not None
            self.banner.show_error(bad[0].problem)
        else:
            what = phrase("models.m_of_n_models_have", n=len(verdicts), m=len(bad))
            names = localization.join_names([verdict.model.name for verdict in bad])
            self._bad_id = bad[0].model.id
            self.banner.show_message("danger", what, names, (("look", phrase("models.show")),))
        self.verified.emit()

    # --------------------------------------------------------------------- kit

    def choose_export(self, marked: str | None = None) -> KitExportDialog | None:
        """Ask for the models of a kit. `marked`: the id of the model to tick; None: all."""
        models = self._library.models()
        if not models:
            self.banner.show_error(AppError("kit_nothing_chosen"), level="warning")
            return None
        dialog = KitExportDialog(self._theme, models, marked, self.window(), has_presets=self._upkeep.has_presets)
        return dialog.ask(lambda: self._choose_target(dialog.list.marked()))

    def choose_import(self) -> bool:
        """Ask for a kit and import it; `import_ended` follows.

        Return False if no folder was chosen or other work is running.
        """
        path = self._pickers.folder(self.window(), phrase("models.choose_the_kits_folder_where"), self._folder)
        return bool(path) and self.import_kit(Path(path))

    def import_kit(self, folder: Path) -> bool:
        """Import a kit, as `choose_import` does."""
        self._folder = str(folder)
        what = phrase("models.checking_and_importing_the_kit", name=folder.name)
        has_begun = self.work.begin(
            what, lambda: self._upkeep.import_kit(folder), self._upkeep.kit_read, self._on_kit_read
        )
        self._is_importing |= has_begun
        self.began.emit()
        return has_begun

    def _choose_target(self, model_ids: list[str]) -> None:
        path = self._pickers.folder(self.window(), phrase("models.choose_where_to_make_the"), self._folder)
        if path:
            folder = _kit_folder(Path(path))
            self._folder = str(folder)
            kit = self._upkeep.kit_export_for(model_ids, folder)
            self.secrecy.export(self.window(), kit, lambda permit: self._export(model_ids, folder, permit))

    def _export(self, model_ids: list[str], folder: Path, permit: Permit) -> None:
        what = phrase("models.writing_the_transfer_kit")
        self.work.begin(
            what,
            lambda: self._upkeep.export_kit(model_ids, folder, permit),
            self._upkeep.kit_written,
            lambda kit: self._on_kit_written(kit, folder),
        )
        self.began.emit()

    def _on_kit_written(self, kit: Kit, folder: Path) -> None:
        dialog = maintenance_dialogs.kit_written_dialog(self._theme, kit, folder, self.window())
        dialog.ask(lambda: desktop.open_folder(folder))

    def _on_kit_read(self, outcome: ImportedModels) -> None:
        self._is_importing = False
        if outcome.models:
            self.model_requested.emit(outcome.models[0].id)
        if outcome.problems:
            dialog = maintenance_dialogs.kit_problems_dialog(self._theme, outcome, self.window())
            dialog.chosen.connect(self._on_problems_dialog_closed)
            dialog.open()
        else:
            new = [model.name for model in outcome.models if model not in outcome.existing]
            what = phrase("models.models_imported_from_the_kit", n=len(new))
            if outcome.existing and not new:
                what = phrase("models.the_models_of_the_kit")
            presets = phrase("models.presets_n", n=len(outcome.presets)) if outcome.presets else ""
            lines = [join_facts(localization.join_names(new), presets)]
            for key, models in (
                ("models.the_files_of_names_are", outcome.existing),
                ("models.the_content_of_names_cannot", outcome.unchecked),
            ):
                names = localization.join_names([model.name for model in models])
                lines += [phrase(key, names=names)] if models else []
            self.banner.show_message("success", what, "\n".join(filter(None, lines)))
            self._end_import()

    def _on_problems_dialog_closed(self, key: str) -> None:
        # Deferred, because the dialog is still closing.
        QTimer.singleShot(0, self, self._import_again if key == "again" else self._end_import)

    def _import_again(self) -> None:
        if not self.import_kit(Path(self._folder)):
            self._end_import()

    def _on_failed(self, error: AppError) -> None:
        if self._is_importing:
            self._is_importing = False
            self.import_ended.emit(error)

    def _end_import(self) -> None:
        self.import_ended.emit(None)

    def _on_action(self, key: str) -> None:
        if key == "look":
            self.model_requested.emit(self._bad_id)


def _kit_folder(folder: Path) -> Path:
    """Return the folder to write the kit to: `folder` if it is empty or has a kit, else a subfolder of it."""
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError:
        return folder
    is_kit = transfer_kit.MANIFEST_NAME in names or any(name.endswith(transfer_kit.PART_SUFFIX) for name in names)
    is_usable = not names or (is_kit and kit_export.foreign_file(folder) is None)
    return folder if is_usable else folder / "kotae-models"
