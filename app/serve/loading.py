"""The model is loaded before anybody may ask: what forbids it is said at once, and the first answer need not wait."""

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.chat.services import answer_run
from app.chat.services.answer_run import AnswerRequest
from app.inference import load_plan
from app.inference.engine.messages import Event, Failed, LoadProgress, Ready
from app.inference.load_plan import Plan
from app.inference.services.engine import EngineClient
from app.models import tuned_models


class Loading(QObject):
    """Ends with exactly one of `done` and `failed`."""

    progressed = Signal(float)  # 0 to 1
    done = Signal()
    failed = Signal(object)  # AppError

    def __init__(self, engine: EngineClient, request: AnswerRequest, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._request = request
        self._id = ""

    def start(self) -> None:
        self._engine.event_received.connect(self._on_event)
        self._engine.died.connect(self._on_died)
        background.run(lambda: _planned(self._request), self._on_planned, self._fail)

    def _on_planned(self, plan: Plan) -> None:
        self._id = answer_run.load(self._engine, self._request.model.name, plan)

    def _on_event(self, event: Event) -> None:
        match event:
            case LoadProgress(id=self._id):
                self.progressed.emit(event.fraction)
            case Ready(id=self._id):
                self._end()
                self.done.emit()
            case Failed(id=self._id):
                self._fail(AppError(event.code, **event.facts))

    def _on_died(self, _death: object) -> None:
        self._fail(AppError("serve_engine_gone"))

    def _fail(self, error: AppError) -> None:
        self._end()
        self.failed.emit(error)

    def _end(self) -> None:
        self._engine.event_received.disconnect(self._on_event)
        self._engine.died.disconnect(self._on_died)


def _planned(request: AnswerRequest) -> Plan:
    """Raises AppError as both."""
    tuned_models.require_unchanged(request.model)
    return load_plan.plan(request.model, request.settings)
