"""Searching by meaning in commands: the vectors of sections and questions, where an embedding model is installed."""

from typing import TYPE_CHECKING

from app.base.cli.commands import Output
from app.base.cli.loop import CommandLoop, core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.documents.services.embedding import Embedding, EmbeddingStanding
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.models import local_models
from app.models.model_store import ModelStore

if TYPE_CHECKING:  # numpy
    from app.documents.retrieval.fusion import Meaning

PATIENCE_S = 60.0  # a command can wait longer than a window


class Meanings:
    """A context. Without an embedding model nothing is started, and no question has a meaning.

    Methods block; they raise KeyboardInterrupt after Ctrl+C: what was embedded stays.
    """

    def __init__(self, where: Paths, output: Output) -> None:
        self._output = output
        self._models = _models(where)
        self.embedding: Embedding | None = None
        if self._models:
            self._app = core_application()
            self._waiting = CommandLoop(lambda: self._waiting.stop())
            logs = where.logs / "docs"  # not those of a window's children
            logs.mkdir(parents=True, exist_ok=True)
            self.embedding = Embedding(child_commands.engine(), logs, where.documents)
            self.embedding.question_limit_s = PATIENCE_S

    def __enter__(self) -> "Meanings":
        if self.embedding is not None:
            try:
                self.embedding.use_at_once(self._models)
            except AppError:
                self._output.note("documents.docs_by_words_only")
        return self

    def __exit__(self, *_error: object) -> None:
        if self.embedding is not None:
            self.embedding.close()
            background.shut_down()
            self._output.end_progress()

    def complete(self) -> None:
        """Returns when every section has a vector, or, saying so, when that cannot be."""
        embedding = self.embedding
        if embedding is None or not embedding.is_on:
            return

        def show(standing: EmbeddingStanding) -> None:
            if standing.phase in ("idle", "failed", "off"):
                self._waiting.stop()
            elif standing.total:
                self._output.progress("documents.docs_embedding", done=standing.done, total=standing.total)

        embedding.stood.connect(show)
        embedding.look()
        if embedding.standing.phase not in ("idle", "failed", "off"):
            self._run()
        embedding.stood.disconnect(show)
        if embedding.standing.phase == "failed":
            self._output.note("documents.docs_by_words_only")

    def of(self, question: str) -> "Meaning | None":
        """None: it is searched by words alone; where there are vectors to compare with, that is said."""
        embedding = self.embedding
        if embedding is None or not embedding.is_on:
            return None
        found: list[Meaning | None] = []

        def take(meaning: "Meaning | None") -> None:
            found.append(meaning)
            self._waiting.stop()

        embedding.find_meaning(question, take)
        if not found:
            self._run()
        if found[0] is None and embedding.has_vectors:
            self._output.note("documents.docs_by_words_only")
        return found[0]

    def _run(self) -> None:
        self._waiting.run()
        if self._waiting.was_interrupted:
            raise KeyboardInterrupt


def _models(where: Paths) -> list[LocalModel]:
    if not where.database.is_file():
        return []
    store = ModelStore.open(where.database, where.backups)
    try:
        return [model for model in store.local_models() if local_models.is_for_search(model)]
    finally:
        store.close()
