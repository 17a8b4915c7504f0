"""The socket that listens, a thread for each connection, and how many there may be."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.base.offline import LOOPBACK
from app.serve.connection import Connection

CONNECTIONS_MOST = 32
_LOOK_S = 0.2  # how soon it ends
_END_S = 3.0  # for those who are told so
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"

Route = tuple[str, Callable[[Connection], None]]  # method, what answers it


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Owns `listener`, which is bound to this machine's own address already."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, key: str, routes: Mapping[str, Route]) -> None:
        self.port: int = listener.getsockname()[1]
        # Not TCPServer's: it would open another socket.
        socketserver.BaseServer.__init__(self, (LOOPBACK, self.port), Connection)
        self.socket = listener
        self.key = key.encode("ascii")
        self.routes = routes
        self.hosts = frozenset(f"{name}:{self.port}" for name in (LOOPBACK, "localhost", "[::1]"))
        self._room = threading.BoundedSemaphore(CONNECTIONS_MOST)
        self._count = 0  # of requests that are being answered
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=lambda: self.serve_forever(_LOOK_S), name="listener", daemon=True)

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/v1"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nobody new is heard, and who is answered hears the end of it. Blocks for a moment."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: not self._count, _END_S)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around each answer, in its own thread."""
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except RuntimeError:  # the system gives no further thread
                self._room.release()
                raise
            return
        with contextlib.suppress(OSError):  # it has gone by itself
            request.settimeout(1)
            request.sendall(_TOO_MANY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What a connection has not dealt with itself is that the other side broke it off."""
