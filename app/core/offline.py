"""Nothing leaves this machine: called first in every process but the downloading child.

Sets the switches that libraries look at before they are imported, and refuses every connection that is not local to
the machine's own files (AF_UNIX: display, D-Bus). Refusals are counted and logged; the window shows the count.
Crash dumps are turned off too: they hold questions and answers, and some systems send them to their maker.
What native code does past Python is not seen here: no part of Kotae's own native code opens sockets
(`strace` in the fault tests).
"""

import os
import socket
import sys
from typing import Any

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
_refusals: list[str] = []
_is_on = False


class NetworkRefusedError(PermissionError):
    """A connection that this process must not make. It was not made."""


def enforce() -> None:
    """Turns the guard on for the rest of this process; there is no way back."""
    global _is_on
    if not _is_on:
        _is_on = True
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


def refusals() -> tuple[str, ...]:
    """What was refused since the start, oldest first. Empty on a machine where nothing tried."""
    return tuple(_refusals)


def _forbid_dumps() -> None:
    """For this process and its children. Windows writes none unless somebody asks for them."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        endpoint, address = arguments[0], arguments[1]
        if getattr(endpoint, "family", None) != getattr(socket, "AF_UNIX", None):
            _refuse(f"{event} {address!r}")
    elif event in _REFUSED_LOOKUPS:
        _refuse(f"{event} {arguments[0]!r}")


def _refuse(what: str) -> None:
    _refusals.append(what)
    print(f"network refused: {what}", file=sys.stderr)  # noqa: T201  stderr is the log
    raise NetworkRefusedError(f"Kotae does not use the network here: {what}")
