"""Show the page that reads one document of the library, cites it and begins a question about it."""

import difflib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QHideEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QMenu, QStackedWidget, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.services.background import LatestWork, TaskProgress
from app.base.wording import phrase
from app.chat.services.retrieval_augmentation import PICTURE_CHARACTERS
from app.chat.ui.reader.reader_view import ReaderView
from app.chat.ui.text.page_view import PagePane
from app.documents import library, whole_document
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import COUNT_LIMITS, CollectionRef, PageRegion
from app.documents.overview.result_table import CLAUSE_GAP, Kind, OverviewRequest
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_child import PagePicture, PageRequest
from app.documents.whole_document import ReadingPlace, WholeDocument
from app.uikit import clipboard_guard, confidentiality_guard, untrusted_text
from app.uikit.page import NavigationSignals, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import IconButton, escape_mnemonic, make_icon_button, make_menu, pop_up, with_icon_space
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import IconLabel, Label, announce, plain_tooltip, set_surface
from app.uikit.widgets.section_bars import TabBar

TEXT, PAGES = "text", "pages"  # the tabs
TITLE_MIN_PX = 140  # width to which the title is shortened before the buttons lose their texts
EDITIONS_MOST = 15  # documents offered for a comparison, those with the most similar names
PART_WIDTH_PX = 1_600  # of the picture in which OCR reads a selected part
COPIED_MS = 2_000  # how long the button says that the citation was copied


class ReaderPage(Page):
    """One document at a time, read from the library in the background."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        documents: DocumentLibrary,
        open_url: Callable[[QUrl], object] = QDesktopServices.openUrl,
    ) -> None:
        """Build the page. `open_url` opens the document's file in another program."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._documents = documents
        self._open_url = open_url
        self._place = ReadingPlace(0)  # what is shown, or being read
        self._reading = LatestWork()
        self._part_read: PageRequest | None = None  # whose text is awaited, to ask about a part of a page
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._build()
        self._connect()

    @property
    def document(self) -> WholeDocument | None:
        """Return the shown document; None while it is being read or if it is not there any more."""
        return self.view.document if self.stack.currentWidget() is self.view else None

    def open(self, place: ReadingPlace) -> None:
        """Show a document at a place. Its words are found and marked there."""
        self._place = place
        self._reading.drop()
        shown = self.document
        if shown is not None and shown.document == self._documents.document(place.document_id):
            self._go_to(shown)
        else:
            self._read()

    def label_now(self) -> confidentiality.Label:
        """Return the present label of the collection that has the document."""
        document = self._documents.document(self._place.document_id)
        if document is None:
            return confidentiality.HIGHEST_LABEL
        return library.label_now(self._documents.path, document.collection_id)

    def focus_first(self) -> None:
        if self.view.find_strip.isVisible():
            self.view.find_strip.field.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.view.focus_first()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():
            self._await_part(None)

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        theme = self._theme
        set_surface(self, "base")
        self.header = PageHeader(theme)
        self.back_button = IconButton(theme, "arrow-left", phrase("chat.back"), "Esc")
        self.label_icon, self.label = IconLabel(theme, "lock", size=13), Label(role="caption", tone="text2")
        self._label_box = QWidget()
        make_row(self.label_icon, self.label, into=self._label_box, spacing_px=4)
        self.tabs = TabBar(theme, {TEXT: phrase("chat.body_text"), PAGES: phrase("chat.pages_tab")})
        self.find_button = IconButton(theme, "search", phrase("chat.find_in_this_document"), "Ctrl+F")
        self.open_button = IconButton(theme, "external-link", phrase("chat.open_file"))
        self.cite_button = make_icon_button(theme, phrase("chat.cite"), "quote", "quiet", compact=True)
        self.cite_button.setToolTip(plain_tooltip(phrase("chat.cite_the_selected_text")))
        words = phrase("chat.ask_here")
        self.ask_button = make_icon_button(theme, words, "message-circle-question-mark", "primary", compact=True)
        self.header.add_before(self.back_button)
        self.header.add_after(self._label_box)
        self.more_button = IconButton(theme, "ellipsis", phrase("chat.whole_document"))
        for action in (
            self.tabs, self.find_button, self.open_button, self.cite_button, self.ask_button, self.more_button,
        ):  # fmt: skip
            self.header.add_action(action)
        self.banner = Banner(theme)
        self._banner_row = make_column(self.banner, margins_px=(16, 0, 16, 0))
        self.view = ReaderView(theme)
        self.pages = PagePane(theme, self._documents.pictures, can_select=True)
        self.view.stack.addWidget(self.pages)
        self.message = Label(tone="text2", wraps=True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.message.setContentsMargins(24, 24, 24, 24)
        self.stack = QStackedWidget()
        self.stack.setMinimumHeight(1)
        self.stack.addWidget(self.message)
        self.stack.addWidget(self.view)
        make_column(self.header, self._banner_row, (self.stack, 1), into=self, spacing_px=0)
        self._show_message("")

    def _connect(self) -> None:
        self.back_button.clicked.connect(self._navigation.reading_closed)
        self.tabs.chosen.connect(self._show_tab)
        self.find_button.clicked.connect(self._find)
        self.open_button.clicked.connect(self._open_file)
        self.cite_button.clicked.connect(self._cite)
        self.ask_button.clicked.connect(self._ask)
        self.more_button.clicked.connect(lambda: pop_up(self.overview_menu(), self.more_button))
        self.view.row_changed.connect(self._on_row_changed)
        self.view.find_strip.everywhere_requested.connect(self._navigation.search_requested)
        self.view.text.link_chosen.connect(
            lambda href: untrusted_text.ask_to_open_link(self._theme, href, self._open_url, self)
        )
        self.pages.page_chosen.connect(self._on_page_chosen)
        self.pages.drawn.connect(self._on_drawn)
        self.pages.failed.connect(self._on_not_drawn)
        self.pages.view.paper.frame_changed.connect(lambda: self._await_part(None))
        self.pages.view.asked.connect(self._ask)
        self._documents.pictures.drawn.connect(self._on_part_read)
        self._documents.pictures.failed.connect(self._on_part_not_read)
        self._copied.timeout.connect(self._fit)
        self._documents.changed.connect(self._on_documents_changed)
        for keys in ("Esc", "Alt+Left"):
            shortcut = QShortcut(QKeySequence(keys), self, self._navigation.reading_closed.emit)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def _fit(self) -> None:
        """Show buttons and label with text if it fits, else as icons, and last without what other keys do too."""
        document = self.document
        spare = (self.label, self.open_button, self.find_button)
        self.label.show()
        self.find_button.setVisible(document is not None)
        can_open = document is not None and document.collection is not None and not document.collection.is_builtin
        self.open_button.setVisible(can_open)
        for button in (self.cite_button, self.ask_button):
            button.setText(with_icon_space(button.accessibleName()))
        for button in (self.cite_button, self.ask_button):
            if not self._has_room():
                button.setText("")
        for widget in spare:
            if not self._has_room():
                widget.hide()

    def _has_room(self) -> bool:
        """Return whether the header fits if the title is shortened."""
        title = self.header.title.sizeHint().width()
        return self.header.sizeHint().width() - max(0, title - self._theme.px(TITLE_MIN_PX)) <= self.width()

    # ----------------------------------------------------------------- reading

    def _read(self) -> None:
        """Read the document in the background, which takes a moment for thousands of sections."""
        self._show_message(phrase("chat.opening_documents"))
        path, document_id = self._documents.path, self._place.document_id

        def load(progress: TaskProgress) -> WholeDocument | None:
            return whole_document.load(path, document_id, progress.check)

        self._reading.run_long(load, self._on_read, self._on_not_read)

    def _on_read(self, document: WholeDocument | None) -> None:
        if document is None or not document.sections:
            self._show_message(phrase("chat.document_has_nothing_to_read" if document else "chat.document_is_gone"))
            return
        self.header.title.setText(untrusted_text.make_harmless(document.name))
        self.stack.setCurrentWidget(self.view)
        self.view.show_document(document)
        self._show_actions()
        self.tabs.show_tab(TEXT)
        self._show_tab(TEXT)
        self._go_to(document)
        self.focus_first()

    def _on_not_read(self, error: AppError) -> None:
        self._show_message("")
        self._navigation.problem_occurred.emit(error)

    def _go_to(self, document: WholeDocument) -> None:
        place = self._place
        row = document.row_of(place)
        self.view.go_to(row, place.quote)
        if place.query:
            self.tabs.show_tab(TEXT)
            self._show_tab(TEXT)
            self.view.find_strip.look_for(place.query)
        elif self.tabs.key == PAGES:
            self._draw(place.page or document.sections[row].page)

    def _show_message(self, words: str) -> None:
        self.message.setText(words)
        self.stack.setCurrentWidget(self.message)
        self.header.title.setText("")
        self.banner.hide()
        self._show_actions()

    def _show_actions(self) -> None:
        """Show what can be done with the shown document, and its label."""
        document = self.document
        for action in (self.cite_button, self.ask_button, self.more_button, self._label_box):
            action.setVisible(document is not None)
        self.tabs.setVisible(document is not None and document.page_count > 0)
        if document is None or document.collection is None:
            self._fit()
            return
        label = document.collection.label
        icon, tone = confidentiality_guard.LABEL_LOOKS[label]
        self.label.setText(confidentiality_guard.label_text(label))
        self._label_box.setToolTip(plain_tooltip(self.label.text()))
        self.label.set_tone(tone)
        self.label_icon.show_icon(icon or "lock", tone)
        self._label_box.setVisible(bool(self.label.text()))
        self._fit()

    def _on_documents_changed(self) -> None:
        """Read the document again if it was read anew, moved, or removed meanwhile."""
        shown = self.document
        if shown is None or shown.document is None:
            return
        now = self._documents.document(self._place.document_id)
        there = {one.id: (one.name, one.label) for one in self._documents.collections(has_attached=True)}
        known = (shown.collection.name, shown.collection.label) if shown.collection else None
        if now is None or now != shown.document or there.get(now.collection_id) != known:
            row = max(0, self.view.text.row)
            self._place = ReadingPlace(self._place.document_id, shown.sections[row].id)
            self._read()

    # ------------------------------------------------------------------- pages

    def _show_tab(self, key: str) -> None:
        document = self.document
        self.view.stack.setCurrentWidget(self.pages if key == PAGES else self.view.text)
        self.banner.hide()
        self._await_part(None)
        if key == PAGES and document is not None:
            self._draw(document.sections[max(0, self.view.text.row)].page)
        elif key == TEXT:
            self.pages.forget()

    def _draw(self, page: int) -> None:
        self.pages.view.expect_new_page()
        quotes = (self._place.quote,) if self._place.quote else ()
        self.pages.request(self._place.document_id, max(1, page), quotes)
        self._name_question()

    def _on_page_chosen(self, page: int) -> None:
        document = self.document
        if document is not None:
            self._draw(page)
            row = document.row_of_page(page)
            self.view.go_to(row)

    def _on_row_changed(self, row: int) -> None:
        """Show the page of a heading that was chosen while pages are shown."""
        document = self.document
        if document is not None and self.tabs.key == PAGES:
            page = document.sections[row].page
            if page and document.row_of_page(self.pages.page) != row:
                self._draw(page)

    def _on_drawn(self, picture: PagePicture) -> None:
        self.banner.hide()
        self.pages.show_picture(picture)
        if self._part_read is not None:  # whose request this one has replaced
            self._documents.pictures.request(self._part_read)

    def _on_not_drawn(self, error: AppError) -> None:
        """Show the text instead, and why."""
        self.tabs.show_tab(TEXT)
        self._show_tab(TEXT)
        self.banner.show_error(error, level="warning")

    # ----------------------------------------------------------------- actions

    def _find(self) -> None:
        self.tabs.show_tab(TEXT)
        self._show_tab(TEXT)
        self.view.find_strip.open()

    def _open_file(self) -> None:
        document = self.document
        if document is not None and document.document is not None:
            self._open_url(QUrl.fromLocalFile(str(Path(document.document.path))))

    def _cite(self) -> None:
        """Copy the selected text, or else the section that is read, with document, clause and page."""
        document = self.document
        if document is None:
            return
        row, text = self.view.text.selection()
        source = document.source_of(row)
        quote = source_citations.quote_text(source, text or source.text)
        clipboard_guard.copy_text(self, quote)
        if QGuiApplication.clipboard().text() == quote:
            self.cite_button.setText(with_icon_space(phrase("chat.copied")))
            announce(self, phrase("chat.copied"))
            self._copied.start()

    def overview_menu(self) -> QMenu:
        """Return a menu of what can be done with the whole document."""
        menu = make_menu(self)
        document = self.document
        if document is None or document.document is None:
            return menu
        own, icon = document.document, self._theme.icon

        def add(to: QMenu, words: str, kind: Kind, ids: tuple[int, ...], title: str, chapter: str = "") -> None:
            request = OverviewRequest(kind, ids, title, chapter)
            action = to.addAction(escape_mnemonic(words), lambda: self._navigation.overview_requested.emit(request))
            if to is menu:
                action.setIcon(icon({"summary": "quote", "values": "chart-line"}.get(kind, "file-search")))

        add(menu, phrase("documents.summarize_document"), "summary", (own.id,), document.name)
        path = document.heading_at(max(0, self.view.text.row))
        if path:
            depths = Counter(one.depth for one in document.outline)
            chapter = next((depth for depth in range(len(path)) if depths[depth] > 1), 0)  # above it is the title
            name = CLAUSE_GAP.join(path[: chapter + 1])
            add(menu, phrase("documents.summarize_chapter"), "summary", (own.id,), path[chapter], name)
        add(menu, phrase("documents.list_values"), "values", (own.id,), document.name)
        others = [one for one in self._documents.documents(own.collection_id) if one.indexed_at and one.id != own.id]
        others.sort(key=lambda one: -difflib.SequenceMatcher(None, one.name, own.name).ratio())
        if others:
            comparing = menu.addMenu(icon("file-search"), phrase("documents.compare_with"))
            for one in others[:EDITIONS_MOST]:
                ids = (own.id, one.id) if own.name < one.name else (one.id, own.id)
                name = comparing.fontMetrics().elidedText(one.name, Qt.TextElideMode.ElideMiddle, self._theme.px(320))
                add(comparing, name, "comparison", ids, one.name)
        return menu

    def _ask(self) -> None:
        """Begin a question about the section that is read, or about the shown page or the selected part of it."""
        document = self.document
        if document is None or document.collection is None:
            return
        if self.tabs.key == PAGES:
            self._ask_about_page(document)
            return
        clause = " ".join(document.heading_at(self.view.text.selection()[0])[-1:])
        key = "chat.about_clause" if clause else "chat.about"
        self._begin_question(phrase(key, document=Path(document.name).stem, clause=clause))

    def _begin_question(self, words: str, regions: tuple[PageRegion, ...] = ()) -> None:
        """Begin a question that is asked of this document. `regions`: what of its pages it is about."""
        document = self.document
        if document is not None and document.collection is not None:
            paths = (document.document.path,) if document.document else ()
            scope = (CollectionRef(document.collection.id, document.collection.name, paths, regions),)
            self._navigation.question_requested.emit(scope, words, False)

    def _name_question(self) -> None:
        """Name the button after what would be asked about, or what it waits for."""
        about = "chat.ask_here" if self.tabs.key == TEXT else "chat.ask_part"
        if self.tabs.key == PAGES and self.pages.frame.isNull():
            about = "chat.ask_page"
        words = phrase("chat.reading_part" if self._part_read else about)
        if words != self.ask_button.accessibleName():  # a mouse that draws a frame asks again and again
            self.ask_button.setAccessibleName(words)
            self.ask_button.setToolTip(plain_tooltip(words))
            self._fit()

    def _ask_about_page(self, document: WholeDocument) -> None:
        frame, page = self.pages.frame, self.pages.page
        if not frame.isNull():
            edges = (frame.left(), frame.top(), frame.right(), frame.bottom())
            self._await_part(PageRequest(self._place.document_id, page, PART_WIDTH_PX, (), edges, True))
        elif page and document.document is not None:
            part = PageRegion(document.document.path, page, heading=document.heading_at(document.row_of_page(page)))
            self._begin_question(phrase("chat.about_page", document=Path(document.name).stem, page=page), (part,))

    def _await_part(self, request: PageRequest | None) -> None:
        """Have the words in the selected part read, which may take seconds of OCR; None: they are not needed."""
        if request != self._part_read:
            self._part_read = request
            self.ask_button.setEnabled(request is None)
            if request is not None:
                announce(self, phrase("chat.reading_part"))
                self._documents.pictures.request(request)
        self._name_question()

    def _on_part_read(self, picture: PagePicture) -> None:
        document, request = self.document, picture.request
        if request != self._part_read or document is None or document.document is None:
            return
        self._await_part(None)
        heading = document.heading_at(document.row_of_text(picture.text, request.page))
        text, recognized = picture.text[:PICTURE_CHARACTERS], picture.recognized  # more could not be stored
        recognized = recognized and recognized[: COUNT_LIMITS["recognized"]]
        path, sha256 = document.document.path, document.document.sha256
        part = PageRegion(path, request.page, request.region, text, heading, recognized, sha256)
        self._begin_question(phrase("chat.about_part", document=Path(document.name).stem, page=request.page), (part,))

    def _on_part_not_read(self, request: PageRequest, error: AppError) -> None:
        if request == self._part_read:
            self._await_part(None)
            self.banner.show_error(error, level="warning")
