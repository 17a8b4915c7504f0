"""Whether each model fits into the memory that is free now, and how fast it would be, computed off the GUI thread."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.inference import gguf, speed
from app.inference import machine as rooms
from app.inference.local_model import LocalModel
from app.inference.machine import MemoryBudget
from app.inference.memory_estimate import estimate_memory
from app.inference.services.engine import EngineClient, reclaimable_bytes
from app.inference.speed import MachineSpeed, PredictedSpeed
from app.models import catalogue, model_fit
from app.models.catalogue import ModelCard
from app.models.model_fit import FitAdvice, ModelFit

NO_ADVICE = FitAdvice()


@dataclass(frozen=True, slots=True)
class FitResult:
    fit: ModelFit
    advice: FitAdvice = NO_ADVICE  # where it does not fit
    predicted: PredictedSpeed | None = None  # None: this machine was not measured, or the model answers nothing

    @property
    def verdict(self) -> str:
        return self.fit.judgement.verdict


@dataclass(frozen=True, slots=True)
class FitResults:
    """`models`: by path. `cards`: by id, then by quantization."""

    models: Mapping[str, FitResult] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, FitResult]] = field(default_factory=dict)
    room: MemoryBudget | None = None  # None: not looked at yet
    speed: MachineSpeed | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    models: tuple[LocalModel, ...]
    context_tokens: int
    kv_type: str


class FitChecker(QObject):
    """`judge` asks; `changed` follows when `findings` are new."""

    changed = Signal()
    measured = Signal()  # the speed of this machine

    def __init__(
        self, preferences: Preferences, engine: EngineClient, speed_file: Path, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._engine = engine
        self._speed_file = speed_file
        self._asked: _Question | None = None
        self._generation = 0
        self.is_measuring = False
        self.findings = FitResults()

    def judge(self, models: Sequence[LocalModel], *, again: bool = False) -> None:
        """Looks at these models and at the catalogue. Without `again`, only if something else is asked than before."""
        settings = self._preferences.value
        question = _Question(tuple(models), settings.context_tokens, settings.kv_type)
        if question == self._asked and not again:
            return
        self._asked = question
        self._generation += 1
        generation, reclaimable, file = self._generation, reclaimable_bytes(self._engine), self._speed_file
        background.run(lambda: (generation, _findings(question, reclaimable, file)), self._on_found, self._on_failed)

    def measure_speed(self) -> None:
        """Some seconds of work for all but one core; `measured` follows, and `changed`."""
        if not self.is_measuring:
            self.is_measuring = True
            file = self._speed_file
            background.run(lambda: speed.save(file, speed.measure()), self._on_measured, self._on_failed)

    def _on_found(self, found: tuple[int, FitResults]) -> None:
        generation, findings = found
        if generation == self._generation:
            self.findings = findings
            self.changed.emit()

    def _on_measured(self, _nothing: None) -> None:
        self.is_measuring = False
        self.measured.emit()
        if self._asked is not None:
            self.judge(self._asked.models, again=True)

    def _on_failed(self, _error: AppError) -> None:
        self.is_measuring = False
        self.measured.emit()


def _findings(question: _Question, reclaimable: int, speed_file: Path) -> FitResults:
    there, here, book = rooms.measure_memory(reclaimable), speed.load(speed_file), catalogue.load()
    context, kv_type = question.context_tokens, question.kv_type
    models: dict[str, FitResult] = {}
    for model in question.models:
        card = book.card(model.card_id)
        try:
            header = gguf.check_model(Path(model.path), every_token=False)
        except AppError:
            continue  # the page says what is wrong with a file when it is used
        found = model_fit.fit_of_file(header, context, there, kv_type)
        advice = NO_ADVICE
        if found.judgement.verdict == "insufficient":
            advice = model_fit.advise(
                functools.partial(estimate_memory, header, kv_type=kv_type),
                found.context_tokens, there, card, found.needed.weights_bytes, book,
            )  # fmt: skip
        models[model.path] = FitResult(found, advice, _predicted(here, found, card))
    cards = {card.id: _of_card(card, context, kv_type, there, here, book) for card in book.cards}
    return FitResults(models, cards, there, here)


def _of_card(
    card: ModelCard,
    context: int,
    kv_type: str,
    there: MemoryBudget,
    here: MachineSpeed | None,
    book: catalogue.Catalogue,
) -> dict[str, FitResult]:
    judged: dict[str, FitResult] = {}
    for file in card.files:
        found = model_fit.fit_of_card(card, file, context, there, kv_type)
        advice = NO_ADVICE
        if found.judgement.verdict == "insufficient":
            advice = model_fit.advise(
                functools.partial(model_fit.estimate_card, card, file, kv_type=kv_type),
                found.context_tokens, there, card, file.size_bytes, book,
            )  # fmt: skip
        judged[file.quantization] = FitResult(found, advice, _predicted(here, found, card))
    return judged


def _predicted(here: MachineSpeed | None, found: ModelFit, card: ModelCard | None) -> PredictedSpeed | None:
    if here is None or (card is not None and card.kind != "chat"):
        return None
    return speed.predict(here, found.needed, found.parameters, card.active_share if card else 1.0)
