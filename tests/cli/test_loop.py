"""The loop of a command: it ends when it is told to, and with what a slot raised."""

import pytest
from PySide6.QtCore import QCoreApplication, QTimer

from app.cli.loop import Waiting


def test_it_ends_when_it_is_told_to(qapp: QCoreApplication) -> None:
    waiting = Waiting(lambda: None)
    QTimer.singleShot(0, waiting.stop)
    waiting.run()
    assert not waiting.was_interrupted


def test_a_bug_in_a_slot_ends_it_and_is_raised(qapp: QCoreApplication) -> None:
    waiting = Waiting(lambda: None)

    def fail() -> None:
        raise ZeroDivisionError("a bug")

    QTimer.singleShot(0, fail)
    with pytest.raises(ZeroDivisionError):
        waiting.run()
