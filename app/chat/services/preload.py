"""Loads the models ahead, while the first question is being typed."""

from PySide6.QtCore import QObject

from app.base.services import background
from app.base.services.preferences import Preferences
from app.chat.services import answer_run
from app.chat.services.chat import ChatSession
from app.documents.services.embedding import Embedding
from app.inference import load_plan
from app.inference.services.engine import EngineClient


class Preload(QObject):
    def __init__(
        self,
        session: ChatSession,
        engine: EngineClient,
        preferences: Preferences,
        parent: QObject | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._preferences = preferences
        self._prepared_id = ""
        self.is_on = True
        self._embedding = embedding

    def begin(self) -> None:
        """Called at every key. What goes wrong is said when the question is asked. No server elsewhere hears of it."""
        session, engine = self._session, self._engine
        if not self.is_on:
            return
        if self._embedding is not None and session.scope:
            self._embedding.prepare()
        model = session.model
        is_needed = engine.facts is None and engine.loading is None and not session.is_busy and not engine.refusal
        if model is None or model.remote is not None or not is_needed or self._prepared_id == model.id:
            return
        self._prepared_id = model.id
        settings = self._preferences.value

        def send(plan: load_plan.LoadPlan) -> None:
            if not session.is_busy and engine.facts is None and not engine.refusal:
                answer_run.load(engine, model.name, plan)

        background.run(lambda: load_plan.plan_load(model, settings), send, lambda _error: None)
