"""What the transfer asks of a place that has a file, and what can go wrong there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """Tells one version of a file from another."""

    size_bytes: int
    etag: str = ""  # "": the source gives none
    sha256: str = ""  # as the source says
    modified: str = ""  # when, as the source says; counts where it gives no etag

    @property
    def has_validator(self) -> bool:
        return bool(self.etag or self.modified)

    def is_same(self, other: "Identity") -> bool:
        """Servers behind one address may disagree about the etag of a file; its sha256 is the same everywhere."""
        if self.size_bytes != other.size_bytes:
            return False
        if self.sha256 and other.sha256:
            return self.sha256 == other.sha256
        return self.etag == other.etag and bool(self.etag or self.modified == other.modified)


class TransientError(Exception):
    """Worth another try. `reason`: stalled | cut | busy | unreachable | server."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s  # as the server asks; 0: it says nothing


class ChangedError(Exception):
    """The source has another file now: what was received belongs to the old one."""


class BadRangeError(Exception):
    """Asked for one part of the file, the source gave another, or said that there is none."""


class NoRangesError(Exception):
    """Asked for a part of the file, the source would send all of it."""


class Source(Protocol):
    @property
    def connections(self) -> int:
        """How many parts may be read at the same time."""

    def probe(self) -> Identity:
        """Raises TransientError, or AppError where another try is no use."""

    def read(self, identity: Identity, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start`, `end` excluded; may end early. Raises also ChangedError, BadRangeError and
        NoRangesError, each before the first byte."""

    def read_whole(self, identity: Identity) -> Iterator[bytes]:
        """All bytes, for a source that knows no ranges."""
