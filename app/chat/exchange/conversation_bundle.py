"""Hold a conversation with all its messages, and convert it to and from the JSON of an export file.

Reading validates every value and trusts none. From an answer it takes the text, and as unverified information the
model, the settings and the sources that the file names (`quoted`). Checks, times, hashes and ratings in a file are
ignored: `answer_recheck` compares the answers with the user's own documents instead.
"""

import dataclasses
import hashlib
import heapq
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from app.base import invisible_characters, wording
from app.base.confidentiality import DEFAULT_LABEL, highest_label, stored_label
from app.chat.presets import LIMITS, Choices
from app.chat.records import STOP_REASONS, AnswerDetails, Conversation, Message
from app.chat.store import title_of
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CitedSource


@dataclass(frozen=True, slots=True)
class Bundle:
    """A conversation and its messages in all branches, parents first. Their ids only link them to each other."""

    conversation: Conversation
    messages: tuple[Message, ...]
    folder: str = ""  # name of the conversation's folder; "": none
    ratings: int = 0  # number of rated answers in the file; their ratings are not imported


def bundle_to_dict(bundle: Bundle) -> dict[str, Any]:
    """Return the JSON form. Messages are numbered from 1, so that equal trees have equal JSON."""
    conversation = bundle.conversation
    numbers: dict[int | None, int] = {message.id: at for at, message in enumerate(bundle.messages, start=1)}
    return {
        "uid": conversation.uid,
        "title": conversation.title,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
        "folder": bundle.folder or None,
        "pinned_at": conversation.pinned_at,
        "preset": conversation.preset_id,
        "label": conversation.label,
        "imported_at": conversation.imported_at,
        "choices": conversation.choices.as_dict(),
        "leaf": numbers.get(conversation.leaf_id),
        "messages": [_message_to_dict(message, numbers) for message in bundle.messages],
    }


def message_fingerprints(bundle: Bundle) -> list[str]:
    """Return a hash for each message, computed from its text and that of all messages above it.

    Two conversations with equal hashes are the same tree; one that has all hashes of another contains it. Models and
    settings are not hashed, because an import does not keep all of them and must still recognize the tree.
    """
    found: dict[int | None, str] = {None: ""}
    for message in bundle.messages:
        content = [found[message.parent_id], message.role, message.text, message.status, float(message.created_at)]
        found[message.id] = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return list(found.values())[1:]


def _message_to_dict(message: Message, numbers: dict[int | None, int]) -> dict[str, Any]:
    """Return the JSON form of a message, with its rating and correction if it has them. `numbers`: by message id."""
    rating: dict[str, Any] = {"rating": message.rating} if message.rating else {}
    if message.rating < 0 and message.correction:  # it counts only while the rating is bad
        rating["correction"] = message.correction
    return {
        "id": numbers[message.id],
        "parent": numbers.get(message.parent_id),
        "role": message.role,
        "text": message.text,
        "status": message.status,
        "created_at": float(message.created_at),
        # A question has details only for the request of an action, which nobody has written.
        "details": _details_to_dict(message.details, numbers) if message.details and not message.is_action else None,
        **rating,
    }


def _details_to_dict(details: AnswerDetails, numbers: dict[int | None, int]) -> dict[str, Any]:
    """Return the details that differ from the defaults. `_details_from_dict` decides which of them an import keeps."""
    values = {
        field.name: value
        for field in dataclasses.fields(details)
        if (value := getattr(details, field.name)) != field.default
        and not (isinstance(value, float) and not math.isfinite(value))
    }
    if details.choices is not None:
        values["choices"] = details.choices.as_dict()
    if details.reproduces_id is not None:
        values["reproduces_id"] = numbers.get(details.reproduces_id)
    values.pop("scope", None)  # it contains ids of collections on this machine
    if details.grounding is not None:
        values["grounding"] = dataclasses.asdict(details.grounding)
    values["quoted"] = [dataclasses.asdict(source) for source in details.quoted]
    for source in (*values.get("grounding", {}).get("sources", ()), *values["quoted"]):
        source["path"] = ""  # it is a path on this machine, which may contain the user's name
    if not values["quoted"]:
        del values["quoted"]
    return values


YEAR_2100 = 4_102_444_800.0  # in seconds since 1970
LARGEST_NUMBER = 1 << 53
DETAIL_MAX = 1_000_000_000  # tokens, seconds, tokens per second
CONTEXT_LIMITS = (1, 1 << 20)
PRESET_CHARACTERS = 100
MESSAGE_CHARACTERS_MAX = 1 << 22  # storing and indexing one blocks other writers for more than a second

# The details that an import keeps: what is needed to repeat the answer, and names that are shown as the file's claim.
_ACCEPTED_DETAILS = (
    "model_id", "model_name", "remote", "stop_reason", "error_code", "seed", "choices", "context_tokens",
    "left_out_turns", "reproduces_id", "original", "edited_at", "thoughts", "thought_s",
)  # fmt: skip

_UID = re.compile(r"[0-9a-f]{32}")


class BundleRefusedError(Exception):
    """A conversation cannot be imported.

    `message_number` is the number of the message that is invalid, from 1; 0: no single message.

    `reason` is the last part of the key of a phrase, `common.refused.REASON`.
    """

    def __init__(self, reason: str, message_number: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.message_number = message_number


def bundle_from_dict(data: Any) -> Bundle:
    """Return the conversation that a JSON value describes. Unknown keys are ignored, because a later program may write
    them.

    Raises BundleRefusedError.
    """
    if not isinstance(data, dict):
        raise BundleRefusedError("shape")
    messages = _messages_from_list(data.get("messages"))
    title = title_of(_text(data.get("title"), "title")) or title_of(messages[0].text)
    uid = data.get("uid")
    if not (isinstance(uid, str) and _UID.fullmatch(uid)):
        raise BundleRefusedError("uid")
    pinned_at = data.get("pinned_at")
    preset_id = data.get("preset")
    if preset_id is not None and len(_text(preset_id, "preset")) > PRESET_CHARACTERS:
        raise BundleRefusedError("preset")
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
        # A file can raise the label, but never lower it.
        label=highest_label((DEFAULT_LABEL, stored_label(data.get("label", DEFAULT_LABEL)))),
    )
    folder = data.get("folder")
    name = "" if folder is None else title_of(_text(folder, "folder"))
    return Bundle(conversation, messages, name, sum(bool(one.get("rating")) for one in data["messages"]))


def title_from_dict(data: Any) -> str:
    """Return the title for a message about a refused conversation, or "" if there is none."""
    title = data.get("title") if isinstance(data, dict) else None
    return title_of(title.encode("utf-8", "replace").decode("utf-8")) if isinstance(title, str) else ""


def _messages_from_list(data: Any) -> tuple[Message, ...]:
    if not isinstance(data, list) or not data:
        raise BundleRefusedError("messages")
    found = [_message_from_dict(entry, at) for at, entry in enumerate(data, start=1)]
    by_id = {message.id: message for message in found}
    for at, message in enumerate(found, start=1):
        if by_id[message.id] is not message:
            raise BundleRefusedError("id", at)
        if message.parent_id is not None and message.parent_id not in by_id:
            raise BundleRefusedError("parent", at)
        if message.role == "answer" and (message.parent_id is None or by_id[message.parent_id].role != "question"):
            raise BundleRefusedError("order", at)
    return _parents_first(found)


def _parents_first(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Sort messages so that parents come first. Otherwise keep the order of the file, which is the order of branches.

    Raises BundleRefusedError when parents form a cycle.
    """
    children: dict[int | None, list[int]] = {}
    for place, message in enumerate(messages):
        children.setdefault(message.parent_id, []).append(place)
    ready = list(children.get(None, ()))
    found: list[Message] = []
    seen: set[int] = set()
    while ready:
        message = messages[heapq.heappop(ready)]
        details = message.details
        if details is not None and details.reproduces_id not in seen:  # it must repeat an earlier answer
            message = dataclasses.replace(message, details=dataclasses.replace(details, reproduces_id=None))
        found.append(message)
        seen.add(message.id)
        for place in children.get(message.id, ()):
            heapq.heappush(ready, place)
    if len(found) < len(messages):
        raise BundleRefusedError("cycle")
    return tuple(found)


def _message_from_dict(data: Any, message_number: int) -> Message:
    if not isinstance(data, dict):
        raise BundleRefusedError("message", message_number)
    message_id = _id(data.get("id"), "id", message_number)
    parent_id = None if data.get("parent") is None else _id(data["parent"], "parent", message_number)
    role, status = data.get("role"), data.get("status")
    if role not in ("question", "answer"):
        raise BundleRefusedError("role", message_number)
    if status not in ("done", "stopped", "failed", "streaming") or (role == "question" and status != "done"):
        raise BundleRefusedError("status", message_number)
    text = _text(data.get("text"), "text", message_number)
    if len(text) > MESSAGE_CHARACTERS_MAX:
        raise BundleRefusedError("long", message_number)
    details = _details_from_dict(data.get("details"), role, message_number)
    if status == "streaming":  # the exporting program was still writing the answer
        status = "stopped"
        details = dataclasses.replace(details or AnswerDetails(), stop_reason="interrupted")
    _check_rating(data, role, message_number)
    return Message(message_id, 0, parent_id, role, text, status, _time(data.get("created_at"), message_number), details)


def _check_rating(data: dict[str, Any], role: str, message_number: int) -> None:
    """Check rating and correction. They are not imported: only the user's own become questions."""
    rating, correction = data.get("rating", 0), _text(data.get("correction", ""), "rating", message_number)
    if not isinstance(rating, int) or isinstance(rating, bool) or rating not in (-1, 0, 1):
        raise BundleRefusedError("rating", message_number)
    if (rating and role != "answer") or (correction and rating != -1):
        raise BundleRefusedError("rating", message_number)
    if len(correction) > MESSAGE_CHARACTERS_MAX:
        raise BundleRefusedError("long", message_number)


def _details_from_dict(data: Any, role: str, message_number: int) -> AnswerDetails | None:
    if role == "question" and data is None:
        return None
    if data is None:
        data = {}
    if not isinstance(data, dict) or role != "answer":
        raise BundleRefusedError("details", message_number)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(AnswerDetails):
        value = data.get(field.name)
        if field.name in ("scope", "grounding", "quoted"):
            continue
        if field.name == "choices":
            value = _choices(value, message_number)
        elif value is not None and not _is_detail(field.type, value):
            raise BundleRefusedError("details", message_number)
        if value is not None and field.name in _ACCEPTED_DETAILS and not _is_absurd(field.name, value):
            values[field.name] = invisible_characters.remove(value) if isinstance(value, str) else value
    low, high = CONTEXT_LIMITS
    if not low <= values.get("context_tokens", 0) <= high:
        values.pop("choices", None)  # the answer cannot be repeated with a context of that size
    for name in ("model_name", "remote"):
        values[name] = title_of(values.get(name, ""))
    if values.get("stop_reason") not in STOP_REASONS:
        values.pop("stop_reason", None)  # the window would show an unknown value literally
    if not wording.is_error(values.get("error_code", "")):
        values.pop("error_code", None)
    if any(len(values.get(name, "")) > MESSAGE_CHARACTERS_MAX for name in ("original", "thoughts")):
        raise BundleRefusedError("long", message_number)
    return AnswerDetails(**values, is_imported=True, quoted=_imported_sources(data, message_number))


def _imported_sources(data: dict[str, Any], message_number: int) -> tuple[CitedSource, ...]:
    """Return the sources that the file names for an answer.

    They are those of the exporting program's check or, if it had imported the answer itself, those in its file.
    `message_number`: number of the message in the file, from 1, for an error.
    """
    grounding, quoted = data.get("grounding"), data.get("quoted")
    try:
        named = grounding_record.from_dict(grounding).sources if grounding is not None else ()
        named = named or grounding_record.from_dict({"sources": [] if quoted is None else quoted}).sources
    except ValueError as error:
        raise BundleRefusedError("details", message_number) from error
    line = invisible_characters.to_single_line  # a name of several lines could be mistaken for a line of the program
    return tuple(
        dataclasses.replace(
            one, collection=line(one.collection), document=line(one.document), heading=tuple(map(line, one.heading)),
            tag=line(one.tag),
        )
        for one in named
    )  # fmt: skip


def _is_detail(annotation: Any, value: Any) -> bool:
    """Return whether a value has the type of its field: text, a number from 0, or a boolean."""
    kind = (get_args(annotation) or (annotation,))[0]  # int for `int | None`
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if isinstance(value, str):
        return kind is str and _is_encodable(value)
    is_number = isinstance(value, int if kind is int else int | float) or value == math.inf
    return is_number and kind is not str and value >= 0


def _is_absurd(name: str, value: Any) -> bool:
    """Return whether a number is too large to use. Such a value is dropped, but the conversation is not refused."""
    highest = {"seed": LIMITS["seed"][1], "reproduces_id": LARGEST_NUMBER, "edited_at": YEAR_2100}.get(name, DETAIL_MAX)
    return isinstance(value, int | float) and value > highest


def _choices(data: Any, message_number: int = 0) -> Choices | None:
    if data is None:
        return None
    choices = Choices.from_dict(data)
    known = {field.name for field in dataclasses.fields(Choices)}
    wanted = {key: value for key, value in data.items() if key in known} if isinstance(data, dict) else None
    if wanted != choices.as_dict() or not _is_encodable(choices.system_prompt or ""):
        raise BundleRefusedError("choices", message_number)
    return choices


def _leaf(data: Any, messages: Sequence[Message]) -> int:
    if data is None:
        return messages[-1].id
    leaf_id = _id(data, "leaf", 0)
    if all(message.id != leaf_id for message in messages):
        raise BundleRefusedError("leaf")
    return leaf_id


def _text(value: Any, reason: str, message_number: int = 0) -> str:
    if not isinstance(value, str):
        raise BundleRefusedError(reason, message_number)
    if not _is_encodable(value):
        raise BundleRefusedError("characters", message_number)
    return invisible_characters.remove(value)


def _is_encodable(text: str) -> bool:
    r"""Return whether a text has no lone surrogates: JSON can contain \ud800, and no database can store it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _id(value: Any, reason: str, message_number: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST_NUMBER:
        raise BundleRefusedError(reason, message_number)
    return value


def _time(value: Any, message_number: int = 0) -> float:
    is_time = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_time or not 0 <= value < YEAR_2100:
        raise BundleRefusedError("time", message_number)
    return float(value)
