"""Kotae's programs as processes forked from one that has loaded its modules, which is most of the work of a start.

A forked process is a child of the process of tests, as one that `subprocess` starts. A program that gets other switches
of Python or of the C library, or something in front of its command, is started as usual, and so is each one while no
`server` runs.
"""

import ctypes
import gc
import json
import os
import random
import resource
import runpy
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_AT_LOADING = ("PYTHON", "LC_", "LANG", "LD_", "OPENBLAS_", "QT_LOGGING_")  # variables that are read before a fork
_SET_CHILD_SUBREAPER = 36  # of prctl
_SIZE = 1 << 18  # bytes of a request
_lock = threading.Lock()
_server: socket.socket | None = None
_own: dict[str, str] = {}


class Program(subprocess.Popen[Any]):
    """`Program([sys.executable, "-m", MODULE, ...], ...)`: forked, if it can be."""

    def _execute_child(self, args: Any, executable: Any, *rest: Any) -> None:
        (
            preexec_fn, close_fds, pass_fds, cwd, env, _startup, _flags, shell, input_fd, input_end, output_end,
            output_fd, error_end, error_fd, restore_signals, gid, gids, uid, umask, new_session, group,
        ) = rest  # fmt: skip
        plain = (None, True, (), False, True, None, None, None, False, -1)
        given = (preexec_fn, close_fds, pass_fds, shell, restore_signals, gid, gids, uid, new_session, group)
        values = os.environ if env is None else env
        if _server is None or given != plain or args[:2] != [sys.executable, "-m"] or _at_loading(values) != _own:
            super()._execute_child(args, executable, *rest)  # type: ignore[misc]
            return
        request = {
            "argv": list(map(str, args[2:])), "env": dict(values), "cwd": os.fspath(cwd or "."), "umask": umask,
            "core": resource.getrlimit(resource.RLIMIT_CORE),
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


@contextmanager
def server() -> Iterator[None]:
    """Let programs be forked meanwhile, where the system can; one within another is the same."""
    global _server, _own
    if sys.platform != "linux" or _server is not None:
        yield
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    _own = _at_loading(os.environ)
    command = [sys.executable, "-m", "tests.forked_program", str(theirs.fileno())]
    with ours, subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL) as process:
        theirs.close()
        _server = ours
        try:
            yield
        finally:
            _server = None
            ours.close()
            process.wait()


def _serve(requests: socket.socket) -> dict[str, Any]:
    """Return in each child, with what it is asked for; end with the process of tests."""
    while True:
        message, ends, _, _ = socket.recv_fds(requests, _SIZE, 3)
        if not message:
            os._exit(0)
        if (between := os.fork()) == 0:
            if child := os.fork():
                requests.send(str(child).encode())
                os._exit(0)
            requests.close()
            for number, end in enumerate(ends):
                os.dup2(end, number)
            os.closerange(3, max(ends) + 1)
            return dict(json.loads(message))
        os.waitpid(between, 0)
        requests.send(b".")
        for end in ends:
            os.close(end)


def main() -> None:
    """Load, then become what is asked for."""
    import app.application
    import app.cli  # noqa: F401

    gc.collect()
    gc.freeze()  # no child copies the memory of the modules to look for garbage in it
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    random.seed()
    os.chdir(request["cwd"])
    resource.setrlimit(resource.RLIMIT_CORE, request["core"])
    if request["umask"] >= 0:
        os.umask(request["umask"])
    sys.stdin = sys.__stdin__ = open(0, errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    places = request["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path = [str(Path.cwd()), *filter(None, places), *(one for one in sys.path if one not in (str(ROOT), ""))]
    sys.argv = request["argv"]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
