"""Models on their way to this machine: a queue, one at a time, by the downloading child."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.core.catalogue import ModelCard, ModelFile
from app.core.errors import AppError
from app.services.library import ModelLibrary
from app.services.preferences import Preferences


@dataclass(frozen=True, slots=True)
class Download:
    """`state`: waiting | running | paused | verifying | repairing | failed. One model, also where it has several files.

    `problem`: why it failed; of a running one, what is being tried again (a connection that was cut).
    """

    id: str
    card_id: str
    title: str
    quantization: str
    names: tuple[str, ...]  # of its files
    place: str  # host or folder
    total_bytes: int
    done_bytes: int
    state: str
    bytes_per_s: float = 0.0
    seconds_left: float | None = None  # None: not known yet
    problem: AppError | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A machine that was spoken to since the start, always because somebody asked for a download."""

    host: str
    at: float  # seconds since 1970
    title: str  # of the download


class Downloads(QObject):
    """What the window and the command line ask for; `place` "" is the hub or mirror of the settings."""

    changed = Signal()  # what there is, its order or its states
    progressed = Signal(object)  # Download
    finished = Signal(object)  # LocalModel
    failed = Signal(object)  # Download
    contacted = Signal(object)  # Contact

    def __init__(
        self,
        library: ModelLibrary,
        preferences: Preferences,
        command: list[str],
        log: Path,
        queue: Path | None,
        parent: QObject | None = None,
    ) -> None:
        """`queue`: the file that remembers what is not finished; None: nothing is remembered."""
        super().__init__(parent)
        self._items: list[Download] = []

    def items(self) -> list[Download]:
        return list(self._items)

    def find(self, card_id: str, quantization: str) -> Download | None:
        wanted = (card_id, quantization)
        return next((item for item in self.items() if (item.card_id, item.quantization) == wanted), None)

    @property
    def online_count(self) -> int:
        """Downloads that use the network now: what 外部通信 shows."""
        return 0

    def contacts(self) -> list[Contact]:
        return []

    def start(self, card: ModelCard, file: ModelFile, place: str = "") -> None:
        """Puts it at the end of the queue. One that is there already goes on.

        `place`: a folder, the address of a mirror, or of the file itself.
        """

    def pause(self, download_id: str) -> None: ...

    def resume(self, download_id: str) -> None: ...

    def cancel(self, download_id: str) -> None:
        """Takes it off the list. What was received is kept until `discard_cancelled`, for `undo_cancel`."""

    def undo_cancel(self, download_id: str) -> None:
        """Back where it was, paused; nothing where it is gone for good."""

    def discard_cancelled(self) -> None:
        """Deletes what cancelled downloads have received."""

    def move(self, download_id: str, index: int) -> None: ...

    def set_limit(self, bytes_per_s: int) -> None:
        """0: none. At once, and kept in the settings."""

    def set_token(self, token: str) -> None:
        """For repositories that ask who it is. In memory only."""

    def set_proxy_login(self, user: str, password: str) -> None:
        """For the proxy of the settings. In memory only."""

    def close(self) -> None:
        """Pauses what runs and ends the child. Blocks for a moment."""
