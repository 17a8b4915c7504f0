"""Keep the list of models for the window: import and remove models, add the trial model, trained and remote ones."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import OneTaskService, TaskProgress
from app.inference import load_plan
from app.inference.engine.messages import Done, EngineFacts
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import catalogue, local_models, model_registry, starter
from app.models.catalogue import ModelCard
from app.models.model_store import ModelStore

# Shorter answers are timed too inaccurately to be recorded.
MEASURED_PROMPT_TOKENS, MEASURED_ANSWER_TOKENS = 64, 16
# Adds a trained model to the list, or returns the listed one. Its arguments: the store, the models folder, and the
# adapter files in that folder to keep although no listed model uses them.
Publish = Callable[[ModelStore, Path, Collection[str]], LocalModel]


class ModelLibrary(OneTaskService):
    """Manages the list of models. Long tasks run one at a time in the thread pool; `imported` or `failed` ends each."""

    changed = Signal()
    imported = Signal(object)  # LocalModel
    trained_added = Signal(object)  # LocalModel
    trained_refused = Signal(object)  # AppError

    def __init__(self, store: ModelStore, models_folder: Path) -> None:
        super().__init__()
        self._store = store
        self.folder = models_folder  # where new files are written
        self._models = model_registry.list_models(store, models_folder)
        self._is_adding_trained = False
        self._removed_adapters: set[str] = set()  # kept, because an undo can restore their models

    def listed(self) -> list[LocalModel]:
        """Return the whole list: models with a file, then bases with an adapter, then remote models."""
        return list(self._models)

    def models(self) -> list[LocalModel]:
        """Return the models that have their own file."""
        return [model for model in self._models if not model.adapter and model.remote is None]

    def answering(self) -> list[LocalModel]:
        """Return the models that can write an answer."""
        return local_models.answering(self._models)

    def model(self, model_id: str) -> LocalModel | None:
        return next((model for model in self._models if model.id == model_id), None)

    def base_of(self, model: LocalModel) -> LocalModel:
        """Return the base of a tuned model. Raises AppError("tuned_no_base") if it is no longer in the list."""
        base = model_registry.base_of(model, self._models)
        if base is None:
            raise AppError("tuned_no_base", name=model.name, base=model.tuned.base_name if model.tuned else "")
        return base

    def card(self, model: LocalModel) -> ModelCard | None:
        return catalogue.card(model.card_id)

    def is_starter_available(self) -> bool:
        return starter.is_available()

    def starter_cards(self) -> list[ModelCard]:
        """Return the cards of the models that Kotae brings along."""
        return starter.cards()

    def add(self, model: LocalModel) -> LocalModel:
        """Add a model that was described elsewhere. Raises AppError if it cannot be stored."""
        added = local_models.add(self._store, model)
        self._reload()
        return added

    def import_file(self, path: str) -> None:
        """Add a GGUF file in place, without copying it. A file already in the list is described again."""
        self._run(lambda _progress: local_models.describe(Path(path)), self._on_described)

    def add_starter(self, wanted: Sequence[ModelCard] = ()) -> None:
        """Assemble the models that Kotae brings along (`app.models.starter`), or those of `wanted`, and add them.

        `imported` carries the first: the trial model, unless `wanted` leaves it out.
        """
        self._run(lambda progress: self._assemble_starter(progress, wanted), self._on_assembled)

    def add_trained(self, publish: Publish) -> None:
        """Add a trained model with `publish`, in the background; one at a time.

        Ends with `trained_added`, or with `trained_refused` for the AppError that `publish` raises.
        """
        if self._is_adding_trained:
            return
        self._is_adding_trained = True
        path, models_folder, keep = self._store.path, self.folder, frozenset(self._removed_adapters)

        def work() -> LocalModel:
            with ModelStore.open_second(path) as store:
                return publish(store, models_folder, keep)

        background.run(work, self._on_trained_added, self._on_trained_refused)

    def remove(self, model_id: str) -> None:
        """Remove the model from the list. Its file stays."""
        model = self.model(model_id)
        if self._change(lambda: self._store.remove_local_model(model_id)) and model is not None:
            self._removed_adapters.add(model.adapter)

    def put_back(self, model: LocalModel) -> None:
        """Restore a removed tuned or remote model."""
        put = model_registry.put_remote_model if model.remote is not None else model_registry.put_tuned_model
        self._change(lambda: put(self._store, model))

    def allow_template(self, model_id: str) -> None:
        """Allow the file's own chat template to run, isolated, from now on."""
        model = self._file_of(model_id)
        if model is not None:
            self.update(dataclasses.replace(model, template_allowed=True))

    def add_remote(self, model: LocalModel) -> bool:
        """Add or change a remote model. Return False if it could not be stored, after emitting `failed`."""
        return self._change(lambda: model_registry.put_remote_model(self._store, model))

    def update(self, model: LocalModel) -> None:
        self._change(lambda: self._store.put_local_model(model))

    def record_files(self, model_id: str, files: tuple[FileFingerprint, ...]) -> None:
        """Store the fingerprints that a verification has computed."""
        model = self._file_of(model_id)
        if model is not None and model.files != files:
            self.update(dataclasses.replace(model, files=files))

    def note_speed(self, model: LocalModel, facts: EngineFacts, event: Done) -> None:
        """Record the model's speed if prompt and answer were long enough to measure it."""
        usage, timings = event.usage, event.timings
        evaluated = usage.prompt_tokens - usage.cached_tokens
        is_long = evaluated >= MEASURED_PROMPT_TOKENS and usage.answer_tokens >= MEASURED_ANSWER_TOKENS
        if is_long and not model.adapter and model.remote is None and timings.prompt_s > 0 and timings.answer_s > 0:
            speed = (evaluated / timings.prompt_s, usage.answer_tokens / timings.answer_s)
            layout = "graphics" if facts.gpu_layers else "repacked" if facts.repack else "plain"
            self.update(dataclasses.replace(model, speeds=load_plan.record_speed(model.speeds, layout, *speed)))

    def note_rerank_s(self, model_id: str, seconds: float) -> None:
        """Record how long a reranker takes for a question, averaged with the earlier value."""
        model = self.model(model_id)
        if model is not None:
            before_s = local_models.rerank_s(model)
            speeds = {local_models.RANK_FORM: {"question_s": (before_s + seconds) / 2 if before_s else seconds}}
            self.update(dataclasses.replace(model, speeds=speeds))

    def refresh(self) -> None:
        """Read changes to the list that another process (the command line) has made."""
        if model_registry.list_models(self._store, self.folder) != self._models:
            self._reload()

    def _file_of(self, model_id: str) -> LocalModel | None:
        """Return the model whose file this model uses: itself, or the base if it has an adapter; None if gone."""
        model = self.model(model_id)
        return model_registry.base_of(model, self._models) if model is not None and model.adapter else model

    def _on_trained_added(self, model: LocalModel) -> None:
        self._is_adding_trained = False
        self.refresh()
        self.trained_added.emit(model)

    def _on_trained_refused(self, error: AppError) -> None:
        self._is_adding_trained = False
        self.trained_refused.emit(error)

    def _assemble_starter(self, progress: TaskProgress, wanted: Sequence[ModelCard]) -> list[LocalModel]:
        def report(done_bytes: int, total_bytes: int) -> bool:
            progress.report(done_bytes, total_bytes)
            return True

        return starter.assemble_all(self.folder, report, wanted)

    def _on_ended(self, result: Any) -> None:
        if self._task is not None and self._task.progress.is_cancelled:  # cancelled after the last progress report
            self._on_cancelled()
        else:
            super()._on_ended(result)

    def _on_assembled(self, models: list[LocalModel]) -> None:
        first, *others = models
        for model in others:
            known = local_models.merged_with_known(model, self._store.local_models())
            if not self._change(functools.partial(self._store.put_local_model, known)):
                return
        self._on_described(first)

    def _on_described(self, model: LocalModel) -> None:
        model = local_models.merged_with_known(model, self._store.local_models())
        if self._change(lambda: self._store.put_local_model(model)):
            self.imported.emit(model)

    def _change(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except AppError as error:
            self.failed.emit(error)
            return False
        self._reload()
        return True

    def _reload(self) -> None:
        self._models = model_registry.list_models(self._store, self.folder)
        self.changed.emit()
