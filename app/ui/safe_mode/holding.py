"""What safe mode changes of the window that was built, beside its settings (`app.services.start`)."""

from PySide6.QtCore import Qt

from app.services.preload import Preload
from app.ui.main_window import DEFAULT_SIZE, MainWindow
from app.ui.models.offers import StartOffers


def hold_back(window: MainWindow, preload: Preload, offers: StartOffers) -> None:
    """Nothing is loaded ahead, nothing is offered to go on with, and the window opens where any would."""
    preload.is_on = False
    for banner in (offers.downloads, offers.moving):
        banner.hide()
    window.setWindowState(Qt.WindowState.WindowNoState)
    window.resize(*DEFAULT_SIZE)
    if window.screen().availableGeometry().intersected(window.frameGeometry()).isEmpty():
        window.move(window.screen().availableGeometry().topLeft())
