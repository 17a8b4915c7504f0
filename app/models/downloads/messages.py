"""What goes over the wire between the program and the downloading child, as frozen dataclasses.

Commands go down, events come up, each with the command's `id`. A `Fetch` ends with exactly one `Done`, `FetchPaused` or
`Failed`, or with the exit of the process; what was received then is still there.
"""

from dataclasses import dataclass, field
from typing import Any, get_args

from app.base import json_lines

PROTOCOL = 1


@dataclass(frozen=True, slots=True)
class NetworkAccess:
    """How the network is reached. Lives only in memory: neither token nor proxy is ever written down or logged."""

    token: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)  # "http://user:password@host:port"; "": what the system says


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """Where a file comes from. `place`: the address of a hub or mirror, a folder, or the address of the file itself.

    `repository` "": `place` is the file's own address.
    """

    place: str
    repository: str = ""
    revision: str = "main"
    file: str = ""


@dataclass(frozen=True, slots=True)
class TransferPolicy:
    """Seconds and counts; the defaults suit the internet, tests use shorter ones."""

    connections: int = 4
    stall_s: float = 30.0  # without one byte, then the connection is given up
    backoff_s: float = 1.0  # after the first failure; doubled by each further one
    longest_backoff_s: float = 60.0
    patience: int = 6  # failures of a connection in a row without one byte
    sync_bytes: int = 64 << 20  # at most this much is received between two marks; less for smaller files


# ---------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class ListFiles:
    """Answered by Listed or Failed."""

    id: str
    place: str
    repository: str
    revision: str = "main"
    access: NetworkAccess = NetworkAccess()


@dataclass(frozen=True, slots=True)
class Fetch:
    """Brings one file to `folder`/`name`, or goes on where an earlier one ended."""

    id: str
    origin: FileOrigin
    folder: str
    name: str  # made safe again by the child: a plain file name
    size_bytes: int = 0  # 0: as the source says
    sha256: str = ""  # "": as the source says; without either, nothing but the size can be checked
    card_id: str = ""  # kept with what is received, for whoever goes on later
    bytes_per_s: int = 0  # 0: no limit
    access: NetworkAccess = NetworkAccess()
    pace: TransferPolicy = TransferPolicy()


@dataclass(frozen=True, slots=True)
class Pause:
    """Ends the Fetch of that id; everything received stays."""

    id: str


@dataclass(frozen=True, slots=True)
class SetLimit:
    id: str
    bytes_per_s: int  # 0: no limit


# ------------------------------------------------------------------ events


@dataclass(frozen=True, slots=True)
class Hello:
    protocol: int
    pid: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Once a second, whatever else is going on."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    name: str
    size_bytes: int
    sha256: str  # "": small files are not stored by hash


@dataclass(frozen=True, slots=True)
class FilesListed:
    id: str
    commit: str
    files: tuple[ListedFile, ...]


@dataclass(frozen=True, slots=True)
class NetworkContacted:
    """A host is about to be spoken to, for the first time in this command; also those that others redirect to."""

    id: str
    host: str


@dataclass(frozen=True, slots=True)
class Progress:
    id: str
    done_bytes: int
    total_bytes: int
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class WaitingToRetry:
    """A connection failed and is tried again. `reason`: stalled | cut | busy | unreachable | server."""

    id: str
    reason: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Restarted:
    """The source has another file than before: from the beginning."""

    id: str


@dataclass(frozen=True, slots=True)
class Repairing:
    """The checksum is wrong: the source is compared with what is here, and what differs is replaced."""

    id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Verifying:
    id: str


@dataclass(frozen=True, slots=True)
class Done:
    id: str
    path: str
    size_bytes: int
    sha256: str
    is_verified: bool  # False: nobody said what the checksum should be
    repaired_bytes: int
    was_here: bool = False  # whole from an earlier time; perhaps the user's own: nothing was fetched


@dataclass(frozen=True, slots=True)
class FetchPaused:
    id: str
    done_bytes: int


@dataclass(frozen=True, slots=True)
class Failed:
    """`code` and `facts` as in AppError."""

    id: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)


Command = ListFiles | Fetch | Pause | SetLimit
_Answer = FilesListed | Progress | WaitingToRetry | Restarted | Repairing | Verifying | Done | FetchPaused | Failed
Event = Hello | Heartbeat | NetworkContacted | _Answer

_COMMANDS = {kind.__name__: kind for kind in get_args(Command)}
_EVENTS = {kind.__name__: kind for kind in get_args(Event)}


def to_line(message: Command | Event) -> bytes:
    return json_lines.encode_line(message)


def command_from_json(data: dict[str, Any]) -> Command:
    """Raises ValueError for anything that is not a command of this protocol."""
    command: Command = json_lines.decode_message(data, _COMMANDS)
    return command


def event_from_json(data: dict[str, Any]) -> Event:
    """Raises ValueError for anything that is not an event of this protocol."""
    event: Event = json_lines.decode_message(data, _EVENTS)
    return event
