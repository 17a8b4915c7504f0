"""Keep the machine awake during a run. Standard library only.

If the system does not support it (no systemd, a container), the run continues without it and without a message.
"""

import contextlib
import ctypes
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

_ES_SYSTEM_REQUIRED, _ES_CONTINUOUS = 0x00000001, 0x80000000  # constants of winbase.h
_END_LIMIT_S, _TRY_LIMIT_S = 5.0, 2.0


@functools.cache
def can_keep_awake() -> bool:
    """Return whether this system can be kept awake. Closing the lid still sends it to sleep.

    On Linux an inhibitor is taken for a moment, because systemd may be missing, not running (a container) or refuse
    it. That takes some milliseconds, once, and at most two seconds.
    """
    if sys.platform in ("win32", "darwin"):
        return True
    try:
        tried = subprocess.run(
            [*_inhibit("a test"), "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRY_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def _inhibit(reason: str) -> list[str]:
    """Return the beginning of a command that keeps a Linux system awake while it runs."""
    return ["systemd-inhibit", "--what=sleep:idle", "--who=Kotae", f"--why={reason}", "--mode=block"]


@contextlib.contextmanager
def keep_awake(reason: str) -> Iterator[None]:
    """Keep the machine awake until the block or this process ends. `reason`: a text that the system may show."""
    if sys.platform == "win32":
        with _thread_state():
            yield
    elif sys.platform == "darwin":
        with _helper_process(["caffeinate", "-i", "-w", str(os.getpid())]):
            yield
    else:
        with _helper_process([*_inhibit(reason), "cat"]):
            yield


@contextlib.contextmanager
def _helper_process(command: list[str]) -> Iterator[None]:
    """Run a helper process whose input closes when this process ends, because no other process holds that pipe."""
    try:
        # Its own session keeps the helper alive after Ctrl+C in the terminal, until the run has paused.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        yield
        return
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        try:
            process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _thread_state() -> Iterator[None]:
    """Prevent Windows from sleeping while the block runs. Windows also resets this when the thread ends."""
    kernel32: Any = vars(ctypes)["windll"].kernel32
    kernel32.SetThreadExecutionState(_ES_CONTINUOUS | _ES_SYSTEM_REQUIRED)
    try:
        yield
    finally:
        kernel32.SetThreadExecutionState(_ES_CONTINUOUS)
