"""Export a planned training as a job folder for another machine, and import the result.

A job folder contains data, programs and, if the user wants it, the base. It comes back with a finished run.
"""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QWidget

from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.services import background
from app.base.wording import phrase
from app.training import remote_job_import
from app.training.remote_job import SMALL_BYTES, RemoteJob
from app.training.runs.run_folders import TrainingRunFolder
from app.training.services.draft_editor import DraftEditor
from app.training.ui import training_texts
from app.uikit import desktop
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton, cancel_or
from app.uikit.localization import make_breakable, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.form_rows import PathRow
from app.uikit.widgets.labels import Label
from app.uikit.widgets.progress_row import ProgressRow

WIDTH_PX = 600
SHOWN = 3  # most file names that a message lists


class JobFolderDialog(Dialog):
    """Asks for a folder and then works on it. It stays open during the work and after a failure."""

    def __init__(
        self,
        theme: Theme,
        question: str,
        body: str,
        buttons: Sequence[DialogButton],
        path_row: PathRow,
        more: Sequence[QWidget],
        parent: QWidget,
        pickers: Pickers,
        picker_title: str,
    ) -> None:
        """Create the dialog. `buttons`: cancel, and the one that begins. `more`: widgets below the folder's row."""
        self._pickers = pickers
        self._picker_title = picker_title
        self._folder: Path | None = None
        self.path_row = path_row
        self.banner = Banner(theme, can_close=False)
        self.progress = ProgressRow(theme, can_cancel=False)
        path_row.setContentsMargins(-12, 0, -12, 0)
        content = QWidget()
        make_column(self.banner, path_row, *more, self.progress, into=content, spacing_px=8)
        super().__init__(theme, question, body, buttons, parent, content=content, width_px=WIDTH_PX)
        self._button = self.buttons[buttons[-1].key]
        self._button.setEnabled(False)
        path_row.choose_requested.connect(self._choose_folder)
        path_row.choose_button.setFocus()

    def _choose_folder(self) -> None:
        start = str(self._folder.parent) if self._folder else ""
        if path := self._pickers.folder(self, self._picker_title, start):
            self._show_folder(Path(path))

    def _show_folder(self, folder: Path) -> None:
        self._folder = folder
        self.path_row.show_path(str(folder))
        self.banner.hide()
        self._button.setEnabled(True)
        self._button.setFocus()
        self.fit_height()

    def _set_busy(self, *, is_busy: bool) -> None:
        for widget in (self._button, self.path_row):
            widget.setEnabled(not is_busy)

    def _begin(self, what: str) -> None:
        self.banner.hide()
        self._set_busy(is_busy=True)
        self.progress.start(what)
        self.fit_height()

    def _on_failed(self, error: AppError) -> None:
        self.progress.finish()
        self._set_busy(is_busy=False)
        self.banner.show_error(error)
        self.fit_height()


class ExportJobDialog(JobFolderDialog):
    """Exports a draft with data and base. The dialog of `job_exported_dialog` follows."""

    def __init__(self, theme: Theme, work: DraftEditor, parent: QWidget, pickers: Pickers) -> None:
        self.guard = ConfidentialityGuard(theme, work.exports_log)
        self._work = work
        self.base_box = QCheckBox(phrase("training.put_the_base_model_into"))
        size = f"{SMALL_BYTES / 1e9:.0f}\u00a0GB"
        self.base_note = Label(phrase("training.models_of_up_to_size", size=size), "caption", "muted")
        super().__init__(
            theme,
            phrase("training.make_a_job_folder_for_another_pc"),
            phrase("training.data_the_training_program_and"),
            cancel_or("make", phrase("common.make")),
            PathRow(theme, phrase("training.where_to"), phrase("training.choose_an_empty_folder_or"), can_clear=False),
            (self.base_box, self.base_note),
            parent,
            pickers,
            phrase("training.where_to_make_the_job"),
        )
        work.job_made.connect(self._on_made)
        work.failed.connect(self._on_failed)

    def accept(self) -> None:
        assert self._folder is not None
        self.banner.hide()
        self.guard.export(self, self._work.job_of(self._folder), self._make)

    def _make(self, permit: Permit) -> None:
        assert self._folder is not None
        self._begin(phrase("training.making_the_folder"))
        self._work.make_job(self._folder, permit, with_base=self.base_box.isChecked())

    def reject(self) -> None:
        if self.progress.isHidden():  # closing now would leave a partial folder
            super().reject()

    # ------------------------------------------------------------- private methods

    def _set_busy(self, *, is_busy: bool) -> None:
        super()._set_busy(is_busy=is_busy)
        for widget in (self.buttons["cancel"], self.base_box):
            widget.setEnabled(not is_busy)

    def _on_made(self, job: RemoteJob) -> None:
        self.progress.finish()
        job_exported_dialog(self._theme, job, self.parentWidget()).open()
        super().accept()


def job_exported_dialog(theme: Theme, job: RemoteJob, parent: QWidget | None) -> Dialog:
    """Return a dialog that shows where the job folder is and what to do with it on the other machine."""
    size = training_texts.format_size(job.size_bytes)
    lines = [with_note(make_breakable(str(job.folder)), size)]
    if not job.has_base:
        files = ", ".join([*job.base_files[:SHOWN], *(["…"] if len(job.base_files) > SHOWN else [])])
        lines.append(phrase("training.the_base_model_is_not", files=files))
    lines.append(phrase("training.move_the_whole_folder_to"))
    dialog = Dialog(
        theme,
        phrase("training.the_job_folder_is_made"),
        "\n".join(lines),
        (
            DialogButton("open", phrase("common.open_the_folder")),
            DialogButton("cancel", phrase("common.close"), is_default=True),
        ),
        parent,
        icon=("circle-check", "success"),
        width_px=WIDTH_PX,
    )
    dialog.chosen.connect(lambda key: desktop.open_folder(job.folder) if key == "open" else None)
    return dialog


class ImportJobDialog(JobFolderDialog):
    """Imports the run in a job folder. If the user closes the dialog before the end, nothing is imported."""

    taken = Signal(object)  # TrainingRunFolder

    def __init__(self, theme: Theme, runs: Path, job: Path | None, parent: QWidget, pickers: Pickers) -> None:
        """Create the dialog. `runs`: the folder of all runs. `job`: the expected job folder; None if it is unknown."""
        self._runs = runs
        self._task: background.LongTask | None = None
        about = phrase("training.choose_the_folder_with_job")
        super().__init__(
            theme,
            phrase("training.take_in_the_result_of_a_work"),
            phrase("training.a_training_that_was_finished"),
            cancel_or("take", phrase("common.import")),
            PathRow(theme, phrase("training.work_folder_that_came_back"), about, can_clear=False),
            (),
            parent,
            pickers,
            phrase("training.choose_the_work_folder_that"),
        )
        if job is not None and job.is_dir():
            self._show_folder(job)

    def accept(self) -> None:
        folder, runs = self._folder, self._runs
        assert folder is not None
        self._begin(phrase("training.checking_and_taking_in_the"))
        self._task = background.run_long(
            lambda progress: remote_job_import.import_job(folder, runs, progress.report),
            self._on_taken,
            self._on_failed,
            self._on_progressed,
        )
        self.buttons["cancel"].setFocus()

    def reject(self) -> None:
        """Close at once, because a drive that does not respond must not block the window."""
        if self._task is not None:
            self._task.cancel()
        super().reject()

    # ------------------------------------------------------------- private methods

    def _on_progressed(self, done: int, total: int) -> None:
        self.progress.set_progress(done, total, is_bytes=True)
        self.fit_height()

    def _on_taken(self, run: TrainingRunFolder) -> None:
        if self.isVisible():
            super().accept()
        self.taken.emit(run)

    def _on_failed(self, error: AppError) -> None:
        self._task = None
        super()._on_failed(error)
        self.path_row.choose_button.setFocus()
