"""A model hub on this machine for tests of the downloader, with every way of failing that a real one has.

Speaks the hub's API (`/api/models/…`) and `/{repository}/resolve/{revision}/{file}`, on 127.0.0.1; a second server on
127.0.0.2 is the storage that it may redirect to. Given as a proxy, it answers for every host.
"""

import dataclasses
import hashlib
import http.server
import json
import random
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

REPOSITORY = "kotae/tiny-gguf"
GONE = "kotae/gone-gguf"  # found by a search, but no longer there
FILE = "tiny.gguf"
COMMIT = "c" * 40
_BLOCK_BYTES = 64 << 10


@dataclass
class Content:
    """Reproducible noise of any size that is never held whole: one block, with the number of each MiB at its start."""

    size: int
    seed: int = 7
    _noise: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._noise = random.Random(self.seed).randbytes(1 << 20)

    def read(self, start: int, end: int) -> bytes:
        blocks = []
        while start < min(end, self.size):
            number, at = divmod(start, 1 << 20)
            block = number.to_bytes(8, "big") + self._noise[8:]
            piece = block[at : at + min(end, self.size) - start]
            blocks.append(piece)
            start += len(piece)
        return b"".join(blocks)

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for start in range(0, self.size, 1 << 20):
            digest.update(self.read(start, start + (1 << 20)))
        return digest.hexdigest()


class Stored(Content):
    """What a file holds."""

    def __init__(self, path: Path) -> None:
        self.size, self.seed, self._data = path.stat().st_size, 0, path.read_bytes()

    def read(self, start: int, end: int) -> bytes:
        return self._data[start:end]


@dataclass(frozen=True)
class Fault:
    """What the hub does wrong. `times`: how many requests for the file it hits; None: every one.

    kind: ok | slow | cut | stall | corrupt | wrong_206 | longer_206 | unsatisfiable | status | redirect | loop |
    changed | truncated | packed | page (a listing is no listing)
    """

    kind: str = "ok"
    times: int | None = None
    at: int = 0  # cut, stall, truncated: after so many bytes of an answer; corrupt: this byte of the file
    status: int = 500
    retry_after: str = ""
    bytes_per_s: int = 0
    knows_ranges: bool = True
    says_sha256: bool = True
    error_code: str = ""
    token: str = ""  # asked for, where it is not ""
    proxy_authorization: str = ""


@dataclass(frozen=True)
class Request:
    host: str  # that was asked, of the two
    path: str
    headers: dict[str, str]
    status: int


class Hub:
    """`content` is that of FILE; `others`: further files of the repository."""

    def __init__(
        self, content: Content, fault: Fault = Fault(), others: Mapping[str, Content] = MappingProxyType({})
    ) -> None:
        self.fault = fault
        self.files = {FILE: content, **others}
        self.hashes = {name: content.sha256() for name, content in self.files.items()}
        self.small: set[str] = set()  # files of whose hash nothing is said, as of all that git itself keeps
        self.stated: dict[str, Any] = {}  # what the repository says of itself
        self.requests: list[Request] = []
        self.sent_bytes = 0  # of the file
        self._left = fault.times
        self._lock = threading.Lock()
        self._next_at = 0.0
        self.closing = threading.Event()
        self._servers = [_Server((host, 0), self) for host in ("127.0.0.1", "127.0.0.2")]

    def __enter__(self) -> "Hub":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def content(self) -> Content:
        return self.files[FILE]

    @property
    def sha256(self) -> str:
        return self.hashes[FILE]

    @property
    def place(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_address[1]}"

    @property
    def storage(self) -> str:
        return f"http://127.0.0.2:{self._servers[1].server_address[1]}"

    def secure(self, context: ssl.SSLContext) -> str:
        """From now on the hub speaks TLS; returns its address. Its storage does not."""
        server = self._servers[0]
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        return self.place.replace("http:", "https:")

    def change(self, **changes: Any) -> None:
        with self._lock:
            self.fault = dataclasses.replace(self.fault, **changes)
            self._left = self.fault.times

    def strikes(self, kind: str) -> bool:
        """Whether the fault of this kind hits the request that asks."""
        with self._lock:
            if self.fault.kind != kind or self._left == 0:
                return False
            if self._left is not None:
                self._left -= 1
            return True

    def become(self, content: Content) -> None:
        self.files[FILE], self.hashes[FILE] = content, content.sha256()

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def count(self, count: int) -> None:
        with self._lock:
            self.sent_bytes += count

    def keep_pace(self, count: int) -> None:
        with self._lock:
            wait = 0.0
            if self.fault.bytes_per_s:
                now = time.monotonic()
                self._next_at = max(now, self._next_at) + count / self.fault.bytes_per_s
                wait = self._next_at - now
        self.closing.wait(wait)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], hub: Hub) -> None:
        self.hub = hub
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        endpoint, address = super().get_request()
        # What lies in the system's buffers was sent, but never received: a line has little of that.
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 << 10)
        return endpoint, address

    def handle_error(self, *_: object) -> None:
        """The other side has gone: what these tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 30

    def log_message(self, *_: object) -> None:
        pass

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def do_GET(self) -> None:
        fault = self.hub.fault
        is_proxied = self.path.startswith("http://")
        if is_proxied and fault.proxy_authorization != self.headers.get("Proxy-Authorization", ""):
            self._say(407, {"Proxy-Authenticate": "Basic"})
            return
        path = "/" + self.path.partition("://")[2].partition("/")[2] if is_proxied else self.path
        path = path.partition("?")[0]
        is_storage = self.server.server_address[0] == "127.0.0.2"
        authorization = self.headers.get("Authorization", "")
        if fault.token and not is_storage and authorization != f"Bearer {fault.token}":
            self._say(401, {"X-Error-Code": fault.error_code or "GatedRepo"})
        elif path == "/api/models" or path.startswith("/api/models/"):
            if fault.kind == "redirect" and not is_storage:
                self._say(307, {"Location": self.hub.storage + self.path})
            else:
                self._list(path)
        elif self._file_of(path) in self.hub.files:
            self._give(self._file_of(path), is_storage)
        else:
            self._say(404, {"X-Error-Code": "EntryNotFound"})

    def _file_of(self, path: str) -> str:
        return path.removeprefix(f"/{REPOSITORY}/resolve/{COMMIT}/").removeprefix("/blob/")

    def _say(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        server = str(self.server.server_address[0])
        headers_got = {name.title(): value for name, value in self.headers.items()}
        self.hub.note(Request(server, self.path, headers_got, status))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self) -> None:
        fault = self.hub.fault
        said = {"Retry-After": fault.retry_after, "X-Error-Code": fault.error_code}
        self._say(fault.status, {name: value for name, value in said.items() if value})

    def _list(self, path: str) -> None:
        if self.hub.strikes("status"):
            self._refuse()
            return
        if self.hub.fault.kind == "page":
            self._say(200, {"Content-Type": "text/html"}, b"<html>Welcome to the guest network</html>")
            return
        if path == "/api/models":
            self._search()
            return
        if not path.startswith(f"/api/models/{REPOSITORY}"):
            self._say(404, {"X-Error-Code": "RepoNotFound"})
            return
        siblings: list[dict[str, Any]] = []
        if "README.md" not in self.hub.files:
            siblings.append({"rfilename": "README.md", "size": 12, "blobId": "b" * 40})
        for name, content in self.hub.files.items():
            stored = {"size": content.size, "sha256": self.hub.hashes[name], "pointerSize": 130}
            listed = {"rfilename": name, "size": content.size, "blobId": "a" * 40, "lfs": stored}
            siblings.append({key: value for key, value in listed.items() if key != "lfs" or name not in self.hub.small})
        self._say_json({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings, **self.hub.stated})

    def _search(self) -> None:
        """Find by a part of the name, and a repository that has gone meanwhile."""
        asked = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        names = [REPOSITORY, GONE] if asked["filter"] == "gguf" and asked["search"] in REPOSITORY else []
        self._say_json([{"id": name} for name in names])

    def _say_json(self, found: Any) -> None:
        self._say(200, {"Content-Type": "application/json"}, json.dumps(found).encode())

    def _give(self, name: str, is_storage: bool) -> None:
        hub, fault = self.hub, self.hub.fault
        linked = {"X-Repo-Commit": COMMIT, "X-Linked-Size": str(hub.files[name].size)}
        if fault.says_sha256 and name not in hub.small:
            linked["X-Linked-Etag"] = f'"{hub.hashes[name]}"'
        is_probe = self.headers.get("Range") == "bytes=0-0"
        if fault.kind in ("redirect", "loop") and not is_storage:
            target = (
                f"{hub.storage}/blob/{name}?signature=secret" if fault.kind == "redirect" else hub.place + self.path
            )
            self._say(302, linked | {"Location": target})
        elif hub.strikes("status"):
            self._refuse()
        else:
            if not is_probe and hub.strikes("changed"):
                hub.become(Content(hub.content.size, seed=hub.content.seed + 1))
            self._answer(name, is_probe)

    def _answer(self, name: str, is_probe: bool) -> None:
        hub, content = self.hub, self.hub.files[name]
        size = content.size
        # The hub's own storage names files by their hash; where it says none, the etag is another.
        says_sha256 = hub.fault.says_sha256 and name not in hub.small
        etag = f'"{hub.hashes[name]}"' if says_sha256 else f'"v{content.seed}"'
        start, end = self._range(size)
        is_valid = self.headers.get("If-Range", etag) == etag
        is_part = "Range" in self.headers and is_valid and hub.fault.knows_ranges
        if is_part and hub.strikes("unsatisfiable"):
            self._say(416, {"Content-Range": f"bytes */{size}"})
            return
        if not is_part:
            start, end = 0, size
        headers = {"ETag": etag, "Accept-Ranges": "bytes"}
        said, given = end, start
        if not is_probe and is_part and hub.strikes("wrong_206"):
            given, said = start + 1000, min(end + 1000, size)
        if not is_probe and is_part and hub.strikes("longer_206"):
            said = min(end + 70_000, size)
        if is_part:
            headers["Content-Range"] = f"bytes {given}-{said - 1}/{size}"
        if not is_probe and hub.strikes("truncated"):
            said = min(said, given + hub.fault.at)
        if not is_probe and hub.strikes("packed"):
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(said - given)
        self._say(206 if is_part else 200, headers)
        self._send_file(content, given, said, is_probe)

    def _range(self, size: int) -> tuple[int, int]:
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        return int(first), min(int(last) + 1 if last else size, size)

    def _send_file(self, content: Content, start: int, end: int, is_probe: bool) -> None:
        hub = self.hub
        is_cut = not is_probe and hub.strikes("cut")
        is_stalled = not is_probe and hub.strikes("stall")
        limit = min(end, start + hub.fault.at) if is_cut or is_stalled else end
        while start < limit:
            data = content.read(start, min(start + _BLOCK_BYTES, limit))
            bad = hub.fault.at - start
            if not is_probe and hub.fault.kind == "corrupt" and 0 <= bad < len(data) and hub.strikes("corrupt"):
                data = data[:bad] + bytes([data[bad] ^ 1]) + data[bad + 1 :]
            hub.count(len(data))  # before it is written: who has received all of it may ask at once
            self.wfile.write(data)
            hub.keep_pace(len(data))
            start += len(data)
        if is_stalled:
            hub.closing.wait(5)
        if limit < end:
            self.close_connection = True
            self.connection.close()
