"""A question set into a file: where to, in the form that its name says; a confidential one after a yes on record."""

from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QWidget

from app.base.services import background
from app.evaluation import question_files
from app.evaluation.records import QuestionSet
from app.uikit.pickers import Pickers, completed
from app.uikit.secrecy import Secrecy


class SetExport(QObject):
    exported = Signal(str, object)  # the name of the set, and Path
    failed = Signal(object)  # AppError

    def __init__(self, view: QWidget, secrecy: Secrecy, pickers: Pickers) -> None:
        super().__init__(view)
        self._view = view
        self._secrecy = secrecy
        self._pickers = pickers
        self._start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)

    def ask(self, found: QuestionSet) -> None:
        """The desktop's own window asks before a file is replaced."""
        kinds = ";;".join(("Excel (*.xlsx)", "CSV (*.csv)", "JSON Lines (*.jsonl)"))
        start = str(Path(self._start) / f"{found.name}.xlsx")
        chosen = self._pickers.save(self._view.window(), self.tr("質問集の書き出し先"), start, kinds)
        if not chosen:
            return
        out = completed(Path(chosen), *question_files.WRITTEN)
        self._secrecy.export(self._view.window(), found.label, "questions", str(out), lambda: self._write(found, out))

    # ------------------------------------------------------------------- private

    def _write(self, found: QuestionSet, out: Path) -> None:
        def work() -> tuple[str, Path]:
            question_files.write(out, found.questions)
            return found.name, out

        background.run(work, self._on_written, self.failed.emit)

    def _on_written(self, written: tuple[str, Path]) -> None:
        self.exported.emit(*written)
