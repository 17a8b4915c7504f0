"""Many answers, one after another, each told before the next is asked."""

import functools
import statistics
from collections import deque
from collections.abc import Callable, Hashable, Iterable

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.chat.services.answer_run import AnswerRequest, AnswerRun, Outcome
from app.documents.services.embedding import Embedding
from app.inference.services.engine import EngineClient

RATED = 20  # answers, the latest: the time that is left is told from them
TRIES = 2  # of a question at which the engine dies: whatever else has killed it seldom does so twice
DEATHS_MOST = 4  # of the engine one after another: more are no fault of one question
# What one question can do; everything else would happen to the next one too.
_OF_ONE_QUESTION = frozenset({"context_full", "decode_failed", "text_unreadable"})
DEATHS = frozenset({"engine_died", "engine_hung"})  # not the question's doing, as far as anybody knows


class AnswerQueue(QObject):
    """Ends with exactly one `ended`, unless it is abandoned. It may be stopped from within each of its signals."""

    asked = Signal(object)  # key: it is answered next, as soon as nobody holds the queue
    answered = Signal(object, str, object)  # key, text, Outcome
    refused = Signal(object, object)  # key, AppError: this one cannot be answered; the others go on
    ended = Signal(object)  # AppError that would meet all the others; None: nothing is left, or it was stopped

    def __init__(
        self,
        engine: EngineClient,
        template_command: list[str],
        request_of: Callable[[Hashable], AnswerRequest],
        parent: QObject | None = None,
        embedding: Embedding | None = None,
        permit: Callable[[str], None] | None = None,
    ) -> None:
        """`request_of`: a key's, made when its turn comes. `embedding`: as of `AnswerRun`. `permit`: called in the
        background with the text of an answer before that is handed out to be kept; its AppError ends the queue."""
        super().__init__(parent)
        self._engine = engine
        self._template_command = template_command
        self._request_of = request_of
        self._embedding = embedding
        self._permit = permit
        self._answer: tuple[str, Outcome] | None = None  # that waits for the permit
        self.pending: deque[Hashable] = deque()  # the first one is being answered
        self._run: AnswerRun | None = None
        self._text = ""
        self._deaths = 0
        self._tries = 0  # of the first one
        self._durations: deque[float] = deque(maxlen=RATED)
        self._held_by: set[str] = set()
        self._is_started = self._is_stopping = self._is_over = False

    def start(self, keys: Iterable[Hashable]) -> None:
        self.pending.extend(keys)
        self._is_started = True
        self._next()

    @property
    def is_answering(self) -> bool:
        return self._run is not None or self._answer is not None

    @property
    def left_s(self) -> int | None:
        """None until it can be told."""
        return round(statistics.fmean(self._durations) * len(self.pending)) if self._durations else None

    def hold(self, by: str) -> None:
        """After the answer that is being written, until everybody who holds it has let it go."""
        self._held_by.add(by)

    def release(self, by: str) -> None:
        self._held_by.discard(by)
        if self._is_started and not self._is_over and not self.is_answering and not self._held_by:
            self._next()

    def stop(self) -> None:
        """Drops the answer that is being written; one that is written, and only being checked, is the last."""
        if self._is_over:
            return
        self._is_stopping = True
        if self._run is not None:
            self._run.stop()
        elif self._answer is None:
            self._end(None)

    def abandon(self) -> None:
        """At once, and says nothing more."""
        self._is_over = True
        if self._run is not None:
            self._run.abandon()
            self._forget_run()

    # ------------------------------------------------------------------- private

    def _next(self) -> None:
        if self._is_over:
            return
        if not self.pending or self._is_stopping:
            self._end(None)
            return
        self.asked.emit(self.pending[0])
        if self._held_by or self._is_over:
            return
        self._text = ""
        self._tries += 1
        request = self._request_of(self.pending[0])
        run = self._run = AnswerRun(self._engine, self._template_command, request, self, self._embedding)
        run.text_received.connect(self._on_text)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.stopped.connect(self._on_stopped)
        run.start()

    def _on_text(self, piece: str) -> None:
        self._text += piece

    def _on_finished(self, outcome: Outcome) -> None:
        if outcome.done.stop_reason == "cancelled":
            self._on_stopped()
            return
        self._deaths = 0
        self._durations.append(outcome.total_s)
        self._forget_run()
        self._answer = self._text, outcome
        if self._permit is None:
            self._hand_out(None)
        else:  # a look into a database, for which a window cannot wait
            background.run(functools.partial(self._permit, self._text), self._hand_out, self._keep_back)

    def _hand_out(self, _nothing: None) -> None:
        if self._answer is None or self._is_over:
            return
        (text, outcome), self._answer = self._answer, None
        self.answered.emit(self._take(), text, outcome)
        self._next()

    def _keep_back(self, error: AppError) -> None:
        self._answer = None
        self._end(error)

    def _on_failed(self, error: AppError) -> None:
        is_death = error.code in DEATHS
        self._deaths += is_death
        if is_death and self._tries < TRIES and self._deaths <= DEATHS_MOST:
            self._forget_run()
            self._next()
            return
        if error.code in _OF_ONE_QUESTION or (is_death and self._deaths <= DEATHS_MOST):
            self._forget_run()
            self.refused.emit(self._take(), error)
            self._next()
            return
        self._forget_run()
        self._end(error)

    def _on_stopped(self) -> None:
        self._forget_run()
        self._end(None)

    def _take(self) -> Hashable:
        self._tries = 0
        return self.pending.popleft()

    def _forget_run(self) -> None:
        if self._run is not None:
            self._run.deleteLater()
            self._run = None

    def _end(self, error: AppError | None) -> None:
        if not self._is_over:
            self._is_over = True
            self.ended.emit(error)
