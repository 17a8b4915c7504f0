"""Kotae's programs as processes forked from one that has loaded its modules, which is most of the work of a start.

A forked process is a child of the process of tests, as one that `subprocess` starts. A program that gets other switches
of Python or of the C library, or something in front of its command, is started as usual, and so is each one while no
server runs.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# Variables that are read before a fork.
_AT_LOADING = ("PYTHON", "LC_", "LANG", "LD_", "OPENBLAS_", "QT_LOGGING_", "GGML_", "LLAMA_", "CUDA_")
_SET_CHILD_SUBREAPER = 36  # of prctl
_ARGUMENTS = 21  # of Popen._execute_child in Python 3.11 to 3.13, after the first two
_lock = threading.Lock()
_server: socket.socket | None = None
_own: dict[str, str] = {}


class Program(subprocess.Popen[Any]):
    """`Program([sys.executable, "-m", MODULE, ...], ...)`: forked, if it can be."""

    def _execute_child(self, args: Any, executable: Any, *rest: Any) -> None:
        if len(rest) != _ARGUMENTS:  # of a later Python, whose own module knows them
            super()._execute_child(args, executable, *rest)  # type: ignore[misc]
            return
        (
            preexec_fn, close_fds, pass_fds, cwd, env, _startup, _flags, shell, input_fd, input_end, output_end,
            output_fd, error_end, error_fd, restore_signals, gid, gids, uid, umask, new_session, group,
        ) = rest  # fmt: skip
        plain = (None, True, (), False, True, None, None, None, -1)
        given = (preexec_fn, close_fds, pass_fds, shell, restore_signals, gid, gids, uid, group)
        values = os.environ if env is None else env
        if _server is None or given != plain or args[:2] != [sys.executable, "-m"] or _at_loading(values) != _own:
            super()._execute_child(args, executable, *rest)  # type: ignore[misc]
            return
        import resource  # where processes are forked

        request = {
            "argv": list(map(str, args[2:])), "env": dict(values), "cwd": os.fspath(cwd or "."), "umask": umask,
            "session": new_session, "core": resource.getrlimit(resource.RLIMIT_CORE),
        }  # fmt: skip
        ends = [end if end != -1 else number for number, end in enumerate((input_fd, output_fd, error_fd))]
        with _lock:
            _adopt(True)
            socket.send_fds(_server, [json.dumps(request).encode()], ends)
            self.pid = int(_server.recv(16))
            _server.recv(1)  # what stood between it and this process has ended
            _adopt(False)
        self._child_created = True
        self._close_pipe_fds(input_fd, input_end, output_end, output_fd, error_end, error_fd)  # type: ignore[attr-defined]


def run(command: Sequence[str], *, timeout: float, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Until it ends; text, as `subprocess.run(..., capture_output=True)`."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with Program(command, **pipes, **options) as process:
        try:
            out, log = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess(command, process.returncode, out, log)


def _at_loading(values: Mapping[str, str]) -> dict[str, str]:
    found = {name: value for name, value in values.items() if name.startswith(_AT_LOADING)}
    found.pop("PYTHONPATH", None)  # the one of them that a forked process can take over
    return found


def _adopt(is_on: bool) -> None:
    """Whether a grandchild whose parent ends becomes a child of this process."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(is_on), 0, 0, 0)


@pytest.fixture(scope="session", autouse=True)
def program_server() -> Iterator[None]:
    """Let programs be forked, where the system can; it loads them when the first one is asked for."""
    global _server, _own
    if sys.platform != "linux":
        yield
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    _own = _at_loading(os.environ)
    command = [sys.executable, "-m", "tests.program_server", str(theirs.fileno())]
    with ours, subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL) as process:
        theirs.close()
        _server = ours
        try:
            yield
        finally:
            _server = None
            ours.close()
            process.wait()
