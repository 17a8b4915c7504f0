"""Model servers on this machine: a real one as a program of its own, and one that answers by a script."""

import json
import re
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

MODELS = {"object": "list", "data": [{"id": "m", "max_model_len": 4096}]}


@contextmanager
def llama_server(model: Path, log: Path, *, context: int = 512, key: str = "") -> Iterator[str]:
    """The server of llama-cpp-python. Gives its address, "127.0.0.1:PORT"; its model is called "tiny"."""
    options = ["--host", "127.0.0.1", "--port", "0", "--n_ctx", str(context), "--model_alias", "tiny"]
    options += ["--chat_format", "chatml", *(["--api_key", key] if key else [])]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "llama_cpp.server", "--model", str(model), *options], stdout=file, stderr=file
        )
        try:
            wait_until(lambda: bool(_address(log)) or process.poll() is not None)
            assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
            yield _address(log)
        finally:
            process.kill()  # told to end, it waits for whatever it still computes
            process.wait()


def _address(log: Path) -> str:
    """The address that the system has given it, once it listens there."""
    found = re.search(r"running on http://(127\.0\.0\.1:[1-9]\d*) ", log.read_text("utf-8", "replace"))
    return found[1] if found else ""


@dataclass
class Request:
    """`line`: method and path; `headers` with small letters."""

    line: str
    headers: dict[str, str]
    body: Any


Answer = Callable[[Request], Iterator[bytes]]


@dataclass
class Script:
    """What is answered by "METHOD PATH", whole answers with their heads; everything else is not found."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    address: str = ""

    def says(self, line: str, *pieces: bytes) -> None:
        self.answers[line] = lambda _request: iter(pieces)

    @property
    def questions(self) -> list[Request]:
        return [request for request in self.requests if request.line == "POST /v1/chat/completions"]


@contextmanager
def scripted_server(tls: ssl.SSLContext | None = None) -> Iterator[Script]:
    """With one model "m" of 4,096 tokens."""
    script = Script()
    script.says("GET /v1/models", whole(MODELS))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # whoever asked has gone
                self._handle()

        def _handle(self) -> None:
            first = self.rfile.readline().decode("ascii").split()
            headers: dict[str, str] = {}
            while line := self.rfile.readline().decode("latin-1").strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Request(" ".join(first[:2]), headers, json.loads(body) if body else None)
            script.requests.append(request)
            for piece in script.answers.get(request.line, lambda _request: iter((whole({}, 404),)))(request):
                self.wfile.write(piece)
                self.wfile.flush()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def get_request(self) -> tuple[Any, Any]:
            plain, peer = super().get_request()
            return (tls.wrap_socket(plain, server_side=True) if tls else plain), peer

        def handle_error(self, _request: Any, _peer: Any) -> None:
            """A handshake that was broken off."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        script.address = f"127.0.0.1:{server.server_address[1]}"
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


def whole(body: Any, status: int = 200, *headers: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} -", "Content-Type: application/json", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join((*head, "", "")).encode() + data


def stream_head() -> bytes:
    """Of an answer that ends with its connection."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def piece(text: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def end(reason: str = "stop", usage: dict[str, Any] | None = None) -> bytes:
    last = event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    return last + (event({"choices": [], "usage": usage}) if usage else b"") + b"data: [DONE]\n\n"


def event(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
