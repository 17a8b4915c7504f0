"""Store conversations as trees of messages, in the one database that also holds the local models.

A method that changes something has committed it when it returns. Folders, pins, the bin and drafts are in
`app.chat.organizer`, and labels that users choose in `app.chat.conversation_privacy`. Here a stored answer may raise
the label of its conversation, and the first answer may also lower it.
"""

import dataclasses
import functools
import json
import uuid
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from msgspec import structs

from app.base import confidentiality, invisible_characters
from app.base.confidentiality import LABELS
from app.base.database import Database, Row
from app.base.wording import shorten
from app.chat import records
from app.chat.message_index import MessageIndex
from app.chat.presets import Choices
from app.chat.records import AnswerDetails, Conversation, Message
from app.documents.grounding.grounding_record import CollectionRef
from app.models.model_store import ModelStore

TITLE_CHARACTERS = 60

_COLUMNS = Conversation.__struct_fields__
CONVERSATION_COLUMNS = ", ".join(_COLUMNS)
# The value of `binned_at` while a conversation is being erased, message by message. No method returns such a
# conversation.
BEING_ERASED = -2.0
_NO_CHOICES = Choices()
_MESSAGE = """m.*,
    (SELECT count(*) FROM message s WHERE s.conversation_id = m.conversation_id AND s.parent_id IS m.parent_id
        AND s.id <= m.id) AS branch,
    (SELECT count(*) FROM message s WHERE s.conversation_id = m.conversation_id AND s.parent_id IS m.parent_id)
        AS branches"""


class Store(ModelStore):
    """Reads and changes the tables of conversations and messages. Methods raise AppError as `Database` does."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._index = MessageIndex(database)

    # ------------------------------------------------------------ conversations

    def conversations(self) -> list[Conversation]:
        """Return all conversations outside the bin, the most recently used first."""
        rows = self._db.read_as(
            conversation_from_row,
            f"SELECT {CONVERSATION_COLUMNS} FROM conversation WHERE binned_at IS NULL ORDER BY id DESC",  # noqa: S608
        )
        # SQLite would find each row by itself along the index of the times, which takes a third longer.
        return sorted(rows, key=attrgetter("updated_at"), reverse=True)

    def conversation(self, conversation_id: int) -> Conversation | None:
        """Return a conversation, or None when it does not exist."""
        return next(iter(self.conversations_of([conversation_id])), None)

    def conversations_of(self, conversation_ids: Sequence[int]) -> list[Conversation]:
        """Return the conversations with these ids that exist, in the order of the ids."""
        found = self._db.read_as(
            conversation_from_row,
            f"SELECT {CONVERSATION_COLUMNS} FROM conversation"  # noqa: S608
            " WHERE id IN (SELECT value FROM json_each(?)) AND binned_at IS NOT ?",
            json.dumps(list(conversation_ids)),
            BEING_ERASED,
        )
        known = {one.id: one for one in found}
        return [known[wanted] for wanted in conversation_ids if wanted in known]

    def leaf_id(self, conversation_id: int) -> int | None:
        """Return the id of the last message of the shown branch; None for an empty or missing conversation."""
        found = self.conversation(conversation_id)
        return found.leaf_id if found else None

    def store_answer_settings(self, conversation_id: int, preset_id: str | None, choices: Choices) -> None:
        """Store the preset for later answers of a conversation, and the settings (`choices`) that differ from it."""
        self._update("conversation", conversation_id, preset_id=preset_id, choices=records.choices_json(choices))

    def set_scope(self, conversation_id: int, scope: Sequence[CollectionRef]) -> None:
        """Store the collections that later questions of the conversation search."""
        self._update("conversation", conversation_id, scope=records.scope_json(scope))

    def asked_names(self) -> set[str]:
        """Return the names of the collections that the conversations ask, also those in the bin."""
        rows = self._db.read(
            "SELECT DISTINCT json_extract(one.value, '$.name') FROM conversation c, json_each(c.scope) one"
            " WHERE c.scope IS NOT NULL AND json_valid(c.scope) AND c.binned_at IS NOT ?",
            BEING_ERASED,
        )
        return {str(row[0]) for row in rows}

    # ----------------------------------------------------------------- messages

    def thread(self, conversation_id: int, most: int = -1) -> list[Message]:
        """Return the messages of the shown branch, from its first question to its leaf, or the last `most` of them."""
        leaf_id = self.leaf_id(conversation_id)
        return self.line(leaf_id, most) if leaf_id else []

    def line(self, message_id: int, most: int = -1) -> list[Message]:
        """Return the messages from the first question to this one, or the last `most` of them."""
        return self._db.read_as(
            _message_from_row,
            f"""WITH RECURSIVE line(id, parent_id, depth) AS (
                   SELECT m.id, m.parent_id, 0 FROM message m WHERE m.id = ?
                   UNION ALL
                   SELECT m.id, m.parent_id, depth + 1 FROM line l JOIN message m ON m.id = l.parent_id LIMIT ?)
               SELECT {_MESSAGE} FROM line l JOIN message m ON m.id = l.id ORDER BY l.depth DESC""",  # noqa: S608
            message_id,
            most,
        )

    def is_followed(self, message_id: int) -> bool:
        """Return whether the message has any reply."""
        return bool(self._db.read("SELECT 1 FROM message WHERE parent_id = ? LIMIT 1", message_id))

    def tree(self, conversation_id: int) -> list[Message]:
        """Return all messages of all branches in the order of their creation, so that parents come before children."""
        return self._db.read_as(
            _message_from_row,
            f"SELECT {_MESSAGE} FROM message m WHERE conversation_id = ? ORDER BY id",  # noqa: S608
            conversation_id,
        )

    def message(self, message_id: int) -> Message:
        """Return a message. Raises KeyError when it does not exist."""
        found = self._db.read_as(_message_from_row, f"SELECT {_MESSAGE} FROM message m WHERE m.id = ?", message_id)  # noqa: S608
        if not found:
            raise KeyError(message_id)
        return found[0]

    def add_question(
        self,
        text: str,
        conversation_id: int | None = None,
        parent_id: int | None = None,
        *,
        folder_id: int | None = None,
        keeps_draft: bool = False,
        details: AnswerDetails | None = None,
    ) -> Message:
        """Store a question, in a new conversation in the folder `folder_id` when `conversation_id` is None. `details`
        are those of an action's question.

        Unless `keeps_draft`, the same transaction removes the draft, which became the question, and restores the draft
        that an edit had replaced.
        """
        now = self._db.clock()
        with self._db.transaction():
            if not keeps_draft:
                self._db.write(
                    "UPDATE draft SET text = set_aside, edited_id = NULL, set_aside = '' WHERE conversation_id IS ?",
                    conversation_id,
                )
                self._db.write("DELETE FROM draft WHERE conversation_id IS ? AND text = ''", conversation_id)
            if conversation_id is None:
                has_folder = self._db.read("SELECT 1 FROM folder WHERE id = ?", folder_id)  # it may be removed by now
                conversation_id = self._insert(
                    "conversation",
                    title=title_of(text),
                    created_at=now,
                    updated_at=now,
                    uid=uuid.uuid4().hex,
                    folder_id=folder_id if has_folder else None,
                )
            return self._add_message(Message(0, conversation_id, parent_id, "question", text, "done", now, details))

    def add_answer(self, question_id: int, details: AnswerDetails) -> Message:
        """Add an empty answer with the status "streaming" below the question."""
        question = self.message(question_id)
        now = self._db.clock()
        with self._db.transaction():
            return self._add_message(
                Message(0, question.conversation_id, question_id, "answer", "", "streaming", now, details)
            )

    def add_tree(self, conversation: Conversation, messages: Sequence[Message]) -> int:
        """Store a conversation from elsewhere, parents first, with new ids of its messages; return its id."""
        with self._db.transaction():
            values = {name: getattr(conversation, name) for name in _COLUMNS[1:]}
            values |= {
                "leaf_id": None,
                "uid": conversation.uid or uuid.uuid4().hex,
                "choices": records.choices_json(conversation.choices),
                "scope": records.scope_json(conversation.scope),
            }
            new_id = self._insert("conversation", **values)
            ids: dict[int, int] = {}
            self.add_messages(new_id, messages, ids)
            if messages:
                leaf_id = ids.get(conversation.leaf_id or 0) or ids[messages[-1].id]
                self._update("conversation", new_id, leaf_id=leaf_id)
        return new_id

    def add_messages(self, conversation_id: int, messages: Sequence[Message], ids: dict[int, int]) -> None:
        """Store more messages of a conversation from elsewhere; add the new id of each to `ids`."""
        with self._db.transaction():
            for message in messages:
                details, parent_id = message.details, message.parent_id
                if details is not None and details.reproduces_id is not None:
                    details = dataclasses.replace(details, reproduces_id=ids.get(details.reproduces_id))
                ids[message.id] = self._insert_message(
                    dataclasses.replace(
                        message,
                        conversation_id=conversation_id,
                        parent_id=None if parent_id is None else ids[parent_id],
                        details=details,
                    )
                )

    def restart_answer(self, answer_id: int, details: AnswerDetails) -> Message:
        """Start again an answer that never got any text, instead of adding a branch next to it, and return it."""
        with self._db.transaction():
            answer = self.finish_answer(answer_id, "", "streaming", details)
            self._update("conversation", answer.conversation_id, leaf_id=answer_id)
        return answer

    def update_answer(self, answer_id: int, text: str) -> None:
        """Store the text so far of a streaming answer."""
        with self._db.transaction():
            self._db.write("UPDATE message SET text = ? WHERE id = ? AND status = 'streaming'", text, answer_id)

    def finish_answer(self, answer_id: int, text: str, status: str, details: AnswerDetails) -> Message:
        """Store the final text and details of an answer and return it. `status`: done | stopped | failed, or
        "streaming" to start it again."""
        before = self.message(answer_id)
        with self._db.transaction():
            self._update("message", answer_id, text=text, status=status, details=records.details_json(details))
            self._index.replace(answer_id, _indexed(before.text, before.status), _indexed(text, status))
            self._set_first_label(before.conversation_id, details)
            self._raise_label(before.conversation_id, details)
        return self.message(answer_id)

    def put_edited(self, answer: Message) -> None:
        """Store the text and the details of an answer that somebody has edited. Raises KeyError when it was erased."""
        before = self.message(answer.id)
        with self._db.transaction():
            details = records.details_json(answer.details) if answer.details else None
            self._update("message", answer.id, text=invisible_characters.remove(answer.text), details=details)
            stored = self.message(answer.id)
            self._index.replace(answer.id, _indexed(before.text, before.status), _indexed(stored.text, stored.status))

    def show_branch(self, message_id: int, step: int) -> None:
        """Show the branch `step` places beside the message, down to its newest message."""
        message = self.message(message_id)
        siblings = self._db.read(
            "SELECT id FROM message WHERE conversation_id = ? AND parent_id IS ? ORDER BY id",
            message.conversation_id,
            message.parent_id,
        )
        place = message.branch - 1 + step
        if 0 <= place < len(siblings):
            self.show_message(siblings[place][0])

    def show_message(self, message_id: int) -> None:
        """Show a branch with the message, down to its newest one, unless the shown branch has it."""
        conversation_id = self.message(message_id).conversation_id
        if any(message.id == message_id for message in self.thread(conversation_id)):
            return
        newest = self._db.read(
            """WITH RECURSIVE below(id) AS (
                   SELECT ? UNION ALL SELECT m.id FROM below b JOIN message m ON m.parent_id = b.id)
               SELECT max(id) FROM below""",
            message_id,
        )
        self._update("conversation", conversation_id, leaf_id=newest[0][0])

    def end_interrupted_answers(self) -> None:
        """Mark answers that a crash left streaming as stopped.

        Only the window may call this, and only before its first answer, because an answer being written has the same
        status.
        """
        question = f"SELECT {_MESSAGE} FROM message m WHERE status = 'streaming'"  # noqa: S608
        for answer in self._db.read_as(_message_from_row, question):
            details = dataclasses.replace(answer.details or AnswerDetails(), stop_reason="interrupted")
            self.finish_answer(answer.id, answer.text, "stopped", details)

    # ------------------------------------------------------------------ private

    def _add_message(self, message: Message) -> Message:
        message_id = self._insert_message(message)
        self._update("conversation", message.conversation_id, leaf_id=message_id, updated_at=message.created_at)
        return self.message(message_id)

    def _insert_message(self, message: Message) -> int:
        text = invisible_characters.remove(message.text)
        message_id = self._insert(
            "message",
            conversation_id=message.conversation_id,
            parent_id=message.parent_id,
            role=message.role,
            text=text,
            status=message.status,
            created_at=message.created_at,
            details=records.details_json(message.details) if message.details else None,
            rating=message.rating,
            correction=invisible_characters.remove(message.correction),
        )
        self._index.replace(message_id, "", _indexed(text, message.status))
        if message.details is not None:
            self._raise_label(message.conversation_id, message.details)
        return message_id

    def _raise_label(self, conversation_id: int, details: AnswerDetails) -> None:
        """Raise the label of a conversation to the highest of an answer's sources and of its model's training data."""
        label = confidentiality.highest_label(details.labels)
        for lower in LABELS[: LABELS.index(label)]:
            self._db.write(
                "UPDATE conversation SET label = ? WHERE id = ? AND label = ?", label, conversation_id, lower
            )

    def _set_first_label(self, conversation_id: int, details: AnswerDetails) -> None:
        """Set the label of a conversation from its first answer's sources, which may be lower than the default at the
        beginning.

        An imported conversation keeps its label, because its questions may contain text that nobody in this
        installation has labelled.
        """
        if details.named_sources:
            self._db.write(
                "UPDATE conversation SET label = ? WHERE id = ? AND label = ? AND imported_at IS NULL"
                " AND (SELECT COUNT(*) FROM message WHERE conversation_id = ? AND role = 'answer') = 1",
                confidentiality.highest_label(source.label for source in details.named_sources),
                conversation_id,
                confidentiality.DEFAULT_LABEL,
                conversation_id,
            )

    def _insert(self, table: str, **values: object) -> int:
        """Insert a row and return its id, the next one that no row had before, not even an erased one."""
        marks = ", ?" * len(values)
        return self._db.write(
            f"INSERT INTO {table}(id, {', '.join(values)}) VALUES"  # noqa: S608
            f" ((SELECT 1 + max(ifnull((SELECT max(id) FROM {table}), 0), {table}) FROM last_id){marks})",
            *values.values(),
        )

    def _update(self, table: str, row_id: int, **values: object) -> None:
        settings = ", ".join(f"{name} = ?" for name in values)
        with self._db.transaction():
            self._db.write(f"UPDATE {table} SET {settings} WHERE id = ?", *values.values(), row_id)  # noqa: S608


def title_of(text: str) -> str:
    """Return a text as a conversation title: one line of at most 60 characters."""
    return shorten(invisible_characters.to_single_line(text), TITLE_CHARACTERS)


def conversation_from_row(row: Row) -> Conversation:
    """Return the conversation in a row of `CONVERSATION_COLUMNS`, which are its fields in order."""
    if (binned_at := row[_BINNED_AT]) is None:
        return _conversation_from(*row)
    kept = _conversation_from(*row[:_BINNED_AT], None, *row[_BINNED_AT + 1 :])
    return structs.replace(kept, binned_at=_moment_binned(binned_at))


_BINNED_AT = _COLUMNS.index("binned_at")


# Each change reads the whole list, of which few rows are others, and the bin what was in the list before.
@functools.lru_cache(maxsize=20_000, typed=True)
def _conversation_from(*row: Any) -> Conversation:
    values = [*row]
    for at, read in _READERS:
        if values[at] is not None:
            values[at] = read(values[at])
    values[-4] = Choices.from_dict(json.loads(row[-4])) if row[-4] else _NO_CHOICES
    values[-3] = records.scope_from_json(row[-3]) if row[-3] else ()
    return Conversation(*values)


def _number(value: object) -> int | None:
    """Return the stored id of a message or a folder; None for a value that is not an integer."""
    return value if isinstance(value, int) else None


def _moment_binned(value: object) -> float:
    """Return when the conversation was binned, or one of the marks below 0 (`BEING_IMPORTED`, `BEING_ERASED`)."""
    return value if isinstance(value, float) and value < 0 else records.stored_moment(value)


_READ = {
    "title": records.stored_text,
    "created_at": records.stored_moment,
    "updated_at": records.stored_moment,
    "leaf_id": _number,
    "uid": records.stored_text,
    "folder_id": _number,
    "pinned_at": records.stored_moment,
    "preset_id": records.stored_text,
    "label": confidentiality.stored_label,
    "imported_at": records.stored_moment,
}
_READERS = tuple((at, _READ[name]) for at, name in enumerate(_COLUMNS) if name in _READ)


def _indexed(text: str, status: str) -> str:
    """Return the text of a message to index for searching: "" while it is streaming."""
    return "" if status == "streaming" else text


def _message_from_row(row: Row) -> Message:
    return Message(
        row["id"],
        row["conversation_id"],
        row["parent_id"],
        row["role"],
        records.stored_text(row["text"]),
        row["status"],
        records.stored_moment(row["created_at"]),
        records.details_from_json(row["details"]),
        row["branch"],
        row["branches"],
        row["rating"],
        records.stored_text(row["correction"]),
    )
