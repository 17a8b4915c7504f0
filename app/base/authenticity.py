"""Recognize files that this program has written itself, so that files from elsewhere are not mistaken for them.

- `Signer` makes a MAC (message authentication code) of files in folders where others can write, such as an exported
  record of checked answers, with a key in the data folder.
- `sign_for_this_machine` makes a MAC of files that decide which program Kotae starts or what it deletes. A data folder
  may come from a stranger with any key in it, so the key is the machine id of the operating system, which only users of
  this machine know.
- `write_registered` appends the hash of each file in REGISTERED_NAMES (plans and results of runs and evaluations) to a
  list in the data folder, before the file is written: a result that came from elsewhere is not in it.
"""

import contextlib
import functools
import hashlib
import hmac
import secrets
import sys
import uuid
from pathlib import Path

from app.base.files.input_file import read_regular
from app.base.files.output_file import append_line, create_atomically, write_atomically

KEY_FILE = "seal.key"
KEY_BYTES = 32


def compute_mac(key: bytes, *parts: bytes) -> str:
    """Return the HMAC-SHA256 of the parts, in this order and each with its length, as 64 hexadecimal digits."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def is_valid_mac(mac: object, key: bytes, *parts: bytes) -> bool:
    """Return whether `mac`, a value read from a file, is what `compute_mac` returns. Any other type is False."""
    mac = mac.encode("utf-8", "replace") if isinstance(mac, str) else mac
    return isinstance(mac, bytes) and hmac.compare_digest(mac, compute_mac(key, *parts).encode("ascii"))


class Signer:
    """Make and verify MACs with a key file in the data folder, created at the first call. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEY_FILE

    def mark(self, *parts: bytes) -> bytes:
        """Return the MAC of the parts as 64 ASCII digits."""
        return compute_mac(self._key, *parts).encode("ascii")

    def is_own(self, mark: bytes, *parts: bytes) -> bool:
        """Return whether `mark` is what `mark()` returns for the parts."""
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
)  # machine-id(5) calls it confidential, so only its hash is stored


def sign_for_this_machine(purpose: str, *parts: bytes) -> str:
    """Return a MAC of the parts that is valid only on this machine and for this purpose: 64 hexadecimal digits."""
    return compute_mac(_machine_id(), purpose.encode("utf-8"), *parts)


def is_signed_by_this_machine(mac: object, purpose: str, *parts: bytes) -> bool:
    """Return whether `mac`, a value read from a file, is what `sign_for_this_machine` returns for these arguments."""
    return is_valid_mac(mac, _machine_id(), purpose.encode("utf-8"), *parts)


@functools.cache
def _machine_id() -> bytes:
    """Return the machine id of the operating system, else the address of the network card, else b"no number"."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            return _machine_id_from_registry()
        if sys.platform == "darwin":
            return _machine_id_from_kernel()
    for file in _MACHINE_ID_FILES:
        with contextlib.suppress(OSError):
            if number := file.read_bytes().strip():
                return number
    # A container has no machine id. Without a network card, getnode() returns a random number with this bit set (RFC
    # 4122).
    node = uuid.getnode()
    return b"no number" if node >> 40 & 1 else node.to_bytes(8, "big")


def _machine_id_from_registry() -> bytes:
    """Return the MachineGuid in the registry of Windows. Raises OSError."""
    import winreg

    flags = winreg.KEY_READ | winreg.KEY_WOW64_64KEY  # type: ignore[attr-defined,unused-ignore]
    hive = winreg.HKEY_LOCAL_MACHINE  # type: ignore[attr-defined,unused-ignore]
    with winreg.OpenKey(hive, r"SOFTWARE\Microsoft\Cryptography", 0, flags) as key:  # type: ignore[attr-defined,unused-ignore]
        return str(winreg.QueryValueEx(key, "MachineGuid")[0]).encode("utf-8")  # type: ignore[attr-defined,unused-ignore]


def _machine_id_from_kernel() -> bytes:
    """Return the host UUID of macOS. Raises OSError."""
    import ctypes

    number, timeout = ctypes.create_string_buffer(16), (ctypes.c_long * 2)(1, 0)  # a struct timespec of one second
    if ctypes.CDLL(None, use_errno=True).gethostuuid(number, timeout) != 0:
        raise OSError(ctypes.get_errno(), "gethostuuid")
    return number.raw


REGISTRY_FILE = "made_here.txt"  # in the data folder
REGISTERED_NAMES = ("run.json", "gate.json", "study.json", "results.json")
_LIST_BYTES = 64 << 20  # the limit of the list: a million hashes
_FILE_BYTES = 256 << 20  # the limit of a registered file; results.json of an evaluation is the largest


class _Registry:
    """The hashes of the registered files, one a line of a list file; in memory only while `file` is None."""

    def __init__(self) -> None:
        self.file: Path | None = None
        self.digests: set[str] = set()
        self.read_bytes = 0

    def read(self) -> None:
        """Read the list file again if its size has changed, because another process may have appended to it."""
        with contextlib.suppress(OSError):
            if self.file is not None and self.file.stat().st_size != self.read_bytes:
                raw = read_regular(self.file, _LIST_BYTES)
                self.read_bytes = len(raw)
                self.digests.update(raw.decode("ascii", "replace").split())

    def add(self, digest: str) -> None:
        """Append a hash to the list file. Raises OSError."""
        if self.file is not None:
            append_line(self.file, digest.encode("ascii"))
        self.digests.add(digest)


_registry = _Registry()


def use_registry(data: Path) -> None:
    """Use the list of hashes in the folder `data`; a new one is empty, whatever lies there. Raises OSError."""
    _registry.file, _registry.digests, _registry.read_bytes = data / REGISTRY_FILE, set(), 0
    if not _registry.file.exists():
        create_atomically(_registry.file, b"")


def write_registered(path: Path, content: bytes) -> None:
    """Record a file's hash as Kotae's own, then write it completely or not at all. Raises OSError.

    Its name must be one of `REGISTERED_NAMES`. A kill in between leaves a hash without a file, which does no harm.
    """
    assert path.name in REGISTERED_NAMES
    digest = _digest(path.name, content)
    if digest not in _registry.digests:
        _registry.add(digest)
    write_atomically(path, content)


def is_content_written_by_kotae(name: str, content: bytes) -> bool:
    """Return whether `write_registered` has written a file with this name and content into any folder."""
    digest = _digest(name, content)
    if digest not in _registry.digests:
        _registry.read()
    return digest in _registry.digests


def is_file_written_by_kotae(path: Path) -> bool:
    """Return whether `write_registered` has written the file with its present content; False if it is unreadable."""
    try:
        return is_content_written_by_kotae(path.name, read_regular(path, _FILE_BYTES))
    except OSError:
        return False


def _digest(name: str, content: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\0" + content).hexdigest()
