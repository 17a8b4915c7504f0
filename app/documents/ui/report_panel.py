"""Show 取り込みの報告: the result of reading a document, and actions on it."""

from datetime import datetime

from PySide6.QtWidgets import QFrame, QWidget

from app.base.wording import phrase
from app.documents import encodings
from app.documents.records import Document, ReadingReport, page_ranges, shown_path
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_queue import QueueStatus
from app.documents.ui import status_rows
from app.uikit import localization
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import ElidedLabel, FactList, Label


class ReportPanel(QFrame):
    """The report on how one document was read."""

    def __init__(self, theme: Theme, documents: DocumentLibrary) -> None:
        super().__init__()
        self._theme = theme
        self._documents = documents
        self.document: Document | None = None
        self._build()

    def show_document(self, document: Document | None, status: QueueStatus) -> None:
        """Show the report of a document. `status`: the state of the queue, which may be reading it."""
        self.document = document
        if document is None:
            return
        self.name.setText(document.name)
        self._show_state(document, status)
        self._show_banner(document)
        facts = _facts(document)
        self.facts.set_facts([*facts, (phrase("common.place"), shown_path(document.path))])
        notes = _notes(document.report)
        self._notes.setText("\n".join(notes))
        self._notes.setVisible(bool(notes))
        self.encoding_button.setVisible(bool(document.report.encoding or document.chosen_encoding))

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self.setProperty("surface", "card")
        self.back_button = Button(self._theme, phrase("documents.back_to_the_list"), "quiet", compact=True)
        self.back_button.hide()  # shown while the report replaces the table
        self.name = ElidedLabel(strong=True)
        self._state = Label(role="caption", tone="text2")
        head = make_row(
            self.back_button,
            Label(phrase("documents.import_report"), "caption", "muted"),
            (self.name, 1),
            self._state,
            spacing_px=10,
        )
        self.banner = Banner(self._theme, can_close=False)
        self.facts = FactList(self._theme, is_compact=True)
        self._notes = Label(role="caption", tone="text2", wraps=True)
        parts = head, self.banner, self.facts, self._notes, self._build_actions(), Stretch()
        content = QWidget()
        make_column(make_scrollable(content), into=self, margins_px=(1, 1, 1, 1))
        make_column(*parts, into=content, margins_px=(16, 10, 16, 12), spacing_px=10)

    def _build_actions(self) -> QWidget:
        theme = self._theme
        self.read_button = Button(theme, phrase("documents.read_here"), icon="file-text", compact=True)
        self.summary_button = Button(theme, phrase("documents.summarize_document"), icon="quote", compact=True)
        self.open_button = Button(theme, phrase("documents.open"), icon="external-link", compact=True)
        self.folder_button = Button(theme, phrase("documents.show_in_folder"), icon="folder-open", compact=True)
        self.again_button = Button(theme, phrase("documents.read_again"), icon="refresh-cw", compact=True)
        self.encoding_button = Button(theme, phrase("documents.change_the_encoding"), compact=True)
        return FlowBox(
            self.read_button, self.summary_button, self.open_button, self.folder_button, self.again_button,
            self.encoding_button,
        )  # fmt: skip

    # ------------------------------------------------------------------- showing

    def _show_state(self, document: Document, status: QueueStatus) -> None:
        is_read = document.id == status.document_id
        self._state.setText(
            status_rows.reading_text(status.done, status.total) if is_read else status_rows.state_text(document)
        )
        is_waiting = document.state in ("waiting", "reading")
        self.again_button.setEnabled(not is_waiting)
        for button in (self.read_button, self.summary_button):
            button.setEnabled(bool(document.indexed_at) and document.report.sections > 0)

    def _show_banner(self, document: Document) -> None:
        blank = document.report.pages_without_text
        if document.failure is not None:
            self.banner.show_error(document.failure, status_rows.ocr_offer() if document.needs_recognition else ())
        elif document.needs_recognition:
            what = phrase("documents.n_pages_are_images_only", n=f"{len(blank):,}")
            self.banner.show_message("warning", what, *self._recognition())
        elif document.state == "doubtful":
            what = phrase("documents.please_check_what_was_read")
            next_step = phrase("documents.if_nothing_looks_wrong_it")
            self.banner.show_message("warning", what, next_step, (("accept", phrase("documents.use_as_it_is")),))
        else:
            self.banner.hide()

    def _recognition(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Return a sentence on pages that are images, and the buttons to read them, to install OCR, and to accept."""
        install = () if self._documents.has_ocr_part else status_rows.ocr_offer()
        accept = ("accept", phrase("documents.use_as_it_is"))
        if self._documents.can_recognize:
            recognize = ("recognize", phrase("documents.recognize_text"))
            return phrase("documents.what_is_on_these_pages"), (recognize, *install, accept)
        return phrase("documents.text_recognition_can_be_installed"), (*install, accept)


def _facts(document: Document) -> list[tuple[str, str]]:
    """Return the rows of the report that apply to the format; [] for a document that was never read."""
    report = document.report
    if not document.indexed_at:
        return []
    blank = _pages(report.pages_without_text)
    none = phrase("common.none")
    day = datetime.fromtimestamp(document.indexed_at).date()
    return [
        (phrase("documents.pages_without_text"), (blank or none) if report.pages else ""),
        (phrase("documents.garbled_text_suspected"), _share(report.garbled_share) or none),
        (phrase("documents.text_not_taken"), _share(report.lost_share)),
        (phrase("documents.docs_report.headings"), f"{report.headings:,}"),
        (phrase("documents.docs_report.tables"), f"{report.tables:,}"),
        (phrase("common.characters"), f"{report.characters:,}"),
        (phrase("documents.docs_report.encoding"), encodings.encoding_name(report.encoding)),
        (phrase("documents.read_on"), localization.format_date(day)),
    ]


def _notes(report: ReadingReport) -> list[str]:
    """Return the notes of the reader as sentences."""
    removed = [phrase("documents.docs_invisible", n=f"{report.invisible:,}")] if report.invisible else []
    return [*(phrase(f"documents.document_note.{code}") for code in report.notes), *removed]


def _pages(numbers: tuple[int, ...]) -> str:
    """Return the number of pages and a list of them: 12 ページ（3、5–8、…）; "" for none."""
    if not numbers:
        return ""
    listed = phrase("common.data_gap").join(page_ranges(numbers))
    return localization.with_note(phrase("documents.n_pages", n=f"{len(numbers):,}"), listed)


def _share(part: float) -> str:
    """Return a share (0 to 1) in per cent; "" for 0."""
    if part <= 0:
        return ""
    return phrase("common.p", p="< 0.1" if part < 0.001 else f"{100 * part:.1f}")
