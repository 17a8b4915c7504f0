"""Downloads on the page モデル: their progress in the list and the detail, and a banner where one has failed."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from app.base.wording import describe_error, phrase
from app.inference.local_model import LocalModel
from app.models.services.downloads import Download
from app.models.ui.detail import ModelDetail
from app.models.ui.download_desk import DownloadDesk
from app.models.ui.download_row import DownloadRow
from app.models.ui.menus import pop_up
from app.models.ui.model_view import ModelView
from app.models.ui.queue_order import QueueOrder, steps_of
from app.uikit.localization import join_facts
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.labels import announce


class Downloading(QObject):
    changed = Signal()  # what there is, or its state
    model_arrived = Signal(object)  # LocalModel

    def __init__(
        self, desk: DownloadDesk, view: ModelView, detail: ModelDetail, banner: Banner, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._view = view
        self._detail = detail
        self._banner = banner
        self._explained = ""  # the id of the download that the banner speaks of
        self._rows: dict[str, DownloadRow] = {}
        self._order = QueueOrder(desk, view)
        self._order.listen(self._meant)
        downloads = desk.downloads
        downloads.changed.connect(self._on_changed)
        downloads.progressed.connect(self._on_progressed)
        downloads.finished.connect(self._on_finished)
        downloads.failed.connect(self._on_failed)
        banner.action_requested.connect(self._on_action)
        self._listen(detail.download)

    def focused(self) -> str:
        """The id of the download whose row has the keyboard; "" for none."""
        widget = QApplication.focusWidget()
        return next((key for key, row in self._rows.items() if widget is not None and row.isAncestorOf(widget)), "")

    def place_rows(self, focused: str) -> None:
        """Place the rows after the list was filled again. `focused`: the row that had the keyboard before."""
        self._rows = self._view.place_rows()
        for row in self._rows.values():
            self._listen(row)
            row.menu_requested.connect(self._on_menu_requested)
        items = self._desk.downloads.items()
        for place, item in enumerate(items):
            if item.id in self._rows:
                self._rows[item.id].show_download(item, place)
                self._rows[item.id].set_movable(steps_of(items, item.id))
        if focused in self._rows:  # who has just pressed a button goes on from there
            row = self._rows[focused]
            (row.pause_button if row.resume_button.isHidden() else row.resume_button).setFocus()

    # ------------------------------------------------------------------- private

    def _listen(self, row: DownloadRow) -> None:
        downloads = self._desk.downloads
        row.pause_requested.connect(downloads.pause)
        row.resume_requested.connect(downloads.resume)
        row.cancel_requested.connect(self._desk.cancel)

    def _meant(self) -> str:
        """The download of the row that has the keyboard, else of the chosen model; "" for none."""
        entry = self._view.models.entry(self._view.currentIndex())
        return self.focused() or (entry.download.id if entry and entry.download else "")

    def _on_menu_requested(self, download_id: str) -> None:
        pop_up(self._order.menu(download_id), self._rows[download_id].menu_button)

    def _on_changed(self) -> None:
        explained = self._desk.find(self._explained) if self._explained else None
        if self._explained and (explained is None or explained.state != "failed"):
            self._banner.hide()
            self._explained = ""
        self.changed.emit()

    def _on_progressed(self, item: Download) -> None:
        place = [other.id for other in self._desk.downloads.items()].index(item.id) if self._desk.find(item.id) else 0
        if item.id in self._rows:
            self._rows[item.id].show_download(item, place)
        self._detail.note_download(item, place)

    def _on_finished(self, model: LocalModel) -> None:
        announce(self._view, phrase("models.name_was_added", name=model.name))
        self.model_arrived.emit(model)

    def _on_failed(self, item: Download) -> None:
        if item.problem is None:
            return
        sentence = describe_error(item.problem)
        what = join_facts(item.title, sentence.message)
        self._explained = item.id
        self._banner.show_message("danger", what, self._desk.next_step(item), self._desk.actions(item))

    def _on_action(self, key: str) -> None:
        self._desk.act(key, self._banner.window())
