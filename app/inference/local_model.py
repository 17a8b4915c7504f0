"""A model file on this machine as a frozen value: what the list keeps of it and what a load needs.

Addresses of servers in the local network that compute a model: as they are typed, kept and shown, and which may be
spoken to at all.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.base import settings
from app.base.errors import AppError

VERSION_PATH = "/v1"  # below which OpenAI-compatible servers answer
ADDRESS_MAX = 300  # characters


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """What another machine computes. `address`: as `normal` gives it. `model`: as the server calls it.

    `context_tokens`: as the user says; 0: as the server says.
    """

    address: str
    model: str
    context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The parts of an address. `host` without the brackets of IPv6, `path` without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str


def normalize_address(text: str) -> str:
    """What somebody typed, as it is kept: with its scheme and the path that names of the interface follow. Letters of
    full width, as a Japanese input method gives them, are taken for the ordinary ones.

    Raises AppError("remote_bad_address"): no address, or one with a user, a password or a key in it.
    """
    typed = unicodedata.normalize("NFKC", text).strip()
    address = (typed if "://" in typed else f"http://{typed}").rstrip("/")
    is_whole = settings.is_web_address(address) and address.isascii() and len(address) <= ADDRESS_MAX
    if not is_whole:
        raise AppError("remote_bad_address", address=typed[:80].rpartition("@")[2])
    return address if urlsplit(address).path else address + VERSION_PATH


def parse_address(address: str) -> ServerAddress:
    """Of a normal address."""
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return ServerAddress(parts.scheme, parts.hostname or "", port, parts.path)


def address_label(address: str) -> str:
    """Whom text is sent to, in short: host and port."""
    return urlsplit(address).netloc


@dataclass(frozen=True, slots=True)
class FileFingerprint:
    """What one file of a model was when it was added, so that a later change can be told from damage."""

    name: str  # without its folder
    size_bytes: int
    modified_ns: int
    sha256: str = ""  # "": not known yet


@dataclass(frozen=True, slots=True)
class TuningRecord:
    """What a model of the list owes to a training, as it was when it came into the list."""

    run_id: str  # the name of its folder
    run_name: str
    form: str  # of app.training.export_plan
    base_name: str
    base_sha256: str  # "": the base is a folder
    adapter_sha256: str  # of the GGUF, also where it was merged
    strength: float = 1.0  # 0 to 2
    label: str = ""  # of the data (`app.base.confidentiality.LABELS`); "": not told
    origins: tuple[tuple[str, str], ...] = ()  # the collections and documents that the data were made of


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model file on this machine. The file stays where it is; this row only points at it."""

    id: str
    name: str
    path: str
    size_bytes: int
    architecture: str
    quantization: str
    context_tokens: int  # what it was trained with; 0: unknown
    added_at: float
    card_id: str | None = None
    form_id: str | None = None  # our own prompt form; None: the file's own template, or plain question and answer
    template_allowed: bool = False  # the user let the file's own template run, isolated
    speeds: dict[str, Any] | None = None  # {"repack" | "plain": {"prompt": tok/s, "answer": tok/s}}
    files: tuple[FileFingerprint, ...] = ()  # the first part before the others; () in a list older than this column
    tuned: TuningRecord | None = None
    adapter: str = ""  # path of a LoRA of its own, that the model at `path` answers with; "": none
    remote: RemoteModel | None = (
        None  # another machine computes it; then `path` is no file (`app.models.model_registry`)
    )
