"""What the command line prints: one JSON object or plain text on stdout, everything else on stderr."""

import json
import math
import sys
from dataclasses import dataclass
from typing import Any

from app.base import wording
from app.base.errors import AppError


@dataclass(frozen=True, slots=True)
class Output:
    is_json: bool

    def result(self, data: dict[str, Any], text: str) -> None:
        """The outcome: `data` as the one JSON object with --json, else `text`."""
        print(json.dumps(data, ensure_ascii=False) if self.is_json else text, flush=True)  # noqa: T201

    def stream(self, text: str) -> None:
        """A piece of an answer as it comes; with --json it is part of the final object instead."""
        if not self.is_json:
            print(text, end="", flush=True)  # noqa: T201

    def progress(self, key: str, **facts: Any) -> None:
        """A line on stderr that replaces the one before on a terminal; nothing where nobody watches."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{self.phrase(key, **facts)}", end="", file=sys.stderr, flush=True)  # noqa: T201

    def end_progress(self) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201

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
            print(json.dumps({"error": body}, ensure_ascii=False), flush=True)  # noqa: T201


def left(seconds: float | None) -> str:
    """How long something still takes, to be put behind how far it is; "" while that is not known."""
    if seconds is None:
        return ""
    minutes = math.ceil(seconds / 60)
    if seconds < 60:
        return wording.phrase("left_seconds", s=math.ceil(seconds))
    if minutes < 60:
        return wording.phrase("left_minutes", m=minutes)
    return wording.phrase("left_hours", h=minutes // 60, m=minutes % 60)
