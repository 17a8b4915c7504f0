"""A mark that only Kotae on this machine can make, for what it will start or delete by a word in the data folder.

A data folder is carried: on a stick, in a backup, from somebody else. Whoever has prepared it can write any key into
it, so a key that lies in there proves nothing. The system's own number of this installation never lies in it, and
nobody who was not on this machine knows it. Other users of the machine do: from them the folder's modes protect.
"""

import contextlib
import functools
import sys
import uuid
from pathlib import Path

from app.base.files.seal import is_mark, mark_of

_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))  # machine-id(5): confidential, so only hashed


def mark(purpose: str, *parts: bytes) -> str:
    """Return 64 hexadecimal digits, of these parts in this order and for nothing but this purpose."""
    return mark_of(_number(), purpose.encode("utf-8"), *parts)


def is_own(told: object, purpose: str, *parts: bytes) -> bool:
    """Return whether `told`, which a file says, is the mark of these parts."""
    return is_mark(told, _number(), purpose.encode("utf-8"), *parts)


@functools.cache
def _number() -> bytes:
    """Return the system's number of this installation, else that of its network card."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            return _of_registry()
        if sys.platform == "darwin":
            return _of_kernel()
    for file in _FILES:
        with contextlib.suppress(OSError):
            if number := file.read_bytes().strip():
                return number
    node = uuid.getnode()  # a container has no other; without a card it is made up, by each process anew (RFC 4122)
    return b"no number" if node >> 40 & 1 else node.to_bytes(8, "big")


def _of_registry() -> bytes:
    """Raises OSError."""
    import winreg

    flags = winreg.KEY_READ | winreg.KEY_WOW64_64KEY  # type: ignore[attr-defined,unused-ignore]
    hive = winreg.HKEY_LOCAL_MACHINE  # type: ignore[attr-defined,unused-ignore]
    with winreg.OpenKey(hive, r"SOFTWARE\Microsoft\Cryptography", 0, flags) as key:  # type: ignore[attr-defined,unused-ignore]
        return str(winreg.QueryValueEx(key, "MachineGuid")[0]).encode("utf-8")  # type: ignore[attr-defined,unused-ignore]


def _of_kernel() -> bytes:
    """Raises OSError."""
    import ctypes

    number, patience = ctypes.create_string_buffer(16), (ctypes.c_long * 2)(1, 0)  # a timespec of a second
    if ctypes.CDLL(None, use_errno=True).gethostuuid(number, patience) != 0:
        raise OSError(ctypes.get_errno(), "gethostuuid")
    return number.raw
