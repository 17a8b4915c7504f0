"""Embed sections in the background and questions when they are asked; a search by words never waits for it."""

import operator
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LatestWork
from app.base.services.preferences import Preferences
from app.base.services.process_lock import ProcessLock
from app.documents.records import Passage
from app.documents.services.reranking import Reranker, Reranking
from app.documents.services.search_model_engine import Rows, SearchModelEngine
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models import local_models

if TYPE_CHECKING:  # a command needs neither the reading of documents nor numpy to start
    from app.documents.retrieval.semantic_index import EmbeddingBacklog, EmbeddingModel, SemanticQuery
    from app.documents.services.document_library import DocumentLibrary
    from app.models.services.model_library import ModelLibrary

QUESTION_LIMIT_S = 3.0  # seconds; after them the search is by words alone
RERANK_PATIENCE = 10  # times as long; after that the order stays as it was
BATCH_S = 0.5  # intended seconds of a batch, as a question may wait for one
BATCH_MOST = 16  # sections
ASK_AGAIN_MS = 2000  # milliseconds before the next attempt, while another process embeds or after a failure
TRIES = 2
MeaningDone = Callable[["SemanticQuery | None"], None]
NearnessDone = Callable[[Sequence[float] | None], None]
RerankDone = Callable[[Reranking], None]
ANSWERING = frozenset(("starting", "loading", "reading", "answering"))  # states of the engine that answers


class EmbeddingStatus(Struct, frozen=True):
    """The state of the background embedding.

    `phase`: off (no embedding model) | looking | working | paused | elsewhere (another process embeds) | idle | failed.
    `done` of `total` sections have vectors. `error`: the reason of "failed"; searches are by words meanwhile.
    """

    phase: str = "off"
    done: int = 0
    total: int = 0
    error: AppError | None = None


class Embedding(QObject):
    """The embedding model in use, with its child process and the vectors of the sections; and the reranker."""

    status_changed = Signal(object)  # EmbeddingStatus

    def __init__(self, command: list[str], logs: Path, documents: Path) -> None:
        """Create the object without a model. `command`: of an engine child. `documents`: path of the database."""
        super().__init__()
        self.question_limit_s = QUESTION_LIMIT_S  # or `patience_s`, which is longer where nobody waits
        self._engine = SearchModelEngine(command, logs / "embedding.log", self)
        self._engine.failed.connect(self._on_failed)
        self.reranker = Reranker(command, logs / "reranker.log", self)
        self._documents = documents
        self._lock = ProcessLock(documents.with_suffix(".embedding.lock"))
        self._model: EmbeddingModel | None = None
        self._models: tuple[LocalModel, ...] = ()
        self._unchosen: tuple[LocalModel, ...] = ()  # those of which one is chosen when it is needed
        self._choosing = LatestWork()
        self._model_number = 0  # counts models: results for an earlier one are dropped
        self._missing: deque[tuple[int, int]] = deque()  # (section id, collection id), in the order of work
        self._asked: frozenset[int] = frozenset()  # ids of the collections of the last question, which come first
        self._total = 0
        self._batch = 1  # sections
        self._batch_of: list[tuple[int, int]] = []  # those of the batch being embedded, as in `_missing`
        self._failures = 0  # since the last finished batch
        self._is_working = self._is_looking = self._is_look_pending = self._is_paused = False
        self._is_emptied = False  # whether the next look deletes the vectors of removed text
        self._error: AppError | None = None
        self._engine_error = AppError("engine_died")  # the last one
        self._retry_timer = QTimer(self, interval=ASK_AGAIN_MS, singleShot=True)
        self._retry_timer.timeout.connect(self.look)
        self.standing = EmbeddingStatus()

    def follow(
        self, documents: "DocumentLibrary", library: "ModelLibrary", engine: EngineClient, preferences: Preferences
    ) -> None:
        """Connect to the window's objects; while `engine` answers a question, embedding pauses."""

        def use() -> None:
            if documents.is_open:
                self.use(library.models())
                self.reranker.use(library.models() if preferences.value.reranks else ())

        documents.opened.connect(use)
        library.changed.connect(use)
        preferences.changed.connect(use)
        self.reranker.measured.connect(library.note_rerank_s)
        documents.queue.emptied.connect(self.look)
        documents.attached_removed.connect(self._forget_removed)
        engine.status_changed.connect(lambda status: self.set_paused(status.state in ANSWERING))

    # -------------------------------------------------------------------- models

    def use(self, models: Sequence[LocalModel]) -> None:
        """Choose one of the installed models in the background; do nothing if the list is unchanged."""
        if tuple(models) == self._models:
            return
        self._models = tuple(models)
        documents = self._documents

        def choose_model() -> "EmbeddingModel | None":
            from app.documents.retrieval import semantic_index

            return semantic_index.choose_model(models, documents)

        self._choosing.run(choose_model, self._on_chosen, self._on_damaged)

    def use_at_once(self, models: Sequence[LocalModel]) -> None:
        """Choose one of the models, blocking; nothing is embedded before `look`.

        If there are vectors to compare with, the child starts meanwhile. Otherwise the choice waits until a text is to
        be embedded, as most questions of a command need none. A damaged or missing file is the error of `standing`.
        """
        self._unchosen = tuple(filter(local_models.is_embedding_model, models))
        if self._unchosen and any(self._documents.parent.glob(f"{self._documents.stem}-vectors/*.vectors")):
            self._engine.start()
            self._choose()

    def _choose(self) -> None:
        models, self._unchosen = self._unchosen, ()
        if models:
            from app.documents.retrieval import semantic_index

            try:
                self._set_model(semantic_index.choose_model(models, self._documents))
            except AppError as error:
                self._on_damaged(error)

    def load_model(self) -> None:
        """Load the models in use, so that the next question is searched sooner."""
        if self.has_vectors:
            self._engine.load_model()
        self.reranker.load_model()

    def close(self) -> None:
        """End the child. Sections without a vector get one after the next start."""
        self._choosing.drop()
        self._model_number += 1
        self._retry_timer.stop()
        self._model, self._unchosen = None, ()
        self._engine.close()
        self.reranker.use(())
        self._lock.unlock()

    # ----------------------------------------------------------------- questions

    def find_meaning(
        self, question: str, on_done: MeaningDone, collection_ids: Sequence[int] = (), patience_s: float = 0.0
    ) -> None:
        """Embed a question and call `on_done` once, with None without a model, a vector to compare with, or in time.

        `collection_ids`: those asked, whose sections are embedded before others from now on.
        """
        model = self._model
        if self._asked != frozenset(collection_ids):
            self._asked = frozenset(collection_ids)
            self._sort_missing()
        if model is None or not self.has_vectors:
            on_done(None)
            return
        asked = [model.query_prefix + question]
        self._embed_in_time(asked, lambda rows: on_done(_semantic_query(model, rows) if rows else None), patience_s)

    def compare(self, question: str, texts: Sequence[str], on_done: NearnessDone, patience_s: float = 0.0) -> None:
        """Embed a question with texts, and call `on_done` once with `retrieved_passages.nearness` of each.

        The result is None without a model whose cosines were measured, or if the vectors are not ready in time.
        """
        self._choose()
        model = self._model
        if model is None or not model.neutral_cosine:
            on_done(None)
            return

        def answer(rows: Rows | None) -> None:
            asked, *others = rows or [()]
            cosines = (sum(map(operator.mul, asked, other)) for other in others)
            on_done([one - model.neutral_cosine for one in cosines] if rows else None)

        prefixed = [model.query_prefix + question, *(model.document_prefix + one for one in texts)]
        self._embed_in_time(prefixed, answer, patience_s)

    def _embed_in_time(self, texts: Sequence[str], on_done: Callable[[Rows | None], None], patience_s: float) -> None:
        """Embed texts and call `on_done` once: with their vectors, or with None if they are not ready in time."""
        pending = [on_done]

        def answer(rows: Rows | None) -> None:
            if pending:
                pending.pop()(rows)

        QTimer.singleShot(round(1000 * max(self.question_limit_s, patience_s)), self, lambda: answer(None))
        self._engine.embed(texts, answer)

    def embed(self, texts: Sequence[str], on_done: Callable[[Rows | None], None]) -> None:
        """Embed texts of other programs as they are, without a prefix; pass None without a model or after a failure."""
        self._choose()
        if self._model is None:
            on_done(None)
        else:
            self._engine.embed(texts, on_done)

    @property
    def is_on(self) -> bool:
        """Whether an embedding model is chosen, or will be when it is needed."""
        return self._model is not None or bool(self._unchosen)

    @property
    def has_vectors(self) -> bool:
        """Whether any section has a vector."""
        return self._model is not None and self._model.vectors.count() > 0

    @property
    def pid(self) -> int:
        """Return the process id of the child; 0 while there is none."""
        return self._engine.pid

    def rerank(self, question: str, passages: Sequence[Passage], on_done: RerankDone, patience_s: float = 0.0) -> str:
        """Reorder the passages of a search if a reranker is in use, and call `on_done` once; return an id to cancel."""
        limit_s = RERANK_PATIENCE * max(self.question_limit_s, patience_s)
        return self.reranker.rerank(question, passages, on_done, limit_s)

    # ---------------------------------------------------------------- background

    def look(self) -> None:
        """Find sections without a vector and embed them; call it when documents may have changed."""
        self._choose()
        model, model_number = self._model, self._model_number
        if model is None:
            return
        if self._is_looking or self._is_working:
            self._is_look_pending = True
            return
        self._is_looking, self._error = True, None
        documents = self._documents

        def look() -> "EmbeddingBacklog":
            from app.documents.retrieval import semantic_index

            return semantic_index.find_backlog(documents, model.vectors, is_emptied=is_emptied)

        if not self._lock.take():
            self._is_looking = False
            self._retry_timer.start()
            self._update_status()
            return
        self._update_status()
        is_emptied, self._is_emptied = self._is_emptied, False
        background.run(
            look,
            lambda backlog: self._on_looked(model_number, backlog),
            lambda error: self._stop_after_failure(model_number, error),
        )

    def set_paused(self, is_paused: bool) -> None:
        """Pause embedding while an answer is being written, or continue. A batch that has begun is finished."""
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            self._next()

    # ------------------------------------------------------------------- private

    def _on_chosen(self, model: "EmbeddingModel | None") -> None:
        if not _is_same_model(model, self._model):
            self._set_model(model)
        if model is None:
            self._update_status()
        else:
            self.look()

    def _set_model(self, model: "EmbeddingModel | None") -> None:
        self._model_number += 1
        self._model = model
        self._engine.use(model.model if model else None)
        self._missing.clear()
        self._batch_of = []
        self._total = self._failures = 0
        self._is_working = self._is_looking = False
        self._error = None

    def _on_damaged(self, error: AppError) -> None:
        self._on_chosen(None)
        self._error = error
        self._update_status()

    def _forget_removed(self) -> None:
        """Delete the vectors of removed text at the next look, be they ever so few."""
        self._is_emptied = True
        self.look()

    def _on_looked(self, model_number: int, backlog: "EmbeddingBacklog") -> None:
        if model_number != self._model_number:
            return
        self._is_looking = False
        self._missing, self._total = deque(backlog.missing), backlog.total
        self._sort_missing()
        self._next()

    def _sort_missing(self) -> None:
        """Put the sections of the collections that were asked last before the others."""
        if self._asked:
            self._missing = deque(sorted(self._missing, key=lambda one: one[1] not in self._asked))

    def _next(self) -> None:
        model, model_number, documents = self._model, self._model_number, self._documents
        is_busy = self._is_working or self._is_looking or self._retry_timer.isActive()
        if model is None or is_busy or self._is_paused or self._error:
            self._update_status()
            return
        if not self._missing:
            self._finish(model)
            return
        self._batch_of = [self._missing.popleft() for _ in range(min(self._batch, len(self._missing)))]
        self._is_working, ids = True, [section_id for section_id, _ in self._batch_of]
        self._update_status()

        def read() -> dict[int, str]:
            from app.documents.retrieval import semantic_index

            return semantic_index.texts_to_embed(documents, ids)

        background.run(
            read,
            lambda texts: self._embed(model_number, texts),
            lambda error: self._stop_after_failure(model_number, error),
        )

    def _embed(self, model_number: int, texts: dict[int, str]) -> None:
        model = self._model
        if model_number != self._model_number or model is None:
            return
        if not texts:
            self._on_added(model_number)
            return
        began = time.monotonic()

        def done(rows: Rows | None) -> None:
            if rows is None:
                self._stop_after_failure(model_number, self._engine_error)
            elif model_number == self._model_number:
                seconds = max(0.001, time.monotonic() - began)
                self._batch = min(BATCH_MOST, max(1, int(len(texts) * BATCH_S / seconds)), 2 * self._batch)
                background.run(
                    lambda: _add(model, texts, rows),
                    lambda _nothing: self._on_added(model_number),
                    lambda error: self._stop_after_failure(model_number, error),
                )

        self._engine.embed([model.document_prefix + text for text in texts.values()], done)

    def _on_added(self, model_number: int) -> None:
        if model_number == self._model_number:
            self._is_working, self._batch_of, self._failures = False, [], 0
            self._next()

    def _finish(self, model: "EmbeddingModel") -> None:
        self._lock.unlock()
        if self._is_look_pending:
            self._is_look_pending = False
            self.look()
            return
        self._update_status()

        def forget() -> None:
            from app.documents.retrieval import semantic_index

            semantic_index.delete_other_vectors(model)

        background.run(forget, lambda _nothing: None, lambda _error: None)

    def _on_failed(self, error: AppError) -> None:
        """Keep the error for the batch if it waits for the child. One that is read or stored goes on without it."""
        self._engine_error = error

    def _stop_after_failure(self, model_number: int, error: AppError) -> None:
        """Stop after a failure of the model in use: try once more, then wait for the next `look`."""
        if model_number != self._model_number:
            return
        self._missing.extend(self._batch_of)
        self._batch_of = []
        self._is_working = self._is_looking = False
        self._failures += 1
        self._lock.unlock()
        if self._failures < TRIES:
            self._retry_timer.start()
        else:
            self._failures, self._error = 0, error
        self._update_status()

    def _update_status(self) -> None:
        done = self._total - len(self._missing) - len(self._batch_of)
        standing = EmbeddingStatus(self._phase(), done, self._total, self._error)
        if standing != self.standing:
            self.standing = standing
            self.status_changed.emit(standing)

    def _phase(self) -> str:
        if self._error is not None:
            return "failed"
        if self._model is None:
            return "off"
        if self._is_looking or (self._retry_timer.isActive() and self._failures and not self._missing):
            return "looking"
        if self._retry_timer.isActive() and not self._failures:
            return "elsewhere"
        if self._missing and self._is_paused:
            return "paused"
        return "working" if self._missing or self._is_working else "idle"


def _is_same_model(model: "EmbeddingModel | None", other: "EmbeddingModel | None") -> bool:
    if model is None or other is None:
        return model is other
    return model.model.path == other.model.path and model.vectors.path == other.vectors.path


def _semantic_query(model: "EmbeddingModel", rows: Rows) -> "SemanticQuery":
    import numpy as np

    from app.documents.retrieval.semantic_index import SemanticQuery

    return SemanticQuery(model.vectors, np.asarray(rows[0], np.float32), model.neutral_cosine)


def _add(model: "EmbeddingModel", texts: dict[int, str], rows: Rows) -> None:
    import numpy as np

    from app.documents.retrieval.semantic_index import text_digest

    digests = [text_digest(text) for text in texts.values()]
    model.vectors.add(list(texts), digests, np.asarray(rows, np.float32))
