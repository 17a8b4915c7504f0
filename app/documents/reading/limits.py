"""What a foreign document may cost. Checked before anything is opened, or while it is read; each figure has its reason.

Nothing is ever extracted to disk. Memory and priority are limits of the process, set once by `lower`.
"""

import os
import sys
import zipfile
from pathlib import Path

from app.base.errors import AppError

# Address space of the child. The largest documents of our tests need 700 MB; on a machine with 8 GB the window and a
# loaded model keep their room. Windows has no such limit without a job object: the parent watches there.
MEMORY_BYTES = 2_000_000_000
FILE_BYTES = 1_000_000_000  # scanned volumes reach 500 MB
TEXT_BYTES = 100_000_000  # of a file that is text itself: CHARACTERS in UTF-8, with markup
PAGES = 5_000  # the longest Japanese standards have 1,500
CHARACTERS = 20_000_000  # 100 books; an index of more would be slow for all the others
ZIP_ENTRIES = 20_000  # a presentation of 500 pictures has 2,000
ZIP_BYTES = 1_000_000_000  # of all entries together
ZIP_ENTRY_BYTES = 400_000_000  # one sheet with a million rows has 300 MB
ZIP_RATIO = 200  # of an entry above ZIP_RATIO_FROM_BYTES: office XML is packed 10 to 50 times, a bomb 1,000 times
ZIP_RATIO_FROM_BYTES = 10_000_000
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that office files use; others take gigabytes to unpack
XML_DEPTH = 250  # elements in one another; Word's own documents stay below 60
TABLE_COLUMNS = 1_000  # cells of a row; a sheet may have 16,384
TABLE_ROWS = 1_048_576  # rows of a sheet, as Excel has them; a damaged file may claim any number
PAGE_S = 60.0  # one page, sheet or part; the heaviest drawing of our tests takes 2 s
DOCUMENT_S = 3600.0  # all of a document
NICE = 10  # added to the niceness, so that the window stays quick


def lower() -> None:
    """Takes memory and priority from this process for the rest of its life."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    import resource

    os.nice(NICE)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    except (ValueError, OSError) as error:  # macOS takes no limit below what is mapped already
        print(f"documents: no memory limit: {error}", file=sys.stderr)  # noqa: T201  stderr is the log


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
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise AppError("document_protected")
    unknown = next((entry.compress_type for entry in entries if entry.compress_type not in ZIP_METHODS), None)
    if unknown is not None:
        raise AppError("document_damaged", detail=f"ZIP method {unknown}")
    total_bytes = sum(entry.file_size for entry in entries)
    is_packed_too_well = any(
        entry.file_size > ZIP_RATIO_FROM_BYTES and entry.file_size > ZIP_RATIO * max(1, entry.compress_size)
        for entry in entries
    )
    is_too_large = total_bytes > ZIP_BYTES or any(entry.file_size > ZIP_ENTRY_BYTES for entry in entries)
    if len(entries) > ZIP_ENTRIES or is_too_large or is_packed_too_well:
        raise AppError("document_bomb", unpacked_bytes=total_bytes)


class Characters:
    """Counts what a document holds."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, characters: int) -> None:
        """Raises AppError("document_too_long")."""
        self.count += characters
        if self.count > CHARACTERS:
            raise AppError("document_too_long", limit=CHARACTERS)


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
