"""`holdout.json`: the examples that a training run kept back, as token ids, with what they cost in training precision.

Written by the trainer at its end. Ids are never made again from text: every form is measured on the very same ones.
"""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json

VERSION = 1
NOT_TRAINED = -100  # a label
FILE_BYTES, MAX_IDS = 128 << 20, 16_000_000  # 10,000 examples of 700 tokens, each with its label


@dataclass(frozen=True, slots=True)
class Example:
    """`labels` stand at the ids that they name (not shifted). Sums of nats over the trained tokens."""

    line: int
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    base_nll: float = math.nan
    adapter_nll: float = math.nan

    @property
    def trained(self) -> tuple[int, ...]:
        """Places whose token is predicted from those before it."""
        return tuple(at for at, label in enumerate(self.labels) if at > 0 and label != NOT_TRAINED)


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation up to its last question, and the prompt's ids. `answer`: ids of the one that was kept back."""

    messages: tuple[dict[str, str], ...]
    ids: tuple[int, ...]
    answer: tuple[int, ...] = ()
    line: int = 0

    @property
    def question(self) -> str:
        return self.messages[-1]["content"]


@dataclass(frozen=True, slots=True)
class Holdout:
    examples: tuple[Example, ...]
    chats: tuple[Chat, ...]
    end_ids: tuple[int, ...]
    precision: str = ""  # of the base in training

    @property
    def positions(self) -> int:
        return sum(len(example.trained) for example in self.examples)

    @property
    def digest(self) -> str:
        """Of the ids and labels alone."""
        told = [[example.ids, example.labels] for example in self.examples]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def read(path: Path) -> Holdout:
    """Raises AppError("holdout_unreadable")."""
    try:
        data = strict_json.load_file(path, FILE_BYTES, MAX_IDS)
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']!r}")
        examples = tuple(_example(entry) for entry in data["examples"])
        left = list(examples)
        chats = tuple(_chat(entry, left) for entry in data.get("chats", ()))
        found = Holdout(examples, chats, _ids(data["end_ids"]), str(data.get("precision", "")))
    except OSError as error:
        raise AppError("holdout_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AppError("holdout_unreadable", path=str(path), reason=f"{type(error).__name__}: {error}"[:200]) from error
    if not found.positions:
        raise AppError("holdout_unreadable", path=str(path), reason="no example")
    return found


def without_costs(holdout: Holdout) -> Holdout:
    """The same examples, of which nobody has said what they cost."""
    examples = (dataclasses.replace(one, base_nll=math.nan, adapter_nll=math.nan) for one in holdout.examples)
    return dataclasses.replace(holdout, examples=tuple(examples), precision="")


def _example(entry: Any) -> Example:
    ids, labels = _ids(entry["ids"]), tuple(int(label) for label in entry["labels"])
    if len(ids) != len(labels) or any(label not in (NOT_TRAINED, ids[at]) for at, label in enumerate(labels)):
        raise ValueError("labels are not those of the ids")
    nll = [math.nan if entry.get(key) is None else float(entry[key]) for key in ("base_nll", "adapter_nll")]
    return Example(int(entry["line"]), ids, labels, *nll)


def _chat(entry: Any, left: list[Example]) -> Chat:
    """With the answer of the first example `left` that begins with this prompt: of equal questions each has its own."""
    messages = tuple({"role": str(one["role"]), "content": str(one["content"])} for one in entry["messages"])
    if not messages or messages[-1]["role"] != "user":
        raise ValueError("a chat ends with a question")
    ids = _ids(entry["ids"])
    example = next((one for one in left if len(one.ids) > len(ids) and one.ids[: len(ids)] == ids), None)
    if example is None:
        return Chat(messages, ids)
    left.remove(example)
    answer = []
    for token, label in zip(example.ids[len(ids) :], example.labels[len(ids) :], strict=True):
        if label == NOT_TRAINED:  # the next turn begins
            break
        answer.append(token)
    return Chat(messages, ids, tuple(answer), example.line)


def _ids(values: Any) -> tuple[int, ...]:
    ids = tuple(values)
    if any(isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < 1 << 31 for one in ids):
        raise ValueError("token ids are whole numbers")
    return ids
