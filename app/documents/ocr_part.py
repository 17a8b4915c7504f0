"""Find the optional part for text recognition, RapidOCR, beside the database; without it Tesseract is used."""

from pathlib import Path

from app.models import package_folder, package_locks

FOLDER = "ocr"


def folder_beside(database: Path) -> Path:
    """Return the part's folder, whether it exists or not. `database`: the documents' database."""
    return database.with_name(FOLDER)


def locate(database: Path) -> Path | None:
    """Return the part's folder; None if it is not installed for this machine and Python."""
    return package_folder.locate(folder_beside(database), package_locks.ocr_lock())


def version(database: Path) -> str:
    """Return a text that changes when the part is installed, replaced or removed; "" if it is not installed."""
    return package_folder.version(folder_beside(database), package_locks.ocr_lock())


def is_current(database: Path) -> bool:
    """Whether the part is installed as this version of Kotae has it."""
    return package_folder.is_current(folder_beside(database), package_locks.ocr_lock())


def is_unchanged(part: Path) -> bool:
    """Whether the part's files are as Kotae has unpacked them. `part`: its folder. Takes half a second."""
    return package_folder.is_unchanged(part, package_locks.ocr_lock())
