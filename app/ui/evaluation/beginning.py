"""A study from the question what is to be compared to its first step."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.services import background, study_making
from app.services.study_making import StudyWish
from app.ui.evaluation.tools import Tools
from app.ui.theme import Theme

if TYPE_CHECKING:
    from app.ui.evaluation.start.dialog import StartDialog  # whoever only looks never needs it


class Beginning(QObject):
    making = Signal()  # files may be hashed for it, which takes its time
    made = Signal(object)  # the new study's folder (Path); None: nothing came of it
    failed = Signal(object)  # AppError

    def __init__(self, theme: Theme, tools: Tools, page: QWidget) -> None:
        super().__init__(page)
        self._theme = theme
        self._tools = tools
        self._page = page
        self.dialog: StartDialog | None = None  # the last one that was opened

    def ask(self, question_set: str = "") -> None:
        """What is to be compared over the set; "": that, too, is chosen."""
        if self._tools.evaluations.is_running or self._tools.is_training():
            code = "study_busy" if self._tools.evaluations.is_running else "study_beside_training"
            self.failed.emit(AppError(code))
            return
        from app.ui.evaluation.start.dialog import StartDialog

        self.dialog = StartDialog(self._theme, self._tools.means, self._page.window(), question_set)
        self.dialog.wish_made.connect(self._make)
        self.dialog.open()

    def start(self, folder: Path) -> None:
        """Begins, or goes on."""
        try:
            self._tools.evaluations.start(folder)
        except AppError as error:
            self.failed.emit(error)

    # ------------------------------------------------------------------- private

    def _make(self, wish: StudyWish) -> None:
        tools = self._tools
        models, trainer = tuple(tools.models()), tools.trainer()
        self.making.emit()
        background.run(lambda: study_making.make(wish, tools.paths, models, trainer), self._on_made, self._on_not_made)

    def _on_made(self, folder: Path) -> None:
        self.made.emit(folder)
        self.start(folder)

    def _on_not_made(self, error: AppError) -> None:
        self.made.emit(None)
        self.failed.emit(error)
