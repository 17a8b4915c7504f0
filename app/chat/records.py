"""What the database holds, as frozen values. Times are seconds since 1970 (UTC).

Values as the database keeps them: choices, the scope of a conversation and details of an answer as JSON in one
column; and all of them as they are read, since sqlite takes a value of any type in most columns, and other programs
can write them. One that is of another type costs only itself.
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


@dataclass(frozen=True, slots=True)
class AnswerDetails:
    """How an answer came about. Unknown until it ends: zeros, and `stop_reason` "".

    `stop_reason`: end | stop | length | context | cancelled | interrupted | failed.
    """

    model_id: str = ""
    model_name: str = ""
    stop_reason: str = ""
    error_code: str = ""
    seed: int | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    first_token_s: float = 0.0
    total_s: float = 0.0
    tokens_per_s: float = 0.0
    choices: Choices | None = None  # what was in force, every field filled; with these it can be asked again
    context_tokens: int = 0
    left_out_turns: int = 0  # of the oldest, as the user chose
    reproduces_id: int | None = None  # the answer that this one was to repeat
    is_same: bool | None = None  # whether it did; None: not a repetition, or not finished
    is_part: bool = False  # the repeated answer was cut off: only as far as it went was compared
    scope: tuple[CollectionRef, ...] = ()  # what it was asked of; (): of no documents
    is_action: bool = False  # something asked about the answer above: from that one's passages, without a search
    grounding: Grounding | None = None  # None: not asked of documents, or not finished
    remote: str = ""  # host and port of the machine that computed it; "": this one
    # Of a tuned model (`Tuned`); "" and 1 of any other.
    run_id: str = ""
    base_sha256: str = ""
    adapter_sha256: str = ""
    adapter_strength: float = 1.0
    is_imported: bool = False  # from a file: what that says of models is hearsay, `grounding` was checked here
    quoted: tuple[CitedSource, ...] = ()  # of an imported answer: sources that its file names and nobody has checked
    model_label: str = ""  # of what it was trained on, when it answered
    learned: tuple[str, ...] = ()  # names of the collections that this was made of

    @property
    def named_sources(self) -> tuple[CitedSource, ...]:
        """All that it rests on or is said to rest on: each can raise its label."""
        return (*(self.grounding.sources if self.grounding else ()), *self.quoted)


@dataclass(frozen=True, slots=True)
class Conversation:
    id: int
    title: str
    created_at: float
    updated_at: float
    leaf_id: int | None  # the last message of the branch that is shown
    uid: str = ""  # the same in every copy of it: 32 hexadecimal digits
    folder_id: int | None = None
    pinned_at: float | None = None
    binned_at: float | None = None
    preset_id: str | None = None  # None: the one that new conversations get
    choices: Choices = field(default_factory=Choices)  # what this conversation has otherwise than its preset
    scope: tuple[CollectionRef, ...] = ()  # the collections that it asks
    label: Label = "internal"  # never lower than that of a source of one of its answers
    imported_at: float | None = None  # when it came in a file; None: it was begun here


@dataclass(frozen=True, slots=True)
class Folder:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class UnsentDraft:
    """What was typed and not sent. `edited_id`: the question that it is to be asked instead of."""

    text: str = ""
    edited_id: int | None = None
    set_aside: str = ""  # what had been typed when the edit began; it comes back afterwards


@dataclass(frozen=True, slots=True)
class Message:
    """One question or answer. Every message has a parent, so edits and repeats make branches; nothing is overwritten.

    `role`: question | answer. `status`: streaming | done | stopped | failed (a question is always done).
    `rating`: what the user thinks of an answer: 1 good, -1 bad, 0 nothing said (`app.chat.answer_ratings`).
    """

    id: int
    conversation_id: int
    parent_id: int | None
    role: str
    text: str
    status: str
    created_at: float
    details: AnswerDetails | None = None
    branch: int = 1  # which of the messages with this parent, from 1, in the order they were made
    branches: int = 1
    rating: int = 0
    correction: str = ""  # the right answer in the user's words; it counts while the rating is bad


LATEST_S = 253_402_128_000  # of the year 9999, in any time zone


def stored_text(value: object) -> str:
    """Return a text of the database; other values as a text, what is bytes decoded."""
    if isinstance(value, str):
        return value
    return invisible_characters.to_single_line(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    )


def stored_moment(value: object) -> float:
    """Return a time of the database, in seconds since 1970 (UTC); 0 for what no clock says."""
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
    """Unknown keys (a newer program's) are left out."""
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
_KINDS |= {"seed": int, "reproduces_id": int, "is_same": bool}  # or None, as they are without a value


def _fits(key: str, value: object) -> bool:
    """Whether it is known, and of the kind that it should be. Those of no plain kind are looked at by themselves."""
    kind = _KINDS.get(key, object)
    is_of_kind = kind is object or type(value) is kind or (kind is float and type(value) is int)
    return key in _FIELDS and is_of_kind


def _references_from(data: Any) -> tuple[CollectionRef, ...]:
    try:
        return grounding_record.references(data)
    except ValueError:
        return ()


def _grounding_from(data: Any) -> Grounding | None:
    """What a newer program has written otherwise costs the sources, and not the answer."""
    try:
        return None if data is None else grounding_record.from_dict(data)
    except ValueError:
        return None
