"""Bugs rise to here: logged, and shown once for each distinct traceback. The window goes on."""

import logging
import sys
from types import TracebackType

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.base.paths import Paths
from app.shell.ui.report_opening import show_report
from app.uikit.desktop import open_folder
from app.uikit.dialogs import BugReporter
from app.uikit.theme import Theme

log = logging.getLogger("kotae")


def report_bugs(theme: Theme, window: QWidget, where: Paths) -> None:
    """From now on, instead of Python's own way."""
    reporter = BugReporter(theme, window, lambda: open_folder(where.logs), lambda: show_report(theme, where, window))

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QCoreApplication.quit()  # also while a training goes on without a window
            return
        log.error("bug", exc_info=(kind, error, trace))
        reporter.report(kind, error, trace)

    sys.excepthook = report
