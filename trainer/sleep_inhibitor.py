"""Keeps the machine from going to sleep while a run goes. Standard library only.

Where the system offers no help with that (no systemd, a container), the run goes on without it, and nothing is said.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

_ES_SYSTEM_REQUIRED, _ES_CONTINUOUS = 0x00000001, 0x80000000  # winbase.h
_END_LIMIT_S = 5.0


def can_keep_awake() -> bool:
    """Whether this system can be kept awake. A closed lid sends it to sleep all the same."""
    return sys.platform in ("win32", "darwin") or shutil.which("systemd-inhibit") is not None


@contextlib.contextmanager
def keep_awake(reason: str) -> Iterator[None]:
    """Awake until the block ends or this process does, however that is. `reason`: the system shows it to who asks."""
    if sys.platform == "win32":
        with _thread_state():
            yield
    elif sys.platform == "darwin":
        with _beside(["caffeinate", "-i", "-w", str(os.getpid())]):
            yield
    else:
        inhibit = ["systemd-inhibit", "--what=sleep:idle", "--who=Kotae", f"--why={reason}", "--mode=block"]
        with _beside([*inhibit, "cat"]):
            yield


@contextlib.contextmanager
def _beside(command: list[str]) -> Iterator[None]:
    """A process beside ours, whose input ends with us: nobody else holds our end of that pipe."""
    try:
        # A session of its own: Ctrl+C in the terminal pauses the run, and until it has paused we need it.
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
    """Windows forgets it with the thread."""
    kernel32: Any = vars(ctypes)["windll"].kernel32
    kernel32.SetThreadExecutionState(_ES_CONTINUOUS | _ES_SYSTEM_REQUIRED)
    try:
        yield
    finally:
        kernel32.SetThreadExecutionState(_ES_CONTINUOUS)
