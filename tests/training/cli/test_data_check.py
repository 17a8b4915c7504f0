"""`kotae data check`: what it says of a file, its exit status, and the file of findings."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.base.paths import Paths
from app.chat.store import Store
from app.cli import main
from app.models import local_models, starter
from app.training.cli.data import model_of
from tests.forked_program import ROOT, Program

CLEAN = "質問,回答\r\n門の鍵はどこにありますか。,守衛室にあります。\r\n受付は何時までですか。,17 時までです。\r\n"
FLAWED = CLEAN + ",回答だけです。\r\n" * 25 + "連絡先はどこですか。,電話は 03-1234-5678 です。\r\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "良い.csv").write_text(CLEAN, "cp932")
    (tmp_path / "悪い.csv").write_text(FLAWED, "utf-8-sig")
    return tmp_path


def run(data: Path, *arguments: object) -> int:
    words = ["--data-dir", str(data / "data"), "data", "check", *map(str, arguments)]
    return main(words, lambda *_: 0)


def test_a_clean_file_is_shown_as_it_was_read(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, data / "良い.csv") == 0
    told = capsys.readouterr()
    assert told.err == ""
    for expected in (
        "良い.csv：2 行（質問と回答の列、文字コード Shift_JIS (CP932)）",
        "列：質問 ← 質問、回答 ← 回答",
        "  質問：受付は何時までですか。",
        "気になるところは見つかりませんでした。",
        "1 行の合計：中央値 21、平均 21、95 % が 22 以下、最長 22",
        "≤ 64  " + "█" * 40 + " 2",
    ):
        assert expected in told.out


def test_bad_rows_and_findings_are_listed_and_the_rest_is_counted(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, data / "悪い.csv") == 1
    told = capsys.readouterr().out
    assert "悪い.csv：28 行のうち 3 行を使えます（質問と回答の列、文字コード UTF-8 (BOM)）" in told
    assert "学習に使えない行：25 行\n  4 行目：質問が空です（回答だけです。）\n" in told
    assert "  23 行目：" in told
    assert "  24 行目：" not in told
    assert "ほか 5 行。--out でファイルにすべて書き出せます。" in told
    assert "電話番号の可能性：1 件（29 行目）\n    29 行目：電話は 03-1234-5678 です。（03-1234-5678）" in told


def test_without_findings_bad_rows_are_not_called_clean(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "空き.csv").write_text(CLEAN + "窓は？,\r\n", "utf-8")
    assert run(data, data / "空き.csv") == 1
    assert "使えない行：1 行\n  4 行目：回答が空です（窓は？）\n\n使える行には、気になる" in capsys.readouterr().out
    (data / "空き.jsonl").write_text('{"a":\n', "utf-8")
    assert run(data, data / "空き.jsonl") == 1
    assert "気になる" not in capsys.readouterr().out


def test_in_english_it_says_the_same(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, data / "悪い.csv", "--lang", "en", "--out", data / "found.csv") == 1
    told = capsys.readouterr().out
    assert "悪い.csv: 3 of 28 rows are usable (question and answer columns, UTF-8 (BOM))" in told
    assert "Unusable rows: 25\n  row 4: the question is empty (回答だけです。)\n" in told
    assert f"5 more; all of them are in {data / 'found.csv'}." in told
    assert "looks like a phone number: 1 (rows 29)" in told
    with (data / "found.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + 25 + 1
    assert rows[-1] == ["29", "looks like a phone number", "03-1234-5678", "電話は 03-1234-5678 です。"]


def test_json_is_one_object_with_everything(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, data / "悪い.csv", "--json", "--out", data / "found.json") == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told == json.loads((data / "found.json").read_text("utf-8"))
    assert (told["encoding"], told["shape"], told["rows"], len(told["bad"])) == ("utf-8-sig", "columns", 3, 25)
    assert [finding["code"] for finding in told["findings"]] == ["personal_phone"]
    assert told["lengths"]["characters"]["row"]["histogram"] == [[64, 3]]


def test_columns_are_taken_as_they_are_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"表": "門は？", "裏": "開いています。", "meta": {"資料": name}} for name in ("規程", "要領")]
    (data / "札.json").write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    assert run(data, data / "札.json") == 3
    assert "列：表 / 裏 / meta / meta.資料" in capsys.readouterr().err
    assert run(data, data / "札.json", "--question", "表", "--answer", "裏", "--group", "meta.資料") == 1
    told = capsys.readouterr().out
    assert "列：質問 ← 表、回答 ← 裏、グループ ← meta.資料" in told
    assert "質問も回答も同じ行がある：1 件（2 行目）" in told


def test_what_a_terminal_would_obey_is_not_printed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"質問": "\x1b[31m門は？\x07", "回答": "\x1b]0;x\x07開いています。", "\x1b[2Jx": "y"}, {"質問": "\x1b[31m"}]
    (data / "端末.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert run(data, data / "端末.jsonl") == 1
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\x07" not in told


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ((), 2, "usage"),
        (("良い.csv", "--out"), 2, "usage"),
        (("無い.csv",), 3, "file_missing"),
        ((".",), 3, "data_is_folder"),
        (("良い.csv", "--question", "問"), 3, "data_column_missing"),
        (("良い.csv", "--out", "良い.csv"), 3, "export_exists"),
        (("良い.csv", "--out", "x.pdf"), 3, "data_out_format"),
        (("良い.csv", "--out", "nowhere/x.csv"), 3, "export_folder_gone"),
        (("良い.csv", "--base", "no-such-model"), 3, "unknown_model"),
        (("良い.csv", "--base", "starter"), 3, "base_starter_missing"),
        (("良い.csv", "--base", "良い.csv"), 3, "not_gguf_text"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], status: int, code: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(data)
    try:
        ended = run(data, *arguments, "--json")
    except SystemExit as end:  # argparse
        ended = int(str(end.code))
    assert (ended, json.loads(capsys.readouterr().out)["error"]["code"]) == (status, code)
    assert sorted(path.name for path in data.iterdir() if path.name != "data") == ["悪い.csv", "良い.csv"]


def test_the_trial_model_is_called_as_in_a_training(tmp_path: Path, tiny_model: Path) -> None:
    where = Paths(tmp_path)
    store = Store.open(where.database, where.backups)
    trial = replace(local_models.describe(tiny_model), card_id=starter.card().id)
    store.put_local_model(trial)
    store.close()
    assert model_of("starter", where) == trial


def test_a_publishers_folder_is_counted_later(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "model").mkdir()
    assert run(data, data / "良い.csv", "--base", data / "model") == 0
    told = capsys.readouterr()
    assert "kotae train plan" in told.err
    assert "トークン" not in told.out


def command(data: Path, *arguments: object) -> "subprocess.Popen[str]":
    return Program(
        [sys.executable, "-m", "app", "--data-dir", str(data / "data"), "data", "check", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_tokens_are_those_of_the_model(data: Path, tiny_model: Path) -> None:
    """The tiny model has a token for each byte, and puts a blank before a text."""
    rows = [{"question": "a" * at, "answer": "い。"} for at in range(1, 300)]
    (data / "長さ.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    process = command(data, data / "長さ.jsonl", "--base", tiny_model, "--json")
    said, told = process.communicate(timeout=120)
    assert process.returncode == 1, told
    tokens = json.loads(said)["lengths"]["tokens"]["row"]
    texts = [len(row["question"]) + 6 for row in rows]
    assert tokens["longest"] - tokens["shortest"] == 298
    assert 0 <= tokens["total"] - sum(texts) <= 2 * len(rows)
