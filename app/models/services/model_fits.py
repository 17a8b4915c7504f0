"""Judge in the background whether each model fits into the free memory, and how fast it would be."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.inference import gguf, machine, speed
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
    """A model's or published file's fit, with advice and speed."""

    fit: ModelFit
    advice: FitAdvice = NO_ADVICE  # empty if it fits
    predicted: PredictedSpeed | None = None  # None: the machine's speed is not measured, or the model is no chat model

    @property
    def verdict(self) -> str:
        return self.fit.judgement.verdict


@dataclass(frozen=True, slots=True)
class FitResults:
    """The fits of all models. `models`: by path. `cards`: by id, then by quantization."""

    models: Mapping[str, FitResult] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, FitResult]] = field(default_factory=dict)
    budget: MemoryBudget | None = None  # None: not measured yet
    speed: MachineSpeed | None = None


@dataclass(frozen=True, slots=True)
class _FitRequest:
    models: tuple[LocalModel, ...]
    context_tokens: int
    kv_type: str


class FitChecker(QObject):
    """Judges models in a background thread: `judge` starts it, `changed` reports new `findings`."""

    changed = Signal()
    measured = Signal()  # the machine's speed is measured, or measuring has failed

    def __init__(
        self, preferences: Preferences, engine: EngineClient, speed_file: Path, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._engine = engine
        self._speed_file = speed_file
        self._request: _FitRequest | None = None
        self._generation = 0
        self.is_measuring = False
        self.findings = FitResults()

    def judge(self, models: Sequence[LocalModel], *, again: bool = False) -> None:
        """Judge these models and the catalogue; without `again` only if models or settings have changed."""
        settings = self._preferences.value
        request = _FitRequest(tuple(models), settings.context_tokens, settings.kv_type)
        if request == self._request and not again:
            return
        self._request = request
        self._generation += 1
        generation, reclaimable, file = self._generation, reclaimable_bytes(self._engine), self._speed_file
        background.run(lambda: (generation, _judge_all(request, reclaimable, file)), self._on_judged, self._on_failed)

    def measure_speed(self) -> None:
        """Measure the machine's speed: seconds of work on all but one core; `measured` follows, then `changed`."""
        if not self.is_measuring:
            self.is_measuring = True
            file = self._speed_file
            background.run(lambda: speed.save(file, speed.measure()), self._on_measured, self._on_failed)

    def _on_judged(self, found: tuple[int, FitResults]) -> None:
        generation, findings = found
        if generation == self._generation:
            self.findings = findings
            self.changed.emit()

    def _on_measured(self, _nothing: None) -> None:
        self.is_measuring = False
        self.measured.emit()
        if self._request is not None:
            self.judge(self._request.models, again=True)

    def _on_failed(self, _error: AppError) -> None:
        self.is_measuring = False
        self.measured.emit()


def _judge_all(request: _FitRequest, reclaimable: int, speed_file: Path) -> FitResults:
    budget, machine_speed, book = machine.measure_memory(reclaimable), speed.load(speed_file), catalogue.load()
    context, kv_type = request.context_tokens, request.kv_type
    models: dict[str, FitResult] = {}
    for model in request.models:
        card = book.card(model.card_id)
        try:
            header = gguf.check_model(Path(model.path), every_token=False)
        except AppError:
            continue  # the page reports what is wrong with a file when it is used
        found = model_fit.fit_of_file(header, context, budget, kv_type)
        advice = NO_ADVICE
        if found.judgement.verdict == "insufficient":
            advice = model_fit.advise(
                functools.partial(estimate_memory, header, kv_type=kv_type),
                found.context_tokens, budget, card, found.needed.weights_bytes, book,
            )  # fmt: skip
        models[model.path] = FitResult(found, advice, _predict_speed(machine_speed, found, card))
    cards = {card.id: _judge_card(card, context, kv_type, budget, machine_speed, book) for card in book.cards}
    return FitResults(models, cards, budget, machine_speed)


def _judge_card(
    card: ModelCard,
    context: int,
    kv_type: str,
    budget: MemoryBudget,
    machine_speed: MachineSpeed | None,
    book: catalogue.Catalogue,
) -> dict[str, FitResult]:
    judged: dict[str, FitResult] = {}
    for file in card.files:
        found = model_fit.fit_of_card(card, file, context, budget, kv_type)
        advice = NO_ADVICE
        if found.judgement.verdict == "insufficient":
            advice = model_fit.advise(
                functools.partial(model_fit.estimate_card, card, file, kv_type=kv_type),
                found.context_tokens, budget, card, file.size_bytes, book,
            )  # fmt: skip
        judged[file.quantization] = FitResult(found, advice, _predict_speed(machine_speed, found, card))
    return judged


def _predict_speed(measured: MachineSpeed | None, found: ModelFit, card: ModelCard | None) -> PredictedSpeed | None:
    if measured is None or (card is not None and card.kind != "chat"):
        return None
    return speed.predict(measured, found.needed, found.parameters, card.active_share if card else 1.0)
