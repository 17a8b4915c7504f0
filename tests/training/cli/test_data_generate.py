"""`kotae data generate` and `kotae data review`: whole commands with the fake engine, interrupted and gone on with."""

import json
import signal
import sys
from pathlib import Path

import openpyxl
import pytest

from app import cli as main
from app.base.confidentiality import Label
from app.inference import reply_journal
from app.training.cli import data_generate
from tests import model_files as models
from tests.base.cli.processes import Start, ended
from tests.command_fixtures import Kotae
from tests.training.generation.collection import library_of
from tests.training.services.test_generation import section
from tests.waiting import wait_until


def prepared(folder: Path, count: int, label: Label = "internal") -> tuple[str, ...]:
    """A data folder with `count` passages, and the options that name a model which the fake engine takes."""
    (folder / "データ").mkdir()
    sections = [section(at) for at in range(count)]
    library_of(folder / "データ" / "documents.sqlite", {"基準.md": sections}, label).close()
    model = models.tiny_llama(folder / "モデル.gguf", metadata={"llama.context_length": 8192})
    return ("data", "generate", "基準", "--model", str(model), "--out", str(folder / "組.jsonl"))


def test_pairs_are_made_reviewed_and_read_as_training_data(
    kotae: Kotae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_generate, "LINE_S", 0)  # a log gets a line now and then
    command = prepared(tmp_path, 2)
    status, result, log = kotae(*command, "--n", "2")
    assert status == 0, log
    first, second = log.splitlines()[1:3]  # behind what is said of small models
    assert first.startswith("「基準」の 2 か所から質問と回答を作り、採点します（目標 2 組。")
    assert second == "採用 0／2 組　問い合わせ 0／2"
    lines = [line for line in log.splitlines() if line.startswith("採用 ")]
    assert [line.split("　")[1][:9] for line in lines[:3]] == [f"問い合わせ {done}／2" for done in range(3)]
    assert (result["asked"], result["accepted"], result["rejected"], result["label"]) == (2, 2, {}, "internal")
    assert (result["passages"], result["sections"]) == (2, 2)
    out, table, kept = (tmp_path / name for name in ("組.jsonl", "組.xlsx", "確認済み.jsonl"))
    before = out.read_bytes()
    status, result, _ = kotae("data", "review", str(out), "--out", str(table))
    assert (status, result["pairs"]) == (0, 2)
    book = openpyxl.load_workbook(table)
    book.worksheets[0]["A2"] = "採用"
    book.save(table)
    status, result, _ = kotae("data", "review", str(table), "--out", str(kept))
    assert status == 0
    assert [result[key] for key in ("total", "kept", "accepted", "rejected", "undecided")] == [2, 1, 1, 0, 1]
    assert out.read_bytes() == before
    status, result, _ = kotae("data", "check", str(kept))
    assert (status, result["rows"], result["bad"]) == (0, 1, [])


def test_too_few_pairs_are_told_with_the_reasons(
    kotae: Kotae, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = prepared(tmp_path, 2)
    assert main.main([*command, "--n", "3"], lambda *_: 0) == 1
    said = capfd.readouterr().out
    assert "2 か所から、3 組のうち 2 組を採用しました" in said
    assert "ほかの質問とほとんど同じ：1" in said
    assert "kotae data review" in said
    assert "--model" in said


@pytest.mark.skipif(sys.platform == "win32", reason="a console event goes to the whole group")
def test_ctrl_c_keeps_what_was_replied_and_the_same_command_goes_on(start: Start, tmp_path: Path) -> None:
    command = (*prepared(tmp_path, 4), "--n", "4", "--json")
    journal = tmp_path / "組.jsonl.kotae-generate"
    process = start(*command)
    wait_until(lambda: len(reply_journal.read(journal)) > 1)
    process.send_signal(signal.SIGINT)
    status, result, told = ended(process)
    assert (status, result["state"], result["out"], result["wanted"]) == (130, "waiting", None, 4), told
    before = set(reply_journal.read(journal))
    assert result["replies"] == len(before)
    assert not (tmp_path / "組.jsonl").exists()
    status, result, told = ended(start(*command))
    assert f"前回の返答が {len(before)} 件あります。" in told
    assert (result["asked"], result["accepted"] + sum(result["rejected"].values())) == (5, 5), told
    assert before
    assert not journal.exists()


def test_what_cannot_be_is_said_before_anything_is_asked(kotae: Kotae, tmp_path: Path) -> None:
    command = prepared(tmp_path, 1, "secret")
    (tmp_path / "有.jsonl").write_text("大切な行", "utf-8")
    for options, code in (
        (command, "secret_export"),
        ((*command[:-1], str(tmp_path / "有.jsonl")), "export_exists"),
        ((*command[:-1], str(tmp_path / "組.xlsx")), "generation_out_format"),
        ((*command, "--n", "0"), "bad_option"),
        (("data", "generate", "規準", *command[3:]), "unknown_collection_near"),
        (("data", "review", str(tmp_path / "有.jsonl"), "--out", str(tmp_path / "b.jsonl")), "review_format"),
        (("data", "review", str(tmp_path / "ない.xlsx"), "--out", str(tmp_path / "b.jsonl")), "review_rows_missing"),
        (("data", "review", str(tmp_path / "有.jsonl"), "--out", str(tmp_path / "b.csv")), "review_rows_unreadable"),
    ):
        status, result, told = kotae(*options)
        assert (status in (2, 3), result["error"]["code"]) == (True, code)
        assert told.count("。") >= 2
    assert (tmp_path / "有.jsonl").read_text("utf-8") == "大切な行"
    assert not (tmp_path / "データ" / "exports.log").exists()


def test_confidential_pairs_are_made_and_reviewed_with_a_yes_only_and_stay_confidential(
    kotae: Kotae, tmp_path: Path
) -> None:
    command = prepared(tmp_path, 1, "secret")
    status, result, told = kotae(*command, "--n", "1", "--allow-secret")
    assert (status, result["label"]) == (0, "secret"), told
    (row,) = map(json.loads, (tmp_path / "組.jsonl").read_text("utf-8").splitlines())
    assert row["provenance"]["label"] == "secret"
    pairs, table, kept = (tmp_path / name for name in ("組.jsonl", "組.xlsx", "確認済み.jsonl"))
    for source, out in ((pairs, table), (table, kept)):
        status, result, _ = kotae("data", "review", str(source), "--out", str(out))
        assert (status, result["error"]["code"], out.exists()) == (3, "secret_export", False)
        assert kotae("data", "review", str(source), "--out", str(out), "--allow-secret")[0] == 0
        if out == table:
            book = openpyxl.load_workbook(table)
            book.worksheets[0]["A2"] = "採用"
            book.save(table)
    noted = map(json.loads, (tmp_path / "データ" / "exports.log").read_text("utf-8").splitlines())
    targets = [str(pairs), str(table), str(kept)]
    assert [(one["what"], one["label"], one["target"]) for one in noted] == [("pairs", "secret", at) for at in targets]
    status, result, _ = kotae("eval", "sets", "add", "組", str(kept), "--label", "公開")
    assert (status, result["label"]) == (0, "secret")
