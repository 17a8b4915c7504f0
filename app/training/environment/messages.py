"""The job of the child that makes the environment, and what it tells, one JSON object a line."""

from dataclasses import asdict, dataclass
from typing import Any

from app.base.errors import AppError

PHASES = ("prepare", "python", "fetch", "venv", "install", "check", "kit")


@dataclass(frozen=True, slots=True)
class KitJob:
    """What makes the child write a kit for another machine, and nothing else."""

    folder: str
    system: str = ""  # as `locks.this_system`; "": this one
    python: str = ""  # "3.12"; "": the newest that there is a lock for
    archive: str = ""  # a file with a Python to go with it; "": none
    part_bytes: int = 0  # 0: what a FAT32 stick takes


@dataclass(frozen=True, slots=True)
class InstallJob:
    data: str  # folder
    logs: str  # folder
    base: str = ""  # the folder that it is made below; "": as `folders.proposed`
    wheels: str = ""  # folder, perhaps a kit; "": the package index
    proxy: str = ""  # may hold a password: never an argument, never in a file
    variant: str = ""  # one of `locks.VARIANTS`; "": what suits this machine
    kit: KitJob | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """`name`: one of PHASES. `package`: the one that is being fetched, "" where none is.

    The bytes are those of all packages together; a total of 0 is not known.
    """

    name: str
    package: str = ""
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ContactedHost:
    """A machine that is spoken to."""

    name: str


@dataclass(frozen=True, slots=True)
class Done:
    base: str  # the folder that it was made below, as `place.known_as`; of a kit: the kit's


@dataclass(frozen=True, slots=True)
class Failed:
    code: str
    facts: dict[str, Any]

    def as_error(self) -> AppError:
        return AppError(self.code, **self.facts)


Event = Phase | ContactedHost | Done | Failed
_KINDS: dict[str, type[Event]] = {kind.__name__.lower(): kind for kind in (Phase, ContactedHost, Done, Failed)}


def event_to_json(event: Event) -> dict[str, Any]:
    return {"event": type(event).__name__.lower(), **asdict(event)}


def event_from_json(data: dict[str, Any]) -> Event:
    """Raises ValueError for what is no event of ours."""
    fields = {key: value for key, value in data.items() if key != "event"}
    try:
        return _KINDS[data["event"]](**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no event: {data}") from error


def job_from_json(data: dict[str, Any]) -> InstallJob:
    kit = data.pop("kit", None)
    return InstallJob(**data, kit=KitJob(**kit) if kit else None)
