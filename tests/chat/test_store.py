"""The database: nothing that was acknowledged is lost, nothing is overwritten."""

import contextlib
import os
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from app.base import database, paths
from app.base.errors import AppError
from app.base.files.day_record import PROOF_DAYS
from app.base.migrations import MIGRATIONS
from app.base.paths import Paths
from app.chat import store as store_module
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails, UnsentDraft
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef
from app.inference.local_model import LocalModel
from tests.chat.driver import add_answer, fill_disk, store_thread
from tests.passed_days import pass_days


def opened(where: Paths) -> AbstractContextManager[Store]:
    return contextlib.closing(Store.open(where.database, where.backups))


def titles(where: Paths) -> list[str]:
    with opened(where) as store:
        return [conversation.title for conversation in store.conversations()]


def fill(where: Paths, *questions: str) -> None:
    with opened(where) as store:
        for question in questions:
            store.add_question(question)


def fill_and_damage(where: Paths, before_damage: float) -> Path:
    """Fill the database, back it up at that time, and overwrite bytes here and there; the backup."""
    fill(where, *(f"質問 {number} " + "あ" * 400 for number in range(200)))
    kept = database.make_daily_backup(where.database, where.backups, before_damage)
    damaged = bytearray(where.database.read_bytes())
    damaged[4096 : len(damaged) - 4096 : 97] = b"\xff" * len(damaged[4096 : len(damaged) - 4096 : 97])
    where.database.write_bytes(damaged)
    return kept


def test_a_conversation_comes_back_after_closing_in_its_order(where):
    details = AnswerDetails(model_name="M", seed=7, tokens_per_s=3.5)
    with opened(where) as store:
        written = store_thread(store, "橋脚の点検は？", "年に一度です。", "では配筋は？", details=details)
    with opened(where) as store:
        thread = store.thread(store.conversations()[0].id)
    assert thread == written
    assert [message.role for message in thread] == ["question", "answer", "question"]
    assert thread[1].details == details


def test_a_second_answer_is_a_branch_and_the_first_stays(store):
    question, first = store_thread(store, "問い", "一")
    add_answer(store, question.id, "二")
    assert [m.text for m in store.thread(question.conversation_id)] == ["問い", "二"]
    assert store.message(first.id).text == "一"


@pytest.mark.fault("F3")
def test_what_a_crash_left_streaming_is_kept_and_marked(where):
    with opened(where) as store:
        answer = store.add_answer(store.add_question("問い").id, AnswerDetails(model_name="M"))
        store.update_answer(answer.id, "途中まで")
    with opened(where) as store:
        assert store.message(answer.id).status == "streaming"  # a command line beside the window must not end it
        store.end_interrupted_answers()
        kept = store.message(answer.id)
    assert (kept.text, kept.status) == ("途中まで", "stopped")
    assert (kept.details.model_name, kept.details.stop_reason) == ("M", "interrupted")


def test_an_answer_that_ended_is_not_changed_by_a_late_save(store):
    _, answer = store_thread(store, "問い", "全部")
    store.update_answer(answer.id, "古い途中")
    assert store.message(answer.id).text == "全部"


def test_a_scope_of_many_ticked_documents_comes_back_whole(store):
    scope = (CollectionRef(1, "規程集", tuple(f"/規程/{number}.md" for number in range(20_000))),)
    question = store.add_question("宿泊料は？")
    store.set_scope(question.conversation_id, scope)
    assert store.conversation(question.conversation_id).scope == scope


def test_a_title_is_one_short_line(store):
    store.add_question("一行目\n二行目　" + "長い" * 50)
    title = store.conversations()[0].title
    assert "\n" not in title
    assert len(title) == store_module.TITLE_CHARACTERS
    assert title.endswith("…")


@pytest.mark.fault("F9")
def test_a_newer_database_is_refused_and_left_alone(where):
    Store.open(where.database, where.backups).close()
    with sqlite3.connect(where.database) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(AppError, match="newer_data"):
        Store.open(where.database, where.backups)


@pytest.mark.fault("F9")
def test_a_failed_migration_changes_nothing(where, monkeypatch):
    fill(where, "残る")

    def half_done(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (id INTEGER)")
        raise sqlite3.OperationalError("power cut")

    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, half_done))
    with pytest.raises(AppError):
        Store.open(where.database, where.backups)
    monkeypatch.undo()
    assert titles(where) == ["残る"]
    assert len(list(where.backups.glob("kotae-before-*.sqlite"))) == 1
    with sqlite3.connect(where.database) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    db.close()


@pytest.mark.fault("F9")
def test_a_damaged_database_is_named_and_the_newest_backup_brings_it_back(where):
    fill_and_damage(where, 1_800_000_000)
    with pytest.raises(AppError, match="database_damaged"):
        Store.open(where.database, where.backups)
    assert database.restore_newest_backup(where.database, where.backups) is not None
    assert len(titles(where)) == 200
    assert len(list(where.data.glob("kotae.damaged-*"))) >= 1


def damage_a_text(path: Path, text: str) -> None:
    """Overwrite the whole page of a long text, which no list reads, so that only a check or its reader notices."""
    damaged = bytearray(path.read_bytes())
    page = damaged.index(text.encode()) // 4096 * 4096
    damaged[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(damaged)


def deep_damage(where: Paths) -> None:
    fill(where, "短い", "あ" * 5000)
    database.make_daily_backup(where.database, where.backups, NOW)
    damage_a_text(where.database, "あ" * 1000)


@pytest.mark.fault("F9")
def test_damage_that_opening_does_not_read_is_found_by_the_check_and_makes_the_next_opening_refuse(where):
    deep_damage(where)
    assert len(titles(where)) == 2
    with pytest.raises(AppError, match="database_damaged"):
        database.check_database(where.database)
    with pytest.raises(AppError, match="database_damaged"):
        Store.open(where.database, where.backups)
    assert database.restore_newest_backup(where.database, where.backups) is not None
    assert len(titles(where)) == 2
    database.check_database(where.database)


@pytest.mark.fault("F9")
def test_damage_that_a_reader_meets_is_told_and_makes_the_next_opening_refuse(where):
    deep_damage(where)
    with opened(where) as store, pytest.raises(AppError, match="database_damaged"):
        store.thread(store.conversations()[0].id)
    with pytest.raises(AppError, match="database_damaged"):
        Store.open(where.database, where.backups)


def test_a_database_is_due_for_a_check_once_a_day_and_the_daily_backup_is_one(where):
    assert not database.is_check_due(where.database, time.time())  # there is none
    fill(where, "質問")
    assert database.is_check_due(where.database, time.time())
    database.check_database(where.database)
    assert not database.is_check_due(where.database, time.time())
    assert database.is_check_due(where.database, time.time() + DAY_S + 1)
    assert database.is_check_due(where.database, time.time() - DAY_S)  # the clock was ahead at the last check
    where.database.with_suffix(database.CHECKED_SUFFIX).unlink()
    database.make_daily_backup(where.database, where.backups, NOW)
    assert not database.is_check_due(where.database, time.time())


@pytest.mark.fault("F9")
def test_a_note_of_damage_goes_when_the_file_is_sound(where):
    fill(where, "質問")
    note = where.database.with_suffix(database.CHECKED_SUFFIX)
    note.write_bytes(b"damaged\n")
    assert titles(where) == ["質問"]
    assert note.read_bytes() == b"sound\n"


@pytest.mark.fault("F9")
def test_no_backup_at_all_gives_an_empty_database_and_keeps_the_damaged_one(where):
    where.database.write_bytes(b"not a database " * 1000)
    with pytest.raises(AppError, match="database_damaged"):
        Store.open(where.database, where.backups)
    assert database.restore_newest_backup(where.database, where.backups) is None
    Store.open(where.database, where.backups).close()
    assert len(list(where.data.glob("kotae.damaged-*"))) == 1


DAY_S = 24 * 60 * 60
NOW = 1_800_000_000.0


def _aged(path: Path, seconds: float) -> Path:
    os.utime(path, (NOW - seconds, NOW - seconds))
    return path


def test_one_backup_a_day_and_those_of_seven_days_are_kept(where):
    Store.open(where.database, where.backups).close()
    made = []
    for day in range(9, -1, -1):
        pass_days(where.data, 1)
        made.append(database.make_daily_backup(where.database, where.backups, NOW - day * DAY_S))
        assert made[-1] is not None
        _aged(made[-1], day * DAY_S)
        database.make_daily_backup(where.database, where.backups, NOW - day * DAY_S)
    assert database.make_daily_backup(where.database, where.backups, NOW) is None
    assert set(where.backups.iterdir()) == set(made[-8:])  # the oldest of them has its seven days today


def test_old_backups_of_every_kind_go_but_nothing_that_is_damaged_and_never_the_newest_three(where):
    Store.open(where.database, where.backups).close()
    names = ("kotae-20200101.sqlite", "kotae-before-v4-1600000000.sqlite", "kotae-20200102.tmp", "kotae-x.tmp-journal")
    for name in names:
        (where.backups / name).write_bytes(b"x")
        _aged(where.backups / name, 7 * DAY_S + 1)
    young = where.backups / "kotae-before-v5-1799900000.sqlite"
    young.write_bytes(b"x")
    _aged(young, 7 * DAY_S - 1)
    damaged = where.data / "kotae.damaged-1600000000"
    damaged.write_bytes(b"x")
    _aged(damaged, 1000 * DAY_S)
    sound = [where.backups / f"kotae-2019010{number}.sqlite" for number in range(4)]
    for number, path in enumerate(sound):
        fill(where, f"質問 {number}")
        database.copy_database(where.database, path)
        _aged(path, (8 + 4 - number if number else 20) * DAY_S)
    made = database.make_daily_backup(where.database, where.backups, NOW)
    everything = {young, made, *sound, *(where.backups / name for name in names)}
    assert set(where.backups.iterdir()) == everything  # the clock alone says that they are old
    pass_days(where.data, PROOF_DAYS)
    again = database.make_daily_backup(
        where.database, where.backups, NOW
    )  # the clock stands still: another of that day
    assert again is not None
    assert set(where.backups.iterdir()) == {*everything, again}  # they are not yet seen for a week
    database.make_daily_backup(where.database, where.backups, NOW + 8 * DAY_S)
    left = set(where.backups.iterdir())
    assert again in left
    assert len(left) >= database.BACKUPS_KEPT
    assert not left & {*sound[:3], *(where.backups / name for name in names)}
    assert damaged.exists()


@pytest.mark.fault("F9")
def test_a_damaged_database_takes_the_place_of_no_backup(where):
    kept = _aged(fill_and_damage(where, NOW - 30 * DAY_S), 30 * DAY_S)
    with pytest.raises(AppError, match="database_damaged"):
        database.make_daily_backup(where.database, where.backups, NOW)
    assert list(where.backups.iterdir()) == [kept]


def test_a_backup_makes_its_folder_again_and_says_where_it_cannot(where):
    Store.open(where.database, where.backups).close()
    where.backups.rmdir()
    assert database.make_daily_backup(where.database, where.backups, NOW) is not None
    for path in where.backups.iterdir():
        path.unlink()
    where.backups.rmdir()
    where.backups.write_text("a file in its place")
    with pytest.raises(AppError, match="backup_failed") as raised:
        database.make_daily_backup(where.database, where.backups, NOW)
    assert raised.value.facts["path"] == str(where.backups)
    with pytest.raises(AppError, match="backup_failed"):
        database.copy_database(where.database, where.data / "no" / "folder" / "a.sqlite")
    (where.data / "taken.sqlite").mkdir()
    with pytest.raises(AppError, match="backup_failed"):
        database.copy_database(where.database, where.data / "taken.sqlite")
    assert not list(where.data.rglob("*.tmp"))


@pytest.mark.fault("F3")
def test_what_a_killed_copy_left_does_not_disturb_the_next(where):
    fill(where, "残る")
    target = where.backups / "kotae-20270115.sqlite"
    target.with_suffix(".tmp").write_bytes(where.database.read_bytes()[:5000])
    target.with_suffix(".tmp-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600))
    database.copy_database(where.database, target)
    assert list(where.backups.iterdir()) == [target]


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
@pytest.mark.fault("F9")
def test_a_database_of_any_version_is_brought_up_with_all_that_is_in_it(where, version):
    db = sqlite3.connect(where.database)
    MIGRATIONS[0](db)
    db.execute("INSERT INTO conversation(id, title, created_at, updated_at) VALUES (7, '古い', 1, 2)")
    rows = [(3, None, "question", "橋脚とは"), (8, 3, "answer", "柱です"), (9, 3, "answer", "別の答え")]
    for message_id, parent_id, role, text in rows:
        db.execute(
            "INSERT INTO message(id, conversation_id, parent_id, role, text, status, created_at)"
            " VALUES (?, 7, ?, ?, ?, 'done', 1)",
            (message_id, parent_id, role, text),
        )
    db.execute("UPDATE conversation SET leaf_id = 8")
    for migrate in MIGRATIONS[1:version]:
        migrate(db)
    if version >= 2:
        db.execute("INSERT INTO draft(conversation_id, text, edited_id) VALUES (7, '書きかけ', 3)")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    store = Store.open(where.database, where.backups)
    assert [(m.id, m.parent_id, m.role, m.text) for m in store.tree(7)] == rows
    assert [m.id for m in store.thread(7)] == [3, 8]
    assert {(m.rating, m.correction) for m in store.tree(7)} == {(0, "")}
    shelf = ConversationOrganizer(store.database)
    assert shelf.draft(7) == (UnsentDraft("書きかけ", 3) if version >= 2 else UnsentDraft())
    assert store.database.read("PRAGMA foreign_key_check") == []
    shelf.bin([7])
    shelf.erase([7])
    new = store.add_question("新しい")
    assert (new.conversation_id, new.id) == (8, 10)
    store.close()
    assert len(list(where.backups.glob("kotae-before-*.sqlite"))) == 1


@pytest.mark.fault("F9")
def test_a_migration_without_a_backup_does_not_begin(where, monkeypatch):
    Store.open(where.database, where.backups).close()
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, lambda db: db.execute("DELETE FROM conversation")))
    where.backups.rmdir()
    where.backups.write_text("a file in its place")
    with pytest.raises(AppError, match="backup_failed"):
        Store.open(where.database, where.backups)
    with sqlite3.connect(where.database) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    db.close()


def test_a_model_is_replaced_by_its_path_and_keeps_its_speeds(store, tmp_path):
    model = LocalModel(
        "a", "A", str(tmp_path / "a.gguf"), 1, "llama", "Q4_K_M", 4096, 1.0, speeds={"plain": {"prompt": 1}}
    )
    store.put_local_model(model)
    store.put_local_model(model)
    assert store.local_models() == [model]
    store.remove_local_model("a")
    assert store.local_models() == []


@pytest.mark.parametrize("name", ["a%41b", "a#b", "a?b", "日本語　😀"])
def test_backups_are_found_whatever_the_folder_is_called(tmp_path, name):
    where = paths.locate(str(tmp_path / name))
    fill(where, "残る")
    assert database.make_daily_backup(where.database, where.backups, 1_800_000_000) is not None
    where.database.write_bytes(b"not a database " * 1000)
    assert database.restore_newest_backup(where.database, where.backups) is not None
    assert titles(where) == ["残る"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.fault("F2")
def test_a_full_disk_is_named_and_what_was_stored_stays(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        where = paths.locate(str(disk))
        store = Store.open(where.database, where.backups)
        kept = [store.add_question(f"質問 {number}").id for number in range(5)]
        with pytest.raises(AppError, match="disk_full"):
            fill(where, *["長い" * 20_000] * 200)
        assert [store.message(message_id).text for message_id in kept] == [f"質問 {number}" for number in range(5)]
        store.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.fault("F9")
def test_a_restore_that_fails_leaves_the_damaged_file_in_its_place(where, monkeypatch):
    fill(where, "残る")
    assert database.make_daily_backup(where.database, where.backups, NOW) is not None
    where.database.write_bytes(b"damaged" * 1000)
    for place, name in ((database, "copy_database"), (database.shutil, "copyfile")):
        with monkeypatch.context() as patch:
            fill_disk(patch, place, name)
            with pytest.raises(AppError):
                database.restore_newest_backup(where.database, where.backups)
        assert where.database.read_bytes().startswith(b"damaged")
    assert database.restore_newest_backup(where.database, where.backups) is not None
    assert titles(where) == ["残る"]
    assert len(list(where.data.glob("kotae.damaged-*"))) >= 1


@pytest.mark.fault("F9")
def test_two_starts_at_once_migrate_once(where):
    def start() -> None:
        Store.open(where.database, where.backups).close()

    with ThreadPoolExecutor(4) as pool:
        for started in [pool.submit(start) for _ in range(4)]:
            started.result()
    with sqlite3.connect(where.database) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    db.close()


def test_emptying_the_log_waits_for_no_reader(where):
    store = Store.open(where.database, where.backups)
    store.add_question("一")
    reader = sqlite3.connect(where.database)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM message").fetchone()
    store.add_question("二")
    waits: list[int] = []
    store.database._db.set_trace_callback(lambda sql: waits.append(len(sql)) if "busy_timeout = 0" in sql else None)
    store.database.empty_log()
    assert waits
    assert store.database.read("PRAGMA busy_timeout")[0][0] == database.BUSY_MS
    reader.close()
    store.database.empty_log()
    assert where.database.with_name("kotae.sqlite-wal").stat().st_size == 0
    store.close()


def test_what_an_edit_had_set_aside_is_the_draft_when_the_edit_is_asked(store):
    question = store.add_question("一")
    shelf = ConversationOrganizer(store.database)
    shelf.keep_draft(question.conversation_id, UnsentDraft("壱", question.id, "書きかけ"))
    store.add_question("壱", question.conversation_id)
    assert shelf.draft(question.conversation_id) == UnsentDraft("書きかけ")


def test_the_list_is_read_again_without_converting_the_rows_that_did_not_change(store):
    ids = [store.add_question(f"質問 {number}").conversation_id for number in range(20)]
    before = {one.id: one for one in store.conversations()}
    ConversationOrganizer(store.database).rename(ids[3], "別の題名")
    after = {one.id: one for one in store.conversations()}
    assert [number for number in ids if after[number] is not before[number]] == [ids[3]]
    assert after[ids[3]].title == "別の題名"


def test_what_a_conversation_asks_counts_in_the_bin_but_not_while_it_is_being_erased(store):
    kept, gone = (store.add_question(text).conversation_id for text in ("残る", "消える"))
    store.set_scope(kept, [CollectionRef(0, "A"), CollectionRef(0, "B")])
    store.set_scope(gone, [CollectionRef(0, "B"), CollectionRef(0, "C")])
    organizer = ConversationOrganizer(store.database)
    organizer.bin([kept, gone])
    assert store.asked_names() == {"A", "B", "C"}
    organizer.mark_for_erasure([gone])
    assert store.asked_names() == {"A", "B"}
