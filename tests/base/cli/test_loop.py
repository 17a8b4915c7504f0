"""The loop of a command: it ends when it is told to, and with what a slot raised."""

import os
import signal
import subprocess
import sys

import pytest
from PySide6.QtCore import QCoreApplication, QTimer

from app.base.cli.loop import CommandEventLoop
from tests.base.cli.processes import ROOT
from tests.waiting import LIMIT_S


def test_it_ends_when_it_is_told_to(qapp: QCoreApplication) -> None:
    waiting = CommandEventLoop(lambda: None)
    QTimer.singleShot(0, waiting.stop)
    waiting.run()
    assert not waiting.was_interrupted


def test_an_interrupt_never_comes_in_the_middle_of_a_slot(qapp: QCoreApplication) -> None:
    told: list[str] = []

    def interrupt() -> None:
        told.append("interrupt")
        waiting.stop()

    def slot() -> None:
        told.append("begin")
        signal.raise_signal(signal.SIGINT)
        told.append("end")

    waiting = CommandEventLoop(interrupt)
    QTimer.singleShot(0, slot)
    waiting.run()
    assert told == ["begin", "end", "interrupt"]
    assert waiting.was_interrupted


def test_a_second_interrupt_does_not_wait(qapp: QCoreApplication) -> None:
    waiting = CommandEventLoop(lambda: None)
    for moment_ms in (0, 1):
        QTimer.singleShot(moment_ms, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        waiting.run()


def test_a_bug_in_a_slot_ends_it_and_is_raised(qapp: QCoreApplication) -> None:
    waiting = CommandEventLoop(lambda: None)

    def fail() -> None:
        raise ZeroDivisionError("a bug")

    QTimer.singleShot(0, fail)
    with pytest.raises(ZeroDivisionError):
        waiting.run()


@pytest.mark.parametrize("locale", ["C", "xx_XX.ISO-8859-1"])
def test_of_a_locale_that_is_none_qt_says_nothing(locale: str) -> None:
    code = "from app.base.cli.loop import core_application as application; app = application()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"LC_ALL": locale},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
