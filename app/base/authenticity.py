"""Which plans and verdicts this program has written itself, by their content: all others came from elsewhere.

Whoever hands a folder over can write any verdict into it, and the hash beside it. What this program decides by is in
the data folder alone: a list of the hashes of what it wrote, noted before the file is there, so that none is lost.

What this installation has written itself is known by a mark that only it can make.

For files that lie where others can write, beside the user's own: a record of answers says what a check has found, and
nothing that somebody else has put in its place may.

A mark that only Kotae on this machine can make, for what it will start or delete by a word in the data folder.

A data folder is carried: on a stick, in a backup, from somebody else. Whoever has prepared it can write any key into
it, so a key that lies in there proves nothing. The system's own number of this installation never lies in it, and
nobody who was not on this machine knows it. Other users of the machine do: from them the folder's modes protect.
"""

import contextlib
import functools
import hashlib
import hmac
import os
import secrets
import sys
import uuid
from pathlib import Path

from app.base.files.input_file import read_regular
from app.base.files.output_file import append_line, create_atomically, write_atomically

KEY_FILE = "seal.key"
KEY_BYTES = 32


def compute_mac(key: bytes, *parts: bytes) -> str:
    """Return 64 hexadecimal digits (HMAC-SHA256), of these parts in this order."""
    made = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()


def is_valid_mac(told: object, key: bytes, *parts: bytes) -> bool:
    """Return whether what a file says is the mark of these parts."""
    said = told.encode("utf-8", "replace") if isinstance(told, str) else told
    return isinstance(said, bytes) and hmac.compare_digest(said, compute_mac(key, *parts).encode("ascii"))


class Signer:
    """`folder`: the data folder, which holds the key; it is made when it is first needed.

    Every method raises OSError.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEY_FILE

    def mark(self, *parts: bytes) -> bytes:
        return compute_mac(self._key, *parts).encode("ascii")

    def is_own(self, mark: bytes, *parts: bytes) -> bool:
        return is_valid_mac(mark, self._key, *parts)

    @functools.cached_property
    def _key(self) -> bytes:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            create_atomically(self._path, secrets.token_bytes(KEY_BYTES))
        key = read_regular(self._path, KEY_BYTES)
        if len(key) != KEY_BYTES:
            raise OSError(f"{self._path}: {len(key)} bytes")
        return key


_MACHINE_ID_FILES = (
    Path("/etc/machine-id"),
    Path("/var/lib/dbus/machine-id"),
)  # machine-id(5): confidential, so only hashed


def sign_for_this_machine(purpose: str, *parts: bytes) -> str:
    """Return 64 hexadecimal digits, of these parts in this order and for nothing but this purpose."""
    return compute_mac(_machine_id(), purpose.encode("utf-8"), *parts)


def is_signed_by_this_machine(told: object, purpose: str, *parts: bytes) -> bool:
    """Return whether `told`, which a file says, is the mark of these parts."""
    return is_valid_mac(told, _machine_id(), purpose.encode("utf-8"), *parts)


@functools.cache
def _machine_id() -> bytes:
    """Return the system's number of this installation, else that of its network card."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            return _machine_id_from_registry()
        if sys.platform == "darwin":
            return _machine_id_from_kernel()
    for file in _MACHINE_ID_FILES:
        with contextlib.suppress(OSError):
            if number := file.read_bytes().strip():
                return number
    node = uuid.getnode()  # a container has no other; without a card it is made up, by each process anew (RFC 4122)
    return b"no number" if node >> 40 & 1 else node.to_bytes(8, "big")


def _machine_id_from_registry() -> bytes:
    """Raises OSError."""
    import winreg

    flags = winreg.KEY_READ | winreg.KEY_WOW64_64KEY  # type: ignore[attr-defined,unused-ignore]
    hive = winreg.HKEY_LOCAL_MACHINE  # type: ignore[attr-defined,unused-ignore]
    with winreg.OpenKey(hive, r"SOFTWARE\Microsoft\Cryptography", 0, flags) as key:  # type: ignore[attr-defined,unused-ignore]
        return str(winreg.QueryValueEx(key, "MachineGuid")[0]).encode("utf-8")  # type: ignore[attr-defined,unused-ignore]


def _machine_id_from_kernel() -> bytes:
    """Raises OSError."""
    import ctypes

    number, patience = ctypes.create_string_buffer(16), (ctypes.c_long * 2)(1, 0)  # a timespec of a second
    if ctypes.CDLL(None, use_errno=True).gethostuuid(number, patience) != 0:
        raise OSError(ctypes.get_errno(), "gethostuuid")
    return number.raw


REGISTRY_FILE = "made_here.txt"  # in the data folder
REGISTERED_NAMES = ("run.json", "gate.json", "study.json", "results.json")
_LIST_BYTES, _FILE_BYTES = 64 << 20, 256 << 20  # a million files; the largest is the results of an evaluation
_FOLDERS = ("runs", "evaluations")  # where files of these names were made before there was a list
_DATABASE = "kotae.sqlite"  # of a data folder that was in use before


class _Registry:
    """Of one process; without a data folder it lasts as long as the process."""

    def __init__(self) -> None:
        self.file: Path | None = None
        self.digests: set[str] = set()
        self.read_bytes = 0

    def read(self) -> None:
        """What any process has added since."""
        with contextlib.suppress(OSError):
            if self.file is not None and self.file.stat().st_size != self.read_bytes:
                raw = read_regular(self.file, _LIST_BYTES)
                self.read_bytes = len(raw)
                self.digests.update(raw.decode("ascii", "replace").split())

    def add(self, digest: str) -> None:
        """Raises OSError."""
        if self.file is not None:
            append_line(self.file, digest.encode("ascii"))
        self.digests.add(digest)


_registry = _Registry()


def use_registry(data: Path) -> None:
    """Keep the list in this data folder. Where an earlier version has worked in it, what lies there is its own.

    Raises OSError.
    """
    _registry.file, _registry.digests, _registry.read_bytes = data / REGISTRY_FILE, set(), 0
    if not _registry.file.exists():
        found = _digests_below(data) if (data / _DATABASE).is_file() else []
        create_atomically(_registry.file, "".join(f"{digest}\n" for digest in found).encode("ascii"))


def write_registered(path: Path, content: bytes) -> None:
    """Write a file (its name: one of NAMES) whole or not at all, and known as ours. Raises OSError.

    It is noted first: a kill between both leaves a hash of nothing, instead of a file that is taken for somebody
    else's.
    """
    assert path.name in REGISTERED_NAMES
    digest = _digest(path.name, content)
    if digest not in _registry.digests:
        _registry.add(digest)
    write_atomically(path, content)


def is_registered(name: str, content: bytes) -> bool:
    """Whether this program has written a file of this name and content."""
    digest = _digest(name, content)
    if digest not in _registry.digests:
        _registry.read()
    return digest in _registry.digests


def is_registered_file(path: Path) -> bool:
    """As `knows`; False where it cannot be read."""
    try:
        return is_registered(path.name, read_regular(path, _FILE_BYTES))
    except OSError:
        return False


def _digest(name: str, content: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\0" + content).hexdigest()


def _digests_below(data: Path) -> list[str]:
    """Of all that has one of NAMES; links are not followed."""
    found = []
    for folder in _FOLDERS:
        for base, _folders, names in os.walk(data / folder):
            for path in (Path(base, name) for name in REGISTERED_NAMES if name in names):
                with contextlib.suppress(OSError):
                    if not path.is_symlink():
                        found.append(_digest(path.name, read_regular(path, _FILE_BYTES)))
    return found
