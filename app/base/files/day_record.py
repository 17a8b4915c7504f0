"""Count days by the machine's running time, so that a wrong clock never causes a deletion.

A record in the data folder adds up the time that has surely passed between two calls of `track`: the machine's uptime
has grown by it, or is shorter because the machine was started again. One call adds a day at most. For each item that
will be deleted some day the record keeps the count and the clock's date at the first call with it. The item may be
deleted when its own date and that one are old enough (a single one may come from a clock that was years behind) and
PROOF_DAYS were counted since; or when the count alone exceeds the whole time. A lost record begins at zero, so items
are kept for longer.
"""

import dataclasses
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Struct

from app.base.files import strict_json
from app.base.files.output_file import write_atomically

NAME = "days.json"  # in the data folder
PROOF_DAYS = 5
DAY_S = 24 * 60 * 60
_lock = threading.Lock()

log = logging.getLogger("kotae")


def uptime_s() -> float:
    """Return the uptime of the machine in seconds, including sleep on Linux."""
    try:
        return float(Path("/proc/uptime").read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return time.monotonic()


class TrackedItem(Struct, frozen=True):
    """The age of one item that will be deleted some day.

    `at`: the item's date. `age`: days that the record has counted since the item was first tracked with this date.
    `seen_at`: the clock's earliest time at which it was tracked with this date. Times are seconds since 1970.
    """

    age: int
    seen_at: float
    at: float

    def is_expired(self, now: float, days: float) -> bool:
        """Whether the item may be deleted at `now` (seconds since 1970), if items are kept for so many days."""
        return (self.age >= PROOF_DAYS and max(self.at, self.seen_at) < now - days * DAY_S) or self.age > days


_Days = Annotated[int, msgspec.Meta(ge=0, lt=1_000_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, lt=1e12)]
_Date = Annotated[float, msgspec.Meta(gt=-1e12, lt=1e12)]


@dataclass(slots=True)
class _State:
    """The content of the file. `noted`: by kind and name with date, the count and the clock at the first call."""

    uptime_s: _Seconds
    days: _Days = 0
    rest_s: _Seconds = 0.0
    noted: dict[str, dict[str, tuple[_Days, _Date]]] = field(default_factory=dict)


class DayRecord:
    """The record of days in one data folder. While it cannot be written (a full disk), no item counts as expired."""

    def __init__(self, folder: Path, uptime: Callable[[], float] = uptime_s) -> None:
        self._file = folder / NAME
        self._uptime = uptime

    def expired_items(self, kind: str, dated: Mapping[str, float], now: float, days: float) -> set[str]:
        """Return the names of the items that may be deleted. Parameters: see `track` and `TrackedItem.is_expired`."""
        return {name for name, one in self.track(kind, dated, now).items() if one.is_expired(now, days)}

    def track(self, kind: str, dated: Mapping[str, float], now: float) -> dict[str, TrackedItem]:
        """Add the days since the last call, record the items of a kind with their dates, and return each one's age.

        Items of this kind that are not in `dated` are dropped. Dates and `now` are in seconds since 1970.
        """
        with _lock:
            state = _read(self._file) or _State(uptime_s=self._uptime())
            days = self._count(state)
            noted = state.noted.get(kind, {})
            keys = {name: f"{name}@{at:.3f}" for name, at in dated.items()}
            known = {key: noted.get(key, (days, now)) for key in keys.values()}
            first = state.noted[kind] = {key: (min(day, days), min(at, now)) for key, (day, at) in known.items()}
            try:
                write_atomically(self._file, json.dumps(dataclasses.asdict(state)).encode())
            except OSError as error:
                log.warning("record of days: %s", error)
                return {name: TrackedItem(0, now, at) for name, at in dated.items()}
        return {name: TrackedItem(days - first[key][0], first[key][1], dated[name]) for name, key in keys.items()}

    def _count(self, state: _State) -> int:
        """Add the time since the last call to `state` and return the days counted so far."""
        up_s = max(0.0, self._uptime())
        state.rest_s += min(up_s - state.uptime_s if up_s >= state.uptime_s else up_s, DAY_S)
        if state.rest_s >= DAY_S:
            state.days += 1
            state.rest_s = min(state.rest_s - DAY_S, DAY_S - 1)
        state.uptime_s = up_s
        return state.days


def _read(file: Path) -> _State | None:
    """Return the record in a file; None if it is missing or invalid."""
    try:
        state = msgspec.convert(strict_json.load_file(file), _State)
    except (OSError, ValueError):
        return None
    state.rest_s = min(state.rest_s, DAY_S - 1)
    return state
