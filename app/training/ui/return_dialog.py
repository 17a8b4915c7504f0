"""A job's folder that has come back from another machine: which one, and how far its run is taken in."""

from pathlib import Path

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.training import job_return
from app.training.runs.runs import Run
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.form_rows import PathRow
from app.uikit.widgets.progress_row import ProgressRow

WIDTH_PX = 600


class ReturnDialog(Dialog):
    """Stays open while the run is taken in, and where it could not be. Closed before, it takes nothing in."""

    taken = Signal(object)  # Run

    def __init__(self, theme: Theme, runs: Path, job: Path | None, parent: QWidget, pickers: Pickers) -> None:
        """`runs`: the folder that it is taken into. `job`: where it is expected; None: nobody knows."""
        self._runs = runs
        self._pickers = pickers
        self._folder: Path | None = None
        self._task: background.LongTask | None = None
        self.place = PathRow(
            theme,
            phrase("training.work_folder_that_came_back"),
            phrase("training.choose_the_folder_with_job"),
            can_clear=False,
        )
        self.banner = Banner(theme, can_close=False)
        self.progress = ProgressRow(theme, can_cancel=False)
        super().__init__(
            theme,
            phrase("training.take_in_the_result_of_a_work"),
            phrase("training.a_training_that_was_finished"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("take", phrase("common.import"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
            width_px=WIDTH_PX,
        )
        self.place.choose_requested.connect(self._choose_place)
        self.buttons["take"].setEnabled(False)
        self.place.choose_button.setFocus()
        if job is not None and job.is_dir():
            self._show_folder(job)

    def accept(self) -> None:
        folder = self._folder
        assert folder is not None
        self.banner.hide()
        self._set_busy(is_busy=True)
        self.progress.start(phrase("training.checking_and_taking_in_the"))
        runs = self._runs
        self._task = background.run_long(
            lambda progress: job_return.take(folder, runs, progress.report),
            self._on_taken,
            self._on_failed,
            self._on_progressed,
        )
        self.buttons["cancel"].setFocus()
        self.fit_height()

    def reject(self) -> None:
        """At once: a drive that hangs must not hold the window up."""
        if self._task is not None:
            self._task.cancel()
        super().reject()

    # ------------------------------------------------------------------- private

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.place.setContentsMargins(-12, 0, -12, 0)
        for widget in (self.banner, self.place, self.progress):
            column.addWidget(widget)
        return content

    def _choose_place(self) -> None:
        home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.HomeLocation)
        start = str(self._folder.parent) if self._folder else home
        path = self._pickers.folder(self, phrase("training.choose_the_work_folder_that"), start)
        if path:
            self._show_folder(Path(path))

    def _show_folder(self, folder: Path) -> None:
        self._folder = folder
        self.place.show_path(str(folder))
        self.banner.hide()
        self.buttons["take"].setEnabled(True)
        self.buttons["take"].setFocus()
        self.fit_height()

    def _set_busy(self, *, is_busy: bool) -> None:
        for widget in (self.buttons["take"], self.place):
            widget.setEnabled(not is_busy)

    def _on_progressed(self, done: int, total: int) -> None:
        self.progress.set_progress(done, total, is_bytes=True)
        self.fit_height()

    def _on_taken(self, run: Run) -> None:
        if self.isVisible():
            super().accept()
        self.taken.emit(run)

    def _on_failed(self, error: AppError) -> None:
        self._task = None
        self.progress.finish()
        self._set_busy(is_busy=False)
        sentence = describe_error(error)
        self.banner.show_message("danger", sentence.message, sentence.next)
        self.place.choose_button.setFocus()
        self.fit_height()
