"""Names of folders that people find again: by the time, and by what they have called their content."""

import re
import time
import unicodedata
from pathlib import Path

from app.base.files.bin_folder import BIN

_LETTERS = 40


def new(parent: Path, name: str, now: float) -> Path:
    """A free place in `parent`, called by its time (of this machine) and its name. It is not made yet.

    What lies in the bin keeps its name, to which it may come back.
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    slug = re.sub(r"[^\w.-]+", "-", plain)[:_LETTERS].strip("-.")
    stem = time.strftime("%Y%m%d-%H%M%S", time.localtime(now)) + (f"-{slug}" if slug else "")
    folder, number = parent / stem, 2
    while folder.exists() or (parent / BIN / folder.name).exists():
        folder, number = parent / f"{stem}-{number}", number + 1
    return folder
