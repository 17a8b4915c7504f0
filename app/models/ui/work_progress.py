"""Show the progress and outcome of work on models: maintenance tasks and imports; offer to resume it after the start.

`StatusStrip` is a line of progress with a banner, hidden while both are empty. Imports run one after the other in one
row of progress, and each failure is explained.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.inference.local_model import LocalModel
from app.models.catalogue import ModelCard
from app.models.models_folder import FolderMove, FolderMoveResult
from app.models.services.maintenance import ModelMaintenance
from app.models.services.model_library import ModelLibrary
from app.models.ui.download_controller import DownloadController
from app.uikit import localization
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import FootStrip, NoticeColumn
from app.uikit.widgets.progress_row import ProgressRow


class StatusStrip(NoticeColumn):
    """Shows a line of progress and a banner with the outcome of the work."""

    def __init__(self, theme: Theme) -> None:
        self.progress, self.banner = ProgressRow(theme), Banner(theme)
        super().__init__(self.progress, self.banner)


class MaintenanceProgress(QObject):
    """Shows a maintenance task that was begun here.

    The service runs one task at a time for the whole window; tasks begun elsewhere are ignored.
    """

    ended = Signal()

    def __init__(self, upkeep: ModelMaintenance, progress: ProgressRow, banner: Banner, parent: QObject) -> None:
        super().__init__(parent)
        self._upkeep = upkeep
        self._progress = progress
        self._banner = banner
        self._end_signal: SignalInstance | None = None  # ends the running task; None: no task begun here is running
        self._callback: Callable[..., None] = self.ended.emit
        upkeep.progressed.connect(self._on_progressed)
        upkeep.failed.connect(self._on_failed)
        progress.cancelled.connect(self._on_cancelled)

    @property
    def is_own_task_running(self) -> bool:
        """Return whether a task runs that this object has begun; other windows and programs may run one too."""
        return self._end_signal is not None

    def begin(self, what: str, start: Callable[[], None], signal: SignalInstance, on_done: Callable[..., None]) -> bool:
        """Begin a task with `start`; return False if another task is running.

        `what`: the text of the progress. `signal`: ends the task; `on_done` is called with its arguments.
        """
        if self._upkeep.is_working:
            if not self.is_own_task_running:
                sentence = phrase("common.choose_again_when_it_has")
                self._banner.show_message("warning", phrase("models.other_work_on_the_models"), sentence)
            return False
        self._banner.hide()
        self._end_signal, self._callback = signal, on_done
        signal.connect(self._on_done)
        self._progress.start(what)
        start()
        return True

    def _end_own_task(self) -> None:
        if self._end_signal is not None:
            self._end_signal.disconnect(self._on_done)
        self._end_signal = None
        self._progress.finish()

    def _on_progressed(self, done: int, total: int) -> None:
        if self.is_own_task_running:
            self._progress.set_progress(done, total, is_bytes=True)

    def _on_done(self, *result: Any) -> None:
        self._end_own_task()
        self._callback(*result)
        self.ended.emit()

    def _on_failed(self, error: AppError) -> None:
        if self.is_own_task_running:
            self._end_own_task()
            if error.code != "cancelled":
                self._banner.show_error(error)
            self.ended.emit()

    def _on_cancelled(self) -> None:
        if self.is_own_task_running:
            self._upkeep.cancel()


class ImportPresenter(QObject):
    """Imports model files one after the other, and shows the progress and the errors.

    Imports begun in the dialog of the first start are shown there, and here only after `take_over`.
    """

    began = Signal()
    ended = Signal()

    def __init__(self, library: ModelLibrary, progress: ProgressRow, banner: Banner, parent: QObject) -> None:
        super().__init__(parent)
        self._library = library
        self._progress = progress
        self._banner = banner
        self._waiting: list[str] = []
        self._count = 0
        self._path = ""
        self._problems: list[tuple[str, AppError]] = []  # (file name, error)
        progress.cancelled.connect(library.cancel)
        library.progressed.connect(self._on_progressed)
        library.imported.connect(self._on_imported)
        library.failed.connect(self._on_failed)

    def add_files(self, paths: Sequence[str]) -> None:
        """Add GGUF files in place, after those that are being added already."""
        if not paths:
            return
        self._banner.hide()
        if self._waiting or self._library.is_working:
            self._waiting += paths
            self._count += len(paths)
            self._progress.start(phrase("common.adding_a_model"))
        else:
            self._waiting, self._count, self._problems = list(paths), len(paths), []
            self._add_next()

    def add_starter(self, wanted: Sequence[ModelCard] = ()) -> None:
        """Add all models that Kotae brings along, or those of `wanted`."""
        self._start_progress(phrase("common.adding_a_model" if wanted else "common.adding_the_trial_model"))
        self._library.add_starter(wanted)
        self.began.emit()

    def take_over(self) -> None:
        """Show the progress of a running import from now on, because the dialog that has begun it is closed."""
        if self._library.is_working:
            self._start_progress(phrase("common.adding_a_model"))

    # ------------------------------------------------------------------- private

    def _start_progress(self, what: str) -> None:
        self._banner.hide()
        self._count, self._problems = 1, []
        self._progress.start(what)

    def _add_next(self) -> None:
        self._path = self._waiting.pop(0)
        name, place = Path(self._path).name, f"{self._count - len(self._waiting)}/{self._count}"
        what = phrase("common.importing_name", name=name)
        if self._count > 1:
            what = phrase("models.importing_place_name", place=place, name=name)
        self._progress.start(what)
        self._library.import_file(self._path)
        self.began.emit()

    def _on_progressed(self, done_bytes: int, total_bytes: int) -> None:
        self._progress.set_progress(done_bytes, total_bytes, is_bytes=True)

    def _on_imported(self, _model: LocalModel) -> None:
        if not self._progress.isHidden():
            self._continue()

    def _on_failed(self, error: AppError) -> None:
        if self._progress.isHidden():
            self.ended.emit()
            return
        if error.code == "cancelled":
            self._waiting.clear()
        else:
            self._problems.append((Path(self._path).name, error))
        self._continue()

    def _continue(self) -> None:
        if self._waiting:
            self._add_next()
            return
        self._progress.finish()
        actions = (("import", phrase("common.choose_another_file")),)
        if self._count == 1 and self._problems:
            self._banner.show_error(self._problems[0][1], actions)
        elif self._problems:
            self._explain_failed_imports(actions)
        self.ended.emit()

    def _explain_failed_imports(self, actions: tuple[tuple[str, str], ...]) -> None:
        what = phrase("models.m_of_n_could_not", n=self._count, m=len(self._problems))
        reasons = [
            phrase("common.name_value", name=name, value=describe_error(error)) for name, error in self._problems
        ]
        self._banner.show_message("danger", what, "\n".join(reasons), actions)


_SHOWN = 200  # characters shown of a path from a file that another person may have written


class StartOffers(FootStrip):
    """Offers interrupted moves and downloads; nothing resumes by itself. Hidden while there is nothing to offer."""

    models_requested = Signal()
    move_requested = Signal(object)  # Path of the new folder: resume moving the models folder

    def __init__(self, theme: Theme, controller: DownloadController, upkeep: ModelMaintenance) -> None:
        self.downloads, self.moving = Banner(theme), Banner(theme)
        super().__init__(self.downloads, self.moving)
        self._controller = controller
        self._upkeep = upkeep
        self.downloads.action_requested.connect(self._on_download_action)
        self.moving.action_requested.connect(self._on_move_action)
        controller.downloads.changed.connect(self._on_downloads_changed)
        upkeep.folder_moved.connect(self._on_moved)
        upkeep.move_undone.connect(self.offer)
        self.offer()

    def offer(self) -> None:
        """Offer an interrupted move; without one, the paused downloads, which are written to the models folder."""
        plan = self._upkeep.pending_move()
        if plan is not None:
            self._offer_move(plan)
            return
        waiting = [item for item in self._controller.downloads.items() if item.state == "paused"]
        if waiting and self._controller.is_allowed:
            what = phrase("models.there_are_unfinished_downloads_n", n=len(waiting))
            names = localization.join_names([with_note(item.title, item.quantization) for item in waiting])
            actions = (("resume", phrase("common.resume")), ("look", phrase("models.open_models")))
            self.downloads.show_message("warning", what, names, actions)

    def _offer_move(self, plan: FolderMove) -> None:
        what = phrase("models.moving_the_models_folder_was")
        if plan.is_own:
            sentence = phrase("models.to_path_the_original_files", path=plan.target)
            actions = (("continue", phrase("models.go_on_moving")), ("undo", phrase("models.undo_the_move")))
            self.moving.show_message("warning", what, sentence, actions)
            return
        if plan.state == "over":
            what = phrase("models.a_move_of_the_models")
        source, target = (
            invisible_characters.replace_with_mark(str(path)[:_SHOWN]) for path in (plan.source, plan.target)
        )
        sentence = phrase(f"models.foreign_move.{plan.state}", source=source, target=target)
        self.moving.show_message("warning", what, sentence, (("undo", phrase("models.dismiss_this_notice")),))

    def _on_download_action(self, key: str) -> None:
        self.downloads.hide()
        if key == "look":
            self.models_requested.emit()
            return
        for item in self._controller.downloads.items():
            if item.state == "paused":
                self._controller.downloads.resume(item.id)

    def _on_move_action(self, key: str) -> None:
        self.moving.hide()
        plan = self._upkeep.pending_move()
        if plan is not None and key == "undo":
            self._upkeep.undo_move()
        elif plan is not None:
            self.move_requested.emit(plan.target)

    def _on_downloads_changed(self) -> None:
        """Hide the banner if the downloads were resumed on another page."""
        if not any(item.state == "paused" for item in self._controller.downloads.items()):
            self.downloads.hide()

    def _on_moved(self, _moved: FolderMoveResult) -> None:
        self.moving.hide()
