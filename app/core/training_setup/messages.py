"""The job of the child that makes the environment, and what it tells, one JSON object a line."""

from dataclasses import asdict, dataclass
from typing import Any

from app.core.errors import AppError

PHASES = ("prepare", "venv", "fetch", "install", "check")


@dataclass(frozen=True, slots=True)
class Job:
    data: str  # folder
    logs: str  # folder
    base: str = ""  # the folder that it is made below; "": as `folders.proposed`
    wheels: str = ""  # folder; "": the package index
    proxy: str = ""  # may hold a password: never an argument, never in a file


@dataclass(frozen=True, slots=True)
class Phase:
    """`name`: one of PHASES. `package`: the one that pip is at, "" where it is at none."""

    name: str
    package: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that pip speaks to."""

    name: str


@dataclass(frozen=True, slots=True)
class Done:
    base: str  # the folder that it was made below, as `place.known_as`


@dataclass(frozen=True, slots=True)
class Failed:
    code: str
    facts: dict[str, Any]

    def as_error(self) -> AppError:
        return AppError(self.code, **self.facts)


Event = Phase | Host | Done | Failed
_KINDS: dict[str, type[Event]] = {kind.__name__.lower(): kind for kind in (Phase, Host, Done, Failed)}


def event_to_json(event: Event) -> dict[str, Any]:
    return {"event": type(event).__name__.lower(), **asdict(event)}


def event_from_json(data: dict[str, Any]) -> Event:
    """Raises ValueError for what is no event of ours."""
    fields = {key: value for key, value in data.items() if key != "event"}
    try:
        return _KINDS[data["event"]](**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no event: {data}") from error
