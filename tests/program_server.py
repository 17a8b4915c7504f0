"""The process that programs are forked from: `python -m tests.program_server SOCKET`. A script, see `forked_program`.

A request is one message with the three standard streams; the answers are the process id, and a point when the process
is a child of whoever asked.
"""

import atexit
import contextlib
import gc
import json
import os
import random
import resource
import runpy
import socket
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_SIZE = 1 << 18  # bytes of a request


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


def _leave(ended: list[int]) -> None:
    """End a command before its modules are taken down, for which their memory, that of the server, would be copied."""
    with contextlib.suppress(OSError, ValueError):  # whoever reads has gone, which Python's own end tells
        for stream in (sys.stdout, sys.stderr) if ended else ():
            stream.flush()
        for status in ended:
            os._exit(status)


def main() -> None:
    """Load when something is asked for, and become it."""
    ended: list[int] = []
    atexit.register(_leave, ended)  # the first that is registered is the last that is called
    requests = socket.socket(fileno=int(sys.argv[1]))
    if not requests.recv(1, socket.MSG_PEEK):
        return
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # no thread of numpy's when a process is forked
    from PySide6.QtCore import QCoreApplication
    from PySide6.QtGui import QGuiApplication

    import app.application
    import app.base.html_report
    import app.cli
    import app.inference.engine.llama_backend  # noqa: F401  (with numpy, and the former with jinja2)

    gc.collect()
    gc.freeze()  # no child copies the memory of the modules to look for garbage in it
    request = _serve(requests)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    random.seed()
    os.chdir(request["cwd"])
    resource.setrlimit(resource.RLIMIT_CORE, request["core"])
    if request["session"]:
        os.setsid()
    if request["umask"] >= 0:
        os.umask(request["umask"])
    sys.stdin = sys.__stdin__ = open(0, errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    places = request["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path = [str(Path.cwd()), *filter(None, places), *(one for one in sys.path if one not in (str(ROOT), ""))]
    sys.argv = request["argv"]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int) and not isinstance(QCoreApplication.instance(), QGuiApplication):
            ended.append(end.code)
        raise


if __name__ == "__main__":
    main()
