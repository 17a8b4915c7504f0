"""The files that a model consists of: large ones come in parts, of which the first is named."""

import glob
from pathlib import Path


def parts_of(path: Path) -> list[Path]:
    """Return the file, and where its name says that it is a part, all parts beside it."""
    stem, is_part, count = path.stem.rpartition("-of-")
    pattern = f"{glob.escape(stem[:-5])}*-of-{glob.escape(count)}.gguf"
    return [path, *path.parent.glob(pattern)] if is_part else [path]
