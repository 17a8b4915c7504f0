"""Build one prompt from turns. Text of people and models stays in segments of its own and never becomes markup.

For servers that expect messages instead of text, `MESSAGES_FORM` builds a prompt whose markup holds only the roles;
so remote and local models share the code that builds and counts prompts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from app.base import invisible_characters


@dataclass(frozen=True, slots=True)
class PromptForm:
    """Defines how turns become one prompt. `{text}` is replaced by a question or answer; the rest is markup."""

    id: str
    question: str
    answer: str
    answer_start: str
    system: str = ""  # "": no system turn; the system text goes before the first question
    stop: tuple[str, ...] = ()
    marker: str = ""  # text in the chat templates of this form; the first match in the catalogue counts
    is_completion: bool = False  # the model continues text and knows no turns
    thinking_start: str = ""  # instead of `answer_start`, for a model that shall think; "": it cannot
    thinking_mark: str = ""  # before the system text then
    thinks: bool = False  # the model thinks unless it is told not to


class Turn(Struct, frozen=True):
    """Holds a question and its answer; the answer of the last turn is None."""

    question: str
    answer: str | None = None


class Segment(Struct, frozen=True):
    """Holds a piece of a prompt. Control tokens are recognized only in pieces with `markup`."""

    text: str
    markup: bool = False


class SharedStart(Struct, frozen=True):
    """Describes the beginning that a prompt has in common with others.

    `ends`: numbers of the prompt's characters after the instructions and after the passages. `collections`: ids of
    those that the passages may be from. `since`: seconds since 1970 when the search for them began.
    """

    ends: tuple[int, ...]
    collections: tuple[int, ...]
    since: float


class ScoredText(Struct, frozen=True):
    """Holds a prompt and its answer, of which only the answer is measured.

    `line`: the question's number in its set, from 1.
    """

    segments: tuple[Segment, ...]
    answer: str  # tokenized as plain text, even if it contains control tokens
    line: int


def build(form: PromptForm, turns: Sequence[Turn], system: str = "", *, thinks: bool = False) -> tuple[Segment, ...]:
    """Return the prompt for the last turn, without invisible characters.

    A form without a system turn gets `system` before the first question. `thinks`: with thoughts, if the form has them.
    """
    pieces: list[Segment] = []
    mark = form.thinking_mark if thinks else ""
    if form.system and (system or mark):
        pieces += _filled(form.system.replace("{text}", mark + "{text}"), system)
    for index, turn in enumerate(turns):
        opening = f"{system}\n\n{turn.question}" if system and not form.system and index == 0 else turn.question
        pieces += _filled(form.question, opening)
        if turn.answer is not None:
            pieces += _filled(form.answer, turn.answer)
    start = form.thinking_start if thinks else ""
    pieces += [Segment(start or form.answer_start, markup=True)]
    return _joined(pieces, form.is_completion)


def _filled(pattern: str, text: str) -> list[Segment]:
    before, _, after = pattern.partition("{text}")
    return [
        Segment(before, markup=True),
        Segment(invisible_characters.to_plain_text(text)),
        Segment(after, markup=True),
    ]


def _joined(pieces: list[Segment], is_completion: bool) -> tuple[Segment, ...]:
    """Join neighbouring pieces and drop empty ones.

    A completion form has no control tokens, so it becomes one plain piece: the tokenizer then sees the text as in
    training, without a cut at every turn.
    """
    if is_completion:
        return (Segment("".join(piece.text for piece in pieces)),)
    joined: list[Segment] = []
    for piece in pieces:
        if not piece.text:
            continue
        if joined and joined[-1].markup == piece.markup:
            joined[-1] = Segment(joined[-1].text + piece.text, piece.markup)
        else:
            joined.append(piece)
    return tuple(joined)


_ROLE = re.compile(r"<\|(system|user|assistant|reply)\|>")
MESSAGES_FORM = PromptForm(
    id="messages",
    question="<|user|>{text}",
    answer="<|assistant|>{text}",
    answer_start="<|reply|>",
    system="<|system|>{text}",
)
_MESSAGE_TOKENS = 8  # that the server's own markup adds to each message
_LATIN_CHARACTERS = 3  # per token; most texts have more
_TOKENS_A_CHARACTER = 1.2  # tokens per Japanese character; tokenizers in use need 0.5 to 1.1


def to_messages(prompt: Sequence[Segment]) -> list[dict[str, str]]:
    """Return the messages of a prompt, each with "role" and "content"; roles are taken from markup only."""
    found: list[dict[str, str]] = []
    for segment in prompt:
        if segment.markup:
            roles = _ROLE.findall(segment.text)
            found += [{"role": role, "content": ""} for role in roles if role != "reply"]
        else:
            found = found or [{"role": "user", "content": ""}]
            found[-1]["content"] += segment.text
    return found


def common_length(ours: Sequence[object], theirs: Sequence[object]) -> int:
    """Return how many items two sequences have in common at their beginning."""
    different = (place for place, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other)
    return next(different, min(len(ours), len(theirs)))


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too high, for servers without an endpoint that counts them."""
    latin = sum(character < "\u0300" for character in text)
    return round(latin / _LATIN_CHARACTERS + (len(text) - latin) * _TOKENS_A_CHARACTER + 0.5)


def estimate_framing_tokens(prompt: Sequence[Segment]) -> int:
    """Estimate the tokens that the server adds around a prompt's messages."""
    return _MESSAGE_TOKENS * (len(to_messages(prompt)) + 1)
