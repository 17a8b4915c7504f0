"""Parse and check a request for an answer, its HTTP head and its JSON body, and define the errors sent to clients.

Unknown JSON fields are ignored; known fields must be valid. An error is an HTTP status and an error object in OpenAI's
form. The head (HTTP/1.1) is parsed strictly: a head that two programs could parse differently is refused. The standard
library's parser treats everything after an invalid line as the body, so that a client behind a proxy could smuggle in a
second request (RFC 9112, 11.2).
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Any

from app.base import wording
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.wording import phrase
from app.chat.presets import LIMITS, Choices
from app.inference.engine.messages import THOUGHT_TOKENS
from app.inference.prompts import Turn

_ENGINE_EXITS = ("engine_died", "engine_hung", "engine_missing")
_STATUSES = {
    "grammar_invalid": 400,
    "text_unreadable": 400,
    "collections_gone": 404,
    "secret_export": 403,
    "serve_ending": 503,
}
_FIELDS = {"grammar_invalid": "response_format", "text_unreadable": "messages", "collections_gone": "model"}


class HttpError(Exception):
    """An error to send to the client. `code`: its name in the response. `field`: the invalid field, or None."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the error object in OpenAI's form."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 429:
            kind = "rate_limit_error"
        return {"error": {"message": self.message, "type": kind, "param": self.field, "code": self.code}}


def http_error(status: int, code: str, field: str | None = None, **facts: Any) -> HttpError:
    """Return an error with the text of the wording key `serve.refusal.CODE`, filled with `field` and `facts`."""
    if field is not None:
        facts["field"] = field
    return HttpError(status, code, phrase(f"serve.refusal.{code}", **facts), field)


def http_error_of(error: AppError) -> HttpError:
    """Return the HTTP error to send for an AppError that has ended an answer."""
    if error.code == "context_full":
        return http_error(400, "context_length_exceeded", "messages", **error.facts)
    if error.code in _ENGINE_EXITS:
        return HttpError(500, error.code, phrase("serve.serve_engine_gone"))
    status, field = _STATUSES.get(error.code, 500), _FIELDS.get(error.code)
    return HttpError(status, error.code, str(wording.describe_error(error)), field)


FIELDS_MOST = 64
_VERSION = b"HTTP/1.1"
_REQUEST = re.compile(rb"([A-Z]{1,16}) (/[!-~]*)(?: (HTTP/[0-9]\.[0-9]))?\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
_ONCE = frozenset(
    ("host", "content-length", "transfer-encoding", "content-type", "content-encoding", "authorization", "origin",
     "expect", "connection")
)  # fmt: skip


def read_head(next_line: Callable[[], bytes]) -> tuple[str, str, HTTPMessage]:
    """Parse the head of a request; return its method, target and header fields. Raises HttpError.

    `next_line`: returns the next line, including its line terminator.
    """
    request = _REQUEST.fullmatch(next_line())
    if request is None:
        raise http_error(400, "not_http")
    if request[3] != _VERSION:
        raise http_error(505, "not_http")
    fields = HTTPMessage()
    count = 0
    while (line := next_line()) != b"\r\n":
        match = _FIELD.fullmatch(line)
        if match is None:  # such as a space before the colon, a folded line, or a line end without CR
            raise http_error(400, "not_http")
        name = match[1].decode("ascii")
        if name.lower() in _ONCE and name in fields:
            raise http_error(400, "not_http")
        count += 1
        if count > FIELDS_MOST:
            raise http_error(431, "head_too_large")
        fields[name] = match[2].rstrip(b" \t").decode("latin-1")
    return request[1].decode("ascii"), request[2].decode("ascii"), fields


STOPS_MOST = 4
STOP_CHARACTERS = 500  # a limit, because stop texts are searched for after each token
MESSAGES_MOST = 10_000  # more than fit into the context of any model
_SEED_LARGEST = (1 << 63) - 1
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_ANY_OBJECT = '{"type": "object"}'


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A parsed request. `model`: a name that /v1/models lists. `choices`: the system prompt and sampling options."""

    model: str
    turns: tuple[Turn, ...]
    choices: Choices
    stop: tuple[str, ...] = ()
    json_schema: str = ""  # that the answer must match; "": none
    is_streamed: bool = False
    includes_usage: bool = False  # the last event of a stream has the token counts


def parse_request(raw: bytes) -> CompletionRequest:
    """Parse the JSON body of a request. Raises HttpError."""
    try:
        data = strict_json.parse_object(raw)
    except ValueError as error:
        raise http_error(400, "bad_json") from error
    _refuse_unsupported(data)
    model = data.get("model")
    if not isinstance(model, str):
        raise _missing_or_wrong(data, "model", "text")
    system, turns = _conversation(data)
    options = data.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _wrong_type("stream_options", "object")
    return CompletionRequest(
        model=model,
        turns=turns,
        choices=_parse_answer_settings(data, system),
        stop=_stop_texts(data.get("stop")),
        json_schema=_required_json_schema(data.get("response_format")),
        is_streamed=_flag(data, "stream"),
        includes_usage=_flag(options or {}, "include_usage", "stream_options."),
    )


# ------------------------------------------------------------------------------------------------------- messages


def _conversation(data: dict[str, Any]) -> tuple[str | None, tuple[Turn, ...]]:
    """Return the system prompt (None: there is none) and the turns of the field `messages`.

    Consecutive messages of the same role are joined. Raises HttpError.
    """
    messages = data.get("messages")
    if not isinstance(messages, list):
        raise _missing_or_wrong(data, "messages", "list")
    if len(messages) > MESSAGES_MOST:
        raise _out_of_range("messages", 1, MESSAGES_MOST)
    system: list[str] = []
    turns: list[tuple[list[str], list[str]]] = []  # the texts of each question and answer, joined at the end
    for number, message in enumerate(messages):
        role, text = _message(message, f"messages[{number}]")
        if role == "system":
            system.append(text)
        elif role == "user" and turns and not turns[-1][1]:
            turns[-1][0].append(text)
        elif role == "user":
            turns.append(([text], []))
        elif not turns:
            raise http_error(400, "first_is_not_user", "messages")
        else:
            turns[-1][1].append(text)
    if not turns or turns[-1][1]:
        raise http_error(400, "last_is_not_user", "messages")
    if not any(text.strip() for text in turns[-1][0]):
        raise http_error(400, "empty_question", "messages")
    joined = (
        Turn(_joined(questions), _joined(filter(None, answers)) if answers else None) for questions, answers in turns
    )
    return _joined(system) if system else None, tuple(joined)


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(texts)


def _message(message: Any, field: str) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise _wrong_type(field, "object")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise http_error(400, "unknown_role", f"{field}.role")
    return _ROLES[role], _text(message.get("content"), f"{field}.content")


def _text(content: Any, field: str) -> str:
    """Return the text of a `content` value: a string, or a list of text parts. `field`: as for `_part_text`."""
    if isinstance(content, list):
        return "\n".join(_part_text(part, f"{field}[{number}]") for number, part in enumerate(content))
    if not isinstance(content, str):
        raise _wrong_type(field, "text")
    return content


def _part_text(part: Any, field: str) -> str:
    """Return the text of one content part. `field`: its path in the request, for the error. Raises HttpError."""
    if not isinstance(part, dict):
        raise _wrong_type(field, "object")
    if part.get("type") != "text":
        raise http_error(400, "only_text", field)
    if not isinstance(part.get("text"), str):
        raise _wrong_type(f"{field}.text", "text")
    return _text(part["text"], f"{field}.text")


# -------------------------------------------------------------------------------------------------------- settings


def _parse_answer_settings(data: dict[str, Any], system: str | None) -> Choices:
    longest = "max_completion_tokens" if data.get("max_completion_tokens") is not None else "max_tokens"
    tokens = _integer(data, longest, 1, None)
    seed = _integer(data, "seed", -_SEED_LARGEST - 1, _SEED_LARGEST)
    return Choices(
        system_prompt=system,
        temperature=_number(data, "temperature", *LIMITS["temperature"]),
        top_p=_number(data, "top_p", *LIMITS["top_p"]),
        max_tokens=None if tokens is None else min(tokens, int(LIMITS["max_tokens"][1])),
        thought_tokens=_thought_tokens(data),
        seed=None if seed is None else seed & int(LIMITS["seed"][1]),
    )


# The most tokens of thoughts for each `reasoning_effort` of OpenAI's protocol.
_EFFORTS = {"none": 0, "minimal": 512, "low": 1024, "medium": THOUGHT_TOKENS, "high": 8192, "xhigh": 16384}


def _thought_tokens(data: dict[str, Any]) -> int | None:
    """Return how long the model may think, as the request says; None: it does not. Raises HttpError."""
    reasoning, options = data.get("reasoning"), data.get("chat_template_kwargs") or {}
    effort = data.get("reasoning_effort", reasoning.get("effort") if isinstance(reasoning, dict) else None)
    if effort is not None and (not isinstance(effort, str) or effort not in _EFFORTS):
        raise http_error(400, "wrong_type", "reasoning_effort", expected=" | ".join(_EFFORTS))
    if not isinstance(options, dict):
        raise http_error(400, "wrong_type", "chat_template_kwargs", expected=phrase("serve.serve_kind.object"))
    is_wanted = _flag(options, "enable_thinking", "chat_template_kwargs.")  # llama-server's and vLLM's switch
    if options.get("enable_thinking") is False:
        return 0
    return _EFFORTS[effort] if effort is not None else THOUGHT_TOKENS if is_wanted else None


def _stop_texts(value: Any) -> tuple[str, ...]:
    stops = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(one, str) and one for one in stops):
        raise _wrong_type("stop", "texts")
    if len(stops) > STOPS_MOST:
        raise _out_of_range("stop", 0, STOPS_MOST)
    if any(len(one) > STOP_CHARACTERS for one in stops):
        raise _wrong_type("stop", "texts")
    return tuple(_text(one, "stop") for one in stops)


def _required_json_schema(value: Any) -> str:
    """Return the JSON schema that the request's `response_format` requires of the answer, as JSON; "" for none."""
    if value is None:
        return ""
    if not isinstance(value, dict):
        raise _wrong_type("response_format", "object")
    match value.get("type"):
        case "text":
            return ""
        case "json_object":
            return _ANY_OBJECT
        case "json_schema":
            described = value.get("json_schema")
            schema = described.get("schema") if isinstance(described, dict) else None
            if not isinstance(schema, dict):
                raise _wrong_type("response_format.json_schema.schema", "object")
            return json.dumps(schema)
    raise _wrong_type("response_format.type", "format")


def _refuse_unsupported(data: dict[str, Any]) -> None:
    """Raise HttpError for options that would change the form of the answer, which clients would rely on."""
    if data.get("n") not in (None, 1) or isinstance(data.get("n"), bool):
        raise http_error(400, "only_one", "n")
    for field in ("tools", "functions", "logprobs", "top_logprobs", "audio"):
        if data.get(field):
            raise http_error(400, "unsupported", field)


def _number(data: dict[str, Any], field: str, low: float, high: float) -> float | None:
    value = data.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(field, "number")
    if not low <= value <= high or not math.isfinite(value):
        raise _out_of_range(field, low, high)
    return float(value)


def _integer(data: dict[str, Any], field: str, low: int, high: int | None) -> int | None:
    """Return an integer field from `low` to `high` (None: no upper limit); None if it is missing. Raises HttpError."""
    value = data.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(field, "whole")
    if value < low or (high is not None and value > high):
        raise _out_of_range(field, low, high)
    return value


def _flag(data: dict[str, Any], field: str, prefix: str = "") -> bool:
    value = data.get(field)
    if value is not None and not isinstance(value, bool):
        raise _wrong_type(prefix + field, "flag")
    return value is True


def _missing_or_wrong(data: dict[str, Any], field: str, kind: str) -> HttpError:
    return _wrong_type(field, kind) if data.get(field) is not None else http_error(400, "missing", field)


def _wrong_type(field: str, kind: str) -> HttpError:
    """Return the error for a field of the wrong type. `kind`: the expected type, as in resources/wording/serve.toml."""
    return http_error(400, "wrong_type", field, expected=phrase(f"serve.serve_kind.{kind}"))


def _out_of_range(field: str, low: float, high: float | None) -> HttpError:
    expected = (
        phrase("common.range", low=low, high=high) if high is not None else phrase("serve.serve_at_least", low=low)
    )
    return http_error(400, "out_of_range", field, expected=expected)
