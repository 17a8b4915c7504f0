"""Export and import beside a window that goes on working: whole or not at all, whatever happens."""

import json
import logging
import os
import subprocess
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import paths
from app.base.paths import Paths
from app.chat import conversation_privacy
from app.chat.exchange import conversation_import, json_file
from app.chat.exchange.conversation_import import ImportedConversations
from app.chat.services.conversation_transfer import ConversationTransfer
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from app.documents.records import DocumentCollection
from tests.chat.exchange_trees import conversation, document, plant
from tests.permits import PERMIT

CANARY = "漏れてはいけない文 canary-8271"


@pytest.fixture
def transfer(store: Store, where: Paths) -> ConversationTransfer:
    return ConversationTransfer(store, Conversations(store), where.documents)


def _file(path: Path, count: int) -> Path:
    path.write_text(json.dumps(document(*(conversation(uid=f"{n:032x}", title=f"題 {n}") for n in range(count)))))
    return path


def _small_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_import, "TURN_CONVERSATIONS", 5)
    monkeypatch.setattr(json_file, "PIECE_CHARACTERS", 2000)


def test_what_is_exported_here_is_imported_there(store, other, transfer, tmp_path, qtbot):
    plant(store)
    kept = store.conversations()[0].id
    with qtbot.waitSignal(transfer.exported) as exported:
        transfer.export([kept], "json", tmp_path / "a.json", PERMIT)
        assert transfer.is_working
        transfer.export([kept], "json", tmp_path / "b.json", PERMIT)  # a second piece of work is not begun
    assert exported.args == [[tmp_path / "a.json"]]
    assert not (tmp_path / "b.json").exists()
    conversations = Conversations(other)
    receiving = ConversationTransfer(other, conversations, other.path.with_name("documents.sqlite"))
    with qtbot.waitSignals([receiving.imported, conversations.changed]):
        receiving.import_(tmp_path / "a.json")
    assert [c.title for c in other.conversations()] == [c.title for c in store.conversations()]
    assert not receiving.is_working
    assert receiving.worked_s > 0


def test_the_label_of_many_is_found_with_few_questions_to_the_database(store, transfer):
    ids = [store.add_question(f"題 {number}").conversation_id for number in range(40)]
    asked: list[str] = []
    store.database._db.set_trace_callback(asked.append)
    assert transfer.label_of([*ids, 999]) == "internal"
    there = [DocumentCollection(1, "内規", "secret")]
    found = store.conversations_of([*reversed(ids), 999])
    assert set(conversation_privacy.effective_labels(store, found, there).values()) == {"internal"}
    store.database._db.set_trace_callback(None)
    assert [one.id for one in found] == ids[::-1]
    assert len(asked) == 2


@pytest.mark.parametrize(("file_format", "target"), [("json", "a.json"), ("markdown", ""), ("docx", "")])
def test_a_cancelled_export_leaves_nothing(file_format, target, store, transfer, tmp_path, qtbot):
    folder = tmp_path / "書き出し"
    folder.mkdir()
    ids = [store.add_question(f"題 {number}").conversation_id for number in range(200)]
    with qtbot.waitSignal(transfer.cancelled):
        transfer.export(ids, file_format, folder / target, PERMIT)
        transfer.cancel()
    assert list(folder.iterdir()) == []
    assert not transfer.is_working


def test_a_cancelled_import_leaves_nothing(store, transfer, tmp_path, qtbot, monkeypatch):
    _small_turns(monkeypatch)
    transfer.progressed.connect(lambda _done, _total: transfer.cancel())
    with qtbot.waitSignal(transfer.cancelled):
        transfer.import_(_file(tmp_path / "a.json", 500))
    assert store.database.read("SELECT count(*) FROM conversation")[0][0] == 0


def test_questions_can_be_asked_during_an_import(store, transfer, tmp_path, qtbot, monkeypatch):
    _small_turns(monkeypatch)
    asked: list[int] = []
    transfer.progressed.connect(lambda _done, _total: asked.append(store.add_question("間の質問").id))
    with qtbot.waitSignal(transfer.imported, timeout=60_000) as imported:
        transfer.import_(_file(tmp_path / "a.json", 300))
    assert imported.args == [ImportedConversations(imported=300, unchecked=300)]
    assert asked
    assert len(store.conversations()) == 300 + len(asked)


def test_a_file_that_cannot_be_read_says_why(transfer, tmp_path, qtbot):
    (tmp_path / "a.json").write_text("[]")
    with qtbot.waitSignal(transfer.failed) as failed:
        transfer.import_(tmp_path / "a.json")
    assert failed.args[0].code == "import_not_json"
    with qtbot.waitSignal(transfer.failed) as failed:
        transfer.export([1], "markdown", tmp_path / "ない" / "a.md", PERMIT)
    assert failed.args[0].code == "export_folder_gone"


def test_no_text_of_a_conversation_gets_into_the_log(store, transfer, tmp_path, qtbot, caplog):
    caplog.set_level(logging.DEBUG)
    bad = conversation(title=CANARY, uid=CANARY)
    (tmp_path / "a.json").write_text(json.dumps(document(bad, conversation(title=CANARY))))
    with qtbot.waitSignal(transfer.imported):
        transfer.import_(tmp_path / "a.json")
    for file_format in ("json", "markdown", "docx"):
        with qtbot.waitSignal(transfer.exported):
            transfer.export([store.conversations()[0].id], file_format, tmp_path / f"x.{file_format}", PERMIT)
    assert CANARY not in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.fault("F2")
def test_a_full_disk_leaves_no_half_file_and_no_half_import(tmp_path, qtbot):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        _fill_disk(disk, tmp_path, qtbot)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _fill_disk(disk: Path, tmp_path: Path, qtbot: QtBot) -> None:
    roomy = paths.locate(str(tmp_path / "広い"))
    store = Store.open(roomy.database, roomy.backups)
    ids = [store.add_question("長い文" * 20_000).conversation_id for _ in range(10)]
    transfer = ConversationTransfer(store, Conversations(store), roomy.documents)
    for file_format, target in (("json", disk / "a.json"), ("markdown", disk)):
        with qtbot.waitSignal(transfer.failed) as failed:
            transfer.export(ids, file_format, target, PERMIT)
        assert failed.args[0].code == "disk_full"
        assert list(disk.iterdir()) == []
    with qtbot.waitSignal(transfer.exported):
        transfer.export(ids, "json", tmp_path / "a.json", PERMIT)
    store.close()
    narrow = paths.locate(str(disk))
    small = Store.open(narrow.database, narrow.backups)
    kept = small.add_question("前からある").id
    receiving = ConversationTransfer(small, Conversations(small), narrow.documents)
    with qtbot.waitSignal(receiving.failed) as failed:
        receiving.import_(tmp_path / "a.json")
    assert failed.args[0].code == "disk_full"
    assert [found.title for found in small.conversations()] == ["前からある"]
    assert small.message(kept).text == "前からある"
    small.close()
