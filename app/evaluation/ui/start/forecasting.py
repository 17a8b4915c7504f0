"""What the study would take, reckoned beside the dialog: one at a time, and always of the last wish."""

import dataclasses

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.services import background
from app.evaluation.services import study_making
from app.evaluation.services.study_making import Forecast, StudyWish
from app.evaluation.ui.start.study_dialog_model import StudyDialogModel

WAIT_MS = 250  # after the last key


class Forecasting(QObject):
    """`found` or `error` are of `wish`; both None: it is being reckoned, or there is none."""

    changed = Signal()

    def __init__(self, model: StudyDialogModel, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self.wish: StudyWish | None = None
        self.found: Forecast | None = None
        self.error: AppError | None = None
        self._looked_at: StudyWish | None = None  # the one that is being reckoned
        self._wait = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._wait.timeout.connect(self._begin)

    def look(self, wish: StudyWish | None) -> None:
        """None: nothing can be told. How it is called changes nothing."""
        if wish is not None:
            wish = dataclasses.replace(wish, asking=dataclasses.replace(wish.asking, name=""))
        if wish == self.wish:
            return
        self.wish, self.found, self.error = wish, None, None
        self._wait.start() if wish is not None else self._wait.stop()
        self.changed.emit()

    def _begin(self) -> None:
        wish, model = self.wish, self._model
        if wish is None or self._looked_at is not None:
            return
        self._looked_at = wish
        models = tuple(model.models())
        background.run(
            lambda: study_making.forecast(wish, model.paths, models, model.trainer()),
            self._on_found,
            self._on_refused,
        )

    def _on_found(self, found: Forecast) -> None:
        self._end(found, None)

    def _on_refused(self, error: AppError) -> None:
        self._end(None, error)

    def _end(self, found: Forecast | None, error: AppError | None) -> None:
        looked_at, self._looked_at = self._looked_at, None
        if looked_at != self.wish:  # another one is wished for by now
            self._begin()
            return
        self.found, self.error = found, error
        self.changed.emit()
