"""Show 取り込みの報告: the result of reading a document, and actions on it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QWidget

from app.base.wording import phrase
from app.documents.records import Document, shown_path
from app.documents.services.reading_queue import QueueStatus
from app.documents.ui import document_texts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import ElidedLabel, FactList, Label


class ReportPanel(QFrame):
    """The report on one document."""

    recognition_requested = Signal()
    acceptance_requested = Signal()  # accept the document as it is

    def __init__(self, theme: Theme, *, can_recognize: bool) -> None:
        """`can_recognize`: Tesseract, which recognizes text in images, is installed."""
        super().__init__()
        self._theme = theme
        self._can_recognize = can_recognize
        self._document: Document | None = None
        self._build()
        self.banner.action_requested.connect(self._on_action)

    @property
    def document(self) -> Document | None:
        return self._document

    def show_document(self, document: Document | None, status: QueueStatus) -> None:
        """Show a document. `status`: of the queue, which may be reading it."""
        self._document = document
        if document is None:
            return
        self.name.setText(document.name)
        self._show_state(document, status)
        self._show_banner(document)
        facts = document_texts.facts(document)
        self.facts.set_facts([*facts, (phrase("common.place"), shown_path(document.path))])
        notes = document_texts.notes(document.report)
        self._notes.setText("\n".join(notes))
        self._notes.setVisible(bool(notes))
        self.encoding_button.setVisible(bool(document.report.encoding or document.chosen_encoding))

    def set_back_visible(self, is_visible: bool) -> None:
        """Show the button back to the table, which is hidden then."""
        self.back_button.setVisible(is_visible)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self.setProperty("surface", "card")
        self.back_button = Button(self._theme, phrase("documents.back_to_the_list"), "quiet", compact=True)
        self.back_button.hide()
        self.name = ElidedLabel(strong=True)
        self._state = Label(role="caption", tone="text2")
        head = make_row(
            self.back_button,
            Label(phrase("documents.import_report"), "caption", "muted"),
            (self.name, 1),
            self._state,
            spacing_px=10,
        )
        content = QWidget()
        inside = make_column(head, into=content, margins_px=(16, 10, 16, 12), spacing_px=10)
        self.banner = Banner(self._theme, can_close=False)
        inside.addWidget(self.banner)
        self.facts = FactList(self._theme, is_compact=True)
        inside.addWidget(self.facts)
        self._notes = Label(role="caption", tone="text2", wraps=True)
        inside.addWidget(self._notes)
        inside.addWidget(self._build_actions())
        inside.addStretch(1)
        make_column(make_scrollable(content), into=self, margins_px=(1, 1, 1, 1))

    def _build_actions(self) -> QWidget:
        theme = self._theme
        self.open_button = Button(theme, phrase("documents.open"), icon="external-link", compact=True)
        self.folder_button = Button(theme, phrase("documents.show_in_folder"), icon="folder-open", compact=True)
        self.again_button = Button(theme, phrase("common.read_again"), icon="refresh-cw", compact=True)
        self.encoding_button = Button(theme, phrase("documents.change_the_encoding"), compact=True)
        return FlowBox(self.open_button, self.folder_button, self.again_button, self.encoding_button)

    # ------------------------------------------------------------------- showing

    def _show_state(self, document: Document, status: QueueStatus) -> None:
        is_read = document.id == status.document_id
        self._state.setText(
            document_texts.reading(status.done, status.total) if is_read else document_texts.state(document)
        )
        is_waiting = document.state in ("waiting", "reading")
        self.again_button.setEnabled(not is_waiting)

    def _show_banner(self, document: Document) -> None:
        error, blank = document_texts.error(document), document.report.pages_without_text
        if error is not None:
            self.banner.show_message("danger", error.message, error.next)
        elif document.state == "doubtful" and blank:
            what = phrase("documents.n_pages_are_images_only", n=f"{len(blank):,}")
            accept = ("accept", phrase("documents.use_as_it_is"))
            if self._can_recognize:
                actions = (("recognize", phrase("documents.recognize_text")), accept)
                self.banner.show_message("warning", what, phrase("documents.what_is_on_these_pages"), actions)
            else:
                next_step = phrase("documents.text_recognition_needs_tesseract_and")
                self.banner.show_message("warning", what, next_step, (accept,))
        elif document.state == "doubtful":
            what = phrase("documents.please_check_what_was_read")
            next_step = phrase("documents.if_nothing_looks_wrong_it")
            self.banner.show_message("warning", what, next_step, (("accept", phrase("documents.use_as_it_is")),))
        else:
            self.banner.hide()

    def _on_action(self, key: str) -> None:
        (self.recognition_requested if key == "recognize" else self.acceptance_requested).emit()
