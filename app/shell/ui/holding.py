"""What safe mode changes of the window that was built, beside its settings (`app.shell.services.start`)."""

from PySide6.QtCore import Qt

from app.chat.services.preload import Preload
from app.models.ui.offers import StartOffers
from app.shell.ui.main_window import DEFAULT_SIZE, MainWindow


def hold_back(window: MainWindow, preload: Preload, offers: StartOffers) -> None:
    """Nothing is loaded ahead, nothing is offered to go on with, and the window opens where any would.

    Where the user's windows open stays as it is stored.
    """
    preload.is_on = False
    window.keeps_place = False
    for banner in (offers.downloads, offers.moving):
        banner.hide()
    window.setWindowState(Qt.WindowState.WindowNoState)
    window.resize(*DEFAULT_SIZE)
    window.setAttribute(
        Qt.WidgetAttribute.WA_Moved, False
    )  # as one that nobody has placed (`app.shell.ui.window_place.fit`)
