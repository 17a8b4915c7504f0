"""Searching by meaning: sections get their vectors in the background, and questions theirs when they are asked.

Only where an embedding model is installed; else nothing is started and nothing changes. What is not ready, late or out
of order never holds up a search by words.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QLockFile, QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.services import background
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.embedding_engine import EmbeddingEngine, Rows
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary

if TYPE_CHECKING:  # numpy, which most windows never need
    from app.documents.retrieval.semantic_index import EmbeddingBacklog, EmbeddingModel, SemanticQuery

QUESTION_LIMIT_S = 3.0  # then it is searched by words alone
BATCH_S = 0.5  # a question waits for no more than one batch
BATCH_MOST = 16  # sections
ASK_AGAIN_MS = 2000  # whether another process still embeds; after a failure
TRIES = 2
ANSWERING = frozenset(("starting", "loading", "reading", "answering"))  # states of the engine that answers


@dataclass(frozen=True, slots=True)
class EmbeddingStatus:
    """`phase`: off (no embedding model) | looking | working | paused | elsewhere | idle | failed.

    `done` of `total` sections have vectors. `error`: of "failed"; searches are by words meanwhile.
    """

    phase: str = "off"
    done: int = 0
    total: int = 0
    error: AppError | None = None


class Embedding(QObject):
    stood = Signal(object)  # EmbeddingStanding

    def __init__(self, command: list[str], logs: Path, documents: Path, parent: QObject | None = None) -> None:
        """`command`: an engine child. `documents`: their database."""
        super().__init__(parent)
        self.question_limit_s = QUESTION_LIMIT_S
        self._engine = EmbeddingEngine(command, logs / "embedding.log", self)
        self._engine.failed.connect(self._on_failed)
        self._documents = documents
        self._lock = QLockFile(str(documents.with_suffix(".embedding.lock")))
        self._lock.setStaleLockTime(0)  # stale only when its process is gone
        self._model: EmbeddingModel | None = None
        self._models: tuple[LocalModel, ...] = ()
        self._choices = 0  # counts `use`
        self._epoch = 0  # counts models: what was begun before belongs to another one
        self._missing: deque[int] = deque()
        self._total = 0
        self._batch = 1  # sections
        self._in_hand: list[int] = []  # the batch that is being embedded
        self._failures = 0  # since a batch was finished
        self._is_working = self._is_looking = self._looks_again = self._is_paused = False
        self._error: AppError | None = None
        self._again = QTimer(self, interval=ASK_AGAIN_MS, singleShot=True)
        self._again.timeout.connect(self.look)
        self.standing = EmbeddingStatus()

    def follow(self, documents: DocumentLibrary, library: ModelLibrary, engine: EngineClient) -> None:
        """Of the window. `engine`: the one that answers."""

        def use() -> None:
            if documents.is_open:
                self.use(library.models())

        documents.opened.connect(use)
        library.changed.connect(use)
        documents.queue.emptied.connect(self.look)
        engine.status_changed.connect(lambda status: self.set_paused(status.state in ANSWERING))

    # -------------------------------------------------------------------- models

    def use(self, models: Sequence[LocalModel]) -> None:
        """The models that are installed; the same again changes nothing."""
        if tuple(models) == self._models:
            return
        self._models = tuple(models)
        self._choices += 1
        choice, documents = self._choices, self._documents

        def choose() -> "EmbeddingModel | None":
            from app.documents.retrieval import semantic_index

            return semantic_index.choose_model(models, documents)

        background.run(
            choose, lambda chosen: self._on_chosen(choice, chosen), lambda error: self._on_damaged(choice, error)
        )

    def use_at_once(self, models: Sequence[LocalModel]) -> None:
        """Blocks for a moment; nothing is embedded before `look`. Raises AppError for a damaged or missing file."""
        from app.documents.retrieval import semantic_index

        self._set_model(semantic_index.choose_model(models, self._documents))

    def prepare(self) -> None:
        """A question is about to be asked."""
        if self._model is not None:
            self._engine.prepare()

    def close(self) -> None:
        """What has no vector yet gets one after the next start."""
        self._choices += 1
        self._epoch += 1
        self._again.stop()
        self._model = None
        self._engine.close()
        self._lock.unlock()

    # ----------------------------------------------------------------- questions

    def find_meaning(self, question: str, done: Callable[["SemanticQuery | None"], None]) -> None:
        """`done` is called once, soon: with None where there is no model or no vector, at once, or where it is late."""
        model = self._model
        if model is None or not self.has_vectors:
            done(None)
            return
        asked = [done]

        def answer(rows: Rows | None) -> None:
            if asked:
                asked.pop()(_semantic_query(model, question, rows) if rows else None)

        QTimer.singleShot(round(1000 * self.question_limit_s), self, lambda: answer(None))
        self._engine.embed([model.query_prefix + question], answer)

    @property
    def is_on(self) -> bool:
        """Whether there is a model to search with."""
        return self._model is not None

    @property
    def has_vectors(self) -> bool:
        """Whether any section has one."""
        return self._model is not None and self._model.vectors.count() > 0

    @property
    def pid(self) -> int:
        """Of the child; 0 while there is none."""
        return self._engine.pid

    # ---------------------------------------------------------------- background

    def look(self) -> None:
        """Documents have come or changed, perhaps: sections without a vector get one."""
        model, epoch = self._model, self._epoch
        if model is None:
            return
        if self._is_looking or self._is_working:
            self._looks_again = True
            return
        self._is_looking, self._error = True, None
        documents = self._documents

        def look() -> "EmbeddingBacklog":
            from app.documents.retrieval import semantic_index

            return semantic_index.find_backlog(documents, model.vectors)

        if not self._may_work():
            self._is_looking = False
            self._again.start()
            self._stand()
            return
        self._stand()
        background.run(look, lambda backlog: self._on_looked(epoch, backlog), lambda error: self._stop(epoch, error))

    def set_paused(self, is_paused: bool) -> None:
        """While an answer is being written. What has begun is finished."""
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            self._next()

    # ------------------------------------------------------------------- private

    def _on_chosen(self, choice: int, chosen: "EmbeddingModel | None") -> None:
        if choice != self._choices:
            return
        if not _is_same(chosen, self._model):
            self._set_model(chosen)
        if chosen is None:
            self._stand()
        else:
            self.look()

    def _set_model(self, chosen: "EmbeddingModel | None") -> None:
        self._epoch += 1
        self._model = chosen
        self._engine.use(chosen.model if chosen else None)
        self._missing.clear()
        self._in_hand = []
        self._total = self._failures = 0
        self._is_working = self._is_looking = False
        self._error = None

    def _on_damaged(self, choice: int, error: AppError) -> None:
        if choice == self._choices:
            self._on_chosen(choice, None)
            self._error = error
            self._stand()

    def _on_looked(self, epoch: int, backlog: "EmbeddingBacklog") -> None:
        if epoch != self._epoch:
            return
        self._is_looking = False
        self._missing, self._total = deque(backlog.missing), backlog.total
        self._next()

    def _next(self) -> None:
        model, epoch, documents = self._model, self._epoch, self._documents
        is_busy = self._is_working or self._is_looking or self._again.isActive()
        if model is None or is_busy or self._is_paused or self._error:
            self._stand()
            return
        if not self._missing:
            self._rest(model)
            return
        ids = [self._missing.popleft() for _ in range(min(self._batch, len(self._missing)))]
        self._is_working, self._in_hand = True, ids
        self._stand()

        def read() -> dict[int, str]:
            from app.documents.retrieval import semantic_index

            return semantic_index.texts_to_embed(documents, ids)

        background.run(read, lambda texts: self._embed(epoch, texts), lambda error: self._stop(epoch, error))

    def _embed(self, epoch: int, texts: dict[int, str]) -> None:
        model = self._model
        if epoch != self._epoch or model is None:
            return
        if not texts:
            self._on_added(epoch)
            return
        began = time.monotonic()

        def done(rows: Rows | None) -> None:
            if rows is not None and epoch == self._epoch:
                seconds = max(0.001, time.monotonic() - began)
                self._batch = min(BATCH_MOST, max(1, int(len(texts) * BATCH_S / seconds)), 2 * self._batch)
                background.run(
                    lambda: _add(model, texts, rows),
                    lambda _nothing: self._on_added(epoch),
                    lambda error: self._stop(epoch, error),
                )

        self._engine.embed([model.document_prefix + text for text in texts.values()], done)

    def _on_added(self, epoch: int) -> None:
        if epoch == self._epoch:
            self._is_working, self._in_hand, self._failures = False, [], 0
            self._next()

    def _rest(self, model: "EmbeddingModel") -> None:
        self._lock.unlock()
        if self._looks_again:
            self._looks_again = False
            self.look()
            return
        self._stand()

        def forget() -> None:
            from app.documents.retrieval import semantic_index

            semantic_index.delete_other_vectors(model)

        background.run(forget, lambda _nothing: None, lambda _error: None)

    def _on_failed(self, error: AppError) -> None:
        self._stop(self._epoch, error)

    def _stop(self, epoch: int, error: AppError) -> None:
        """Tried once more; then only after the next `look`."""
        if epoch != self._epoch or not (self._is_working or self._is_looking):
            return
        self._missing.extend(self._in_hand)
        self._in_hand = []
        self._is_working = self._is_looking = False
        self._failures += 1
        self._lock.unlock()
        if self._failures < TRIES:
            self._again.start()
        else:
            self._failures, self._error = 0, error
        self._stand()

    def _may_work(self) -> bool:
        """A lock that cannot be made for another reason (odd file systems) does not keep anybody from it."""
        has_lock = self._lock.isLocked() or self._lock.tryLock(0)
        return has_lock or self._lock.error() != QLockFile.LockError.LockFailedError

    def _stand(self) -> None:
        done = self._total - len(self._missing) - len(self._in_hand)
        standing = EmbeddingStatus(self._phase(), done, self._total, self._error)
        if standing != self.standing:
            self.standing = standing
            self.stood.emit(standing)

    def _phase(self) -> str:
        if self._error is not None:
            return "failed"
        if self._model is None:
            return "off"
        if self._is_looking or (self._again.isActive() and self._failures and not self._missing):
            return "looking"
        if self._again.isActive() and not self._failures:
            return "elsewhere"
        if self._missing and self._is_paused:
            return "paused"
        return "working" if self._missing or self._is_working else "idle"


def _is_same(one: "EmbeddingModel | None", other: "EmbeddingModel | None") -> bool:
    if one is None or other is None:
        return one is other
    return one.model.path == other.model.path and one.vectors.path == other.vectors.path


def _semantic_query(model: "EmbeddingModel", question: str, rows: Rows) -> "SemanticQuery":
    import numpy as np

    from app.documents.retrieval.semantic_index import SemanticQuery

    return SemanticQuery(question, model.vectors, np.asarray(rows[0], np.float32))


def _add(model: "EmbeddingModel", texts: dict[int, str], rows: Rows) -> None:
    import numpy as np

    from app.documents.retrieval.semantic_index import text_digest

    digests = [text_digest(text) for text in texts.values()]
    model.vectors.add(list(texts), digests, np.asarray(rows, np.float32))
