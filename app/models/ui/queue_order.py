"""The order in which downloads come, changed by menu or Alt + ↑ and ↓. What is under way stays where it is."""

import functools
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QWidget

from app.base.wording import phrase
from app.models.services.downloads import Download
from app.models.ui.download_desk import DownloadDesk
from app.uikit.localization import with_note
from app.uikit.widgets.labels import announce

UNDER_WAY = ("running", "verifying", "repairing")
KEYS = {-1: "Alt+Up", 1: "Alt+Down"}


def steps_of(items: Sequence[Download], download_id: str) -> tuple[int, ...]:
    """-1 where it can come one earlier, 1 one later; nothing is put before what is under way."""
    at = next((place for place, item in enumerate(items) if item.id == download_id), None)
    if at is None or items[at].state in UNDER_WAY:
        return ()
    others = [(step, at + step) for step in KEYS if 0 <= at + step < len(items)]
    return tuple(step for step, place in others if items[place].state not in UNDER_WAY)


class QueueOrder(QObject):
    """Its keys count in `view` and in what lies over it."""

    def __init__(self, desk: DownloadDesk, view: QWidget) -> None:
        super().__init__(view)
        self._desk = desk
        self._view = view

    def listen(self, chosen: Callable[[], str]) -> None:
        """`chosen` says which download is meant by a key; "" for none."""
        for step, keys in KEYS.items():
            shortcut = QShortcut(QKeySequence(keys), self._view)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(functools.partial(self._move_chosen, chosen, step))

    def _move_chosen(self, chosen: Callable[[], str], step: int) -> None:
        self.move(chosen(), step)

    def menu(self, download_id: str) -> QMenu:
        menu = QMenu(self._view)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        steps = steps_of(self._desk.downloads.items(), download_id)
        names = {-1: phrase("models.move_up"), 1: phrase("models.move_down")}
        for step, name in names.items():
            action = menu.addAction(name, functools.partial(self.move, download_id, step))
            action.setShortcut(QKeySequence(KEYS[step]))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)  # shown here; the view has the key
            action.setEnabled(step in steps)
        return menu

    def move(self, download_id: str, step: int) -> None:
        """Does nothing where it cannot be moved so."""
        items = self._desk.downloads.items()
        if step not in steps_of(items, download_id):
            return
        place, item = next((place, item) for place, item in enumerate(items) if item.id == download_id)
        self._desk.downloads.move(download_id, place + step)
        title = with_note(item.title, item.quantization)
        words = phrase("models.title_is_now_number_n", title=title, n=place + step + 1)
        announce(self._view, words)
