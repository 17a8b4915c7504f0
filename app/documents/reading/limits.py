"""What a foreign document may cost. Checked before anything is opened, or while it is read; each figure has its reason.

What archives may unpack to is `app.base.isolation.sandbox`'s. Memory and priority are limits of the process, set once
by `lower`.

Ends the process when a page takes too long: native code that loops hears nothing else.
"""

import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from app.base.errors import AppError
from app.base.isolation import sandbox

# Address space of the child. The largest documents of our tests need 700 MB; on a machine with 8 GB the window and a
# loaded model keep their room. Windows has no such limit without a job object: the parent watches there.
MEMORY_BYTES = 2_000_000_000
FILE_BYTES = 1_000_000_000  # scanned volumes reach 500 MB
TEXT_BYTES = 100_000_000  # of a file that is text itself: CHARACTERS in UTF-8, with markup
PAGES = 5_000  # the longest Japanese standards have 1,500
CHARACTERS = 20_000_000  # 100 books; an index of more would be slow for all the others
XML_DEPTH = 250  # elements in one another; Word's own documents stay below 60
TABLE_COLUMNS = 1_000  # cells of a row; a sheet may have 16,384
TABLE_ROWS = 1_048_576  # rows of a sheet, as Excel has them; a damaged file may claim any number
PAGE_S = 60.0  # one page, sheet or part; the heaviest drawing of our tests takes 2 s
DOCUMENT_S = 3600.0  # all of a document


def limit_process() -> None:
    """Take memory and priority from this process for the rest of its life."""
    sandbox.lower_priority()
    sandbox.limit_memory(MEMORY_BYTES)


def check_size(size_bytes: int, most_bytes: int = FILE_BYTES) -> None:
    """Raises AppError("document_too_large" | "document_empty")."""
    if size_bytes == 0:
        raise AppError("document_empty")
    if size_bytes > most_bytes:
        raise AppError("document_too_large", size_bytes=size_bytes, limit_bytes=most_bytes)


def check_archive(archive: zipfile.ZipFile) -> None:
    """Looks at the directory of an archive only.

    Raises AppError("document_bomb" | "document_damaged" | "document_protected").
    """
    match sandbox.archive_problem(archive):
        case "protected":
            raise AppError("document_protected")
        case "damaged":
            raise AppError("document_damaged", detail="ZIP method")
        case "bomb":
            raise AppError("document_bomb", unpacked_bytes=sandbox.unpacked_bytes(archive))


class CharacterBudget:
    """Counts what a document holds."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, characters: int) -> None:
        """Raises AppError("document_too_long")."""
        self.count += characters
        if self.count > CHARACTERS:
            raise AppError("document_too_long", limit=f"{CHARACTERS:,}")


def open_archive(path: Path) -> zipfile.ZipFile:
    """A checked archive. Raises AppError("document_damaged" | "document_bomb" | "document_protected")."""
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


class PageTimeout:
    """One thread that looks once a second. `on_late` is called in it with an error code, and ends the process."""

    def __init__(self, on_late: Callable[[str], None], page_s: float, document_s: float) -> None:
        self._on_late = on_late
        self._page_s, self._document_s = page_s, document_s
        self._lock = threading.RLock()  # also for the one that `on_late` calls
        self._began = self._beaten = 0.0
        self._is_on = False

    def start(self) -> None:
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def begin(self) -> None:
        with self._lock:
            self._began = self._beaten = time.monotonic()
            self._is_on = True

    def beat(self) -> None:
        """A sign of life: a page is done."""
        with self._lock:
            self._beaten = time.monotonic()

    def end(self) -> None:
        with self._lock:
            self._is_on = False

    def _look(self) -> None:
        while True:
            time.sleep(1.0)
            with self._lock:
                now = time.monotonic()
                is_page_late = now - self._beaten > self._page_s
                if self._is_on and (is_page_late or now - self._began > self._document_s):
                    self._on_late("document_page_slow" if is_page_late else "document_slow")
