"""Search the full text of all messages with a contentless FTS5 table of the terms that `app.base.search_text` makes.

The terms are mostly pairs of characters, because the tokenizers of sqlite cannot find two-character words in Japanese
text.
"""

import functools
import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs

from app.base import invisible_characters, search_text
from app.base.database import Database, Row
from app.chat import records

MESSAGES_MAX = 1000  # the newest matching messages that are considered; with more matches a user refines the query
CONVERSATIONS_MAX = 200
MERGED_PAGES = 100  # pages of 4 kB that one merge step writes, in about 30 ms


class SearchHit(Struct, frozen=True):
    """A conversation with all words of the query in one message, or in its title (`message_id` is None)."""

    conversation_id: int
    title: str
    time: float  # when the message was written or the conversation last used, in seconds since 1970 (UTC)
    message_id: int | None = None
    role: str = ""  # question | answer
    text: str = ""  # text of the newest matching message; "" for a hit by title
    count: int = 1  # number of matching messages in this conversation
    is_imported: bool = False


class SearchResult(Struct, frozen=True):
    """The hits of a search. `is_complete` is False when there may be more hits, older than these."""

    hits: tuple[SearchHit, ...] = ()
    is_complete: bool = True


class MessageIndex:
    """Maintains and searches the index of message texts in the table `message_terms`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def replace(self, message_id: int, old: str, new: str) -> None:
        """Replace the indexed text of a message; the caller has begun a transaction.

        `old` must be exactly the indexed text, because a contentless table needs the same terms again to delete them.
        """
        delete = "INSERT INTO message_terms(message_terms, rowid, terms) VALUES ('delete', ?, ?)"
        add = "INSERT INTO message_terms(rowid, terms) VALUES (?, ?)"
        for sql, text in ((delete, old), (add, new)):
            if text and old != new:
                self._db.write(sql, message_id, " ".join(search_text.index_terms(text)))

    def purge_some_deleted_terms(self) -> bool:
        """Purge some deleted messages in the caller's transaction; return whether more may remain."""
        before = self._db.changes()
        self._db.write("INSERT INTO message_terms(message_terms, rank) VALUES ('merge', ?)", -MERGED_PAGES)
        return self._db.changes() - before > 1  # as the sqlite documentation defines whether a merge did any work

    def search(self, query: str) -> SearchResult:
        """Return conversations outside the bin that match, the newest hits first, at most `CONVERSATIONS_MAX`."""
        query = invisible_characters.remove(query)
        expression, words = search_text.match_expression(query), search_text.split_query(query)
        if not expression:
            return SearchResult()
        # The query reads only the texts of the hits it returns. CROSS JOIN makes sqlite read the newest messages first,
        # without sorting.
        rows = self._db.read(
            """WITH found(id) AS (
                   SELECT t.rowid FROM message_terms t
                       CROSS JOIN message m ON m.id = t.rowid CROSS JOIN conversation c ON c.id = m.conversation_id
                   WHERE t.message_terms MATCH ? AND c.binned_at IS NULL ORDER BY t.rowid DESC LIMIT ?),
               newest AS (
                   SELECT max(m.id) AS id, count(*) AS count, sum(count(*)) OVER () AS total
                   FROM found f JOIN message m ON m.id = f.id GROUP BY m.conversation_id)
               SELECT c.id, c.title, m.created_at, m.id, m.role, m.text, n.count, c.imported_at IS NOT NULL, n.total
               FROM newest n JOIN message m ON m.id = n.id JOIN conversation c ON c.id = m.conversation_id
               ORDER BY m.created_at DESC LIMIT ?""",
            expression,
            MESSAGES_MAX,
            CONVERSATIONS_MAX + 1,
        )
        hits = [_hit(row, 7) for row in rows]
        hits += self._titled(words, {hit.conversation_id for hit in hits})
        hits.sort(key=lambda hit: hit.time, reverse=True)
        is_complete = len(hits) <= CONVERSATIONS_MAX and all(row["total"] < MESSAGES_MAX for row in rows)
        return SearchResult(tuple(hits[:CONVERSATIONS_MAX]), is_complete)

    def _titled(self, words: Sequence[str], known: set[int]) -> list[SearchHit]:
        """Return the conversations whose title has all words, except those with ids in `known`.

        The query joins all titles into one string, because thousands of rows would take longer than the rest of the
        search.
        """
        ids, titles = self._db.read(
            "SELECT group_concat(id, ' '), group_concat(replace(title, char(10), ' '), char(10))"
            " FROM conversation WHERE binned_at IS NULL"
        )[0]
        if ids is None:
            return []
        found = list(zip(map(int, ids.split()), map(_folded_title, titles.split("\n")), strict=True))
        for word in words:
            holds = search_text.compile_pattern((word,)).search
            found = [(number, title) for number, title in found if holds(title)]
        wanted = [number for number, _ in found if number not in known]
        rows = self._db.read(
            "SELECT id, title, updated_at, imported_at IS NOT NULL FROM conversation"
            " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY updated_at DESC LIMIT ?",
            json.dumps(wanted),
            CONVERSATIONS_MAX + 1,
        )
        return [_hit(row, 3) for row in rows]


def _hit(row: Row, fields: int) -> SearchHit:
    """Build a hit from a row: the first `fields` fields of `SearchHit` in order, then `is_imported`."""
    values: list[Any] = list(row)[:fields]
    found = SearchHit(values[0], records.stored_text(values[1]), records.stored_moment(values[2]), *values[3:])
    return structs.replace(found, text=records.stored_text(found.text), is_imported=bool(row[fields]))


_folded_title = functools.lru_cache(maxsize=20_000)(search_text.fold)
