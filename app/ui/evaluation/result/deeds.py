"""The results as files to pass on, and the report that lies in the study's folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.core.evaluation.report_parts import Section
from app.core.evaluation.results import Evaluation
from app.core.evaluation.study import REPORT
from app.services import background
from app.ui.desktop import open_folder
from app.ui.secrecy import Secrecy
from app.ui.transfer.pickers import Pickers

BOOK, PAGE = ".xlsx", ".html"


class ResultDeeds(QObject):
    saved = Signal(object)  # Path
    failed = Signal(object)  # AppError
    changed = Signal()  # `is_working`

    def __init__(self, secrecy: Secrecy, pickers: Pickers, view: QWidget) -> None:
        super().__init__(view)
        self._secrecy = secrecy
        self._pickers = pickers
        self._view = view
        self._start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        self.is_working = False

    def export_book(self, found: Evaluation, sections: Sequence[Section]) -> None:
        kinds = f"{self.tr('Excel ブック')} (*{BOOK});;CSV (*.csv)"
        self._export(found, sections, self.tr("結果の保存先"), kinds, BOOK)

    def export_page(self, found: Evaluation, sections: Sequence[Section]) -> None:
        self._export(found, sections, self.tr("報告書の保存先"), f"HTML (*{PAGE})", PAGE)

    def open_report(self, folder: Path, found: Evaluation, sections: Sequence[Section]) -> None:
        """Makes it anew where it is gone."""

        def made() -> Path:
            from app.core.evaluation import report

            path = folder / REPORT
            return path if path.is_file() else report.write(found, sections, folder)

        self._work(made, self._on_made)

    # ------------------------------------------------------------------- private

    def _export(self, found: Evaluation, sections: Sequence[Section], title: str, kinds: str, suffix: str) -> None:
        name = "".join("_" if letter in '<>:"/\\|?*' else letter for letter in found.name)[:80].strip(" .")
        first = str(Path(self._start) / f"{name or found.id}{suffix}")
        chosen = self._pickers.save(self._view.window(), title, first, kinds)
        if not chosen:
            return
        path = _completed(Path(chosen), suffix)
        self._start = str(path.parent)

        def write() -> Path:
            from app.core.evaluation import result_reading

            result_reading.save(found, sections, path)
            return path

        label = found.questions.label
        go = lambda: self._work(write, self._on_saved)  # noqa: E731
        self._secrecy.export(self._view.window(), label, "answers", str(path), go)

    def _work(self, work: Callable[[], Path], done: Callable[[Path], None]) -> None:
        self._set_working(True)
        background.run(work, done, self._on_failed)

    def _on_saved(self, path: Path) -> None:
        self._set_working(False)
        self.saved.emit(path)

    def _on_made(self, path: Path) -> None:
        self._set_working(False)
        open_folder(path)  # the desktop opens a file the same way

    def _on_failed(self, error: AppError) -> None:
        self._set_working(False)
        self.failed.emit(error)

    def _set_working(self, is_working: bool) -> None:
        self.is_working = is_working
        self.changed.emit()


def _completed(path: Path, suffix: str) -> Path:
    """With a suffix. The desktop asked about the name as typed, so with the suffix it must not replace anything."""
    if path.suffix.lower() in (".xlsx", ".csv", ".html"):
        return path
    completed, number = path.with_name(path.name + suffix), 2
    while completed.exists():
        completed = path.with_name(f"{path.name} ({number}){suffix}")
        number += 1
    return completed
