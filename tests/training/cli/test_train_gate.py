"""What `kotae train gate` says while it measures."""

import pytest
from PySide6.QtCore import QCoreApplication

from app.base.cli.commands import Output
from app.models.artifact_steps import StepProgress
from app.training.cli import train_runs
from app.training.services.gate_run import GateRun


def test_a_log_gets_one_line_a_step(capsys: pytest.CaptureFixture[str], qapp: QCoreApplication) -> None:
    run = GateRun(None)  # type: ignore[arg-type]
    judging = train_runs._GateProgressOutput(run, Output(is_json=True))
    for number, done in ((1, 0), (1, 50), (1, 100), (2, 0), (2, 70)):
        run.progressed.emit(StepProgress("score", ("base", "Q8_0")[number - 1], done, 100, number, 8))
    assert judging.gate is None
    run.deleteLater()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "評価しています（1/8）：元のモデル の測定",
        "評価しています（2/8）：組み込み済みの Q8_0 の測定",
    ]
