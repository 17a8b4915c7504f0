"""Show the page まとめて質問, which reads a questions file and writes a file of answers with their sources."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QScrollArea, QWidget

from app.base import confidentiality
from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.batch import question_table
from app.chat.batch.question_table import BatchFile
from app.chat.services.batch_run import Batch, BatchStatus, BatchSummary, batch_export
from app.chat.services.batch_session import BatchSession, UnfinishedBatch
from app.chat.services.chat_session import ChatSession
from app.chat.ui import batch_views
from app.chat.ui.batch_views import BatchProgressView, BatchSetupView
from app.chat.ui.chat_notices import consent_dialog
from app.chat.ui.transcript.rows_view import CentredRow
from app.documents.services.document_library import DocumentLibrary
from app.models import model_registry
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import FileDrops, Pickers, complete_suffix
from app.uikit.dialogs import Dialog
from app.uikit.localization import sending_note, with_note
from app.uikit.page import NavigationSignals, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column
from app.uikit.widgets.labels import Label, set_surface


class BatchPage(Page):
    """Shows one of three views: an invitation to choose a file, the setup of the batch, or its progress."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        batches: BatchSession,
        session: ChatSession,
        documents: DocumentLibrary,
        secrecy: ConfidentialityGuard,
        open_folder: Callable[[Path], None],
        pickers: Pickers | None = None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._batches = batches
        self._session = session
        self._documents = documents
        self._secrecy = secrecy
        self._open_folder = open_folder
        self._pickers = pickers or Pickers()
        self._path = Path()
        self._batch_file: BatchFile | None = None
        self._out = Path()  # the file of answers of the last batch
        self._began_at = 0.0
        self._unfinished: UnfinishedBatch | None = None
        self.consent: Dialog | None = None  # the consent dialog that was opened last
        self._failure: AppError | None = None  # the error that the banner shows; None: another message or nothing
        self._build()
        self._connect()
        documents.open()

    def label_now(self) -> confidentiality.Label:
        """Return the label of the running batch, from its collections and model; the questions have none."""
        return self._batches.label_now()

    def focus_first(self) -> None:
        running = self.running.resume_button if self._batches.is_paused else self.running.pause_button
        first = self.setup.start_button if self.shown_widget is self.setup else self.choose_button
        (running if self.shown_widget is self.running else first).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        model = self._session.model
        place = model_registry.server_address(model) if model else ""
        self.setup.show_model(with_note(model.name if model else "", sending_note(place) if place else ""))
        if not self._batches.is_running and self.banner.isHidden():
            self._batches.find_unfinished()

    def _choose_files(self, paths: list[Path]) -> list[Path]:
        fit = [path for path in paths if path.suffix.lower() in question_table.QUESTION_SUFFIXES]
        return fit if len(fit) == 1 and not self._batches.is_running else []

    def open_file(self, path: Path) -> None:
        """Read a questions file and show its setup."""
        self.banner.hide()
        self._path = path
        self._batches.read(path)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        set_surface(self, "base")
        FileDrops(self, self._choose_files, lambda paths: self.open_file(paths[0]))
        self.header = PageHeader(self._theme, phrase("chat.ask_in_batch"))
        self.back_button = Button(self._theme, phrase("chat.back_to_asking"), "quiet", "arrow-left", compact=True)
        self.header.add_action(self.back_button)
        self.banner = Banner(self._theme)
        self.setup = BatchSetupView(self._theme)
        self.running = BatchProgressView(self._theme)
        self.empty = QWidget()
        purpose = Label(phrase("chat.answers_the_questions_of_an"), wraps=True)
        self.choose_button = Button(self._theme, phrase("chat.choose_a_file_of_questions"), "primary", "file-text")
        button = (self.choose_button, 0, Qt.AlignmentFlag.AlignLeft)
        example = Label(phrase("chat.for_example_an_xlsx_whose"), tone="muted", wraps=True)
        make_column(purpose, button, example, Stretch(), into=self.empty, margins_px=(0, 12, 0, 0), spacing_px=12)
        self._parts = (self.empty, self.setup, self.running)
        self._show_view(self.empty)
        content = QWidget()
        set_surface(content, "base")
        make_column(self.banner, *self._parts, Stretch(), into=content, margins_px=(0, 20, 0, 20), spacing_px=16)
        around = QWidget()
        set_surface(around, "base")
        around.setLayout(CentredRow(self._theme, content))
        scrolled = QScrollArea()
        scrolled.setWidget(around)
        scrolled.setWidgetResizable(True)
        scrolled.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scrolled.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        make_column(self.header, (scrolled, 1), into=self, spacing_px=0)

    def _show_view(self, widget: QWidget) -> None:
        """Show one of the three views. A QStackedWidget would be as high as its highest page."""
        self.shown_widget = widget
        for part in self._parts:
            part.setVisible(part is widget)

    def _connect(self) -> None:
        batches, setup, running = self._batches, self.setup, self.running
        batches.questions_read.connect(self._on_read)
        batches.unfinished_found.connect(self._on_unfinished)
        batches.prepared.connect(self._on_prepared)
        batches.progressed.connect(self._on_progressed)
        batches.finished.connect(self._on_finished)
        batches.stopped.connect(self._on_stopped)
        batches.failed.connect(self._on_failed)
        self._documents.changed.connect(self._show_collections)
        self.banner.action_requested.connect(self._on_action)
        self.back_button.clicked.connect(lambda: self._navigation.page_requested.emit("ask"))
        for button in (self.choose_button, setup.other_button):
            button.clicked.connect(self._choose_file)
        setup.columns.activated.connect(lambda column: self._batches.read(self._path, column))
        setup.target_button.clicked.connect(self._choose_target)
        setup.start_button.clicked.connect(self._start_batch)
        running.pause_button.clicked.connect(batches.pause)
        running.resume_button.clicked.connect(batches.resume)
        running.stop_requested.connect(batches.stop)

    # --------------------------------------------------------------------- files

    def _choose_file(self) -> None:
        kinds = phrase("chat.files_of_questions_xlsx_xlsm")
        start = str(self._path.parent) if self._path.name else ""
        if path := self._pickers.open(self, phrase("chat.choose_a_file_of_questions"), start, kinds):
            self.open_file(Path(path))

    def _choose_target(self) -> None:
        kinds = phrase("chat.excel_xlsx_csv_csv_json")
        if path := self._pickers.save(self, phrase("chat.save_answers_to"), str(self.setup.out), kinds):
            out = Path(path)
            self.setup.show_target(out if out.suffix else out.with_name(out.name + ".xlsx"))

    def _on_read(self, batch_file: BatchFile) -> None:
        is_other = self._batch_file is None or self._batch_file.sha256 != batch_file.sha256
        self._batch_file = batch_file
        self.setup.show_file(batch_file, self._path)
        if is_other:
            answers = phrase("chat.name_answers", name=self._path.stem)
            self.setup.show_target(complete_suffix(self._path.with_name(answers), ".xlsx"))
        self._show_collections()
        self._show_view(self.setup)
        self.setup.start_button.setFocus()

    def _show_collections(self) -> None:
        if self._batch_file is not None:
            asked = {ref.name for ref in self._session.scope} if not self.setup.scope() else set()
            collections = [one for one in self._documents.collections() if one.sections]
            self.setup.show_collections(collections, asked)

    # ------------------------------------------------------------------- running

    def _start_batch(self) -> None:
        if self._batch_file is not None:
            self.banner.hide()
            self._batches.prepare(self._batch_file, self._path, self.setup.out, self.setup.scope())

    def _on_prepared(self, batch: Batch) -> None:
        """Begin the batch, after the user's consent if questions go to a remote model or the answers are confidential.

        The dialog about confidentiality comes last, because its answer is recorded.
        """

        def export(agreed: Batch) -> None:
            self._secrecy.export(self, batch_export(batch), lambda permit: self._begin(agreed, permit))

        if batch.model.remote is None:
            export(batch)
            return
        agreed = dataclasses.replace(batch, is_agreed=True)
        consent = consent_dialog(self._theme, batch.model, self.window(), is_batch=True)
        self.consent = consent.ask(lambda: export(agreed))

    def _begin(self, batch: Batch, permit: Permit) -> None:
        self.banner.hide()
        self._failure = None
        self._out = batch.out
        self._began_at = time.monotonic()
        self.running.begin()
        self._show_view(self.running)
        self._batches.begin(batch, permit)

    def _on_progressed(self, status: BatchStatus) -> None:
        self.running.show_status(status, is_paused=self._batches.is_paused)

    def _on_finished(self, summary: BatchSummary) -> None:
        self._batch_file = None
        self._show_view(self.empty)
        what = phrase("chat.n_answered", n=f"{summary.answered:,}")
        sentence = "\n".join(part for part in (batch_views.summary_text(summary), str(self._out)) if part)
        again = (("again", phrase("common.try_again")),) if summary.failed else ()
        actions = (("folder", phrase("chat.open_folder")), *again)
        self.banner.show_message("warning" if summary.failed else "success", what, sentence, actions)
        self._report_end(phrase("chat.asking_in_batch_has_finished"))
        if again:
            self._batches.find_unfinished()

    def _report_end(self, words: str) -> None:
        """Report the end of the batch to the user. `words` must not contain any text of questions or answers."""
        self._navigation.work_ended.emit(words, time.monotonic() - self._began_at)

    def _on_stopped(self, summary: BatchSummary) -> None:
        self._show_view(self.empty)
        total = summary.answered + summary.failed + summary.waiting
        what = phrase("chat.stopped_at_a_of_b", a=f"{summary.answered:,}", b=f"{total:,}")
        sentence = phrase("chat.the_answers_so_far_are", path=self._out)
        actions = (("again", phrase("chat.go_on")), ("folder", phrase("chat.open_folder")))
        self.banner.show_message("warning", what, sentence, actions)
        self._batches.find_unfinished()

    def _on_failed(self, error: AppError) -> None:
        if self.shown_widget is self.running:
            self._unfinished = None
            self._report_end(phrase("chat.asking_in_batch_has_stopped"))
            self._show_view(self.setup if self._batch_file is not None else self.empty)
            self._batches.find_unfinished()
        self._failure = error
        self.banner.show_error(error)

    def _on_unfinished(self, unfinished: UnfinishedBatch) -> None:
        self._unfinished = unfinished
        if self._failure is not None and not self.banner.isHidden() and unfinished.out == self._out:
            self.banner.show_error(self._failure, (("again", phrase("chat.go_on")),))
        elif self.banner.isHidden():
            self._out = unfinished.out
            what = phrase("chat.name_is_not_finished_n", name=unfinished.out.name, n=f"{unfinished.answered:,}")
            actions = (("again", phrase("chat.go_on")), ("forget", phrase("chat.leave_it")))
            self.banner.show_message("warning", what, phrase("chat.questions_path", path=unfinished.head.path), actions)

    def _on_action(self, key: str) -> None:
        if key == "folder":
            self._open_folder(self._out.parent)
        elif key == "forget":
            self._batches.forget_unfinished()
            self.banner.hide()
        elif self._unfinished is not None:
            self._batches.resume_unfinished(self._unfinished)
