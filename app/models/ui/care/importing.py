"""Files on their way into the list: one after the other, with one row of progress, each explained where it fails."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, Signal

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.inference.local_model import LocalModel
from app.models.services.library import ModelLibrary
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.progress_row import ProgressRow


class Importing(QObject):
    """Work that somebody else has begun (the first run) has no row here, and is explained there."""

    began = Signal()
    ended = Signal()

    def __init__(self, library: ModelLibrary, progress: ProgressRow, banner: Banner, parent: QObject) -> None:
        super().__init__(parent)
        self._library = library
        self._progress = progress
        self._banner = banner
        self._waiting: list[str] = []
        self._count = 0
        self._path = ""
        self._problems: list[tuple[str, AppError]] = []  # file name, reason
        progress.cancelled.connect(library.cancel)
        library.progressed.connect(self._on_progressed)
        library.imported.connect(self._on_imported)
        library.failed.connect(self._on_failed)

    def add_files(self, paths: Sequence[str]) -> None:
        """Adds GGUF files where they lie, after what is being added already."""
        if not paths:
            return
        self._banner.hide()
        if self._waiting or self._library.is_working:
            self._waiting += paths
            self._count += len(paths)
            self._progress.start(phrase("common.adding_a_model"))
        else:
            self._waiting, self._count, self._problems = list(paths), len(paths), []
            self._add_next()

    def add_starter(self) -> None:
        self._start(phrase("common.adding_the_trial_model"))
        self._library.add_starter()
        self.began.emit()

    def take_over(self) -> None:
        """Work that somebody else began, who is gone, is shown here from now on."""
        if self._library.is_working:
            self._start(phrase("common.adding_a_model"))

    def explain(self, error: AppError) -> None:
        self._progress.finish()
        if error.code != "cancelled":
            sentence = describe_error(error)
            actions = (("import", phrase("common.choose_another_file")),)
            self._banner.show_message("danger", sentence.message, sentence.next, actions)

    # ------------------------------------------------------------------- private

    def _start(self, what: str) -> None:
        self._banner.hide()
        self._count, self._problems = 1, []
        self._progress.start(what)

    def _add_next(self) -> None:
        self._path = self._waiting.pop(0)
        what = phrase("common.importing_name", name=Path(self._path).name)
        if self._count > 1:
            place = f"{self._count - len(self._waiting)}/{self._count}"
            what = phrase("models.importing_place_name", place=place, name=Path(self._path).name)
        self._progress.start(what)
        self._library.import_file(self._path)
        self.began.emit()

    def _on_progressed(self, done_bytes: int, total_bytes: int) -> None:
        self._progress.set_progress(done_bytes, total_bytes, is_bytes=True)

    def _on_imported(self, _model: LocalModel) -> None:
        if not self._progress.isHidden():
            self._go_on()

    def _on_failed(self, error: AppError) -> None:
        if self._progress.isHidden():
            self.ended.emit()
            return
        if error.code == "cancelled":
            self._waiting.clear()
        else:
            self._problems.append((Path(self._path).name, error))
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            self._add_next()
            return
        self._progress.finish()
        if self._count == 1 and self._problems:
            self.explain(self._problems[0][1])
        elif self._problems:
            self._explain_several()
        self.ended.emit()

    def _explain_several(self) -> None:
        what = phrase("models.m_of_n_could_not", n=self._count, m=len(self._problems))
        line = phrase("common.name_value")
        reasons = [line.format(name=name, value=describe_error(error)) for name, error in self._problems]
        actions = (("import", phrase("common.choose_another_file")),)
        self._banner.show_message("danger", what, "\n".join(reasons), actions)


def dropped_files(data: QMimeData) -> list[str]:
    """The GGUF files among what is dragged."""
    paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.casefold().endswith(".gguf")]
