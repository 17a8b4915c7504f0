"""The remote engine's process: the engine's own loop over a model of another machine. Its command line names the one
address that it may speak to, before it has read anything.

`--check`: no loop; it reads one line with a key, says which models the server has, and ends.
"""

import dataclasses
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from app.base.errors import AppError
from app.base.isolation import network_guard
from app.inference import remote_address
from app.inference.engine.worker import Worker
from app.inference.remote import server_facts
from app.inference.remote.backend import RemoteBackend
from app.inference.remote.connection import Server
from trainer.wire import claim_stdout


def guard(arguments: Sequence[str]) -> None:
    """Before anything else in this process. `arguments`: address, and perhaps --check. Raises AppError."""
    place = remote_address.place_of(remote_address.normal(arguments[0]))
    network_guard.enforce_offline((place.host, place.port))


def main(arguments: Sequence[str]) -> NoReturn:
    """As `app.inference.engine.worker.main`."""
    writer = claim_stdout()
    address = remote_address.normal(arguments[0])
    try:
        if arguments[1:2] == ["--check"]:
            writer.send(_checked(address, sys.stdin.buffer.readline()))
            os._exit(0)
        Worker(RemoteBackend(address), writer).run()
    except BaseException:  # noqa: BLE001  printed, and the process ends
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _checked(address: str, line: bytes) -> dict[str, object]:
    """{"models": [...]} or {"error": code, "facts": {...}}."""
    try:
        server = Server(address, str(json.loads(line or b"{}").get("key", "")))
        server.look_up()
        found = server_facts.models(server)
        told = [server_facts.context_of(server, one) if len(found) == 1 else one.context_tokens for one in found]
    except AppError as error:
        return {"error": error.code, "facts": error.facts}
    entries = [dataclasses.replace(one, context_tokens=n) for one, n in zip(found, told, strict=True)]
    return {"models": [dataclasses.asdict(one) for one in entries]}
