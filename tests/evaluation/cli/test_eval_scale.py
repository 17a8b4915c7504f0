"""`kotae eval scale`: planned, trained by a fake trainer, and told; what cannot be compared is refused first."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.base.paths import locate
from app.evaluation.study import studies
from app.inference import speed
from app.inference.speed import MachineSpeed
from tests import model_files as models
from tests.base.cli.processes import Start, ended
from tests.command_fixtures import Kotae
from tests.waiting import wait_for_ends, wait_until


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "点検.jsonl"
    made = [{"instruction": f"{n * 7919 % 10_007:x} は？", "output": f"{n * 104_729 % 99_991:x}"} for n in range(120)]
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return path


def scale(kotae: Kotae, rows: Path, base: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    return kotae("eval", "scale", str(rows), "--base", str(base), *arguments)


def test_sizes_are_trained_and_each_is_asked_the_questions(kotae: Kotae, rows: Path, tmp_path: Path) -> None:
    base = models.tiny_llama(tmp_path / "モデル.gguf", metadata={"llama.context_length": 4096})
    questions = tmp_path / "質問.jsonl"
    questions.write_text('{"question": "許容値は？", "answer": "180"}', encoding="utf-8")
    given = ("--sizes", "20,60", "--seeds", "1", "--questions", str(questions), "--name", "量の研究")
    status, found, told = scale(kotae, rows, base, *given)
    assert status == 0, told
    assert "3 回学習します（20、60 行）" in told
    assert [one["name"].partition(" + ")[2] for one in found["systems"]] == ["", "学習用 20 行", "学習用 60 行"]
    assert "データを増やすと、まだ良くなります" in found["advice"][0]
    assert Path(found["report"]).is_file()
    (entry,) = studies.list_all(locate(str(tmp_path / "データ")).evaluations)
    assert entry.study is not None
    assert (entry.study.name, entry.state) == ("量の研究", "finished")
    assert [(one.rows, one.is_control) for one in entry.study.trainings] == [(20, False), (60, False), (20, True)]


def test_rows_that_no_question_set_could_hold_are_trained_on_all_the_same(
    kotae: Kotae, base: Path, tmp_path: Path
) -> None:
    path = tmp_path / "計算.jsonl"
    made = [{"instruction": f"{n * 7919 % 10_007} × {n} = ?", "output": f"{n * 104_729 % 99_991}"} for n in range(120)]
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    status, found, told = scale(kotae, path, base, "--sizes", "20,60", "--seeds", "1", "--no-control")
    assert status == 0, told
    assert Path(found["report"]).is_file()
    again = scale(kotae, path, base, "--sizes", "20,60", "--seeds", "1", "--no-control")[1]
    assert (found["name"], again["name"]) == ("計算", "計算（2）")
    assert kotae("eval", "show", "計算")[1]["id"] == found["id"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT")
@pytest.mark.parametrize(("trainer", "times"), [("slow", 1), pytest.param("silent", 2, marks=pytest.mark.slow)])
def test_a_training_that_is_interrupted_leaves_no_process_and_goes_on(
    start: Start, kotae: Kotae, rows: Path, base: Path, tmp_path: Path, trainer: str, times: int
) -> None:
    where = locate(str(tmp_path / "データ"))
    where.data.mkdir(exist_ok=True)
    speed.save(where.data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))
    asked = ("--sizes", "20,60", "--seeds", "1", "--no-control", "--name", "量の研究", "--json")
    process = start("eval", "scale", str(rows), "--base", str(base), *asked, trainer=trainer, start_new_session=True)
    wait_until(
        lambda: any(b'"step"' in one.read_bytes() for one in where.evaluations.glob("*/runs/20-seed42/events.jsonl"))
    )
    trainers = psutil.Process(process.pid).children()
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        time.sleep(0.5)
    status, told, said = ended(process)
    assert (status, told["state"]) == (130, "waiting")
    assert said.count("もう一度 Ctrl+C を押すと、保存せずに止めます") == 1
    assert "QProcess" not in said
    wait_for_ends(trainers)
    status, found, log = kotae("eval", "resume", "量の研究")
    assert status == 0, log
    assert Path(found["report"]).is_file()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--sizes", "60,20"), "scale_sizes_order"),
        (("--sizes", "20,x"), "bad_option"),
        (("--seeds", "0"), "bad_option"),
    ],
)
def test_what_cannot_be_compared_is_refused_and_leaves_nothing(
    kotae: Kotae, rows: Path, base: Path, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    status, found, _ = scale(kotae, rows, base, *arguments)
    assert (status in (2, 3), found["error"]["code"]) == (True, code)
    assert studies.list_all(locate(str(tmp_path / "データ")).evaluations) == []
