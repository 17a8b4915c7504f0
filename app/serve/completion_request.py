"""Parse and check the JSON body of a request for an answer, and define the errors sent to clients.

The bodies of /v1/completions and /v1/responses are turned into those of /v1/chat/completions. Unknown JSON fields are
ignored; known fields must be valid. An error is an HTTP status and an error object in OpenAI's form. The file is over
450 lines because it checks every field of three paths, whose errors name the field.
"""

import base64
import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.wording import describe_error, phrase
from app.chat.presets import LIMITS, Choices
from app.chat.services.retrieval_augmentation import PICTURES_SHOWN
from app.inference.engine.messages import THOUGHT_TOKENS
from app.inference.prompts import Turn
from app.serve import tool_calls
from app.serve.tool_calls import Tool

_ENGINE_EXITS = ("engine_died", "engine_hung", "engine_missing")
_STATUSES = {
    "grammar_invalid": 400,
    "text_unreadable": 400,
    "attached_unreadable": 400,
    "picture_unusable": 400,
    "model_reads_no_pictures": 400,
    "collections_gone": 404,
    "secret_export": 403,
    "serve_ending": 503,
}
_FIELDS = {"grammar_invalid": "response_format", "text_unreadable": "messages", "collections_gone": "model"}


class HttpError(Exception):
    """An error to send to the client. `code`: its name in the response. `field`: the invalid field, or None."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = {**(headers or {})}

    def body(self) -> dict[str, Any]:
        """Return the error object in OpenAI's form."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 429:
            kind = "rate_limit_error"
        return {"error": {"message": self.message, "type": kind, "param": self.field, "code": self.code}}


def http_error(
    status: int, code: str, field: str | None = None, headers: Mapping[str, str] | None = None, **facts: Any
) -> HttpError:
    """Return an error with the text of the wording key `serve.refusal.CODE`, filled with `field` and `facts`."""
    if field is not None:
        facts["field"] = field
    return HttpError(status, code, phrase(f"serve.refusal.{code}", **facts), field, headers)


def http_error_of(error: AppError) -> HttpError:
    """Return the HTTP error to send for an AppError that has ended an answer."""
    if error.code == "context_full":
        return http_error(400, "context_length_exceeded", "messages", **error.facts)
    if error.code in _ENGINE_EXITS:
        return HttpError(500, error.code, phrase("serve.serve_engine_gone"))
    status, field = _STATUSES.get(error.code, 500), _FIELDS.get(error.code)
    return HttpError(status, error.code, str(describe_error(error)), field)


STOPS_MOST = 4
STOP_CHARACTERS = 500  # a limit, because stop texts are searched for after each token
MESSAGES_MOST = 10_000  # more than fit into the context of any model
_SEED_LARGEST = (1 << 63) - 1
# The result of a function is what a user says next, for a model whose template knows nothing else.
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "user"}
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
    is_text: bool = False  # the only turn is a text to continue
    tools: tuple[Tool, ...] = ()  # functions that the answer may call; it then matches their schema
    pictures: tuple[str, ...] = ()  # files of pictures in base64, in the order of the messages


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON body. Raises HttpError."""
    try:
        return strict_json.parse_object(raw)
    except ValueError as error:
        raise http_error(400, "bad_json") from error


def parse_chat(raw: bytes) -> CompletionRequest:
    """Parse the JSON body of a request to /v1/chat/completions. Raises HttpError."""
    return _parse(parse_object(raw), "messages")


def parse_text(raw: bytes) -> CompletionRequest:
    """Parse the JSON body of a request to /v1/completions: one text to continue. Raises HttpError."""
    data = parse_object(raw)
    for field in ("suffix", "echo", "tools"):
        if data.get(field):
            raise http_error(400, "unsupported", field)
    prompt = data.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        (prompt,) = prompt
    if not isinstance(prompt, str):
        raise _missing_or_wrong(data, "prompt", "text")
    messages = [{"role": "user", "content": prompt}]
    return dataclasses.replace(_parse({**data, "prompt": messages}, "prompt"), is_text=True)


def parse_response(raw: bytes) -> CompletionRequest:
    """Parse the JSON body of a request to /v1/responses, whose answer is not kept for later. Raises HttpError."""
    data = parse_object(raw)
    for field in ("previous_response_id", "conversation", "background", "prompt"):
        if data.get(field):
            raise http_error(400, "unsupported", field)
    items = data.get("input")
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    if isinstance(items, list):
        items = [_message_of_item(one) for one in items if not _has_type(one, "reasoning")]
    instructions = data.get("instructions")
    if isinstance(items, list) and instructions is not None:
        items = [*items, {"role": "system", "content": instructions}]
    text = data.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    if _has_type(wanted, "json_schema"):
        wanted = {"type": "json_schema", "json_schema": wanted}
    chat = {"input": items, "response_format": wanted}
    tools, choice = data.get("tools"), data.get("tool_choice")
    if isinstance(tools, list):
        chat["tools"] = [{**one, "function": one} if isinstance(one, dict) else one for one in tools]
    if isinstance(choice, dict):
        chat["tool_choice"] = {**choice, "function": choice}
    return _parse({**data, **chat}, "input")


def _has_type(item: Any, kind: str) -> bool:
    return isinstance(item, dict) and item.get("type") == kind


def _message_of_item(item: Any) -> Any:
    """Return an item of the field `input` as a message of a chat."""
    if _has_type(item, "function_call"):
        return {"role": "assistant", "tool_calls": [{"function": item}]}
    if _has_type(item, "function_call_output"):
        return {"role": "tool", "content": item.get("output")}
    return item


def _parse(data: dict[str, Any], conversation: str) -> CompletionRequest:
    """Return the request in a JSON body. `conversation`: the field with the messages."""
    _refuse_unsupported(data)
    model = data.get("model")
    if not isinstance(model, str):
        raise _missing_or_wrong(data, "model", "text")
    system, turns = _conversation(data, conversation)
    json_schema = _required_json_schema(data.get("response_format"))
    tools, is_tool_required = _tools(data)
    if tools and json_schema:
        raise http_error(400, "unsupported", "response_format")
    if tools:
        system = _joined(filter(None, (system, tool_calls.instruction(tools))))
        json_schema = tool_calls.answer_schema(tools, is_required=is_tool_required)
    options = data.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise wrong_type("stream_options", "object")
    return CompletionRequest(
        model=model,
        turns=turns,
        choices=_parse_answer_settings(data, system),
        stop=_stop_texts(data.get("stop")),
        json_schema=json_schema,
        is_streamed=_flag(data, "stream"),
        includes_usage=_flag(options or {}, "include_usage", "stream_options."),
        tools=tools,
        pictures=_pictures(data[conversation], conversation),
    )


# ------------------------------------------------------------------------------------------------------- messages


def _conversation(data: dict[str, Any], name: str) -> tuple[str | None, tuple[Turn, ...]]:
    """Return the system prompt, if any, and the turns; messages of one role in a row are joined."""
    messages = data.get(name)
    if not isinstance(messages, list):
        raise _missing_or_wrong(data, name, "list")
    if len(messages) > MESSAGES_MOST:
        raise out_of_range(name, 1, MESSAGES_MOST)
    system: list[str] = []
    turns: list[tuple[list[str], list[str]]] = []  # the texts of each question and answer, joined at the end
    for number, message in enumerate(messages):
        role, text = _message(message, f"{name}[{number}]")
        if role == "system":
            system.append(text)
        elif role == "user" and turns and not turns[-1][1]:
            turns[-1][0].append(text)
        elif role == "user":
            turns.append(([text], []))
        elif not turns:
            raise http_error(400, "first_is_not_user", name)
        else:
            turns[-1][1].append(text)
    if not turns or turns[-1][1]:
        raise http_error(400, "last_is_not_user", name)
    if not any(text.strip() for text in turns[-1][0]):
        raise http_error(400, "empty_question", name)
    joined = tuple(Turn(_joined(asked), _joined(filter(None, said)) if said else None) for asked, said in turns)
    return _joined(system) if system else None, joined


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(texts)


def _message(message: Any, field: str) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise wrong_type(field, "object")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise http_error(400, "unknown_role", f"{field}.role")
    calls, content = message.get("tool_calls"), message.get("content")
    if role == "user" and isinstance(content, list):
        content = [part for part in content if not _is_picture(part)]
    if role != "assistant" or not calls:
        text = _text(content, f"{field}.content")
        return _ROLES[role], phrase("serve.tool_result", text=text) if role == "tool" else text
    try:
        functions = [one["function"] for one in calls]
        written = [tool_calls.call_text(one["name"], one["arguments"]) for one in functions]
    except (TypeError, KeyError) as error:
        raise wrong_type(f"{field}.tool_calls", "list") from error
    return role, "\n".join([*([_text(content, f"{field}.content")] if content else []), *written])


def _text(content: Any, field: str) -> str:
    """Return the text of a `content` value: a string, or a list of text parts. `field`: as for `_part_text`."""
    if isinstance(content, list):
        return "\n".join(_part_text(part, f"{field}[{number}]") for number, part in enumerate(content))
    if not isinstance(content, str):
        raise wrong_type(field, "text")
    return content


_PICTURE_PARTS = ("image_url", "input_image")  # of /v1/chat/completions, of /v1/responses
_PICTURE_INSIDE = re.compile(r"data:image/(?:png|jpe?g|tiff?);base64,", re.IGNORECASE)


def _is_picture(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _PICTURE_PARTS


def _pictures(messages: Sequence[Any], name: str) -> tuple[str, ...]:
    """Return the pictures of the user's messages, which are checked. An address is never opened. Raises HttpError."""
    found: list[str] = []
    for at, message in enumerate(messages):
        content = message.get("content")
        for number, part in enumerate(content if message.get("role") == "user" and isinstance(content, list) else ()):
            if not _is_picture(part):
                continue
            field, url = f"{name}[{at}].content[{number}].image_url", part.get("image_url")
            url = url.get("url") if isinstance(url, dict) else url
            if not isinstance(url, str):
                raise wrong_type(field, "text")
            head = _PICTURE_INSIDE.match(url)
            if head is None:
                raise http_error(400, "picture_outside", field)
            try:
                base64.b64decode(url[head.end() :], validate=True)
            except ValueError as error:
                raise http_error(400, "picture_not_base64", field) from error
            found.append(url[head.end() :])
    if len(found) > PICTURES_SHOWN:
        raise http_error(400, "many_pictures", name, most=PICTURES_SHOWN)
    return tuple(found)


def _part_text(part: Any, field: str) -> str:
    """Return the text of one content part. `field`: its path in the request, for the error. Raises HttpError."""
    if not isinstance(part, dict):
        raise wrong_type(field, "object")
    if part.get("type") not in ("text", "input_text", "output_text"):
        raise http_error(400, "only_text", field)
    if not isinstance(part.get("text"), str):
        raise wrong_type(f"{field}.text", "text")
    return _text(part["text"], f"{field}.text")


# -------------------------------------------------------------------------------------------------------- settings


def _parse_answer_settings(data: dict[str, Any], system: str | None) -> Choices:
    names = (name for name in ("max_completion_tokens", "max_output_tokens") if data.get(name) is not None)
    tokens = _integer(data, next(names, "max_tokens"), 1, None)
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
        raise wrong_type("stop", "texts")
    if len(stops) > STOPS_MOST:
        raise out_of_range("stop", 0, STOPS_MOST)
    if any(len(one) > STOP_CHARACTERS for one in stops):
        raise wrong_type("stop", "texts")
    return tuple(_text(one, "stop") for one in stops)


def _required_json_schema(value: Any) -> str:
    """Return the JSON schema that the request's `response_format` requires of the answer, as JSON; "" for none."""
    if value is None:
        return ""
    if not isinstance(value, dict):
        raise wrong_type("response_format", "object")
    match value.get("type"):
        case "text":
            return ""
        case "json_object":
            return _ANY_OBJECT
        case "json_schema":
            described = value.get("json_schema")
            schema = described.get("schema") if isinstance(described, dict) else None
            if not isinstance(schema, dict):
                raise wrong_type("response_format.json_schema.schema", "object")
            return json.dumps(schema)
    raise wrong_type("response_format.type", "format")


def _tools(data: dict[str, Any]) -> tuple[tuple[Tool, ...], bool]:
    """Return the functions that the answer may call, and whether it must call one of them."""
    value, choice = data.get("tools"), data.get("tool_choice")
    if not isinstance(value or [], list):
        raise wrong_type("tools", "list")
    tools = tuple(_tool(one, f"tools[{number}]") for number, one in enumerate(value or []))
    if len(tools) > tool_calls.TOOLS_MOST:
        raise out_of_range("tools", 0, tool_calls.TOOLS_MOST)
    if choice == "none" or not tools:
        return (), False
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        name = choice["function"].get("name")
        tools = tuple(one for one in tools if one.name == name)
        if not tools:
            raise wrong_type("tool_choice", "tool_choice")
    elif choice not in (None, "auto", "required"):
        raise wrong_type("tool_choice", "tool_choice")
    return tools, choice not in (None, "auto")


def _tool(value: Any, field: str) -> Tool:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or value.get("type") != "function":
        raise http_error(400, "unsupported", field)
    name, parameters = function.get("name"), function.get("parameters") or {}
    if not isinstance(name, str) or not tool_calls.NAME.fullmatch(name):
        raise wrong_type(f"{field}.function.name", "text")
    if not isinstance(parameters, dict) or not isinstance(parameters.get("$defs", {}), dict):
        raise wrong_type(f"{field}.function.parameters", "object")
    return Tool(name, str(function.get("description") or ""), parameters)


def _refuse_unsupported(data: dict[str, Any]) -> None:
    """Raise HttpError for options that would change the form of the answer, which clients would rely on."""
    if data.get("n") not in (None, 1) or isinstance(data.get("n"), bool):
        raise http_error(400, "only_one", "n")
    if data.get("best_of") not in (None, 1):
        raise http_error(400, "only_one", "best_of")
    for field in ("functions", "logprobs", "top_logprobs", "audio"):
        if data.get(field):
            raise http_error(400, "unsupported", field)


def _number(data: dict[str, Any], field: str, low: float, high: float) -> float | None:
    value = data.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(field, "number")
    if not low <= value <= high or not math.isfinite(value):
        raise out_of_range(field, low, high)
    return float(value)


def _integer(data: dict[str, Any], field: str, low: int, high: int | None) -> int | None:
    """Return an integer field from `low` to `high` (None: no upper limit); None if it is missing. Raises HttpError."""
    value = data.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(field, "whole")
    if value < low or (high is not None and value > high):
        raise out_of_range(field, low, high)
    return value


def _flag(data: dict[str, Any], field: str, prefix: str = "") -> bool:
    value = data.get(field)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(prefix + field, "flag")
    return value is True


def _missing_or_wrong(data: dict[str, Any], field: str, kind: str) -> HttpError:
    return wrong_type(field, kind) if data.get(field) is not None else http_error(400, "missing", field)


def wrong_type(field: str, kind: str) -> HttpError:
    """Return the error for a field of the wrong type. `kind`: the expected type, as in resources/wording/serve.toml."""
    return http_error(400, "wrong_type", field, expected=phrase(f"serve.serve_kind.{kind}"))


def out_of_range(field: str, low: float, high: float | None) -> HttpError:
    least = phrase("serve.serve_at_least", low=low)
    expected = least if high is None else phrase("common.range", low=low, high=high)
    return http_error(400, "out_of_range", field, expected=expected)
