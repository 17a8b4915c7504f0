"""`kotae docs` over real files and the real reading child; where it is interrupted, as a process of its own."""

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documents import driver
from tests.documents.cli.conftest import Run
from tests.forked_program import Program
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"


@pytest.fixture
def docs(kotae: Run) -> Run:
    """Runs `kotae docs ARGUMENTS`."""
    return lambda *arguments: kotae("docs", *arguments)


@pytest.fixture
def begin(data: Path, files: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts `kotae docs ARGUMENTS` as a process of its own over many files, and waits until it has read some."""

    def begin(*arguments: str, count: int) -> "subprocess.Popen[str]":
        for number in range(count):
            (files / f"{number:03}.txt").write_text(f"装置{number}の点検は毎年行う。\n" * 40, "utf-8")
        process = Program(
            [sys.executable, "-m", "app", "docs", *arguments],
            env=os.environ | {"KOTAE_DATA_DIR": str(data)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        wait_until(lambda: read_count(data / "documents.sqlite") > 2)
        return process

    return begin


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "資料"
    (folder / "下").mkdir(parents=True)
    (folder / "要領.md").write_text(f"# 第2章 材料\n\n## 2.2 鉄筋のかぶり\n\n{COVER}\n", "utf-8")
    (folder / "下" / "点検.txt").write_text("主ポンプの軸受温度は75℃を超えてはならない。\n", "cp932")
    (folder / "写真.gif").write_bytes(b"GIF89a\0")
    return folder


def test_a_folder_is_added_listed_searched_and_shown(docs, files):
    added = docs("add", "基準", str(files / "下" / ".."), "--json")  # as ../folder is typed
    assert added.returncode == 0, added.stderr
    told = added.data
    assert (told["collection"], told["documents"], told["read"], told["new"]) == ("基準", 2, 2, 2)
    assert (told["skipped"], told["unread"], told["attention"]) == ({"unknown": 1}, 0, [])
    collection, manual = docs("list", "--json").data["collections"]
    assert (manual["name"], manual["is_builtin"]) == ("Kotae の使い方", True)
    assert (collection["name"], collection["documents"], collection["label"]) == ("基準", 2, "internal")
    assert collection["sources"] == [str(files)]
    documents = docs("list", "基準", "--json").data["documents"]
    assert {one["document"]: one["report"]["encoding"] for one in documents} == {
        "要領.md": "UTF-8",
        "点検.txt": "Shift_JIS (CP932)",
    }
    found = docs("search", "基準", "鉄筋のかぶり", "-k", "1", "--json").data
    (passage,) = found["passages"]
    assert passage["rank"] == 1
    assert passage["score"] > 0
    assert (passage["document"], passage["heading"]) == ("要領.md", ["第2章 材料", "2.2 鉄筋のかぶり"])
    assert COVER in passage["text"]
    assert (passage["page"], found["seconds"] < 60) == (None, True)
    shown = docs("show", "基準", "要領.md", "--json").data
    assert shown["report"]["headings"] == 2
    assert [section["text"] for section in shown["sections"]] == [COVER]


def test_people_read_lines(docs, files):
    manual, none = docs("list").stdout.splitlines()
    assert (manual.split("\t")[0], none.split("。")[0]) == ("Kotae の使い方", "自分の資料集はまだありません")
    assert "2 件を読みました" in docs("add", "基準", str(files), "--label", "公開").stdout
    assert docs("list").stdout.startswith("基準\t公開\t文書 2 件、")
    found = docs("search", "基準", "軸受温度").stdout.splitlines()
    assert found[0].startswith("1  点検.txt")
    assert "75℃" in found[1]
    shown = docs("show", "基準", "点検.txt").stdout.splitlines()
    assert "文字コード\tShift_JIS (CP932)" in shown
    assert shown[-1].startswith("（見出しなし）\t")
    assert "近い箇所は見つかりませんでした。" in docs("search", "基準", "zzzz").stdout


def test_what_is_printed_of_a_passage_is_around_what_was_asked(docs, tmp_path):
    before = "型枠は水平に組む。" * 40
    clause = f"{'打込みは連続して行う。' * 30}養生温度は5℃以上に保つ。"
    text = f"# 2 施工\n\n## 2.5 型枠\n\n{before}\n\n## 2.6 養生\n\n{clause}\n"
    (tmp_path / "施工.md").write_text(text, "utf-8")
    docs("add", "基準", str(tmp_path / "施工.md"))
    title, quote = docs("search", "基準", "養生温度は何度か", "-k", "1").stdout.splitlines()
    assert "2.6 養生" in title
    assert "養生温度は5℃以上に保つ。" in quote
    assert "型枠" not in quote
    assert len(quote.strip()) <= 240


def test_what_needs_attention_is_named_with_its_reason(docs, files):
    (files / "空.txt").touch()
    done = docs("add", "基準", str(files), "--json")
    assert done.returncode == 1
    told = done.data
    (row,) = told["attention"]
    assert (told["unread"], row["document"], row["state"], row["code"]) == (1, "空.txt", "failed", "document_empty")
    assert "失敗：空.txt　ファイルが空です。" in done.stderr
    assert docs("search", "基準", "かぶり").returncode == 0


def test_one_line_names_the_documents_that_cannot_be_read_for_one_reason(docs, files):
    for number in range(6):
        (files / f"空{number}.txt").touch()
    (files / "壊れた.pdf").write_bytes(b"%PDF-1.7\n\xff")
    done = docs("add", "基準", str(files), "--json")
    assert len(done.data["attention"]) == 7
    told = [line for line in done.stderr.splitlines() if line.startswith("失敗：")]
    names = {line.partition("　")[0] for line in told}
    assert names == {"失敗：空0.txt、空1.txt、空2.txt、ほか 3 件", "失敗：壊れた.pdf"}
    assert len(told) == 2


def test_what_cannot_be_read_stays_in_the_collection_and_is_not_counted_as_read(docs, files):
    damaged, blank = files / "壊れた.pdf", files / "文字なし.html"
    damaged.write_bytes(b"%PDF-1.7\n\xff")
    done = docs("add", "基準", str(damaged))
    assert done.stdout.startswith("資料集「基準」に 1 件を追加し、1 件のうち 0 件を読みました（0 か所）。")
    assert "読み取れなかった 1 件は、理由とともに資料集に残してあります" in done.stdout
    (kept,) = docs("list", "基準", "--json").data["documents"]
    assert (kept["document"], kept["state"], kept["error"]["code"]) == ("壊れた.pdf", "failed", "document_damaged")
    blank.write_text("<html><body></body></html>", "utf-8")
    told = docs("add", "基準", str(files), "--json").data
    assert (told["documents"], told["read"], told["unread"]) == (4, 2, 2)
    blank.unlink()
    damaged.unlink()
    docs("refresh")
    assert "2 件を読みました（新しい文書 0、" in docs("add", "基準", str(files)).stdout


def test_the_same_command_reads_what_has_changed_and_nothing_twice(docs, files):
    docs("add", "基準", str(files))
    (files / "要領.md").write_text("# 第3章\n\n橋台の根入れは2m以上とする。\n", "utf-8")
    again = docs("add", "基準", str(files), "--json").data
    assert (again["documents"], again["new"]) == (2, 0)
    assert docs("search", "基準", "かぶり", "--json").data["passages"] == []
    assert len(docs("search", "基準", "橋台の根入れ", "--json").data["passages"]) == 1


def test_a_refresh_follows_the_folder(docs, files):
    docs("add", "基準", str(files))
    (files / "新.txt").write_text("橋台の根入れは2m以上とする。\n", "utf-8")
    (files / "要領.md").unlink()
    done = docs("refresh", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = done.data["collections"]
    assert (row["new"], row["changed"], row["removed"], row["missing"]) == (1, 0, 1, [])
    names = [one["document"] for one in docs("list", "基準", "--json").data["documents"]]
    assert sorted(names) == ["新.txt", "点検.txt"]
    files.rename(files.with_name("別の場所"))
    gone = docs("refresh", "基準", "--json")
    assert gone.returncode == 1
    assert gone.data["collections"][0]["missing"] == [str(files)]
    assert len(docs("list", "基準", "--json").data["documents"]) == 2


def test_removing_leaves_the_files_and_tells_how_to_undo(docs, files):
    docs("add", "基準", str(files), "--label", "secret")
    one = docs("remove", "基準", "下/点検.txt")
    assert one.returncode == 0
    assert f"kotae docs add 基準 {files / '下' / '点検.txt'}" in one.stdout
    assert docs("refresh", "基準", "--json").data["collections"][0]["new"] == 0  # it does not come back by itself
    assert docs("add", "基準", str(files / "下" / "点検.txt"), "--json").data["new"] == 1
    whole = docs("remove", "基準")
    (undo,) = re.findall(r"kotae docs (add 基準 .+)", whole.stdout)
    assert [one["is_builtin"] for one in docs("list", "--json").data["collections"]] == [True]
    assert (files / "要領.md").is_file()
    docs(*shlex.split(undo))
    again = docs("list", "--json").data["collections"][0]
    assert (again["documents"], again["label"]) == (2, "secret")


def test_documents_move_without_being_read_again_and_the_command_back_is_told(docs, files):
    docs("add", "基準", str(files))
    docs("add", "現場 要領", str(files / "下" / "点検.txt"), "--label", "公開")
    before = docs("show", "基準", "要領.md", "--json").data
    moved = docs("move", "基準", "要領.md", "--to", "現場 要領", "--json")
    assert (moved.returncode, moved.data["collection"], moved.data["to"]) == (0, "基準", "現場 要領")
    assert [one["document"] for one in moved.data["documents"]] == ["要領.md"]
    assert docs("show", "現場 要領", "要領.md", "--json").data == {**before, "collection": "現場 要領"}
    (found,) = docs("search", "現場 要領", "鉄筋のかぶり", "--json").data["passages"]
    assert found["document"] == "要領.md"
    refreshed = docs("refresh", "--json").data["collections"]
    assert [(one["new"], one["removed"], one["missing"]) for one in refreshed] == [(0, 0, [])] * 2
    refused = docs("move", "基準", "点検.txt", "--to", "現場 要領", "--json")
    assert (refused.returncode, refused.error) == (3, "document_already_there")
    told = docs("move", "現場 要領", "要領.md", "--to", "基準").stdout
    back = shlex.split(told.strip().split("戻すには：")[1])
    assert back == ["kotae", "docs", "move", "基準", str(files / "要領.md"), "--to", "現場 要領"]
    assert docs(*back[2:]).returncode == 0
    assert [one["document"] for one in docs("list", "基準", "--json").data["documents"]] == ["点検.txt"]


def test_out_of_a_secret_collection_documents_move_with_permission_only_and_that_is_put_on_record(docs, data, files):
    docs("add", "内規", str(files), "--label", "機密")
    docs("add", "公開集", str(files / "下" / "点検.txt"), "--label", "公開")
    log = data / "exports.log"
    move = ("move", "内規", "要領.md", "--to", "公開集")
    refused = docs(*move, "--json")
    assert (refused.returncode, refused.error) == (3, "secret_move")
    assert "--allow-secret" in refused.stderr
    assert not log.exists()
    assert docs(*move, "--allow-secret").returncode == 0
    (line,) = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    line.pop("at")
    assert line == {"what": "move", "target": "公開集", "label": "secret", "to": "public"}
    into = docs("move", "公開集", "要領.md", "--to", "内規")  # nobody is asked
    assert (into.returncode, len(log.read_text("utf-8").splitlines())) == (0, 1)
    back = shlex.split(into.stdout.strip().split("戻すには：")[1])
    assert docs(*back[2:]).returncode == 0
    assert len(log.read_text("utf-8").splitlines()) == 2


def test_what_moved_into_a_secret_collection_comes_back_only_by_name_and_with_permission(docs, data, files):
    docs("add", "基準", str(files))
    docs("add", "内規", str(files / "下" / "点検.txt"), "--label", "機密")
    docs("move", "基準", "要領.md", "--to", "内規")
    undo = docs("remove", "基準").stdout.strip().split("戻すには：")[1]
    again = docs(*shlex.split(undo)[2:], "--json")
    assert (again.data["documents"], again.data["skipped"]) == (1, {"unknown": 1, "secret": 1})
    refused = docs("add", "基準", str(files / "要領.md"), "--json")
    assert (refused.returncode, refused.error) == (3, "secret_move")
    (files / "要領.md").rename(files / "別の名.md")
    refreshed = docs("refresh", "--json").data
    assert [(one["document"], one["code"]) for one in refreshed["attention"]] == [("別の名.md", "document_is_secret")]
    assert docs("search", "基準", "鉄筋のかぶり", "--json").data["passages"] == []
    assert not (data / "exports.log").exists()
    assert docs("add", "基準", str(files / "別の名.md"), "--allow-secret").returncode == 0
    assert len(docs("search", "基準", "鉄筋のかぶり", "--json").data["passages"]) == 1
    assert '"what": "move", "label": "secret", "target": "基準", "to": "internal"' in (data / "exports.log").read_text(
        "utf-8"
    )


def test_bad_input_is_answered_in_words_with_the_nearest_names(docs, files):
    missing = docs("add", "基準", str(files / "要領"), "--json")
    assert (missing.returncode, missing.error) == (3, "docs_path_missing_near")
    assert "要領.md" in missing.stderr
    assert docs("add", "基準", str(files), "どこにもない", "--json").error == "docs_path_missing"
    assert len(docs("list", "--json").data["collections"]) == 1  # nothing was begun
    assert docs("add", "　", str(files), "--json").error == "collection_unnamed"
    label = docs("add", "基準", str(files), "--label", "極秘", "--json")
    assert (label.returncode, label.error) == (2, "bad_option")
    docs("add", "河川基準", str(files))
    near = docs("search", "河川規準", "堤防", "--json")
    assert (near.returncode, near.error) == (3, "unknown_collection_near")
    assert "河川基準" in near.stderr
    assert docs("search", "zzz", "堤防", "--json").error == "unknown_collection"
    assert docs("show", "河川基準", "要綱.md", "--json").error == "unknown_document_near"
    assert docs("remove", "河川基準", "zzz", "--json").error == "unknown_document"
    assert docs("search", "河川基準", "堤防", "-k", "0", "--json").returncode == 2
    assert docs("search", "河川基準", " ", "--json").error == "empty_question"
    (files / "下" / "要領.md").write_text("別の要領。\n", "utf-8")
    docs("refresh")
    assert docs("show", "河川基準", "要領.md", "--json").error == "document_ambiguous"
    assert docs("show", "河川基準", "下/要領.md").returncode == 0


def test_where_nothing_can_be_read_the_kinds_of_files_are_named(docs, tmp_path):
    (tmp_path / "空").mkdir()
    done = docs("add", "基準", str(tmp_path / "空"))
    assert "PDF、Word、Excel、PowerPoint、CSV、HTML、Markdown、テキスト" in done.stdout


def test_the_manual_is_there_without_preparation_and_cannot_be_changed(docs, data, files):
    (data / "documents.sqlite").unlink()
    found = docs("search", "Kotae の使い方", "モデルを追加するには？", "-k", "3", "--json").data
    assert any("モデル" in "".join(passage["heading"]) for passage in found["passages"])
    assert docs("remove", "Kotae の使い方", "--json").error == "collection_is_own"
    assert docs("add", "Kotae の使い方", str(files), "--json").error == "collection_is_own"
    assert docs("refresh", "Kotae の使い方", "--json").error == "collection_is_own"
    docs("add", "基準", str(files))
    assert docs("move", "基準", "要領.md", "--to", "Kotae の使い方", "--json").error == "collection_is_own"
    assert docs("move", "Kotae の使い方", "manual.ja.md", "--to", "基準", "--json").error == "collection_is_own"


def test_the_manual_is_read_anew_in_the_other_language_and_by_its_own_name_stays(docs):
    docs("search", "Kotae の使い方", "モデル")
    assert docs("search", "How to use Kotae", "add a model", "--lang", "en", "--json").data["passages"]
    kept = docs("list", "How to use Kotae", "--json").data["documents"]
    assert [(one["document"], one["state"]) for one in kept] == [("manual.en.md", "done")]
    (own,) = docs("list", "--json").data["collections"]
    assert (own["name"], own["is_builtin"], own["documents"]) == ("How to use Kotae", True, 1)


def test_without_an_action_the_actions_are_named(docs, capsys):
    with pytest.raises(SystemExit) as left:
        docs()
    told = capsys.readouterr().err
    assert left.value.code == 2
    assert "ACTION が" not in told
    assert "add / list / search / show / move / remove / ocr / refresh" in told
    assert "kotae docs --help" in told


def test_ctrl_c_leaves_a_queue_that_the_same_command_ends(docs, begin, data, files):
    process = begin("add", "基準", str(files), "--json", count=200)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    told = json.loads(out)
    assert told["state"] == "interrupted"
    assert 0 < told["unfinished"] < 202
    assert "続きから" in err
    done = docs("add", "基準", str(files), "--json").data
    assert (done["documents"], done["read"], done["unread"]) == (202, 202, 0)
    assert_nothing_is_twice(data)


def test_beside_another_process_that_reads_it_waits_and_all_is_read(docs, begin, data, files):
    first = begin("add", "甲", str(files), count=120)
    second = docs("add", "乙", str(files), "--json").data
    assert (second["read"], second["unread"]) == (122, 0)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert_nothing_is_twice(data)


def test_a_collection_that_is_removed_while_it_is_read_is_not_called_empty(docs, begin, files):
    adding = begin("add", "甲", str(files), count=400)
    assert docs("remove", "甲").returncode == 0
    out, errors = adding.communicate(timeout=60)
    assert adding.returncode == 3, (out, errors)
    assert "取り除かれました" in errors
    assert (files / "000.txt").is_file()


def test_a_newer_or_damaged_database_is_told(docs, data, files):
    docs("add", "基準", str(files))
    database = data / "documents.sqlite"
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA user_version = 99")
    assert docs("list", "--json").error == "documents_newer"
    assert docs("add", "基準", str(files), "--json").error == "documents_newer"
    for leftover in data.glob("documents.sqlite*"):
        leftover.unlink()
    database.write_bytes(b"SQLite format 3\0" + b"damage" * 2000)
    assert docs("search", "基準", "かぶり", "--json").error == "documents_unusable"
    again = docs("add", "基準", str(files), "--json")
    assert (again.returncode, again.data["read"]) == (0, 2)
    assert "壊れていたため" in again.stderr


def test_a_label_is_given_to_the_collection_and_its_change_is_said(docs, files):
    assert "ラベル" not in docs("add", "基準", str(files), "--label", "公開").stdout
    for word, label, change in (
        ("internal", "internal", "公開から社外秘"),
        ("機密", "secret", "社外秘から機密"),
        ("公開", "public", "機密から公開"),
    ):
        changed = docs("add", "基準", str(files), "--label", word, "--allow-secret")
        assert f"ラベルを{change}に変更しました。\n" in changed.stdout
        assert docs("list", "--json").data["collections"][0]["label"] == label
    for given in (("--label", "公開"), ()):
        assert "ラベル" not in docs("add", "基準", str(files), *given).stdout


def test_a_secret_label_is_lowered_with_permission_only_and_that_is_put_on_record(docs, data, files):
    docs("add", "基準", str(files), "--label", "機密")
    log = data / "exports.log"
    for name in ("基準", "基\u200b準"):  # what nobody sees in a name is no part of it
        refused = docs("add", name, str(files), "--label", "公開", "--json")
        assert (refused.returncode, refused.error) == (3, "secret_lowering")
        assert "--allow-secret" in refused.stderr
        assert docs("list", "--json").data["collections"][0]["label"] == "secret"
    docs("add", "基準", str(files), "--label", "機密", "--allow-secret")  # as it is already
    assert not log.exists()
    assert docs("add", "基\u200b準", str(files), "--label", "社外秘", "--allow-secret").returncode == 0
    assert docs("list", "--json").data["collections"][0]["label"] == "internal"
    (line,) = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    line.pop("at")
    assert line == {"what": "label", "target": "基準", "label": "secret", "to": "internal"}
    assert docs("add", "基準", str(files), "--label", "公開").returncode == 0  # no more confidential: nobody is asked
    assert len(log.read_text("utf-8").splitlines()) == 1


def test_a_file_of_an_unknown_kind_that_was_named_is_read_and_no_folder_leaves_it_out(docs, files):
    (files / "記録.xyz").write_text("雨水槽の点検は6月に行う。\n", "utf-8")
    assert docs("add", "基準", str(files), "--json").data["skipped"] == {"unknown": 2}
    assert "1 件を読みました" in docs("add", "基準", str(files / "記録.xyz")).stdout
    told = docs("add", "基準", str(files), "--json").data
    assert (told["read"], told["skipped"]) == (3, {"unknown": 1})


def read_count(database: Path) -> int:
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM document WHERE state = 'done'").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0


def assert_nothing_is_twice(data: Path) -> None:
    with sqlite3.connect(data / "documents.sqlite") as db:
        twice = db.execute("SELECT count(*) FROM section GROUP BY document_id, position HAVING count(*) > 1").fetchall()
        driver.check_index(db)
    assert twice == []
