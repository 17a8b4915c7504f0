"""Send requests to one model server of the local network, translate its refusals, and list its models.

The host name is resolved once, and only addresses of the local network are connected to. No proxy, no redirect, no
cookie. `http.client` is used because the socket is ours: connected to the very addresses that were checked (a later
change in DNS has no effect), and shut down when an answer is cancelled.
"""

import contextlib
import dataclasses
import http.client
import json
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import truststore

from app.base import addresses, invisible_characters, json_lines
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.isolation import network_guard
from app.inference import local_model, prompts
from app.inference.local_model import BATCHED_REQUESTS, REMOTE_REQUESTS, OfferedModel, ServerAddress

REASON_MAX = 200  # characters of the server's message
# Error codes for a prompt that is too long: of OpenAI and llama_cpp.server, of llama-server. vLLM and gateways before
# it send only a sentence.
_TOO_LONG = frozenset(("context_length_exceeded", "exceed_context_size_error"))
_TOO_LONG_SENTENCE = re.compile(
    r"maximum context length|context (?:size|window|length).{0,40}exceed|exceed.{0,40}context"
)
_UNKNOWN_MODEL = frozenset(("model_not_found", "not_found_error", "NotFoundError"))


@contextlib.contextmanager
def explain_connection_errors(server_label: str) -> Iterator[None]:
    """Translate connection errors into AppError. `server_label`: the server's label for the message."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise AppError("remote_certificate", address=server_label, reason=error.verify_message[:REASON_MAX]) from error
    except ssl.SSLError as error:
        raise AppError("remote_no_tls", address=server_label) from error
    except TimeoutError as error:
        raise AppError("remote_silent", address=server_label) from error
    except (http.client.BadStatusLine, http.client.LineTooLong) as error:
        code = "remote_broken" if isinstance(error, http.client.RemoteDisconnected) else "remote_garbage"
        raise AppError(code, address=server_label) from error
    except http.client.HTTPException as error:
        raise AppError("remote_broken", address=server_label) from error
    except (ConnectionResetError, BrokenPipeError) as error:
        raise AppError("remote_broken", address=server_label) from error
    except OSError as error:
        raise AppError("remote_unreachable", address=server_label) from error
    except ValueError as error:  # http.client raises it for a chunk of negative length
        raise AppError("remote_garbage", address=server_label) from error


def check_response(response: http.client.HTTPResponse, text: bytes, server_label: str) -> None:
    """Raise AppError for every status but 200. `text`: the body."""
    status = response.status
    if status == 200:
        return
    if 300 <= status < 400:
        raise AppError(
            "remote_redirect",
            address=server_label,
            target=_redirect_target(response.headers.get("Location", "")) or "?",
        )
    raise refusal_error(status, _fields_in(text), server_label)


def refusal_error(status: int, fields: dict[str, Any], server_label: str) -> AppError:
    """Return the error for a refusal. `fields`: the server's error fields. `status` 0: in the middle of a stream."""
    reason = invisible_characters.to_single_line(str(fields.get("message", "")))[:REASON_MAX]
    names = {str(fields.get(key)) for key in ("code", "type")}
    if status in (401, 403):
        return AppError("remote_key_refused", address=server_label)
    if status in (404, 405):
        is_model = bool(names & _UNKNOWN_MODEL) or "model" in fields.get("message", "").casefold()
        return AppError("remote_model_unknown" if is_model else "remote_not_found", address=server_label, model="")
    if status in (408, 425, 429, 502, 503, 504):
        return AppError("remote_busy", address=server_label)
    if names & _TOO_LONG or _TOO_LONG_SENTENCE.search(reason.casefold()):
        return AppError("remote_too_long", address=server_label)
    return AppError("remote_refused", address=server_label, status=status, reason=reason or "-")


def _redirect_target(location: str) -> str:
    """Return host and port of a redirect's location; "" if it is malformed."""
    try:
        return urlsplit(location).netloc.rpartition("@")[2][:80]
    except ValueError:
        return ""


def _fields_in(text: bytes) -> dict[str, Any]:
    """Return the fields of the error in a response body; {} if the body is no JSON object.

    The error is the object {"message", "code", "type"} under "error", or a text under "error", "message" or "detail".
    """
    try:
        return error_fields(json_lines.decode_object(text))
    except ValueError:
        return {}


def error_fields(data: dict[str, Any]) -> dict[str, Any]:
    error = data.get("error", data)
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    message = error.get("message", error.get("detail", ""))
    return {**error, "message": message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)}


CONNECT_S = 10.0
SHORT_S = 20.0  # time limit for a request that needs no model
POLL_S = 0.05  # how often the watch thread checks for a cancellation
ANSWER_BYTES_MAX = 4_000_000  # of a response body that is no stream


class ResponseDeadline:
    """Limits how long a server may take: for the whole answer, and between two pieces with content.

    The socket's own timeout counts from byte to byte, and a server that sends a byte each second would never reach it.
    """

    def __init__(self, quiet_s: float, whole_s: float = math.inf) -> None:
        self._quiet_s = quiet_s
        self._whole_until = time.monotonic() + whole_s
        self.broken = ""  # remote_silent | remote_endless: why the connection was closed
        self.note_piece()

    def note_piece(self) -> None:
        """Record that a complete piece has arrived."""
        self._quiet_until = time.monotonic() + self._quiet_s

    def is_over(self) -> bool:
        now = time.monotonic()
        if not self.broken and now > min(self._quiet_until, self._whole_until):
            self.broken = "remote_endless" if now > self._whole_until else "remote_silent"
        return bool(self.broken)


class RemoteServer:
    """Connects to one model server; each request uses a new connection."""

    def __init__(self, address: str, key: str = "") -> None:
        """Prepare the server without connecting. `address` must be normalized (`local_model`).

        Raises AppError("remote_bad_key") if no header can carry the key.
        """
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise AppError("remote_bad_key")
        self.address = address
        self.parsed_address: ServerAddress = local_model.parse_address(address)
        self.label = local_model.address_label(address)
        self._headers = {"User-Agent": "kotae", "Accept-Encoding": "identity", "Connection": "close"}
        self._headers |= {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._targets: Sequence[tuple[int, Any]] = ()  # socket families and addresses, in the system's order

    def resolve_host(self) -> None:
        """Resolve the host name and keep its local addresses for all later connections.

        Raises AppError: remote_name_unknown, remote_public.
        """
        host, port = self.parsed_address.host, self.parsed_address.port
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise AppError("remote_name_unknown", host=host) from error
        local = [(family, target) for family, _, _, _, target in found if addresses.is_local_address(str(target[0]))]
        if not local:
            raise AppError("remote_public", address=self.label)
        for _, target in local:
            network_guard.allow_address(str(target[0]), port)
        self._targets = local

    def json(self, path: str, body: dict[str, Any] | None = None, *, from_root: bool = False) -> Any:
        """Return the JSON answer to a request that needs no model. `from_root`: `path` begins at the server's root.

        Raises AppError as `check_response` and `explain_connection_errors` do, and remote_garbage for no JSON.
        """
        with self._response(path, body, ResponseDeadline(SHORT_S), from_root=from_root) as response:
            text = _read_body(response)
        check_response(response, text, self.label)
        try:
            return strict_json.loads(text)
        except ValueError as error:
            raise AppError("remote_garbage", address=self.label) from error

    @contextlib.contextmanager
    def stream(
        self, path: str, body: dict[str, Any], deadline: ResponseDeadline, is_cancelled: Callable[[], bool]
    ) -> Iterator[http.client.HTTPResponse]:
        """Yield the response of an answer that is still being written; the caller reports each piece to `deadline`.

        When cancelled, reading ends as if the server had closed. Raises AppError as `json`, and remote_silent or
        remote_endless when the deadline is over.
        """
        with self._response(path, body, deadline, is_cancelled) as response:
            if response.status != 200:
                check_response(response, _read_body(response), self.label)
            yield response

    @contextlib.contextmanager
    def _response(
        self,
        path: str,
        body: dict[str, Any] | None,
        deadline: ResponseDeadline,
        is_cancelled: Callable[[], bool] = lambda: False,
        *,
        from_root: bool = False,
    ) -> Iterator[http.client.HTTPResponse]:
        is_over = threading.Event()
        connection = http.client.HTTPConnection(self.parsed_address.host, self.parsed_address.port)
        try:
            with explain_connection_errors(self.label):
                plain = self._connect()
                watch = (plain.dup(), deadline, is_cancelled, is_over)  # TLS detaches the original socket
                threading.Thread(target=_watch_connection, args=watch, name="watch", daemon=True).start()
                connection.sock = self._with_tls(plain)
                connection.sock.settimeout(None)
                data = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
                target = path if from_root else self.parsed_address.path + path
                connection.request("GET" if data is None else "POST", target, data, self._headers)
                response = connection.getresponse()
                yield response
            if deadline.broken:  # closing it looked like the end of an answer without a length
                raise AppError(deadline.broken, address=self.label)
        except AppError as error:
            if deadline.broken:  # we closed the connection, which caused the error
                raise AppError(deadline.broken, address=self.label) from error
            raise
        finally:
            is_over.set()
            connection.close()

    def _with_tls(self, plain: socket.socket) -> socket.socket:
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.parsed_address.scheme == "http":
                return plain
            # Certificates are checked against the operating system's trust store.
            return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(
                plain, server_hostname=self.parsed_address.host
            )
        except BaseException:
            plain.close()
            raise

    def _connect(self) -> socket.socket:
        """Connect to the first address that answers: `localhost` has two, and most servers listen on one."""
        if not self._targets:
            self.resolve_host()
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


def _watch_connection(
    connection: socket.socket, deadline: ResponseDeadline, is_cancelled: Callable[[], bool], is_over: threading.Event
) -> None:
    """Shut the socket down on cancellation or timeout: that alone wakes the thread that reads it."""
    with connection:
        while not is_over.wait(POLL_S):
            if deadline.is_over() or is_cancelled():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                return


def _read_body(response: http.client.HTTPResponse) -> bytes:
    text = response.read(ANSWER_BYTES_MAX + 1)
    return text[:ANSWER_BYTES_MAX]


_BATCHING = ("vllm", "sglang")  # names of servers in `owned_by`
_SEEING = ("image", "vision", "multimodal")  # names of what a model can that sees pictures
MODELS_MAX = 500
NAME_MAX = 200  # characters
_CONTEXT_MAX = 1 << 24  # larger values are not accepted as numbers of tokens
_PROBE = "\u3042"  # a character that every tokenizer can encode


def list_models(server: RemoteServer) -> list[OfferedModel]:
    """Return the server's models. Raises AppError: remote_garbage, remote_no_models, and as `RemoteServer.json`."""
    answer = server.json("/models")
    entries = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise AppError("remote_garbage", address=server.label)
    found = [_offered_model(entry) for entry in entries[:MODELS_MAX] if isinstance(entry, dict)]
    named = [one for one in found if one.name]
    if not named:
        raise AppError("remote_no_models", address=server.label)
    return named


def with_props(server: RemoteServer, offered: OfferedModel) -> OfferedModel:
    """Return the model with what llama-server reports in /props of the one that it runs, unless its list says it."""
    try:
        props = server.json("/props", from_root=True)
    except AppError:
        return offered
    settings, modalities = (
        found if isinstance(props, dict) and isinstance(found := props.get(name), dict) else {}
        for name in ("default_generation_settings", "modalities")
    )
    context = offered.context_tokens or _tokens(settings.get("n_ctx"))
    sees_pictures = offered.sees_pictures or modalities.get("vision") is True
    return dataclasses.replace(offered, context_tokens=context, sees_pictures=sees_pictures)


class TokenCounter:
    """Counts tokens with the server's tokenizer if it has an endpoint; else estimates, rather too high."""

    # Endpoints of llama-server and vLLM (one body has the field names of both), and of llama_cpp.server.
    _PATHS = ("/tokenize", "/extras/tokenize/count")

    def __init__(self, server: RemoteServer, model: str) -> None:
        self._server = server
        self._model = model
        self._path = next((path for path in self._PATHS if self._request_count(path, _PROBE)), "")

    @property
    def is_exact(self) -> bool:
        return bool(self._path)

    def count(self, text: str) -> int:
        """Return the number of tokens. After one failure of the endpoint, estimate from then on."""
        found = self._request_count(self._path, text) if self._path and text else 0
        if found or not text:
            return found
        self._path = ""
        return prompts.estimate_tokens(text)

    def _request_count(self, path: str, text: str) -> int:
        """Return the count from an endpoint; 0 if that fails."""
        body = {"content": text, "prompt": text, "input": text, "model": self._model, "add_special_tokens": False}
        try:
            answer = self._server.json(path, body, from_root=True)
        except AppError:
            return 0
        if not isinstance(answer, dict):
            return 0
        listed = answer.get("tokens")
        return _tokens(answer.get("count")) or (len(listed) if isinstance(listed, list) else 0)


def _offered_model(entry: dict[str, Any]) -> OfferedModel:
    """Return the model that an entry of the server's list describes; its name is "" if it is not acceptable.

    The context length is in max_model_len (vLLM), meta.n_ctx (llama-server) or context_length (other servers). That it
    sees pictures, gateways say in architecture.input_modalities or capabilities.
    """
    name, meta = entry.get("id"), entry.get("meta")
    counts = [
        entry.get("max_model_len"),
        meta.get("n_ctx") if isinstance(meta, dict) else 0,
        entry.get("context_length"),
    ]
    is_name = isinstance(name, str) and name.isprintable() and len(name) <= NAME_MAX
    requests = BATCHED_REQUESTS if entry.get("owned_by") in _BATCHING else REMOTE_REQUESTS
    context = next((tokens for tokens in map(_tokens, counts) if tokens), 0)
    architecture, able = entry.get("architecture"), entry.get("capabilities")
    inputs = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    able = [one for one, is_so in able.items() if is_so is True] if isinstance(able, dict) else able
    sees_pictures = any(word in words for words in (inputs, able) if isinstance(words, list) for word in _SEEING)
    return OfferedModel(str(name) if is_name else "", context, requests, sees_pictures)


def _tokens(value: object) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _CONTEXT_MAX
    return value if is_count and isinstance(value, int) else 0
