"""Show downloads on the page モデル: progress in list and detail, a banner for failures, and the queue's order.

The order is changed by menu or Alt + ↑ and ↓; a running download keeps its place.
"""

import functools
from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QMenu

from app.base.wording import describe_error, phrase
from app.inference.local_model import LocalModel
from app.models.services.downloads import Download
from app.models.ui.download_controller import DownloadController
from app.models.ui.download_row import DownloadRow
from app.models.ui.model_detail import ModelDetail
from app.models.ui.model_list import ModelListView
from app.uikit.localization import join_facts, with_note
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import make_menu, pop_up
from app.uikit.widgets.labels import announce

UNDER_WAY = ("running", "verifying", "repairing")
KEYS = {-1: "Alt+Up", 1: "Alt+Down"}


def possible_steps(items: Sequence[Download], download_id: str) -> tuple[int, ...]:
    """Return the possible moves in the queue: -1 earlier, 1 later; nothing can move before a running download."""
    at = next((place for place, item in enumerate(items) if item.id == download_id), None)
    if at is None or items[at].state in UNDER_WAY:
        return ()
    others = [(step, at + step) for step in KEYS if 0 <= at + step < len(items)]
    return tuple(step for step, place in others if items[place].state not in UNDER_WAY)


class DownloadPresenter(QObject):
    """Connects the downloads with list, detail and banner, and moves them in the queue."""

    def __init__(
        self, controller: DownloadController, view: ModelListView, detail: ModelDetail, banner: Banner, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._view = view
        self._detail = detail
        self._banner = banner
        self._explained_id = ""  # id of the download that the banner explains
        self._rows: dict[str, DownloadRow] = {}
        for step, keys in KEYS.items():
            shortcut = QShortcut(QKeySequence(keys), view)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(functools.partial(self._move_chosen, step))
        downloads = controller.downloads
        downloads.changed.connect(self._on_changed)
        downloads.progressed.connect(self._on_progressed)
        downloads.finished.connect(self._on_finished)
        downloads.failed.connect(self._on_failed)
        banner.action_requested.connect(self._on_action)
        self._listen(detail.download)

    def focused(self) -> str:
        """Return the id of the download whose row has the keyboard focus; "" for none."""
        widget = QApplication.focusWidget()
        return next((key for key, row in self._rows.items() if widget is not None and row.isAncestorOf(widget)), "")

    def place_rows(self, focused: str) -> None:
        """Place the rows after the list was filled again. `focused`: id of the download with the focus; "": none."""
        self._rows = self._view.place_rows()
        items = self._controller.downloads.items()
        for place, item in enumerate(items):
            if item.id in self._rows:
                row = self._rows[item.id]
                self._listen(row)
                row.menu_requested.connect(self._on_menu_requested)
                row.show_download(item, place)
                row.menu_button.setVisible(bool(possible_steps(items, item.id)))
        if focused in self._rows:  # keep the focus on the button that was just pressed
            row = self._rows[focused]
            (row.pause_button if row.resume_button.isHidden() else row.resume_button).setFocus()

    def order_menu(self, download_id: str) -> QMenu:
        menu = make_menu(self._view)
        steps = possible_steps(self._controller.downloads.items(), download_id)
        for step, name in ((-1, phrase("models.move_up")), (1, phrase("models.move_down"))):
            action = menu.addAction(name, functools.partial(self.move, download_id, step))
            action.setShortcut(QKeySequence(KEYS[step]))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)  # only shown here; the view handles it
            action.setEnabled(step in steps)
        return menu

    def move(self, download_id: str, step: int) -> None:
        """Move the download in the queue if that is possible. `step`: -1 earlier, 1 later."""
        items = self._controller.downloads.items()
        if step not in possible_steps(items, download_id):
            return
        place, item = next((place, item) for place, item in enumerate(items) if item.id == download_id)
        self._controller.downloads.move(download_id, place + step)
        title = with_note(item.title, item.quantization)
        announce(self._view, phrase("models.title_is_now_number_n", title=title, n=place + step + 1))

    # ------------------------------------------------------------------- private

    def _listen(self, row: DownloadRow) -> None:
        downloads = self._controller.downloads
        row.pause_requested.connect(downloads.pause)
        row.resume_requested.connect(downloads.resume)
        row.cancel_requested.connect(self._controller.cancel)

    def _move_chosen(self, step: int) -> None:
        """Move the download whose row has the focus, else that of the chosen model. `step`: -1 earlier, 1 later."""
        entry = self._view.models.entry(self._view.currentIndex())
        self.move(self.focused() or (entry.download.id if entry and entry.download else ""), step)

    def _on_menu_requested(self, download_id: str) -> None:
        pop_up(self.order_menu(download_id), self._rows[download_id].menu_button)

    def _on_changed(self) -> None:
        explained = self._controller.find(self._explained_id)
        if self._explained_id and (explained is None or explained.state != "failed"):
            self._banner.hide()
            self._explained_id = ""

    def _on_progressed(self, item: Download) -> None:
        place = next((n for n, other in enumerate(self._controller.downloads.items()) if other.id == item.id), 0)
        if item.id in self._rows:
            self._rows[item.id].show_download(item, place)
        self._detail.update_download(item, place)

    def _on_finished(self, model: LocalModel) -> None:
        announce(self._view, phrase("models.name_was_added", name=model.name))

    def _on_failed(self, item: Download) -> None:
        assert item.problem is not None
        self._explained_id = item.id
        what = join_facts(item.title, describe_error(item.problem).message)
        self._banner.show_message("danger", what, self._controller.next_step(item), self._controller.actions(item))

    def _on_action(self, key: str) -> None:
        self._controller.act(key, self._banner.window())
