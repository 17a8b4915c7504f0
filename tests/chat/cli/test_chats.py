"""`kotae chats`: out, and back in another data folder."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.base import paths
from app.base.paths import Paths
from app.chat import conversation_privacy
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from tests.base.cli.processes import ROOT
from tests.chat.driver import store_thread
from tests.chat.exchange_trees import conversation, document, message, plant

Chats = Callable[..., tuple[int, str, str]]


@pytest.fixture
def chats(run_at: Chats) -> Chats:
    """Runs `kotae chats ARGUMENTS` on the data folder of a PC: exit status, what stood on stdout and stderr."""
    return lambda pc, *arguments: run_at(pc, "chats", *arguments)


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return paths.locate(str(tmp_path / "職場"))


@contextlib.contextmanager
def opened(where: Paths) -> Iterator[Store]:
    store = Store.open(where.database, where.backups)
    yield store
    store.close()


@pytest.fixture
def stored(where: Paths) -> int:
    with opened(where) as store:
        return plant(store)


def refused(done: tuple[int, str, str]) -> str:
    """The code of the error."""
    assert done[0] == 3
    return json.loads(done[1])["error"]["code"]


def test_all_conversations_go_to_another_machine(chats, stored, tmp_path):
    target = str(tmp_path / "会話.json")
    status, said, told = chats("職場", "export", "--to", target, "--json")
    assert (status, json.loads(said)) == (0, {"exported": 1, "files": [target]}), told
    assert chats("自宅", "import", target)[1] == "1 件の会話を取り込みました。\n3 件の回答は未照合です。\n"
    assert chats("自宅", "import", target)[1] == "新しい会話はありませんでした。\n1 件はすでにあります。\n"
    (found,) = json.loads(chats("自宅", "list", "--json")[1])["chats"]
    assert (found["title"].split()[0], found["folder"]) == ("橋脚の点検は？", "点検")


@pytest.mark.parametrize("form", ["json", "docx"])
def test_where_there_is_no_conversation_nothing_is_written_and_that_is_said(chats, form, tmp_path):
    status, said, _ = chats("新しい", "export", "--format", form, "--to", tmp_path / "文書")
    assert (status, said) == (0, "会話はまだありません。何も書き出していません。\n")
    assert not (tmp_path / "文書").exists()


def test_word_and_markdown_go_into_a_folder(chats, stored, tmp_path):
    folder = tmp_path / "文書"
    folder.mkdir()
    for form in ("docx", "markdown", "markdown"):
        status, _, told = chats("職場", "export", stored, "--format", form, "--to", folder)
        assert status == 0, told
    assert sorted(path.suffix for path in folder.iterdir()) == [".docx", ".md", ".md"]


def test_what_is_there_is_not_replaced_and_what_is_not_there_is_named(chats, stored, tmp_path):
    target = tmp_path / "前からある"
    target.write_text("前のもの")
    for options, code in (
        (("--to", target), "export_exists"),
        (("--to", target, "--format", "markdown"), "export_not_folder"),
        (("99", "--to", tmp_path / "b.json"), "conversation_gone"),
    ):
        assert refused(chats("職場", "export", *options, "--json")) == code
    assert target.read_text() == "前のもの"


def test_refused_conversations_are_listed_and_the_status_is_1(chats, tmp_path):
    bad = conversation(message(role="system"), title="悪い")
    (tmp_path / "a.json").write_text(json.dumps(document(bad, conversation())))
    status, said, _ = chats("自宅", "import", tmp_path / "a.json", "--lang", "en")
    assert status == 1
    assert said.splitlines() == [
        "Conversations imported: 1.",
        "Answers not checked: 1. Not imported: 1.",
        'No. 1, "悪い": message 1: neither a question nor an answer',
    ]


def test_a_foreign_file_is_refused_in_words(chats, tmp_path):
    (tmp_path / "a.json").write_text("{}")
    status, _, told = chats("自宅", "import", tmp_path / "a.json")
    assert status == 3
    assert "Kotae が書き出した会話ではありません" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.fault("F2")
def test_an_output_that_is_full_is_said_in_a_sentence(stored, where):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "app", "chats", "list"],
            env=os.environ | {"KOTAE_DATA_DIR": str(where.data)},
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=120,
        )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


ODD = {
    "conversation": {
        "title": b"\xe6\xa9\x8b\xff\x1b[31m", "created_at": "昨日", "updated_at": 1e300, "leaf_id": b"x",
        "uid": b"\x00", "folder_id": "点検", "pinned_at": "x", "preset_id": b"x", "imported_at": "x",
        "choices": "[5]", "scope": "5",
    },
    "message": {
        "text": b"\xe6\xa9\x8b\xff", "created_at": "昨日", "correction": b"\xff", "rating": 0.5,
        "details": json.dumps(
            {"model_name": 5, "total_s": "x", "seed": "x", "stop_reason": [], "grounding": 5, "learned": 5 * [None],
             "quoted": {}, "remote": {}, "is_imported": "x", "choices": 5, "reproduces_id": "x"}
        ),
    },
    "folder": {"name": b"\xff"},
}  # fmt: skip


def put_by_hand(where: Paths, table: str, column: str, value: object) -> None:
    with contextlib.closing(sqlite3.connect(where.database)) as db, db:
        db.execute(f"UPDATE {table} SET {column} = ?", (value,))


@pytest.mark.fault("F9")
def test_values_of_another_type_cost_only_themselves(chats, stored, where, tmp_path, tally):
    for table, values in ODD.items():
        for column, value in values.items():
            put_by_hand(where, table, column, value)
            tally.tried(1)
    status, said, told = chats("職場", "list")
    assert (status, told) == (0, "")
    assert said.startswith(f"{stored}\t\t")
    assert "橋\ufffd" in said
    (row,) = json.loads(chats("職場", "list", "--json")[1])["chats"]
    assert (row["id"], row["updated_at"], row["folder"]) == (stored, 0.0, None)
    for form in ("json", "markdown", "docx"):
        target = tmp_path / f"会話.{form}"
        if form != "json":
            target.mkdir()
        status, _, told = chats("職場", "export", "--to", target, "--format", form)
        assert (status, told) == (0, ""), form
    assert chats("自宅", "import", tmp_path / "会話.json")[0] in (0, 1)  # in words


@pytest.mark.fault("F9")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("conversation.choices", "{"),
        ("conversation.scope", b"\xff"),
        ("message.details", "null"),
        ("message.details", "{"),
        ("message.details", '{"scope": "x"}'),  # by which it is labelled
    ],
)
def test_a_value_of_which_nothing_can_be_made_is_named_as_damage_with_what_to_do(
    chats, stored, where, tmp_path, column, value
):
    put_by_hand(where, *column.split("."), value)
    status, _, told = chats("職場", "export", "--to", tmp_path / "会話.json")
    assert status == 3
    assert "データベースが壊れています" in told
    assert "バックアップ" in told
    assert told.count("\n") == 1
    assert not (tmp_path / "会話.json").exists()


def test_a_label_that_is_none_counts_as_the_highest(chats, stored, where, tmp_path):
    put_by_hand(where, "conversation", "label", "極秘")
    target = tmp_path / "会話.json"
    assert refused(chats("職場", "export", "--to", target, "--json")) == "secret_export"
    assert refused(chats("職場", "export", "9" * 30, "--to", target, "--json")) == "conversation_gone"


def test_confidential_conversations_are_exported_with_a_yes_only_and_put_on_record(chats, stored, where, tmp_path):
    with opened(where) as store:
        conversation_privacy.set_label(store, stored, "secret")
    target = tmp_path / "会話.json"
    stopped = chats("職場", "export", "--to", target, "--json")
    assert refused(stopped) == "secret_export"
    assert "--allow-secret" in stopped[2]
    assert "画面" not in stopped[2]
    assert not target.exists()
    for given, code in (
        (("--to", tmp_path / "なし" / "会話.json"), "export_folder_gone"),
        ((stored, "999", "--to", target), "conversation_gone"),
    ):
        assert refused(chats("職場", "export", *given, "--allow-secret", "--json")) == code
    assert not where.exports_log.exists()  # what was refused has not left
    assert chats("職場", "export", stored, "--to", target, "--allow-secret")[0] == 0
    (line,) = log_of(where)
    assert (line["what"], line["target"]) == ("conversation", str(target))
    assert chats("自宅", "import", target)[0] == 0
    assert chats("自宅", "export", "--to", tmp_path / "また.json", "--json")[0] == 3  # it is still secret there


def log_of(where: Paths) -> list[dict[str, Any]]:
    return [json.loads(line) for line in where.exports_log.read_text("utf-8").splitlines()]


def test_what_a_collection_has_become_counts_for_the_conversations_that_asked_it(chats, stored, where, tmp_path):
    library = Library.open(where.documents)
    asked = CollectionRef(library.add_collection("公報", "public"), "公報")
    with opened(where) as store:
        store_thread(store, "鍵は？", "守衛室です。", details=AnswerDetails(scope=(asked,)))
    target = tmp_path / "会話.json"
    assert chats("職場", "export", "--to", target)[0] == 0
    target.unlink()
    library.set_label(asked.id, "secret")
    library.close()
    stopped = chats("職場", "export", "--to", target, "--json")
    assert refused(stopped) == "secret_export"
    assert "鍵は？" in stopped[2]
    assert "橋脚" not in stopped[2]
    assert chats("職場", "export", "--to", target, "--allow-secret")[0] == 0
    written = json.loads(target.read_text("utf-8"))["conversations"]
    assert sorted(one["label"] for one in written) == ["internal", "secret"]
    assert [line["what"] for line in log_of(where)] == ["conversations"]
    where.documents.write_bytes(b"no database" * 1000)
    target.unlink()
    assert chats("職場", "export", "--to", target)[0] == 3
    assert chats("職場", "export", "--to", target, "--allow-secret")[0] == 0
