"""The file that rows were imported from, as it was then: its columns, and those of its lines that are no rows."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.base import json_lines
from app.base.files import strict_json
from app.base.files.output_file import drive_error, write_atomically
from app.training.data.reading import Imported

FILE = "origin.json"  # beside the rows

Standing = Literal["same", "changed", "gone"]


@dataclass(frozen=True, slots=True)
class Origin:
    """`imported`: without its rows. `size_bytes`, `modified_ns`: of the file when it was read."""

    imported: Imported
    size_bytes: int
    modified_ns: int

    def standing(self, path: Path) -> Standing:
        """What the file is now, by its size and time."""
        try:
            found = path.stat()
        except OSError:
            return "gone"
        return "same" if (found.st_size, found.st_mtime_ns) == (self.size_bytes, self.modified_ns) else "changed"


def of(path: Path, imported: Imported) -> Origin:
    """Of a file that was just read; 0 bytes where it has vanished since."""
    without_rows = dataclasses.replace(imported, rows=())
    try:
        found = path.stat()
    except OSError:
        return Origin(without_rows, 0, 0)
    return Origin(without_rows, found.st_size, found.st_mtime_ns)


def keep(folder: Path, origin: Origin) -> None:
    """Raises AppError("draft_unwritable" | "drive_space")."""
    try:
        write_atomically(folder / FILE, json_lines.encode_line(origin))
    except OSError as error:
        raise drive_error(error, folder, "draft_unwritable") from error


def read(folder: Path) -> Origin | None:
    """None for rows that were generated, and where it cannot be read: the rows are whole without it."""
    try:
        found: Origin = json_lines.decode_message(strict_json.load_file(folder / FILE), {"Origin": Origin})
    except (OSError, ValueError, AttributeError):
        return None
    return found
