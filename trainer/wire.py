"""The child's side of the wire: one JSON object a line, on a private copy of standard output.

Used by every child process of Kotae. Standard library only, and imported before torch or llama_cpp:
native code writes to, and llama-cpp-python redirects, file descriptors 1 and 2.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO


class EventWriter:
    """Writes events as JSON lines. Lines of several threads never mix; each is one `write` if the pipe takes it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, event: Mapping[str, Any]) -> None:
        """Writes one event. Raises BrokenPipeError when the parent has closed its end."""
        self.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n")

    def write(self, line: bytes) -> None:
        """Writes one encoded line, line feed included."""
        with self._lock:
            view = memoryview(line)
            while view:
                view = view[os.write(self._descriptor, view) :]


def claim_stdout() -> EventWriter:
    """Keeps a private duplicate of descriptor 1 for events, then points 1 at standard error.

    Whatever prints afterwards, in Python or in native code, lands in the log and never between two events.
    """
    sys.stdout.flush()
    private = os.dup(1)
    os.set_inheritable(private, False)
    os.dup2(2, 1)
    return EventWriter(private)


def read_lines(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yields the parent's commands until it closes the pipe. Raises ValueError on a line that is no JSON object."""
    for line in stream:
        command = json.loads(line)
        if not isinstance(command, dict):
            raise ValueError(f"not a JSON object: {line[:80]!r}")
        yield command
