"""Conversations from a JSON file into the database: all that can be taken, or nothing.

What became of an imported file, in sentences for people.
"""

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.wording import current_language, phrase
from app.chat import answer_check
from app.chat.exchange import answer_recheck, json_file
from app.chat.exchange.conversation_bundle import Bundle, message_fingerprints
from app.chat.exchange.json_file import ImportRefusal
from app.chat.organizer import BEING_IMPORTED, ConversationOrganizer
from app.chat.records import Conversation, Message
from app.chat.store import BEING_ERASED, Store

# Somebody may be asking questions meanwhile, and the database has one writer at a time: short turns, pauses between.
TURN_CHARACTERS = 100_000
TURN_MESSAGES = 2000
TURN_CONVERSATIONS = 50
PAUSE_S = 0.02

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportedConversations:
    """What became of each conversation of a file."""

    imported: int = 0  # copies among them
    copies: int = 0  # one that went on differently was there already; it is kept, and the file's stands beside it
    already_there: int = 0  # with all its messages
    in_bin: int = 0  # likewise, but in the bin
    checked: int = 0  # answers, compared with the user's own documents
    unchecked: int = 0  # answers, whose documents are not at hand, or that name none
    ratings: int = 0  # of answers that the file rates; only the user's own ratings count
    refused: tuple[ImportRefusal, ...] = ()


def import_conversations(
    store: Store, path: Path, report: Callable[[int, int], None], documents: Path | None = None
) -> ImportedConversations:
    """Takes in what the file holds. `report` is told the bytes read, of how many; what it raises ends the import.

    `documents`: the database of the user's own, with which answers are compared; None: with none.

    Nothing is seen of the import until all of it has arrived; when it fails or is ended, all of it goes again.
    Raises AppError: the file is none of ours, or `Database`'s.
    """
    arrival = _Arrival(store, time.time())
    read = [0, 0]

    def note(done: int, total: int) -> None:
        read[:] = done, total
        report(done, total)

    with answer_recheck.open_checker(documents, lambda: report(*read)) as checker:
        try:
            waiting: list[Bundle] = []
            for found in json_file.read_conversations(path, note):
                if isinstance(found, ImportRefusal):
                    arrival.refused.append(found)
                    continue
                waiting.append(checker.checked(found))
                if len(waiting) >= TURN_CONVERSATIONS or _characters(waiting) >= TURN_CHARACTERS:
                    arrival.take(waiting)
                    waiting = []
                    time.sleep(PAUSE_S)
            arrival.take(waiting)
            return arrival.finish()
        except BaseException:
            arrival.undo()
            raise


@dataclass(slots=True)
class _New:
    """A conversation that is arriving."""

    id: int
    folder: str
    leaf_id: int | None  # in the file
    ids: dict[int, int]  # of the messages that have arrived: those in the file, and those here
    rest: list[Sequence[Message]]  # what has not, by turns


class _Arrival:
    def __init__(self, store: Store, now: float) -> None:
        self._store = store
        self._now = now
        self._db = store.database
        self._arrived: list[int] = []  # the new conversations
        self._places: dict[int, tuple[str, int]] = {}  # their folders, "" too, and which message is shown last
        self._counts = ImportedConversations()
        self.refused: list[ImportRefusal] = []

    def take(self, bundles: Sequence[Bundle]) -> None:
        """In one transaction, but for the later messages of a long conversation: the last of `bundles` may be one."""
        marked = [(bundle, message_fingerprints(bundle)) for bundle in bundles]
        with self._db.transaction():
            new = [found for bundle, own in marked if (found := self._take(bundle, own)) is not None]
        self._arrived += [one.id for one in new]
        for one in new:
            while one.rest:
                time.sleep(PAUSE_S)
                with self._db.transaction():
                    self._check(one.id)
                    self._store.add_messages(one.id, one.rest.pop(0), one.ids)
            self._places[one.id] = one.folder, one.ids[one.leaf_id or 0]

    def finish(self) -> ImportedConversations:
        """Puts the new conversations into the list, in their folders, all at once."""
        shelf = ConversationOrganizer(self._db)
        with self._db.transaction():
            folders = {folder.name: folder.id for folder in reversed(shelf.folders())}
            for conversation_id, (name, leaf_id) in self._places.items():
                self._check(conversation_id)
                if name and name not in folders:
                    folders[name] = shelf.add_folder(name)
                self._db.write(
                    "UPDATE conversation SET binned_at = NULL, folder_id = ?, leaf_id = ? WHERE id = ?",
                    folders.get(name),
                    leaf_id,
                    conversation_id,
                )
        return dataclasses.replace(self._counts, refused=tuple(self.refused))

    def undo(self) -> None:
        """Where even that fails, on a full disk, the next start of the window does it."""
        try:
            ConversationOrganizer(self._db).erase(self._arrived, lambda: time.sleep(PAUSE_S))
        except AppError as error:
            log.warning("import not undone yet: %s", error.code)

    def _check(self, conversation_id: int) -> None:
        found = self._store.conversation(conversation_id)
        if found is None or found.binned_at != BEING_IMPORTED:
            raise AppError("import_disturbed")  # a window was started meanwhile and has cleaned up

    def _take(self, bundle: Bundle, own: Sequence[str]) -> _New | None:
        """What is new, with the first of its messages; None: it is there already."""
        uid, is_copy = bundle.conversation.uid, False
        while (stored := self._stored(uid)) is not None:
            if set(own) <= set(message_fingerprints(stored)):
                binned_at = stored.conversation.binned_at
                self._count("already_there" if binned_at in (None, BEING_IMPORTED) else "in_bin")
                return None
            # The copy's name follows from what is in it: the same file imported again finds it.
            uid, is_copy = hashlib.sha256("".join([uid, *own]).encode()).hexdigest()[:32], True
        conversation = dataclasses.replace(
            self._here(bundle.conversation), uid=uid, binned_at=BEING_IMPORTED, imported_at=self._now
        )
        self._count("imported")
        self._count("ratings", bundle.ratings)
        for message in bundle.messages:
            if message.role == "answer":
                self._count(answer_check.check_status(message))
        if is_copy:
            self._count("copies")
        turns = list(_turns(bundle.messages))
        new = _New(self._store.add_tree(conversation, ()), bundle.folder, conversation.leaf_id, {}, turns[1:])
        self._store.add_messages(new.id, turns[0], new.ids)
        return new

    def _here(self, conversation: Conversation) -> Conversation:
        """It cannot have been used, or pinned, later than now: that would keep it above all others."""
        pinned_at = conversation.pinned_at
        return dataclasses.replace(
            conversation,
            updated_at=min(conversation.updated_at, self._now),
            pinned_at=None if pinned_at is None else min(pinned_at, self._now),
        )

    def _stored(self, uid: str) -> Bundle | None:
        rows = self._db.read("SELECT id FROM conversation WHERE uid = ? AND binned_at IS NOT ?", uid, BEING_ERASED)
        conversation = self._store.conversation(rows[0][0]) if rows else None
        return Bundle(conversation, tuple(self._store.tree(conversation.id))) if conversation else None

    def _count(self, name: str, count: int = 1) -> None:
        self._counts = dataclasses.replace(self._counts, **{name: getattr(self._counts, name) + count})


def _turns(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Messages, and never none, that may be stored in one transaction."""
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
    """What else there is to say; "" when nothing. Copies come first: they are among those of the headline."""
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
    """Which conversation was refused, and why, in one line."""
    reason = phrase(f"common.refused_{refused.reason}")
    if refused.at:
        reason = phrase("common.refused_at", at=refused.at, reason=reason)
    key = "common.refused_line" if refused.title else "common.refused_line_untitled"
    return phrase(key, number=refused.number, title=refused.title, reason=reason)
