"""Show the states of documents as text, and the progress of the reading queue, of OCR's installation and of vectors."""

import time
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QProgressBar

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.documents.collection_updates import RefreshResult
from app.documents.records import DOUBTFUL_GARBLED_SHARE, DOUBTFUL_NOTES, Document, DocumentCollection
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.embedding import Embedding, EmbeddingStatus
from app.documents.services.ocr_setup import OcrSetup
from app.documents.services.reading_queue import QueueStatus
from app.models import package_locks
from app.uikit.desktop import Pickers
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import NoticeColumn, make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, Label
from app.uikit.widgets.progress_row import ProgressRow, TimeLeftText

# Icon and colour of each state, in the order of sorting: documents that need attention first.
STATES = {
    "failed": ("circle-x", "danger"),
    "doubtful": ("triangle-alert", "warning"),
    "reading": ("refresh-cw", "accent"),
    "waiting": ("ellipsis", "muted"),
    "done": ("circle-check", "success"),
}
RANKS = {state: rank for rank, state in enumerate(STATES)}


def state_text(document: Document) -> str:
    return {
        "waiting": phrase("common.waiting"),
        "reading": phrase("documents.reading"),
        "done": phrase("common.done"),
        "doubtful": phrase("documents.needs_attention"),
        "failed": phrase("common.failed"),
    }[document.state]


def reading_text(done: int, total: int) -> str:
    if not total:
        return phrase("documents.reading")
    return phrase("documents.reading_a_b", a=f"{done:,}", b=f"{total:,}")


def changes_text(result: RefreshResult) -> str:
    facts = {"a": result.new, "b": result.changed, "c": len(result.removed_ids)}
    return phrase("documents.new_a_changed_b_gone", **facts)


def count_problems(document: Document) -> int:
    """Return the number of problems: pages without text, garbled text, some notes of the reader, a failure."""
    report = document.report
    is_garbled = report.garbled_share > DOUBTFUL_GARBLED_SHARE
    noted = len(DOUBTFUL_NOTES.intersection(report.notes))
    return len(report.pages_without_text) + is_garbled + noted + (document.state == "failed")


STEPS = 1000  # steps of the progress bar
RATED_AFTER_S = 10.0  # seconds before a rate is shown, because it is unstable at first
RATED_FROM = 8  # documents from which a rate is shown; with fewer, it depends on their sizes


class QueueRow(QFrame):
    """A row with the progress of the queue; hidden while nothing is to be read."""

    cancel_requested = Signal()
    cancel_scan_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._status = QueueStatus()
        self._found_files: int | None = None  # files found so far; None: none are looked for
        self._time_left = TimeLeftText()
        self._began_at = time.monotonic()
        self._second = QTimer(self, interval=1000)
        self._second.timeout.connect(self._refresh)
        self._build(theme)
        self.hide()

    def show_status(self, status: QueueStatus) -> None:
        if status.documents_done < self._status.documents_done or not self._status.documents_total:
            self._time_left.restart()
            self._began_at = time.monotonic()
        self._status = status
        if status.phase in ("reading", "indexing"):
            self._time_left.note(_fraction(status))
        else:
            self._time_left.restart()
        self._refresh()

    def show_found(self, count: int | None) -> None:
        """Show that files are looked for, and how many were found so far; None: the search has ended."""
        self._found_files = count
        self._refresh()

    def _build(self, theme: Theme) -> None:
        self.setProperty("surface", "raised")
        self.work_label = ElidedLabel()
        self.amount = Label(role="caption", tone="text2")
        self.pause_button = Button(theme, phrase("common.pause"), icon="pause", compact=True)
        self.resume_button = Button(theme, phrase("common.resume"), icon="play", compact=True)
        self.cancel_button = Button(theme, phrase("common.cancel_2"), compact=True)
        self.bar = QProgressBar(maximum=STEPS, textVisible=False)
        self.bar.setAccessibleName(phrase("documents.reading_documents"))
        text_row = make_row((self.work_label, 1), spacing_px=12)
        for button in (self.pause_button, self.resume_button, self.cancel_button):
            text_row.addWidget(button)
        make_column(text_row, self.amount, self.bar, into=self, margins_px=(16, 8, 8, 8), spacing_px=6)
        self.cancel_button.clicked.connect(self._on_cancel_clicked)

    def _on_cancel_clicked(self) -> None:
        if self._found_files and not self._is_reading:
            self.cancel_scan_requested.emit()
        else:
            self.cancel_requested.emit()

    @property
    def _is_reading(self) -> bool:
        return self._status.phase in ("reading", "indexing", "paused", "elsewhere")

    def _refresh(self) -> None:
        status = self._status
        is_shown = self._is_reading or self._found_files is not None
        is_running = status.phase in ("reading", "indexing")
        self._second.start() if is_running else self._second.stop()
        self._show_buttons(status)
        self.work_label.setText(self._work_text(status))
        self.amount.setText(self._amount(status))
        self.amount.setVisible(bool(self.amount.text()))
        self.bar.setVisible(self._is_reading)
        self.bar.setValue(round(STEPS * _fraction(status)))
        self.setVisible(is_shown)

    def _show_buttons(self, status: QueueStatus) -> None:
        had_focus = self.pause_button.hasFocus() or self.resume_button.hasFocus()
        is_running = status.phase in ("reading", "indexing")
        self.pause_button.setVisible(is_running)
        self.resume_button.setVisible(status.phase == "paused")
        self.cancel_button.setVisible(self._is_reading or bool(self._found_files))
        if had_focus:  # keep the focus at this place
            (self.resume_button if status.phase == "paused" else self.pause_button).setFocus()

    def _work_text(self, status: QueueStatus) -> str:
        match status.phase:
            case "paused":
                return phrase("documents.reading_is_paused")
            case "elsewhere":
                return phrase("documents.another_kotae_a_command_is")
            case "reading" | "indexing" if status.name:
                return phrase("documents.reading_name", name=status.name)
            case "reading" | "indexing":
                return phrase("documents.preparing_to_go_on_reading")
        found = self._found_files
        if found:
            return phrase("documents.looking_through_folders_n_files", n=f"{found:,}")
        return phrase("documents.looking_for_documents") if found is not None else ""

    def _amount(self, status: QueueStatus) -> str:
        if not self._is_reading:
            return ""
        done = phrase("documents.document_a_b", a=f"{status.documents_done:,}", b=f"{status.documents_total:,}")
        if status.phase not in ("reading", "indexing"):
            return done
        within = ""
        if status.phase == "indexing":
            within = phrase("documents.writing_the_search_index")
        elif status.total:
            within = reading_text(status.done, status.total)
        can_rate = status.documents_total >= RATED_FROM or (status.documents_total == 1 and status.total > 0)
        return join_facts(done, within, self._rate(status), self._time_left.words if can_rate else "")

    def _rate(self, status: QueueStatus) -> str:
        """Return the documents per minute as text; "" until the number is stable."""
        elapsed_s = time.monotonic() - self._began_at
        if status.documents_done < RATED_FROM or elapsed_s < RATED_AFTER_S:
            return ""
        return phrase("documents.n_a_minute", n=f"{status.documents_done * 60 / elapsed_s:,.0f}")


def _fraction(status: QueueStatus) -> float:
    """Return the progress from 0 to 1; each document counts as one, the current one by its pages."""
    if not status.documents_total:
        return 0.0
    within = min(1.0, status.done / status.total) if status.total else 0.0
    within = 1.0 if status.phase == "indexing" else within
    return min(1.0, (status.documents_done + within) / status.documents_total)


class FilesLine(Label):
    """A line that says that files are followed, and what was taken in last; empty if not followed or Kotae's own."""

    def __init__(self, documents: DocumentLibrary) -> None:
        super().__init__(role="caption", tone="text2", wraps=True)
        self._documents = documents
        self._changes: dict[int, str] = {}  # by id of the collection
        self._collection: DocumentCollection | None = None
        documents.refreshed.connect(self._on_refreshed)

    def show_collection(self, collection: DocumentCollection | None) -> None:
        self._collection = collection
        is_followed = collection is not None and not collection.is_builtin and self._documents.watch.is_on
        changes = self._changes.get(collection.id, "") if collection is not None else ""
        self.setText(join_facts(phrase("documents.changes_of_files_are_taken"), changes) if is_followed else "")

    def _on_refreshed(self, result: RefreshResult) -> None:
        if result.new or result.changed or result.removed_ids:
            numbers = changes_text(result)
            at = time.strftime("%H:%M")
            self._changes[result.collection_id] = phrase("documents.last_changes_at", at=at, numbers=numbers)
            self.show_collection(self._collection)


class MeaningLine(Label):
    """A line with the state of the search by meaning; hidden while there is nothing to report."""

    def __init__(self, embedding: Embedding) -> None:
        super().__init__(role="caption", tone="text2", wraps=True)
        embedding.status_changed.connect(self._show_status)
        self._show_status(embedding.standing)

    def _show_status(self, status: EmbeddingStatus) -> None:
        self.setText(self._words(status))
        self.setVisible(bool(self.text()))

    def _words(self, status: EmbeddingStatus) -> str:
        amount = {"a": f"{status.done:,}", "b": f"{status.total:,}"}
        match status.phase:
            case "working":
                return phrase("documents.preparing_the_search_by_meaning_a_of", **amount)
            case "paused":
                return phrase("documents.preparing_the_search_by_meaning_a_of_b_resting", **amount)
            case "elsewhere":
                return phrase("documents.preparing_the_search_by_meaning")
            case "failed" if status.error is not None:
                why = describe_error(status.error).message
                return phrase("documents.the_search_by_meaning_cannot", why=why)
        return ""


def ocr_offer() -> tuple[tuple[str, str], ...]:
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
