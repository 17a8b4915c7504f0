"""One hostile or odd document for the reading child, with what must become of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DONE, DOUBTFUL = "done", "doubtful"


@dataclass(frozen=True, slots=True)
class Case:
    """`name`: of the file, unique. `end`: the state, or the error code of a document that failed; where
    two are right, both with | between them.

    `content`: the file's bytes, or what writes it. `holds`: what its sections say, `lacks`: what they do not.
    """

    name: str
    end: str
    content: bytes | Callable[[Path], object]
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        if isinstance(self.content, bytes):
            path.write_bytes(self.content)
        else:
            self.content(path)
        return path
