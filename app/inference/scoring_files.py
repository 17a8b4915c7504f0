"""Read and write the files of scoring: `holdout.json`, and the scores that the scoring child has measured.

The trainer writes `holdout.json` at its end: the examples that it kept back, as token ids, with their likelihood in
training precision. The text is never tokenized again, so every quantization is measured on the same tokens. The
last functions judge answers: share of Japanese, loops.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base import json_lines
from app.base.errors import AppError
from app.base.files import strict_json

HOLDOUT_VERSION = 1
NOT_TRAINED = -100  # label of a token that is not trained
HOLDOUT_FILE_BYTES, HOLDOUT_MAX_IDS = 128 << 20, 16_000_000  # 10,000 examples of 700 tokens with their labels


@dataclass(frozen=True, slots=True)
class HeldOutExample:
    """Holds an example kept back from training.

    `labels` has one entry per id, at the same index (not shifted). `base_nll` and `adapter_nll` are negative
    log-likelihoods in nats, summed over the trained tokens. `margin`: of a pair, how much more the adapter prefers the
    chosen answer, which the ids hold, to the rejected one than before the training; not a number for other examples.
    """

    line: int
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    base_nll: float = math.nan
    adapter_nll: float = math.nan
    margin: float = math.nan

    @property
    def trained(self) -> tuple[int, ...]:
        """Return the indices in `ids` of the trained tokens, without index 0, which no earlier token predicts."""
        return tuple(at for at, label in enumerate(self.labels) if at > 0 and label != NOT_TRAINED)


@dataclass(frozen=True, slots=True)
class HeldOutChat:
    """Holds a conversation up to its last question, its prompt's `ids`, and the ids of the `answer` kept back."""

    messages: tuple[dict[str, str], ...]
    ids: tuple[int, ...]
    answer: tuple[int, ...] = ()
    line: int = 0

    @property
    def question(self) -> str:
        return self.messages[-1]["content"]


@dataclass(frozen=True, slots=True)
class Holdout:
    """Holds the examples that a training run kept back."""

    examples: tuple[HeldOutExample, ...]
    chats: tuple[HeldOutChat, ...]
    end_ids: tuple[int, ...]
    precision: str = ""  # precision of the base model in training

    @property
    def scored_positions(self) -> int:
        """Return the number of trained tokens in all examples, whose probabilities a scoring measures."""
        return sum(len(example.trained) for example in self.examples)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all token ids and labels."""
        data = [[example.ids, example.labels] for example in self.examples]
        return hashlib.sha256(json.dumps(data).encode()).hexdigest()

    def only(self, lines: Collection[int]) -> "Holdout":
        """Return the hold-out with the examples of these lines alone, and all chats."""
        return dataclasses.replace(self, examples=tuple(one for one in self.examples if one.line in lines))


def read_holdout(path: Path) -> Holdout:
    """Read a hold-out file. Raises AppError("holdout_unreadable")."""
    try:
        data = strict_json.load_file(path, HOLDOUT_FILE_BYTES, HOLDOUT_MAX_IDS)
        if data["version"] != HOLDOUT_VERSION:
            raise ValueError(f"version {data['version']!r}")
        examples = tuple(_example(entry) for entry in data["examples"])
        unmatched = list(examples)
        chats = tuple(_chat(entry, unmatched) for entry in data.get("chats", ()))
        holdout = Holdout(examples, chats, _ids(data["end_ids"]), str(data.get("precision", "")))
    except OSError as error:
        raise AppError("holdout_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AppError("holdout_unreadable", path=str(path), reason=f"{type(error).__name__}: {error}"[:200]) from error
    if not holdout.scored_positions:
        raise AppError("holdout_unreadable", path=str(path), reason="no example")
    return holdout


def without_costs(holdout: Holdout) -> Holdout:
    """Return the same examples without their likelihoods."""
    examples = (dataclasses.replace(one, base_nll=math.nan, adapter_nll=math.nan) for one in holdout.examples)
    return dataclasses.replace(holdout, examples=tuple(examples), precision="")


def _example(entry: Any) -> HeldOutExample:
    ids, labels = _ids(entry["ids"]), tuple(int(label) for label in entry["labels"])
    if len(ids) != len(labels) or any(label not in (NOT_TRAINED, ids[at]) for at, label in enumerate(labels)):
        raise ValueError("labels are not those of the ids")
    nll = [math.nan if entry.get(key) is None else float(entry[key]) for key in ("base_nll", "adapter_nll", "margin")]
    return HeldOutExample(int(entry["line"]), ids, labels, *nll)


def _chat(entry: Any, unmatched: list[HeldOutExample]) -> HeldOutChat:
    """Read a chat, with the answer of the first example of `unmatched` that begins with its prompt.

    The example is removed from `unmatched`, so that equal questions get different answers.
    """
    messages = tuple({"role": str(one["role"]), "content": str(one["content"])} for one in entry["messages"])
    if not messages or messages[-1]["role"] != "user":
        raise ValueError("a chat ends with a question")
    ids = _ids(entry["ids"])
    example = next((one for one in unmatched if len(one.ids) > len(ids) and one.ids[: len(ids)] == ids), None)
    if example is None:
        return HeldOutChat(messages, ids)
    unmatched.remove(example)
    answer = []
    for token, label in zip(example.ids[len(ids) :], example.labels[len(ids) :], strict=True):
        if label == NOT_TRAINED:  # the next turn begins
            break
        answer.append(token)
    return HeldOutChat(messages, ids, tuple(answer), example.line)


def _ids(values: Any) -> tuple[int, ...]:
    ids = tuple(values)
    if any(isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < 1 << 31 for one in ids):
        raise ValueError("token ids are whole numbers")
    return ids


_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f]")
# A text of 6 to 80 characters three times in a row, or one of 1 to 5 characters eight times.
_LOOP = re.compile(r"(.{6,80}?)\1{2,}|(.{1,5}?)\2{7,}", re.DOTALL)
LOOP_CHARACTERS = 3 * 80
_LINE = re.compile(r"[\W_]+")  # rules and dot leaders of tables and tables of contents, which are not loops


@dataclass(frozen=True, slots=True)
class ExampleScore:
    """Holds the likelihood of one example, summed over its trained tokens (`HeldOutExample.trained`).

    `divergence` and `same_first` compare the model's predictions with those of the reference model, the same one in
    f16; they are None without a reference.
    """

    line: int
    tokens: int
    nll: float  # nats
    divergence: float | None = None  # nats, from f16
    same_first: int | None = None  # number of trained tokens for which f16 has the same likeliest token


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """Holds a generated answer. `ended_by`: end (the model) | stop (a stop string) | limit."""

    line: int
    question: str
    answer: str
    ended_by: str
    tokens: int

    @property
    def is_ended(self) -> bool:
        """Return whether the answer is not empty and ends with an end token."""
        return self.ended_by == "end" and bool(self.answer)


@dataclass(frozen=True, slots=True)
class Scores:
    """Holds all measurements of one model file."""

    examples: tuple[ExampleScore, ...]
    answers: tuple[AnswerScore, ...] = ()
    same_ids: tuple[bool, ...] = ()  # for each chat, whether the prompt has the ids of the hold-out
    references: tuple[str, ...] = ()  # for each chat, the text of the answer kept back, decoded by this model
    write_tokens_per_s: float = 0.0  # 0: no answer was written
    size_bytes: int = 0  # of the model file and the adapter
    memory_bytes: int = 0  # needed to answer (`app.inference.memory_estimate`), with adapter

    @property
    def tokens(self) -> int:
        return sum(example.tokens for example in self.examples)

    @property
    def nll(self) -> float:
        """Return the mean negative log-likelihood of a trained token, in nats."""
        return sum(example.nll for example in self.examples) / self.tokens

    @property
    def divergence(self) -> float | None:
        """Return the mean divergence from f16 per trained token, in nats; None if an example was not compared."""
        found = [example.divergence for example in self.examples if example.divergence is not None]
        return sum(found) / self.tokens if len(found) == len(self.examples) else None

    @property
    def same_first_share(self) -> float | None:
        found = [example.same_first for example in self.examples if example.same_first is not None]
        return sum(found) / self.tokens if len(found) == len(self.examples) else None

    @property
    def ended_share(self) -> float | None:
        """Return the share (0 to 1) of answers that are not empty and end with an end token; None without answers."""
        return _mean(answer.is_ended for answer in self.answers)

    @property
    def looping_share(self) -> float | None:
        return _mean(is_looping(answer.answer) for answer in self.answers)

    @property
    def japanese_share(self) -> float | None:
        return mean_japanese_share(answer.answer for answer in self.answers)


def write_scores(scores: Scores, path: Path) -> None:
    path.write_bytes(json_lines.encode_line(scores))


def read_scores(path: Path) -> Scores:
    """Read the file that `write_scores` has written. Raises AppError("score_unreadable")."""
    try:
        return json_lines.decode(strict_json.read_bytes(path), {"Scores": Scores})
    except (OSError, ValueError) as error:
        raise AppError("score_unreadable", path=str(path), reason=str(error)[:200]) from error


def japanese_share(text: str) -> float | None:
    """Return the share of letters that are kana or kanji; None without letters."""
    letters = [character for character in text if character.isalpha()]
    return len(_JAPANESE.findall("".join(letters))) / len(letters) if letters else None


def mean_japanese_share(texts: Iterable[str]) -> float | None:
    return _mean(share for text in texts if (share := japanese_share(text)) is not None)


def is_looping(text: str) -> bool:
    """Return whether a text repeats the same characters many times in a row (at most LOOP_CHARACTERS of them)."""
    return any(_LINE.fullmatch(match[1] or match[2]) is None for match in _LOOP.finditer(text))


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
