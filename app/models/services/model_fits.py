"""Judge in the background whether each model fits into the free memory, and how fast it would be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LatestWork
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.inference import gguf, load_plan, speed
from app.inference.local_model import LocalModel
from app.inference.machine import MemoryBudget
from app.inference.services.engine import EngineClient, reclaimable_bytes
from app.inference.speed import MachineSpeed
from app.models import catalogue
from app.models.catalogue import ModelCard
from app.models.model_fit import FitConditions, FitResult


@dataclass(frozen=True, slots=True)
class FitResults:
    """Holds the fits of all models. `models`: by path. `cards`: by card id, then by quantization."""

    models: Mapping[str, FitResult] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, FitResult]] = field(default_factory=dict)
    budget: MemoryBudget | None = None  # None: not measured yet
    speed: MachineSpeed | None = None


class FitChecker(QObject):
    """Judges models in a background thread: `judge` starts it, and `changed` reports new `findings`."""

    changed = Signal()
    measured = Signal()  # the machine's speed is measured, or measuring has failed

    def __init__(self, preferences: Preferences, engine: EngineClient, speed_file: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._engine = engine
        self._speed_file = speed_file
        # models, cards beside the catalogue's, and the settings that count: context, KV type, graphics cards
        self._request: tuple[Sequence[LocalModel], Sequence[ModelCard], Settings] | None = None
        self._judging = LatestWork()
        self.is_measuring = False
        self.findings = FitResults()

    def judge(self, models: Sequence[LocalModel], found: Sequence[ModelCard] = (), *, again: bool = False) -> None:
        """Judge these models, the catalogue, and the cards `found` at a hub.

        Without `again` only if models, cards or settings have changed.
        """
        now = self._preferences.value
        counting = Settings(context_tokens=now.context_tokens, kv_type=now.kv_type, graphics=now.graphics)
        request = (tuple(models), tuple(found), counting)
        if request == self._request and not again:
            return
        self._request = request
        reclaimable, file = reclaimable_bytes(self._engine), self._speed_file
        self._judging.run(lambda: _judge_all(*request, reclaimable, file), self._on_judged, self._on_failed)

    def measure_speed(self) -> None:
        """Measure the machine's speed: seconds of work on all but one core; `measured` follows, then `changed`."""
        if not self.is_measuring:
            self.is_measuring = True
            file = self._speed_file
            background.run(lambda: speed.save(file, speed.measure()), self._on_measured, self._on_failed)

    def _on_judged(self, findings: FitResults) -> None:
        self.findings = findings
        self.changed.emit()

    def _on_measured(self, _nothing: None) -> None:
        self.is_measuring = False
        self.measured.emit()
        if self._request is not None:
            self.judge(*self._request[:2], again=True)

    def _on_failed(self, _error: AppError) -> None:
        self.is_measuring = False
        self.measured.emit()


def _judge_all(
    models: Sequence[LocalModel], found: Sequence[ModelCard], chosen: Settings, reclaimable: int, speed_file: Path
) -> FitResults:
    here, book = FitConditions.of_settings(chosen, speed.load(speed_file), reclaimable), catalogue.load()
    judged: dict[str, FitResult] = {}
    for model in models:
        try:
            header = gguf.check_model(Path(model.path), every_token=False)
            sees = load_plan.reads_pictures(model)
            projector = gguf.check_projector(Path(model.projector), header) if sees else None
        except AppError:
            continue  # the page reports the error of a file when it is used
        recorded = load_plan.recorded_speed(model.speeds)
        judged[model.path] = here.judge_file(header, book.card(model.card_id), recorded, projector)
    cards = {
        card.id: {file.quantization: here.judge_card(card, file) for file in card.files}
        for card in (*book.cards, *found)
    }
    return FitResults(judged, cards, here.budget, here.speed)
