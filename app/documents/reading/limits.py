"""Limit the resources that a foreign document may use, before it is opened or while it is read.

Memory and priority are limits of the process. `PageTimeout` ends it, as nothing else stops native code that loops.
Work is limited in processor time, because on a busy machine the process, whose priority is low, may get a hundredth of
a core; `STUCK_S` limits what waits and does not compute.
"""

import contextlib
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.base.errors import AppError
from app.base.isolation import sandbox

if TYPE_CHECKING:
    import psutil

# Address space of the child. The largest test documents need 700 MB, and on a machine with 8 GB enough is left for the
# window and a loaded model. Windows has no such limit without a job object, so the parent checks there.
MEMORY_BYTES = 2_000_000_000
# Address space of onnxruntime and OpenCV with their threads; a full A3 page takes 0.8 GB, and the parent checks that.
OCR_ADDRESSES = 1_500_000_000
FILE_BYTES = 1_000_000_000  # scanned volumes reach 500 MB
TEXT_BYTES = 100_000_000  # bytes of a text file: CHARACTERS in UTF-8, with markup
PAGES = 5_000  # the longest Japanese standards have 1,500
CHARACTERS = 20_000_000  # 100 books; a larger index would slow every search
XML_DEPTH = 250  # nested elements; Word's own documents stay below 60
TABLE_COLUMNS = 1_000  # cells of a row; a sheet may have 16,384
TABLE_ROWS = 1_048_576  # rows of a sheet, as Excel has them; a damaged file may claim any number
PICTURE_PIXELS = 100_000_000  # A0 at 240 dpi; in grey 100 MB
# Seconds of processor time, of all threads together.
PAGE_S = 120.0  # of one page, sheet or part; the slowest drawing of our tests takes 2 s
DOCUMENT_S = 7200.0  # of a whole document
STUCK_S = 900.0  # seconds that may pass until a page is done, or a program that was started for it


def limit_process(*, has_ocr_part: bool = False) -> None:
    """Limit memory and priority of this process for good; `has_ocr_part`: with address space for its libraries."""
    sandbox.lower_priority()
    sandbox.limit_memory(MEMORY_BYTES + (OCR_ADDRESSES if has_ocr_part else 0))


def check_size(size_bytes: int, most_bytes: int = FILE_BYTES) -> None:
    """Check a file's size. Raises AppError("document_too_large" | "document_empty")."""
    if size_bytes == 0:
        raise AppError("document_empty")
    if size_bytes > most_bytes:
        raise AppError("document_too_large", size_bytes=size_bytes, limit_bytes=most_bytes)


def check_archive(archive: zipfile.ZipFile) -> None:
    """Check an archive's directory. Raises AppError("document_bomb" | "document_damaged" | "document_protected")."""
    match sandbox.archive_problem(archive):
        case "protected":
            raise AppError("document_protected")
        case "damaged":
            raise AppError("document_damaged", detail="ZIP method")
        case "bomb":
            raise AppError("document_bomb", unpacked_bytes=sandbox.unpacked_bytes(archive))


class CharacterBudget:
    """A counter of a document's characters, which fails above the limit."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, characters: int) -> None:
        """Count characters. Raises AppError("document_too_long")."""
        self.count += characters
        if self.count > CHARACTERS:
            raise AppError("document_too_long", limit=f"{CHARACTERS:,}")


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open and check an archive. Raises AppError("document_damaged" | "document_bomb" | "document_protected")."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise AppError("document_damaged", detail=str(error)) from error
    try:
        check_archive(archive)
    except AppError:
        archive.close()
        raise
    return archive


def is_overdue(pid: int, began_at: float, processor_s: float) -> bool:
    """Whether a child process has used `processor_s`, with its children, or STUCK_S have passed since `began_at`.

    `began_at`: a time of `time.monotonic`. False if the process has ended.
    """
    import psutil  # here, because the reading child waits for this module and seldom starts a program

    used = 0.0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        used = sum(processor_seconds(one) for one in (process, *process.children(recursive=True)))
    return used > processor_s or time.monotonic() - began_at > STUCK_S


def processor_seconds(process: "psutil.Process") -> float:
    """Return the processor time that a process has used. Raises psutil.Error."""
    times = process.cpu_times()
    return float(times.user + times.system)


class PageTimeout:
    """A thread that looks each second whether a page takes too long; it calls `on_late`, which ends the process.

    A page is late when this process has computed for `page_s`, or when STUCK_S have passed. These are counted by the
    looks, so the sleep of a suspended machine is one second.
    """

    def __init__(self, on_late: Callable[[str], None], page_s: float, document_s: float) -> None:
        self._on_late = on_late
        self._page_s, self._document_s = page_s, document_s
        self._lock = threading.RLock()  # reentrant, as `on_late` may call these methods
        self._began_at = self._beat_at = 0.0
        self._looks = 0
        self._is_on = False

    def start(self) -> None:
        threading.Thread(target=self._check, name="watch", daemon=True).start()

    def begin(self) -> None:
        with self._lock:
            self.beat()
            self._began_at = self._beat_at
            self._is_on = True

    def beat(self) -> None:
        """Restart the time limit, because a page is done."""
        with self._lock:
            self._beat_at = time.process_time()
            self._looks = 0

    def end(self) -> None:
        with self._lock:
            self._is_on = False

    def _check(self) -> None:
        while True:
            time.sleep(1.0)
            with self._lock:
                self._looks += 1
                if self._is_on and (code := self._lateness(time.process_time())):
                    self._on_late(code)

    def _lateness(self, used_s: float) -> str:
        """Return the code of the error for a page or document that is late; else ""."""
        if used_s - self._beat_at > self._page_s:
            return "document_page_slow"
        if used_s - self._began_at > self._document_s:
            return "document_slow"
        return "document_stuck" if self._looks > STUCK_S else ""
