"""Define the database's tables as a list of migrations: entry n brings a database from version n to n + 1."""

import json
import sqlite3
from collections.abc import Callable

from app.base import invisible_characters, search_text


def _executing(*statements: str) -> Callable[[sqlite3.Connection], None]:
    def migrate(db: sqlite3.Connection) -> None:
        for statement in statements:
            db.execute(statement)

    return migrate


def _first_version(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE conversation (
            id INTEGER PRIMARY KEY,
            title TEXT NOT NULL,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            leaf_id INTEGER REFERENCES message(id),
            binned_at REAL
        )"""
    )
    db.execute(
        """CREATE TABLE message (
            id INTEGER PRIMARY KEY,
            conversation_id INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
            parent_id INTEGER REFERENCES message(id),
            role TEXT NOT NULL CHECK (role IN ('question', 'answer')),
            text TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('streaming', 'done', 'stopped', 'failed')),
            created_at REAL NOT NULL,
            details TEXT
        )"""
    )
    db.execute("CREATE INDEX message_conversation ON message(conversation_id)")
    db.execute("CREATE INDEX message_parent ON message(parent_id)")
    db.execute("CREATE INDEX message_streaming ON message(status) WHERE status = 'streaming'")
    db.execute("CREATE INDEX conversation_updated ON conversation(updated_at DESC) WHERE binned_at IS NULL")
    db.execute(
        """CREATE TABLE local_model (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            path TEXT NOT NULL UNIQUE,
            size_bytes INTEGER NOT NULL,
            architecture TEXT NOT NULL,
            quantization TEXT NOT NULL,
            context_tokens INTEGER NOT NULL,
            added_at REAL NOT NULL,
            card_id TEXT,
            form_id TEXT,
            template_allowed INTEGER NOT NULL DEFAULT 0,
            speeds TEXT
        )"""
    )


def _add_folders_drafts_presets_search(db: sqlite3.Connection) -> None:
    """Add folders of conversations, drafts of questions, presets, and the full-text index of the messages."""
    db.execute("CREATE TABLE folder (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    db.execute("ALTER TABLE conversation ADD COLUMN uid TEXT NOT NULL DEFAULT ''")
    db.execute("UPDATE conversation SET uid = lower(hex(randomblob(16)))")
    db.execute("ALTER TABLE conversation ADD COLUMN folder_id INTEGER REFERENCES folder(id) ON DELETE SET NULL")
    db.execute("ALTER TABLE conversation ADD COLUMN pinned_at REAL")
    db.execute("ALTER TABLE conversation ADD COLUMN preset_id TEXT")
    db.execute("ALTER TABLE conversation ADD COLUMN choices TEXT")
    db.execute("CREATE INDEX conversation_binned ON conversation(binned_at) WHERE binned_at IS NOT NULL")
    db.execute("CREATE INDEX conversation_uid ON conversation(uid)")
    # conversation_id is NULL for the draft of a conversation that does not exist yet.
    db.execute(
        """CREATE TABLE draft (
            conversation_id INTEGER UNIQUE REFERENCES conversation(id) ON DELETE CASCADE,
            text TEXT NOT NULL,
            edited_id INTEGER REFERENCES message(id) ON DELETE CASCADE
        )"""
    )
    db.execute("CREATE TABLE preset (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL)")
    # The terms come from app.base.search_text; the index does not store the texts. Results are ordered by time, so the
    # sizes that bm25 needs are not stored.
    db.execute(
        """CREATE VIRTUAL TABLE message_terms USING fts5(
            terms, content='', columnsize=0, tokenize="unicode61 remove_diacritics 0 categories 'L* N* M*'")"""
    )
    if sqlite3.sqlite_version_info >= (3, 42):  # erased terms leave the index at once, not at its next merge
        db.execute("INSERT INTO message_terms(message_terms, rank) VALUES ('secure-delete', 1)")
    for message_id, text in db.execute("SELECT id, text FROM message WHERE status <> 'streaming' AND text <> ''"):
        db.execute(
            "INSERT INTO message_terms(rowid, terms) VALUES (?, ?)",
            (message_id, " ".join(search_text.index_terms(text))),
        )


def _lasting_ids_and_quick_erasing(db: sqlite3.Connection) -> None:
    """Add the table `last_id`, and indexes without which erasing a message would scan all conversations and drafts."""
    db.execute("CREATE INDEX conversation_leaf ON conversation(leaf_id)")
    db.execute("CREATE INDEX draft_edited ON draft(edited_id)")
    # Its one row holds the highest ids at the last erasure. Without it sqlite would assign erased ids again, and an
    # undo that the window keeps could restore into another conversation.
    db.execute("CREATE TABLE last_id (conversation INTEGER NOT NULL, message INTEGER NOT NULL)")
    db.execute("INSERT INTO last_id(conversation, message) VALUES (0, 0)")


def _message_branch_index_and_faster_erasing(db: sqlite3.Connection) -> None:
    """Make it faster to find the branches of a message, and to erase messages.

    Branches share a parent; first questions have none, and without the index all messages would be searched for them.
    secure-delete is off, as it takes milliseconds a message: erasing messages removes their terms by merging the index.
    """
    db.execute("DROP INDEX message_conversation")
    db.execute("CREATE INDEX message_branches ON message(conversation_id, parent_id)")
    if sqlite3.sqlite_version_info >= (3, 42):
        db.execute("INSERT INTO message_terms(message_terms, rank) VALUES ('secure-delete', 0)")
    # has_leftovers: whether the full-text index may still hold terms of erased messages.
    db.execute("ALTER TABLE last_id ADD COLUMN has_leftovers INTEGER NOT NULL DEFAULT 0")


def _imported_conversations(db: sqlite3.Connection) -> None:
    """Add `imported_at`, and mark imported answers with sources, whose details earlier versions trusted.

    Only an answer generated here has the names of its collections (`scope`), or repeats the sources of one that has.
    The check of the others is removed, and their sources are kept as unverified (`quoted`).
    """
    db.execute("ALTER TABLE conversation ADD COLUMN imported_at REAL")
    of_here: dict[int, list[tuple[str, str]]] = {}  # answer id -> path and text of its sources
    rows = db.execute(
        "SELECT a.id, a.conversation_id, a.details, q.parent_id FROM message a"
        " LEFT JOIN message q ON q.id = a.parent_id WHERE a.details LIKE '%\"grounding\": {%' ORDER BY a.id"
    ).fetchall()
    for answer_id, conversation_id, stored, before in rows:
        details = json.loads(stored)
        kept = details.get("grounding") or {}
        sources = [(one.get("path"), one.get("text")) for one in kept.get("sources") or ()]
        is_repeated = bool(details.get("is_action")) and set(sources) <= set(_earlier_sources(db, before, of_here))
        if details.get("scope") or is_repeated:
            of_here[answer_id] = sources
            continue
        details |= {"is_imported": True, "quoted": kept.get("sources") or [], "grounding": None, "is_same": None}
        db.execute("UPDATE message SET details = ? WHERE id = ?", (json.dumps(details, ensure_ascii=False), answer_id))
        db.execute("UPDATE conversation SET imported_at = updated_at WHERE id = ?", (conversation_id,))


def _earlier_sources(
    db: sqlite3.Connection, message_id: int | None, of_here: dict[int, list[tuple[str, str]]]
) -> list[tuple[str, str]]:
    """Return (path, text) of the sources (`of_here`, by answer) of the nearest answer before made here, or []."""
    while message_id is not None:
        if message_id in of_here:
            return of_here[message_id]
        message_id = db.execute("SELECT parent_id FROM message WHERE id = ?", (message_id,)).fetchone()[0]
    return []


def _remove_invisible_characters(db: sqlite3.Connection) -> None:
    """Remove invisible characters from the titles and names that earlier versions stored unchanged."""
    db.create_function("as_line", 1, invisible_characters.to_single_line, deterministic=True)
    db.execute("UPDATE conversation SET title = as_line(title) WHERE title <> as_line(title)")
    db.execute("UPDATE folder SET name = as_line(name) WHERE name <> as_line(name)")
    db.execute("UPDATE local_model SET name = as_line(name) WHERE name <> as_line(name)")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _first_version,
    _add_folders_drafts_presets_search,
    _executing("ALTER TABLE draft ADD COLUMN set_aside TEXT NOT NULL DEFAULT ''"),  # the text before an edit
    # A JSON list with the name, size_bytes, modified_ns and sha256 of each file of a model.
    _executing("ALTER TABLE local_model ADD COLUMN files TEXT"),
    _lasting_ids_and_quick_erasing,
    _message_branch_index_and_faster_erasing,
    # A JSON list with the id and name of each chosen collection. Collections are in another database.
    _executing("ALTER TABLE conversation ADD COLUMN scope TEXT"),
    _executing(  # public, internal or secret; a conversation with an answer from secret documents is secret
        "ALTER TABLE conversation ADD COLUMN label TEXT NOT NULL DEFAULT 'internal'",
        """UPDATE conversation SET label = 'secret'
           WHERE id IN (SELECT conversation_id FROM message WHERE details LIKE '%"label": "secret"%')""",
    ),
    _executing(  # of answers
        "ALTER TABLE message ADD COLUMN rating INTEGER NOT NULL DEFAULT 0 CHECK (rating BETWEEN -1 AND 1)",
        "ALTER TABLE message ADD COLUMN correction TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX message_rated ON message(rating) WHERE rating <> 0",
    ),
    # Trained models, in JSON. `tuned`: the training's facts; `entry`: a base model with an adapter.
    _executing("CREATE TABLE tuned_model (id TEXT PRIMARY KEY, tuned TEXT NOT NULL, entry TEXT)"),
    _executing(  # models on other machines (`entry`: JSON), and consents to send to an `origin` (scheme, host and port)
        "CREATE TABLE remote_model (id TEXT PRIMARY KEY, entry TEXT NOT NULL)",
        """CREATE TABLE remote_consent (
               conversation_id INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
               origin TEXT NOT NULL,
               PRIMARY KEY (conversation_id, origin))""",
    ),
    _imported_conversations,
    # A count of changes, which shows the newer of two copies without the clock (`app.base.database`).
    _executing("ALTER TABLE last_id ADD COLUMN changes INTEGER NOT NULL DEFAULT 0"),
    _remove_invisible_characters,
    # The path of the part with which a model reads pictures.
    _executing("ALTER TABLE local_model ADD COLUMN projector TEXT NOT NULL DEFAULT ''"),
)
