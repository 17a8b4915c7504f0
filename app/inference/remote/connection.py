"""One request to one server. Its name is looked up once, and only addresses of the local network are connected to.

No proxy, no redirect, no cookie. `http.client` because the socket is ours: connected to the very addresses that were
judged (a name that is answered otherwise the next time changes nothing), and shut down when an answer is cancelled.
"""

import contextlib
import http.client
import json
import math
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import truststore

from app.base import addresses
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.isolation import network_guard
from app.inference import remote_address
from app.inference.engine.backend import Cancellation
from app.inference.remote import refusals
from app.inference.remote_address import Place

CONNECT_S = 10.0
SHORT_S = 20.0  # for an answer that needs no model
LOOK_S = 0.05  # how soon a cancelled answer is let go
ANSWER_BYTES_MAX = 4_000_000  # of an answer that is no stream


class Patience:
    """How long a server may take: for all of an answer, and between two pieces of it that say something.

    The socket's own limit counts from byte to byte, and a server that sends one a second would never meet it.
    """

    def __init__(self, quiet_s: float, whole_s: float = math.inf) -> None:
        self._quiet_s = quiet_s
        self._whole_until = time.monotonic() + whole_s
        self.broken = ""  # remote_silent | remote_endless: why the connection was ended
        self.heard()

    def heard(self) -> None:
        """Note that something has come whole."""
        self._quiet_until = time.monotonic() + self._quiet_s

    def is_over(self) -> bool:
        now = time.monotonic()
        if not self.broken and now > min(self._quiet_until, self._whole_until):
            self.broken = "remote_endless" if now > self._whole_until else "remote_silent"
        return bool(self.broken)


class Server:
    def __init__(self, address: str, key: str = "") -> None:
        """`address`: a normal one (`remote_address`). Raises AppError("remote_bad_key"): no header can carry it."""
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise AppError("remote_bad_key")
        self.address = address
        self.place: Place = remote_address.place_of(address)
        self.shown = remote_address.shown(address)
        self._key = key
        self._targets: Sequence[tuple[int, Any]] = ()  # families and addresses of the socket, in the system's order

    def look_up(self) -> None:
        """Chooses the addresses that are connected to from now on.

        Raises AppError: "remote_name_unknown", "remote_public".
        """
        host, port = self.place.host, self.place.port
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise AppError("remote_name_unknown", host=host) from error
        local = [(family, target) for family, _, _, _, target in found if addresses.is_local_address(str(target[0]))]
        if not local:
            raise AppError("remote_public", address=self.shown)
        for _, target in local:
            network_guard.allow_address(str(target[0]), port)
        self._targets = local

    def json(self, path: str, body: dict[str, Any] | None = None, *, from_root: bool = False) -> Any:
        """The answer to a short request. `from_root`: the path does not follow that of the address.

        Raises AppError as `refusals`.
        """
        with self._response(path, body, Patience(SHORT_S), from_root=from_root) as response:
            text = _whole(response)
        refusals.check(response, text, self.shown)
        try:
            return strict_json.loads(text)
        except ValueError as error:
            raise AppError("remote_garbage", address=self.shown) from error

    @contextlib.contextmanager
    def stream(
        self, path: str, body: dict[str, Any], patience: Patience, cancellation: Cancellation
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer that is read while it is written. `patience` is to be told of each piece.

        When it is cancelled, reading ends as if the server had gone. Raises AppError as `refusals`, and
        "remote_silent" or "remote_endless" when `patience` is over.
        """
        with self._response(path, body, patience, cancellation) as response:
            if response.status != 200:
                refusals.check(response, _whole(response), self.shown)
            yield response

    @contextlib.contextmanager
    def _response(
        self,
        path: str,
        body: dict[str, Any] | None,
        patience: Patience,
        cancellation: Cancellation | None = None,
        *,
        from_root: bool = False,
    ) -> Iterator[http.client.HTTPResponse]:
        is_over = threading.Event()
        link = http.client.HTTPConnection(self.place.host, self.place.port)
        try:
            with refusals.explained(self.shown):
                plain = self._reached()
                watch = (plain.dup(), patience, cancellation, is_over)  # TLS takes the socket itself away
                threading.Thread(target=_let_go, args=watch, name="watch", daemon=True).start()
                link.sock = self._secured(plain)
                link.sock.settimeout(None)
                data = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
                target = path if from_root else self.place.path + path
                link.request("GET" if data is None else "POST", target, data, self._headers())
                response = link.getresponse()
                yield response
            if patience.broken:  # its end looked like that of an answer without a length
                raise AppError(patience.broken, address=self.shown)
        except AppError as error:
            if patience.broken:  # what was read after that is our own doing
                raise AppError(patience.broken, address=self.shown) from error
            raise
        finally:
            is_over.set()
            link.close()

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "kotae", "Accept-Encoding": "identity", "Connection": "close"}
        headers["Content-Type"] = "application/json"
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    def _secured(self, plain: socket.socket) -> socket.socket:
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.place.scheme == "http":
                return plain
            # Certificates are judged by the operating system's trust store.
            return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(plain, server_hostname=self.place.host)
        except BaseException:
            plain.close()
            raise

    def _reached(self) -> socket.socket:
        """By the first address that is heard at: `localhost` is two, and most servers listen at one of them."""
        if not self._targets:
            self.look_up()
        for family, target in self._targets:
            plain = socket.socket(family, socket.SOCK_STREAM)
            try:
                plain.settimeout(CONNECT_S)
                plain.connect(target)
            except OSError:
                plain.close()
                if target == self._targets[-1][1]:
                    raise
            else:
                return plain
        raise AssertionError("no address")


def _let_go(
    link: socket.socket, patience: Patience, cancellation: Cancellation | None, is_over: threading.Event
) -> None:
    """A socket that another thread reads is only woken by this."""
    with link:
        while not is_over.wait(LOOK_S):
            if patience.is_over() or (cancellation is not None and cancellation.is_set):
                with contextlib.suppress(OSError):
                    link.shutdown(socket.SHUT_RDWR)
                return


def _whole(response: http.client.HTTPResponse) -> bytes:
    text = response.read(ANSWER_BYTES_MAX + 1)
    return text[:ANSWER_BYTES_MAX]
