"""Count days by the machine's running time, so that a wrong clock never causes a deletion.

A record in the data folder adds up the time that has surely passed between two calls of `track`: the machine's uptime
has grown by it, or is shorter because the machine was started again. One call adds a day at most. For each item that
will be deleted some day the record keeps the count and the clock's date at the first call with it. The item may be
deleted when its own date and that one are old enough (a single one may come from a clock that was years behind) and
PROOF_DAYS were counted since; or when the count alone exceeds the whole time. A lost record begins at zero, so items
are kept for longer.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True, slots=True)
class TrackedItem:
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
            state = _read(self._file) or {"days": 0, "rest_s": 0.0, "uptime_s": self._uptime(), "noted": {}}
            days = self._count(state)
            noted = state["noted"].get(kind, {})
            keys = {name: f"{name}@{at:.3f}" for name, at in dated.items()}
            first = {key: tuple(map(min, noted.get(key, (days, now)), (days, now))) for key in keys.values()}
            state["noted"][kind] = first
            try:
                write_atomically(self._file, json.dumps(state).encode())
            except OSError as error:
                log.warning("record of days: %s", error)
                return {name: TrackedItem(0, now, at) for name, at in dated.items()}
        return {name: TrackedItem(days - first[key][0], first[key][1], dated[name]) for name, key in keys.items()}

    def _count(self, state: dict[str, Any]) -> int:
        """Add the time since the last call to `state` and return the days counted so far."""
        up_s = max(0.0, self._uptime())
        passed_s = up_s - state["uptime_s"] if up_s >= state["uptime_s"] else up_s
        state["rest_s"] += min(passed_s, DAY_S)
        if state["rest_s"] >= DAY_S:
            state["days"] += 1
            state["rest_s"] = min(state["rest_s"] - DAY_S, DAY_S - 1)
        state["uptime_s"] = up_s
        return int(state["days"])


def _read(file: Path) -> dict[str, Any] | None:
    """Return the record in a file; None if it is missing or invalid."""
    try:
        state = strict_json.load_file(file)
        noted = {
            kind: {str(key): (_checked_integer(day), _date(at)) for key, (day, at) in days.items()}
            for kind, days in state["noted"].items()
        }
        rest_s, up_s = _seconds(state["rest_s"]), _seconds(state["uptime_s"])
        return {
            "days": _checked_integer(state["days"]),
            "rest_s": min(rest_s, DAY_S - 1),
            "uptime_s": up_s,
            "noted": noted,
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _checked_integer(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1_000_000:
        raise ValueError(value)
    return value


def _date(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) < 1e12:
        raise ValueError(value)
    return float(value)


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e12:
        raise ValueError(value)
    return float(value)
