"""A question set into a file: where to, in the form that its name says; a confidential one after a yes on record."""

from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.core.evaluation import question_files
from app.core.evaluation.records import QuestionSet
from app.services import background
from app.ui import desktop
from app.ui.secrecy import Secrecy
from app.ui.transfer.pickers import Pickers


class SetExport(QObject):
    exported = Signal(object)  # Path
    failed = Signal(object)  # AppError

    def __init__(self, view: QWidget, secrecy: Secrecy, pickers: Pickers) -> None:
        super().__init__(view)
        self._view = view
        self._secrecy = secrecy
        self._pickers = pickers
        self._start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        self._path: Path | None = None  # of what was exported last

    def ask(self, found: QuestionSet) -> None:
        """The desktop's own window asks before a file is replaced."""
        kinds = ";;".join(("Excel (*.xlsx)", "CSV (*.csv)", "JSON Lines (*.jsonl)"))
        start = str(Path(self._start) / f"{found.name}.xlsx")
        chosen = self._pickers.save(self._view.window(), self.tr("質問集の書き出し先"), start, kinds)
        if not chosen:
            return
        out = Path(chosen)
        if not out.suffix:
            out = out.with_name(f"{out.name}.xlsx")
        if out.suffix.lower() not in question_files.WRITTEN:
            self.failed.emit(AppError("questions_out_format", name=out.name))
            return
        self._secrecy.export(self._view.window(), found.label, "questions", str(out), lambda: self._write(found, out))

    def open_folder(self) -> None:
        """Where the last file is."""
        if self._path is not None:
            desktop.open_folder(self._path.parent)

    # ------------------------------------------------------------------- private

    def _write(self, found: QuestionSet, out: Path) -> None:
        def work() -> Path:
            question_files.write(out, found.questions)
            return out

        background.run(work, self._on_written, self.failed.emit)

    def _on_written(self, out: Path) -> None:
        self._path = out
        self.exported.emit(out)
