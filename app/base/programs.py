"""Programs of this machine, found where the system keeps them and never in the folder that somebody stands in.

Windows looks for a bare name in the current folder first, and a PATH may name relative folders. What lies there may
have come with a memory stick or a download.
"""

import os
import shutil
from pathlib import Path


def find(name: str) -> str | None:
    """Return the whole path of a program in one of PATH's absolute folders; None: it is not installed."""
    file = f"{name}.exe" if os.name == "nt" else name
    folders = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    return next((found for folder in folders if folder.is_absolute() and (found := shutil.which(folder / file))), None)
