"""Answer the requests of an event loop of asyncio one at a time, in the thread of Qt's event loop."""

import asyncio
import contextlib
import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs
from PySide6.QtCore import QObject, Signal

from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import Passage
from app.documents.services.embedding import Embedding
from app.documents.services.reranking import Reranking
from app.documents.services.search_model_engine import Rows
from app.inference.engine.messages import Thought
from app.inference.load_plan import reads_pictures
from app.inference.services.engine import EngineClient
from app.serve.completion_request import CompletionRequest, http_error, http_error_of

if TYPE_CHECKING:  # its import needs numpy
    from app.documents.retrieval.semantic_index import SemanticQuery


WAITING_MOST = 8  # in addition to the one that is being answered
RETRY_AFTER_S = 5
TEXT_FORM = "text"  # the prompt form that is only the text
LABEL_CHECK_S = 1.0  # the interval of checks of the permit during an answer


class CompletionJob:
    """A request in the queue, and its answer: pieces of text, then exactly one AnswerOutcome or AppError.

    It is made in the event loop of asyncio, which takes the items that the thread of Qt's event loop puts.
    """

    def __init__(self, request: CompletionRequest, scope: tuple[CollectionRef, ...], permit: Permit) -> None:
        """`scope`: the collections to search. `permit`: the permission to send the answer to the client.

        The permit is checked again before the answer begins and while its text is sent, because a collection may become
        secret meanwhile.
        """
        self.request = request
        self.permit = permit
        self.scope = scope
        self.is_over = False
        self.text = ""  # what the model has written, of the items that were taken
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[str | Thought | AnswerOutcome | AppError] = asyncio.Queue()

    def put(self, item: str | Thought | AnswerOutcome | AppError) -> None:
        _call_in(self._loop, self._items.put_nowait, item)

    async def take(self, limit_s: float | None = None) -> str | Thought | AnswerOutcome | None:
        """Wait for the next item and return it; None after `limit_s`. Raises HttpError for an AppError."""
        try:
            async with asyncio.timeout(limit_s):
                item = await self._items.get()
        except TimeoutError:
            return None
        if isinstance(item, AppError):
            raise http_error_of(item)
        if isinstance(item, str):
            self.text += item
        return item


class RequestQueue(QObject):
    """The jobs. Call `submit`, `cancel` and coroutines in asyncio's event loop, the rest in this object's thread."""

    _called = Signal(object)  # Callable[[], None], to call in the thread of this object

    def __init__(
        self,
        engine: EngineClient,
        request: AnswerRequest,
        documents: Path,
        embedding: Embedding | None = None,
    ) -> None:
        """`request`: the model and the default settings of every answer; a client's settings override them.

        `engine`: loads the model and writes the answers. `documents`: the database of documents. `embedding`: embeds
        questions about documents; None: only full-text search.
        """
        super().__init__()
        self._engine = engine
        self._request = request
        self.documents = documents
        self._embedding = embedding
        self._waiting: deque[CompletionJob] = deque()
        self._job: CompletionJob | None = None
        self._run: AnswerRun | None = None
        self._has_text = False
        self._checked_at = 0.0
        self._lock = threading.Lock()
        self._count = 0  # the number of jobs that are not over
        self._is_ending = False
        self._called.connect(self._on_called)

    @property
    def sees_pictures(self) -> bool:
        return reads_pictures(self._request.model)

    @property
    def can_embed(self) -> bool:
        return self._embedding is not None and self._embedding.is_on

    async def embed(self, texts: Sequence[str]) -> Rows:
        """Return a vector of unit length for each text. Raises AppError("engine_died")."""
        embedding = self._embedding
        rows: Rows | None = await self._call(lambda done: embedding.embed(texts, done)) if embedding else None
        if rows is None:
            raise AppError("engine_died")
        return rows

    async def find_meaning(self, question: str, collection_ids: Sequence[int]) -> "SemanticQuery | None":
        """Return the embedded question; None to search by words alone."""
        embedding = self._embedding
        if embedding is None:
            return None
        found: SemanticQuery | None = await self._call(
            lambda done: embedding.find_meaning(question, done, collection_ids)
        )
        return found

    async def rerank(self, question: str, passages: Sequence[Passage]) -> Sequence[Passage]:
        """Return the passages in the order of the reranker, if there is one."""
        embedding = self._embedding
        if embedding is None:
            return passages
        order: Reranking = await self._call(lambda done: embedding.rerank(question, passages, done))
        return order.passages

    async def _call(self, act: Callable[[Callable[[Any], None]], object]) -> Any:
        """Call `act` in the thread of this object, and return what it passes to the function that it is given."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(found: Any) -> None:
            # The client may have gone.
            _call_in(loop, lambda: None if future.done() else future.set_result(found))

        self._called.emit(lambda: act(settle))
        return await future

    @property
    def count(self) -> int:
        """Return the number of waiting requests, including the one that is being answered."""
        return self._count

    def submit(self, request: CompletionRequest, scope: tuple[CollectionRef, ...], permit: Permit) -> CompletionJob:
        """Add a job that answers from `scope`. Raises HttpError if too many wait, AppError("serve_ending")."""
        job = CompletionJob(request, scope, permit)
        with self._lock:
            if self._is_ending:
                raise AppError("serve_ending")
            if self._count > WAITING_MOST:
                raise http_error(429, "busy", headers={"Retry-After": str(RETRY_AFTER_S)})
            self._count += 1
        self._called.emit(lambda: self._begin(job))
        return job

    def cancel(self, job: CompletionJob) -> None:
        """Stop or remove a job whose client no longer waits. Do nothing if it has ended."""
        if not job.is_over:
            self._called.emit(lambda: self._end_early(job))

    def end(self) -> None:
        """Accept no more jobs, and end all others with AppError("serve_ending")."""
        with self._lock:
            self._is_ending = True
        if self._run is not None:
            self._run.abandon()
        for job in (self._job, *self._waiting):
            if job is not None and not job.is_over:
                job.put(AppError("serve_ending"))
                self._close(job)
        self._waiting.clear()

    # ------------------------------------------------------------------- private

    def _on_called(self, act: Callable[[], None]) -> None:
        act()

    def _begin(self, job: CompletionJob) -> None:
        if self._is_ending:
            job.put(AppError("serve_ending"))
            self._close(job)
            return
        self._waiting.append(job)
        self._next()

    def _end_early(self, job: CompletionJob) -> None:
        if job is self._job and self._run is not None:
            self._run.stop()
        elif job in self._waiting:
            self._waiting.remove(job)
            self._close(job)

    def _next(self) -> None:
        if self._job is not None or not self._waiting:
            return
        self._job, self._has_text = self._waiting.popleft(), False
        if not self._is_still_permitted(self._job):
            return
        request = self._request_of(self._job)
        run = self._run = AnswerRun(self._engine, request, self, self._embedding)
        run.text_received.connect(self._on_text)
        run.thought_received.connect(self._on_thought)
        run.finished.connect(self._on_ended)
        run.failed.connect(self._on_ended)
        run.stopped.connect(lambda: self._on_ended(AppError("cancelled")))
        run.start()

    def _request_of(self, job: CompletionJob) -> AnswerRequest:
        request, model = job.request, self._request.model
        if request.is_text and not job.scope:
            model = dataclasses.replace(model, form_id=TEXT_FORM)
        return structs.replace(
            self._request,
            model=model,
            turns=request.turns,
            choices=request.choices.with_defaults(self._request.choices),
            retrieval=RetrievalRequest(self.documents, job.scope, request.turns) if job.scope else None,
            pictures=request.pictures,
            documents=self.documents,
            json_schema=request.json_schema,
            stop=request.stop,
        )

    def _is_still_permitted(self, job: CompletionJob) -> bool:
        """Return whether the job may still be answered. If not, end it with the AppError of `Permit.require`."""
        self._checked_at = time.monotonic()
        try:
            job.permit.require()
        except AppError as error:
            if self._run is not None:
                self._run.abandon()
            self._on_ended(error)
            return False
        return True

    def _may_send(self) -> bool:
        """Return whether the job may still be answered, which is checked before the first text and now and then."""
        is_due = time.monotonic() - self._checked_at > LABEL_CHECK_S
        return self._job is None or not (is_due or not self._has_text) or self._is_still_permitted(self._job)

    def _on_thought(self, text: str) -> None:
        if self._may_send() and self._job is not None:
            self._job.put(Thought("", text))

    def _on_text(self, text: str) -> None:
        job = self._job
        if job is None or not self._may_send():
            return
        shown = text if self._has_text or job.request.is_text else text.lstrip()  # a continued text may need a space
        self._has_text = self._has_text or bool(shown)
        if shown:
            job.put(shown)

    def _on_ended(self, outcome: AnswerOutcome | AppError) -> None:
        if isinstance(outcome, AnswerOutcome) and self._job is not None and not self._is_still_permitted(self._job):
            return
        job, run, self._job, self._run = self._job, self._run, None, None
        if run is not None:
            run.deleteLater()
        if job is not None and not job.is_over:
            job.put(outcome)
            self._close(job)
        if not self._is_ending:
            self._next()

    def _close(self, job: CompletionJob) -> None:
        job.is_over = True
        with self._lock:
            self._count -= 1


def _call_in(loop: asyncio.AbstractEventLoop, act: Callable[..., object], *facts: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
        loop.call_soon_threadsafe(act, *facts)
