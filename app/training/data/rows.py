"""Define a row of training data and its file format: OpenAI messages as JSON Lines, which `trainer` reads."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.files import strict_json
from app.base.files.input_file import lines_of

PARTS = ("train", "validation", "holdout")  # parts of a split, each a file of rows
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class RowMessage:
    role: str  # one of ROLES
    text: str


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A conversation: an optional system message, then user and assistant in turns, ending with the assistant.

    No text is blank. `line`: the line of the source file, row of the sheet or position in the JSON list, from 1.
    `group`: a name (such as document and section); a split never separates rows of the same group; "" for a row without
    a group. `rejected`: an answer that is liked less than the last one, which makes the row a pair for preference
    tuning; "" for other rows.
    """

    line: int
    messages: tuple[RowMessage, ...]
    group: str = ""
    rejected: str = ""

    @property
    def question(self) -> str:
        """Return the text of the last user message."""
        return self.messages[-2].text

    @property
    def answer(self) -> str:
        return self.messages[-1].text

    @property
    def id(self) -> str:
        """Return 16 hexadecimal digits that hash only the messages: equal rows have the same id in every file."""
        return hashlib.sha256(json.dumps(self._messages(), ensure_ascii=False).encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Return the row as an object for one line of the files that `kotae data` writes and `trainer` reads."""
        written: dict[str, Any] = {"id": self.id, "messages": self._messages()}
        return written | {name: text for name, text in (("group", self.group), ("rejected", self.rejected)) if text}

    def _messages(self) -> list[dict[str, str]]:
        return [{"role": message.role, "content": message.text} for message in self.messages]


def seeded_key(seed: int, *names: str) -> str:
    """Return a pseudo-random sort key for the names that is the same in every version of Python."""
    return hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "replace")).hexdigest()


def read_objects(path: Path) -> list[dict[str, Any]]:
    """Return the JSON object on each line of a file of rows; {} for a line without an object. Raises OSError."""
    return [_object(line) for line in lines_of(path)]


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = strict_json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
