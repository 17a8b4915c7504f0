"""The supervisor of the downloading child: silence, babble and a program that is not there."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.base import programs
from app.base.services import child_process
from app.models.download_queue import QueuedDownload, QueuedFile
from app.models.downloads.messages import NetworkAccess
from app.models.services.fetcher import Fetcher, FetchResult
from tests.models.downloads.hub import COMMIT, FILE, REPOSITORY, Content, Fault, Hub
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
LIMIT_MS = 60_000
CONTENT = Content(40_000_000)


def queued(hub: Hub) -> QueuedDownload:
    file = QueuedFile(FILE, FILE, CONTENT.size, hub.sha256)
    return QueuedDownload("1", "tiny", "小さなモデル", "F32", "", REPOSITORY, COMMIT, CONTENT.size, (file,))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path / "download.log"


def test_a_child_that_falls_silent_is_replaced_once(qtbot, log, tmp_path, monkeypatch, passed_s):
    monkeypatch.setattr(child_process, "WATCH_LATE_S", 3600.0)
    fetcher = Fetcher(programs.downloader_command(), log, silence_limit_s=300)
    ends: list[FetchResult] = []
    fetcher.ended.connect(ends.append)
    with Hub(CONTENT, Fault("slow", bytes_per_s=8 << 20)) as hub:
        with qtbot.waitSignal(fetcher.stepped, timeout=LIMIT_MS):
            fetcher.fetch(queued(hub), hub.place, tmp_path, NetworkAccess(), 0)
        first = fetcher.pid
        os.kill(first, signal.SIGSTOP)
        wait_until(lambda: psutil.Process(first).status() == psutil.STATUS_STOPPED)
        qtbot.wait(100)  # what it has said before
        passed_s[0] += 301.0
        qtbot.waitUntil(lambda: fetcher.pid not in (0, first), timeout=LIMIT_MS)
        hub.change(bytes_per_s=0)
        qtbot.waitUntil(lambda: len(ends) == 1, timeout=LIMIT_MS)
    assert ends == [FetchResult("done")]
    fetcher.stop_idle_child()


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        ([sys.executable, "-c", "print('hello', flush=True); input()"], "garbled"),
        ([sys.executable, "-c", 'print(\'{"type":"Hello","protocol":99,"pid":1}\', flush=True); input()'], "garbled"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "exit code 3"),
        (["/nowhere/kotae"], "/nowhere/kotae"),
    ],
)
def test_a_child_that_is_none_of_ours_is_a_failure_with_its_cause(command, detail, qtbot, log, tmp_path):
    fetcher = Fetcher(command, log)
    ends: list[FetchResult] = []
    fetcher.ended.connect(ends.append)
    with Hub(CONTENT) as hub:
        fetcher.fetch(queued(hub), hub.place, tmp_path, NetworkAccess(), 0)
        qtbot.waitUntil(lambda: len(ends) == 1, timeout=LIMIT_MS)
    assert ends[0].kind == "failed"
    assert ends[0].problem is not None
    assert ends[0].problem.code == "download_crashed"
    assert ends[0].problem.facts["detail"] == detail
