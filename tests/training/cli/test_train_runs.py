"""`kotae train run` and what follows, as whole programs with a fake trainer; and `kotae ask` with a run's adapter."""

import dataclasses
import json
import os
import pty
import re
import signal
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from app import cli as main
from app.base.bootstrap import ConfidenceInterval
from app.training import quality_gate
from app.training.quality_gate import BASE, FormRow, GateReason, GateResult
from app.training.runs import run_folders
from tests import fake_trainer
from tests import model_files as models
from tests.base.cli.processes import Start
from tests.command_fixtures import Kotae, read_all
from tests.training.cli.conftest import LATE_STEP, STEP, Wait
from tests.waiting import wait_for_ends, wait_until

CHANGE = ConfidenceInterval(-0.5, -0.6, -0.4, 40)


def test_data_and_base_are_trained_and_the_adapter_answers(
    kotae: Kotae, trained: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    assert trained["state"] == "finished"
    assert trained["id"].endswith("-点検")
    assert trained["best_loss"] < trained["base_loss"]
    assert Path(trained["adapter"]).is_file()
    _, listed, _ = kotae("train", "list")
    assert [run["id"] for run in listed["runs"]] == [trained["id"]]
    _, shown, _ = kotae("train", "show", "点検")
    assert shown["settings"]["rank"] == 16
    status, answer, log = kotae("ask", "橋脚は？", "--adapter", trained["id"])
    assert (status, answer["verdict"]) == (0, "answered"), log
    assert not list(tmp_path.glob("データ/models/*"))  # the base that the run had recorded
    assert answer["adapter"] == "点検"
    _, half, _ = kotae("ask", "橋脚は？", "--adapter", f"{trained['id']}:0.5")
    assert half["adapter"] == "点検:0.5"
    _, alone, _ = kotae("ask", "橋脚は？", "--adapter", "none", "--model", str(base))
    assert (alone["adapter"], "adapter" in alone) == (None, True)
    status, wrong, _ = kotae("ask", "橋脚は？", "--adapter", f"{trained['id']}:強")
    assert (status, wrong["error"]["code"]) == (2, "bad_option")
    assert "強" in wrong["error"]["message"]


def test_an_adapter_is_trained_further(kotae: Kotae, trained: dict[str, Any], command: tuple[str, ...]) -> None:
    wishes = (*command[2:], "--adapter", "点検", "--name", "続き")
    status, found, log = kotae("train", "run", *wishes)
    assert (status, found["state"], found["went_on_from"]) == (0, "finished", "点検"), log
    _, shown, _ = kotae("train", "show", trained["id"])
    assert (shown["went_on_from"], shown["settings"]["rank"]) == (None, 16)
    assert kotae("train", "remove", trained["id"])[0] == 0  # what it went on from lies in its own folder
    assert kotae("train", "show", "続き")[1]["went_on_from"] == "点検"
    status, refused, _ = kotae("train", "plan", *wishes)
    assert (status, refused["error"]["code"]) == (3, "run_unknown")


def test_what_is_told_on_the_way_is_a_line_each_and_time_by_the_clock_and_by_the_steps(
    kotae: Kotae, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake_trainer.use(monkeypatch, "good")
    for language, evaluation, ended in (
        ("ja", "12 ステップの検証損失 1.702（これまでで最良）", "決めたステップ数まで学習しました"),
        ("en", "Step 12: validation loss 1.702 (best so far)", "Training reached its step limit"),
    ):
        main.main([*command, "--lang", language], lambda *_: 0)
        out, log = capfd.readouterr()
        assert evaluation in log.splitlines()
        assert out.startswith(ended)
        assert "\x1b" not in log  # nobody looks: nothing is drawn over
        assert language == "ja" or not re.search("ました|ます|です", out + log)
        assert language == "en" or re.search("ステップの計算に .* 秒", out)
        assert language == "en" or re.search("^かかった時間：.* 秒（読み込み、検証、保存を含む）$", out, re.MULTILINE)


def test_a_terminal_sees_each_step(start: Start, command: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    seen: list[bytes] = []
    process = start(*command, stderr=theirs)
    os.close(theirs)
    reader = threading.Thread(target=read_all, args=(ours, seen))
    reader.start()
    process.communicate(timeout=60)
    reader.join()
    os.close(ours)
    text = b"".join(seen).decode()
    for shown in ("12/12 ステップ", "812 トークン/秒", "モデルを読み込んでいます"):
        assert shown in text


def test_ctrl_c_pauses_and_the_run_goes_on(
    start: Start, kotae: Kotae, data: Path, base: Path, tmp_path: Path, wait_for: Wait
) -> None:
    spec = tmp_path / "設定.json"
    spec.write_text(json.dumps({"data": "点検", "base": base.name, "max_steps": 30}), encoding="utf-8")
    process = start("train", "run", str(spec), "--name", "橋梁", "--json", trainer="slow")
    wait_for(STEP)
    process.send_signal(signal.SIGINT)
    out, log = process.communicate(timeout=60)
    paused = json.loads(out)
    assert (process.returncode, paused["state"]) == (130, "paused")
    assert "一時停止します" in log
    status, result, log = kotae("train", "resume", "橋梁")
    assert (status, result["state"], result["step"]) == (0, "finished", 30), log
    assert f"{paused['step']} ステップから続けます" in log
    status, result, _ = kotae("train", "resume", "橋梁")
    assert (status, result["error"]["code"]) == (3, "run_is_finished")


def listed_states(kotae: Kotae) -> list[str]:
    _, listed, _ = kotae("train", "list")
    return [run["state"] for run in listed["runs"]]


def test_ctrl_c_in_a_terminal_pauses_however_early_it_comes(
    start: Start, kotae: Kotae, command: tuple[str, ...]
) -> None:
    """A terminal sends it to all processes in front."""
    process = start(*command, start_new_session=True, trainer="slow")
    assert process.stderr.readline().startswith("学習 ")
    wait_until(lambda: bool(psutil.Process(process.pid).children()))
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert (process.returncode, listed_states(kotae)) == (130, ["paused"])


def test_ctrl_c_twice_ends_it_at_once(start: Start, kotae: Kotae, command: tuple[str, ...], wait_for: Wait) -> None:
    process = start(*command, trainer="silent")
    wait_for(LATE_STEP)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    assert any("もう一度 Ctrl+C" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "kotae train resume" in log
    wait_for_ends(children)
    assert listed_states(kotae) == ["crashed"]


def test_a_killed_program_leaves_a_run_that_goes_on(
    start: Start, kotae: Kotae, command: tuple[str, ...], tmp_path: Path, wait_for: Wait
) -> None:
    process = start(*command, trainer="slow")
    wait_for(STEP)
    process.kill()
    process.communicate()
    (run,) = (tmp_path / "データ" / "runs").iterdir()
    wait_until(lambda: run_folders.read(run).state != "running")
    assert run_folders.read(run).state == "paused"  # the trainer has seen that nobody listens any more
    status, result, log = kotae("train", "resume", run.name)
    assert (status, result["state"]) == (0, "finished"), log


def test_a_failure_is_one_sentence(kotae: Kotae, command: tuple[str, ...]) -> None:
    status, result, log = kotae(*command, trainer="crash")
    assert (status, result["error"]["code"]) == (3, "run_crashed")
    assert result["error"]["message"] in log.splitlines()[-1]


def test_a_removed_run_is_gone_with_its_converted_base(kotae: Kotae, trained: dict[str, Any], tmp_path: Path) -> None:
    converted = tmp_path / "データ" / "bases" / ("a" * 16)
    converted.mkdir(parents=True)
    (converted / "weights").write_bytes(bytes(1_000_000))
    status, result, log = kotae("train", "remove", trained["id"])
    assert (status, result["freed_bytes"] > 1_001_000) == (0, True)
    assert "1.0 MB" in log
    assert (Path(trained["folder"]).exists(), converted.exists()) == (False, False)
    assert listed_states(kotae) == []


def test_an_adapter_of_another_model_is_refused(kotae: Kotae, trained: dict[str, Any], tmp_path: Path) -> None:
    other = models.tiny_llama(tmp_path / "other.gguf", seed=2)
    status, result, _ = kotae("ask", "?", "--adapter", trained["id"], "--model", str(other))
    assert (status, result["error"]["code"]) == (3, "adapter_other_base")


def test_a_report_is_shown_with_the_command_that_uses_the_result_and_a_rejected_one_is_a_no(
    kotae: Kotae, trained: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    def printed(*arguments: str) -> str:
        main.main([*arguments], lambda *_: 0)
        return capfd.readouterr().out

    got, result, _ = kotae("train", "report", trained["id"])
    assert (got, result["error"]["code"]) == (3, "gate_missing")
    row = FormRow("Q6_K", 300_000_000, 400_000_000, True, 1.5, *[None] * 7, 10.0)
    reason = GateReason("few_examples", "check", {"count": 1, "least": 20})
    gate = GateResult(
        "adopt", "Q6_K", (reason,), 8 << 30, "f32", 2.0, 1.5, CHANGE, 0, 0, None,
        (dataclasses.replace(row, form=BASE), row), (), file="bridge-Q6_K.gguf",
    )  # fmt: skip
    folder = Path(trained["folder"])
    for verdict, status, word in (("adopt", 0, "採用"), ("check", 0, "要確認"), ("reject", 1, "不採用")):
        quality_gate.write_gate(dataclasses.replace(gate, verdict=verdict), folder)
        got, result, _ = kotae("train", "report", trained["id"])
        proposed = None if verdict == "reject" else "Q6_K"
        assert (got, result["verdict"], result["proposed"]) == (status, verdict, proposed)
        assert "20" in result["reasons"][0]["text"]
        assert Path(result["report"]).read_text("utf-8").startswith("<!doctype html>")
        assert kotae("train", "list")[1]["runs"][0]["verdict"] == verdict
        out = printed("train", "report", trained["id"])
        assert f"判定：{word}" in out
        assert (f'kotae ask "質問" --model {folder / "bridge-Q6_K.gguf"}' in out) == ("kotae ask" in out)
        assert ("kotae ask" in out, "使わないでください" in out) == (verdict != "reject", verdict == "reject")
        assert verdict != "reject" or "おすすめの形" not in out
        assert f"完了 ({word})" in printed("train", "list")


def test_a_run_without_rows_that_were_kept_back_has_a_report_all_the_same(kotae: Kotae, data: Path, base: Path) -> None:
    asked = {"base": str(base), "train": str(data / "train.jsonl"), "validation": str(data / "validation.jsonl")}
    (data / "run.json").write_text(json.dumps(asked), encoding="utf-8")
    _, trained, _ = kotae("train", "run", str(data / "run.json"))
    status, result, _ = kotae("train", "gate", trained["id"])
    assert (status, result["error"]["code"]) == (3, "gate_no_holdout")
    status, result, _ = kotae("train", "report", trained["id"])
    assert (status, result["verdict"]) == (0, None)
    assert "評価していません" in Path(result["report"]).read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["train"], 2, "usage"),
        (["train", "run"], 2, "usage"),
        (["train", "run", "--data", "x"], 2, "usage"),
        (["train", "run", "--preset", "quick"], 2, "usage"),
        (["train", "run", "none.json"], 3, "spec_not_found"),
        (["train", "run", "."], 3, "spec_unreadable"),
        (["train", "run", "--data", "/none", "--base", "/none"], 3, "split_unusable"),
        (["train", "run", "--data", "", "--base", ""], 2, "usage"),
        (["train", "resume"], 2, "usage"),
        (["train", "resume", "none"], 3, "run_unknown"),
        (["train", "show", ""], 2, "usage"),
        (["train", "gate", "none"], 3, "run_unknown"),
        (["train", "report", "../.."], 3, "run_unknown"),
        (["train", "remove", "/"], 3, "run_unknown"),
        (["train", "remove", "."], 3, "run_unknown"),
        (["ask", "?", "--adapter", ""], 2, "usage"),
        (["ask", "?", "--adapter", "none:0.5"], 3, "adapter_unknown"),
        (["ask", "?", "--adapter", "none:9"], 2, "bad_option"),
        (["ask", "?", "--adapter", "none:強"], 3, "adapter_unknown"),
        (["ask", "?", "--model", "starter"], 3, "base_starter_missing"),
    ],
)
def test_nonsense_gets_one_sentence_and_the_next_step(
    kotae: Kotae, arguments: list[str], status: int, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    got, result, log = kotae(*arguments)
    error = result["error"]
    assert (got, error["code"]) == (status, code)
    assert error["message"] in log
    assert error["next"]
