"""Attach files to the questions of the open conversation.

A file that was dropped, pasted or chosen is read as documents are, into a hidden collection. It belongs to the
conversations whose stored scope has it; what none of them has any more is removed with its text.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QObject, QPoint, QTimer, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QMenu, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase, shorten, unique_name
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.ui.collection_selection import CollectionSelection
from app.documents import collection_updates, records
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library, label_now
from app.documents.records import Document, DocumentCollection
from app.documents.services.document_library import DocumentLibrary
from app.documents.whole_document import ReadingPlace
from app.inference import load_plan, machine
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction
from app.uikit.widgets.buttons import escape_mnemonic, make_menu

FILES_MAX = 20  # at once; more are offered as a collection
NAME_MAX = 24  # characters of a name in an offer to undo
FORGET_MS = 300  # after conversations have changed, which they do in bursts


class AttachedFiles(QObject):
    """The files of the open conversation, and what happens to those of others."""

    changed = Signal()  # the progress of reading
    told = Signal(str)  # a sentence about a file that was given again
    failed = Signal(object)  # AppError: a file cannot be asked, and is not attached any more

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        session: ChatSession,
        conversations: Conversations,
        documents: DocumentLibrary,
        preferences: Preferences,
        scoping: CollectionSelection,
        page: QWidget,
    ) -> None:
        super().__init__(page)
        self._theme = theme
        self._navigation = navigation
        self._session = session
        self._documents = documents
        self._preferences = preferences
        self._scoping = scoping
        self._page = page
        self._secrecy = ConfidentialityGuard(theme, Paths(documents.path.parent).exports_log)
        self.pickers = Pickers()
        self.dialog: Dialog | None = None  # the dialog that was opened last
        self._failures: list[AppError] = []  # of the files that were attached last
        self._undoable: set[str] = set()  # names of collections whose file may come back by an undo
        self._forget_soon = QTimer(self, singleShot=True, interval=FORGET_MS)
        self._forget_soon.timeout.connect(self._forget)
        documents.changed.connect(self._check)
        documents.queue.status_changed.connect(self.changed)
        documents.write_queue.failed.connect(self._on_write_failed)
        documents.opened.connect(self._forget_soon.start)
        conversations.changed.connect(self._forget_soon.start)
        session.conversation_opened.connect(self._on_conversation_opened)
        scoping.removed.connect(self._on_removed)

    @property
    def reading(self) -> str:
        """Return a sentence about a file of the open conversation that is still read; "" if all are."""
        unread = [one for one in self._scoping.attached_here if one.unfinished]
        for document in self._documents.documents(unread[0].id) if unread else ():
            standing = self._documents.standing
            if standing.phase == "paused":
                return phrase("chat.reading_file_paused", name=document.name)
            is_begun = standing.document_id == document.id and standing.total > 0
            part = phrase("documents.docs_part", done=standing.done, total=standing.total) if is_begun else ""
            return phrase("chat.reading_file", name=document.name, part=part)
        waiting = self._waiting()
        return phrase("chat.reading_file", name=records.shown_name(waiting[0]), part="") if waiting else ""

    def choose(self) -> None:
        """Let the user choose files to attach."""
        known = " ".join(f"*{suffix}" for suffix in records.DOCUMENT_SUFFIXES)
        kinds = f"{phrase('documents.document')} ({known});;{phrase('common.all_files')} (*)"
        chosen = self.pickers.open_several(self._page.window(), phrase("chat.attach_files"), "", kinds)
        self.attach([Path(path) for path in chosen])

    def attach(self, paths: Sequence[Path]) -> None:
        """Attach files to the open conversation, and offer to add a folder, or very many files, as a collection."""
        if any(path.is_dir() for path in paths) or len(paths) > FILES_MAX:
            self._offer_collection(paths)
            return
        model, has_picture = self._session.model, any(map(records.is_picture_name, paths))
        if has_picture and model is not None and model.projector and not machine.has_picture_library():
            self.told.emit(phrase("chat.engine_reads_no_pictures"))
        new: dict[str, Path] = {}
        for path in dict.fromkeys(Path(os.path.abspath(path)) for path in paths):  # noqa: PTH100  keeps links
            if not self._is_attached(path):
                new[records.new_attached_name()] = path
        self._attach(new)

    def attach_pasted(self, name: str, content: Callable[[], bytes]) -> None:
        """Attach something that was pasted as a file of this name. `content` makes it in another thread."""
        path = collection_updates.pasted_path(self._documents.path, name)
        self._attach({records.new_attached_name(): path}, content)

    def attach_picture(self, picture: QImage) -> None:
        def content() -> bytes:
            buffer = QBuffer()
            buffer.open(QIODevice.OpenModeFlag.WriteOnly)
            picture.save(buffer, "PNG")  # type: ignore[call-overload]  # the stubs know only str
            return bytes(buffer.data().data())

        self.attach_pasted(phrase("chat.pasted_picture"), content)

    def show_menu(self, name: str, place: QPoint) -> None:
        """Show what can be done with an attached file. `name`: of its collection."""
        menu = self.menu(name)
        menu.popup(place - QPoint(0, menu.sizeHint().height()))

    def menu(self, name: str) -> QMenu:
        menu, icon = make_menu(self._page), self._theme.icon
        found = next(((one, document) for one, document in self._files() if one.name == name), None)
        if found is not None and found[1].indexed_at:
            collection, document = found
            read = partial(self._navigation.reading_requested.emit, ReadingPlace(document.id))
            menu.addAction(icon("file-text"), phrase("chat.read_the_file"), read)
            targets = menu.addMenu(icon("folder-input"), phrase("chat.move_file_to_collection"))
            for one in self._documents.collections():
                if not one.is_builtin:
                    targets.addAction(escape_mnemonic(one.name), partial(self._move, collection, document, one))
            targets.addSeparator()
            targets.addAction(
                icon("plus"), phrase("chat.new_collection"), partial(self._move_to_new, collection, document)
            )
        menu.addAction(icon("x"), phrase("chat.remove_file"), partial(self._scoping.remove, name))
        return menu

    def close(self) -> None:
        """Remove what no stored conversation asks, such as the files of a temporary one, when the program ends."""
        if self._scoping.attached:
            with suppress(AppError), closing(Library.open_second(self._documents.path)) as library:
                asked = self._session.asked_names(has_temporary=False).union(self._preferences.value.unsent_files)
                collection_updates.remove_attached(library, asked)

    # ------------------------------------------------------------------ private

    def _attach(self, new: dict[str, Path], content: Callable[[], bytes] | None = None) -> None:
        if not new:
            return
        if not self._documents.is_open:
            self.told.emit(phrase("documents.opening_the_documents"))
            return
        self._failures.clear()
        self._scoping.arriving |= new
        self._scoping.attach([*new])
        for name, path in new.items():
            self._documents.attach(name, path, content=content)
        self.changed.emit()

    def _offer_collection(self, paths: Sequence[Path]) -> None:
        words = phrase("chat.add_as_collection"), phrase("chat.add_as_collection_body")

        def add() -> None:
            name = collection_updates.name_of_added(paths, {one.name for one in self._documents.collections()})
            self._documents.add_collection(name, paths=paths)
            self._scoping.choose([CollectionRef(0, name)])

        choices = cancel_or("add", phrase("chat.add_to_documents"))
        self.dialog = Dialog(self._theme, *words, choices, self._page.window()).ask(add)

    def _waiting(self) -> list[Path]:
        """Return the files of the open conversation that are not stored yet."""
        return [self._scoping.arriving[ref.name] for ref in self._session.scope if ref.name in self._scoping.arriving]

    def _files(self) -> list[tuple[DocumentCollection, Document]]:
        """Return the files of the open conversation with their collections."""
        return [(one, each) for one in self._scoping.attached_here for each in self._documents.documents(one.id)]

    def _is_attached(self, path: Path) -> bool:
        """Return whether the open conversation has this file; if it has changed since, read it again."""
        document = next((one for _, one in self._files() if one.path == str(path)), None)
        if document is None and path not in self._waiting():
            return False
        self.told.emit(phrase("chat.file_is_attached", name=records.shown_name(path)))
        if document is not None and document.state in ("done", "doubtful"):
            version = (document.modified_ns, document.size_bytes)
            with suppress(OSError):
                status = path.stat()
                if (status.st_mtime_ns, status.st_size) != version:
                    self._documents.read_again([document.id])
        return True

    def _check(self) -> None:
        """Take files out of the conversation that cannot be asked, and say why."""
        for one in self._scoping.attached:
            if one.documents:
                self._scoping.arriving.pop(one.name, None)
        for collection, document in self._files():
            model = self._session.model
            is_shown = document.is_picture and model is not None and load_plan.reads_pictures(model)
            error = self._documents.reason_not_to_ask(document, is_shown=is_shown)
            if error is not None:
                self._scoping.detach([collection.name])
                self._forget_soon.start()
                self._failures.append(error)
                self.failed.emit(self._failures[-1] if len(self._failures) == 1 else self._all_failures())
        self.changed.emit()

    def _all_failures(self) -> AppError:
        """Return one error that says of each file attached together why it cannot be asked."""
        sentences = dict.fromkeys(describe_error(one).message for one in self._failures)
        return AppError("attached_several", sentences="\n".join(sentences))

    def _on_write_failed(self, error: AppError) -> None:
        if self._scoping.arriving:
            self._scoping.detach([*self._scoping.arriving])
            self._scoping.arriving.clear()
            self.failed.emit(error)

    def _on_conversation_opened(self) -> None:
        self._undoable.clear()
        self._failures.clear()
        self._check()
        self._forget_soon.start()

    def _on_removed(self, names: Sequence[str], before: Sequence[CollectionRef]) -> None:
        """Offer to undo that the user has taken files out; one that was still read is removed at once."""
        collections = [one for one in self._scoping.attached if one.name in names]
        known = {one.name: document for one in collections for document in self._documents.documents(one.id)}
        if not known or any(one.state in ("waiting", "reading") for one in known.values()):
            for name in names:
                self._scoping.arriving.pop(name, None)
            self._forget_soon.start()
            return
        self._undoable |= known.keys()
        after, opened = self._session.scope, self._session.conversation

        def put(scope: Sequence[CollectionRef]) -> bool:
            is_there = {*known} <= {one.name for one in self._scoping.attached}
            is_here = (opened and opened.id) == (self._session.conversation and self._session.conversation.id)
            return is_there and is_here and self._scoping.put(scope)

        name = shorten(next(iter(known.values())).name, NAME_MAX)
        self._navigation.undo_offered.emit(
            UndoableAction(
                done=phrase("chat.file_removed", name=name),
                undone=phrase("common.name_is_back", name=name),
                undo=lambda: put(before),
                redo=lambda: put(after),
            )
        )

    # ------------------------------------------------------------ to a collection

    def _move_to_new(self, collection: DocumentCollection, document: Document) -> None:
        name = unique_name(Path(document.name).stem, {one.name for one in self._documents.collections()})

        def made(collection_id: int) -> None:
            target = next((one for one in self._documents.collections() if one.id == collection_id), None)
            if target is not None:
                self._move(collection, document, target)

        self._documents.write_queue.do(lambda library, _note: library.add_collection(name, collection.label), made)

    def _move(self, collection: DocumentCollection, document: Document, target: DocumentCollection) -> None:
        """Move an attached file to a collection, without reading it again, and ask it there from now on."""
        here = CollectionRef(collection.id, collection.name)
        there = CollectionRef(target.id, target.name, (document.path,))
        name = shorten(document.name, NAME_MAX)
        what = phrase("documents.quoted", text=name)
        if any(one.path == document.path for one in self._documents.documents(target.id)):
            self._scoping.exchange(here, there)
            self.told.emit(phrase("chat.file_is_in_collection", name=document.name, collection=target.name))
            return

        def move(
            source: DocumentCollection, into: DocumentCollection, left: CollectionRef, entered: CollectionRef,
            on_moved: Callable[[], None] = lambda: None,
        ) -> bool:  # fmt: skip
            if all(one.id != into.id for one in self._documents.collections(has_attached=True)):
                return False

            def label() -> confidentiality.Label:
                now = label_now(self._documents.path, source.id)
                return confidentiality.highest_label((now, self._session.label))

            def go(permit: confidentiality.Permit) -> None:
                self._undoable.add(collection.name)
                if into.attached:
                    self._scoping.arriving[into.name] = Path(document.path)
                self._documents.move([document.id], into.id, permit, on_moved)
                self._scoping.exchange(left, entered)

            export = confidentiality.ExportRequest("move", into.name, label, what, becomes=into.label)
            self._secrecy.move(self._page.window(), export, go)
            return True

        action = UndoableAction(
            done=phrase("documents.what_moved_to_name", what=what, name=shorten(target.name, NAME_MAX)),
            undone=phrase("chat.file_belongs_to_conversation", name=name),
            undo=lambda: move(target, collection, there, here),
            redo=lambda: self._move(collection, document, target),
        )
        move(collection, target, here, there, lambda: self._navigation.undo_offered.emit(action))

    # ----------------------------------------------------------------- forgetting

    def _forget(self) -> None:
        """Remove the files that no conversation asks any more."""
        if not self._scoping.attached or not self._documents.is_open:
            return
        with suppress(AppError):  # the conversations cannot be read: nothing may be removed
            asked = self._session.asked_names() | self._undoable | {*self._scoping.arriving}
            self._documents.forget_attached(asked.union(self._preferences.value.unsent_files))
