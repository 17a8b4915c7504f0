"""Conversations from a JSON file into the database: all that can be taken, or nothing."""

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import AppError
from app.core.exchange import json_file
from app.core.exchange.bundle import Bundle, marks
from app.core.exchange.json_file import Refusal
from app.core.shelf import ARRIVING, Shelf
from app.core.store import Store

# Somebody may be asking questions meanwhile, and the database has one writer at a time: short turns, pauses between.
TURN_CHARACTERS = 100_000
TURN_CONVERSATIONS = 50
PAUSE_S = 0.02

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of each conversation of a file."""

    imported: int = 0  # copies among them
    copies: int = 0  # one that went on differently was there already; it is kept, and the file's stands beside it
    already_there: int = 0  # with all its messages
    in_bin: int = 0  # likewise, but in the bin
    refused: tuple[Refusal, ...] = ()


def bring_in(store: Store, path: Path, report: Callable[[int, int], None]) -> Imported:
    """Takes in what the file holds. `report` is told the bytes read, of how many; what it raises ends the import.

    Nothing is seen of the import until all of it has arrived; when it fails or is ended, all of it goes again.
    Raises AppError: the file is none of ours, or `Database`'s.
    """
    arrival = _Arrival(store)
    try:
        waiting: list[Bundle] = []
        for found in json_file.read(path, report):
            if isinstance(found, Refusal):
                arrival.refused.append(found)
                continue
            waiting.append(found)
            if len(waiting) >= TURN_CONVERSATIONS or _characters(waiting) >= TURN_CHARACTERS:
                arrival.take(waiting)
                waiting = []
                time.sleep(PAUSE_S)
        arrival.take(waiting)
        return arrival.finish()
    except BaseException:
        arrival.undo()
        raise


class _Arrival:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._db = store.database
        self._folders: dict[int, str] = {}  # of each new conversation, "" too
        self._counts = Imported()
        self.refused: list[Refusal] = []

    def take(self, bundles: Iterable[Bundle]) -> None:
        """In one transaction."""
        arrived: dict[int, str] = {}
        with self._db.transaction():
            for bundle in bundles:
                if (conversation_id := self._take(bundle)) is not None:
                    arrived[conversation_id] = bundle.folder
        self._folders |= arrived

    def finish(self) -> Imported:
        """Puts the new conversations into the list, in their folders, all at once."""
        shelf = Shelf(self._db)
        with self._db.transaction():
            folders = {folder.name: folder.id for folder in reversed(shelf.folders())}
            for conversation_id, name in self._folders.items():
                found = self._store.conversation(conversation_id)
                if found is None or found.binned_at != ARRIVING:
                    raise AppError("import_disturbed")  # a window was started meanwhile and has cleaned up
                if name and name not in folders:
                    folders[name] = shelf.add_folder(name)
                self._db.write(
                    "UPDATE conversation SET binned_at = NULL, folder_id = ? WHERE id = ?",
                    folders.get(name),
                    conversation_id,
                )
        return dataclasses.replace(self._counts, refused=tuple(self.refused))

    def undo(self) -> None:
        """Where even that fails, on a full disk, the next start of the window does it."""
        arrived = list(self._folders)
        try:
            for start in range(0, len(arrived), TURN_CONVERSATIONS):
                Shelf(self._db).erase(arrived[start : start + TURN_CONVERSATIONS])
                time.sleep(PAUSE_S)
        except AppError as error:
            log.warning("import not undone yet: %s", error.code)

    def _take(self, bundle: Bundle) -> int | None:
        """The id of what is new; None: it is there already."""
        own = marks(bundle)
        uid, is_copy = bundle.conversation.uid, False
        while (stored := self._stored(uid)) is not None:
            if set(own) <= set(marks(stored)):
                binned_at = stored.conversation.binned_at
                self._count("already_there" if binned_at in (None, ARRIVING) else "in_bin")
                return None
            # The copy's name follows from what is in it: the same file imported again finds it.
            uid, is_copy = hashlib.sha256("".join([uid, *own]).encode()).hexdigest()[:32], True
        conversation = dataclasses.replace(bundle.conversation, uid=uid, binned_at=ARRIVING)
        self._count("imported")
        if is_copy:
            self._count("copies")
        return self._store.add_tree(conversation, bundle.messages)

    def _stored(self, uid: str) -> Bundle | None:
        rows = self._db.read("SELECT id FROM conversation WHERE uid = ?", uid)
        conversation = self._store.conversation(rows[0][0]) if rows else None
        return Bundle(conversation, tuple(self._store.tree(conversation.id))) if conversation else None

    def _count(self, name: str) -> None:
        self._counts = dataclasses.replace(self._counts, **{name: getattr(self._counts, name) + 1})


def _characters(bundles: Iterable[Bundle]) -> int:
    return sum(len(message.text) for bundle in bundles for message in bundle.messages)
