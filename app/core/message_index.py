"""Full-text search over all messages: a contentless FTS5 table of the terms that `app.core.text` makes."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core import text
from app.core.database import Database

MESSAGES_MAX = 2000  # the newest messages looked at; somebody with more hits than that types another word
CONVERSATIONS_MAX = 200


@dataclass(frozen=True, slots=True)
class Hit:
    """A conversation in which all words occur together in a message, or in its title (`message_id` None)."""

    conversation_id: int
    title: str
    at: float  # when the message was written, or the conversation was last used
    message_id: int | None = None
    role: str = ""  # question | answer
    text: str = ""  # of the newest message found
    count: int = 1  # messages found in this conversation


class MessageIndex:
    def __init__(self, database: Database) -> None:
        self._db = database

    def replace(self, message_id: int, old: str, new: str) -> None:
        """Inside a transaction. A contentless table forgets only what it is told again: `old` must be what was put."""
        if old == new:
            return
        if old:
            self._db.write(
                "INSERT INTO message_terms(message_terms, rowid, terms) VALUES ('delete', ?, ?)",
                message_id,
                " ".join(text.terms(old)),
            )
        if new:
            self._db.write(
                "INSERT INTO message_terms(rowid, terms) VALUES (?, ?)", message_id, " ".join(text.terms(new))
            )

    def search(self, query: str) -> list[Hit]:
        """Conversations outside the bin, those with the newest hits first; at most `CONVERSATIONS_MAX`."""
        expression = text.match_expression(query)
        if not expression:
            return []
        rows = self._db.read(
            """SELECT c.id, c.title, m.created_at, m.id, m.role, m.text FROM
                   (SELECT rowid FROM message_terms WHERE message_terms MATCH ? ORDER BY rowid DESC LIMIT ?) AS found
               JOIN message m ON m.id = found.rowid JOIN conversation c ON c.id = m.conversation_id
               WHERE c.binned_at IS NULL ORDER BY m.id DESC""",
            expression,
            MESSAGES_MAX,
        )
        hits: dict[int, Hit] = {}
        for row in rows:
            newest = hits.get(row[0])
            hits[row[0]] = Hit(*row) if newest is None else _counted(newest)
        titled = [hit for hit in self._titled(text.words(query)) if hit.conversation_id not in hits]
        return sorted([*hits.values(), *titled], key=lambda hit: hit.at, reverse=True)[:CONVERSATIONS_MAX]

    def _titled(self, words: Sequence[str]) -> list[Hit]:
        rows = self._db.read("SELECT id, title, updated_at FROM conversation WHERE binned_at IS NULL")
        return [Hit(*row) for row in rows if all(word in text.fold(row[1]) for word in words)]


def _counted(hit: Hit) -> Hit:
    return Hit(hit.conversation_id, hit.title, hit.at, hit.message_id, hit.role, hit.text, hit.count + 1)
