"""Tries to reach the network from inside one of the program's roles: `python -m tests.faults.network_probe ROLE …`.

The process is set up as the program sets it up (`app.__main__.main`); only what the role does then is replaced by the
attempts. Prints one JSON object. A script, not a test. ROLE: window | cli | engine | template | reader |
download.
"""

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Callable
from typing import Any, NoReturn

from app import __main__ as program

PORT = 9  # discard; nothing listens, and a datagram to it disturbs nobody
NUMERIC = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def _with(family: int, act: Callable[[socket.socket, Any], object], kind: int = socket.SOCK_STREAM) -> object:
    with socket.socket(family, kind) as endpoint:
        return act(endpoint, (NUMERIC[family], PORT))


def attempts() -> dict[str, Callable[[], object]]:
    tries: dict[str, Callable[[], object]] = {}
    for family in NUMERIC:
        name = socket.AddressFamily(family).name
        tries |= {
            f"connect {name}": lambda family=family: _with(family, lambda s, to: s.connect(to)),
            f"connect_ex {name}": lambda family=family: _with(family, lambda s, to: s.connect_ex(to)),
            f"bind {name}": lambda family=family: _with(family, lambda s, to: s.bind((to[0], 0))),
            f"sendto {name}": lambda family=family: _with(family, lambda s, to: s.sendto(b"x", to), socket.SOCK_DGRAM),
            f"sendmsg {name}": lambda family=family: _with(
                family, lambda s, to: s.sendmsg([b"x"], [], 0, to), socket.SOCK_DGRAM
            ),
            f"getaddrinfo {name}": lambda family=family: socket.getaddrinfo("example.invalid", 443, family),
        }
    return tries | {
        "create_connection": lambda: socket.create_connection((NUMERIC[socket.AF_INET], PORT)),
        "gethostbyname": lambda: socket.gethostbyname("example.invalid"),
        "gethostbyname_ex": lambda: socket.gethostbyname_ex("example.invalid"),
        "gethostbyaddr": lambda: socket.gethostbyaddr("192.0.2.1"),
        "getnameinfo": lambda: socket.getnameinfo(("192.0.2.1", 80), 0),
        "urlopen": lambda: urllib.request.urlopen("http://192.0.2.1/", timeout=5),
    }


def report(only: str = "") -> dict[str, Any]:
    """`only`: the attempts whose names begin so."""
    from app.base.isolation import network_guard

    before = len(network_guard.refused_attempts())
    outcomes = {name: _outcome(attempt) for name, attempt in attempts().items() if name.startswith(only)}
    return {
        "outcomes": outcomes,
        "before": before,
        "refusals": len(network_guard.refused_attempts()) - before,
        "switches": {name: os.environ.get(name) for name in network_guard.SWITCHES},
        "unix": _outcome(_speak_unix),
    }


def _outcome(attempt: Callable[[], object]) -> str:
    from app.base.isolation.network_guard import NetworkRefusedError

    try:
        return f"done: {attempt()!r}"
    except NetworkRefusedError:
        return "refused"
    except OSError as error:
        return "refused" if isinstance(error.__context__, NetworkRefusedError) else f"tried: {error!r}"


def _speak_unix() -> bytes:
    """Listening, connecting and talking over a path, and a pair: what display and D-Bus need."""
    one, other = socket.socketpair()
    with one, other, socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(os.environ["KOTAE_TEST_SOCKET"])
        server.listen()
        client.connect(os.environ["KOTAE_TEST_SOCKET"])
        client.sendall(b"ok")
        one.sendall(b"ok")
        return other.recv(2)


def _tell(*_arguments: object) -> int:
    os.write(1, json.dumps(report()).encode("utf-8") + b"\n")
    return 0


def _tell_and_end(*_arguments: object) -> NoReturn:
    _tell()
    os._exit(0)


def _tell_of_loopback() -> NoReturn:
    """What is not refused must not leave this machine."""
    os.write(1, json.dumps(report("bind")).encode("utf-8") + b"\n")
    os._exit(0)


def main() -> int:
    role = sys.argv[1]
    roles = {
        "window": [],
        "cli": ["models", "list"],
        "engine": ["--engine", "echo"],
        "template": ["--render-template"],
        "reader": ["--read-documents", "documents.sqlite"],
        "download": ["--download"],
    }
    sys.argv[1:] = roles[role]
    if role == "window":
        program._open_window = _tell
    elif role == "cli":
        from app.models.cli import models

        models._list = _tell
    elif role == "engine":
        from app.inference.engine import worker

        worker.main = _tell_and_end
    elif role == "template":
        from app.inference.engine import chat_template

        chat_template.main = _tell
    elif role == "reader":
        from app.documents.reading import worker

        worker.main = _tell_and_end
    else:
        from app.models.downloads import worker as downloader

        downloader.main = _tell_of_loopback
    return program.main()


if __name__ == "__main__":
    sys.exit(main())
