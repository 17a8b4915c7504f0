"""Keep the training environment offline, as `app.base.isolation.network_guard` does for the program.

Call `enforce` before importing torch and transformers.
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
    # Otherwise transformers would try to download compiled kernels from the hub.
    "USE_HUB_KERNELS": "0",
}

_REFUSED = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
_REFUSED_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")


class NetworkRefusedError(PermissionError):
    """Raised when the process tries to open a network connection."""


def enforce() -> None:
    """Refuse all sockets except AF_UNIX and all name look-ups, for the rest of this process."""
    os.environ.update(SWITCHES)
    sys.addaudithook(_refuse_network)


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED and getattr(arguments[0], "family", None) == getattr(socket, "AF_UNIX", None):
        return
    if event in _REFUSED or event in _REFUSED_LOOKUPS:
        target = f"{event} {arguments[-1 if event in _REFUSED else 0]!r}"
        print(f"network refused: {target}", file=sys.stderr)  # noqa: T201  stderr is the log
        raise NetworkRefusedError(f"Kotae does not use the network here: {target}")
