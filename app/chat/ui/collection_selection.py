"""Decide which collections the open conversation searches, and show them in the line above the composer."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePath

from PySide6.QtCore import QObject, Signal

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.services.preferences import Preferences
from app.chat import conversation_privacy
from app.chat.records import Conversation, Message
from app.chat.services.chat_session import ChatSession
from app.chat.ui.collection_picker import CollectionChoice, CollectionDocuments, CollectionPicker
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import collections_now
from app.documents.records import DocumentCollection, is_attached_name, shown_name
from app.documents.services.document_library import DocumentLibrary


class CollectionSelection(QObject):
    """Connects the open conversation with the collection picker.

    A new conversation searches the collections that the user chose last; before any choice, the user's own documents,
    or else the manual.
    """

    shown = Signal()  # the scope or its collections may have changed
    removed = Signal(object, object)  # names of attached files that the user took out, and the scope before
    collections_known = Signal(object)  # list[DocumentCollection] as `DocumentLibrary.labelled` returns

    def __init__(
        self,
        session: ChatSession,
        documents: DocumentLibrary,
        preferences: Preferences,
        line: CollectionPicker,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._documents = documents
        self._preferences = preferences
        self._line = line
        # Read once per change, because counting the sections of collections takes time.
        self._collections: list[DocumentCollection] = []
        self._labelled: list[DocumentCollection] = []  # the collections with their current labels
        self.arriving: dict[str, Path] = {}  # attached files that are not stored yet, by name of their collection
        self._is_chosen = False  # whether the user has chosen collections for the new conversation that is open
        session.conversation_opened.connect(self._on_conversation_opened)
        session.answer_settings_changed.connect(self._show_collections)
        session.message_added.connect(self._on_message_added)
        documents.changed.connect(self._on_documents_changed)
        line.changed.connect(self._on_chosen)
        self._on_documents_changed()

    def labels(self, messages: Sequence[Message], others: Sequence[CollectionRef] = ()) -> list[Label]:
        """Return the labels of the chosen collections, of the answers' sources, and of `others`; [] without any."""
        scope = (*self._session.scope, *others)
        asked = conversation_privacy.collection_labels(self._labelled, scope, messages)
        known = [message.details for message in messages if message.details is not None]
        used = [source.label for details in known for source in details.named_sources]
        return [*asked, *used]

    def raised(self, label: Label) -> Label:
        """Return `label`, or the higher one of the documents of an answer that is being written and not stored."""
        return confidentiality.highest_label((label, *self.labels(self._session.messages())))

    def label_now(self) -> Label:
        """Return the label of the open conversation, from the labels that the collections have at this moment."""
        collections = collections_now(self._documents.path)
        messages, here = self._session.messages(), self._session.conversation
        scope = (*self._session.scope, *(here.scope if here is not None else ()))
        now = conversation_privacy.collection_labels(collections, scope, messages)
        return confidentiality.highest_label((self.raised(self._session.label), *now))

    @property
    def is_known(self) -> bool:
        """Return whether the collections have been read."""
        return self._documents.is_open

    @property
    def has_documents(self) -> bool:
        """Return whether there are documents of the user's own."""
        return any(one.documents and not one.is_builtin and not one.attached for one in self._collections)

    @property
    def attached(self) -> list[DocumentCollection]:
        """Return the files that are attached to any conversation."""
        return [one for one in self._collections if one.attached]

    @property
    def attached_here(self) -> list[DocumentCollection]:
        """Return the files that are attached to the open conversation."""
        asked = {ref.name for ref in self._session.scope}
        return [one for one in self.attached if one.name in asked]

    @property
    def asks_manual(self) -> bool:
        """Return whether Kotae's own manual is among the chosen collections."""
        return any(one is not None and one.is_builtin for one, _ in self._resolved_scope())

    # ------------------------------------------------------------------ private

    def _on_conversation_opened(self, conversation: Conversation | None, _messages: list[Message]) -> None:
        self._is_chosen = False
        if conversation is None:
            self._ask_default()
        self._show_collections()

    def _on_documents_changed(self) -> None:
        self._collections, self._labelled = self._documents.collections(has_attached=True), self._documents.labelled()
        self.collections_known.emit(self._labelled)
        if self._session.conversation is None and not self._is_chosen:
            self._ask_default()
        self._show_collections()

    def _on_chosen(self, names: tuple[str, ...]) -> None:
        known = {ref.name: ref for ref in self._session.scope}
        known |= {one.name: CollectionRef(one.id, one.name) for one in self._collections}
        for one, ref in self._resolved_scope():
            if one is not None:
                known[one.name] = dataclasses.replace(ref, id=one.id, name=one.name)
        self._take([known[name] for name in names if name in known])

    def remove(self, name: str) -> None:
        """Take an attached file out of the scope, because the user wants it. `name`: of its collection."""
        self._take([ref for ref in self._session.scope if ref.name != name])

    def _take(self, scope: Sequence[CollectionRef]) -> None:
        """Ask what the user has left in the scope."""
        before, names = self._session.scope, {ref.name for ref in scope}
        removed = [ref.name for ref in before if is_attached_name(ref.name) and ref.name not in names]
        if removed:
            self.detach(removed)
            self.removed.emit(removed, before)
        else:
            self.choose(scope)

    def attach(self, names: Sequence[str]) -> None:
        """Ask attached files: alone at first, then with what is chosen besides. `names`: of their collections."""
        has_files = any(is_attached_name(ref.name) for ref in self._session.scope)
        self.put([*(self._session.scope if has_files else ()), *(CollectionRef(0, name) for name in names)])

    def detach(self, names: Sequence[str]) -> None:
        """Ask attached files no more; without any other, ask what new conversations do."""
        rest = [ref for ref in self._session.scope if ref.name not in names]
        self.put(rest)
        if not rest:
            self._ask_default()

    def exchange(self, left: CollectionRef, entered: CollectionRef) -> None:
        """Ask a document in another collection, into which it was moved."""
        scope = []
        for ref in self._session.scope:
            rest = tuple(path for path in ref.documents if path not in left.documents)
            if ref.name != left.name or rest or (left.documents and not ref.documents):
                scope.append(dataclasses.replace(ref, documents=rest) if ref.name == left.name else ref)
        at = next((at for at, ref in enumerate(scope) if ref.name == entered.name), None)
        if at is None:
            scope.append(entered)
        elif scope[at].documents:
            scope[at] = dataclasses.replace(scope[at], documents=(*scope[at].documents, *entered.documents))
        self.put(scope)

    def put(self, scope: Sequence[CollectionRef]) -> bool:
        """Ask these collections in this conversation alone; return False if that could not be stored."""
        self._is_chosen = True
        is_done = self._session.ask_of(scope)
        self._keep_unsent()
        return is_done

    def _on_message_added(self, _message: Message) -> None:
        self._keep_unsent()

    def _keep_unsent(self) -> None:
        """Store which files wait for the first question of a new conversation; they belong to it once it is asked."""
        here, names = self._session, tuple(ref.name for ref in self._session.scope if is_attached_name(ref.name))
        unsent = self._preferences.value.unsent_files
        if not here.is_temporary:
            names = names if here.conversation is None else tuple(name for name in unsent if name not in names)
            if names != unsent:
                self._preferences.change(unsent_files=names)

    def choose(self, scope: Sequence[CollectionRef]) -> None:
        """Ask these collections and documents from now on, also in new conversations."""
        if self.put(scope):
            own = [ref for ref in scope if not is_attached_name(ref.name)]
            self._preferences.change(
                scope=tuple(ref.name for ref in own),
                scope_documents=tuple((ref.name, *ref.documents) for ref in own if ref.documents),
            )

    def choose_documents(self, ticked: Sequence[CollectionRef]) -> None:
        """Ask the ticked documents, and the chosen collections that had none to tick, since they are not read yet."""
        unread = [
            ref
            for one, ref in self._resolved_scope()
            if one is not None and (one.attached or not self._documents.askable_documents(one.id))
        ]
        self.choose([*ticked, *unread])

    def documents_to_choose(self, *, has_attached: bool = False) -> list[CollectionDocuments]:
        """Return the collections with all their documents that can be asked, and which of these are asked now.

        `has_attached`: also attached files.
        """
        asked = {one.id: ref for one, ref in self._resolved_scope() if one is not None}
        found = []
        for one in self._collections:
            if one.attached and not has_attached:
                continue
            documents = self._documents.askable_documents(one.id)
            ref = asked.get(one.id)
            chosen = self._documents.chosen_documents(one.id, ref) if ref is not None else ()
            found.append(CollectionDocuments(CollectionRef(one.id, one.name), documents, [one.path for one in chosen]))
        return [one for one in found if one.documents]

    def _ask_default(self) -> None:
        stored = {name: tuple(paths) for name, *paths in self._preferences.value.scope_documents}
        scope = tuple(CollectionRef(one.id, one.name, stored.get(one.name, ())) for one in self._default())
        if self._session.conversation is None and not self._session.is_temporary:
            scope = tuple(CollectionRef(0, name) for name in self._preferences.value.unsent_files) or scope
        if scope != self._session.scope:
            self._session.ask_of(scope)

    def _default(self) -> list[DocumentCollection]:
        collections = [one for one in self._collections if not one.attached]
        chosen = self._preferences.value.scope
        if chosen is not None:
            found = [one for one in collections if one.name in chosen]
            if found or not chosen:
                return found
        read = [one for one in collections if one.sections > 0]
        return [one for one in read if not one.is_builtin] or read

    def _resolved_scope(self) -> list[tuple[DocumentCollection | None, CollectionRef]]:
        return collection_lookup.resolve_scope(self._collections, self._session.scope)

    def _show_collections(self) -> None:
        asked = {one.id: ref for one, ref in self._resolved_scope() if one is not None}
        shown = [one for one in self._collections if not one.attached or one.id in asked]
        shown.sort(key=lambda one: not one.attached)
        choices = [self._choice(one, asked.get(one.id)) for one in shown]
        gone = [self._missing(ref.name) for one, ref in self._resolved_scope() if one is None]
        self._line.show_choices([*choices, *(one for one in gone if one.is_attached or self._documents.is_open)])
        self.shown.emit()

    def _missing(self, name: str) -> CollectionChoice:
        """Return the menu entry of a collection that does not exist, of an attached file not yet."""
        if path := self.arriving.get(name):
            return CollectionChoice(name, 1, is_chosen=True, unfinished=1, chosen=(shown_name(path),), is_attached=True)
        return CollectionChoice(name, is_chosen=True, is_there=False)

    def _choice(self, one: DocumentCollection, ref: CollectionRef | None) -> CollectionChoice:
        """Return the menu entry of a collection. `ref`: its reference in the scope; None: it is not asked."""
        choice = CollectionChoice(one.name, one.documents, ref is not None, unfinished=one.unfinished, label=one.label)
        if one.attached:
            found = self._documents.documents(one.id)
            parts = [part.name for part in ref.regions] if ref is not None else []
            names = tuple(parts or (each.name for each in found))
            return dataclasses.replace(choice, chosen=names, is_attached=True) if names else self._missing(one.name)
        if ref is None or not ref.documents:
            return choice
        those = [found.name for found in self._documents.chosen_documents(one.id, ref)]
        parts = [part.name for part in ref.regions] if those else []
        chosen = tuple(parts or those) or tuple(shown_name(PurePath(path)) for path in ref.documents)
        return dataclasses.replace(choice, chosen=chosen, is_there=bool(those))
