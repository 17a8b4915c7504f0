"""What a JSON file says of a conversation, into a `Bundle`: everything is checked, nothing is believed.

Of an answer its words are taken, and as hearsay the model, the settings, and the sources that it names (`quoted`); what
the file says of a check, of times, hashes and ratings is not: `rechecking` compares with the user's own documents.
"""

import dataclasses
import heapq
import math
import re
from collections.abc import Sequence
from typing import Any, get_args

from app.base import invisible_characters, wording
from app.base.confidentiality import DEFAULT_LABEL, highest_label, stored_label
from app.chat.exchange.bundle import Bundle
from app.chat.presets import LIMITS, Choices
from app.chat.records import AnswerDetails, Conversation, Message
from app.chat.store import title_of
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CitedSource

YEAR_2100 = 4_102_444_800.0  # seconds since 1970
LARGEST_NUMBER = 1 << 53
DETAIL_MAX = 1_000_000_000  # tokens, seconds, tokens per second
CONTEXT_LIMITS = (1, 1 << 20)
PRESET_CHARACTERS = 100
MESSAGE_CHARACTERS_MAX = 1 << 22  # nobody else can write while one is stored and indexed: more than a second

STOP_REASONS = ("end", "stop", "length", "context", "cancelled", "interrupted", "failed")
# Of AnswerDetails, what is taken over: what it can be asked again with, and words that are shown as the file's.
_TAKEN = (
    "model_id", "model_name", "remote", "stop_reason", "error_code", "seed", "choices", "context_tokens",
    "left_out_turns", "reproduces_id",
)  # fmt: skip

_UID = re.compile(r"[0-9a-f]{32}")


class RefusedError(Exception):
    """This conversation cannot be taken. `at`: which message is to blame, from 1; 0: none of them.

    `reason` ends the key of a phrase, `[text.refused_REASON]`.
    """

    def __init__(self, reason: str, at: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


def from_dict(data: Any) -> Bundle:
    """Raises RefusedError. Keys that are not known (a later program's) are left out."""
    if not isinstance(data, dict):
        raise RefusedError("shape")
    messages = _messages(data.get("messages"))
    title = title_of(_text(data.get("title"), "title")) or title_of(messages[0].text)
    uid = data.get("uid")
    if not (isinstance(uid, str) and _UID.fullmatch(uid)):
        raise RefusedError("uid")
    pinned_at = data.get("pinned_at")
    preset_id = data.get("preset")
    if preset_id is not None and len(_text(preset_id, "preset")) > PRESET_CHARACTERS:
        raise RefusedError("preset")
    conversation = Conversation(
        0,
        title,
        _time(data.get("created_at")),
        _time(data.get("updated_at")),
        _leaf(data.get("leaf"), messages),
        uid,
        pinned_at=None if pinned_at is None else _time(pinned_at),
        preset_id=preset_id,
        choices=_choices(data.get("choices")) or Choices(),
        label=highest_label(
            (DEFAULT_LABEL, stored_label(data.get("label", DEFAULT_LABEL)))
        ),  # a file can raise it, and never lower it
    )
    folder = data.get("folder")
    name = "" if folder is None else title_of(_text(folder, "folder"))
    return Bundle(conversation, messages, name, sum(bool(one.get("rating")) for one in data["messages"]))


def title_in(data: Any) -> str:
    """What to call a conversation that is refused."""
    title = data.get("title") if isinstance(data, dict) else None
    return title_of(title.encode("utf-8", "replace").decode("utf-8")) if isinstance(title, str) else ""


def _messages(data: Any) -> tuple[Message, ...]:
    if not isinstance(data, list) or not data:
        raise RefusedError("messages")
    found = [_message(entry, at) for at, entry in enumerate(data, start=1)]
    by_id = {message.id: message for message in found}
    for at, message in enumerate(found, start=1):
        if by_id[message.id] is not message:
            raise RefusedError("id", at)
        if message.parent_id is not None and message.parent_id not in by_id:
            raise RefusedError("parent", at)
        if message.role == "answer" and (message.parent_id is None or by_id[message.parent_id].role != "question"):
            raise RefusedError("order", at)
    return _parents_first(found)


def _parents_first(messages: Sequence[Message]) -> tuple[Message, ...]:
    """In the order of the file as far as parents allow it: the order of branches is the order they were made in."""
    children: dict[int | None, list[int]] = {}
    for place, message in enumerate(messages):
        children.setdefault(message.parent_id, []).append(place)
    ready = list(children.get(None, ()))
    found: list[Message] = []
    seen: set[int] = set()
    while ready:
        message = messages[heapq.heappop(ready)]
        found.append(_repeating_only(message, seen))
        seen.add(message.id)
        for place in children.get(message.id, ()):
            heapq.heappush(ready, place)
    if len(found) < len(messages):
        raise RefusedError("cycle")
    return tuple(found)


def _repeating_only(message: Message, earlier: set[int]) -> Message:
    """An answer can be said to repeat an earlier one only."""
    details = message.details
    if details is None or details.reproduces_id is None or details.reproduces_id in earlier:
        return message
    return dataclasses.replace(message, details=dataclasses.replace(details, reproduces_id=None))


def _message(data: Any, at: int) -> Message:
    if not isinstance(data, dict):
        raise RefusedError("message", at)
    message_id = _id(data.get("id"), "id", at)
    parent_id = None if data.get("parent") is None else _id(data["parent"], "parent", at)
    role, status = data.get("role"), data.get("status")
    if role not in ("question", "answer"):
        raise RefusedError("role", at)
    if status not in ("done", "stopped", "failed", "streaming") or (role == "question" and status != "done"):
        raise RefusedError("status", at)
    text = _text(data.get("text"), "text", at)
    if len(text) > MESSAGE_CHARACTERS_MAX:
        raise RefusedError("long", at)
    details = _details(data.get("details"), role, at)
    if status == "streaming":  # whoever was writing it does so no more
        status = "stopped"
        details = dataclasses.replace(details or AnswerDetails(), stop_reason="interrupted")
    _check_rating(data, role, at)
    return Message(message_id, 0, parent_id, role, text, status, _time(data.get("created_at"), at), details)


def _check_rating(data: dict[str, Any], role: str, at: int) -> None:
    """Of an answer; with a correction where it is said to be bad. It is not taken over: only the user's own opinions
    become questions of a set."""
    rating, correction = data.get("rating", 0), _text(data.get("correction", ""), "rating", at)
    if not isinstance(rating, int) or isinstance(rating, bool) or rating not in (-1, 0, 1):
        raise RefusedError("rating", at)
    if (rating and role != "answer") or (correction and rating != -1):
        raise RefusedError("rating", at)
    if len(correction) > MESSAGE_CHARACTERS_MAX:
        raise RefusedError("long", at)


def _details(data: Any, role: str, at: int) -> AnswerDetails | None:
    if role == "question" and data is None:
        return None
    if data is None:
        data = {}
    if not isinstance(data, dict) or role != "answer":
        raise RefusedError("details", at)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(AnswerDetails):
        value = data.get(field.name)
        if field.name in ("scope", "grounding", "quoted"):
            continue
        if field.name == "choices":
            value = _choices(value, at)
        elif value is not None and not _is_detail(field.type, value):
            raise RefusedError("details", at)
        if value is not None and field.name in _TAKEN and not _is_absurd(field.name, value):
            values[field.name] = invisible_characters.remove(value) if isinstance(value, str) else value
    low, high = CONTEXT_LIMITS
    if not low <= values.get("context_tokens", 0) <= high:
        values.pop("choices", None)  # with these it could be asked again, but not in a context like that
    for name in ("model_name", "remote"):
        values[name] = title_of(values.get(name, ""))
    if values.get("stop_reason") not in STOP_REASONS:
        values.pop("stop_reason", None)  # an unknown one is shown as it is
    if not wording.is_error(values.get("error_code", "")):
        values.pop("error_code", None)
    return AnswerDetails(**values, is_imported=True, quoted=_quoted(data, at))


def _quoted(data: dict[str, Any], at: int) -> tuple[CitedSource, ...]:
    """The sources that the file names: of an answer that it calls checked, or of one that was imported there."""
    kept, quoted = data.get("grounding"), data.get("quoted")
    try:
        named = grounding_record.from_dict(kept).sources if kept is not None else ()
        named = named or grounding_record.from_dict({"sources": [] if quoted is None else quoted}).sources
    except ValueError as error:
        raise RefusedError("details", at) from error
    line = invisible_characters.to_single_line  # a name of several lines could pose as a line of ours
    return tuple(
        dataclasses.replace(
            one, collection=line(one.collection), document=line(one.document), heading=tuple(map(line, one.heading)),
            tag=line(one.tag),
        )
        for one in named
    )  # fmt: skip


def _is_detail(annotation: Any, value: Any) -> bool:
    """Whether a value fits a field: text, a number that is not absurd, or yes and no."""
    kind = (get_args(annotation) or (annotation,))[0]  # of `int | None`: int
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if isinstance(value, str):
        return kind is str and _is_whole(value)
    is_number = isinstance(value, int if kind is int else int | float) or value == math.inf
    return is_number and kind is not str and value >= 0


def _is_absurd(name: str, value: Any) -> bool:
    """A number that nothing can be done with: it is forgotten, and costs nothing else."""
    highest = {"seed": LIMITS["seed"][1], "reproduces_id": LARGEST_NUMBER}.get(name, DETAIL_MAX)
    return isinstance(value, int | float) and value > highest


def _choices(data: Any, at: int = 0) -> Choices | None:
    if data is None:
        return None
    choices = Choices.from_dict(data)
    known = {field.name for field in dataclasses.fields(Choices)}
    wanted = {key: value for key, value in data.items() if key in known} if isinstance(data, dict) else None
    if wanted != choices.as_dict() or not _is_whole(choices.system_prompt or ""):
        raise RefusedError("choices", at)
    return choices


def _leaf(data: Any, messages: Sequence[Message]) -> int:
    if data is None:
        return messages[-1].id
    leaf_id = _id(data, "leaf", 0)
    if all(message.id != leaf_id for message in messages):
        raise RefusedError("leaf")
    return leaf_id


def _text(value: Any, reason: str, at: int = 0) -> str:
    if not isinstance(value, str):
        raise RefusedError(reason, at)
    if not _is_whole(value):
        raise RefusedError("characters", at)
    return invisible_characters.remove(value)


def _is_whole(text: str) -> bool:
    r"""No halves of characters: JSON can spell \ud800 alone, and no database can keep it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _id(value: Any, reason: str, at: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST_NUMBER:
        raise RefusedError(reason, at)
    return value


def _time(value: Any, at: int = 0) -> float:
    is_time = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_time or not 0 <= value < YEAR_2100:
        raise RefusedError("time", at)
    return float(value)
