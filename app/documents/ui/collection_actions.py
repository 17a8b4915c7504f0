"""Run the actions on collections and documents, offer to undo them, and report; with the dialogs of the page 資料."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Qt, Signal
from PySide6.QtWidgets import QComboBox, QMenu, QPlainTextEdit, QWidget

from app.base.confidentiality import HIGHEST_LABEL, LABELS, Label, Permit
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.documents import collection_updates, encodings
from app.documents.collection_updates import SKIP_REASONS, AddedFiles, RefreshResult, name_of_added
from app.documents.records import Document, DocumentCollection
from app.documents.services.document_library import DocumentLibrary
from app.documents.ui import status_rows
from app.documents.ui.adding import TargetDialog, choose_files, choose_folder
from app.documents.whole_document import ReadingPlace
from app.uikit import desktop
from app.uikit.confidentiality_guard import LABEL_LOOKS, ConfidentialityGuard
from app.uikit.dialogs import Dialog, cancel_or, scrolled_height
from app.uikit.localization import join_facts, with_note
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction
from app.uikit.widgets import labels
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import escape_mnemonic
from app.uikit.widgets.containers import make_box
from app.uikit.widgets.fields import line_field

NAME_MAX = 100  # characters
SAMPLE_BYTES = 64_000
SAMPLE_LINES = 12
PREVIEW_PX = 150
NAME_WIDTH_PX = 320  # widest name of a collection in a menu


class CollectionDialog(Dialog):
    """A dialog for the name and label of a collection. It stays open until the name is valid."""

    given = Signal(str, str)  # name, label

    def __init__(
        self, theme: Theme, question: str, done: str, used_names: Collection[str], parent: QWidget, name: str = "",
        label: Label = "internal",
    ) -> None:  # fmt: skip
        """Build the dialog. `done`: the text of the button. `used_names`: names of other collections."""
        self._used_names = set(used_names)
        asked = phrase("documents.name_of_the_collection")
        self.field = line_field(asked, NAME_MAX, asked)
        self.field.setText(name)
        self.label = QComboBox()
        self.label.setAccessibleName(phrase("common.batch_column.label"))
        for key in LABELS:
            self.label.addItem(phrase(f"common.label.{key}"), key)
        self.label.setCurrentIndex(LABELS.index(label))
        self._problem = labels.Label(role="caption", tone="danger", wraps=True)
        super().__init__(
            theme,
            question,
            phrase("documents.exports_of_confidential_documents_ask"),
            cancel_or("done", done),
            parent,
            content=make_box(self.field, self._problem, self.label, spacing_px=8),
        )
        self.field.textChanged.connect(lambda: self._problem.setText(""))
        self.field.selectAll()
        self.field.setFocus()

    def accept(self) -> None:
        name = self.field.text().strip()
        if not name:
            self._refuse(phrase("common.enter_a_name"))
        elif name in self._used_names:
            self._refuse(phrase("documents.there_is_a_collection_with"))
        else:
            self.given.emit(name, self.label.currentData())
            super().accept()

    def _refuse(self, why: str) -> None:
        self.result_key = "cancel"
        self._problem.setText(why)
        self.fit_height()
        self.field.setFocus()


class EncodingDialog(Dialog):
    """A dialog that previews the first lines of a file in the chosen encoding."""

    encoding_chosen = Signal(str)  # codec; "": detect it

    def __init__(self, theme: Theme, document: Document, parent: QWidget) -> None:
        self._path = Path(document.path)
        self._sample = b""
        self.choice = QComboBox()
        self.choice.setAccessibleName(phrase("documents.docs_report.encoding"))
        self.choice.addItem(phrase("documents.detect_automatically"), "")
        for codec, name in encodings.ENCODING_NAMES.items():
            self.choice.addItem(name, codec)
        self.choice.setCurrentIndex(max(0, self.choice.findData(document.chosen_encoding)))
        self.preview = QPlainTextEdit(readOnly=True, tabChangesFocus=True)
        self.preview.setAccessibleName(phrase("documents.beginning_of_the_file"))
        self.preview.setProperty("field", True)
        self.preview.setFixedHeight(scrolled_height(theme, parent, theme.px(PREVIEW_PX)))
        super().__init__(
            theme,
            phrase("documents.choose_the_encoding"),
            phrase("documents.choose_the_one_in_which"),
            cancel_or("read", phrase("documents.read_again")),
            parent,
            content=make_box(self.choice, self.preview, spacing_px=8),
        )
        self.choice.currentIndexChanged.connect(self._show_sample)
        self.chosen.connect(self._on_chosen)
        background.run(_sample_of(self._path), self._on_read, self._on_unreadable)

    def _on_read(self, sample: bytes) -> None:
        self._sample = sample
        self.choice.setItemText(
            0, with_note(phrase("documents.detect_automatically"), encodings.encoding_name(encodings.detect(sample)))
        )
        self._show_sample()

    def _on_unreadable(self, error: AppError) -> None:
        self.preview.setPlainText(str(describe_error(error)))

    def _show_sample(self) -> None:
        codec = self.choice.currentData() or encodings.detect(self._sample) or "utf-8"
        lines = encodings.decode(self._sample, codec).splitlines()[:SAMPLE_LINES]
        self.preview.setPlainText("\n".join(lines))

    def _on_chosen(self, key: str) -> None:
        if key == "read":
            self.encoding_chosen.emit(self.choice.currentData())


def _sample_of(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with open_regular(path) as file:
                return file.read(SAMPLE_BYTES)
        except OSError as error:
            raise AppError("document_unreadable", reason=error.strerror or str(error)) from error

    return read


class CollectionActions(QObject):
    """The actions of the page 資料."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        documents: DocumentLibrary,
        banner: Banner,
        page: QWidget,
        secrecy: ConfidentialityGuard,
        pickers: desktop.Pickers | None = None,
    ) -> None:
        super().__init__(page)
        self._theme = theme
        self._navigation = navigation
        self._documents = documents
        self._banner = banner
        self._page = page
        self._secrecy = secrecy
        self._pickers = pickers or desktop.Pickers()
        self._start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        self._refreshed_by_user: set[int] = set()  # collections that the user refreshes
        self._missing_id = 0  # the collection of which the banner says that places are missing
        documents.added.connect(self._on_added)
        documents.refreshed.connect(self._on_refreshed)
        documents.failed.connect(self._on_failed)

    # --------------------------------------------------------------------- added

    def choose_files(self, collection: DocumentCollection | None) -> None:
        self.add(collection, choose_files(self._pickers, self._page.window(), self._start))

    def choose_folder(self, collection: DocumentCollection | None) -> None:
        self.add(collection, choose_folder(self._pickers, self._page.window(), self._start))

    def add(self, collection: DocumentCollection | None, paths: Sequence[Path]) -> None:
        """Add files and folders to a collection, or ask whether a folder shall be one of its own; None creates one."""
        if not paths:
            return
        self._start = str(paths[0].parent)
        self._banner.hide()
        known = self._documents.sources(collection.id) if collection is not None else []
        is_new_folder = any(path.is_dir() and path not in known for path in paths)
        if collection is not None and collection.documents and is_new_folder:
            self._ask_where(collection, paths)
        else:
            self._add(collection, paths)

    def _ask_where(self, shown: DocumentCollection, paths: Sequence[Path]) -> None:
        own = [one for one in self._documents.collections() if not one.is_builtin]
        name = name_of_added(paths, self._collection_names())
        dialog = TargetDialog(self._theme, name, sorted(own, key=lambda one: one.id != shown.id), self._page.window())
        dialog.collection_chosen.connect(lambda collection: self._add(collection, paths))
        dialog.open()

    def _add(self, collection: DocumentCollection | None, paths: Sequence[Path]) -> None:
        if collection is None:
            self._documents.add_collection(name_of_added(paths, self._collection_names()), paths=paths)
        else:
            self._documents.add(collection.id, paths)

    def refresh(self, collection: DocumentCollection) -> None:
        self._refreshed_by_user.add(collection.id)
        self._documents.refresh(collection.id)

    # --------------------------------------------------------------- collections

    def ask_new(self) -> CollectionDialog:
        dialog = CollectionDialog(
            self._theme,
            phrase("documents.what_kind_of_collection"),
            phrase("common.create"),
            self._collection_names(),
            self._page.window(),
        )
        dialog.given.connect(self._documents.add_collection)
        dialog.open()
        return dialog

    def ask_name(self, collection: DocumentCollection) -> CollectionDialog:
        taken = [name for name in self._collection_names() if name != collection.name]
        question, done = phrase("documents.change_name_and_label_of"), phrase("documents.change")
        dialog = CollectionDialog(
            self._theme, question, done, taken, self._page.window(), collection.name, collection.label
        )

        def change(name: str, label: str) -> None:
            if name != collection.name:
                self._rename(collection, name)
            if label != collection.label:
                self.label(collection, label)  # type: ignore[arg-type]  # of LABELS

        dialog.given.connect(change)
        dialog.open()
        return dialog

    def _rename(self, collection: DocumentCollection, name: str) -> None:
        self._documents.rename(collection.id, name)
        before, renamed = collection.name, replace(collection, name=name)
        action = UndoableAction(
            done=phrase("common.renamed_to_name", name=_shorten(name)),
            undone=phrase("common.the_name_is_back", name=_shorten(before)),
            undo=lambda: self._on(renamed, lambda one: self._documents.rename(one.id, before)),
            redo=lambda: self._on(collection, lambda one: self._rename(one, name)),
        )
        self._navigation.undo_offered.emit(action)

    def label(self, collection: DocumentCollection, label: Label) -> None:
        """Change a label if the confidentiality guard allows it, and offer to undo lowering it from 機密."""
        export = self._documents.label_change_request(collection, label)
        self._secrecy.lower(self._page.window(), export, lambda permit: self._label(collection, label, permit))

    def _label(self, collection: DocumentCollection, label: Label, permit: Permit) -> None:
        self._documents.set_label(collection.id, label, permit)
        if permit.label == HIGHEST_LABEL != label:
            facts = {"name": _shorten(collection.name), "label": phrase(f"common.label.{label}")}
            action = UndoableAction(
                done=phrase("documents.the_label_of_collection_name", **facts),
                undone=phrase("documents.the_label_is_back", name=facts["name"]),
                undo=lambda: self._on(collection, lambda one: self._documents.set_label(one.id, HIGHEST_LABEL)),
                redo=lambda: self._on(collection, lambda one: self.label(one, label)),
            )
            self._navigation.undo_offered.emit(action)

    def remove_collection(self, collection: DocumentCollection) -> None:
        removal = self._documents.remove_collection(collection.id)
        name = _shorten(collection.name)
        action = UndoableAction(
            done=phrase("documents.collection_name_deleted_the_original", name=name),
            undone=phrase("documents.the_collection_is_back", name=name),
            undo=lambda: self._documents.restore(removal),
            redo=lambda: self._on(collection, self.remove_collection),
        )
        self._navigation.undo_offered.emit(action)

    def _on(self, collection: DocumentCollection, act: Callable[[DocumentCollection], object]) -> bool:
        """Call `act` with a collection, by its name if an undo gave it a new id; return False if it does not exist."""
        same = [one for one in self._documents.collections() if one.id == collection.id or one.name == collection.name]
        found = min(same, key=lambda one: one.id != collection.id, default=None)
        return found is not None and act(found) is not False

    # ----------------------------------------------------------------- documents

    def remove(self, collection: DocumentCollection, documents: Sequence[Document]) -> None:
        if not documents:
            return
        paths = [Path(document.path) for document in documents]
        self._documents.remove([document.id for document in documents])
        done = phrase("documents.n_documents_removed_the_original", n=len(documents))
        undone = phrase("common.n_are_back", n=len(documents))
        if len(documents) == 1:
            name = _shorten(documents[0].name)
            done = phrase("documents.name_removed_the_original_file", name=name)
            undone = phrase("common.name_is_back", name=name)
        action = UndoableAction(
            done=done,
            undone=undone,
            undo=lambda: self._on(collection, lambda one: self._documents.restore_documents(one.id, paths)),
            redo=lambda: self._on(collection, lambda one: self.remove(one, self._documents_of(one, paths))),
        )
        self._navigation.undo_offered.emit(action)

    def _documents_of(self, collection: DocumentCollection, paths: Collection[Path]) -> list[Document]:
        """Return the documents that were read from these files: an undo gives them new ids."""
        return [one for one in self._documents.documents(collection.id) if Path(one.path) in paths]

    def add_moves(self, menu: QMenu, collection: DocumentCollection | None, documents: Sequence[Document]) -> None:
        """Add a submenu with the collections to which documents of this one can be moved; nothing if there are none."""
        own_id = collection.id if collection is not None else 0
        others = [one for one in self._documents.collections() if not one.is_builtin and one.id != own_id]
        if collection is None or not others:
            return
        icon = self._theme.icon
        moves = menu.addMenu(icon("folder-input"), phrase("documents.move_to_collection"))
        for one in others:
            name = moves.fontMetrics().elidedText(one.name, Qt.TextElideMode.ElideMiddle, self._theme.px(NAME_WIDTH_PX))
            action = moves.addAction(escape_mnemonic(name), partial(self.move, collection, documents, one))
            if one.label == HIGHEST_LABEL:
                action.setIcon(icon(*LABEL_LOOKS[one.label]))

    def move(self, collection: DocumentCollection, documents: Sequence[Document], target: DocumentCollection) -> None:
        """Move documents to another collection if the confidentiality guard allows it, and offer to undo that."""
        if not documents:
            return
        paths, what = {Path(one.path) for one in documents}, phrase("documents.n_documents", n=len(documents))
        if len(documents) == 1:
            what = phrase("documents.quoted", text=_shorten(documents[0].name))

        def move(
            source: DocumentCollection, into: DocumentCollection, on_moved: Callable[[], None] = lambda: None
        ) -> None:
            export = collection_updates.move_request(self._documents.path, source, into, what)
            ids = [one.id for one in self._documents_of(source, paths)]
            self._secrecy.move(
                self._page.window(), export, lambda permit: self._documents.move(ids, into.id, permit, on_moved)
            )

        action = UndoableAction(
            done=phrase("documents.what_moved_to_name", what=what, name=_shorten(target.name)),
            undone=phrase("documents.what_is_back_in_name", what=what, name=_shorten(collection.name)),
            undo=lambda: self._on(target, lambda a: self._on(collection, lambda b: move(a, b))),
            redo=lambda: self._on(collection, lambda a: self._on(target, lambda b: self.move(a, documents, b))),
        )
        move(collection, target, lambda: self._navigation.undo_offered.emit(action))

    def read_again(self, documents: Sequence[Document]) -> None:
        self._documents.read_again([one.id for one in documents if one.state not in ("waiting", "reading")])

    def ask_encoding(self, document: Document) -> EncodingDialog:
        dialog = EncodingDialog(self._theme, document, self._page.window())
        dialog.encoding_chosen.connect(lambda codec: self._documents.read_again([document.id], codec))
        dialog.open()
        return dialog

    def read(self, document: Document) -> None:
        """Open a document in the reader."""
        self._navigation.reading_requested.emit(ReadingPlace(document.id))

    def open(self, document: Document) -> None:
        self._open_existing(document, Path(document.path), desktop.open_file)

    def show_folder(self, document: Document) -> None:
        self._open_existing(document, Path(document.path).parent, desktop.open_folder)

    # ------------------------------------------------------------------- private

    def _open_existing(self, document: Document, path: Path, show: Callable[[Path], None]) -> None:
        try:
            is_there = path.exists()
        except OSError:
            is_there = False
        if is_there:
            show(path)
        else:
            self._on_failed(AppError("document_missing", path=document.path))

    def _collection_names(self) -> list[str]:
        return [one.name for one in self._documents.collections()]

    def _on_added(self, added: AddedFiles) -> None:
        count, skipped = len(added.new), _skipped(added.skipped)
        if added.missing:
            what = phrase("documents.some_things_were_not_found")
            self._banner.show_message("warning", what, ", ".join(str(path) for path in added.missing[:3]))
        elif count and not skipped and not added.known_files:
            return  # the table shows them
        else:
            done = phrase("documents.n_documents_added", n=f"{count:,}")
            nothing = phrase("documents.there_was_no_document_that")
            known = phrase("documents.already_there_n", n=f"{added.known_files:,}") if added.known_files else ""
            left = phrase("documents.not_taken_list", list=skipped) if skipped else ""
            level, what = ("success", done) if count else ("warning", nothing)
            self._banner.show_message(level, what, join_facts(known, left))

    def _on_refreshed(self, result: RefreshResult) -> None:
        is_by_user = result.collection_id in self._refreshed_by_user
        self._refreshed_by_user.discard(result.collection_id)
        was_missing = self._missing_id == result.collection_id
        self._missing_id = result.collection_id if result.missing else 0 if was_missing else self._missing_id
        if result.missing:
            what = phrase("documents.places_not_found_path", path=result.missing[0])
            sentence = phrase("documents.what_was_read_can_still")
            self._banner.show_message("warning", what, sentence)
        elif is_by_user:
            is_changed = bool(result.new or result.changed or result.removed_ids)
            what = phrase("documents.updated") if is_changed else phrase("documents.no_documents_have_changed")
            self._banner.show_message("success", what, status_rows.changes_text(result) if is_changed else "")
        elif was_missing and self._banner.level == "warning":
            self._banner.hide()  # all is there again

    def _on_failed(self, error: AppError) -> None:
        sentence = describe_error(error)
        self._banner.show_message("danger", sentence.message, sentence.next)


def _skipped(counts: Counter[str]) -> str:
    """Return the numbers of skipped files by reason: 隠しファイル 2、対応していない形式 5; "" for none."""
    reasons = [reason for reason in SKIP_REASONS if counts[reason]]
    return phrase("common.data_gap").join(f"{phrase(f'documents.not_taken.{one}')} {counts[one]:,}" for one in reasons)


def _shorten(name: str, most: int = 14) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
