"""`kotae chats`, as whole processes: out, and back in another data folder."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base import paths
from app.chat import conversation_privacy
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from tests.chat.exchange_trees import conversation, document, message, plant
from tests.faults.ledger import Tally

ROOT = Path(__file__).parents[3]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def chats(tmp_path: Path) -> Run:
    """Runs `kotae chats ARGUMENTS` with the data folder PC."""

    def run(pc: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "app", "chats", *arguments],
            env=os.environ | {"KOTAE_DATA_DIR": str(tmp_path / pc)},
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    return run


@pytest.fixture
def stored(tmp_path: Path) -> int:
    where = paths.locate(str(tmp_path / "職場"))
    store = Store.open(where.database, where.backups)
    conversation_id = plant(store)
    store.close()
    return conversation_id


def test_all_conversations_go_to_another_machine(chats: Run, stored: int, tmp_path: Path) -> None:
    target = str(tmp_path / "会話.json")
    done = chats("職場", "export", "--to", target, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"exported": 1, "files": [target]}
    assert chats("自宅", "import", target).stdout == "1 件の会話を取り込みました。\n3 件の回答は未照合です。\n"
    assert chats("自宅", "import", target).stdout == "新しい会話はありませんでした。\n1 件はすでにあります。\n"
    (found,) = json.loads(chats("自宅", "list", "--json").stdout)["chats"]
    assert (found["title"].split()[0], found["folder"]) == ("橋脚の点検は？", "点検")


@pytest.mark.parametrize("form", ["json", "docx"])
def test_where_there_is_no_conversation_nothing_is_written_and_that_is_said(
    chats: Run, form: str, tmp_path: Path
) -> None:
    done = chats("新しい", "export", "--format", form, "--to", str(tmp_path / "文書"))
    assert (done.returncode, done.stdout) == (0, "会話はまだありません。何も書き出していません。\n")
    assert not (tmp_path / "文書").exists()


def test_word_and_markdown_go_into_a_folder(chats: Run, stored: int, tmp_path: Path) -> None:
    folder = tmp_path / "文書"
    folder.mkdir()
    for form in ("docx", "markdown", "markdown"):
        done = chats("職場", "export", str(stored), "--format", form, "--to", str(folder))
        assert done.returncode == 0, done.stderr
    assert sorted(path.suffix for path in folder.iterdir()) == [".docx", ".md", ".md"]


def test_what_is_there_is_not_replaced_and_what_is_not_there_is_named(chats: Run, stored: int, tmp_path: Path) -> None:
    target = tmp_path / "会話.json"
    target.write_text("前のもの")
    done = chats("職場", "export", "--to", str(target), "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "export_exists"
    assert target.read_text() == "前のもの"
    done = chats("職場", "export", "99", "--to", str(tmp_path / "b.json"), "--json")
    assert json.loads(done.stdout)["error"]["code"] == "conversation_gone"


def test_refused_conversations_are_listed_and_the_status_is_1(chats: Run, tmp_path: Path) -> None:
    bad = conversation(message(role="system"), title="悪い")
    (tmp_path / "a.json").write_text(json.dumps(document(bad, conversation())))
    done = chats("自宅", "import", str(tmp_path / "a.json"), "--lang", "en")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "Conversations imported: 1.",
        "Answers not checked: 1. Not imported: 1.",
        'No. 1, "悪い": message 1: neither a question nor an answer',
    ]


def test_a_foreign_file_is_refused_in_words(chats: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    done = chats("自宅", "import", str(tmp_path / "a.json"))
    assert done.returncode == 3
    assert "Kotae が書き出した会話ではありません" in done.stderr


def test_a_file_in_the_place_of_the_folder_is_named(chats: Run, stored: int, tmp_path: Path) -> None:
    target = tmp_path / "前からある.md"
    target.write_text("前のもの")
    done = chats("職場", "export", "--format", "markdown", "--to", str(target), "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (3, "export_not_folder")
    assert target.read_text() == "前のもの"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.fault("F2")
def test_an_output_that_is_full_is_said_in_a_sentence(stored: int, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "app", "chats", "list"],
            env=os.environ | {"KOTAE_DATA_DIR": str(tmp_path / "職場")},
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


def put_by_hand(database: Path, table: str, column: str, value: object) -> None:
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        db.execute(f"UPDATE {table} SET {column} = ?", (value,))


@pytest.mark.fault("F9")
def test_values_of_another_type_cost_only_themselves(chats: Run, stored: int, tmp_path: Path, tally: Tally) -> None:
    database = paths.locate(str(tmp_path / "職場")).database
    for table, values in ODD.items():
        for column, value in values.items():
            put_by_hand(database, table, column, value)
            tally.tried(1)
    listed = chats("職場", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.startswith(f"{stored}\t1970-01-01")
    assert "橋\ufffd" in listed.stdout
    (row,) = json.loads(chats("職場", "list", "--json").stdout)["chats"]
    assert (row["id"], row["updated_at"], row["folder"]) == (stored, 0.0, None)
    for form in ("json", "markdown", "docx"):
        target = tmp_path / f"会話.{form}"
        if form != "json":
            target.mkdir()
        done = chats("職場", "export", "--to", str(target), "--format", form)
        assert (done.returncode, done.stderr) == (0, ""), form
    assert chats("自宅", "import", str(tmp_path / "会話.json")).returncode in (0, 1)  # in words


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
    chats: Run, stored: int, tmp_path: Path, column: str, value: object
) -> None:
    put_by_hand(paths.locate(str(tmp_path / "職場")).database, *column.split("."), value)
    done = chats("職場", "export", "--to", str(tmp_path / "会話.json"))
    assert done.returncode == 3
    assert "データベースが壊れています" in done.stderr
    assert "バックアップ" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "会話.json").exists()


def test_a_label_that_is_none_counts_as_the_highest(chats: Run, stored: int, tmp_path: Path) -> None:
    put_by_hand(paths.locate(str(tmp_path / "職場")).database, "conversation", "label", "極秘")
    done = chats("職場", "export", "--to", str(tmp_path / "会話.json"), "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (3, "secret_export")
    gone = chats("職場", "export", "9" * 30, "--to", str(tmp_path / "会話.json"), "--json")
    assert (gone.returncode, json.loads(gone.stdout)["error"]["code"]) == (3, "conversation_gone")


def test_confidential_conversations_are_exported_with_a_yes_only_and_put_on_record(
    chats: Run, stored: int, tmp_path: Path
) -> None:
    where = paths.locate(str(tmp_path / "職場"))
    store = Store.open(where.database, where.backups)
    conversation_privacy.set_label(store, stored, "secret")
    store.close()
    target = tmp_path / "会話.json"
    refused = chats("職場", "export", "--to", str(target), "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (3, "secret_export")
    assert "--allow-secret" in refused.stderr
    assert "画面" not in refused.stderr
    assert not target.exists()
    assert not where.exports_log.exists()
    for given, code in (
        (("--to", str(tmp_path / "なし" / "会話.json")), "export_folder_gone"),
        ((str(stored), "999", "--to", str(target)), "conversation_gone"),
    ):
        failed = chats("職場", "export", *given, "--allow-secret", "--json")
        assert (failed.returncode, json.loads(failed.stdout)["error"]["code"]) == (3, code)
    assert not where.exports_log.exists()  # what was refused has not left
    assert chats("職場", "export", str(stored), "--to", str(target), "--allow-secret").returncode == 0
    (line,) = [json.loads(line) for line in where.exports_log.read_text("utf-8").splitlines()]
    assert (line["what"], line["target"]) == ("conversation", str(target))
    assert chats("自宅", "import", str(target)).returncode == 0
    again = chats("自宅", "export", "--to", str(tmp_path / "また.json"), "--json")
    assert again.returncode == 3  # it is still secret there


def test_what_a_collection_has_become_counts_for_the_conversations_that_asked_it(
    chats: Run, stored: int, tmp_path: Path
) -> None:
    where = paths.locate(str(tmp_path / "職場"))
    library = Library.open(where.documents)
    asked = CollectionRef(library.add_collection("公報", "public"), "公報")
    store = Store.open(where.database, where.backups)
    question = store.add_question("鍵は？")
    details = AnswerDetails(scope=(asked,))
    store.finish_answer(store.add_answer(question.id, details).id, "守衛室です。", "done", details)
    store.close()
    target = tmp_path / "会話.json"
    assert chats("職場", "export", "--to", str(target)).returncode == 0
    target.unlink()
    library.set_label(asked.id, "secret")
    library.close()
    refused = chats("職場", "export", "--to", str(target), "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (3, "secret_export")
    assert "鍵は？" in refused.stderr
    assert "橋脚" not in refused.stderr
    assert chats("職場", "export", "--to", str(target), "--allow-secret").returncode == 0
    written = json.loads(target.read_text("utf-8"))["conversations"]
    assert sorted(one["label"] for one in written) == ["internal", "secret"]
    assert "conversations" in where.exports_log.read_text("utf-8")
    where.documents.write_bytes(b"no database" * 1000)
    target.unlink()
    assert chats("職場", "export", "--to", str(target)).returncode == 3
    assert chats("職場", "export", "--to", str(target), "--allow-secret").returncode == 0
