"""Send a conversion's events to the parent process, and turn failures into JobErrors."""

import collections
import logging
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer import storage
from trainer.convert_job import FAILURES, Event, Phase, Progress, event_to_json
from trainer.wire import EventWriter

LOG_LINES = 40
REASON_LENGTH = 300


class JobError(Exception):
    """An expected failure of a job. `code`: a key of `convert_job.FAILURES`; `facts`: the values listed there."""

    def __init__(self, code: str, **facts: Any) -> None:
        assert set(facts) <= set(FAILURES[code]), (code, facts)
        super().__init__(f"{code}: {facts}")
        self.code = code
        self.facts = facts


class LogTail(logging.Handler):
    """A log handler that keeps the converter's last lines, which are also written to standard error."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: collections.deque[str] = collections.deque(maxlen=LOG_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.extend(line for line in self.format(record).splitlines() if line.strip())

    def text(self) -> str:
        return "\n".join(self._lines)

    def last(self) -> str:
        return self._lines[-1][:REASON_LENGTH] if self._lines else ""


@contextmanager
def as_job_errors(target: Path, tail: LogTail) -> Iterator[None]:
    """Turn any error of the block into a JobError.

    An unknown error becomes converter_failed with the log's last lines. `target`: path of the result.
    """
    try:
        yield
    except (JobError, BrokenPipeError):  # BrokenPipeError means that the parent is gone
        raise
    except MemoryError as error:
        raise JobError("no_memory") from error
    except ImportError as error:
        raise JobError("training_environment_broken", path=sys.executable, reason=str(error)[:REASON_LENGTH]) from error
    except SystemExit as error:  # the scripts exit this way after logging the reason
        if error.code in (0, None):
            return
        raise JobError("converter_failed", reason=tail.last(), log=tail.text()) from error
    except Exception as error:
        traceback.print_exc()
        if storage.is_disk_full(error, target.parent):
            raise JobError("disk_full", path=str(target.parent), needed_bytes=0) from error
        reason = " ".join("".join(traceback.format_exception_only(error)).split())[:REASON_LENGTH]
        raise JobError("converter_failed", reason=reason, log=tail.text()) from error


def require_space(target: Path, needed_bytes: int) -> None:
    if shutil.disk_usage(target.parent).free < needed_bytes:
        raise JobError("disk_full", path=str(target.parent), needed_bytes=needed_bytes)


def require_memory(needed_bytes: int) -> None:
    if (available := free_memory_bytes()) < needed_bytes:
        raise JobError("conversion_memory_short", needed_bytes=needed_bytes, available_bytes=available)


def free_memory_bytes() -> int:
    """Return the memory of the machine that is free, in bytes."""
    if sys.platform == "linux":
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    import psutil

    return int(psutil.virtual_memory().available)


INTERVAL_S = 0.2


class ConversionReport:
    """Sends a conversion's events; progress at most once per INTERVAL_S seconds, but always the last."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._sent_at = 0.0

    def send(self, event: Event) -> None:
        """Send an event. Raises BrokenPipeError if the parent is gone."""
        self._writer.send(event_to_json(event))

    def phase(self, name: str) -> None:
        self.send(Phase(name))

    def progress(self, done_bytes: int, total_bytes: int) -> None:
        if done_bytes >= total_bytes or time.monotonic() - self._sent_at >= INTERVAL_S:
            self._sent_at = time.monotonic()
            self.send(Progress(min(done_bytes, total_bytes), total_bytes))

    @contextmanager
    def watching(self, file: Path, total_bytes: int) -> Iterator[None]:
        """Report the size of `file` as progress while other code writes it."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(INTERVAL_S):
                done_bytes = file.stat().st_size if file.exists() else 0
                self.progress(min(done_bytes, total_bytes - 1), total_bytes)

        self.progress(0, total_bytes)
        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        self.progress(total_bytes, total_bytes)
