"""Read documents and embed questions for a command of `kotae`, which blocks until that is done or Ctrl+C."""

import hashlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer

from app.base import invisible_characters, paths, programs, settings, wording
from app.base.cli.commands import Output
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.confidentiality import Label, Permit
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.documents import collection_lookup, records
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import Passage
from app.documents.services.embedding import Embedding, EmbeddingStatus
from app.documents.services.reranking import Reranking
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.models import local_models
from app.models.model_store import ModelStore

if TYPE_CHECKING:
    from app.documents.collection_updates import AddedFiles, RefreshResult
    from app.documents.retrieval.semantic_index import SemanticQuery


POLL_MS = 50


class CommandReading:
    """A context in which a command reads documents.

    Its methods block. They raise AppError, or KeyboardInterrupt after Ctrl+C; unread documents then stay in the queue.
    If a window of the same data folder is reading, it also reads the command's documents, and the methods wait for it.
    """

    def __init__(self, where: Paths, output: Output) -> None:
        from app.documents.services.document_library import DocumentLibrary  # a question reads no documents

        self._app = core_application()
        self._output = output
        self._problem: AppError | None = None
        self._names: Collection[str] = ()  # of the collections that the command waits for; (): all
        self._loop = CommandEventLoop(lambda: self._loop.stop())
        logs = where.logs / "docs"  # separate from the logs of a window's children
        logs.mkdir(parents=True, exist_ok=True)
        self.documents = documents = DocumentLibrary(where.documents, programs.reader_command(where.documents), logs)
        documents.failed.connect(self._on_failed)
        documents.not_opened.connect(self._on_not_opened)
        documents.write_queue.counted.connect(self._on_counted)

    def __enter__(self) -> "CommandReading":
        self._wait_for(self.documents.opened, self.documents.open)
        return self

    def __exit__(self, *_error: object) -> None:
        self.documents.close()
        background.shut_down()
        self._output.end_progress()

    @property
    def unfinished(self) -> int:
        """Return the number of documents that are not read yet."""
        known = self.documents.collections(has_attached=True)
        return sum(one.unfinished for one in known if not self._names or one.name in self._names)

    def add(
        self,
        name: str,
        label: Label | None,
        paths: list[Path],
        permit: Permit | None = None,
        entry: Permit | None = None,
    ) -> "AddedFiles":
        """Add files and folders to the collection of this name, made if necessary, and read new and changed ones.

        `label`: None keeps it. `permit`: allows a lower one. `entry`: as `permit` of `add_paths`.
        """
        documents = self.documents
        wanted = invisible_characters.remove(name).strip()
        there = next((one for one in documents.collections() if one.name == wanted), None)
        if there is None:
            collection_id: int = self._wait_for(
                documents.collection_added, lambda: documents.add_collection(name, label or "internal")
            )
        else:
            collection_id = there.id
            if label is not None:
                documents.set_label(collection_id, label, permit)
        added: AddedFiles = self._wait_for(documents.added, lambda: documents.add(collection_id, paths, entry))
        if added.known_files:
            self._refresh(collection_id)
        self.finish()
        return added

    def attach(self, paths: Sequence[Path], *, is_shown: bool = False) -> tuple[CollectionRef, ...]:
        """Read files for the question of this command. Raises AppError if one cannot be asked.

        `is_shown`: the model reads pictures.
        """
        paths_by_name = {records.new_attached_name(): path for path in paths}
        self._names = paths_by_name.keys()
        for name, path in paths_by_name.items():
            self.documents.attach(name, path, owner=str(os.getpid()))
        for _ in ("text", "recognized text of pictures"):
            self.finish()
            for one in self.documents.collections(has_attached=True):
                for document in self.documents.documents(one.id) if one.name in self._names else ():
                    if (error := self.documents.reason_not_to_ask(document, is_shown=is_shown)) is not None:
                        raise error
        return tuple(CollectionRef(0, name) for name in paths_by_name)

    def refresh(self, collection_ids: list[int]) -> "list[RefreshResult]":
        done = [self._refresh(collection_id) for collection_id in collection_ids]
        self.finish()
        return done

    def recognize(self, document_ids: list[int]) -> None:
        """Read documents again, with text recognition on pages that are images."""
        self.documents.recognize(document_ids)
        self.finish()

    def provide_manual(self, file: Path, name: str) -> None:
        self.documents.provide_manual(file, name)
        self.finish()

    def finish(self) -> None:
        """Wait until all documents are read or removed."""
        timer = QTimer(interval=POLL_MS)
        timer.timeout.connect(self._check_progress)
        timer.start()
        self._run()
        timer.stop()

    # ------------------------------------------------------------------ private

    def _refresh(self, collection_id: int) -> "RefreshResult":
        done: RefreshResult = self._wait_for(self.documents.refreshed, lambda: self.documents.refresh(collection_id))
        return done

    def _wait_for(self, signal: Any, act: Callable[[], None]) -> Any:
        """Call `act`, wait for the signal, and return the value that it carries."""
        carried: list[Any] = []

        def take(value: Any = None) -> None:
            carried.append(value)
            self._loop.stop()

        signal.connect(take)
        act()
        if not carried:
            self._run()
        signal.disconnect(take)
        return carried[0]

    def _run(self) -> None:
        if self._problem is None:
            self._loop.run()
        if self._problem is not None:
            raise self._problem
        if self._loop.was_interrupted:
            raise KeyboardInterrupt

    def _check_progress(self) -> None:
        documents = self.documents
        standing = documents.standing
        is_idle = (self._names or standing.phase == "idle") and not documents.is_busy
        if is_idle and not self.unfinished:
            self._loop.stop()
        elif standing.phase == "elsewhere":
            self._output.progress("documents.docs_elsewhere", left=self.unfinished)
        elif standing.document_id:
            part = phrase("documents.docs_part", done=standing.done, total=standing.total) if standing.total else ""
            done, total = standing.documents_done + 1, standing.documents_total
            self._output.progress("documents.docs_reading", done=done, total=total, name=standing.name, part=part)

    def _on_counted(self, count: int | None) -> None:
        if count:
            self._output.progress("documents.docs_looking", count=count)

    def _on_not_opened(self, error: AppError) -> None:
        if error.code == "documents_damaged":  # a new file replaces it, with which this command continues
            self._output.end_progress()
            print(describe_error(error), file=sys.stderr)  # noqa: T201
        else:
            self._on_failed(error)

    def _on_failed(self, error: AppError) -> None:
        self._problem = self._problem or error
        self._loop.stop()


def provide_manual(where: Paths, output: Output, name: str) -> None:
    """Read Kotae's manual if `name` is its collection and it is not stored or has changed.

    The name in the current language gives the manual in it; by its other name it keeps its language.
    """
    with closing(collection_lookup.open_library(where.documents)) as library:
        own = next((collection for collection in library.collections() if collection.is_builtin), None)
        documents = library.documents(own.id) if own else []
    name, folder = name.strip(), paths.resources() / "manual"
    file = folder / f"manual.{wording.current_language()}.md"
    if name != phrase("common.manual_collection"):
        if own is None or name != own.name:
            return
        file = next((folder / document.name for document in documents if (folder / document.name).is_file()), file)
    read = (document for document in documents if document.state in ("done", "doubtful"))
    there = next((document for document in read if document.path == str(file)), None)
    if there is None or there.sha256 != hashlib.sha256(file.read_bytes()).hexdigest():
        with CommandReading(where, output) as reading:
            reading.provide_manual(file, name)


def scope_of(names: list[str], where: Paths) -> tuple[CollectionRef, ...]:
    """Return these collections as a scope, after reading Kotae's manual among them. Raises as `find_collection`."""
    for name in names:
        provide_manual(where, Output(is_json=False), name)
    with closing(collection_lookup.open_library(where.documents)) as library:
        found = (collection_lookup.find_collection(library, name) for name in dict.fromkeys(names))
        return tuple(CollectionRef(collection.id, collection.name) for collection in found)


@contextmanager
def attached_files(
    files: Sequence[str], where: Paths, output: Output, *, is_shown: bool = False
) -> Iterator[tuple[CollectionRef, ...]]:
    """Read files for the question of a command, and yield them as a scope. Afterwards nothing of them stays.

    `is_shown`: the model reads pictures. Also removes what commands left that were killed. Raises AppError if a file
    cannot be asked.
    """
    if not files:
        yield ()
        return
    paths = [Path(os.path.abspath(Path(file).expanduser())) for file in files]  # noqa: PTH100  keeps links
    _remove_attached(where)
    try:
        with CommandReading(where, output) as reading:
            refs = reading.attach(list(dict.fromkeys(paths)), is_shown=is_shown)
        yield refs
    finally:
        _remove_attached(where)


def _remove_attached(where: Paths) -> None:
    """Remove the attached files of this command, and of commands that were killed."""
    import psutil  # here, because only a question with a file needs it

    with closing(collection_lookup.open_library(where.documents)) as library:
        for one in library.collections(has_attached=True):
            owner = int(one.attached) if one.attached.isdecimal() else None
            if owner == os.getpid() or (owner is not None and not psutil.pid_exists(owner)):
                library.remove_collection(one.id)


QUESTION_PATIENCE_S = 60.0  # a command can wait longer than a window


class QuestionEmbedder:
    """A context with the models for search, if any, whose methods block and raise KeyboardInterrupt after Ctrl+C."""

    def __init__(self, where: Paths, output: Output) -> None:
        self._output = output
        self._models = search_models(where)
        self._reranks = settings.load(where.settings).reranks
        self.embedding: Embedding | None = None
        if self._models:
            self._app = core_application()
            self._loop = CommandEventLoop(lambda: self._loop.stop())
            logs = where.logs / "docs"  # separate from the logs of a window's children
            logs.mkdir(parents=True, exist_ok=True)
            self.embedding = Embedding(child_commands.engine(), logs, where.documents)
            self.embedding.question_limit_s = QUESTION_PATIENCE_S

    def __enter__(self) -> "QuestionEmbedder":
        if self.embedding is not None:
            self.embedding.reranker.use(self._models if self._reranks else ())
            self.embedding.use_at_once(self._models)
            if self.embedding.standing.error is not None:
                self._output.note("documents.docs_by_words_only")
        return self

    def __exit__(self, *_error: object) -> None:
        if self.embedding is not None:
            self.embedding.close()
            background.shut_down()
            self._output.end_progress()

    def complete(self) -> EmbeddingStatus:
        """Wait until every section has a vector; write a note to stderr if that is impossible. Return the outcome."""
        embedding = self.embedding
        if embedding is None or not embedding.is_on:
            return EmbeddingStatus()

        def show(standing: EmbeddingStatus) -> None:
            if standing.phase in ("idle", "failed", "off"):
                self._loop.stop()
            elif standing.total:
                self._output.progress("documents.docs_embedding", done=standing.done, total=standing.total)

        embedding.status_changed.connect(show)
        embedding.look()
        if embedding.standing.phase not in ("idle", "failed", "off"):
            self._run()
        embedding.status_changed.disconnect(show)
        if embedding.standing.phase == "failed":
            self._output.note("documents.docs_by_words_only")
        return embedding.standing

    def embed_question(self, question: str) -> "SemanticQuery | None":
        """Return the embedded question, or None to search by words, which stderr says if there are vectors."""
        embedding = self.embedding
        if embedding is None or not embedding.is_on:
            return None
        found: SemanticQuery | None = self._wait_for(lambda take: embedding.find_meaning(question, take))
        if found is None and embedding.has_vectors:
            self._output.note("documents.docs_by_words_only")
        return found

    def rerank(self, question: str, passages: Sequence[Passage]) -> Reranking:
        """Return the passages in the order of a reranker, if any; stderr says if it fails."""
        embedding = self.embedding
        if embedding is None:
            return Reranking(tuple(passages))
        found: Reranking = self._wait_for(lambda take: embedding.rerank(question, passages, take))
        if found.state == "missed":
            error = found.error
            self._output.note("documents.docs_not_reranked", why=describe_error(error).message if error else "")
        return found

    def _wait_for(self, ask: Callable[[Callable[[Any], None]], object]) -> Any:
        """Call `ask` with a callback, wait until that is called, and return what it gets."""
        found: list[Any] = []

        def take(value: Any) -> None:
            found.append(value)
            self._loop.stop()

        ask(take)
        if not found:
            self._run()
        return found[0]

    def _run(self) -> None:
        self._loop.run()
        if self._loop.was_interrupted:
            raise KeyboardInterrupt


def search_models(where: Paths) -> list[LocalModel]:
    """Return the installed models for search: embedding models and rerankers."""
    if not where.database.is_file():
        return []
    with closing(ModelStore.open(where.database, where.backups)) as store:
        return [model for model in store.local_models() if local_models.is_for_search(model)]
