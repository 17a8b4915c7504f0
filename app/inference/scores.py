"""What the scoring child has measured of one form of the model, and the signs by which an answer is judged."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base import json_lines
from app.base.errors import AppError
from app.base.files import strict_json

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f]")
# Something long said three times running, or something short eight times.
_LOOP = re.compile(r"(.{6,80}?)\1{2,}|(.{1,5}?)\2{7,}", re.DOTALL)
_LINE = re.compile(r"[\W_]+")  # rules and dots that a table or a table of contents is drawn with are no loop


@dataclass(frozen=True, slots=True)
class ExampleScore:
    """Sums over the trained tokens of one example. What is None had no reference to be held against."""

    line: int
    tokens: int
    nll: float  # nats
    divergence: float | None = None  # nats, from f16
    same_first: int | None = None  # tokens where f16 puts the same one first


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """`ended_by`: end (the model itself) | stop (a text that ends answers) | limit."""

    line: int
    question: str
    answer: str
    ended_by: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Scores:
    examples: tuple[ExampleScore, ...]
    answers: tuple[AnswerScore, ...] = ()
    same_ids: tuple[bool, ...] = ()  # of each chat
    references: tuple[str, ...] = ()  # the answers that were kept back, as this model's tokens spell them; of each chat
    write_tokens_per_s: float = 0.0  # 0: nothing was written
    size_bytes: int = 0  # of the file, and of the adapter's
    memory_bytes: int = 0  # what answering with it takes (`app.inference.fit`), the adapter included

    @property
    def tokens(self) -> int:
        return sum(example.tokens for example in self.examples)

    @property
    def nll(self) -> float:
        """Nats a trained token."""
        return sum(example.nll for example in self.examples) / self.tokens

    @property
    def divergence(self) -> float | None:
        """Nats a trained token."""
        found = [example.divergence for example in self.examples if example.divergence is not None]
        return sum(found) / self.tokens if len(found) == len(self.examples) else None

    @property
    def same_first_share(self) -> float | None:
        found = [example.same_first for example in self.examples if example.same_first is not None]
        return sum(found) / self.tokens if len(found) == len(self.examples) else None

    @property
    def ended_share(self) -> float | None:
        """Answers that the model ended by itself, having said something; None without answers."""
        return _share(answer.ended_by == "end" and bool(answer.answer) for answer in self.answers)

    @property
    def looping_share(self) -> float | None:
        return _share(is_looping(answer.answer) for answer in self.answers)

    @property
    def japanese_share(self) -> float | None:
        return mean_japanese_share(answer.answer for answer in self.answers)


def write(scores: Scores, path: Path) -> None:
    path.write_bytes(json_lines.encode_line(scores))


def read(path: Path) -> Scores:
    """Raises AppError("score_unreadable")."""
    try:
        data = strict_json.load_file(path)
        if not isinstance(data, dict):
            raise ValueError("not a JSON object")
        found: Scores = json_lines.decode_message({"type": "Scores", **data}, {"Scores": Scores})
    except (OSError, ValueError) as error:
        raise AppError("score_unreadable", path=str(path), reason=str(error)[:200]) from error
    return found


def japanese_share(text: str) -> float | None:
    """Of all letters, how many are kana or kanji; None where there is no letter."""
    letters = [character for character in text if character.isalpha()]
    return len(_JAPANESE.findall("".join(letters))) / len(letters) if letters else None


def mean_japanese_share(texts: Any) -> float | None:
    found = [share for text in texts if (share := japanese_share(text)) is not None]
    return sum(found) / len(found) if found else None


def is_looping(text: str) -> bool:
    """Whether it says the same again and again."""
    return any(_LINE.fullmatch(match[1] or match[2]) is None for match in _LOOP.finditer(text))


def _share(claims: Any) -> float | None:
    found = list(claims)
    return sum(found) / len(found) if found else None
