"""Show the page 資料: collections in the sidebar, the documents of one, the report on one of them, and the queue.

The file is long because one widget lays all of these out for every size of the window.
"""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import (
    QActionGroup,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from app.base import confidentiality
from app.base.wording import phrase
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.overview.result_table import Kind, OverviewRequest, edition_order
from app.documents.records import Document, DocumentCollection
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.embedding import Embedding
from app.documents.services.ocr_setup import OcrSetup
from app.documents.services.reading_offers import ReadingOffer, ReadingOffers
from app.documents.services.reading_queue import QueueStatus
from app.documents.ui.adding import AskOffer
from app.documents.ui.collection_actions import CollectionActions
from app.documents.ui.document_lists import CollectionView, DocumentTable, DocumentView, ShownDocuments, collection_row
from app.documents.ui.report_panel import ReportPanel
from app.documents.ui.status_rows import FilesLine, MeaningLine, OcrInstallation, QueueRow
from app.uikit import confidentiality_guard
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import DropZone, FileDrops, Pickers
from app.uikit.page import NavigationSignals, Page, PageHeader, SidebarPanel
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button, IconButton, make_menu, pop_up
from app.uikit.widgets.containers import Stretch, make_box, make_column, make_scrollable
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, set_surface
from app.uikit.widgets.list_rows import EntryListModel, EntryRole

REFILL_MS = 80  # delay before the page is filled again, as documents may finish faster than a person reads
SHORT_HEADER_BELOW_PX = 640
LOW_BELOW_PX = 560
LEAST_PX = 100  # smallest height of the table and of the report; in less space, the page scrolls
FILTER_FROM = 8  # number of documents from which the filter is shown


class DocumentsPage(Page):
    """The page 資料: the user's collections of documents."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        documents: DocumentLibrary,
        offers: ReadingOffers,
        embedding: Embedding,
        secrecy: ConfidentialityGuard,
        ocr_setup: OcrSetup,
        pickers: Pickers | None = None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._documents = documents
        self.meaning = MeaningLine(embedding)
        self.files_line = FilesLine(documents)
        self.ocr = OcrInstallation(theme, ocr_setup, documents, pickers)
        self._chosen_id = 0  # id of the shown collection; 0: none
        self._is_report_shown = False  # whether the report replaces the table, if both do not fit
        self._is_stale = True
        self._refill_soon = QTimer(self, singleShot=True, interval=REFILL_MS)
        self.collections = EntryListModel()
        self.table = DocumentTable()
        self.documents = ShownDocuments(self.table)
        self._build()
        self.collection_actions = CollectionActions(theme, navigation, documents, self.banner, self, secrecy, pickers)
        self._connect()
        self._connect_report()
        offers.offered.connect(self._on_offered)
        documents.open()
        self._refill()
        self._on_status_changed(documents.standing)

    def label_now(self) -> confidentiality.Label:
        """Return the highest label of all collections, whose names the page shows. Raises AppError as `Database`."""
        if not self._documents.path.is_file():
            return confidentiality.LABELS[0]
        with contextlib.closing(Library.open_second(self._documents.path)) as library:
            return confidentiality.highest_label(one.label for one in library.collections())

    def focus_first(self) -> None:
        first = self.view if self.table.rowCount() else self.list if self.list.isVisible() else self.add_button
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_collection(self, collection_id: int) -> None:
        self._chosen_id = collection_id
        self._refill()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self._refill()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _choose_files(self, paths: list[Path]) -> list[Path]:
        return [] if self._is_builtin else paths

    def _take_files(self, paths: list[Path]) -> None:
        self.collection_actions.add(self.collection, paths)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        set_surface(self, "base")
        FileDrops(self, self._choose_files, self._take_files)
        theme = self._theme
        self.header = PageHeader(theme, phrase("common.documents"))
        self.label_button = Button(theme, phrase("common.batch_column.label"), "quiet", compact=True)
        self.folder_button = Button(theme, phrase("documents.add_a_folder_2"), icon="folder-plus")
        self.add_button = Button(theme, phrase("documents.add_files_2"), "primary", "plus")
        self.menu_button = IconButton(theme, "ellipsis", phrase("documents.actions_for_the_collection"))
        for action in (self.label_button, self.folder_button, self.add_button, self.menu_button):
            self.header.add_action(action)
        self.list = CollectionView(theme, self.collections)
        self.new_button = Button(theme, phrase("documents.new_collection_2"), icon="plus", compact=True)
        self.sidebar_panel = SidebarPanel(self, self.list, (self.new_button,))
        content = QWidget()
        make_column(self.header, (make_scrollable(content), 1), into=self, spacing_px=0)
        self._build_content(content)

    def _build_content(self, content: QWidget) -> None:
        """Build the content, which scrolls if the banner and the queue leave too little space."""
        theme = self._theme
        self.banner = Banner(theme)
        self.offer = AskOffer(theme)
        self.queue = QueueRow(theme)
        self.drop_zone = DropZone(theme)
        self.filter = SearchField(theme, phrase("common.filter_by_document_name"))
        self.view = DocumentView(theme, self.documents)
        self.empty = self._build_empty()
        self.report = ReportPanel(theme, self._documents)
        self.report.hide()
        for part in (self.view, self.report):
            part.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)  # each part scrolls by itself
        lines = self.banner, self.offer, self.ocr, self.queue, self.meaning, self.files_line
        below = self.drop_zone, self.filter, (self.empty, 5), (self.view, 5), (self.report, 4)
        make_column(*lines, *below, into=content, margins_px=(20, 12, 20, 14), spacing_px=10)

    def _build_empty(self) -> QWidget:
        self._empty_words = Label(wraps=True)
        self._example = Label(tone="muted", wraps=True)
        self.empty_button = Button(self._theme, phrase("documents.add_files_2"), "primary", "plus")
        button = self.empty_button, 0, Qt.AlignmentFlag.AlignLeft
        parts = self._empty_words, button, self._example, Stretch()
        return make_box(*parts, margins_px=(4, 24, 4, 12), spacing_px=12)

    def _connect(self) -> None:
        documents, collection_actions = self._documents, self.collection_actions
        documents.changed.connect(self._on_changed)
        documents.queue.status_changed.connect(self._on_status_changed)
        documents.write_queue.counted.connect(self.queue.show_found)
        documents.collection_added.connect(self.show_collection)
        self._refill_soon.timeout.connect(self._refill)
        for button in (self.add_button, self.empty_button):
            button.clicked.connect(lambda: collection_actions.choose_files(self.collection))
        self.folder_button.clicked.connect(lambda: collection_actions.choose_folder(self.collection))
        self.new_button.clicked.connect(collection_actions.ask_new)
        self.menu_button.clicked.connect(lambda: pop_up(self.menu(), self.menu_button))
        self.label_button.clicked.connect(self._show_labels)
        self.list.selectionModel().currentChanged.connect(lambda index, _: self._on_chosen(index.data(EntryRole)))
        self.list.rename_requested.connect(self._rename)
        self.list.remove_requested.connect(self._remove_collection)
        self.list.menu_requested.connect(lambda place: self.menu().popup(place))
        self.filter.textChanged.connect(self.documents.set_words)
        self.offer.asked.connect(self._ask)
        self.offer.closed.connect(self.focus_first)
        self.queue.pause_button.clicked.connect(documents.pause)
        self.queue.resume_button.clicked.connect(documents.resume)
        self.queue.cancel_requested.connect(documents.cancel_all)
        self.queue.cancel_scan_requested.connect(documents.cancel_scan)
        self._theme.changed.connect(self._lay_out)

    def _connect_report(self) -> None:
        view, report, collection_actions = self.view, self.report, self.collection_actions
        view.selectionModel().selectionChanged.connect(self._show_report)
        view.report_requested.connect(self._on_report_requested)
        view.doubleClicked.connect(lambda: self._with_one(collection_actions.open))
        view.remove_requested.connect(self._remove_documents)
        view.read_again_requested.connect(lambda: collection_actions.read_again(view.selected_documents()))
        view.menu_requested.connect(lambda place: self.document_menu().popup(place))
        report.back_button.clicked.connect(self._on_back_requested)
        report.read_button.clicked.connect(lambda: self._with_one(collection_actions.read))
        report.summary_button.clicked.connect(lambda: self._with_one(self._summarize))
        report.open_button.clicked.connect(lambda: self._with_one(collection_actions.open))
        report.folder_button.clicked.connect(lambda: self._with_one(collection_actions.show_folder))
        report.again_button.clicked.connect(lambda: self._with_one(lambda one: collection_actions.read_again([one])))
        report.encoding_button.clicked.connect(lambda: self._with_one(collection_actions.ask_encoding))
        for_ids = {"recognize": self._documents.recognize, "accept": self._documents.accept}
        report.banner.action_requested.connect(
            lambda key: self.ocr.install() if key == "install" else self._with_one(lambda one: for_ids[key]([one.id]))
        )

    # --------------------------------------------------------------------- chosen

    @property
    def collection(self) -> DocumentCollection | None:
        """Return the collection that is shown; None if there is none."""
        found: DocumentCollection | None = self.collections.index_of(self._chosen_id).data(EntryRole)
        return found

    @property
    def _is_builtin(self) -> bool:
        return self.collection is not None and self.collection.is_builtin

    def _with_one(self, act: Callable[[Document], object]) -> None:
        document = self.report.document
        if document is not None:
            act(document)

    def _on_chosen(self, collection: DocumentCollection | None) -> None:
        if collection is not None and collection.id != self._chosen_id:
            self._chosen_id = collection.id
            self._is_report_shown = False
            self.filter.clear()
            self._refill()

    # -------------------------------------------------------------------- showing

    def _on_changed(self) -> None:
        self._is_stale = True
        if self.isVisible() and not self._refill_soon.isActive():
            self._refill_soon.start()

    def _refill(self) -> None:
        self._is_stale = False
        collections = self._documents.collections()
        if not any(collection.id == self._chosen_id for collection in collections):
            self._chosen_id = next((collection.id for collection in collections if not collection.is_builtin), 0)
        chosen = {document.id for document in self.view.selected_documents()}
        self.collections.set_rows([collection_row(collection) for collection in collections])
        self.list.setCurrentIndex(self.collections.index_of(self._chosen_id))
        self.table.set_documents(self._documents.documents(self._chosen_id) if self._chosen_id else [])
        if chosen != {document.id for document in self.view.selected_documents()}:
            self.view.choose(chosen)
        self._show_collection()
        self._show_report()

    def _show_collection(self) -> None:
        one = self.collection
        self.header.title.setText(one.name if one else phrase("common.documents"))
        self.files_line.show_collection(one)
        if one is not None:
            self.label_button.show_icon(*confidentiality_guard.LABEL_LOOKS[one.label])
            self.label_button.setText(phrase("documents.label_2", label=phrase(f"common.label.{one.label}")))
            self.label_button.setAccessibleName(
                phrase("documents.label_label", label=phrase(f"common.label.{one.label}"))
            )
        waits = not self._documents.is_open
        nothing = phrase("documents.this_collection_has_no_documents" if one else "documents.no_documents_yet_you_can")
        self._empty_words.setText(phrase("documents.opening_the_documents") if waits else nothing)
        example = phrase("documents.example_drag_a_folder_of")
        self._example.setText("" if waits else example)
        self.empty_button.setVisible(not waits)
        self._lay_out()

    def _show_report(self) -> None:
        chosen = self.view.selected_documents()
        self.report.show_document(chosen[0] if len(chosen) == 1 else None, self._documents.standing)
        self._lay_out()

    def _on_status_changed(self, standing: QueueStatus) -> None:
        self.queue.show_status(standing)
        self.table.show_status(standing)
        if self.report.document is not None and self.report.document.id == standing.document_id:
            self.report.show_document(self.report.document, standing)

    def _lay_out(self) -> None:
        px = self._theme.px
        one, has_rows = self.collection, self.table.rowCount() > 0
        is_low = self.height() < px(LOW_BELOW_PX)
        is_short = self.width() < px(SHORT_HEADER_BELOW_PX)
        has_report = self.report.document is not None and has_rows
        is_over = is_low and has_report and self._is_report_shown
        can_add = not self._is_builtin
        self.label_button.setVisible(one is not None and can_add and not is_short)
        self.folder_button.setVisible(can_add and not is_short)
        self.add_button.setVisible(can_add and (has_rows or not is_short))
        self.drop_zone.setVisible(can_add and not is_low)
        self.files_line.setVisible(has_rows and not is_low and bool(self.files_line.text()))
        self.offer.setVisible(self.offer.collection_id == self._chosen_id != 0)
        self.add_button.set_kind("primary" if has_rows and not self.offer.isVisibleTo(self) else "")
        self.filter.setVisible(self.table.rowCount() >= FILTER_FROM and not is_low)
        for part in (self.view, self.report):
            part.setMinimumHeight(px(LEAST_PX))
        self.view.setVisible(has_rows and not is_over)
        self.empty.setVisible(not has_rows)
        self.report.setVisible(has_report and (is_over or not is_low))
        self.report.back_button.setVisible(is_over)

    # ---------------------------------------------------------------------- menus

    def menu(self) -> QMenu:
        """Return a menu of all actions on the collection, for a header without room for the buttons."""
        menu, one, actions, icon = make_menu(self), self.collection, self.collection_actions, self._theme.icon
        is_own = one is not None and not one.is_builtin
        if one is None or is_own:
            menu.addAction(icon("file-text"), phrase("documents.add_files"), lambda: actions.choose_files(one))
            menu.addAction(icon("folder-plus"), phrase("documents.add_a_folder"), lambda: actions.choose_folder(one))
            menu.addSeparator()
        if one is not None and is_own:
            menu.addAction(icon("refresh-cw"), phrase("documents.take_in_changes_of_the"), lambda: actions.refresh(one))
            menu.addAction(
                phrase("documents.read_everything_again"),
                lambda: actions.read_again(self._documents.documents(one.id)),
            )
        if one is not None:
            read = [document for document in self._documents.documents(one.id) if document.indexed_at]
            self._add_overviews(menu, read, one.name)
            sorting = menu.addMenu(phrase("documents.sort_by"))
            for column, title in enumerate(self.table.titles()):
                sorting.addAction(title, partial(self.view.sortByColumn, column, Qt.SortOrder.AscendingOrder))
            menu.addSeparator()
        menu.addAction(icon("plus"), phrase("documents.new_collection"), actions.ask_new)
        if one is not None and is_own:
            rename = menu.addAction(icon("pencil"), phrase("documents.change_name_and_label"), self._rename)
            rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
            remove_shown = partial(actions.remove_collection, one)
            remove = menu.addAction(icon("trash-2"), phrase("documents.delete_collection"), remove_shown)
            remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        return menu

    def document_menu(self) -> QMenu:
        """Return a menu of the actions on the selected documents."""
        menu, actions, icon = make_menu(self), self.collection_actions, self._theme.icon
        chosen = self.view.selected_documents()
        one = self.collection
        paths = tuple(document.path for document in chosen if document.indexed_at)
        if one is not None and paths:
            scope = (CollectionRef(one.id, one.name, paths),)
            menu.addAction(
                icon("message-circle-question-mark"),
                phrase("documents.ask_these_documents"),
                lambda: self._ask(scope, ""),
            )
            menu.addSeparator()
        if len(chosen) == 1:
            menu.addAction(icon("file-text"), phrase("documents.read_here"), lambda: actions.read(chosen[0]))
            menu.addAction(icon("external-link"), phrase("documents.open"), lambda: actions.open(chosen[0]))
            menu.addAction(
                icon("folder-open"), phrase("documents.show_in_folder"), lambda: actions.show_folder(chosen[0])
            )
            menu.addSeparator()
        self._add_overviews(menu, [document for document in chosen if document.indexed_at])
        again = menu.addAction(icon("refresh-cw"), phrase("documents.read_again"), lambda: actions.read_again(chosen))
        again.setShortcut(QKeySequence(Qt.Key.Key_F5))
        collection = self.collection
        if collection is not None and not collection.is_builtin:
            actions.add_moves(menu, collection, chosen)
            menu.addSeparator()
            remove_chosen = partial(actions.remove, collection, chosen)
            remove = menu.addAction(icon("trash-2"), phrase("documents.remove"), remove_chosen)
            remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        return menu

    def _add_overviews(self, menu: QMenu, documents: Sequence[Document], name: str = "") -> None:
        """Add what can be done with whole documents. `name`: of their collection, if they are all of it."""

        def request(kind: Kind, title: str) -> None:
            ids = tuple(one.id for one in sorted(documents, key=lambda one: edition_order(one.name)))
            self._navigation.overview_requested.emit(OverviewRequest(kind, ids, title))

        icon = self._theme.icon
        if len(documents) == 1 and not name:
            menu.addAction(
                icon("file-text"), phrase("documents.summarize_document"), lambda: self._summarize(documents[0])
            )
        if len(documents) == 2 and not name:
            words = phrase("documents.compare_editions")
            menu.addAction(icon("file-search"), words, lambda: request("comparison", words))
        if documents:
            title = name or phrase("common.data_gap").join(one.name for one in documents)
            menu.addAction(icon("chart-line"), phrase("documents.list_values"), lambda: request("values", title))
            menu.addSeparator()

    def _show_labels(self) -> None:
        one = self.collection
        if one is None:
            return
        menu = make_menu(self)
        group = QActionGroup(menu)
        for label in confidentiality.LABELS:
            change = partial(self.collection_actions.label, one, label)
            action = group.addAction(menu.addAction(phrase(f"common.label.{label}"), change))
            action.setCheckable(True)
            action.setChecked(label == one.label)
        menu.popup(self.label_button.mapToGlobal(QPoint(0, self.label_button.height() + 2)))

    # ---------------------------------------------------------------------- slots

    def _on_offered(self, offer: ReadingOffer) -> None:
        if offer.scope:
            self.offer.show_offer(offer)
            self._lay_out()

    def _ask(self, scope: tuple[CollectionRef, ...], question: str) -> None:
        self.offer.dismiss()
        self._navigation.question_requested.emit(scope, question, True)

    def _summarize(self, document: Document) -> None:
        self._navigation.overview_requested.emit(OverviewRequest("summary", (document.id,), document.name))

    def _rename(self) -> None:
        if self.collection is not None and not self._is_builtin:
            self.collection_actions.ask_name(self.collection)

    def _remove_collection(self) -> None:
        if self.collection is not None and not self._is_builtin:
            self.collection_actions.remove_collection(self.collection)

    def _remove_documents(self) -> None:
        if self.collection is not None and not self._is_builtin:
            self.collection_actions.remove(self.collection, self.view.selected_documents())

    def _on_report_requested(self) -> None:
        self._is_report_shown = True
        self._lay_out()
        if self.report.back_button.isVisible():
            self.report.back_button.setFocus()

    def _on_back_requested(self) -> None:
        self._is_report_shown = False
        self._lay_out()
        self.view.setFocus()
