"""The results as files to pass on, and the report that lies in the study's folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services import background
from app.evaluation.report.report_parts import Section
from app.evaluation.report.results import Evaluation
from app.evaluation.study import study as studies
from app.evaluation.study.study import REPORT
from app.uikit.desktop import open_file
from app.uikit.pickers import Pickers, completed
from app.uikit.secrecy import Secrecy

T = TypeVar("T")

BOOK, PAGE = ".xlsx", ".html"
FORMS = (BOOK, ".csv", PAGE)


class ResultDeeds(QObject):
    saved = Signal(object, object)  # folder of the study, and Path
    failed = Signal(object)  # AppError
    changed = Signal()  # `is_working`

    def __init__(self, secrecy: Secrecy, pickers: Pickers, view: QWidget) -> None:
        super().__init__(view)
        self._secrecy = secrecy
        self._pickers = pickers
        self._view = view
        self._start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        self.is_working = False

    def export_book(self, folder: Path, found: Evaluation, sections: Sequence[Section]) -> None:
        kinds = f"{self.tr('Excel ブック')} (*{BOOK});;CSV (*.csv)"
        self._export(folder, found, sections, self.tr("結果の保存先"), kinds, BOOK)

    def export_page(self, folder: Path, found: Evaluation, sections: Sequence[Section]) -> None:
        self._export(folder, found, sections, self.tr("報告書の保存先"), f"HTML (*{PAGE})", PAGE)

    def open_report(self, folder: Path, found: Evaluation, sections: Sequence[Section]) -> None:
        """Makes it anew where it is gone."""

        def made() -> Path:
            from app.evaluation.report import report

            path = folder / REPORT
            return path if path.is_file() else report.write(found, sections, folder)

        self._work(made, self._on_made)

    # ------------------------------------------------------------------- private

    def _export(
        self, folder: Path, found: Evaluation, sections: Sequence[Section], title: str, kinds: str, suffix: str
    ) -> None:
        name = "".join("_" if letter in '<>:"/\\|?*' else letter for letter in found.name)[:80].strip(" .")
        first = str(Path(self._start) / f"{name or found.id}{suffix}")
        chosen = self._pickers.save(self._view.window(), title, first, kinds)
        if not chosen:
            return
        path = completed(Path(chosen), suffix, *FORMS)
        self._start = str(path.parent)

        def write() -> tuple[Path, Path]:
            from app.evaluation.report import result_reading

            result_reading.save(found, sections, path, folder if _is_alone(found, folder) else None)
            return folder, path

        label = found.questions.label
        go = lambda: self._work(write, self._on_saved)  # noqa: E731
        self._secrecy.export(self._view.window(), label, "answers", str(path), go)

    def _work(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        self._set_working(True)
        background.run(work, done, self._on_failed)

    def _on_saved(self, saved: tuple[Path, Path]) -> None:
        self._set_working(False)
        self.saved.emit(*saved)

    def _on_made(self, path: Path) -> None:
        self._set_working(False)
        open_file(path)

    def _on_failed(self, error: AppError) -> None:
        self._set_working(False)
        self.failed.emit(error)

    def _set_working(self, is_working: bool) -> None:
        self.is_working = is_working
        self.changed.emit()


def _is_alone(found: Evaluation, folder: Path) -> bool:
    """And not one of several in a table, whose systems the votes of the first would be taken for."""
    try:
        return len(studies.read(folder).contenders) == len(found.systems)
    except AppError:
        return False
