"""The models on this machine: list, import, the trial model, removal."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.core import catalogue, local_models, starter
from app.core.catalogue import ModelCard
from app.core.errors import AppError
from app.core.records import LocalModel
from app.core.store import Store
from app.services import background


class ModelLibrary(QObject):
    """Long work runs in the thread pool, one at a time; it ends with `imported` or `failed`."""

    changed = Signal()
    progressed = Signal(str, float)  # what is being added, fraction 0 to 1
    imported = Signal(object)  # LocalModel
    failed = Signal(object)  # AppError

    def __init__(self, store: Store, models_folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._folder = models_folder
        self._models = store.local_models()
        self._task: background.Task | None = None
        self._is_cancelled = False

    def models(self) -> list[LocalModel]:
        return list(self._models)

    def model(self, model_id: str) -> LocalModel | None:
        return next((model for model in self._models if model.id == model_id), None)

    def card(self, model: LocalModel) -> ModelCard | None:
        return catalogue.load().card(model.card_id)

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def is_starter_available(self) -> bool:
        return starter.is_available()

    def import_file(self, path: str) -> None:
        """Adds a GGUF file where it is; nothing is copied. A file that is there already is described anew."""
        self._run(lambda: local_models.describe(Path(path)))

    def add_starter(self) -> None:
        """Puts the trial model together in the models folder, with progress, and adds it."""
        self._is_cancelled = False

        def report(fraction: float) -> bool:
            self.progressed.emit(starter.card().name, fraction)
            return not self._is_cancelled

        self._run(lambda: local_models.describe(starter.assemble(self._folder, report)))

    def cancel(self) -> None:
        """The running work ends soon with `failed`, AppError("cancelled")."""
        self._is_cancelled = True

    def remove(self, model_id: str) -> None:
        """Takes the model off the list. The file stays."""
        self._change(lambda: self._store.remove_local_model(model_id))

    def allow_template(self, model_id: str) -> None:
        """Lets the file's own chat template run, isolated, from now on."""
        model = self.model(model_id)
        if model is not None:
            self.update(dataclasses.replace(model, template_allowed=True))

    def update(self, model: LocalModel) -> None:
        self._change(lambda: self._store.put_local_model(model))

    def refresh(self) -> None:
        """Takes up what another process (the command line) has changed in the list."""
        if self._store.local_models() != self._models:
            self._reload()

    def _run(self, work: Callable[[], LocalModel]) -> None:
        if self._task is None:
            self._task = background.run(work, self._on_described, self._on_failed)

    def _on_described(self, model: LocalModel) -> None:
        self._task = None
        model = local_models.merged(model, self._store.local_models())  # the command line may have added some
        if self._change(lambda: self._store.put_local_model(model)):
            self.imported.emit(model)

    def _on_failed(self, error: AppError) -> None:
        self._task = None
        self.failed.emit(error)

    def _change(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except AppError as error:
            self.failed.emit(error)
            return False
        self._reload()
        return True

    def _reload(self) -> None:
        self._models = self._store.local_models()
        self.changed.emit()
