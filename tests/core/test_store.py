"""The database: nothing that was acknowledged is lost, nothing is overwritten."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from app.core import backups, database, paths
from app.core import store as store_module
from app.core.errors import AppError
from app.core.paths import Paths
from app.core.records import AnswerDetails, LocalModel
from app.core.shelf import Shelf
from app.core.store import Store
from app.core.store_schema import MIGRATIONS


def test_a_conversation_comes_back_after_closing_in_its_order(where: Paths) -> None:
    first = Store.open(where.database, where.backups)
    question = first.add_question("橋脚の点検は？")
    answer = first.add_answer(question.id, AnswerDetails(model_name="M"))
    first.finish_answer(answer.id, "年に一度です。", "done", AnswerDetails(model_name="M", seed=7, tokens_per_s=3.5))
    first.add_question("では配筋は？", question.conversation_id, answer.id)
    first.close()
    again = Store.open(where.database, where.backups)
    thread = again.thread(again.conversations()[0].id)
    assert [(m.role, m.text) for m in thread] == [
        ("question", "橋脚の点検は？"),
        ("answer", "年に一度です。"),
        ("question", "では配筋は？"),
    ]
    assert thread[1].details == AnswerDetails(model_name="M", seed=7, tokens_per_s=3.5)
    again.close()


def test_a_second_answer_is_a_branch_and_the_first_stays(store: Store) -> None:
    question = store.add_question("問い")
    first = store.add_answer(question.id, AnswerDetails())
    store.finish_answer(first.id, "一", "done", AnswerDetails())
    second = store.add_answer(question.id, AnswerDetails())
    store.finish_answer(second.id, "二", "done", AnswerDetails())
    assert [m.text for m in store.thread(question.conversation_id)] == ["問い", "二"]
    assert store.message(first.id).text == "一"


def test_what_a_crash_left_streaming_is_kept_and_marked(where: Paths) -> None:
    store = Store.open(where.database, where.backups)
    question = store.add_question("問い")
    answer = store.add_answer(question.id, AnswerDetails(model_name="M"))
    store.update_answer(answer.id, "途中まで")
    store.close()
    again = Store.open(where.database, where.backups)
    assert again.message(answer.id).status == "streaming"  # a command line beside the window must not end it
    again.end_interrupted_answers()
    kept = again.message(answer.id)
    assert (kept.text, kept.status) == ("途中まで", "stopped")
    assert kept.details is not None
    assert (kept.details.model_name, kept.details.stop_reason) == ("M", "interrupted")
    again.close()


def test_an_answer_that_ended_is_not_changed_by_a_late_save(store: Store) -> None:
    question = store.add_question("問い")
    answer = store.add_answer(question.id, AnswerDetails())
    store.finish_answer(answer.id, "全部", "done", AnswerDetails())
    store.update_answer(answer.id, "古い途中")
    assert store.message(answer.id).text == "全部"


def test_the_bin_hides_a_conversation_and_gives_it_back(store: Store) -> None:
    question = store.add_question("問い")
    shelf = Shelf(store.database)
    shelf.bin([question.conversation_id])
    assert store.conversations() == []
    assert [c.title for c in shelf.binned()] == ["問い"]
    shelf.restore([question.conversation_id])
    assert [c.title for c in store.conversations()] == ["問い"]


def test_a_title_is_one_short_line(store: Store) -> None:
    store.add_question("一行目\n二行目　" + "長い" * 50)
    title = store.conversations()[0].title
    assert "\n" not in title
    assert len(title) == store_module.TITLE_CHARACTERS
    assert title.endswith("…")


def test_a_newer_database_is_refused_and_left_alone(where: Paths) -> None:
    Store.open(where.database, where.backups).close()
    with sqlite3.connect(where.database) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(AppError, match="newer_data"):
        Store.open(where.database, where.backups)


def test_a_failed_migration_changes_nothing(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(where.database, where.backups)
    store.add_question("残る")
    store.close()

    def half_done(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (id INTEGER)")
        raise sqlite3.OperationalError("power cut")

    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, half_done))
    with pytest.raises(AppError):
        Store.open(where.database, where.backups)
    monkeypatch.undo()
    again = Store.open(where.database, where.backups)
    assert [c.title for c in again.conversations()] == ["残る"]
    again.close()
    assert len(list(where.backups.glob("kotae-before-*.sqlite"))) == 1
    with sqlite3.connect(where.database) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    db.close()


def test_a_damaged_database_is_named_and_the_newest_backup_brings_it_back(where: Paths) -> None:
    store = Store.open(where.database, where.backups)
    for number in range(200):
        store.add_question(f"質問 {number} " + "あ" * 400)
    store.close()
    assert backups.daily(where.database, where.backups, 1_800_000_000) is not None
    damaged = bytearray(where.database.read_bytes())
    damaged[4096 : len(damaged) - 4096 : 97] = b"\xff" * len(damaged[4096 : len(damaged) - 4096 : 97])
    where.database.write_bytes(damaged)
    with pytest.raises(AppError, match="database_damaged"):
        Store.open(where.database, where.backups)
    assert backups.restore_newest(where.database, where.backups) is not None
    again = Store.open(where.database, where.backups)
    assert len(again.conversations()) == 200
    again.close()
    assert len(list(where.data.glob("kotae.damaged-*"))) >= 1


def test_no_backup_at_all_gives_an_empty_database_and_keeps_the_damaged_one(where: Paths) -> None:
    where.database.write_bytes(b"not a database " * 1000)
    with pytest.raises(AppError, match="database_damaged"):
        Store.open(where.database, where.backups)
    assert backups.restore_newest(where.database, where.backups) is None
    Store.open(where.database, where.backups).close()
    assert len(list(where.data.glob("kotae.damaged-*"))) == 1


def test_one_backup_a_day_and_seven_are_kept(where: Paths) -> None:
    Store.open(where.database, where.backups).close()
    day = 24 * 60 * 60
    made = [backups.daily(where.database, where.backups, 1_800_000_000 + n * day) for n in range(9)]
    assert all(made)
    assert backups.daily(where.database, where.backups, 1_800_000_000 + 8 * day) is None
    assert len(list(where.backups.glob("kotae-????????.sqlite"))) == backups.BACKUPS_KEPT


def test_a_model_is_replaced_by_its_path_and_keeps_its_speeds(store: Store, tmp_path: Path) -> None:
    model = LocalModel(
        "a", "A", str(tmp_path / "a.gguf"), 1, "llama", "Q4_K_M", 4096, 1.0, speeds={"plain": {"prompt": 1}}
    )
    store.put_local_model(model)
    store.put_local_model(model)
    assert store.local_models() == [model]
    store.remove_local_model("a")
    assert store.local_models() == []


@pytest.mark.parametrize("name", ["a%41b", "a#b", "a?b", "日本語　😀"])
def test_backups_are_found_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    where = paths.locate(str(tmp_path / name))
    store = Store.open(where.database, where.backups)
    store.add_question("残る")
    store.close()
    assert backups.daily(where.database, where.backups, 1_800_000_000) is not None
    where.database.write_bytes(b"not a database " * 1000)
    assert backups.restore_newest(where.database, where.backups) is not None
    again = Store.open(where.database, where.backups)
    assert [c.title for c in again.conversations()] == ["残る"]
    again.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def _fill(store: Store) -> None:
    for _ in range(200):
        store.add_question("長い" * 20_000)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_named_and_what_was_stored_stays(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        where = paths.locate(str(disk))
        store = Store.open(where.database, where.backups)
        kept = [store.add_question(f"質問 {number}").id for number in range(5)]
        with pytest.raises(AppError, match="disk_full"):
            _fill(store)
        assert [store.message(message_id).text for message_id in kept] == [f"質問 {number}" for number in range(5)]
        store.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
