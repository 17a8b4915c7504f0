"""What was compared answers questions from now on: its model, and the collections that it was asked with, in a new
conversation."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.services.chat_session import ChatSession
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.evaluation.report.result_shown import obstacle, row_of
from app.evaluation.results import System
from app.inference.local_model import LocalModel
from app.uikit.page import Navigation


class Using(QObject):
    undo_offered = Signal(str, object)  # what was done, and a function that undoes it
    failed = Signal(object)  # AppError

    def __init__(
        self,
        session: ChatSession,
        models: Callable[[], Sequence[LocalModel]],
        collections: Callable[[], Sequence[DocumentCollection]],
        navigation: Navigation,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._models = models
        self._collections = collections
        self._navigation = navigation

    def use(self, system: System) -> None:
        """Use it on the page 質問, where nothing is asked yet. `failed`: as of `obstacle`, system_no_collection."""
        try:
            models = self._models()
            why_not = obstacle(system, models)
            if why_not is not None:
                raise why_not
            model, scope = row_of(system, models), self._scope(system)
            assert model is not None
        except AppError as error:
            self.failed.emit(error)
            return
        before = self._session.model_id
        self._session.new()
        self._session.ask_of(scope)
        self._session.use_model(model.id)
        self._navigation.page_requested.emit("ask")
        if before and before != model.id:
            said = phrase("evaluation.switched_to_name", name=model.name)
            self.undo_offered.emit(said, lambda: self._session.use_model(before))

    def _scope(self, system: System) -> tuple[CollectionRef, ...]:
        """Raises AppError("system_no_collection")."""
        known = {one.name: one for one in self._collections()}
        for name in system.collections:
            if name not in known:
                raise AppError("system_no_collection", name=system.name, collection=name)
        return tuple(CollectionRef(known[name].id, name) for name in system.collections)
