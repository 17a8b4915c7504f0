"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable, Iterable

import psutil
from PySide6.QtCore import QCoreApplication

LIMIT_S = 120.0  # beside other tests: alone it takes moments
PAUSE_S = 0.02


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(PAUSE_S)


def is_alive(process: psutil.Process) -> bool:
    """Whether it has not ended; one that nobody has asked for its status yet has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # between the two looks
        return False


def wait_for_ends(processes: Iterable[psutil.Process]) -> None:
    """Wait until they have ended by themselves; fails after LIMIT_S."""
    for process in processes:
        wait_until(lambda process=process: not is_alive(process))


def process_until(condition: Callable[[], object]) -> None:
    """Let Qt work until then, half of LIMIT_S at most, and leave the processor to what is waited for meanwhile."""
    until = time.monotonic() + LIMIT_S / 2
    while not condition() and time.monotonic() < until:
        QCoreApplication.processEvents()
        time.sleep(0.001)
