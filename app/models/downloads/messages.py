"""Define the messages between the program and the downloading child, as frozen values.

Commands go to the child, events come back, each with the command's `id`. A `Fetch` ends with exactly one `Done`,
`FetchPaused` or `Failed`, or with the exit of the process; received bytes stay in every case.
"""

from dataclasses import dataclass, field
from typing import Any, get_args

from msgspec import Struct

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


class TransferPolicy(Struct, frozen=True):
    """Holds the limits of a transfer. The defaults suit the internet; tests use shorter times."""

    connections: int = 4
    stall_s: float = 30.0  # a connection that receives no byte for this time is closed
    backoff_s: float = 1.0  # after the first failure; each further one doubles it
    longest_backoff_s: float = 60.0
    patience: int = 6  # failures in a row without a byte before a connection gives up
    sync_bytes: int = 64 << 20  # most bytes received between two checkpoints; fewer for small files


# ---------------------------------------------------------------- commands


class ListFiles(Struct, frozen=True):
    """List the files of a repository or folder. Answered by FilesListed or Failed."""

    id: str
    place: str
    repository: str
    revision: str = "main"
    access: NetworkAccess = NetworkAccess()


class SearchHub(Struct, frozen=True):
    """Search a hub for repositories with GGUF files, or describe one. Answered by HubSearched or Failed."""

    id: str
    place: str
    words: str = ""
    repository: str = ""  # "owner/name" of the one to describe; "": search for `words`
    revision: str = "main"
    access: NetworkAccess = NetworkAccess()


class Fetch(Struct, frozen=True):
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


class InstallOcr(Struct, frozen=True):
    """Fetch the locked packages that recognize text, and unpack them into `folder`.

    `wheels`: a folder that has their files; "": the package indexes of pip's settings. Answered by Done or Failed.
    """

    id: str
    folder: str
    wheels: str = ""
    access: NetworkAccess = NetworkAccess()


class Pause(Struct, frozen=True):
    """End the Fetch with this id; received bytes stay."""

    id: str


class SetLimit(Struct, frozen=True):
    """Change the speed limit of the Fetch with this id."""

    id: str
    bytes_per_s: int  # 0: no limit


# ------------------------------------------------------------------ events


class Hello(Struct, frozen=True):
    """Announces the child; it is the first event."""

    protocol: int
    pid: int

    def __post_init__(self) -> None:
        if self.protocol != PROTOCOL:
            raise ValueError(f"protocol {self.protocol} is not {PROTOCOL}")


class Heartbeat(Struct, frozen=True):
    """Shows once a second that the child runs."""


class ListedFile(Struct, frozen=True):
    """Describes a file in a repository or folder."""

    name: str
    size_bytes: int
    sha256: str  # "" for small files, which the hub does not store by hash


class FilesListed(Struct, frozen=True):
    """Lists the files of a repository or folder."""

    id: str
    commit: str
    files: tuple[ListedFile, ...]


class HubRepository(Struct, frozen=True):
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


class HubSearched(Struct, frozen=True):
    """Lists the repositories that a search has found, the most downloaded first."""

    id: str
    repositories: tuple[HubRepository, ...]


class NetworkContacted(Struct, frozen=True):
    """A host is about to be contacted for the first time in this command; includes redirects."""

    id: str
    host: str


class Progress(Struct, frozen=True):
    """Reports how much of a Fetch has arrived."""

    id: str
    done_bytes: int
    total_bytes: int
    bytes_per_s: float


class WaitingToRetry(Struct, frozen=True):
    """A connection has failed and will be retried. `reason`: stalled | cut | busy | unreachable | server."""

    id: str
    reason: str
    wait_s: float


class Restarted(Struct, frozen=True):
    """The source has a different file than before: the fetch starts from the beginning."""

    id: str


class Repairing(Struct, frozen=True):
    """The checksum is wrong: the file is compared with the source, and bytes that differ are replaced."""

    id: str
    attempt: int


class Verifying(Struct, frozen=True):
    """All bytes have arrived, and their hash is being computed."""

    id: str


class Done(Struct, frozen=True):
    """The file is complete and in its place."""

    id: str
    path: str
    size_bytes: int
    sha256: str
    is_verified: bool  # False: the expected checksum is unknown
    repaired_bytes: int
    was_here: bool = False  # True: the file existed before, perhaps as the user's own; nothing was fetched


class FetchPaused(Struct, frozen=True):
    """The Fetch has ended after a Pause."""

    id: str
    done_bytes: int


class Failed(Struct, frozen=True):
    """The command has failed. `code` and `facts` as in AppError."""

    id: str
    code: str
    facts: dict[str, Any] = {}


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
