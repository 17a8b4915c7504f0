"""Maintain the models: find those of other programs, verify models, move their folder, and export and import kits."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Signal

from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.background import OneTaskService, TaskProgress
from app.base.services.preferences import Preferences
from app.inference.local_model import LocalModel
from app.models import found_models, local_models, models_folder, verification
from app.models.kits import kit_export, kit_import, transfer_kit
from app.models.kits.kit_import import ImportedModels, KitPresets
from app.models.model_store import ModelStore
from app.models.models_folder import FolderMove, FolderMoveResult
from app.models.services.model_library import ModelLibrary
from app.models.verification import LastVerified, VerifyResult


class ModelMaintenance(OneTaskService):
    """Runs one task at a time in the thread pool; each ends with its own signal or with `failed`."""

    found = Signal(object)  # FoundModels
    verified = Signal(object)  # list[VerifyResult]
    folder_moved = Signal(object)  # FolderMoveResult
    move_undone = Signal()
    kit_written = Signal(object)  # TransferKit
    kit_read = Signal(object)  # ImportedModels

    def __init__(
        self,
        store: ModelStore,
        library: ModelLibrary,
        presets: KitPresets,
        preferences: Preferences,
        where: Paths,
        label_of: Callable[[LocalModel], Label],
    ) -> None:
        """Prepare the service. `label_of`: returns the present confidentiality label of a model's training data."""
        super().__init__()
        self._store = store
        self._library = library
        self._presets = presets
        self._preferences = preferences
        self._where = where
        self._label_of = label_of
        self._last_verified = verification.load_verifications(where.data / verification.VERIFIED_FILE)
        self._verdicts: list[VerifyResult] = []  # of the running verification, kept if it is cancelled

    @property
    def is_importing(self) -> bool:
        """Return whether a kit is being imported."""
        return self.is_working and self._on_done == self._on_kit_read

    @property
    def models_folder(self) -> Path:
        return self._where.models

    def last_verified(self, model: LocalModel) -> LastVerified | None:
        """Return the last verification; None if the model was not verified since it was added."""
        found = self._last_verified.get(model.id)
        return found if found is not None and found.at >= model.added_at else None

    @property
    def has_presets(self) -> bool:
        """Return whether an exported kit would contain presets."""
        return bool(self._presets.to_kit())

    def pending_move(self) -> FolderMove | None:
        """Return a move that waits for the user's decision: interrupted while copying, or begun on another machine."""
        plan = models_folder.pending(self._where)
        return plan if plan is not None and plan.state != "switching" and not self.is_working else None

    def find(self) -> None:
        """Search for models of other programs; `found` follows. `ModelLibrary.import_file` adds one in place."""
        places = found_models.known_model_folders(Path.home(), own_folder=self._where.models)
        self._run(lambda progress: found_models.search_folders(places, progress.report), self.found.emit)

    def verify(self, model_ids: Sequence[str] = ()) -> None:
        """Verify the models with these ids, all for (); hashes are stored in the list, even after a cancellation."""
        models = self._models(model_ids)
        self._verdicts = verdicts = []

        def work(progress: TaskProgress) -> list[VerifyResult]:
            total, before = sum(model.size_bytes for model in models), 0
            for model in models:
                report = functools.partial(_report_after, progress, before, total)
                verdicts.append(verification.verify_model(model, report))
                before += model.size_bytes
            return verdicts

        self._run(work, self._on_verified)

    def move_folder(self, target: Path) -> None:
        """Move the models folder. The engine must not be loading meanwhile; models in other folders stay there."""

        def work(progress: TaskProgress) -> FolderMoveResult:
            with ModelStore.open_second(self._store.path) as store:
                return models_folder.move(self._where, target, store, progress.report)

        self._run(work, self._on_moved)

    def undo_move(self) -> None:
        """Delete the copies of an interrupted move. The folder in use stays unchanged."""
        self._run(lambda _progress: models_folder.undo(self._where), lambda _nothing: self.move_undone.emit())

    @property
    def exports_log(self) -> Path:
        return self._where.exports_log

    def kit_export_for(self, model_ids: Sequence[str], folder: Path) -> ExportRequest:
        """Return the request to export a kit, for the confidentiality check. `model_ids`: (): all models."""
        models = self._models(model_ids)
        return kit_export.export_for_gate(models, folder, self._label_of)

    def export_kit(
        self, model_ids: Sequence[str], folder: Path, permit: Permit, part_bytes: int = transfer_kit.PART_BYTES
    ) -> None:
        """Export a kit with the models and the user's own presets; `kit_written` follows. `model_ids`: (): all."""
        models, presets = self._models(model_ids), self._presets.to_kit()
        self._run(
            lambda progress: kit_export.export_kit(
                models, folder, permit=permit, presets=presets, part_bytes=part_bytes, report=progress.report
            ),
            self.kit_written.emit,
        )

    def import_kit(self, folder: Path) -> None:
        """Import a kit, then emit `kit_read`, which also reports the errors of incomplete models."""

        def work(progress: TaskProgress) -> ImportedModels:
            with ModelStore.open_second(self._store.path) as store:
                return kit_import.import_kit(
                    folder,
                    self._where.models,
                    lambda model: local_models.add(store, model),
                    self._presets.from_kit,
                    progress.report,
                )

        self._run(work, self._on_kit_read)

    # ------------------------------------------------------------------ private

    def _models(self, model_ids: Sequence[str]) -> list[LocalModel]:
        return [model for model in self._library.models() if not model_ids or model.id in model_ids]

    def _on_failed(self, error: AppError) -> None:
        self._end_task()
        self._record_verdicts()
        self._library.refresh()
        super()._on_failed(error)

    def _on_verified(self, verdicts: list[VerifyResult]) -> None:
        self._record_verdicts()
        self.verified.emit(verdicts)

    def _record_verdicts(self) -> None:
        verdicts, self._verdicts = self._verdicts, []
        if verdicts:
            self._last_verified = verification.record_verifications(
                self._where.data / verification.VERIFIED_FILE, verdicts, time.time()
            )
        for verdict in verdicts:
            # The model may have been removed or measured meanwhile: only the fingerprints are new.
            self._library.record_files(verdict.model.id, verdict.model.files)

    def _on_moved(self, moved: FolderMoveResult) -> None:
        self._preferences.change(models_folder=str(moved.folder))
        self._where = dataclasses.replace(self._where, models_folder=moved.folder)
        self._library.folder = moved.folder
        self._library.refresh()
        self.folder_moved.emit(moved)

    def _on_kit_read(self, outcome: ImportedModels) -> None:
        self._library.refresh()
        self._presets.add_new(outcome.presets)
        self.kit_read.emit(outcome)


def _report_after(progress: TaskProgress, before: int, total: int, done: int, _of: int) -> None:
    progress.report(min(before + done, total), total)
