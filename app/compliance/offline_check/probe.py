"""Processes that try to reach the network on purpose: the check counts them, so that its zero means something.

All addresses are of the block that is kept for examples (RFC 5737, RFC 3849) or this machine's own.
"""

import ctypes
import json
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from typing import NoReturn

from app.base import no_network
from app.base.isolation import confinement

_FOREIGN, _OWN, _FOREIGN_6 = "192.0.2.1", "127.0.0.1", "2001:db8::1"
_PORT = 9  # discard


def ask_guard() -> NoReturn:
    """Prints how many ways out were tried, and how many were refused: by the guard, or by the kernel before it."""
    ways = _ways_out()
    _tell({"tried": len(ways), "refused": sum(map(_is_refused, ways))})


def ask_filter() -> NoReturn:
    """Prints what the kernel filter and Landlock do on this machine, as `records.Result` names it."""
    state = no_network.install()
    if state == "on" and (no_network.gives_a_socket(socket.AF_INET) or no_network.gives_a_socket(socket.AF_INET6)):
        state = "leaky"
    _tell({"state": state, "confinement": _confinement()})


def _confinement() -> str:
    """Where files can be confined, this process is from here on."""
    if sys.platform != "linux":
        return "unsupported"
    if not confinement.confine():
        return "off"
    try:
        with tempfile.TemporaryFile():
            return "leaky"
    except OSError:
        return "on"


def leak() -> NoReturn:
    """Tries to leave as native code would, past Python's guard. Only in a network that leads nowhere.

    Prints how many ways were tried.
    """
    assert no_network.is_counted()
    system = ctypes.CDLL(None, use_errno=True)
    tries = [
        (socket.AF_INET, _address_4(_FOREIGN)),
        (socket.AF_INET, _address_4(_OWN)),
        (socket.AF_INET6, struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", _PORT, 0, _packed_6(), 0)),
    ]
    for family, address in tries:
        for kind, call in ((socket.SOCK_DGRAM, _send), (socket.SOCK_STREAM, _connect)):
            number = system.socket(int(family), int(kind), 0)
            call(system, number, address)
            os.close(number)
    _tell({"tried": 2 * len(tries)})


def _is_refused(way: Callable[[], object]) -> bool:
    try:
        way()
    except PermissionError:  # NetworkRefusedError is one
        return True
    except OSError:
        return False
    return False


def _ways_out() -> list[Callable[[], object]]:
    def datagram(family: int, host: str) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as endpoint:
            endpoint.sendto(b"x", (host, _PORT))

    ways: list[Callable[[], object]] = [
        lambda: socket.create_connection((_FOREIGN, _PORT), 1),
        lambda: socket.create_connection((_OWN, _PORT), 1),
        lambda: datagram(socket.AF_INET, _FOREIGN),
        lambda: socket.getaddrinfo("example.invalid", 443),
    ]
    if socket.has_ipv6:
        ways.append(lambda: datagram(socket.AF_INET6, _FOREIGN_6))
    return ways


def _address_4(host: str) -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", _PORT, socket.inet_aton(host))


def _packed_6() -> bytes:
    return socket.inet_pton(socket.AF_INET6, _FOREIGN_6)


def _send(system: ctypes.CDLL, number: int, address: bytes) -> None:
    system.sendto(number, b"x", ctypes.c_size_t(1), 0, address, len(address))


def _connect(system: ctypes.CDLL, number: int, address: bytes) -> None:
    system.connect(number, address, len(address))


def _tell(data: dict[str, object]) -> NoReturn:
    os.write(1, json.dumps(data).encode("ascii") + b"\n")
    os._exit(0)
