"""What the command line prints: one JSON object or plain text on stdout, everything else on stderr.

What a text of another origin would make a terminal do is spelled out on the way (`app.base.invisible.Terminal`).
"""

import json
import math
import sys
from dataclasses import dataclass
from typing import Any

from app.base import wording
from app.base.errors import AppError
from app.base.invisible import Terminal, escaped_json


@dataclass(frozen=True, slots=True)
class Output:
    is_json: bool

    def result(self, data: dict[str, Any], text: str) -> None:
        """The outcome: `data` as the one JSON object with --json, else `text`."""
        print(_as_json(data) if self.is_json else text, flush=True)  # noqa: T201

    def stream(self, text: str) -> None:
        """A piece of an answer as it comes; with --json it is part of the final object instead."""
        if not self.is_json:
            print(text, end="", flush=True)  # noqa: T201

    def progress(self, key: str, **facts: Any) -> None:
        """A line on stderr that replaces the one before on a terminal; nothing where nobody watches."""
        if sys.stderr.isatty():
            self.end_progress()
            print(self.phrase(key, **facts).replace("\n", " "), end="", file=sys.stderr, flush=True)  # noqa: T201

    def end_progress(self) -> None:
        if sys.stderr.isatty():
            write = sys.stderr.write_control if isinstance(sys.stderr, Terminal) else sys.stderr.write
            write("\r\x1b[K")
            sys.stderr.flush()

    def note(self, key: str, **facts: Any) -> None:
        print(self.phrase(key, **facts), file=sys.stderr, flush=True)  # noqa: T201

    def phrase(self, key: str, **facts: Any) -> str:
        return wording.phrase(key, **facts)

    def error(self, error: AppError) -> None:
        """One sentence with the next step on stderr; with --json also an object on stdout."""
        self.failure(error.code, wording.describe_error(error))

    def failure(self, code: str, sentence: wording.Sentence) -> None:
        self.end_progress()
        print(sentence, file=sys.stderr, flush=True)  # noqa: T201
        if self.is_json:
            body = {"code": code, "message": sentence.message, "next": sentence.next}
            print(_as_json({"error": body}), flush=True)  # noqa: T201


def _as_json(data: dict[str, Any]) -> str:
    """Return one line, in which what nobody sees stands as \\u202e: it means the same to a program."""
    return escaped_json(json.dumps(data, ensure_ascii=False))


def left(seconds: float | None) -> str:
    """How long something still takes, to be put behind how far it is; "" while that is not known."""
    if seconds is None:
        return ""
    minutes = math.ceil(seconds / 60)
    if seconds < 60:
        return wording.phrase("base.left_seconds", s=math.ceil(seconds))
    if minutes < 60:
        return wording.phrase("base.left_minutes", m=minutes)
    return wording.phrase("base.left_hours", h=minutes // 60, m=minutes % 60)
