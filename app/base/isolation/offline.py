"""Nothing leaves this machine: called first in every process but the downloading child.

Sets the switches that libraries look at before they are imported, and refuses every connection that is not local to
the machine's own files (AF_UNIX: display, D-Bus), but for one address of the local network in the child that asks a
model there (`app.inference.remote`). Refusals are counted and logged; the window shows the count.
Crash dumps are turned off too: they hold questions and answers, and some systems send them to their maker.
What native code does past Python is not seen here: on Linux the kernel refuses it (`app.base.no_network`);
elsewhere no part of Kotae's own native code opens sockets (`strace` in the fault tests).
"""

import os
import socket
import sys
from typing import Any

from app.base import addresses

SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled",
}

# These keep libraries from the network; the downloading child has it, but tells nobody anything and takes no token
# that lies around.
_ONLY_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")

_REFUSED = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
# Each of these can ask a name server: a question that leaves the machine before any connection does.
_REFUSED_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
LOOPBACK = "127.0.0.1"
_refusals: list[str] = []
_is_on = False
_only: tuple[str, int] | None = None  # a host and its port, of the child that asks a model elsewhere
_doors: set[tuple[str, int]] = set()
_listener: socket.socket | None = None


class NetworkRefusedError(PermissionError):
    """A connection that this process must not make. It was not made."""


def enforce(only: tuple[str, int] | None = None) -> None:
    """Turns the guard on for the rest of this process; there is no way back.

    `only`: a host and its port. Their name may be looked up, and what `open_door` has judged may be connected to.
    """
    global _is_on, _only
    if not _is_on:
        _is_on, _only = True, only
        os.environ.update(SWITCHES)
        _forbid_dumps()
        sys.addaudithook(_watch)


def permit() -> None:
    """For the downloading child alone, which the user's click has started: no guard, and nothing told to anybody."""
    assert not _is_on
    os.environ.update(SWITCHES)
    for name in _ONLY_OFFLINE:
        os.environ.pop(name, None)  # inherited from the process that started this one
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # its own transfer would go around ours
    _forbid_dumps()


def open_door(ip: str, port: int) -> None:
    """Lets this process connect to that numeric address, where the guard knows the port and the address is local.

    Raises NetworkRefusedError.
    """
    if _only is None or port != _only[1] or not addresses.is_local(ip):
        _refuse(f"door {ip}:{port}")
    _doors.add((ip, port))


def listen(port: int) -> socket.socket:
    """The one socket on which `kotae serve` hears other programs of this machine, and nobody beyond it. 0: a free port.

    Only this socket may be bound, and only to 127.0.0.1; connecting stays refused. Raises OSError.
    """
    global _listener
    assert _listener is None
    _listener = endpoint = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Windows lets another program take over a port that is shared so; elsewhere it only need not be waited for.
        option = "SO_EXCLUSIVEADDRUSE" if sys.platform == "win32" else "SO_REUSEADDR"
        endpoint.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        endpoint.bind((LOOPBACK, port))
        endpoint.listen()
    except OSError:
        _listener = None
        endpoint.close()
        raise
    return endpoint


def refusals() -> tuple[str, ...]:
    """What was refused since the start, oldest first. Empty on a machine where nothing tried."""
    return tuple(_refusals)


def _forbid_dumps() -> None:
    """For this process and its children. Windows writes none unless somebody asks for them.

    A limit of 1 byte: Linux hands a dump to the program that collects them whatever the limit is, but not at 1
    (fs/coredump.c), and no file is that small.
    """
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (min(1, most) if most >= 0 else 1, most))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        endpoint, address = arguments[0], arguments[1]
        if event == "socket.bind" and endpoint is _listener and address[0] == LOOPBACK:
            return
        if event == "socket.connect" and isinstance(address, tuple) and tuple(address[:2]) in _doors:
            return
        if getattr(endpoint, "family", None) != getattr(socket, "AF_UNIX", None):
            _refuse(f"{event} {address!r}")
    elif event in _REFUSED_LOOKUPS and (event != "socket.getaddrinfo" or tuple(arguments[:2]) != _only):
        _refuse(f"{event} {arguments[0]!r}")


def _refuse(what: str) -> None:
    _refusals.append(what)
    print(f"network refused: {what}", file=sys.stderr)  # noqa: T201  stderr is the log
    raise NetworkRefusedError(f"Kotae does not use the network here: {what}")
