"""Why a server does not answer, in our terms."""

import contextlib
import http.client
import json
import re
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files import strict_json

REASON_MAX = 200  # characters of what the server says
# As servers name a prompt that is too long: OpenAI and llama_cpp.server, llama-server. vLLM has no name for it, only
# a sentence, and so have gateways that pass one on.
_TOO_LONG = frozenset(("context_length_exceeded", "exceed_context_size_error"))
_TOO_LONG_SENTENCE = re.compile(
    r"maximum context length|context (?:size|window|length).{0,40}exceed|exceed.{0,40}context"
)
_UNKNOWN_MODEL = frozenset(("model_not_found", "not_found_error", "NotFoundError"))


@contextlib.contextmanager
def explained(shown: str) -> Iterator[None]:
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


def check(response: http.client.HTTPResponse, text: bytes, shown: str) -> None:
    """Raises AppError for every answer but 200. `text`: the body."""
    status = response.status
    if status == 200:
        return
    if 300 <= status < 400:
        raise AppError("remote_redirect", address=shown, target=_place(response.headers.get("Location", "")) or "?")
    raise refused(status, _told(text), shown)


def refused(status: int, told: dict[str, Any], shown: str) -> AppError:
    """`told`: what the server says of its error. `status` 0: in the middle of a stream."""
    reason, names = reason_of(told), {str(told.get(key)) for key in ("code", "type")}
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


def reason_of(told: dict[str, Any]) -> str:
    """Its own words, in one short line."""
    return invisible_characters.to_single_line(str(told.get("message", "")))[:REASON_MAX]


def _told(text: bytes) -> dict[str, Any]:
    """{"error": {"message", "code", "type"}} as OpenAI writes it; {"error": "…"}, {"message": …}, {"detail": …} too."""
    try:
        data = strict_json.loads(text)
    except ValueError:
        return {}
    return told_of(data) if isinstance(data, dict) else {}


def told_of(data: dict[str, Any]) -> dict[str, Any]:
    error = data.get("error", data)
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    message = error.get("message", error.get("detail", ""))
    return {**error, "message": message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)}
