"""Install the part for text recognition (OCR) from the page 資料: the progress, and the result."""

from pathlib import Path

from app.base.errors import AppError
from app.base.wording import phrase
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.ocr_setup import OcrSetup
from app.models import package_locks
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import NoticeColumn
from app.uikit.widgets.progress_row import ProgressRow


def offer() -> tuple[tuple[str, str], ...]:
    """Return the button that installs the part, as (key, text); () if there is no part for this machine."""
    return (("install", phrase("documents.install_text_recognition")),) if package_locks.ocr_lock() else ()


class OcrInstallation(NoticeColumn):
    """Shows an installation while it runs, and its result; then the documents that lack it are read again."""

    def __init__(self, theme: Theme, setup: OcrSetup, documents: DocumentLibrary, pickers: Pickers | None) -> None:
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        super().__init__(self.progress, self.banner)
        self._setup = setup
        self._pickers = pickers or Pickers()
        self._documents = documents
        self._is_unpacking = False
        self.progress.cancelled.connect(setup.cancel)
        self.banner.action_requested.connect(lambda _key: self._install_from_folder())
        setup.began.connect(self._on_began)
        setup.progressed.connect(self._on_progressed)
        setup.cancelled.connect(self.progress.finish)
        setup.finished.connect(self._on_finished)
        setup.failed.connect(self._on_failed)
        if setup.is_running:
            self._on_began()

    def install(self) -> None:
        self._setup.start()

    # ------------------------------------------------------------------ private

    def _install_from_folder(self) -> None:
        path = self._pickers.folder(self.window(), phrase("documents.choose_the_folder_of_wheels"), "")
        if path:
            self._setup.start(Path(path))

    def _on_began(self) -> None:
        self.banner.hide()
        self._is_unpacking = False
        self.progress.start(phrase("documents.installing_text_recognition"), self._setup.elapsed_s)

    def _on_progressed(self, done_bytes: int, total_bytes: int) -> None:
        if not total_bytes and not self._is_unpacking:
            self._is_unpacking = True
            self.progress.start(phrase("documents.unpacking_text_recognition"))
        self.progress.set_progress(done_bytes, total_bytes, is_bytes=True)

    def _on_finished(self) -> None:
        self.progress.finish()
        what = phrase("documents.text_recognition_is_installed")
        self.banner.show_message("success", what, phrase("documents.documents_with_pictures_are_read_again"))
        self._documents.recognize_all()

    def _on_failed(self, error: AppError) -> None:
        self.progress.finish()
        self.banner.show_error(error, (("folder", phrase("documents.install_from_a_folder")),))
