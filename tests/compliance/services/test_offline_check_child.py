"""The check as the window asks for it: progress, the outcome, and an end that leaves nothing behind."""

import sys
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.compliance.offline_check.records import STAGES, CheckOutcome
from app.compliance.services.offline_check import OfflineCheck
from tests.compliance import check_results
from tests.forked_program import ROOT

LIMIT_MS = 300_000


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the check works."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(folder))
    return folder


@pytest.fixture
def check(qtbot: QtBot, where: Paths, temporary: Path) -> OfflineCheck:
    return OfflineCheck(where)


def test_it_tells_how_far_it_is_and_leaves_a_page_beside_the_one_before(check: OfflineCheck, qtbot: QtBot) -> None:
    assert not check.report_path.exists()
    before = check.report_path.with_name("kotae-offline-check-20260102-030405.html")
    before.parent.mkdir(parents=True)
    before.write_text("前の報告書", "utf-8")
    assert check.report_path == before
    stages: list[str] = []
    check.stage_changed.connect(lambda stage, _done: stages.append(stage))
    with qtbot.waitSignal(check.finished, timeout=LIMIT_MS) as ended:
        check.start()
        assert check.is_running
    outcome = ended.args[0]
    assert isinstance(outcome, CheckOutcome)
    assert outcome.verdict in ("clean", "limited")
    assert outcome.title in Path(outcome.report).read_text("utf-8")
    assert Path(outcome.report).with_suffix(".cdx.json").is_file()
    assert check.report_path == Path(outcome.report) != before
    assert before.read_text("utf-8") == "前の報告書"
    assert [stage for stage in STAGES if stage != "answer"] == list(dict.fromkeys(stages))  # there is no model


def test_cancelled_it_ends_all_that_it_has_started(check: OfflineCheck, qtbot: QtBot, temporary: Path) -> None:
    with qtbot.waitSignal(check.stage_changed, timeout=LIMIT_MS, check_params_cb=lambda stage, _: stage == "search"):
        check.start()
    assert list(temporary.iterdir()) != []
    checking = psutil.Process(check._child.pid)
    family = [checking, *checking.children(recursive=True)]
    assert len(family) >= 2
    with qtbot.waitSignal(check.cancelled, timeout=LIMIT_MS):
        check.cancel()
    gone, alive = psutil.wait_procs(family, timeout=60)
    assert alive == [], gone
    qtbot.waitUntil(lambda: list(temporary.iterdir()) == [])
    assert not check.report_path.exists()


def test_it_can_be_started_again_after_a_child_that_died(check: OfflineCheck, qtbot: QtBot) -> None:
    with qtbot.waitSignal(check.stage_changed, timeout=LIMIT_MS):
        check.start()
    with qtbot.waitSignal(check.failed, timeout=LIMIT_MS) as failed:
        check._child.kill()
    error = failed.args[0]
    assert isinstance(error, AppError)
    assert error.code == "offline_check_broke"
    with qtbot.waitSignal(check.cancelled, timeout=LIMIT_MS):
        check.start()
        check.cancel()


def test_a_page_that_cannot_be_written_is_said(
    check: OfflineCheck, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    check._child.use_command([sys.executable, check_results.__file__])
    check.report_path.parent.write_text("ここに報告書のフォルダは作れない", "utf-8")
    with qtbot.waitSignal(check.failed, timeout=LIMIT_MS) as failed:
        check.start()
    assert failed.args[0].code == "offline_check_unwritable"
