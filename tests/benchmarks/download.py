"""Our transfer of 300 MB from this machine, against the same library's bare stream to the disk. Prints JSON.

Ours: four connections, marks synced to the disk, the checksum, the folder synced. `child` adds the start of the
process and the wire. The bare stream writes and closes; `careful` takes its checksum and syncs it too. Taken in turn;
the ratios, against the bare stream, are of the same round.

python -m tests.benchmarks.download [ROUNDS]
"""

import hashlib
import http.server
import json
import multiprocessing
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2

from app.models.downloads.byte_transfer import TransferControl
from app.models.downloads.file_download import fetch_file
from app.models.downloads.messages import Done, Fetch, FileOrigin
from tests.models.downloads.fetching import Child

SIZE = 300_000_000
NAME = "model.gguf"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sha256 = _make(folder / "served")
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(folder / "served", theirs))
        server.start()
        address = f"http://127.0.0.1:{ours.recv()}/{NAME}"
        try:
            times = [_round(address, sha256, folder) for _ in range(rounds + 1)][1:]  # the first warms the caches
        finally:
            server.kill()
            server.join()
    medians = {key: round(statistics.median(each[key] for each in times), 3) for key in times[0]}
    ratios = {
        f"{key}_ratio": round(statistics.median(each[f"{key}_s"] / each["bare_s"] for each in times), 2)
        for key in ("careful", "ours", "child")
    }
    print(json.dumps(medians | ratios | {"rounds": rounds, "megabytes": SIZE // 10**6}))


def _round(address: str, sha256: str, folder: Path) -> dict[str, float]:
    wanted = Fetch("1", FileOrigin(address), str(folder), NAME, SIZE, sha256)
    return {
        "bare_s": _timed(folder, lambda: _bare(address, folder / NAME)),
        "careful_s": _timed(folder, lambda: _careful(address, folder / NAME, sha256)),
        "ours_s": _timed(folder, lambda: fetch_file(wanted, TransferControl(), lambda _event: None)),
        "child_s": _timed(folder, lambda: _by_child(wanted, folder)),
    }


def _timed(folder: Path, work: Callable[[], object]) -> float:
    os.sync()
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    assert (folder / NAME).stat().st_size == SIZE
    (folder / NAME).unlink()
    return took


def _bare(address: str, target: Path) -> None:
    with httpx2.stream("GET", address) as response, target.open("wb") as file:
        for data in response.iter_raw():
            file.write(data)


def _careful(address: str, target: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with httpx2.stream("GET", address) as response, target.open("wb") as file:
        for data in response.iter_raw():
            file.write(data)
            digest.update(data)
        file.flush()
        os.fsync(file.fileno())
    assert digest.hexdigest() == sha256


def _by_child(wanted: Fetch, folder: Path) -> None:
    with Child(folder / "log") as child:
        assert isinstance(child.end(wanted), Done)


def _make(path: Path) -> str:
    digest, noise = hashlib.sha256(), random.Random(7).randbytes(1 << 20)
    with path.open("wb") as file:
        left = SIZE
        while left:
            block = noise[:left]
            file.write(block)
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    path_served: Path

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        start, end = int(first or 0), int(last or SIZE - 1) + 1
        self.send_response(206 if first else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(end - start))
        if first:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{SIZE}")
        self.end_headers()
        with self.path_served.open("rb") as file:
            while start < end:
                start += os.sendfile(self.connection.fileno(), file.fileno(), start, end - start)


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A connection that was closed with its client."""


def _serve(path: Path, port: Connection) -> None:
    """A server that costs next to nothing, in a process of its own."""
    _Handler.path_served = path
    with _Server(("127.0.0.1", 0), _Handler) as server:
        port.send(server.server_address[1])
        server.serve_forever()


if __name__ == "__main__":
    main()
