"""The records of the chat tables as frozen values, and how they are stored. Times are seconds since 1970 (UTC).

Choices, the scope of a conversation and the details of an answer are JSON in one column each. Reading is tolerant:
sqlite accepts a value of any type in most columns, and other programs can write them, so a value of a wrong type is
replaced by its default without affecting the others.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.base import invisible_characters
from app.base.confidentiality import Label
from app.chat.presets import Choices
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding

STOP_REASONS = ("end", "stop", "length", "context", "cancelled", "interrupted", "failed")


@dataclass(frozen=True, slots=True)
class AnswerDetails:
    """How an answer came about. Fields are 0 or "" until the answer ends."""

    model_id: str = ""
    model_name: str = ""
    stop_reason: str = ""  # one of `STOP_REASONS`
    error_code: str = ""
    seed: int | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    first_token_s: float = 0.0
    total_s: float = 0.0
    tokens_per_s: float = 0.0
    choices: Choices | None = None  # the values that applied, all filled in; they allow repeating the answer
    context_tokens: int = 0
    left_out_turns: int = 0  # the oldest turns, which the user chose to exclude from the prompt
    reproduces_id: int | None = None  # the id of the answer that this one repeats
    is_same: bool | None = None  # whether the repetition matches; None: not a repetition, or not finished
    is_part: bool = False  # the repeated answer was cut off: only its part was compared
    scope: tuple[CollectionRef, ...] = ()  # the collections that were asked; (): no documents
    is_action: bool = False  # a request about the answer above, which reuses its passages without a search
    grounding: Grounding | None = None  # None: not asked of documents, or not finished
    remote: str = ""  # host and port of the remote machine that computed it; "": this machine
    # The next four describe a tuned model; "" and 1 for any other.
    run_id: str = ""
    base_sha256: str = ""
    adapter_sha256: str = ""
    adapter_strength: float = 1.0
    is_imported: bool = False  # from a file: the model is named by the file only; `grounding` was checked here
    quoted: tuple[CitedSource, ...] = ()  # of an imported answer: sources that its file names and nobody has checked
    model_label: str = ""  # label of the training data of the model, at the time of the answer
    learned: tuple[str, ...] = ()  # names of the collections that the training data was made of

    @property
    def named_sources(self) -> tuple[CitedSource, ...]:
        """Return all sources, checked or only named by a file: each can raise the conversation's label."""
        return (*(self.grounding.sources if self.grounding else ()), *self.quoted)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row of the table of conversations."""

    id: int
    title: str
    created_at: float
    updated_at: float
    leaf_id: int | None  # the last message of the branch that is shown
    uid: str = ""  # 32 hexadecimal digits, the same in every exported copy
    folder_id: int | None = None
    pinned_at: float | None = None
    binned_at: float | None = None
    preset_id: str | None = None  # None: the preset of new conversations
    choices: Choices = field(default_factory=Choices)  # where this conversation differs from its preset
    scope: tuple[CollectionRef, ...] = ()  # the collections that its questions are asked of
    label: Label = "internal"  # never lower than that of a source of one of its answers
    imported_at: float | None = None  # None: it was begun here


@dataclass(frozen=True, slots=True)
class Folder:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class UnsentDraft:
    """A text that was typed and not sent. `edited_id` is the question that it will replace, if any."""

    text: str = ""
    edited_id: int | None = None
    set_aside: str = ""  # the draft that was there when the edit began; it is restored afterwards


@dataclass(frozen=True, slots=True)
class Message:
    """One question or answer. Every message has a parent, so edits and repeats make branches; nothing is overwritten.

    `role`: question | answer. `status`: streaming | done | stopped | failed (a question is always done). `rating`: the
    user's rating of an answer: 1 good, -1 bad, 0 unrated (`app.chat.answer_ratings`).
    """

    id: int
    conversation_id: int
    parent_id: int | None
    role: str
    text: str
    status: str
    created_at: float
    details: AnswerDetails | None = None
    branch: int = 1  # number among the messages with this parent, from 1, in the order they were made
    branches: int = 1  # messages with this parent
    rating: int = 0
    correction: str = ""  # the right answer as the user wrote it; it counts while the rating is bad


LATEST_S = 253_402_128_000  # still in the year 9999 in any time zone


def stored_text(value: object) -> str:
    """Return a value of the database as text; bytes are decoded."""
    if isinstance(value, str):
        return value
    return invisible_characters.to_single_line(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    )


def stored_moment(value: object) -> float:
    """Return a time of the database, in seconds since 1970 (UTC); 0 for a value that is no time up to the year 9999."""
    return value if isinstance(value, int | float) and 0 <= value < LATEST_S else 0.0


def choices_json(choices: Choices) -> str | None:
    chosen = choices.as_dict()
    return json.dumps(chosen, ensure_ascii=False) if chosen else None


def scope_json(scope: Sequence[CollectionRef]) -> str | None:
    return json.dumps([dataclasses.asdict(one) for one in scope], ensure_ascii=False) if scope else None


def scope_from_json(text: str) -> tuple[CollectionRef, ...]:
    return _references_from(json.loads(text))


def details_json(details: AnswerDetails) -> str:
    values = dataclasses.asdict(details)
    values["choices"] = details.choices.as_dict() if details.choices else None
    return json.dumps(values, ensure_ascii=False)


def details_from_json(stored: str | None) -> AnswerDetails | None:
    """Return the stored details; unknown keys, which a newer program wrote, are ignored."""
    if stored is None:
        return None
    values = {key: value for key, value in json.loads(stored).items() if _fits(key, value)}
    if values.get("choices") is not None:
        values["choices"] = Choices.from_dict(values["choices"])
    learned = values.get("learned")
    values["learned"] = tuple(map(str, learned)) if isinstance(learned, list) else ()
    values["scope"] = _references_from(values.get("scope") or [])
    values["grounding"] = _grounding_from(values.get("grounding"))
    values["quoted"] = (_grounding_from({"sources": values.get("quoted") or []}) or Grounding()).sources
    return AnswerDetails(**values)


_FIELDS = {field.name: type(field.default) for field in dataclasses.fields(AnswerDetails)}
_KINDS = {name: kind for name, kind in _FIELDS.items() if kind in (str, int, float, bool)}
_KINDS |= {"seed": int, "reproduces_id": int, "is_same": bool}  # these may be None, their default


def _fits(key: str, value: object) -> bool:
    """Return whether the field is known and the value has its type. Fields of other types are checked where they are
    parsed."""
    kind = _KINDS.get(key, object)
    is_of_kind = kind is object or type(value) is kind or (kind is float and type(value) is int)
    return key in _FIELDS and is_of_kind


def _references_from(data: Any) -> tuple[CollectionRef, ...]:
    try:
        return grounding_record.references(data)
    except ValueError:
        return ()


def _grounding_from(data: Any) -> Grounding | None:
    """Return the stored grounding, or None when a newer program wrote it in an unknown form: the answer stays
    readable."""
    try:
        return None if data is None else grounding_record.from_dict(data)
    except ValueError:
        return None
