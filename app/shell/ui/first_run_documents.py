"""Show step 3 of the first run: the user's own documents, or a sample, and a first question about them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt, Signal
from PySide6.QtWidgets import QWidget

from app.base import paths, wording
from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.documents.collection_updates import AddedFiles, name_of_added
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_offers import ReadingOffer, ReadingOffers
from app.documents.ui.adding import AskOffer, choose_files, choose_folder
from app.documents.ui.status_rows import QueueRow
from app.uikit.desktop import DropZone, FileDrops, Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, Stretch, make_column
from app.uikit.widgets.labels import Label


class DocumentsStep(QWidget):
    """Reads what the user chooses into a new collection. Reading continues after the dialog closes."""

    asked = Signal(object, str)  # as `AskOffer.asked`
    changed = Signal()  # documents are offered to be asked, or no longer

    def __init__(
        self,
        theme: Theme,
        documents: DocumentLibrary,
        offers: ReadingOffers,
        sample_folder: Path,
        pickers: Pickers | None = None,
    ) -> None:
        """Build the step. `sample_folder`: where the sample is copied to before it is read."""
        super().__init__()
        self._documents = documents
        self._sample_folder = sample_folder
        self._pickers = pickers or Pickers()
        self._awaiting: Sequence[Path] = ()  # chosen before the documents were open
        self._start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        FileDrops(self, lambda paths: paths, self.add)
        self._build(theme)
        self._connect(offers)
        documents.open()
        self._show_state()

    @property
    def has_offer(self) -> bool:
        return not self.offer.isHidden()

    def show_model(self, name: str) -> None:
        """Show which model answers. `name` "": there is none."""
        key = "shell.name_is_used_for_questions" if name else "shell.without_a_model_documents_are_quoted"
        self.model.setText(phrase(key, name=name) if name else phrase(key))
        self.model.set_tone("success" if name else "text2")

    def first_button(self) -> Button:
        """Return the button that gets the focus first."""
        return self.offer.ask_button if self.has_offer else self.files_button

    def add(self, chosen: Sequence[Path]) -> None:
        """Read files and folders into a new collection."""
        if not chosen:
            return
        if not self._documents.is_open:
            self._awaiting = chosen
            self.queue.show_found(0)
            return
        self._start = str(chosen[0].parent)
        self.problem.hide()
        self.offer.dismiss()
        known = [one.name for one in self._documents.collections()]
        self._documents.add_collection(name_of_added(chosen, known), paths=chosen)

    def add_sample(self) -> None:
        """Read the sample, from a copy, because the program's own folder may move with its next version."""
        source = paths.resources() / "sample" / f"sample.{wording.current_language()}.md"
        try:
            self._sample_folder.mkdir(parents=True, exist_ok=True)
            copy = Path(shutil.copyfile(source, self._sample_folder / f"{phrase('shell.sample_name')}.md"))
        except OSError as error:
            self._explain(str(describe_error(AppError("document_unreadable", reason=error.strerror or str(error)))))
            return
        self.add([copy])

    # ------------------------------------------------------------------ private

    def _build(self, theme: Theme) -> None:
        self._description = Label(phrase("shell.choose_documents_and_they_can_be_asked"), tone="text2", wraps=True)
        self.model = Label(tone="text2", wraps=True)
        self.files_button = Button(theme, phrase("documents.add_files_2"), "primary", "plus")
        self.folder_button = Button(theme, phrase("documents.add_a_folder_2"), icon="folder-plus")
        self.sample_button = Button(theme, phrase("shell.try_the_sample"), "quiet", "file-text")
        self.drop_zone = DropZone(theme)
        self.queue = QueueRow(theme)
        self.problem = Label(tone="warning", wraps=True)
        self.problem.hide()
        self.offer = AskOffer(theme)
        self.offer.close_button.hide()
        make_column(
            Label(phrase("shell.ask_your_own_documents"), "heading2"),
            self._description,
            self.model,
            self.drop_zone,
            FlowBox(self.files_button, self.folder_button, self.sample_button),
            self.queue,
            self.problem,
            self.offer,
            Stretch(),
            into=self,
            spacing_px=12,
        )

    def _connect(self, offers: ReadingOffers) -> None:
        documents, queue = self._documents, self.queue
        self.files_button.clicked.connect(lambda: self.add(choose_files(self._pickers, self.window(), self._start)))
        self.folder_button.clicked.connect(lambda: self.add(choose_folder(self._pickers, self.window(), self._start)))
        self.sample_button.clicked.connect(self.add_sample)
        self.offer.asked.connect(self.asked)
        offers.begun.connect(self._on_offer_begun)
        offers.offered.connect(self._on_offered)
        documents.opened.connect(self._on_opened)
        documents.added.connect(self._on_added)
        documents.failed.connect(self._on_failed)
        documents.not_opened.connect(self._on_not_opened)
        documents.queue.status_changed.connect(queue.show_status)
        documents.write_queue.counted.connect(queue.show_found)
        queue.pause_button.clicked.connect(documents.pause)
        queue.resume_button.clicked.connect(documents.resume)
        queue.cancel_requested.connect(documents.cancel_all)
        queue.cancel_scan_requested.connect(documents.cancel_scan)

    def _on_opened(self) -> None:
        chosen, self._awaiting = self._awaiting, ()
        self.add(chosen)

    def _on_not_opened(self, _error: AppError) -> None:
        if not self._documents.is_open:  # else a new file replaces a damaged one, and reading goes on
            self.queue.show_found(None)

    def _show_state(self) -> None:
        self.files_button.set_kind("" if self.has_offer else "primary")
        for widget in (self._description, self.drop_zone):
            widget.setVisible(not self.has_offer)
        self.changed.emit()

    def _explain(self, words: str) -> None:
        self.problem.setText(words)
        self.problem.show()

    def _on_added(self, added: AddedFiles) -> None:
        if not added.new:
            self._explain(phrase("documents.there_was_no_document_that"))

    def _on_failed(self, error: AppError) -> None:
        self._explain(str(describe_error(error)))

    def _on_offer_begun(self) -> None:
        self.queue.show_found(0)

    def _on_offered(self, offer: ReadingOffer) -> None:
        self.queue.show_found(None)
        if offer.scope:
            self.offer.show_offer(offer)
        else:
            self._explain(phrase("shell.no_text_was_found_in_them"))
        self._show_state()
        if offer.scope and self.isVisible():
            self.offer.ask_button.setFocus(Qt.FocusReason.OtherFocusReason)
