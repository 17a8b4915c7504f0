"""An answer as it comes: server-sent events, one piece of text each, read with limits."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.inference.remote import refusals
from app.inference.remote.connection import Patience

LINE_BYTES_MAX = 1_000_000
CHARACTERS_A_TOKEN = 64  # more than this many times what was asked for is not an answer
LEAST_CHARACTERS_MAX = 20_000


@dataclass(slots=True)
class Heard:
    """What the stream said beside its text. `finish`: as the server calls it; "" before its end."""

    finish: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    pieces: int = field(default=0)


def read(
    response: http.client.HTTPResponse, heard: Heard, max_tokens: int, patience: Patience, shown: str
) -> Iterator[str]:
    """Pieces of text, "" for a sign of life without any (a model that thinks aloud first).

    Raises AppError: "remote_garbage", "remote_endless", "remote_broken" where it ends in the middle, and as
    `refusals.refused` for an error that the server tells on the way.
    """
    room = max(LEAST_CHARACTERS_MAX, max_tokens * CHARACTERS_A_TOKEN)
    for data in _events(response, shown):
        if data is None:  # a comment, or an empty line, which servers send to keep the line open
            continue
        patience.heard()
        if data == "[DONE]":
            break
        text = _piece(_object(data, shown), heard, shown)
        room -= len(text) + 1
        if room < 0:
            raise AppError("remote_endless", address=shown)
        yield text
    if not heard.finish:
        raise AppError("remote_broken", address=shown)


def _events(response: http.client.HTTPResponse, shown: str) -> Iterator[str | None]:
    if "event-stream" not in response.headers.get("Content-Type", "").casefold():
        raise AppError("remote_garbage", address=shown)
    while line := response.readline(LINE_BYTES_MAX + 1):
        if len(line) > LINE_BYTES_MAX:
            raise AppError("remote_endless", address=shown)
        name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
        if name == "error":  # older versions of llama-server
            raise refusals.refused(0, refusals.told_of(_object(value, shown)), shown)
        yield value.strip() if name == "data" else None


def _object(data: str, shown: str) -> dict[str, Any]:
    try:
        found = strict_json.loads(data)
    except ValueError as error:
        raise AppError("remote_garbage", address=shown) from error
    if not isinstance(found, dict):
        raise AppError("remote_garbage", address=shown)
    return found


def _piece(chunk: dict[str, Any], heard: Heard, shown: str) -> str:
    if "error" in chunk:
        raise refusals.refused(0, refusals.told_of(chunk), shown)
    _note_usage(chunk.get("usage"), heard)
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        raise AppError("remote_garbage", address=shown)
    first = choices[0] if choices else {}
    if not isinstance(first, dict):
        raise AppError("remote_garbage", address=shown)
    if isinstance(first.get("finish_reason"), str):
        heard.finish = first["finish_reason"]
    delta = first.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    if text is not None and not isinstance(text, str):
        raise AppError("remote_garbage", address=shown)
    heard.pieces += bool(text)
    return text or ""


def _note_usage(usage: object, heard: Heard) -> None:
    if not isinstance(usage, dict):
        return
    details = usage.get("prompt_tokens_details")
    heard.prompt_tokens = _count(usage.get("prompt_tokens"))
    heard.answer_tokens = _count(usage.get("completion_tokens"))
    heard.cached_tokens = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else 0
