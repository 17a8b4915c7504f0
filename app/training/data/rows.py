"""One row of training data, and the file that holds them: OpenAI's messages as JSON Lines, as `trainer` reads it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

PARTS = ("train", "validation", "holdout")  # of a split, each a file of such rows
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Message:
    role: str  # one of ROLES
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """An optional system message, then user and assistant in turns, an assistant last; no text is blank.

    `line`: of the file (or row of the sheet, or place in a JSON list) it comes from, from 1. `group`: rows with the
    same one never come apart in a split: a document and its section, or "" where the row stands for itself.
    """

    line: int
    messages: tuple[Message, ...]
    group: str = ""

    @property
    def question(self) -> str:
        """The last user message."""
        return self.messages[-2].text

    @property
    def answer(self) -> str:
        return self.messages[-1].text

    @property
    def id(self) -> str:
        """16 hexadecimal digits of the messages alone: the same row has the same id in every file."""
        return hashlib.sha256(json.dumps(self._messages(), ensure_ascii=False).encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """A line of the files that `kotae data` writes and `trainer` reads."""
        written: dict[str, Any] = {"id": self.id, "messages": self._messages()}
        return written | ({"group": self.group} if self.group else {})

    def _messages(self) -> list[dict[str, str]]:
        return [{"role": message.role, "content": message.text} for message in self.messages]
