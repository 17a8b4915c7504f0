"""One row of training data, and the file that holds them: OpenAI's messages as JSON Lines, as `trainer` reads it.

What the record of a split, a file beside its parts, says of the rows that were split.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.confidentiality import HIGHEST_LABEL, Label, stored_label
from app.base.files import strict_json
from app.documents.collection_lookup import Origin

PARTS = ("train", "validation", "holdout")  # of a split, each a file of such rows
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class RowMessage:
    role: str  # one of ROLES
    text: str


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """An optional system message, then user and assistant in turns, an assistant last; no text is blank.

    `line`: of the file (or row of the sheet, or place in a JSON list) it comes from, from 1. `group`: rows with the
    same one never come apart in a split: a document and its section, or "" where the row stands for itself.
    """

    line: int
    messages: tuple[RowMessage, ...]
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


MANIFEST = "split.json"


def read_label_and_origins(folder: Path) -> tuple[Label | None, tuple[Origin, ...]]:
    """Return what the record of a split says of its rows, which do not say it themselves; nothing where there is none.
    One that is damaged may have said anything."""
    try:
        return parse_label_and_origins(strict_json.load_file(folder / MANIFEST)["source"])
    except (FileNotFoundError, NotADirectoryError, KeyError):
        return None, ()
    except (OSError, ValueError, TypeError):
        return HIGHEST_LABEL, ()


def parse_label_and_origins(told: Any) -> tuple[Label | None, tuple[Origin, ...]]:
    """Read the label and the origins of a record. What cannot be understood counts as the highest."""
    label, origins = (told.get(key) for key in ("label", "origins")) if isinstance(told, dict) else (None, None)
    known: Label | None = stored_label(label) if label else None
    try:
        return known, tuple((str(collection), str(document)) for collection, document in origins or ())
    except (TypeError, ValueError):
        return HIGHEST_LABEL, ()
