"""Find the optional part that recognizes text on pictures of pages: RapidOCR, in a folder beside the database.

Without it Tesseract is used, if it is installed. The downloading child installs the part (`models.package_folder`).
"""

from pathlib import Path

from app.models import package_folder, package_locks

FOLDER = "ocr"


def folder_beside(database: Path) -> Path:
    """Return the part's folder, whether it exists or not. `database`: the documents' database."""
    return database.with_name(FOLDER)


def locate(database: Path) -> Path | None:
    """Return the part's folder; None if it is not installed for this machine and Python."""
    return package_folder.locate(folder_beside(database), package_locks.ocr_lock())
