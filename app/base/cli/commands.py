"""How a command is added to the parser of `kotae`.

What the command line prints: one JSON object or plain text on stdout, everything else on stderr.

What a text of another origin would make a terminal do is spelled out on the way
(`app.base.invisible_characters.SafeTerminal`).

Durations as the command line prints them.

Limits of numeric command-line options.

The known names that a mistyped one resembles.
"""

import argparse
import difflib
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.base import wording
from app.base.errors import AppError
from app.base.invisible_characters import SafeTerminal, escape_json
from app.base.paths import Paths
from app.base.wording import phrase


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
            write = sys.stderr.write_control if isinstance(sys.stderr, SafeTerminal) else sys.stderr.write
            write("\r\x1b[K")
            sys.stderr.flush()

    def note(self, key: str, **facts: Any) -> None:
        print(self.phrase(key, **facts), file=sys.stderr, flush=True)  # noqa: T201

    def phrase(self, key: str, **facts: Any) -> str:
        return wording.phrase(key, **facts)

    def error(self, error: AppError) -> None:
        """One sentence with the next step on stderr; with --json also an object on stdout."""
        self.failure(error.code, wording.describe_error(error))

    def failure(self, code: str, sentence: wording.ErrorMessage) -> None:
        self.end_progress()
        print(sentence, file=sys.stderr, flush=True)  # noqa: T201
        if self.is_json:
            body = {"code": code, "message": sentence.message, "next": sentence.next}
            print(_as_json({"error": body}), flush=True)  # noqa: T201


def _as_json(data: dict[str, Any]) -> str:
    """Return one line, in which what nobody sees stands as \\u202e: it means the same to a program."""
    return escape_json(json.dumps(data, ensure_ascii=False))


def format_time_left(seconds: float | None) -> str:
    """How long something still takes, to be put behind how far it is; "" while that is not known."""
    if seconds is None:
        return ""
    minutes = math.ceil(seconds / 60)
    if seconds < 60:
        return wording.phrase("base.left_seconds", s=math.ceil(seconds))
    if minutes < 60:
        return wording.phrase("base.left_minutes", m=minutes)
    return wording.phrase("base.left_hours", h=minutes // 60, m=minutes % 60)


Command = Callable[[argparse.Namespace, Paths, Output], int]
# argparse's words, which are said in the user's language.
MISSING = "the following arguments are required: {}"


def add_command(commands: Any, shared: argparse.ArgumentParser, name: str, help_text: str, run: Command | None) -> Any:
    """A subcommand with the shared options; `run` None for one that only groups others.

    Its options have `missing(name)`, which ends like argparse where an argument that depends on others is not given.
    """
    parser = commands.add_parser(name, help=help_text, description=help_text, parents=[shared])
    if run is not None:
        set_command(parser, run)
    return parser


def set_command(parser: argparse.ArgumentParser, run: Command) -> None:
    """What a parser's command line runs."""
    parser.set_defaults(run=run, missing=lambda name: parser.error(MISSING.format(name)))


def format_duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "-"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    if minutes >= 60:
        return wording.phrase("base.time_hours", h=minutes // 60, m=minutes % 60)
    return (
        wording.phrase("base.time_minutes", m=minutes, s=rest)
        if minutes
        else wording.phrase("base.time_seconds", s=rest)
    )


def check_limit(option: str, value: float | None, low: int, high: int) -> None:
    """Raises AppError("bad_option"); None is no value."""
    if value is not None and not low <= value <= high:
        raise AppError("bad_option", option=option, value=value, expected=phrase("common.range", low=low, high=high))


SIMILAR_NAMES_MAX, SIMILARITY_MIN = 3, 0.5  # names that are offered; how alike they are, as difflib counts


def find_similar_names(wanted: str, known: Sequence[str]) -> list[str]:
    """The few that may be meant, the likeliest first."""
    folded = {name.casefold(): name for name in reversed(known)}
    wanted = wanted.casefold()
    within = [name for name in folded if wanted and (wanted in name or name in wanted)]
    alike = difflib.get_close_matches(wanted, folded, SIMILAR_NAMES_MAX, SIMILARITY_MIN)
    return [folded[name] for name in dict.fromkeys([*within, *alike])][:SIMILAR_NAMES_MAX]
