"""What `kotae train gate` says while it measures."""

import pytest
from PySide6.QtCore import QCoreApplication

from app.base.cli.commands import Output
from app.models.artifact_steps import StepProgress
from app.models.services.artifact_session import ArtifactSession
from app.training.cli import train_runs
from app.training.services.gate_run import GateRun


def test_a_log_gets_one_line_a_step(capsys: pytest.CaptureFixture[str], qapp: QCoreApplication) -> None:
    run, output = GateRun(None), Output(is_json=True)  # type: ignore[arg-type]
    session = ArtifactSession(run, output, train_runs.gate_lines(output).show)
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
