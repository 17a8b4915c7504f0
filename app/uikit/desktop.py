"""The QApplication and what concerns the desktop around the window."""

import os
import sys
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QSettings, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from app import DESKTOP_ID, __version__
from app.base.errors import AppError
from app.base.wording import describe_error
from app.uikit import fcitx
from app.uikit.input_method import InputMethodGuard
from app.uikit.language import resolve, speak

Application = QApplication  # for the composition root, which names no widgets


def make_application(language: str = "system") -> QApplication:
    """The one QApplication, under the name that desktops match with the installed entry.

    `language`: ja, en or system.
    """
    QGuiApplication.setDesktopFileName(DESKTOP_ID)
    if sys.platform == "linux":
        fcitx.prepare(os.environ, Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)))
    app = QApplication(sys.argv[:1])
    InputMethodGuard(app)
    app.setApplicationName("Kotae")
    app.setApplicationVersion(__version__)
    speak(app, resolve(language))
    return app


def keep_visited_folders(folder: Path) -> None:
    """Qt's own file dialogs remember where they have been: beside our data, not in a file of all programs that use Qt.

    Windows keeps nothing of the kind: there the dialogs are the system's.
    """
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(folder))


def open_folder(folder: Path) -> None:
    """Shows a folder of this machine in the file manager; where there is none, says where it is."""
    _open(folder, AppError("no_file_manager", path=str(folder)))


def open_file(path: Path) -> None:
    """Shows a file in the program for it; where there is none, says where it is."""
    _open(path, AppError("no_program_for_file", path=str(path)))


def _open(path: Path, problem: AppError) -> None:
    if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
        # Also where the user is in another program by now: a box without a parent would be gone at once.
        visible = (one for one in QApplication.topLevelWidgets() if one.isVisible())
        parent = QApplication.activeWindow() or next(visible, None)
        box = QMessageBox(QMessageBox.Icon.Information, "Kotae", "", parent=parent)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(str(describe_error(problem)))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()
