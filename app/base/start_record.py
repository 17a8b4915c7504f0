"""Whether the last starts of the window came to a window: a small file, written before anything of it is built.

A start that dies, whatever ends it (a fault in a plugin of Qt, an exception, a kill, the power), leaves it as it was.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app import __version__
from app.base.build_facts import order
from app.base.files import strict_json
from app.base.files.atomic import write_atomically
from app.base.paths import Paths

SAFE_AFTER = 2  # starts in a row that did not come to a window

STARTING, UP, CLOSED = "starting", "up", "closed"


@dataclass(frozen=True, slots=True)
class Record:
    """`state`: starting | up (the window has been there for a while) | closed (properly).

    `failed`: starts in a row before this one that ended while they were starting.
    """

    state: str = CLOSED
    failed: int = 0
    version: str = ""  # the Kotae whose window was up last; "": none yet

    @property
    def failed_by_now(self) -> int:
        """Counting the one that the record tells of, which has ended."""
        return self.failed + 1 if self.state == STARTING else 0

    @property
    def is_safe_mode_due(self) -> bool:
        return self.failed_by_now >= SAFE_AFTER

    @property
    def was_cut_off(self) -> bool:
        """The last window was there, and did not end properly."""
        return self.state == UP

    @property
    def is_of_another_version(self) -> bool:
        return self.version not in ("", __version__)

    @property
    def is_of_a_newer_version(self) -> bool:
        return order(self.version) > order(__version__)


def file_of(where: Paths) -> Path:
    return where.data / "start.json"


def read(file: Path) -> Record:
    """A missing or damaged record counts as a proper end: nothing is suspected without a sign."""
    try:
        data = strict_json.of_file(file)
        record = Record(**data)
    except (OSError, ValueError, TypeError):
        return Record()
    is_whole = isinstance(record.version, str) and record.state in (STARTING, UP, CLOSED)
    return record if is_whole and type(record.failed) is int and record.failed >= 0 else Record()


def begin(file: Path) -> None:
    """A start is under way. Raises OSError."""
    last = read(file)
    _write(file, Record(STARTING, last.failed_by_now, last.version))


def note_up(file: Path) -> None:
    """The window is there. Raises OSError."""
    _write(file, replace(read(file), state=UP, failed=0, version=__version__))


def note_end(file: Path) -> None:
    """It has ended as somebody wanted, or was refused in words. Raises OSError."""
    _write(file, replace(read(file), state=CLOSED, failed=0))


def _write(file: Path, record: Record) -> None:
    write_atomically(file, json.dumps(asdict(record)).encode("ascii", "replace"))
