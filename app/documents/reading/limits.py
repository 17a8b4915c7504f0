"""What a foreign document may cost. Checked before anything is opened, or while it is read; each figure has its reason.

What archives may unpack to is `app.base.isolation.sandbox`'s. Memory and priority are limits of the process, set once by
`lower`.
"""

import zipfile
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


def lower() -> None:
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


class Characters:
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
