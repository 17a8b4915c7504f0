"""One conversation with all that belongs to it, and its form in the JSON file."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from app.chat.records import AnswerDetails, Conversation, Message


@dataclass(frozen=True, slots=True)
class Bundle:
    """`messages` are all of every branch, parents before their children; their ids say what belongs to what."""

    conversation: Conversation
    messages: tuple[Message, ...]
    folder: str = ""  # its name; "": in none
    ratings: int = 0  # of a file: how many of its answers it rates, which nobody here has


def as_dict(bundle: Bundle) -> dict[str, Any]:
    """What the file holds of a conversation. Messages are numbered from 1, so the same tree looks the same anywhere."""
    conversation = bundle.conversation
    numbers = _numbers(bundle)
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
        "messages": [_message(message, numbers) | _rating(message) for message in bundle.messages],
    }


def marks(bundle: Bundle) -> list[str]:
    """A mark of each message, made of its words and those of all messages above it.

    Two conversations whose marks are the same are the same tree; where one has all marks of the other, it holds it.
    How an answer came about is no part of it: an import believes little of that, and must find the tree again.
    """
    found: dict[int | None, str] = {None: ""}
    for message in bundle.messages:
        content = [found[message.parent_id], message.role, message.text, message.status, float(message.created_at)]
        found[message.id] = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return list(found.values())[1:]


def _numbers(bundle: Bundle) -> dict[int | None, int]:
    return {message.id: number for number, message in enumerate(bundle.messages, start=1)}


def _message(message: Message, numbers: dict[int | None, int]) -> dict[str, Any]:
    return {
        "id": numbers[message.id],
        "parent": numbers.get(message.parent_id),
        "role": message.role,
        "text": message.text,
        "status": message.status,
        "created_at": float(message.created_at),
        "details": _details(message.details, numbers) if message.details else None,
    }


def _rating(message: Message) -> dict[str, Any]:
    """A correction that does not count at present stays here."""
    rating: dict[str, Any] = {"rating": message.rating} if message.rating else {}
    return rating | {"correction": message.correction} if message.rating < 0 and message.correction else rating


def _details(details: AnswerDetails, numbers: dict[int | None, int]) -> dict[str, Any]:
    """Only what differs from "unknown". What of it an import believes: `bundle_check`."""
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
    values.pop("scope", None)  # of collections of this machine
    if details.grounding is not None:
        values["grounding"] = dataclasses.asdict(details.grounding)
    values["quoted"] = [dataclasses.asdict(source) for source in details.quoted]
    for source in (*values.get("grounding", {}).get("sources", ()), *values["quoted"]):
        source["path"] = ""  # folders of this machine, with their owner's name
    if not values["quoted"]:
        del values["quoted"]
    return values
