"""A study from the question what is to be compared to its first step."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LongTask, TaskProgress
from app.evaluation.question_sets import KeptSet
from app.evaluation.services import study_making
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.services.study_making import StudyWish
from app.evaluation.ui.start.study_dialog_model import StudyDialogModel
from app.uikit.theme import Theme

if TYPE_CHECKING:
    from app.evaluation.ui.start.dialog import StartDialog  # whoever only looks never needs it


class Beginning(QObject):
    asked = Signal()  # the dialog is open
    made = Signal(object)  # the new study's folder (Path)
    failed = Signal(object)  # AppError; what keeps a study from being made the dialog says itself

    def __init__(
        self,
        theme: Theme,
        evaluations: Evaluations,
        model: StudyDialogModel,
        is_training: Callable[[], bool],
        page: QWidget,
    ) -> None:
        super().__init__(page)
        self._theme = theme
        self._evaluations = evaluations
        self._is_training = is_training
        self.model = model
        self._page = page
        self._question_set = ""
        self._is_looking = False
        self._making: LongTask | None = None
        self.dialog: StartDialog | None = None  # while it is open

    def ask(self, question_set: str = "") -> None:
        """What is to be compared over the set; "": that, too, is chosen. The dialog opens in a moment."""
        if self._evaluations.is_running or self._is_training():
            code = "study_busy" if self._evaluations.is_running else "study_beside_training"
            self.failed.emit(AppError(code))
        elif self.dialog is not None:
            self.dialog.activateWindow()  # one study at a time is made
        else:
            self._question_set = question_set
            if not self._is_looking:
                self._is_looking = True
                background.run(self.model.look, self._open, self._on_not_looked)

    def start(self, folder: Path) -> None:
        """Begins, or goes on."""
        try:
            self._evaluations.start(folder)
        except AppError as error:
            self.failed.emit(error)

    # ------------------------------------------------------------------- private

    def _open(self, found: tuple[list[KeptSet], bool]) -> None:
        from app.evaluation.ui.start.dialog import StartDialog

        self._is_looking = False
        offer = self.model.offer(*found)
        dialog = self.dialog = StartDialog(self._theme, self.model, offer, self._page.window(), self._question_set)
        dialog.wish_made.connect(self._make)
        dialog.progress.cancelled.connect(self._cancel)
        dialog.finished.connect(self._on_closed)
        dialog.open()
        self.asked.emit()

    def _on_not_looked(self, error: AppError) -> None:
        self._is_looking = False
        self.failed.emit(error)

    def _on_closed(self) -> None:
        self.dialog = None

    def _make(self, wish: StudyWish) -> None:
        model, models = self.model, tuple(self.model.models())

        def make(progress: TaskProgress) -> Path:
            folder = study_making.make(wish, model.paths, models, model.trainer())
            if progress.is_cancelled:
                shutil.rmtree(folder, ignore_errors=True)
            progress.check()
            return folder

        self._making = background.run_long(make, self._on_made, self._on_not_made, cancelled=self._on_cancelled)

    def _cancel(self) -> None:
        if self._making is not None:
            self._making.cancel()

    def _on_made(self, folder: Path) -> None:
        self._making = None
        if self.dialog is not None:
            self.dialog.accept()
        self.made.emit(folder)
        self.start(folder)

    def _on_not_made(self, error: AppError) -> None:
        self._making = None
        if self.dialog is not None:
            self.dialog.end_making(error)

    def _on_cancelled(self) -> None:
        self._making = None
        if self.dialog is not None:
            self.dialog.end_making()
