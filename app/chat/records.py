"""Define the records of the chat tables as frozen values, and convert them from and to stored columns.

Times are seconds since 1970 (UTC). Choices, the scope of a conversation and the details of an answer are JSON in one
column each. Reading is tolerant: sqlite accepts a value of any type in most columns, and other programs can write them,
so a value of a wrong type is replaced by its default without affecting the others.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from app.base import invisible_characters
from app.base.confidentiality import Label, label_from
from app.chat.presets import Choices
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding

STOP_REASONS = ("end", "stop", "length", "thoughts", "context", "cancelled", "interrupted", "failed")


@dataclass(frozen=True, slots=True)
class AnswerDetails:
    """The model, settings, timings and sources of an answer. Fields are 0 or "" until the answer ends."""

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
    choices: Choices | None = None  # the values that applied, none undefined, so that the answer can be repeated
    context_tokens: int = 0
    left_out_turns: int = 0  # number of the oldest turns that the user chose to exclude from the prompt
    reproduces_id: int | None = None  # id of the answer that this one repeats; None: not a repetition
    is_same: bool | None = None  # whether the repetition matches; None: not a repetition, or not finished
    is_part: bool = False  # True when the repeated answer was cut off, so that only its text was compared
    scope: tuple[CollectionRef, ...] = ()  # the searched collections; (): no documents
    is_action: bool = False  # True for an action on the previous answer, which uses its passages without a search
    request: str = ""  # of the question of an action, whose text is the action's name: what the model is asked
    grounding: Grounding | None = None  # None: answered without documents, or not finished
    remote: str = ""  # host and port of the remote machine that computed the answer; "": this machine
    # The next four fields describe a tuned model; they are "" and 1 for any other.
    run_id: str = ""
    base_sha256: str = ""
    adapter_sha256: str = ""
    adapter_strength: float = 1.0
    is_imported: bool = False  # from a file, which alone names the model; `grounding` was checked here
    quoted: tuple[CitedSource, ...] = ()  # sources that the file of an imported answer names and nobody has checked
    model_label: str = ""  # label of the model's training data, at the time of the answer; "": not a trained model
    learned: tuple[str, ...] = ()  # names of the collections in the model's training data
    original: str | None = None  # the answer as it was before somebody edited it; None: nobody did
    edited_at: float = 0.0  # when it was edited last; 0: never
    thoughts: str = ""  # what a reasoning model wrote before the answer; no part of it
    thought_s: float = 0.0

    @property
    def named_sources(self) -> tuple[CitedSource, ...]:
        """Return all sources, checked or only named by a file: each can raise the conversation's label."""
        return (*(self.grounding.sources if self.grounding else ()), *self.quoted)

    @property
    def labels(self) -> list[Label]:
        """Return the labels of all named sources, and of the model's training data."""
        found = [source.label for source in self.named_sources]
        return [*found, label_from(self.model_label)] if self.model_label else found


class Conversation(Struct, frozen=True):
    """A conversation, as one row of its table stores it."""

    id: int
    title: str
    created_at: float
    updated_at: float
    leaf_id: int | None  # id of the last message of the branch that is shown
    uid: str = ""  # 32 hexadecimal digits, the same in every exported copy
    folder_id: int | None = None
    pinned_at: float | None = None
    binned_at: float | None = None
    preset_id: str | None = None  # None: the preset of new conversations
    choices: Choices = Choices()  # the values in which this conversation differs from its preset
    scope: tuple[CollectionRef, ...] = ()  # the collections that its questions search
    label: Label = "internal"  # never lower than the label of a source of one of its answers
    imported_at: float | None = None  # None: the conversation began in this installation


class Folder(Struct, frozen=True):
    id: int
    name: str


class UnsentDraft(Struct, frozen=True):
    """A text that was not sent. `edited_id` is the id of the question that it will replace; None: a new one."""

    text: str = ""
    edited_id: int | None = None
    set_aside: str = ""  # the draft that the edit replaced; it is restored after the edit


@dataclass(frozen=True, slots=True)
class Message:
    """One question or answer. Every message but the first has a parent, so that edits and repeats become branches and
    overwrite nothing.

    `role`: question | answer. `status`: streaming | done | stopped | failed (a question is always done). `rating` is
    the user's rating of an answer: 1 good, -1 bad, 0 unrated (`app.chat.answer_ratings`). Of questions only those of
    actions have `details`.
    """

    id: int
    conversation_id: int
    parent_id: int | None
    role: str
    text: str
    status: str
    created_at: float
    details: AnswerDetails | None = None
    branch: int = 1  # number among the messages with the same parent, from 1, in the order of their creation
    branches: int = 1  # number of messages with the same parent
    rating: int = 0
    correction: str = ""  # the right answer as the user wrote it; it counts while the rating is bad

    @property
    def is_action(self) -> bool:
        """Return whether this is the question of an action, which the user chose and did not write."""
        return self.role == "question" and self.details is not None and self.details.is_action

    @property
    def is_edited(self) -> bool:
        """Return whether somebody has changed the text of this answer by hand."""
        return self.details is not None and self.details.original is not None

    @property
    def ended_in_thoughts(self) -> bool:
        """Return whether the model was still thinking when its tokens were used up, so that there is no answer."""
        reason, thoughts = (self.details.stop_reason, self.details.thoughts) if self.details else ("", "")
        return not self.text and (reason == "thoughts" or (bool(thoughts) and reason in ("length", "context")))

    @property
    def written_text(self) -> str:
        """Return the text as the program wrote it, before any edit."""
        original = self.details.original if self.details is not None else None
        return self.text if original is None else original

    @property
    def prompt_text(self) -> str:
        """Return what a model is told for this message: of an action its request, of any other the text."""
        return self.details.request if self.is_action and self.details and self.details.request else self.text


LATEST_S = 253_402_128_000  # a time that is still in the year 9999 in every time zone


def stored_text(value: object) -> str:
    """Return a value of the database as text; decode bytes."""
    if isinstance(value, str):
        return value
    return invisible_characters.to_single_line(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    )


def stored_moment(value: object) -> float:
    """Return a time of the database; 0 for any value that is not a time before the year 10000."""
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


def details_from_json(stored_json: str | None) -> AnswerDetails | None:
    """Return the stored details without unknown keys and without values of a wrong type."""
    if stored_json is None:
        return None
    values = {
        key: value
        for key, value in json.loads(stored_json).items()
        if (kind := _KINDS.get(key)) is object or type(value) is kind or (kind is float and type(value) is int)
    }
    if values.get("choices") is not None:
        values["choices"] = Choices.from_dict(values["choices"])
    learned = values.get("learned")
    values["learned"] = tuple(map(str, learned)) if isinstance(learned, list) else ()
    scope = values.get("scope")
    values["scope"] = _references_from(scope) if scope else ()
    values["grounding"] = _grounding_from(values.get("grounding"))
    quoted = values.get("quoted")
    values["quoted"] = (_grounding_from({"sources": quoted}) or Grounding()).sources if quoted else ()
    return AnswerDetails(**values)


# Fields of compound types, which are checked where they are parsed, are of the kind `object`.
_KINDS = {
    field.name: kind if (kind := type(field.default)) in (str, int, float, bool) else object
    for field in dataclasses.fields(AnswerDetails)
}
# These may also be None, which is their default.
_KINDS |= {"seed": int, "reproduces_id": int, "is_same": bool, "original": str}


def _references_from(data: Any) -> tuple[CollectionRef, ...]:
    try:
        return grounding_record.references(data)
    except ValueError:
        return ()


def _grounding_from(data: Any) -> Grounding | None:
    """Return the stored grounding; None for a form of a newer program, so that the answer stays readable."""
    try:
        return None if data is None else grounding_record.from_dict(data)
    except ValueError:
        return None
