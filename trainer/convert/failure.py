"""Expected failures of a job, and what becomes of the unexpected ones."""

import collections
import errno
import logging
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer.convert_job import FAILURES

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
def explained(target: Path, tail: LogTail) -> Iterator[None]:
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
