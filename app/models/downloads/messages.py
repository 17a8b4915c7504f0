"""Define the messages between the program and the downloading child, as frozen dataclasses.

Commands go to the child, events come back, each with the command's `id`. A `Fetch` ends with exactly one `Done`,
`FetchPaused` or `Failed`, or with the exit of the process; received bytes stay in every case.
"""

from dataclasses import dataclass, field
from typing import Any, get_args

PROTOCOL = 1


@dataclass(frozen=True, slots=True)
class NetworkAccess:
    """Holds credentials for the network. They live in memory only: neither token nor proxy is ever stored or logged."""

    token: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)  # "http://user:password@host:port"; "": the system's


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """Identifies the source of a file.

    `place`: the address of a hub or mirror, a folder, or, if `repository` is "", the address of the file itself.
    """

    place: str
    repository: str = ""
    revision: str = "main"
    file: str = ""


@dataclass(frozen=True, slots=True)
class TransferPolicy:
    """Holds the limits of a transfer. The defaults suit the internet; tests use shorter times."""

    connections: int = 4
    stall_s: float = 30.0  # a connection that receives no byte for this time is closed
    backoff_s: float = 1.0  # after the first failure; each further one doubles it
    longest_backoff_s: float = 60.0
    patience: int = 6  # failures in a row without a byte before a connection gives up
    sync_bytes: int = 64 << 20  # most bytes received between two checkpoints; fewer for small files


# ---------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class ListFiles:
    """List the files of a repository or folder. Answered by FilesListed or Failed."""

    id: str
    place: str
    repository: str
    revision: str = "main"
    access: NetworkAccess = NetworkAccess()


@dataclass(frozen=True, slots=True)
class SearchHub:
    """Search a hub for repositories with GGUF files, or describe one. Answered by HubSearched or Failed."""

    id: str
    place: str
    words: str = ""
    repository: str = ""  # "owner/name" of the one to describe; "": search for `words`
    revision: str = "main"
    access: NetworkAccess = NetworkAccess()


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch one file to `folder`/`name`, or resume an earlier fetch of it."""

    id: str
    origin: FileOrigin
    folder: str
    name: str  # the child checks again that it is a plain file name
    size_bytes: int = 0  # 0: as the source reports
    sha256: str = ""  # "": as the source reports; without either only the size is checked
    card_id: str = ""  # stored in the checkpoint, to find the card when resuming
    bytes_per_s: int = 0  # 0: no limit
    access: NetworkAccess = NetworkAccess()
    pace: TransferPolicy = TransferPolicy()


@dataclass(frozen=True, slots=True)
class InstallOcr:
    """Fetch the locked packages that recognize text, and unpack them into `folder`.

    `wheels`: a folder that has their files; "": the package indexes of pip's settings. Answered by Done or Failed.
    """

    id: str
    folder: str
    wheels: str = ""
    access: NetworkAccess = NetworkAccess()


@dataclass(frozen=True, slots=True)
class Pause:
    """End the Fetch with this id; received bytes stay."""

    id: str


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Change the speed limit of the Fetch with this id."""

    id: str
    bytes_per_s: int  # 0: no limit


# ------------------------------------------------------------------ events


@dataclass(frozen=True, slots=True)
class Hello:
    """Announces the child; it is the first event."""

    protocol: int
    pid: int

    def __post_init__(self) -> None:
        if self.protocol != PROTOCOL:
            raise ValueError(f"protocol {self.protocol} is not {PROTOCOL}")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Shows once a second that the child runs."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """Describes a file in a repository or folder."""

    name: str
    size_bytes: int
    sha256: str  # "" for small files, which the hub does not store by hash


@dataclass(frozen=True, slots=True)
class FilesListed:
    """Lists the files of a repository or folder."""

    id: str
    commit: str
    files: tuple[ListedFile, ...]


@dataclass(frozen=True, slots=True)
class HubRepository:
    """Describes a repository as its hub does. Nothing of it is verified."""

    name: str  # "owner/name"
    commit: str
    files: tuple[ListedFile, ...]
    licence: str = ""  # "": not stated
    is_gated: bool = False
    parameters: int = 0  # 0: not stated, as are the next two
    context_tokens: int = 0
    architecture: str = ""
    base_model: str = ""
    is_newest: bool = True  # `commit` is that of the main branch


@dataclass(frozen=True, slots=True)
class HubSearched:
    """Lists the repositories that a search has found, the most downloaded first."""

    id: str
    repositories: tuple[HubRepository, ...]


@dataclass(frozen=True, slots=True)
class NetworkContacted:
    """A host is about to be contacted for the first time in this command; includes redirects."""

    id: str
    host: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Reports how much of a Fetch has arrived."""

    id: str
    done_bytes: int
    total_bytes: int
    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class WaitingToRetry:
    """A connection has failed and will be retried. `reason`: stalled | cut | busy | unreachable | server."""

    id: str
    reason: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Restarted:
    """The source has a different file than before: the fetch starts from the beginning."""

    id: str


@dataclass(frozen=True, slots=True)
class Repairing:
    """The checksum is wrong: the file is compared with the source, and bytes that differ are replaced."""

    id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Verifying:
    """All bytes have arrived, and their hash is being computed."""

    id: str


@dataclass(frozen=True, slots=True)
class Done:
    """The file is complete and in its place."""

    id: str
    path: str
    size_bytes: int
    sha256: str
    is_verified: bool  # False: the expected checksum is unknown
    repaired_bytes: int
    was_here: bool = False  # True: the file existed before, perhaps as the user's own; nothing was fetched


@dataclass(frozen=True, slots=True)
class FetchPaused:
    """The Fetch has ended after a Pause."""

    id: str
    done_bytes: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The command has failed. `code` and `facts` as in AppError."""

    id: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)


Command = ListFiles | SearchHub | Fetch | InstallOcr | Pause | SetLimit
_Answer = (
    FilesListed
    | HubSearched
    | Progress
    | WaitingToRetry
    | Restarted
    | Repairing
    | Verifying
    | Done
    | FetchPaused
    | Failed
)
Event = Hello | Heartbeat | NetworkContacted | _Answer

COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in get_args(Command)}
EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
