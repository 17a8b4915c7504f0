"""Addresses of servers in the local network that compute a model: as they are typed, kept and shown, and which may be
spoken to at all."""

import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.base import settings
from app.base.errors import AppError

VERSION_PATH = "/v1"  # below which OpenAI-compatible servers answer
ADDRESS_MAX = 300  # characters


@dataclass(frozen=True, slots=True)
class Remote:
    """What another machine computes. `address`: as `normal` gives it. `model`: as the server calls it.

    `context_tokens`: as the user says; 0: as the server says.
    """

    address: str
    model: str
    context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of an address. `host` without the brackets of IPv6, `path` without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str


def normal(text: str) -> str:
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


def place_of(address: str) -> Place:
    """Of a normal address."""
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return Place(parts.scheme, parts.hostname or "", port, parts.path)


def shown(address: str) -> str:
    """Whom text is sent to, in short: host and port."""
    return urlsplit(address).netloc
