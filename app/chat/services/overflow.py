"""A conversation that no longer fits: what leaving out its oldest turns, or a wider context, would bring."""

from collections.abc import Sequence
from itertools import accumulate

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.settings import CONTEXT_CHOICES
from app.chat.records import Message
from app.chat.services.answer_run import AnswerRequest
from app.inference import prompts
from app.inference.engine.messages import Event, Failed, Tokenize, Tokenized
from app.inference.services.engine import EngineClient, EngineExit
from app.inference.services.events import ContextOverflow
from app.models import catalogue, local_models


class OverflowCounter(QObject):
    """Answers `count` with `counted`, or with `failed` when the engine cannot. What was counted waits for `take`."""

    counted = Signal(object)  # Overflow
    failed = Signal(object)  # AppError

    def __init__(self, engine: EngineClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._counting: tuple[str, Message, AppError] | None = None  # request id, answer, what it failed with
        self._counted: tuple[Message, ContextOverflow] | None = None  # the answer that did not fit, and the ways on
        engine.event_received.connect(self._on_engine_event)
        engine.died.connect(self._on_died)

    def count(self, answer: Message, request: AnswerRequest, error: AppError) -> None:
        """Asks the engine how long each turn but the last is: a prompt of that turn alone, less one without any."""
        request_id = self._engine.new_id()
        self._counting = (request_id, answer, error)
        form = local_models.form_of(request.model) or catalogue.load().forms[local_models.FALLBACK_FORM]
        alone = [(), *((turn,) for turn in request.turns[:-1])]
        self._engine.send(Tokenize(request_id, tuple(prompts.build(form, turns) for turns in alone)))

    def take(self) -> tuple[Message, ContextOverflow] | None:
        """The answer that did not fit and what would help, once."""
        counted, self._counted = self._counted, None
        return counted

    def forget(self) -> None:
        """Nobody waits for the count any more, and nothing is asked of the user."""
        self._counting = self._counted = None

    def _on_engine_event(self, event: Event) -> None:
        if self._counting is None or not isinstance(event, Tokenized | Failed) or event.id != self._counting[0]:
            return
        if isinstance(event, Failed):
            self._on_died()
            return
        (_, answer, error), self._counting = self._counting, None
        trained = self._engine.facts.trained_context_tokens if self._engine.facts else 0
        facts = error.facts
        empty, *turns = event.counts
        shorter = [facts["prompt_tokens"] - total for total in accumulate(count - empty for count in turns)]
        overflow = _overflow(shorter, facts["prompt_tokens"], facts["context_tokens"], trained)
        self._counted = (answer, overflow)
        self.counted.emit(overflow)

    def _on_died(self, *_death: EngineExit) -> None:
        """Nobody will count any more: the plain sentence has to do."""
        if self._counting is not None:
            (_, _, error), self._counting = self._counting, None
            self.failed.emit(error)


def _overflow(shorter: Sequence[int], needed: int, context: int, trained: int) -> ContextOverflow:
    """What would help. `shorter`: the prompt's tokens without its 1, 2, … oldest turns. A quarter is for the answer."""
    room = context * 3 // 4
    dropped = next((count for count, tokens in enumerate(shorter, start=1) if tokens <= room), 0)
    wider = next((size for size in CONTEXT_CHOICES if size * 3 // 4 >= needed and size > context), None)
    if wider is not None and wider > trained > 0:
        wider = trained if trained * 3 // 4 >= needed else None
    return ContextOverflow(needed, context, dropped, wider)
