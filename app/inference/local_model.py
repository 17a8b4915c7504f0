"""Define frozen values that describe a model of the list: its file, its training and, if remote, its server.

The functions normalize, parse and display addresses of model servers in the local network.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.base import addresses
from app.base.errors import AppError

VERSION_PATH = "/v1"  # the path of OpenAI-compatible servers
ADDRESS_MAX = 300  # characters


REMOTE_REQUESTS = 4  # answers at a time from a model server; one that writes them in turn lets none wait too long
BATCHED_REQUESTS = 32  # from a server that computes them together


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """Identifies a model on another machine.

    `address`: the server's, normalized. `model`: its name on the server. `context_tokens`: the context length that the
    user has set; 0: the one that the server reports. `requests`: answers that are asked for at a time. `sees_pictures`:
    as the server or the user says.
    """

    address: str
    model: str
    context_tokens: int = 0
    requests: int = REMOTE_REQUESTS
    sees_pictures: bool = False


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """Describes a model that a server offers. `context_tokens` 0: not reported."""

    name: str
    context_tokens: int = 0
    requests: int = REMOTE_REQUESTS  # as in RemoteModel
    sees_pictures: bool = False


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Holds the parts of an address. `host` has no IPv6 brackets, `path` no trailing slash."""

    scheme: str
    host: str
    port: int
    path: str


def normalize_address(text: str) -> str:
    """Return an address that the user has typed with scheme and path.

    The scheme defaults to http, the path to /v1; full-width characters are converted. Raises
    AppError("remote_bad_address") for a text that is no address, or contains a user, password or key.
    """
    typed = unicodedata.normalize("NFKC", text).strip()
    address = (typed if "://" in typed else f"http://{typed}").rstrip("/")
    is_whole = addresses.is_web_address(address) and address.isascii() and len(address) <= ADDRESS_MAX
    if not is_whole:
        raise AppError("remote_bad_address", address=typed[:80].rpartition("@")[2])
    return address if urlsplit(address).path else address + VERSION_PATH


def parse_address(address: str) -> ServerAddress:
    """Split a normalized address."""
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return ServerAddress(parts.scheme, parts.hostname or "", port, parts.path)


def address_label(address: str) -> str:
    """Return host and port, to show where text is sent."""
    return urlsplit(address).netloc


@dataclass(frozen=True, slots=True)
class FileFingerprint:
    """Records one file of a model as it was when added, to distinguish later changes from damage."""

    name: str  # file name without folder
    size_bytes: int
    modified_ns: int
    sha256: str = ""  # "": unknown yet


@dataclass(frozen=True, slots=True)
class TuningRecord:
    """Records the training run that a listed model comes from, as of when the model was added."""

    run_id: str  # the name of its folder
    run_name: str
    form: str  # the published form (`app.training.export_plan.ALL_FORMS`)
    base_name: str
    base_sha256: str  # "": the base is a folder
    adapter_sha256: str  # of the adapter's GGUF file, even if it is merged into the model
    strength: float = 1.0  # 0 to 2
    label: str = ""  # confidentiality of the data (`app.base.confidentiality.LABELS`); "": unknown
    origins: tuple[tuple[str, str], ...] = ()  # collections and documents that the data was made from


@dataclass(frozen=True, slots=True)
class LocalModel:
    """Describes a model of the list. Its file stays where it is; this value only refers to it."""

    id: str
    name: str
    path: str
    size_bytes: int
    architecture: str
    quantization: str
    context_tokens: int  # context length in training; 0: unknown
    added_at: float
    card_id: str | None = None
    form_id: str | None = None  # None: the file's own template, or plain question and answer
    template_allowed: bool = False  # the user allows the file's own template to run, isolated
    # Measured: {"plain" | "repacked" | "graphics": {"prompt": tokens/s, "answer": tokens/s}}, or
    # {"rank": {"question_s": seconds}}.
    speeds: dict[str, Any] | None = None
    files: tuple[FileFingerprint, ...] = ()  # first part first; () in a list of an old version
    tuned: TuningRecord | None = None
    projector: str = ""  # path of the part with which it reads pictures (mmproj); "": it reads their text only
    adapter: str = ""  # path of a LoRA that the model at `path` answers with; "": none
    remote: RemoteModel | None = (
        None  # the server that runs it, so that `path` is no file (`app.models.model_registry`); None: this machine
    )
