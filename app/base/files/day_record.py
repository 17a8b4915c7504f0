"""A count of days that no clock can push forward. What is deleted after some time is deleted by it.

A computer without a network may be years off, and one wrong start must not erase anything. So the record in the data
folder adds up the time that has surely passed between two looks at it, by how long the machine has been running, which
no change of the clock moves. A machine that has been running for longer than at the last look has let at least the
difference pass; one that has been running for less was started since then, and all of that has passed. Time during
which it was off does not count, and one look counts for a day at most, so that a folder that was carried to another
machine gains no more. The window looks at its start and every hour.

What may be deleted some day is noted with the count and the date when it is seen first. It is ripe when its own date
and that one are old enough (one alone may be of a clock that was years behind) and PROOF_DAYS have passed by this
count; or when the count alone reaches the whole time. A record that is lost or damaged begins again, and keeps
everything for so much longer.
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
_looking = threading.Lock()

log = logging.getLogger("kotae")


def uptime_s() -> float:
    """Return how long the machine has been running. On Linux the kernel says it in a file, which nothing can shift."""
    try:
        return float(Path("/proc/uptime").read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class TrackedItem:
    """What the record knows of one thing that may be deleted some day.

    `age`: the days, by the record, since it was first seen with its present date. `seen_at`: the earliest moment, by
    the clock, at which it was seen with it. `at`: that date, by the clock.
    """

    age: int
    seen_at: float
    at: float

    def is_ripe(self, now: float, days: float) -> bool:
        return (self.age >= PROOF_DAYS and max(self.at, self.seen_at) < now - days * DAY_S) or self.age > days


class DayRecord:
    """Where it cannot be written (a full disk) nothing is ripe."""

    def __init__(self, folder: Path, uptime: Callable[[], float] = uptime_s) -> None:
        self._file = folder / NAME
        self._uptime = uptime

    def ripe(self, kind: str, dated: Mapping[str, float], now: float, days: float) -> set[str]:
        """Return those that may be deleted after so many days, as the head of this file says. `dated`: as `look`."""
        return {name for name, one in self.look(kind, dated, now).items() if one.is_ripe(now, days)}

    def look(self, kind: str, dated: Mapping[str, float], now: float) -> dict[str, TrackedItem]:
        """Return what is known of each thing.

        `dated`: all that there are of a kind, and the date that each has by the clock. Others of it are forgotten.
        """
        with _looking:
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
        up_s = max(0.0, self._uptime())
        passed_s = up_s - state["uptime_s"] if up_s >= state["uptime_s"] else up_s
        state["rest_s"] += min(passed_s, DAY_S)
        if state["rest_s"] >= DAY_S:
            state["days"] += 1
            state["rest_s"] = min(state["rest_s"] - DAY_S, DAY_S - 1)
        state["uptime_s"] = up_s
        return int(state["days"])


def _read(file: Path) -> dict[str, Any] | None:
    """Return the record; None where there is none, or it says what none can say."""
    try:
        state = strict_json.load_file(file)
        noted = {
            kind: {str(key): (_whole(day), _date(at)) for key, (day, at) in days.items()}
            for kind, days in state["noted"].items()
        }
        rest_s, up_s = _seconds(state["rest_s"]), _seconds(state["uptime_s"])
        return {"days": _whole(state["days"]), "rest_s": min(rest_s, DAY_S - 1), "uptime_s": up_s, "noted": noted}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _whole(value: Any) -> int:
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
