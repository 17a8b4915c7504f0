"""Show the models folder and its free space, and move it to another drive."""

import shutil
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QStandardPaths
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.inference.services.engine import EngineClient
from app.models.models_folder import FolderMoveResult
from app.models.services.downloads import Downloads
from app.models.services.maintenance import ModelMaintenance
from app.models.ui.work_progress import MaintenanceProgress
from app.uikit import desktop
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.localization import make_breakable
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column
from app.uikit.widgets.labels import Label
from app.uikit.widgets.progress_row import ProgressRow


class ModelsFolderPanel(QWidget):
    """The panel of the models folder, which says why it cannot be moved while something uses it."""

    def __init__(
        self,
        theme: Theme,
        upkeep: ModelMaintenance,
        downloads: Downloads,
        engine: EngineClient,
        is_building: Callable[[], bool],
        pickers: Pickers | None = None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._upkeep = upkeep
        self._downloads = downloads
        self._engine = engine
        self._is_building = is_building
        self._pickers = pickers or Pickers()
        self.path = Label(wraps=True)
        self.room = Label(role="caption", tone="muted")
        self.open_button = Button(theme, phrase("common.open_the_folder"), icon="folder-open")
        self.move_button = Button(theme, phrase("shell.move"), icon="folder-input")
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        buttons = FlowBox(self.open_button, self.move_button)
        make_column(self.path, self.room, buttons, self.progress, self.banner, into=self, spacing_px=6)
        self._work = MaintenanceProgress(upkeep, self.progress, self.banner, self)
        self._work.ended.connect(self.refresh)
        self.open_button.clicked.connect(lambda: desktop.open_folder(upkeep.models_folder))
        self.move_button.clicked.connect(self._choose_target)
        upkeep.folder_moved.connect(self.refresh)
        self.refresh()

    def refresh(self, _moved: FolderMoveResult | None = None) -> None:
        folder = self._upkeep.models_folder
        self.path.setText(make_breakable(str(folder)))
        free = _free_bytes(folder)
        self.room.setText(phrase("shell.n_gb_free", n=f"{free / 1e9:,.0f}") if free is not None else "")
        self.move_button.setEnabled(not self._work.is_own_task_running)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def ask_to_move(self, target: Path) -> Dialog | None:
        """Ask whether to move the folder to `target`, or say in the banner why not now and return None."""
        reason = self._obstacle()
        if reason:
            self.banner.show_message("warning", phrase("shell.it_cannot_be_moved_now"), reason)
            return None
        free = _free_bytes(target)
        room = phrase("shell.free_there_n_gb", n=f"{free / 1e9:,.0f}") if free is not None else ""
        body = phrase("shell.files_are_copied_and_checked")
        return Dialog(
            self._theme,
            phrase("shell.move_the_models_folder"),
            f"{self._upkeep.models_folder}\n→ {target}\n\n{body}\n{room}".strip(),
            cancel_or("move", phrase("shell.move_2")),
            self.window(),
        ).ask(lambda: self.move_to(target))

    def move_to(self, target: Path) -> None:
        """Move the folder to `target`. An interrupted move to the same target continues."""
        what = phrase("shell.moving")
        self._work.begin(what, lambda: self._upkeep.move_folder(target), self._upkeep.folder_moved, self._on_moved)
        self.refresh()

    # ------------------------------------------------------------------- private

    def _choose_target(self) -> None:
        home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.HomeLocation)
        path = self._pickers.folder(self.window(), phrase("shell.choose_a_folder_for_the"), home)
        if path:
            self.ask_to_move(Path(path))

    def _obstacle(self) -> str:
        """Return why the folder cannot be moved now and what to do; "" if it can be moved."""
        if any(item.state not in ("paused", "failed") for item in self._downloads.items()):
            return phrase("shell.a_download_is_under_way")
        if self._is_building():
            return phrase("shell.a_model_is_being_built")
        if self._engine.status.state in ("starting", "loading", "reading", "answering"):
            return phrase("shell.the_model_is_in_use")
        return ""

    def _on_moved(self, moved: FolderMoveResult) -> None:
        if moved.files_left:
            left = phrase("shell.files_in_the_old_folder", n=moved.files_left)
            self.banner.show_message("warning", phrase("shell.the_models_folder_was_moved_2"), left)
        else:
            self.banner.show_message("success", phrase("shell.the_models_folder_was_moved_2"), str(moved.folder))


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
