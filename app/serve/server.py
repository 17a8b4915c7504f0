"""Provide the HTTP server of `kotae serve`: the API key, and a thread for each connection.

A connection uses HTTP/1.1 within strict limits; `endpoint` has the routes. Requests are not logged, because a path or a
header can contain private text.
"""

import contextlib
import hmac
import io
import json
import os
import re
import secrets
import socket
import socketserver
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files.output_file import write_atomically
from app.base.isolation.network_guard import LOOPBACK
from app.serve import completion_request
from app.serve.completion_request import HttpError, http_error

KEY_FILE = "serve.key"  # in the data folder, readable for this user only
_KEY_BYTES = 32
_KEY_SHAPE = re.compile(r"[!-~]{16,512}")  # characters that a header allows, and enough of them
IDLE_S = 60.0  # how long a connection may wait for a request
HEAD_S = 10.0  # from the first byte of a request to the end of its headers
BODY_S = 60.0
WRITE_S = 30.0  # timeout of each write
LINGER_S = 5.0  # how long the rest of a refused request is read (`_linger`)
HEAD_MOST_BYTES = 32 << 10
BODY_MOST_BYTES = 4 << 20
_LINGER_MOST_BYTES = 64 << 20
_BLOCK_BYTES = 64 << 10
CONNECTIONS_MOST = 32
_POLL_S = 0.2  # after at most this time `stop` ends the listening thread
_END_S = 3.0  # how long `stop` waits for open requests
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"


# ------------------------------------------------------------------------------------------------------------------ key


def read_key(path: Path) -> str:
    """Return the API key in a file. Raises AppError("serve_key_unreadable" | "serve_key_unfit")."""
    try:
        with path.open("rb") as file:
            text = file.read(4096).decode("ascii").strip()
    except OSError as error:
        reason = error.strerror or str(error)
        raise AppError("serve_key_unreadable", path=str(path), reason=reason) from error
    except UnicodeDecodeError as error:
        raise AppError("serve_key_unfit", path=str(path)) from error
    if not _KEY_SHAPE.fullmatch(text):
        raise AppError("serve_key_unfit", path=str(path))
    return text


def load_or_create_key(folder: Path, *, is_renewed: bool = False) -> str:
    """Return the API key in the data folder; create it if there is none or, with `is_renewed`, always.

    Raises AppError as `read_key`, and "serve_key_unwritable".
    """
    path = folder / KEY_FILE
    try:
        if is_renewed or not path.exists():
            key = secrets.token_urlsafe(_KEY_BYTES).encode("ascii")
            write_atomically(path, key + b"\n")  # mode 0600, because mkstemp makes the file
        elif os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise AppError("serve_key_unwritable", path=str(path), reason=error.strerror or str(error)) from error
    return read_key(path)


# ----------------------------------------------------------------------------------------------------------- connection


class _Input(io.RawIOBase):
    """A stream of the bytes that a client sends, with a limit on their number and a deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left_bytes = 0
        self._deadline = 0.0

    def expect(self, size_bytes: int, limit_s: float) -> None:
        """Allow reading at most `size_bytes` more bytes until `limit_s` from now."""
        self._left_bytes = size_bytes
        self.set_deadline(limit_s)

    def set_deadline(self, limit_s: float) -> None:
        """Set the deadline to `limit_s` from now."""
        self._deadline = time.monotonic() + limit_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into the buffer. Raises TimeoutError after the deadline, and HttpError (431) beyond the limit."""
        remaining_s = self._deadline - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        if self._left_bytes <= 0:
            raise http_error(431, "head_too_large")
        self._connection.settimeout(remaining_s)
        count = self._connection.recv_into(memoryview(buffer)[: self._left_bytes])
        self._left_bytes -= count
        return count


class HttpConnection(BaseHTTPRequestHandler):
    """A connection of a client. In its thread, it reads requests and calls the function of a route with itself."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "HttpServer"

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._input = _Input(self.connection)
        self.rfile = self._reader = io.BufferedReader(self._input, _BLOCK_BYTES)
        self._has_answered = self._is_stream = False
        self._has_unread = self._has_head = False

    # ---------------------------------------------------------------- for routes

    def body(self) -> bytes:
        """Read the JSON body, whose length Content-Length gives, and return its bytes.

        Raises HttpError, and ConnectionAbortedError if the client sends fewer bytes.
        """
        size_bytes = self._body_bytes()
        if self.headers.get_content_type() != "application/json" or self.headers.get("Content-Encoding"):
            raise http_error(415, "not_json")
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        self._input.expect(size_bytes, BODY_S)
        raw = self.rfile.read(size_bytes)
        if len(raw) < size_bytes:
            raise ConnectionAbortedError
        self._has_unread = False
        return raw

    def send(self, status: int, data: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        content = _json(data)
        self._send_head(
            status, {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(content))}
        )
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def begin_stream(self) -> None:
        """Begin a response of server-sent events with chunked encoding."""
        self._send_head(200, {"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"})
        self.end_headers()
        self._is_stream = True

    def send_event(self, data: dict[str, Any] | str) -> None:
        """Send one event: an object as JSON, or a string such as [DONE] unchanged."""
        self._chunk(b"data: " + (data.encode("ascii") if isinstance(data, str) else _json(data)) + b"\n\n")

    def send_keep_alive(self) -> None:
        """Send a comment, which clients ignore, so that they do not time out."""
        self._chunk(b": \n\n")

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self._is_stream = False

    @property
    def is_gone(self) -> bool:
        """Return whether the client has closed the connection."""
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.connection.settimeout(WRITE_S)

    # ------------------------------------------------------------------ protocol

    def handle_one_request(self) -> None:
        self.close_connection = True
        self._has_answered = self._is_stream = self._has_unread = self._has_head = False
        self._guard(self._read_head)
        if self._has_head:
            with self.server.answering(self.connection):
                self._guard(self._answer)

    def finish(self) -> None:
        try:
            if self._has_unread:
                self._linger()
            super().finish()
        except OSError:  # the client is gone
            return

    def log_message(self, *_words: object) -> None:
        return

    def version_string(self) -> str:
        return "Kotae"

    # ------------------------------------------------------------------- private

    def _guard(self, act: Callable[[], None]) -> None:
        try:
            act()
        except HttpError as error:
            self._refuse(error)
        except OSError:  # the client is gone, or too slow
            self.close_connection, self._has_unread = True, False
        except Exception as error:  # noqa: BLE001  a bug ends this answer, not the program
            _log_bug(error)
            self._refuse(http_error(500, "bug"))

    def _read_head(self) -> None:
        """Read the head of the next request; do nothing if the client closes the connection. Raises HttpError."""
        self.command, self.request_version, self.requestline = "", self.protocol_version, ""
        self._input.expect(HEAD_MOST_BYTES, IDLE_S)
        if not self._reader.peek(1):
            return
        self._input.set_deadline(HEAD_S)
        self._has_unread = True
        self.command, self.path, self.headers = completion_request.read_head(self.rfile.readline)
        self._has_unread = "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"
        self._has_head = True

    def _answer(self) -> None:
        """Check host, origin and API key, then call the route. Raises HttpError.

        The key is checked before the path, so a client without it gets no information about the routes.
        """
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            raise http_error(403, "other_host", address=self.server.address)
        if self.headers.get("Origin") is not None:
            raise http_error(403, "web_page")
        self._check_key()
        self.server.mark_authorized(self.connection)  # from now on a client without the key cannot displace it
        path = self.path.partition("?")[0]
        route = self.server.routes.get(path)
        if route is None:
            raise http_error(404, "unknown_path", known=" / ".join(self.server.routes))
        method, act = route
        if self.command != method:
            wrong = http_error(405, "wrong_method", method=method)
            wrong.headers["Allow"] = method
            raise wrong
        act(self)

    def _check_key(self) -> None:
        scheme, _, key = self.headers.get("Authorization", "").partition(" ")
        is_right = hmac.compare_digest(key.strip().encode("utf-8", "replace"), self.server.key)
        if scheme.lower() != "bearer" or not is_right:
            wrong = http_error(401, "invalid_api_key")
            wrong.headers["WWW-Authenticate"] = "Bearer"
            raise wrong

    def _body_bytes(self) -> int:
        length = self.headers.get("Content-Length")
        if self.headers.get("Transfer-Encoding") is not None or length is None:
            raise http_error(411, "no_length")
        if not (length.isascii() and length.isdigit()):
            raise http_error(400, "not_http")
        if len(length) > 12 or int(length) > BODY_MOST_BYTES:
            raise http_error(413, "body_too_large", most_mb=BODY_MOST_BYTES >> 20)
        return int(length)

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.connection.settimeout(WRITE_S)
        self._has_answered = True
        self.request_version = self.protocol_version  # for other versions the base class would send no headers
        wants_close = (self.headers.get("Connection", "") if hasattr(self, "headers") else "").lower() == "close"
        self.close_connection = self._has_unread or wants_close
        self.send_response(status)
        own = {"Connection": "close" if self.close_connection else "keep-alive", "Cache-Control": "no-store"}
        for name, value in {**headers, **own, "X-Content-Type-Options": "nosniff"}.items():
            self.send_header(name, value)

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def _refuse(self, error: HttpError) -> None:
        with contextlib.suppress(OSError):  # the client may be gone
            if self._is_stream:
                self.send_event(error.body())
                self.end_stream()
            elif not self._has_answered:
                self.send(error.status, error.body(), error.headers)
                return
        self.close_connection = True

    def _linger(self) -> None:
        """Read the rest of a request: if unread bytes were left, the system would discard the response at closing."""
        self.connection.shutdown(socket.SHUT_WR)
        until, left_bytes = time.monotonic() + LINGER_S, _LINGER_MOST_BYTES
        while left_bytes > 0 and (remaining_s := until - time.monotonic()) > 0:
            self.connection.settimeout(remaining_s)
            block = self.connection.recv(_BLOCK_BYTES)
            if not block:
                return
            left_bytes -= len(block)


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")


def _log_bug(error: Exception) -> None:
    """Log the traceback of an exception without its message, which may contain private text."""
    places = "".join(traceback.format_tb(error.__traceback__))
    print(f"serve: {type(error).__name__}\n{places}", file=sys.stderr, flush=True)  # noqa: T201  stderr is the log


# --------------------------------------------------------------------------------------------------------------- server

Route = tuple[str, Callable[[HttpConnection], None]]  # the HTTP method, and the function that answers


class HttpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """The HTTP server, with a thread for each connection.

    `listener`: its listening socket, already bound to the loopback address; the server closes it. `routes`: by path.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, key: str, routes: Mapping[str, Route]) -> None:
        self.port: int = listener.getsockname()[1]
        # TCPServer's own constructor would open another socket.
        socketserver.BaseServer.__init__(self, (LOOPBACK, self.port), HttpConnection)
        self.socket = listener
        self.key = key.encode("ascii")
        self.routes = routes
        self.hosts = frozenset(f"{name}:{self.port}" for name in (LOOPBACK, "localhost", "[::1]"))
        self._room = threading.Lock()
        self._open: dict[socket.socket, bool] = {}  # whether each one's request has the key; the oldest first
        self._count = 0  # the number of requests that are being answered
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=lambda: self.serve_forever(_POLL_S), name="listener", daemon=True)

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/v1"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and wait at most _END_S for open requests to end."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: not self._count, _END_S)

    def mark_authorized(self, connection: socket.socket) -> None:
        """Record that the current request of a connection has the API key.

        Until it is answered, the connection cannot be closed in favour of a new one.
        """
        with self._room:
            if connection in self._open:
                self._open[connection] = True

    @contextmanager
    def answering(self, connection: socket.socket) -> Iterator[None]:
        """Count the request as being answered during the block, so that `stop` waits for it.

        Afterwards the connection counts as one that has not sent the API key, and as the newest of these: its next
        request must send the key again, and older ones are closed first to make room (`process_request`).
        """
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            with self._room:
                if self._open.pop(connection, None) is not None:
                    self._open[connection] = False
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the thread of a connection.

        If CONNECTIONS_MOST are open, close the oldest whose current request has not sent the API key. If all have
        sent it, refuse the new connection with status 503.
        """
        if not self._make_room(request):
            with contextlib.suppress(OSError):  # the client may be gone
                request.settimeout(_POLL_S)
                request.sendall(_TOO_MANY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # the system allows no more threads
            with self._room:
                self._open.pop(request, None)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._room:
                self._open.pop(request, None)

    def _make_room(self, request: socket.socket) -> bool:
        """Register a new connection, and close an old one if there are too many. Return False if none may be closed."""
        with self._room:
            if len(self._open) >= CONNECTIONS_MOST:
                oldest = next((one for one, has_key in self._open.items() if not has_key), None)
                if oldest is None:
                    return False
                del self._open[oldest]
                with contextlib.suppress(OSError):  # its thread, which reads from it, then ends and closes it
                    oldest.shutdown(socket.SHUT_RDWR)
            self._open[request] = False
            return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore exceptions that a connection has not handled. They occur when the client disconnects."""
