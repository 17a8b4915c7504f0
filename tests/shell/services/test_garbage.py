"""Cycles with Qt objects go on the thread of the window, and only from its event loop."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.shell.services import housekeeping
from app.shell.services.housekeeping import GarbageCollector


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Iterator[QObject]:
    monkeypatch.setattr(housekeeping, "COLLECT_EVERY_MS", 20)
    owner = QObject()
    gc.enable()  # as in a program that has none
    yield owner
    gc.enable()


def abandoned() -> list[int]:
    """A Qt object that only a cycle holds. The list names the thread on which it went."""
    gc.collect()  # what has been made so far does not fill a generation just now
    gone: list[int] = []
    one = QObject()
    one.itself = one  # type: ignore[attr-defined]
    weakref.finalize(one, lambda: gone.append(threading.get_ident()))
    return gone


def fill_generations() -> None:
    for _ in range(200):
        keep = [[number] for number in range(5000)]
    del keep


def test_a_qt_object_in_a_cycle_goes_on_the_thread_of_the_window(owner: QObject, qtbot: QtBot) -> None:
    GarbageCollector(owner)
    gone = abandoned()
    other = threading.Thread(target=fill_generations)
    other.start()
    other.join()
    assert gone == []
    kept = [[number] for number in range(5000)]
    qtbot.waitUntil(lambda: gone != [])
    assert gone == [threading.get_ident()]
    assert len(kept) == 5000


def test_without_it_another_thread_destroys_them(owner: QObject) -> None:
    """What it is for: if this no longer happens, it is no longer needed."""
    gone = abandoned()
    other = threading.Thread(target=fill_generations)
    other.start()
    other.join()
    assert gone == [other.ident]


def test_python_collects_again_when_it_is_gone(owner: QObject) -> None:
    collector = GarbageCollector(owner)
    assert not gc.isenabled()
    shiboken6.delete(collector)
    assert gc.isenabled()
