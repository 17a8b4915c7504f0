"""Save what a view shows to a file: ask for the path and the permit, and write in the background."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QWidget

from app.base.confidentiality import ExportKind, ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.services import background
from app.base.wording import phrase
from app.uikit import desktop
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers, complete_suffix
from app.uikit.widgets.banner import Banner


class FileExport(QObject):
    """Exports one file at a time. The system's file dialog asks before it replaces a file."""

    saved = Signal()  # the file is there, and the banner says so if its source is still shown
    failed = Signal(object)  # AppError
    changed = Signal()  # `is_working` has changed

    def __init__(
        self,
        view: QWidget,
        secrecy: ConfidentialityGuard,
        pickers: Pickers,
        banner: Banner,
        shown: Callable[[], object],
    ) -> None:
        """Prepare to export. `shown`: returns the source that the view shows now, as in `ask`."""
        super().__init__(view)
        self._banner, self._shown = banner, shown
        self._saved: Path | None = None  # the file that the banner names
        banner.action_requested.connect(self._open_folder)
        self._view = view
        self._secrecy = secrecy
        self._pickers = pickers
        self._start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        self.is_working = False

    def ask(
        self,
        source: object,
        title: str,
        name: str,
        kinds: str,
        suffixes: Sequence[str],
        request: tuple[ExportKind, Callable[[], Label]],
        write: Callable[[Path, Permit], None],
    ) -> None:
        """Ask for a path and write the file.

        `source`: what is exported. `title`, `name`, `kinds`: title, suggested name and filter of the
        file dialog. `suffixes`: allowed suffixes; the first is appended to a path with another one. `request`: kind and
        current label, as in `ExportRequest`.
        """
        chosen = self._pickers.save(self._view.window(), title, str(Path(self._start) / name), kinds)
        if not chosen:
            return
        path = complete_suffix(Path(chosen), *suffixes)
        self._start = str(path.parent)
        kind, label_now = request
        done = partial(self._on_saved, source, path)
        self._secrecy.export(
            self._view.window(),
            ExportRequest(kind, str(path), label_now),
            lambda permit: self.work(lambda: write(path, permit), done),
        )

    def work(self, work: Callable[[], Any], on_done: Callable[[Any], None]) -> None:
        """Run `work` in the background, then `on_done` with its result."""
        self._set_working(True)
        background.run(work, partial(self._on_done, on_done), self._on_failed)

    def _on_done(self, on_done: Callable[[Any], None], result: Any) -> None:
        self._set_working(False)
        on_done(result)

    def _on_saved(self, source: object, path: Path, _nothing: object) -> None:
        if source == self._shown():
            self._saved = path
            actions = (("folder", phrase("common.open_folder")),)
            self._banner.show_message("success", phrase("common.exported"), str(path), actions)
        self.saved.emit()

    def _open_folder(self, key: str) -> None:
        if key == "folder" and self._saved is not None:
            desktop.open_folder(self._saved.parent)

    def _on_failed(self, error: AppError) -> None:
        self._set_working(False)
        self.failed.emit(error)

    def _set_working(self, is_working: bool) -> None:
        self.is_working = is_working
        self.changed.emit()
