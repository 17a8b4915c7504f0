"""Bring in a newer edition of the catalogue alone, check it by the list of SHA-256 beside it, and go back.

An edition is a file like `resources/models.toml`. The list proves that the file is complete, not who made it: whoever
brings it in knows where it comes from. Nothing is brought in without being asked for.
"""

import hashlib
import re
from pathlib import Path

from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.base.files.output_file import write_atomically
from app.models import catalogue
from app.models.catalogue import Catalogue

SUMS = "SHA256SUMS"


def addresses(place: str) -> tuple[str, str]:
    """Return the addresses of an edition and of its list. `place`: that of the file or of the folder it is in."""
    file = place if place.partition("?")[0].casefold().endswith(".toml") else f"{place.rstrip('/')}/{catalogue.FILE}"
    return file, f"{file.partition('?')[0].rpartition('/')[0]}/{SUMS}"


def bring_in(place: Path) -> Catalogue:
    """Put an edition from a file, or from a folder that has it, in force; return the catalogue with it.

    Raises AppError: catalogue_unreadable, catalogue_no_sum, catalogue_damaged, catalogue_not_newer, and the codes of
    cards that are wrong. The edition in force stays then.
    """
    file = place / catalogue.FILE if place.is_dir() else place
    content = _read(file)
    sums = _read(file.with_name(SUMS)).decode("utf-8", "replace")
    listed = re.search(rf"^([0-9a-fA-F]{{64}}) [ *](?:\./)?{re.escape(file.name)}\s*$", sums, re.MULTILINE)
    if listed is None:
        raise AppError("catalogue_no_sum", file=file.name, path=str(file.with_name(SUMS)))
    if hashlib.sha256(content).hexdigest() != listed[1].lower():
        raise AppError("catalogue_damaged", file=file.name)
    catalogue.check_edition(content, file.name)
    target = catalogue.edition_path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    except OSError as error:
        raise AppError("catalogue_unwritable", path=str(target), reason=error.strerror or str(error)) from error
    catalogue.load.cache_clear()
    return catalogue.load()


def go_back() -> Catalogue:
    """Delete the edition that was brought in; return the program's own catalogue. Raises AppError."""
    target = catalogue.edition_path()
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise AppError("catalogue_unwritable", path=str(target), reason=error.strerror or str(error)) from error
    catalogue.load.cache_clear()
    return catalogue.load()


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, catalogue.MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise AppError("catalogue_unreadable", path=str(path), reason=reason) from error
