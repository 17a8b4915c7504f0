"""Try a new model: load it as any other and let it write a few tokens. Then it may be called finished."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from app.base import wording
from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.inference import child_commands, gguf, load_plan, prompts
from app.inference.engine.messages import Ask, Done, Event, Failed, Load, Ready, Sampling, Token
from app.inference.local_model import LocalModel
from app.inference.prompts import Segment, Turn
from app.inference.services import template_renderer
from app.inference.services.engine import EngineClient, EngineExit
from app.inference.services.template_renderer import TemplateRenderer
from app.models import catalogue, local_models
from app.models.catalogue import CardSampling

TOKENS = 16
_SETTINGS = dataclasses.replace(Settings(), context_tokens=512, repack="off")


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """`text` is None where the memory does not suffice to load the model now: it was not tried."""

    text: str | None
    tokens_per_s: float = 0.0


class TrialAnswer(QObject):
    """Calls exactly one of `done` and `failed`, unless it is stopped. The engine is its own and ends with it."""

    def __init__(
        self,
        engine: list[str],
        log: Path,
        model: LocalModel,
        done: Callable[[Trial], None],
        failed: Callable[[AppError], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._done, self._failed = done, failed
        self._model, self._adapters = local_models.in_use(model, None)
        self._text = self._load_id = self._ask_id = ""
        self._renderer: TemplateRenderer | None = None
        self._is_over = False
        self._engine = EngineClient(engine, log, self)
        self._engine.event_received.connect(self._on_event)
        self._engine.died.connect(self._on_died)
        background.run(lambda: load_plan.plan_load(model, _SETTINGS), self._load, self._fail)

    def stop(self) -> None:
        """Blocks for a moment."""
        self._is_over = True
        if self._renderer is not None:
            self._renderer.cancel()
        self._engine.shut_down()

    def _load(self, plan: load_plan.LoadPlan) -> None:
        if not self._is_over:
            self._load_id = self._engine.new_id()
            self._engine.send(Load(id=self._load_id, **plan.fields()))

    def _build_prompt(self, end_text: str) -> None:
        turns = (Turn(wording.phrase("models.trial_question")),)
        form = local_models.form_of(self._model)
        if form is not None:
            self._ask(prompts.build(form, turns), form.stop)
            return
        try:
            header = gguf.read_header(Path(self._model.path))
        except AppError as error:  # the file has gone since it was loaded
            self._fail(error)
            return
        body = template_renderer.request(header.chat_template, turns, end=end_text)
        self._renderer = TemplateRenderer(child_commands.template(), body, self._ask, self._fail)

    def _ask(self, segments: tuple[Segment, ...], stop: tuple[str, ...] = ()) -> None:
        card = catalogue.load().card(self._model.card_id)
        recommended = dataclasses.asdict(card.sampling if card is not None else CardSampling())
        sampling = Sampling(**{**recommended, "temperature": 0, "seed": 1})
        self._ask_id = self._engine.new_id()
        self._engine.send(Ask(self._ask_id, segments, TOKENS, stop=stop, sampling=sampling, adapters=self._adapters))

    def _on_event(self, event: Event) -> None:
        if self._is_over:
            return
        match event:
            case Ready(id=self._load_id, facts=facts):
                self._build_prompt(facts.end_text)
            case Token(id=self._ask_id, text=text):
                self._text += text
            case Done(id=self._ask_id):
                self._finish(event)
            case Failed() if event.id in (self._load_id, self._ask_id):
                self._fail(AppError(event.code, **event.facts))

    def _on_died(self, death: EngineExit) -> None:
        self._fail(death.as_error())

    def _finish(self, done: Done) -> None:
        self.stop()
        timings, usage = done.timings, done.usage
        speed = usage.answer_tokens / timings.answer_s if timings.answer_s > 0 else 0.0
        self._done(Trial(self._text.strip(), round(speed, 2)))

    def _fail(self, error: AppError) -> None:
        if self._is_over:
            return
        self.stop()
        if error.code == "memory_short":
            self._done(Trial(None))
        else:
            self._failed(AppError("build_trial_failed", reason=str(error), cause=error.code))
