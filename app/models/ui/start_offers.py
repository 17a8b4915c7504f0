"""Offer after the start, at the bottom of the window, to resume interrupted moves and downloads."""

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QWidget

from app.base import invisible_characters
from app.base.wording import phrase
from app.models.models_folder import FolderMove, FolderMoveResult
from app.models.services.maintenance import ModelMaintenance
from app.models.ui.download_controller import DownloadController
from app.uikit import localization
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import Separator, set_surface

_SHOWN = 200  # characters shown of a path from a file that another person may have written


class StartOffers(QWidget):
    """Offers interrupted moves and downloads; nothing resumes by itself. Hidden while there is nothing to offer."""

    models_requested = Signal()
    move_requested = Signal(object)  # Path of the new folder: resume moving the models folder

    def __init__(self, theme: Theme, controller: DownloadController, upkeep: ModelMaintenance) -> None:
        super().__init__()
        self._controller = controller
        self._upkeep = upkeep
        self.downloads, self.moving = Banner(theme), Banner(theme)
        set_surface(self, "base")
        inside = make_column(self.downloads, self.moving, margins_px=(16, 8, 16, 8))
        make_column(Separator(), inside, into=self, spacing_px=0)
        for banner in (self.downloads, self.moving):
            banner.installEventFilter(self)
        self.hide()
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

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            self.setVisible(not (self.downloads.isHidden() and self.moving.isHidden()))
        return super().eventFilter(watched, event)

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
