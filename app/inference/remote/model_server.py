"""One request to one server. Its name is looked up once, and only addresses of the local network are connected to.

No proxy, no redirect, no cookie. `http.client` because the socket is ours: connected to the very addresses that were
judged (a name that is answered otherwise the next time changes nothing), and shut down when an answer is cancelled.

Why a server does not answer, in our terms.

What a server says of its models: their names, how much they read at once, and how their tokens are counted.
"""

import contextlib
import http.client
import json
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import truststore

from app.base import addresses, invisible_characters
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.isolation import network_guard
from app.inference import local_model, prompts
from app.inference.engine.backend import Cancellation
from app.inference.local_model import ServerAddress

REASON_MAX = 200  # characters of what the server says
# As servers name a prompt that is too long: OpenAI and llama_cpp.server, llama-server. vLLM has no name for it, only
# a sentence, and so have gateways that pass one on.
_TOO_LONG = frozenset(("context_length_exceeded", "exceed_context_size_error"))
_TOO_LONG_SENTENCE = re.compile(
    r"maximum context length|context (?:size|window|length).{0,40}exceed|exceed.{0,40}context"
)
_UNKNOWN_MODEL = frozenset(("model_not_found", "not_found_error", "NotFoundError"))


@contextlib.contextmanager
def explain_connection_errors(shown: str) -> Iterator[None]:
    """Errors of the connection. `shown`: the server, for the words."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise AppError("remote_certificate", address=shown, reason=error.verify_message[:REASON_MAX]) from error
    except ssl.SSLError as error:
        raise AppError("remote_no_tls", address=shown) from error
    except TimeoutError as error:
        raise AppError("remote_silent", address=shown) from error
    except (http.client.BadStatusLine, http.client.LineTooLong) as error:
        code = "remote_broken" if isinstance(error, http.client.RemoteDisconnected) else "remote_garbage"
        raise AppError(code, address=shown) from error
    except http.client.HTTPException as error:
        raise AppError("remote_broken", address=shown) from error
    except (ConnectionResetError, BrokenPipeError) as error:
        raise AppError("remote_broken", address=shown) from error
    except OSError as error:
        raise AppError("remote_unreachable", address=shown) from error
    except ValueError as error:  # http.client takes a chunk of fewer than no bytes for one
        raise AppError("remote_garbage", address=shown) from error


def check_response(response: http.client.HTTPResponse, text: bytes, shown: str) -> None:
    """Raises AppError for every answer but 200. `text`: the body."""
    status = response.status
    if status == 200:
        return
    if 300 <= status < 400:
        raise AppError("remote_redirect", address=shown, target=_place(response.headers.get("Location", "")) or "?")
    raise refusal_error(status, _told(text), shown)


def refusal_error(status: int, told: dict[str, Any], shown: str) -> AppError:
    """`told`: what the server says of its error. `status` 0: in the middle of a stream."""
    reason, names = error_reason(told), {str(told.get(key)) for key in ("code", "type")}
    if status in (401, 403):
        return AppError("remote_key_refused", address=shown)
    if status in (404, 405):
        is_model = bool(names & _UNKNOWN_MODEL) or "model" in told.get("message", "").casefold()
        return AppError("remote_model_unknown" if is_model else "remote_not_found", address=shown, model="")
    if status in (408, 425, 429, 502, 503, 504):
        return AppError("remote_busy", address=shown)
    if names & _TOO_LONG or _TOO_LONG_SENTENCE.search(reason.casefold()):
        return AppError("remote_too_long", address=shown)
    return AppError("remote_refused", address=shown, status=status, reason=reason or "-")


def _place(location: str) -> str:
    """Host and port that a server sends us to; "" for what is no address."""
    try:
        return urlsplit(location).netloc.rpartition("@")[2][:80]
    except ValueError:
        return ""


def error_reason(told: dict[str, Any]) -> str:
    """Its own words, in one short line."""
    return invisible_characters.to_single_line(str(told.get("message", "")))[:REASON_MAX]


def _told(text: bytes) -> dict[str, Any]:
    """{"error": {"message", "code", "type"}} as OpenAI writes it; {"error": "…"}, {"message": …}, {"detail": …} too."""
    try:
        data = strict_json.loads(text)
    except ValueError:
        return {}
    return error_fields(data) if isinstance(data, dict) else {}


def error_fields(data: dict[str, Any]) -> dict[str, Any]:
    error = data.get("error", data)
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    message = error.get("message", error.get("detail", ""))
    return {**error, "message": message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)}


CONNECT_S = 10.0
SHORT_S = 20.0  # for an answer that needs no model
LOOK_S = 0.05  # how soon a cancelled answer is let go
ANSWER_BYTES_MAX = 4_000_000  # of an answer that is no stream


class ResponseDeadline:
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


class RemoteServer:
    def __init__(self, address: str, key: str = "") -> None:
        """`address`: a normal one (`remote_address`). Raises AppError("remote_bad_key"): no header can carry it."""
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise AppError("remote_bad_key")
        self.address = address
        self.place: ServerAddress = local_model.parse_address(address)
        self.shown = local_model.address_label(address)
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
        with self._response(path, body, ResponseDeadline(SHORT_S), from_root=from_root) as response:
            text = _whole(response)
        check_response(response, text, self.shown)
        try:
            return strict_json.loads(text)
        except ValueError as error:
            raise AppError("remote_garbage", address=self.shown) from error

    @contextlib.contextmanager
    def stream(
        self, path: str, body: dict[str, Any], patience: ResponseDeadline, cancellation: Cancellation
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer that is read while it is written. `patience` is to be told of each piece.

        When it is cancelled, reading ends as if the server had gone. Raises AppError as `refusals`, and
        "remote_silent" or "remote_endless" when `patience` is over.
        """
        with self._response(path, body, patience, cancellation) as response:
            if response.status != 200:
                check_response(response, _whole(response), self.shown)
            yield response

    @contextlib.contextmanager
    def _response(
        self,
        path: str,
        body: dict[str, Any] | None,
        patience: ResponseDeadline,
        cancellation: Cancellation | None = None,
        *,
        from_root: bool = False,
    ) -> Iterator[http.client.HTTPResponse]:
        is_over = threading.Event()
        link = http.client.HTTPConnection(self.place.host, self.place.port)
        try:
            with explain_connection_errors(self.shown):
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
    link: socket.socket, patience: ResponseDeadline, cancellation: Cancellation | None, is_over: threading.Event
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


MODELS_MAX = 500
NAME_MAX = 200  # characters
_CONTEXT_MAX = 1 << 24  # tokens; more is no number of tokens
_PROBE = "\u3042"  # a letter that no tokenizer can do without


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model of a server. `context_tokens` 0: it does not say."""

    name: str
    context_tokens: int = 0


def list_models(server: RemoteServer) -> list[OfferedModel]:
    """Raises AppError: "remote_garbage" for an answer that is none, "remote_no_models", and as `Server.json`."""
    answer = server.json("/models")
    entries = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise AppError("remote_garbage", address=server.shown)
    found = [_offered(entry) for entry in entries[:MODELS_MAX] if isinstance(entry, dict)]
    named = [one for one in found if one.name]
    if not named:
        raise AppError("remote_no_models", address=server.shown)
    return named


def find_context_tokens(server: RemoteServer, offered: OfferedModel) -> int:
    """Tokens; 0: the server does not tell. llama-server tells in /props, of the model that it runs."""
    if offered.context_tokens:
        return offered.context_tokens
    try:
        props = server.json("/props", from_root=True)
    except AppError:
        return 0
    settings = props.get("default_generation_settings") if isinstance(props, dict) else None
    return _tokens(settings.get("n_ctx")) if isinstance(settings, dict) else 0


class TokenCounter:
    """Counts with the server's own tokenizer where it has one to ask; else estimates, rather too many."""

    # llama-server; vLLM (which takes the same body, with its own names in it); llama_cpp.server.
    _PATHS = ("/tokenize", "/extras/tokenize/count")

    def __init__(self, server: RemoteServer, model: str) -> None:
        self._server = server
        self._model = model
        self._path = next((path for path in self._PATHS if self._asked(path, _PROBE)), "")

    @property
    def is_exact(self) -> bool:
        return bool(self._path)

    def count(self, text: str) -> int:
        """A tokenizer that fails once is not asked again."""
        found = self._asked(self._path, text) if self._path and text else 0
        if found or not text:
            return found
        self._path = ""
        return prompts.estimate_tokens(text)

    def _asked(self, path: str, text: str) -> int:
        """0: it cannot be asked there."""
        body = {"content": text, "prompt": text, "input": text, "model": self._model, "add_special_tokens": False}
        try:
            answer = self._server.json(path, body, from_root=True)
        except AppError:
            return 0
        if not isinstance(answer, dict):
            return 0
        listed = answer.get("tokens")
        return _tokens(answer.get("count")) or (len(listed) if isinstance(listed, list) else 0)


def _offered(entry: dict[str, Any]) -> OfferedModel:
    """vLLM: max_model_len; llama-server: meta.n_ctx; others of its kind: context_length."""
    name, meta = entry.get("id"), entry.get("meta")
    told = [entry.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else 0, entry.get("context_length")]
    is_name = isinstance(name, str) and name.isprintable() and len(name) <= NAME_MAX
    return OfferedModel(str(name) if is_name else "", next((tokens for tokens in map(_tokens, told) if tokens), 0))


def _tokens(value: object) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _CONTEXT_MAX
    return value if is_count and isinstance(value, int) else 0
