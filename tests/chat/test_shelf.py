"""Folders, pins, drafts, and a bin whose content is gone for good when it goes."""

import sqlite3
from collections.abc import Iterator

import pytest

from app.base.files.day_record import PROOF_DAYS, DayRecord
from app.base.paths import Paths
from app.chat.message_index import MessageIndex
from app.chat.organizer import BIN_DAYS, ConversationOrganizer
from app.chat.records import UnsentDraft
from app.chat.store import Store
from tests.chat.driver import add_answer, store_thread
from tests.passed_days import pass_days

DAY_S = 24 * 60 * 60
SECRET = "橋脚の補修費は七千二百万円である。"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(where: Paths, clock: Clock) -> Iterator[Store]:
    store = Store.open(where.database, where.backups, clock)
    yield store
    store.close()


@pytest.fixture
def shelf(store: Store) -> ConversationOrganizer:
    return ConversationOrganizer(store.database)


def conversation(store: Store, question: str, answer: str = "答え") -> int:
    return store_thread(store, question, answer)[0].conversation_id


def folder_of(store: Store, conversation_id: int) -> int | None:
    return store.conversation(conversation_id).folder_id


def test_folders_stand_by_name_and_hold_conversations(store, shelf):
    inside, outside = conversation(store, "中"), conversation(store, "外")
    second, first = shelf.add_folder("河川"), shelf.add_folder("橋梁")
    assert [folder.name for folder in shelf.folders()] == sorted(["河川", "橋梁"])
    shelf.move([inside], first)
    assert (folder_of(store, inside), folder_of(store, outside)) == (first, None)
    shelf.rename_folder(second, "砂防")
    assert "砂防" in [folder.name for folder in shelf.folders()]
    shelf.move([inside], None)
    assert folder_of(store, inside) is None


def test_a_removed_folder_leaves_its_conversations_and_comes_back_with_them(store, shelf):
    kept = conversation(store, "残る")
    folder_id = shelf.add_folder("橋梁")
    shelf.move([kept], folder_id)
    folder = shelf.folders()[0]
    shelf.remove_folder(folder_id)
    assert shelf.folders() == []
    assert folder_of(store, kept) is None
    assert [c.id for c in store.conversations()] == [kept]
    shelf.restore_folder(folder, [kept])
    assert shelf.folders() == [folder]
    assert folder_of(store, kept) == folder_id


def test_a_folder_comes_back_beside_one_that_was_made_in_between(store, shelf):
    kept = conversation(store, "残る")
    shelf.move([kept], shelf.add_folder("前"))
    folder = shelf.folders()[0]
    shelf.remove_folder(folder.id)
    assert shelf.add_folder("後") == folder.id  # sqlite gives the number again
    shelf.restore_folder(folder, [kept])
    names = {made.id: made.name for made in shelf.folders()}
    assert sorted(names.values()) == sorted(["前", "後"])
    assert names[folder_of(store, kept)] == "前"


def test_what_goes_into_a_folder_that_is_gone_stands_outside(store, shelf):
    folder_id = shelf.add_folder("消える")
    shelf.remove_folder(folder_id)
    kept = store.add_question("新しい質問", folder_id=folder_id).conversation_id
    shelf.move([kept], folder_id)
    assert folder_of(store, kept) is None


def test_pins_are_put_and_taken_off_several_at_once(store, shelf, clock):
    ids = [conversation(store, f"質問{n}") for n in range(3)]
    shelf.pin(ids[:2])
    assert {c.id: c.pinned_at for c in store.conversations()} == {ids[0]: clock.now, ids[1]: clock.now, ids[2]: None}
    shelf.pin(ids[:1], is_pinned=False)
    assert {c.id for c in store.conversations() if c.pinned_at} == {ids[1]}


def test_a_draft_belongs_to_its_conversation_and_goes_when_it_is_empty(store, shelf):
    here = conversation(store, "質問")
    shelf.keep_draft(here, UnsentDraft("書きかけ"))
    shelf.keep_draft(None, UnsentDraft("新しい質問の書きかけ"))
    assert (shelf.draft(here).text, shelf.draft(None).text) == ("書きかけ", "新しい質問の書きかけ")
    assert shelf.with_drafts() == {here}
    shelf.keep_draft(here, UnsentDraft())
    assert shelf.with_drafts() == frozenset()
    assert shelf.draft(None).text == "新しい質問の書きかけ"


def test_the_bin_shows_the_last_first_and_gives_back_pin_and_folder(store, shelf, clock):
    ids = [conversation(store, f"質問{n}") for n in range(3)]
    shelf.move(ids[:1], shelf.add_folder("橋梁"))
    shelf.pin(ids[:1])
    before = store.conversations()
    for conversation_id in ids:
        shelf.bin([conversation_id])
        clock.now += 1
    assert store.conversations() == []
    assert [c.id for c in shelf.binned()] == ids[::-1]
    assert shelf.binned_count() == len(ids)
    shelf.restore(ids)
    assert store.conversations() == before
    assert shelf.binned() == []


def test_after_thirty_days_the_bin_is_emptied_of_what_is_older(where, store, shelf, clock):
    old, kept = conversation(store, "古い"), conversation(store, "残す")
    shelf.bin([old])
    record = DayRecord(where.data)
    assert shelf.mark_expired_for_erasure(record) == 0
    clock.now += BIN_DAYS * DAY_S
    assert shelf.mark_expired_for_erasure(pass_days(where.data, PROOF_DAYS)) == 0
    young = conversation(store, "新しい")
    shelf.bin([young])
    clock.now += DAY_S
    assert shelf.mark_expired_for_erasure(record) == 1
    shelf.erase([])
    assert store.conversation(old) is None
    assert [c.id for c in shelf.binned()] == [young]
    assert [c.id for c in store.conversations()] == [kept]


def test_what_is_not_in_the_bin_cannot_be_erased(store, shelf):
    kept = conversation(store, "残す")
    shelf.erase([kept])
    assert [c.id for c in store.conversations()] == [kept]


def branched(store: Store) -> int:
    """A conversation with two branches, a stopped answer, an edited question and a draft for it."""
    asked = store.add_question("補修費は？")
    for text, status in ((SECRET, "done"), (SECRET + "二", "stopped")):
        add_answer(store, asked.id, text, status=status)
    store.add_question("橋脚の補修費を聞き直す", asked.conversation_id)
    ConversationOrganizer(store.database).keep_draft(asked.conversation_id, UnsentDraft("橋脚の書きかけ", asked.id))
    return asked.conversation_id


def test_erasing_leaves_nothing_in_the_tables_and_a_sound_index(store, shelf):
    kept = conversation(store, "橋脚は残る")
    erased = branched(store)
    shelf.bin([erased])
    shelf.erase([erased])
    db = store.database
    assert [hit.conversation_id for hit in MessageIndex(db).search("橋脚").hits] == [kept]
    assert MessageIndex(db).search("七千").hits == ()
    assert [row[0] for row in db.read("SELECT DISTINCT conversation_id FROM message")] == [kept]
    assert db.read("SELECT * FROM draft") == []
    with db.transaction():
        db.write("INSERT INTO message_terms(message_terms) VALUES ('integrity-check')")
    messages = [row[0] for row in db.read("SELECT id FROM message")]
    indexed = [row[0] for row in db.read("SELECT rowid FROM message_terms WHERE message_terms MATCH '橋脚 OR 答え'")]
    assert set(indexed) <= set(messages)


@pytest.mark.parametrize("is_old", [False, True])
def test_an_erased_sentence_is_in_no_file_while_the_program_runs(where, store, shelf, clock, is_old):
    other = Store.open_second(where.database)
    conversation(store, "残る質問", "残る答え")
    erased = branched(store)
    assert other.conversation(erased) is not None
    shelf.bin([erased])
    assert SECRET.encode() in _bytes_of(where)
    if is_old:
        assert shelf.mark_expired_for_erasure(DayRecord(where.data)) == 0
        clock.now += BIN_DAYS * DAY_S + 1
        assert shelf.mark_expired_for_erasure(pass_days(where.data, PROOF_DAYS)) == 1
    else:
        shelf.mark_for_erasure([erased])
    while shelf.erase_some():
        pass
    left = _bytes_of(where)
    for written in (SECRET, "橋脚の書きかけ", "補修費は？", "七千"):
        assert written.encode() not in left or (written == "七千" and sqlite3.sqlite_version_info < (3, 42))
    assert "残る答え".encode() in left
    other.close()


def _bytes_of(where: Paths) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(where.data.glob("kotae.sqlite*")))


def test_much_is_erased_in_turns_and_unseen_from_the_first(store, shelf, monkeypatch):
    monkeypatch.setattr("app.chat.organizer.TURN_MESSAGES", 3)
    kept = conversation(store, "残る")
    long, short = branched(store), conversation(store, "橋脚")
    shelf.bin([long, short])
    shelf.mark_for_erasure([long, short, kept])
    assert shelf.erase_some()
    assert 0 < len(store.tree(long)) + len(store.tree(short)) < 6
    shelf.restore([long, short])  # the undo of before means nothing now
    shelf.bin([long, short])
    assert (shelf.binned(), store.conversation(long), store.conversation(short)) == ([], None, None)
    assert [c.id for c in store.conversations()] == [kept]
    while shelf.erase_some():
        pass
    assert {row[0] for row in store.database.read("SELECT conversation_id FROM message")} == {kept}
    assert [c.id for c in store.conversations()] == [kept]
    assert MessageIndex(store.database).search("橋脚").hits == ()


def test_what_was_given_up_before_a_crash_goes_at_the_next_start(where, store, shelf):
    erased = branched(store)
    shelf.bin([erased])
    shelf.mark_for_erasure([erased])
    again = ConversationOrganizer(store.database)
    again.mark_expired_for_erasure(DayRecord(where.data))
    again.erase([])
    assert store.database.read("SELECT id FROM message UNION ALL SELECT id FROM conversation") == []


def test_an_id_is_never_given_again(store, shelf):
    erased = conversation(store, "消す")
    last = store.leaf_id(erased)
    shelf.bin([erased])
    shelf.erase([erased])
    added = store.add_question("新しい")
    assert added.conversation_id > erased
    assert last is not None
    assert added.id > last
    tree = store.add_tree(store.conversations()[0], [added])
    assert tree > added.conversation_id


def test_every_reference_between_tables_has_an_index(store):
    """Without one each erased row is looked for in a whole table."""
    db = store.database
    tables = [
        row[0] for row in db.read("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%terms%'")
    ]
    references = {(table, row["from"]) for table in tables for row in db.read(f"PRAGMA foreign_key_list({table})")}
    indexed = {
        (table, db.read(f"PRAGMA index_info({index['name']})")[0]["name"])
        for table in tables
        for index in db.read(f"PRAGMA index_list({table})")
    }
    assert references - indexed == {("conversation", "folder_id")}  # a folder goes by hand, one at a time
