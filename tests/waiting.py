"""Waiting for what another process does."""

import time
from collections.abc import Callable

LIMIT_S = 120.0  # beside other tests: alone it takes moments
PAUSE_S = 0.02


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(PAUSE_S)
