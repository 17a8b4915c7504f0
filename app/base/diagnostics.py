"""Whether the last starts of the window came to a window: a small file, written before anything of it is built.

A start that dies, whatever ends it (a fault in a plugin of Qt, an exception, a kill, the power), leaves it as it was.

Which Kotae this is: its version, and the day and the commit that a bundle was built from. Asks no network.

The program's own log, without any text of questions, answers or documents.
"""

import contextlib
import faulthandler
import json
import logging
import re
import sys
import threading
from dataclasses import asdict, dataclass, replace
from datetime import date
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from app import __version__
from app.base import invisible_characters
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.base.paths import Paths, resources
from app.base.wording import current_language

BUILD_FILE = "build.json"  # in the resources of a bundle: {"version", "date", "commit", "home"}; a checkout has none
OLD_DAYS = 365

_COMMIT_LETTERS = 12
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class BuildFacts:
    version: str = __version__
    built_on: date | None = None  # None: a checkout, or nobody wrote it down
    commit: str = ""
    home: str = ""  # where newer versions are told of, as text; "": nobody has said

    @property
    def is_bundle(self) -> bool:
        return self.built_on is not None

    def age_days(self, today: date) -> int:
        """0 where the day of building is not known, or this machine's clock is behind it."""
        return max(0, (today - self.built_on).days) if self.built_on is not None else 0

    def is_old(self, today: date) -> bool:
        return self.age_days(today) >= OLD_DAYS


def read_build_facts(file: Path | None = None) -> BuildFacts:
    """What the bundler has written. Without its file, or with a damaged one, the version alone."""
    try:
        data = json.loads((file or resources() / BUILD_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return BuildFacts()
    if not isinstance(data, dict):
        return BuildFacts()
    commit, home = _line(data.get("commit")), _line(data.get("home"))
    return BuildFacts(built_on=_day(data.get("date")), commit=commit[:_COMMIT_LETTERS], home=home)


def release_notes(version: str = __version__) -> str:
    """What is new in a version, as Markdown in the language in use; "" where nothing was written of it."""
    text = (resources() / "news" / f"news.{current_language()}.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def version_key(version: str) -> tuple[int, ...]:
    """To be compared with another: "0.10.1" is newer than "0.9". () for what is no version."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()


def _line(value: object) -> str:
    return value if isinstance(value, str) and invisible_characters.is_single_line(value) else ""


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        return None


CRASH_LOG = "crash.log"
CRASH_LOG_BYTES = 500_000  # from here on a new one is begun, and the old one kept beside it

log = logging.getLogger("kotae")


class _SafeFormatter(logging.Formatter):
    """Lines in which a file's name, say, moves nothing in the terminal of whoever reads them."""

    def format(self, record: logging.LogRecord) -> str:
        return invisible_characters.spell_out(super().format(record))


def set_up_logging(folder: Path) -> None:
    """Two files of 1 MB; beside them the traceback of a crash in native code, which Python alone would not survive to
    write. What nobody catches is logged too, in every thread. A file that cannot be opened keeps no window shut."""
    rotate_crash_log(folder / CRASH_LOG)
    with contextlib.suppress(OSError):
        faulthandler.enable((folder / CRASH_LOG).open("a", encoding="utf-8"))  # keeps the file open
    with contextlib.suppress(OSError):
        handler = RotatingFileHandler(folder / "kotae.log", maxBytes=1_000_000, backupCount=1, encoding="utf-8")
        handler.setFormatter(_SafeFormatter("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
    sys.excepthook = _log_and_show
    threading.excepthook = _log_in_thread
    sys.unraisablehook = _log_unraisable


def rotate_crash_log(crashes: Path) -> None:
    """A file that another window has open stays as it is, where the system wants that."""
    try:
        if crashes.stat().st_size > CRASH_LOG_BYTES:
            crashes.replace(crashes.with_suffix(".log.1"))
    except OSError:
        return


def crash_log_size_bytes(crashes: Path) -> int:
    """0 where there is none."""
    try:
        return crashes.stat().st_size
    except OSError:
        return 0


def _log_and_show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Until the window takes over, which shows what happens (`app.application`)."""
    if not issubclass(kind, KeyboardInterrupt):
        log.error("bug", exc_info=(kind, error, trace))
    sys.__excepthook__(kind, error, trace)


def _log_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:
        log.error("bug in a thread", exc_info=(told.exc_type, told.exc_value, told.exc_traceback))


def _log_unraisable(told: "sys.UnraisableHookArgs") -> None:
    if told.exc_value is not None:
        log.error("bug at an end", exc_info=(told.exc_type, told.exc_value, told.exc_traceback))


FAILED_STARTS_BEFORE_SAFE_MODE = 2  # starts in a row that did not come to a window

STARTING, UP, CLOSED = "starting", "up", "closed"


@dataclass(frozen=True, slots=True)
class StartRecord:
    """`state`: starting | up (the window has been there for a while) | closed (properly).

    `failed`: starts in a row before this one that ended while they were starting.
    """

    state: str = CLOSED
    failed: int = 0
    version: str = ""  # the Kotae whose window was up last; "": none yet

    @property
    def failed_by_now(self) -> int:
        """Counting the one that the record tells of, which has ended."""
        return self.failed + 1 if self.state == STARTING else 0

    @property
    def is_safe_mode_due(self) -> bool:
        return self.failed_by_now >= FAILED_STARTS_BEFORE_SAFE_MODE

    @property
    def was_cut_off(self) -> bool:
        """The last window was there, and did not end properly."""
        return self.state == UP

    @property
    def is_of_another_version(self) -> bool:
        return self.version not in ("", __version__)

    @property
    def is_of_a_newer_version(self) -> bool:
        return version_key(self.version) > version_key(__version__)


def start_record_file(where: Paths) -> Path:
    return where.data / "start.json"


def read_start_record(file: Path) -> StartRecord:
    """A missing or damaged record counts as a proper end: nothing is suspected without a sign."""
    try:
        data = strict_json.load_file(file)
        record = StartRecord(**data)
    except (OSError, ValueError, TypeError):
        return StartRecord()
    is_whole = isinstance(record.version, str) and record.state in (STARTING, UP, CLOSED)
    return record if is_whole and type(record.failed) is int and record.failed >= 0 else StartRecord()


def record_start(file: Path) -> None:
    """A start is under way. Raises OSError."""
    last = read_start_record(file)
    _write_start_record(file, StartRecord(STARTING, last.failed_by_now, last.version))


def record_window_up(file: Path) -> None:
    """The window is there. Raises OSError."""
    _write_start_record(file, replace(read_start_record(file), state=UP, failed=0, version=__version__))


def record_end(file: Path) -> None:
    """It has ended as somebody wanted, or was refused in words. Raises OSError."""
    _write_start_record(file, replace(read_start_record(file), state=CLOSED, failed=0))


def _write_start_record(file: Path, record: StartRecord) -> None:
    write_atomically(file, json.dumps(asdict(record)).encode("ascii", "replace"))
