"""Import conversations from a JSON file into the database: all that are valid, or none after an error.

Also describe the result in sentences.
"""

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from app.base.errors import AppError
from app.base.wording import current_language, phrase
from app.chat import answer_check
from app.chat.exchange import answer_recheck, json_file
from app.chat.exchange.conversation_bundle import Bundle, message_fingerprints
from app.chat.exchange.json_file import ImportRefusal
from app.chat.organizer import BEING_IMPORTED, ConversationOrganizer
from app.chat.records import Conversation, Message
from app.chat.store import BEING_ERASED, Store

# The database has one writer at a time, and the user may be asking questions during an import. It therefore writes in
# short transactions with pauses.
TURN_CHARACTERS = 100_000
TURN_MESSAGES = 2000
TURN_CONVERSATIONS = 50
PAUSE_S = 0.02

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportedConversations:
    """The numbers of conversations and answers in a file that were imported or not, by reason."""

    imported: int = 0  # conversations, including the copies
    copies: int = 0  # imported in addition to a stored conversation that continues differently
    already_there: int = 0  # conversations that were stored already, with all messages
    in_bin: int = 0  # conversations that were stored already, but are in the bin
    checked: int = 0  # answers that were compared with the user's own documents
    unchecked: int = 0  # answers whose documents are not available, or that name no source
    ratings: int = 0  # answers that the file rates; their ratings are not imported
    refused: tuple[ImportRefusal, ...] = ()


def import_conversations(
    store: Store, path: Path, report: Callable[[int, int], None], documents: Path | None = None
) -> ImportedConversations:
    """Import the conversations of a file. They stay invisible until all are stored; an error or an interruption undoes
    the whole import.

    `report` gets the bytes read and the size of the file; an exception that it raises ends the import. `documents` is
    the database of the user's documents, with which answers are compared; None compares nothing.
    Raises AppError when the file is not a valid export, and as `Database` does.
    """
    importing = _Import(store, time.time())
    read = [0, 0]

    def note(done: int, total: int) -> None:
        read[:] = done, total
        report(done, total)

    with answer_recheck.open_checker(documents, lambda: report(*read)) as check:
        try:
            pending: list[Bundle] = []
            for conversation in json_file.read_conversations(path, note):
                if isinstance(conversation, ImportRefusal):
                    importing.refused.append(conversation)
                    continue
                pending.append(check(conversation))
                if len(pending) >= TURN_CONVERSATIONS or _characters(pending) >= TURN_CHARACTERS:
                    importing.add(pending)
                    pending = []
                    time.sleep(PAUSE_S)
            importing.add(pending)
            return importing.finish()
        except BaseException:
            importing.undo()
            raise


@dataclass(slots=True)
class _PartialConversation:
    """A conversation whose first messages are stored and whose later ones are not."""

    id: int
    folder: str
    leaf_id: int | None  # id in the file of the message that is shown last
    ids: dict[int, int]  # new id of each stored message, by its id in the file
    remaining_messages: list[Sequence[Message]]  # messages that are not stored yet, one sequence for each transaction


class _Import:
    """Stores the conversations of one import, hidden by `BEING_IMPORTED` until `finish`."""

    def __init__(self, store: Store, now: float) -> None:
        self._store = store
        self._now = now
        self._db = store.database
        self._new_ids: list[int] = []  # ids of the new conversations
        self._destinations: dict[int, tuple[str, int]] = {}  # by conversation: its folder's name ("": none), its leaf
        self._counts: Counter[str] = Counter()
        self.refused: list[ImportRefusal] = []

    def add(self, bundles: Sequence[Bundle]) -> None:
        """Store conversations in one transaction, but the later messages of long ones in others."""
        marked = [(bundle, message_fingerprints(bundle)) for bundle in bundles]
        with self._db.transaction():
            new = [found for bundle, fingerprints in marked if (found := self._add(bundle, fingerprints)) is not None]
        self._new_ids += [one.id for one in new]
        for one in new:
            while one.remaining_messages:
                time.sleep(PAUSE_S)
                with self._db.transaction():
                    self._check(one.id)
                    self._store.add_messages(one.id, one.remaining_messages.pop(0), one.ids)
            self._destinations[one.id] = one.folder, one.ids[one.leaf_id or 0]

    def finish(self) -> ImportedConversations:
        """Show all new conversations in the list and in their folders at once, and return the counts."""
        organizer = ConversationOrganizer(self._db)
        with self._db.transaction():
            folders = {folder.name: folder.id for folder in reversed(organizer.folders())}
            for conversation_id, (name, leaf_id) in self._destinations.items():
                self._check(conversation_id)
                if name and name not in folders:
                    folders[name] = organizer.add_folder(name)
                self._db.write(
                    "UPDATE conversation SET binned_at = NULL, folder_id = ?, leaf_id = ? WHERE id = ?",
                    folders.get(name),
                    leaf_id,
                    conversation_id,
                )
        return ImportedConversations(**self._counts, refused=tuple(self.refused))

    def undo(self) -> None:
        """Erase what was imported. What remains after an error is erased at the next start of the window."""
        try:
            ConversationOrganizer(self._db).erase(self._new_ids, lambda: time.sleep(PAUSE_S))
        except AppError as error:
            log.warning("import not undone yet: %s", error.code)

    def _check(self, conversation_id: int) -> None:
        found = self._store.conversation(conversation_id)
        if found is None or found.binned_at != BEING_IMPORTED:
            raise AppError("import_disturbed")  # a window that was started during the import has erased it

    def _add(self, bundle: Bundle, fingerprints: Sequence[str]) -> _PartialConversation | None:
        """Store a conversation with the first of its messages; return None when it is stored already."""
        uid, is_copy = bundle.conversation.uid, False
        while (stored := self._stored_bundle(uid)) is not None:
            if set(fingerprints) <= set(message_fingerprints(stored)):
                binned_at = stored.conversation.binned_at
                self._counts["already_there" if binned_at in (None, BEING_IMPORTED) else "in_bin"] += 1
                return None
            # The uid of a copy is computed from its messages, so that a second import of the same file recognizes the
            # copy.
            uid, is_copy = hashlib.sha256("".join([uid, *fingerprints]).encode()).hexdigest()[:32], True
        conversation = structs.replace(
            self._clamped(bundle.conversation), uid=uid, binned_at=BEING_IMPORTED, imported_at=self._now
        )
        answers = (message for message in bundle.messages if message.role == "answer")
        self._counts.update(map(answer_check.check_status, answers))
        self._counts.update({"imported": 1, "ratings": bundle.ratings, "copies": int(is_copy)})
        turns = list(_turns(bundle.messages))
        new = _PartialConversation(
            self._store.add_tree(conversation, ()), bundle.folder, conversation.leaf_id, {}, turns[1:]
        )
        self._store.add_messages(new.id, turns[0], new.ids)
        return new

    def _clamped(self, conversation: Conversation) -> Conversation:
        """Limit the times of use and pinning to now; later ones would keep the conversation above all others."""
        pinned_at = conversation.pinned_at
        return structs.replace(
            conversation,
            updated_at=min(conversation.updated_at, self._now),
            pinned_at=None if pinned_at is None else min(pinned_at, self._now),
        )

    def _stored_bundle(self, uid: str) -> Bundle | None:
        rows = self._db.read("SELECT id FROM conversation WHERE uid = ? AND binned_at IS NOT ?", uid, BEING_ERASED)
        conversation = self._store.conversation(rows[0][0]) if rows else None
        return Bundle(conversation, tuple(self._store.tree(conversation.id))) if conversation else None


def _turns(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Split messages into sequences that are small enough for one transaction each; yield at least one."""
    start = characters = 0
    for at, message in enumerate(messages):
        characters += len(message.text)
        if at - start >= TURN_MESSAGES or (characters > TURN_CHARACTERS and at > start):
            yield messages[start:at]
            start, characters = at, len(message.text)
    yield messages[start:]


def _characters(bundles: Iterable[Bundle]) -> int:
    return sum(len(message.text) for bundle in bundles for message in bundle.messages)


def import_headline(result: ImportedConversations) -> str:
    return phrase("chat.import_new", count=result.imported) if result.imported else phrase("chat.import_none")


def import_remarks(result: ImportedConversations) -> str:
    """Return further sentences about the import, or "". Copies come first, because the headline counts them too."""
    counts = (
        ("chat.import_copies", result.copies),
        ("chat.import_checked", result.checked),
        ("chat.import_unchecked", result.unchecked),
        ("chat.import_ratings", result.ratings),
        ("chat.import_refused", len(result.refused)),
        ("chat.import_there", result.already_there),
        ("chat.import_binned", result.in_bin),
    )
    sentences = [phrase(key, count=count) for key, count in counts if count]
    return ("" if current_language() == "ja" else " ").join(sentences)


def refusal_line(refused: ImportRefusal) -> str:
    """Return one line that names a refused conversation and the reason."""
    reason = phrase(f"common.refused.{refused.reason}")
    if refused.message_number:
        reason = phrase("common.refused_at", at=refused.message_number, reason=reason)
    key = "common.refused_line" if refused.title else "common.refused_line_untitled"
    return phrase(key, number=refused.number, title=refused.title, reason=reason)
