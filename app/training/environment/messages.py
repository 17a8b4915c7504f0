"""Define the job and the events of the child that makes the environment: JSON objects, one a line."""

from dataclasses import dataclass
from typing import Any, get_args

from app.base.errors import AppError

PHASES = ("prepare", "python", "fetch", "venv", "install", "check", "kit")


@dataclass(frozen=True, slots=True)
class KitJob:
    """The job of writing a kit for another machine, in place of making an environment."""

    folder: str
    system: str = ""  # as `locks.this_system`; "": this one
    python: str = ""  # "3.12"; "": the newest with a lock
    archive: str = ""  # a file with a Python to include; "": none
    part_bytes: int = 0  # 0: the file limit of FAT32


@dataclass(frozen=True, slots=True)
class InstallJob:
    data: str  # folder
    logs: str  # folder
    base: str = ""  # the folder that will contain it; "": `folders.proposed_base`
    wheels: str = ""  # a folder of wheels or a kit; "": the package indexes
    proxy: str = ""  # may contain a password: never passed as an argument or written to a file
    variant: str = ""  # one of `locks.VARIANTS`; "": what fits this machine
    kit: KitJob | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A step of the work. `name`: one of PHASES. `package`: the one being fetched, otherwise "".

    The bytes count all packages together; a total of 0 is unknown.
    """

    name: str
    package: str = ""
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ContactedHost:
    """A host that the child connects to."""

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
