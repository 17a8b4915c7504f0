"""The program's own log, without any text of questions, answers or documents."""

import contextlib
import faulthandler
import logging
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from app.base import invisible

CRASH_LOG = "crash.log"
CRASH_LOG_BYTES = 500_000  # from here on a new one is begun, and the old one kept beside it

log = logging.getLogger("kotae")


class _Lines(logging.Formatter):
    """Lines in which a file's name, say, moves nothing in the terminal of whoever reads them."""

    def format(self, record: logging.LogRecord) -> str:
        return invisible.spelled_out(super().format(record))


def keep(folder: Path) -> None:
    """Two files of 1 MB; beside them the traceback of a crash in native code, which Python alone would not survive to
    write. What nobody catches is logged too, in every thread. A file that cannot be opened keeps no window shut."""
    rotate(folder / CRASH_LOG)
    with contextlib.suppress(OSError):
        faulthandler.enable((folder / CRASH_LOG).open("a", encoding="utf-8"))  # keeps the file open
    with contextlib.suppress(OSError):
        handler = RotatingFileHandler(folder / "kotae.log", maxBytes=1_000_000, backupCount=1, encoding="utf-8")
        handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
    sys.excepthook = _note_and_show
    threading.excepthook = _note_in_thread
    sys.unraisablehook = _note_unraisable


def rotate(crashes: Path) -> None:
    """A file that another window has open stays as it is, where the system wants that."""
    try:
        if crashes.stat().st_size > CRASH_LOG_BYTES:
            crashes.replace(crashes.with_suffix(".log.1"))
    except OSError:
        return


def size_bytes(crashes: Path) -> int:
    """0 where there is none."""
    try:
        return crashes.stat().st_size
    except OSError:
        return 0


def _note_and_show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Until the window takes over, which shows what happens (`app.application`)."""
    if not issubclass(kind, KeyboardInterrupt):
        log.error("bug", exc_info=(kind, error, trace))
    sys.__excepthook__(kind, error, trace)


def _note_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:
        log.error("bug in a thread", exc_info=(told.exc_type, told.exc_value, told.exc_traceback))


def _note_unraisable(told: "sys.UnraisableHookArgs") -> None:
    if told.exc_value is not None:
        log.error("bug at an end", exc_info=(told.exc_type, told.exc_value, told.exc_traceback))
