"""Define one row of training data and its file format: OpenAI messages as JSON Lines, the form that `trainer` reads.

`split.json`, which lies next to the files of a split, records the label and the origins of the rows; they are read
here.
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
    """A conversation: an optional system message, then user and assistant in turns, ending with the assistant.

    No text is blank. `line`: the line of the source file, row of the sheet or place in the JSON list, from 1. `group`:
    a split never separates rows of the same group (a document and its section); "" for a row that has none.
    """

    line: int
    messages: tuple[RowMessage, ...]
    group: str = ""

    @property
    def question(self) -> str:
        """Return the text of the last user message."""
        return self.messages[-2].text

    @property
    def answer(self) -> str:
        return self.messages[-1].text

    @property
    def id(self) -> str:
        """Return 16 hexadecimal digits that hash the messages alone: equal rows have the same id in every file."""
        return hashlib.sha256(json.dumps(self._messages(), ensure_ascii=False).encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Return the object for one line of the files that `kotae data` writes and `trainer` reads."""
        written: dict[str, Any] = {"id": self.id, "messages": self._messages()}
        return written | ({"group": self.group} if self.group else {})

    def _messages(self) -> list[dict[str, str]]:
        return [{"role": message.role, "content": message.text} for message in self.messages]


MANIFEST = "split.json"


def read_label_and_origins(folder: Path) -> tuple[Label | None, tuple[Origin, ...]]:
    """Return the label and the origins that `split.json` in `folder` records; (None, ()) where it records none.

    An unreadable record counts as the highest label, because it may have held any label.
    """
    try:
        return parse_label_and_origins(strict_json.load_file(folder / MANIFEST)["source"])
    except (FileNotFoundError, NotADirectoryError, KeyError):
        return None, ()
    except (OSError, ValueError, TypeError):
        return HIGHEST_LABEL, ()


def parse_label_and_origins(source: Any) -> tuple[Label | None, tuple[Origin, ...]]:
    """Return the label and the origins of a record's "source"; origins that cannot be parsed give the highest label."""
    label, origins = (source.get(key) for key in ("label", "origins")) if isinstance(source, dict) else (None, None)
    known: Label | None = stored_label(label) if label else None
    try:
        return known, tuple((str(collection), str(document)) for collection, document in origins or ())
    except (TypeError, ValueError):
        return HIGHEST_LABEL, ()
