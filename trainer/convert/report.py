"""What a running job tells its parent.

Expected failures of a job, and what becomes of the unexpected ones.
"""

import collections
import errno
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

from trainer.convert_job import FAILURES, Event, Phase, Progress, event_to_json
from trainer.wire import EventWriter

LOG_LINES = 40
REASON_LENGTH = 300
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NEARLY_FULL_BYTES = 1 << 20


class JobError(Exception):
    """`code`: a key of `convert_job.FAILURES`, with its facts."""

    def __init__(self, code: str, **facts: Any) -> None:
        assert set(facts) <= set(FAILURES[code]), (code, facts)
        super().__init__(f"{code}: {facts}")
        self.code = code
        self.facts = facts


class LogTail(logging.Handler):
    """Keeps the last lines that the converter has logged; all of them go to standard error too."""

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
    """Turns whatever ends the block into a JobError: full disks and memory by name, the rest with the log's end."""
    try:
        yield
    except (JobError, BrokenPipeError):  # the latter: the parent is gone, and nobody is left to tell
        raise
    except MemoryError as error:
        raise JobError("no_memory") from error
    except ImportError as error:
        raise JobError("training_environment_broken", path=sys.executable, reason=str(error)[:REASON_LENGTH]) from error
    except SystemExit as error:  # the scripts' way to give up, after saying why in their log
        if error.code in (0, None):
            return
        raise JobError("converter_failed", reason=tail.last(), log=tail.text()) from error
    except Exception as error:
        traceback.print_exc()
        if isinstance(error, OSError) and _is_disk_full(error, target):
            raise JobError("disk_full", path=str(target.parent), needed_bytes=0) from error
        reason = " ".join("".join(traceback.format_exception_only(error)).split())[:REASON_LENGTH]
        raise JobError("converter_failed", reason=reason, log=tail.text()) from error


def require_space(target: Path, needed_bytes: int) -> None:
    if shutil.disk_usage(target.parent).free < needed_bytes:
        raise JobError("disk_full", path=str(target.parent), needed_bytes=needed_bytes)


def _is_disk_full(error: OSError, target: Path) -> bool:
    """numpy's `tofile` tells of a short write without an errno; then the disk itself is asked."""
    if error.errno is not None:
        return error.errno in _DISK_FULL
    return shutil.disk_usage(target.parent).free < _NEARLY_FULL_BYTES


INTERVAL_S = 0.2


class ConversionReport:
    """Sends events. Progress at most every INTERVAL_S, except the last."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._sent_at = 0.0

    def send(self, event: Event) -> None:
        """Raises BrokenPipeError when the parent is gone."""
        self._writer.send(event_to_json(event))

    def phase(self, name: str) -> None:
        self.send(Phase(name))

    def progress(self, done_bytes: int, total_bytes: int) -> None:
        if done_bytes >= total_bytes or time.monotonic() - self._sent_at >= INTERVAL_S:
            self._sent_at = time.monotonic()
            self.send(Progress(min(done_bytes, total_bytes), total_bytes))

    @contextmanager
    def watching(self, file: Path, total_bytes: int) -> Iterator[None]:
        """While somebody else writes `file`: its growth."""
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


def peak_rss_bytes() -> int:
    """The most memory this process has ever held, mapped files included.

    Not getrusage on Linux: it counts what the parent held before this program replaced it.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
