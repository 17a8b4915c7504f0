"""Reorder the first passages of a search by a reranker, which reads each found section with the question.

After a failure or too long a time the order stays as it was.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.documents.grounding import source_citations
from app.documents.records import Passage, with_heading
from app.documents.services.search_model_engine import SearchModelEngine
from app.inference.engine.messages import Ranked
from app.inference.local_model import LocalModel
from app.models import local_models

# Passages. With bge-reranker-v2-m3 (8 bits) twelve pairs of 100, 200 and 400 tokens took 11, 18 and 34 s on one thread.
RERANKED = 12


class Reranking(Struct, frozen=True):
    """Passages in their final order.

    `state`: "" (no reranker is in use, or nothing was to be ordered) | used | missed (it failed or was late, and the
    order is that of the search). `seconds`: how long it took. `error`: why it failed; None: it was late.
    """

    passages: tuple[Passage, ...]
    state: str = ""
    seconds: float = 0.0
    error: AppError | None = None


class Reranker(QObject):
    """The reranker in use, with its child process."""

    measured = Signal(str, float)  # id of the model, seconds for a question

    def __init__(self, command: list[str], log: Path, parent: QObject | None = None) -> None:
        """Create the object without a model. `command`: starts an engine child."""
        super().__init__(parent)
        self._engine = SearchModelEngine(command, log, self)
        self._engine.failed.connect(self._on_failed)
        self._model: LocalModel | None = None
        self._error: AppError | None = None  # of the request that has just failed

    def use(self, models: Sequence[LocalModel]) -> None:
        """Use the reranker among these models that was added last, or none; it is loaded when it is needed."""
        model = max(filter(local_models.is_reranker, models), key=lambda one: one.added_at, default=None)
        if (model and model.path) != (self._model and self._model.path):
            self._engine.use(model)
        self._model = model

    def load_model(self) -> None:
        if self._model is not None:
            self._engine.load_model()

    @property
    def pid(self) -> int:
        """Return the process id of the child; 0 while there is none."""
        return self._engine.pid

    def rerank(
        self, question: str, passages: Sequence[Passage], on_done: Callable[[Reranking], None], limit_s: float
    ) -> str:
        """Reorder all but named clauses; call `on_done` once, in `limit_s` at the latest; return an id for `cancel`."""
        model, before = self._model, tuple(passages)
        named, others = [one for one in before if one.named], [one for one in before if not one.named]
        ordered, rest = others[:RERANKED], others[RERANKED:]
        if model is None or len(ordered) < 2:
            on_done(Reranking(before))
            return ""
        pending = [on_done]

        def answer(ranked: Ranked | None) -> None:
            if not pending:
                return
            if ranked is None:
                pending.pop()(Reranking(before, "missed", error=self._error))
                return
            self.measured.emit(model.id, ranked.seconds)
            by_score = sorted(zip(ranked.scores, ordered, strict=True), key=lambda pair: -pair[0])
            order = (*named, *(passage for _, passage in by_score), *rest)
            found = tuple(dataclasses.replace(one, rank=rank) for rank, one in enumerate(order, start=1))
            pending.pop()(Reranking(found, "used", ranked.seconds))

        def give_up() -> None:
            if pending:
                self._engine.cancel(request_id)
                self.measured.emit(model.id, limit_s)  # at least
                answer(None)

        self._error = None
        request_id = self._engine.rank(question, [_text_of(one) for one in ordered], answer)
        QTimer.singleShot(round(1000 * limit_s), self, give_up)
        return request_id

    def cancel(self, request_id: str) -> None:
        """Stop reordering; `on_done` is called as late as without this call, with the order as it was."""
        self._engine.cancel(request_id)

    def _on_failed(self, error: AppError) -> None:
        self._error = error


def _text_of(passage: Passage) -> str:
    found = source_citations.found_part(passage)
    return with_heading(found.heading, found.text)
