"""Forecast each preset in the background while the user chooses one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.background import LongTask, TaskProgress
from app.inference import speed
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training import run_plan, training_errors
from app.training.data.rows import PARTS
from app.training.drafts import TrainingDraft
from app.training.run_plan import PlannedDevice, RunPlan
from trainer import spec
from trainer.spec import PRESETS, RunSpec, SpecError

_WITHOUT_COST = ("samples", "sample_tokens", "seed")  # settings that affect neither memory nor time


@dataclass(frozen=True, slots=True)
class PresetForecast:
    """The forecast of a preset with the draft's settings.

    `left`: the value that each of these settings would have in the preset.
    """

    plan: RunPlan
    left: Mapping[str, Any]


class PresetForecasts(QObject):
    """Computes the forecasts of all presets.

    `look` starts the work, and `changed` is emitted after each forecast. Tokens are estimated from characters.
    """

    changed = Signal()

    def __init__(self, paths: Paths, models: Callable[[], Sequence[LocalModel]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paths = paths
        self._models = models
        self._request: tuple[Any, ...] = ()
        self._task: LongTask | None = None
        self._prepared: _Prepared | None = None
        self._left: list[str] = []  # presets still to forecast
        self.forecasts: dict[str, PresetForecast] = {}  # the keys are presets
        self.error: AppError | None = None  # the reason if there are no forecasts

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def look(self, draft: TrainingDraft) -> None:
        """Start the forecasts if their input has changed, and stop earlier ones. The draft's own preset comes first."""
        frozen, settings = draft.frozen, {k: v for k, v in draft.settings.items() if k not in _WITHOUT_COST}
        asked = (draft.base, frozen.folder if frozen else "", settings)
        if asked == self._request:
            return
        self._request = asked
        self.stop()
        self.forecasts, self.error = {}, None
        if draft.base and frozen is not None:
            self._left = sorted(PRESETS, key=lambda preset: preset != draft.preset)
            paths, models = self._paths, self._models()
            self._do(lambda _progress: _prepared(draft, paths, models))
        self.changed.emit()

    def stop(self) -> None:
        if self._task is not None:
            self._task.drop()
            self._task = None

    # ------------------------------------------------------------- private methods

    def _do(self, work: Callable[[TaskProgress], "PresetForecast | _Prepared"]) -> None:
        self._task = background.run_long(work, self._on_result, self._on_failed)

    def _on_result(self, result: "PresetForecast | _Prepared") -> None:
        self._task = None
        if isinstance(result, PresetForecast):
            self.forecasts[self._left.pop(0)] = result
        else:
            self._prepared = result
        if self._left:
            made, preset = self._prepared, self._left[0]
            assert made is not None
            self._do(lambda progress: _outlook(made, preset, progress))
        self.changed.emit()

    def _on_failed(self, error: AppError) -> None:
        self._task, self.error = None, error
        self.changed.emit()


@dataclass(frozen=True, slots=True)
class _Prepared:
    requested: RunSpec
    settings: Mapping[str, Any]
    device: PlannedDevice


def _prepared(draft: TrainingDraft, paths: Paths, models: Sequence[LocalModel]) -> _Prepared:
    """Return the spec and the device, without hashing or verifying files. Raises AppError: base_*, spec_*."""
    assert draft.frozen is not None
    folder = Path(draft.frozen.folder)
    places = {"folder": str(paths.runs / "-"), "base": str(_base(draft.base, models))}
    parts = {part: str(folder / f"{part}.jsonl") for part in PARTS}
    try:
        asked = spec.from_json(draft.settings | places | parts)
    except SpecError as error:
        raise training_errors.error_from_spec(error) from error
    device = run_plan.find_device(asked.device, paths.data / speed.FILE_NAME)
    return _Prepared(asked, draft.settings, device)


def _base(reference: str, models: Sequence[LocalModel]) -> Path:
    path = base_models.existing_path(reference)
    if path is not None:
        return path
    model = base_models.find_listed(reference, models)
    if model is None:
        raise (
            AppError("base_starter_missing")
            if reference == base_models.STARTER
            else AppError("base_unknown", wanted=reference)
        )
    return Path(model.path)


def _outlook(prepared: _Prepared, preset: str, progress: TaskProgress) -> PresetForecast:
    left = {name: getattr(_plan(prepared, preset, name, progress).spec, name) for name in prepared.settings}
    return PresetForecast(_plan(prepared, preset, "", progress), left)


def _plan(prepared: _Prepared, preset: str, without: str, progress: TaskProgress) -> RunPlan:
    """Return the plan of a preset. `without`: a setting to reset to the preset's value; "" for none."""
    progress.check()
    fields = spec.to_json(prepared.requested) | {"preset": preset}
    asked = spec.from_json({name: value for name, value in fields.items() if name != without})
    return run_plan.plan_run(asked, None, lambda _kind: prepared.device)
