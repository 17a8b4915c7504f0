"""Serve an ASGI application on 127.0.0.1 with uvicorn, behind an API key.

uvicorn and h11 speak HTTP/1.1 and refuse what is no valid request. What they do not limit is limited here: slow
clients, idle connections, web pages. Requests are not logged, because a path or a header can contain private text.
"""

import asyncio
import hmac
import os
import re
import secrets
import stat
import sys
import threading
import traceback
from pathlib import Path
from socket import socket
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.base.errors import AppError
from app.base.files.output_file import write_atomically
from app.base.isolation.network_guard import LOOPBACK, making_event_loop
from app.serve.completion_request import HttpError, http_error, http_error_of

KEY_FILE = "serve.key"  # in the data folder, readable for this user only
_KEY_BYTES = 32
_KEY_SHAPE = re.compile(r"[!-~]{16,512}")  # characters that a header allows, and enough of them
IDLE_S = 60  # how long a connection may wait for a request
HEAD_S = 10.0  # from the first byte of a request to the end of its headers
BODY_S = 60.0  # from there to the end of its body, also of a refused one, which is read and dropped
WRITE_S = 30.0  # how long a client may leave what it is sent unread
HEAD_MOST_BYTES = 32 << 10
BODY_MOST_BYTES = 4 << 20
CONNECTIONS_MOST = 32
_END_S = 3  # how long `stop` waits for open requests
_ONCE = ("host", "origin", "authorization", "content-type", "content-encoding")
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


class _Connection(H11Protocol):
    """A connection of a client. It ends when the client is too slow.

    If CONNECTIONS_MOST are open, a new one takes the place of the one that has waited longest without the API key. If
    the requests of all have the key, the new one is refused with status 503.
    """

    connections: set["_Connection"]  # type: ignore[assignment]
    _reading: asyncio.TimerHandle | None = None  # ends the connection unless the client sends more
    _writing: asyncio.TimerHandle | None = None  # likewise, unless it reads
    _limit_s: float | None = None
    since = 0.0  # the time at which it began to wait for a request

    @property
    def has_key(self) -> bool:
        """Return whether a request with the API key is being answered."""
        return self.cycle is not None and not self.cycle.response_complete and "has_key" in self.scope["state"]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        oldest = min((one for one in self.connections if not one.has_key), key=lambda one: one.since, default=None)
        is_full = len(self.connections) >= CONNECTIONS_MOST
        super().connection_made(transport)
        self.since = self.loop.time()
        if is_full and oldest is None:
            self.connections.discard(self)
            transport.write(_TOO_MANY)
            transport.close()
            return
        if is_full and oldest is not None:
            self.connections.discard(oldest)
            oldest.transport.abort()
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        self.since = self.loop.time()
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit(None)
        self.resume_writing()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's own words
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = refusal(http_error(400, "not_http", headers={"Connection": "close"}))
            head = h11.Response(status_code=400, headers=response.raw_headers, reason=b"Bad Request")
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch(self) -> None:
        """Limit the time in which the client has to send what it has begun."""
        match self.conn.their_state:
            case h11.IDLE:
                limit_s = HEAD_S if self.conn.trailing_data[0] else IDLE_S
            case h11.SEND_BODY:
                limit_s = BODY_S
            case _:
                self._limit(None)
                return
        if limit_s != self._limit_s:
            self._limit(limit_s)

    def _limit(self, limit_s: float | None) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._limit_s = limit_s
        self._reading = None if limit_s is None else self.loop.call_later(limit_s, self.transport.abort)


# ------------------------------------------------------------------------------------------------------------- requests


def refusal(error: HttpError) -> JSONResponse:
    return JSONResponse(error.body(), error.status, error.headers)


async def read_body(request: Request) -> bytes:
    """Return the bytes of a JSON body, whose length Content-Length gives. Raises HttpError and ClientDisconnect."""
    length = request.headers.get("Content-Length")
    if "Transfer-Encoding" in request.headers or length is None:
        # Programs differ in where a body with both lengths ends.
        raise http_error(411, "no_length", headers={"Connection": "close"})
    if int(length) > BODY_MOST_BYTES:
        raise http_error(413, "body_too_large", most_mb=BODY_MOST_BYTES >> 20)
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or request.headers.get("Content-Encoding"):
        raise http_error(415, "not_json")
    return await request.body()


class _Gate:
    """Checks host, origin and API key of each request before the application sees it.

    The key is checked before the path, so a client without it gets no information about the routes.
    """

    def __init__(self, app: ASGIApp, key: str, port: int) -> None:
        self._app = app
        self._key = key.encode("ascii")
        self._hosts = frozenset(f"{name}:{port}" for name in (LOOPBACK, "localhost", "[::1]"))
        self._address = address_of(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
            await send(message)

        try:
            self._check(Headers(scope=scope))
        except HttpError as error:
            await refusal(error)(scope, receive, send_with_headers)
            return
        scope["state"]["has_key"] = True  # from now on a client without the key cannot displace it
        await self._app(scope, receive, send_with_headers)

    def _check(self, headers: Headers) -> None:
        if any(len(headers.getlist(name)) > 1 for name in _ONCE):  # another program could take the other one
            raise http_error(400, "not_http")
        if headers.get("Host", "").lower() not in self._hosts:
            raise http_error(403, "other_host", address=self._address)
        if headers.get("Origin") is not None:
            raise http_error(403, "web_page")
        scheme, _, key = headers.get("Authorization", "").partition(" ")
        is_right = hmac.compare_digest(key.strip().encode("utf-8", "replace"), self._key)
        if scheme.lower() != "bearer" or not is_right:
            raise http_error(401, "invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def application(routes: list[Route]) -> Starlette:
    """Return the application with these routes, whose errors all have OpenAI's form."""
    known = " / ".join(route.path for route in routes)

    def refuse_route(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return refusal(http_error(404, "unknown_path", known=known))
        method = (error.headers or {}).get("Allow", "")
        return refusal(http_error(error.status_code, "wrong_method", headers=error.headers, method=method))

    handlers: dict[Any, Any] = {
        HttpError: lambda _request, error: refusal(error),
        AppError: lambda _request, error: refusal(http_error_of(error)),
        HTTPException: refuse_route,
        ClientDisconnect: lambda _request, _error: Response(),
        Exception: _on_bug,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


def _on_bug(_request: Request, error: Exception) -> Response:
    """Log the traceback of an exception without its message, which may contain private text."""
    places = "".join(traceback.format_tb(error.__traceback__))
    print(f"serve: {type(error).__name__}\n{places}", file=sys.stderr, flush=True)  # noqa: T201  stderr is the log
    return refusal(http_error(500, "bug"))


# --------------------------------------------------------------------------------------------------------------- server


def address_of(port: int) -> str:
    return f"http://{LOOPBACK}:{port}/v1"


def new_event_loop() -> asyncio.AbstractEventLoop:
    with making_event_loop():
        return asyncio.new_event_loop()


class HttpServer:
    """The server, in a thread. `listener`: a socket on the loopback address. `routes`: all that it answers."""

    def __init__(self, listener: socket, key: str, routes: list[Route]) -> None:
        self.port: int = listener.getsockname()[1]
        self.address = address_of(self.port)
        self._listener = listener
        config = uvicorn.Config(
            _Gate(application(routes), key, self.port),
            http=_Connection,
            ws="none",
            interface="asgi3",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="critical",
            h11_max_incomplete_event_size=HEAD_MOST_BYTES,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=_END_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and wait at most _END_S for open requests to end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._server.serve([self._listener]))
