"""Define the job and the events of the child process that makes the environment: one JSON object per line."""

from dataclasses import dataclass
from typing import Any, get_args

from app.base.errors import AppError

PHASES = ("prepare", "python", "fetch", "venv", "install", "check", "kit")


@dataclass(frozen=True, slots=True)
class KitJob:
    """The job to write a kit for another machine instead of making an environment."""

    folder: str
    system: str = ""  # a value of `locks.this_system`; "": this machine's
    python: str = ""  # version such as "3.12"; "": the newest with a lock
    archive: str = ""  # path of a Python's archive to include; "": none
    part_bytes: int = 0  # maximum size of a file; 0: the limit of FAT32


@dataclass(frozen=True, slots=True)
class InstallJob:
    data: str  # the data folder
    logs: str  # the folder of log files
    base: str = ""  # the folder to contain the environment; "": `folders.proposed_base`
    wheels: str = ""  # a folder of wheels or a kit; "": the package indexes
    proxy: str = ""  # may contain a password: never passed as an argument or written to a file
    variant: str = ""  # one of `locks.VARIANTS`; "": the one that suits this machine
    kit: KitJob | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A step of the work. `name`: one of PHASES. `package`: the package being fetched or copied, otherwise "".

    `done_bytes` and the total count all packages together; a total of 0 means unknown.
    """

    name: str
    package: str = ""
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ContactedHost:
    """Reports a host that the child connects to."""

    name: str


@dataclass(frozen=True, slots=True)
class Done:
    base: str  # the folder that contains the environment (`folders.known_base`), or the kit's folder


@dataclass(frozen=True, slots=True)
class Failed:
    code: str
    facts: dict[str, Any]

    def as_error(self) -> AppError:
        return AppError(self.code, **self.facts)


Event = Phase | ContactedHost | Done | Failed
EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
