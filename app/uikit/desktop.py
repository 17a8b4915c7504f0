"""Make the QApplication, and connect the window with the desktop: file dialogs, file managers, drag and drop."""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import (
    QEvent,
    QLibraryInfo,
    QMetaObject,
    QMimeData,
    QObject,
    QRectF,
    QSettings,
    QStandardPaths,
    Qt,
    QTimer,
    QUrl,
    Signal,
)
from PySide6.QtGui import QDesktopServices, QDropEvent, QGuiApplication, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QFileDialog, QFrame, QLineEdit, QMessageBox, QPlainTextEdit, QWidget

from app import DESKTOP_ID, __version__
from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.uikit import input_method
from app.uikit.input_method import InputMethodGuard
from app.uikit.localization import resolve_language, set_language
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import ElidedLabel

Application = QApplication  # for `app.application`, which imports nothing from QtWidgets


def make_application(language: str = "system") -> QApplication:
    """Create the QApplication with language (ja, en or system), input method and DESKTOP_ID, for its icon."""
    QGuiApplication.setDesktopFileName(DESKTOP_ID)
    if sys.platform == "linux":
        input_method.prepare_fcitx(os.environ, Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)))
    app = QApplication(sys.argv[:1])
    InputMethodGuard(app)
    RestingCaret(app)
    app.setApplicationName("Kotae")
    app.setApplicationVersion(__version__)
    set_language(app, resolve_language(language))
    return app


STILL_AFTER_MS = 10_000


class RestingCaret(QObject):
    """Lets the caret of a text field stand still when nothing was typed for a while: each blink wakes the program."""

    def __init__(self, app: QApplication, still_after_ms: int = STILL_AFTER_MS) -> None:
        super().__init__(app)
        self._hints = app.styleHints()
        self._flash_ms = self._hints.cursorFlashTime()
        self._moves: QMetaObject.Connection | None = None  # of the caret of the field with the focus
        self._timer = QTimer(self, singleShot=True, interval=still_after_ms)
        self._timer.timeout.connect(lambda: self._hints.setCursorFlashTime(0))
        app.focusChanged.connect(self._on_focus_changed)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if self._moves is not None:
            QObject.disconnect(self._moves)  # also of a field that is being destroyed, as those of Qt's file dialogs
        self._moves = None
        self._timer.stop()
        if isinstance(new, QLineEdit | QPlainTextEdit):
            self._moves = new.cursorPositionChanged.connect(self._blink)
            self._blink()

    def _blink(self) -> None:
        if self._hints.cursorFlashTime() != self._flash_ms:
            self._hints.setCursorFlashTime(self._flash_ms)
        self._timer.start()


def keep_visited_folders(folder: Path) -> None:
    """Store the history of Qt's file dialogs in `folder`, not with all programs' ones. Not on Windows."""
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(folder))


def open_folder(folder: Path) -> None:
    """Show a folder in the file manager; without one, show a message with its path."""
    _open_or_explain(folder, AppError("no_file_manager", path=str(folder)))


def open_file(path: Path) -> None:
    """Open a file in the program for it; without one, show a message with its path."""
    _open_or_explain(path, AppError("no_program_for_file", path=str(path)))


def _open_or_explain(path: Path, problem: AppError) -> None:
    if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
        # There may be no active window, if the user has switched to another program. Without a parent the box would be
        # deleted.
        visible = (one for one in QApplication.topLevelWidgets() if one.isVisible())
        parent = QApplication.activeWindow() or next(visible, None)
        box = QMessageBox(QMessageBox.Icon.Information, "Kotae", "", parent=parent)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(str(describe_error(problem)))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()


_SUFFIX = re.compile(r"\*(\.\w+)")  # a suffix in the filters of QFileDialog


class PickFile(Protocol):
    def __call__(self, parent: QWidget, title: str, start: str, kinds: str) -> str:
        """Return the chosen path; "" for none. `start`: the initial path. `kinds`: filters of QFileDialog."""


class PickFiles(Protocol):
    def __call__(self, parent: QWidget, title: str, start: str, kinds: str) -> list[str]: ...


class PickFolder(Protocol):
    def __call__(self, parent: QWidget, title: str, start: str) -> str: ...


def _ask_save(parent: QWidget, title: str, start: str, kinds: str) -> str:
    path, kind = QFileDialog.getSaveFileName(parent, title, _in_existing_folder(start), kinds)
    suffixes = _SUFFIX.findall(kind) + _SUFFIX.findall(kinds)
    return str(complete_suffix(Path(path), *suffixes)) if path and suffixes else path


def _ask_open(parent: QWidget, title: str, start: str, kinds: str) -> str:
    return QFileDialog.getOpenFileName(parent, title, _in_existing_folder(start), kinds)[0]


def _ask_open_several(parent: QWidget, title: str, start: str, kinds: str) -> list[str]:
    return QFileDialog.getOpenFileNames(parent, title, _in_existing_folder(start), kinds)[0]


def _ask_folder(parent: QWidget, title: str, start: str) -> str:
    return QFileDialog.getExistingDirectory(parent, title, _in_existing_folder(start))


def _in_existing_folder(start: str) -> str:
    """Return an initial path, in the home folder if it has no folder of its own: not every PC has ~/Documents."""
    path = Path(start)
    if start and (path.is_dir() or (path.suffix and path.parent.is_dir())):
        return start
    home = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.HomeLocation))
    return str(home / path.name if path.suffix else home)


@dataclass(frozen=True)
class Pickers:
    """The dialogs that ask for a file or a folder; tests replace them. Their `start` "" means the home folder."""

    save: PickFile = _ask_save
    open: PickFile = _ask_open
    folder: PickFolder = _ask_folder
    open_several: PickFiles = _ask_open_several


def complete_suffix(path: Path, suffix: str, *others: str) -> Path:
    """Append `suffix` unless the path has one of these, and a number if that exists: the dialog asked otherwise."""
    if not path.name or path.suffix.lower() in (suffix, *others):
        return path
    free, number = path.with_name(path.name + suffix), 2
    while free.exists():
        free = path.with_name(f"{path.name} ({number}){suffix}")
        number += 1
    return free


class DropZone(QFrame):
    """A dashed strip with a text about files that can be dropped. `FileDrops` highlights it."""

    def __init__(self, theme: Theme, words: str = "") -> None:
        """`words`: the text; "": the one for files and folders."""
        super().__init__()
        self._theme = theme
        self._is_lit = False
        label = ElidedLabel(words or phrase("uikit.drop_files_or_folders_here"), tone="text2")
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        make_column(label, into=self, margins_px=(16, 10, 16, 10))
        theme.changed.connect(self.update)

    def set_lit(self, *, is_lit: bool) -> None:
        """Highlight the strip, or stop highlighting it."""
        self._is_lit = is_lit
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("accent" if self._is_lit else "control"), 1, Qt.PenStyle.DashLine))
        painter.setBrush(self._theme.color("accent_soft" if self._is_lit else "base"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


class FileDrops(QObject):
    """Takes the files that are dropped on a part of the window; the zones in it light up under them."""

    lit = Signal(bool)  # files that can be taken are above the part, or no longer

    def __init__(
        self, part: QWidget, choose: Callable[[list[Path]], list[Path]], take: Callable[[list[Path]], object]
    ) -> None:
        """`choose`: returns those of the dragged files and folders that can be taken now. `take`: takes these."""
        super().__init__(part)
        self._choose, self._take = choose, take
        part.setAcceptDrops(True)
        part.installEventFilter(self)

    def eventFilter(self, part: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind not in (QEvent.Type.DragEnter, QEvent.Type.DragLeave, QEvent.Type.Drop):
            return False
        paths = self._choose(dropped_paths(event.mimeData())) if isinstance(event, QDropEvent) else []
        is_lit = kind == QEvent.Type.DragEnter and bool(paths)
        self.lit.emit(is_lit)
        for zone in part.findChildren(DropZone):
            zone.set_lit(is_lit=is_lit)
        if paths and isinstance(event, QDropEvent):
            event.acceptProposedAction()
            if kind == QEvent.Type.Drop:
                self._take(paths)
        return kind != QEvent.Type.DragLeave


def dropped_paths(data: QMimeData) -> list[Path]:
    """Return the local files and folders in the data of a drag."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile() and url.toLocalFile()]


class JsonDropFilter(QObject):
    """An event filter that emits `dropped` for a JSON file dropped on the window, text fields included."""

    dropped = Signal(object)  # Path

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window:
            handle = self._window.windowHandle()
            if event.type() == QEvent.Type.Show and handle is not None:
                handle.installEventFilter(self)  # it receives drag events before any widget does
            return False
        kinds = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)
        if event.type() not in kinds or not isinstance(event, QDropEvent):
            return False
        path = json_file_in(event.mimeData())
        if path is None:
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self.dropped.emit(path)
        return True


def json_file_in(data: QMimeData) -> Path | None:
    """Return the local JSON file in the data of a drag; None unless it is exactly one such file."""
    urls = data.urls()
    path = urls[0].toLocalFile() if len(urls) == 1 else ""
    return Path(path) if path.lower().endswith(".json") else None
