"""Data of another version: brought up with a backup in one piece, or refused in words and left as it was."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from app.base.migrations import MIGRATIONS
from app.base.paths import Paths
from app.chat.store import Store
from app.documents.library import Library
from app.documents.services.document_library import DocumentLibrary
from tests.faults.window_process import ROOT, environment, kotae
from tests.forked_program import Program

pytestmark = pytest.mark.fault("F9")


def filled(where: Paths) -> None:
    store = Store.open(where.database, where.backups)
    for number in range(50):
        store.add_question(f"問い {number}")
    store.close()


def titles(database: Path) -> list[str]:
    with sqlite3.connect(database) as db:
        found = [title for (title,) in db.execute("SELECT title FROM conversation ORDER BY id")]
    db.close()
    return found


def version(database: Path) -> int:
    db = sqlite3.connect(database)
    number: int = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return number


def set_version(database: Path, number: int) -> None:
    db = sqlite3.connect(database)
    db.execute(f"PRAGMA user_version = {number}")
    db.close()


def kill_amid_a_migration(where: Paths) -> None:
    command = [sys.executable, "-m", "tests.faults.half_migration", str(where.data)]
    with Program(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "half\n"
        finally:
            process.kill()


def test_a_kill_amid_a_migration_leaves_the_old_data_and_the_next_one_starts_from_them(where):
    filled(where)
    expected = titles(where.database)
    for kills in (1, 2):
        kill_amid_a_migration(where)
        store = Store.open(where.database, where.backups)  # the older version opens it as ever
        assert [one.title for one in store.conversations()] == expected[::-1]
        texts = store.database.read("SELECT DISTINCT text FROM message WHERE text = 'half'")
        assert texts == []
        assert store.database.read("SELECT name FROM sqlite_master WHERE name = 'half'") == []
        store.close()
        assert version(where.database) == len(MIGRATIONS)
        backups = list(where.backups.glob(f"kotae-before-v{len(MIGRATIONS) + 1}-*.sqlite"))
        assert len(backups) == kills
        assert {version(backup) for backup in backups} == {len(MIGRATIONS)}
        assert [titles(backup) for backup in backups] == [expected] * kills


@pytest.mark.parametrize("command", [("chats", "list"), ("models", "list"), ("ask", "x")], ids=" ".join)
def test_every_command_refuses_conversations_of_a_newer_version_in_words(where, command):
    filled(where)
    set_version(where.database, len(MIGRATIONS) + 1)
    before = where.database.read_bytes()
    done = kotae(*command, "--json", data=where.data)
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "newer_data"
    assert "新しい版の Kotae で開くか、別の保存先を" in done.stderr
    assert where.database.read_bytes() == before


@pytest.mark.parametrize("number", [2**31 - 1, -1])
def test_a_version_that_was_never_made_is_no_crash(where, number):
    filled(where)
    set_version(where.database, number)
    done = kotae("chats", "list", data=where.data)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_a_newer_index_of_documents_is_refused_in_words_and_conversations_open(where, qtbot):
    Library.open(where.documents).close()
    set_version(where.documents, 99)
    filled(where)
    documents = DocumentLibrary(where.documents, [sys.executable, "-c", ""], where.logs)
    with qtbot.waitSignal(documents.not_opened) as told:
        documents.open()
    assert told.args[0].code == "documents_newer"
    documents.close()
    assert version(where.documents) == 99
    assert len(json.loads(kotae("chats", "list", "--json", data=where.data).stdout)["chats"]) == 50
