"""Send a child process's events to its parent: one JSON object per line, on a private copy of standard output.

Every child process of Kotae uses it. Standard library only, and imported before torch or llama_cpp: native code writes
to file descriptors 1 and 2, and llama-cpp-python redirects them.
"""

import functools
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NoReturn, ParamSpec

P = ParamSpec("P")


class EventWriter:
    """Writes events as JSON lines. Lines of several threads never mix.

    Each line is one `write` call if the pipe accepts it at once.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, event: Mapping[str, Any]) -> None:
        """Write one event. Raises BrokenPipeError if the parent has closed its end."""
        self.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n")

    def write(self, line: bytes) -> None:
        """Write one encoded line, including its line feed."""
        with self._lock:
            view = memoryview(line)
            while view:
                view = view[os.write(self._descriptor, view) :]


def claim_stdout() -> EventWriter:
    """Keep a private duplicate of descriptor 1 for events, then redirect descriptor 1 to standard error.

    So later output of Python or native code goes to the log and never between two events.
    """
    sys.stdout.flush()
    private = os.dup(1)
    os.set_inheritable(private, False)
    os.dup2(2, 1)
    return EventWriter(private)


def read_lines(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the parent's commands until it closes the pipe. Raises ValueError for a line that is not a JSON object."""
    for line in stream:
        command = json.loads(line)
        if not isinstance(command, dict):
            raise ValueError(f"not a JSON object: {line[:80]!r}")
        yield command


def ends_process(main: Callable[P, object]) -> Callable[P, NoReturn]:
    """Make `main` end the process at once: with status 0, or with 1 after any exception, whose traceback is logged.

    On a normal exit Python would wait for the reader's lock on standard input, and abort.
    """

    @functools.wraps(main)
    def run_and_exit(*arguments: P.args, **named: P.kwargs) -> NoReturn:
        code = 1
        try:
            main(*arguments, **named)
            code = 0
        except BaseException:  # noqa: BLE001  logged, and the process ends
            traceback.print_exc()
        exit_at_once(code)

    return run_and_exit


def exit_at_once(code: int) -> NoReturn:
    """End the process without waiting for its threads, such as one that blocks in a read."""
    for stream in (sys.stdout, sys.stderr):  # both streams are the log
        stream.flush()
    os._exit(code)


def end_with_parent(clean_up: Callable[[], object] = lambda: None, code: int = 1) -> None:
    """End this process with status `code`, after `clean_up`, when the parent closes its standard input.

    A thread waits for that. It uses os.read, as a thread in the buffered sys.stdin would block the exit, and flushes
    nothing, as the main thread may hold the streams.
    """

    def wait() -> None:
        while os.read(0, 1 << 16):
            pass
        clean_up()
        os._exit(code)

    threading.Thread(target=wait, name="parent", daemon=True).start()
