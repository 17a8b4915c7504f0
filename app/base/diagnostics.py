"""Read the version and build of this Kotae, write its log, without texts of the user, and record the last starts.

The record is written before any object of the window: a start that dies in any way leaves it in the state "starting".
"""

import contextlib
import faulthandler
import functools
import json
import logging
import re
import sys
import threading
from dataclasses import asdict, dataclass
from datetime import date
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from app import __version__
from app.base import invisible_characters, json_lines
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.base.paths import Paths, resources

BUILD_FILE = "build.json"  # in the resources of a bundle: {"version", "date", "commit"}; a checkout has none

_COMMIT_CHARACTERS = 12
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """The version of this Kotae, and when and from which commit it was built."""

    version: str = __version__
    built_on: date | None = None  # None: a checkout, or not recorded
    commit: str = ""

    @property
    def is_bundle(self) -> bool:
        return self.built_on is not None


def read_build_facts(file: Path | None = None) -> BuildFacts:
    """Read the build file; `file` None: BUILD_FILE. If it is missing or damaged, return only the version."""
    try:
        data = json.loads((file or resources() / BUILD_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return BuildFacts()
    if not isinstance(data, dict):
        return BuildFacts()
    return BuildFacts(built_on=_day(data.get("date")), commit=_line(data.get("commit"))[:_COMMIT_CHARACTERS])


def _line(value: object) -> str:
    return value if isinstance(value, str) and invisible_characters.is_single_line(value) else ""


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        return None


CRASH_LOG = "crash.log"
CRASH_LOG_BYTES = 500_000  # a larger file is renamed, and a new one begun

log = logging.getLogger("kotae")


class _SafeFormatter(logging.Formatter):
    """A formatter that replaces invisible characters, such as terminal control characters in a file name."""

    def format(self, record: logging.LogRecord) -> str:
        return invisible_characters.spell_out(super().format(record))


def set_up_logging(folder: Path) -> None:
    """Log records (two files of 1 MB), uncaught exceptions and native crashes in `folder`, where possible."""
    rotate_crash_log(folder / CRASH_LOG)
    with contextlib.suppress(OSError):
        faulthandler.enable((folder / CRASH_LOG).open("a", encoding="utf-8"))  # keeps the file open
    with contextlib.suppress(OSError):
        handler = RotatingFileHandler(folder / "kotae.log", maxBytes=1_000_000, backupCount=1, encoding="utf-8")
        handler.setFormatter(_SafeFormatter("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
    sys.excepthook = _log_and_show
    threading.excepthook = functools.partial(_log_bug, "bug in a thread")
    sys.unraisablehook = functools.partial(_log_bug, "bug at an end")


def rotate_crash_log(crashes: Path) -> None:
    """Rename a crash log that is too large. On Windows, a log that another window has open cannot be renamed."""
    try:
        if crashes.stat().st_size > CRASH_LOG_BYTES:
            crashes.replace(crashes.with_suffix(".log.1"))
    except OSError:
        return


def _log_and_show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log an uncaught exception and print it, until the window sets a hook that shows it (`app.application`)."""
    if not issubclass(kind, KeyboardInterrupt):
        log.error("bug", exc_info=(kind, error, trace))
    sys.__excepthook__(kind, error, trace)


def _log_bug(words: str, hook: "threading.ExceptHookArgs | sys.UnraisableHookArgs") -> None:
    if hook.exc_value is not None:
        log.error(words, exc_info=(hook.exc_type, hook.exc_value, hook.exc_traceback))


FAILED_STARTS_BEFORE_SAFE_MODE = 2  # in a row

STARTING, UP, CLOSED = "starting", "up", "closed"


@dataclass(frozen=True, slots=True)
class StartRecord:
    """The outcome of the last start of the window.

    `state`: starting | up (the window was open for a while) | closed (the program ended properly). `failed`: the number
    of consecutive starts before this one that ended in the state "starting".
    """

    state: str = CLOSED
    failed: int = 0

    @property
    def failed_by_now(self) -> int:
        """Return the number of failed starts in a row, including the start of this record."""
        return self.failed + 1 if self.state == STARTING else 0

    @property
    def is_safe_mode_due(self) -> bool:
        return self.failed_by_now >= FAILED_STARTS_BEFORE_SAFE_MODE

    @property
    def was_cut_off(self) -> bool:
        """Return whether the last window was open and did not end properly."""
        return self.state == UP


def start_record_file(where: Paths) -> Path:
    return where.data / "start.json"


def read_start_record(file: Path) -> StartRecord:
    """Read the record. A missing or damaged one counts as "closed", so that it alone never causes safe mode."""
    try:
        record = json_lines.convert(strict_json.load_file(file), StartRecord)
    except (OSError, ValueError):
        return StartRecord()
    return record if record.state in (STARTING, UP, CLOSED) and record.failed >= 0 else StartRecord()


def record_program_start(file: Path) -> None:
    """Record that the program is starting, so that its next start finds out if this one failed. Raises OSError."""
    last = read_start_record(file)
    _write_start_record(file, StartRecord(STARTING, last.failed_by_now))


def record_window_up(file: Path) -> None:
    """Record that the window is open. Raises OSError."""
    _write_start_record(file, StartRecord(UP))


def record_end(file: Path) -> None:
    """Record that the program ended properly, or refused to start with a message. Raises OSError."""
    _write_start_record(file, StartRecord(CLOSED))


def _write_start_record(file: Path, record: StartRecord) -> None:
    write_atomically(file, json.dumps(asdict(record)).encode("ascii", "replace"))
