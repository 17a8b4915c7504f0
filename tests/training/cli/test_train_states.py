"""`kotae train …`: what each command says of a run that goes on, ends, or is somebody else's."""

import dataclasses
import json
import os
import pty
import sys
import threading
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
from PySide6.QtCore import QCoreApplication

from app.base.cli.commands import Output
from app.models.artifact_steps import StepProgress
from app.models.services.artifact_session import ArtifactSession
from app.models.training_environment import TrainingEnvironment
from app.training.cli import train_runs
from app.training.runs.run_journal import RunStatus
from app.training.services import terminal_run
from app.training.services.gate_run import GateRun
from app.training.services.terminal_run import TerminalRun
from app.training.services.training_run import Trainer, TrainingRun
from tests import fake_trainer
from tests import model_files as models
from tests.base.cli.processes import Start
from tests.command_fixtures import Kotae, read_all
from tests.training.cli.conftest import LATE_STEP, STEP, Wait
from trainer.events import Phase, RunForecast, TrainingStep

ROOT = Path(__file__).parents[3]


def test_a_terminal_that_closes_pauses_the_run(
    kotae: Kotae, data: Path, base: Path, tmp_path: Path, wait_for: Wait
) -> None:
    variables = {"KOTAE_DATA_DIR": str(tmp_path / "データ")} | fake_trainer.variables("slow")
    (tmp_path / "設定.json").write_text(
        json.dumps({"data": str(data), "base": str(base), "max_steps": 300}), encoding="utf-8"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        command = [sys.executable, "-m", "app", "train", "run", str(tmp_path / "設定.json")]
        os.execve(command[0], command, os.environ | variables)
    reader = threading.Thread(target=read_all, args=(terminal, []), daemon=True)
    reader.start()
    wait_for(STEP)
    (trainer,) = psutil.Process(pid).children()
    os.close(terminal)
    os.waitpid(pid, 0)
    trainer.wait(120)
    _, listed, _ = kotae("train", "list")
    assert [run["state"] for run in listed["runs"]] == ["paused"]


def test_who_resumes_a_run_that_goes_on_is_told_nothing_else(
    start: Start, kotae: Kotae, command: tuple[str, ...], wait_for: Wait
) -> None:
    start(*command, trainer="silent")
    wait_for(LATE_STEP)
    for action in ("resume", "gate", "report", "remove"):
        status, result, log = kotae("train", action, "点検")
        assert (status, result["error"]["code"]) == (3, "run_busy")
        assert len(log.splitlines()) == 1, action


def test_what_another_machine_is_to_train_does_not_begin_here(
    kotae: Kotae, command: tuple[str, ...], tmp_path: Path
) -> None:
    status, job, log = kotae("train", "plan", *command[2:], "--job", str(tmp_path / "遠い PC"))
    assert status == 0, log
    _, listed, _ = kotae("train", "list")
    assert [run["state"] for run in listed["runs"]] == ["exported"]
    for action in ("resume", "gate", "report"):
        status, result, log = kotae("train", action, job["run"])
        assert (status, result["error"]["code"]) == (3, "run_exported"), action
        assert "遠い PC" in log
    assert not (Path(listed["runs"][0]["folder"]) / "events.jsonl").exists()


def test_a_run_whose_model_is_on_the_list_is_not_removed(kotae: Kotae, trained: dict[str, Any]) -> None:
    made = models.tiny_llama(Path(trained["folder"]) / "点検-Q6_K.gguf")
    _, added, _ = kotae("models", "import", str(made))
    status, result, log = kotae("train", "remove", trained["id"])
    assert (status, result["error"]["code"]) == (3, "run_has_model")
    assert f"kotae models remove {added['id']}" in log
    assert made.is_file()
    kotae("models", "remove", added["id"])
    assert kotae("train", "remove", trained["id"])[0] == 0


def test_a_job_belongs_to_the_plan(kotae: Kotae) -> None:
    status, result, _ = kotae("train", "run", "spec.json", "--job", "/my jobs")
    assert (status, result["error"]["code"]) == (3, "run_job_is_planned")
    assert "kotae train plan" in result["error"]["next"]


class Heard(Output):
    """What would be drawn on a terminal, and what is said."""

    lines: ClassVar[list[str]] = []

    def progress(self, key: str, **facts: Any) -> None:
        self.lines.append(self.phrase(key, **facts))

    def note(self, key: str, **facts: Any) -> None:
        self.lines.append(self.phrase(key, **facts))


@pytest.fixture
def heard() -> Heard:
    Heard.lines.clear()
    return Heard(is_json=False)


STANDING = RunStatus(step=TrainingStep(2, 12, 0.5, 1.25, 1e-4, 1.0, 50.0, 1, 90.0))


def test_a_label_does_not_outlive_what_it_names(tmp_path: Path, heard: Heard, qapp: QCoreApplication) -> None:
    run = TrainingRun(Trainer(TrainingEnvironment(Path(sys.executable), None), fake_trainer.FAKE), tmp_path)
    run.standing = STANDING
    TerminalRun(run, "x", heard, lambda: None)
    for name in ("saving", "training"):
        run.event_received.emit(Phase(name, 2, 12))
    saving, training = heard.lines
    assert saving == "途中の状態を保存しています…"
    assert training.startswith("2/12 ステップ、損失 1.250")
    assert training.endswith("、残り約 2 分（検証を含む）")
    run.deleteLater()


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("training", "いまのステップ（約 8 秒かかります）を終えて"),
        ("saving", "いまのステップ（約 8 秒かかります）を終えて"),
        ("evaluating", "検証をやめて保存し"),
        ("loading", "「モデルを読み込んでいます」が終わると"),
        ("exporting", "学習はもう終わっています"),
    ],
)
def test_what_a_pause_waits_for_is_said(heard: Heard, phase: str, words: str) -> None:
    forecast = RunForecast(1, 2, 7.721, 90.0, 1, is_measured=True)
    terminal_run.show_pausing(dataclasses.replace(STANDING, phase=Phase(phase), forecast=forecast), heard)
    (said,) = heard.lines
    assert words in said
    assert "もう一度 Ctrl+C" in said


def test_a_log_of_a_gate_gets_one_line_a_step(capsys: pytest.CaptureFixture[str], qapp: QCoreApplication) -> None:
    run, output = GateRun(None), Output(is_json=True)
    session = ArtifactSession(run, output, train_runs.gate_progress_lines(output).show)
    for number, done in ((1, 0), (1, 50), (1, 100), (2, 0), (2, 70)):
        run.progressed.emit(StepProgress("score", ("base", "Q8_0")[number - 1], done, 100, number, 8))
    assert session.result is None
    run.deleteLater()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "評価しています（1/8）：元のモデル の測定",
        "評価しています（2/8）：組み込み済みの Q8_0 の測定",
    ]
