"""The composition root: builds every object of the window and hands each what it needs."""

import logging
import os
import sys
import time
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QTimer, QTranslator
from PySide6.QtWidgets import QApplication

from app import __version__
from app.core import children, offline, store
from app.core.errors import AppError
from app.core.paths import Paths, resources
from app.core.store import Store
from app.services import background
from app.services.chat import ChatSession
from app.services.engine import EngineClient
from app.services.library import ModelLibrary
from app.services.preferences import Preferences
from app.services.single_instance import SingleInstance
from app.ui import dialogs
from app.ui.chat.page import ChatPage
from app.ui.main_window import MainWindow
from app.ui.theme import Theme

log = logging.getLogger("kotae")


def run(paths: Paths) -> int:
    """Shows the window and runs until it is closed. Returns the exit status."""
    _keep_log(paths)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Kotae")
    app.setApplicationVersion(__version__)
    _speak_japanese(app)
    instance = SingleInstance(paths.lock, paths.raise_request)
    if not instance.acquire():
        return 0
    database = _open_store(paths)
    if database is None:
        return 3
    window, engine = _build(app, paths, database)
    instance.raise_requested.connect(window.come_to_front)
    window.show()
    _report_start(window)
    backup = background.run(lambda: store.daily_backup(paths.database, paths.backups, time.time()), log.info, log.warning)
    status = app.exec()
    engine.shut_down()
    backup.blockSignals(True)
    database.close()
    return status
