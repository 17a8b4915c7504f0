"""Add commands to the parser of `kotae`, check their options and print their output.

Stdout gets one JSON object or plain text, stderr everything else, with control characters spelled out on a terminal.
"""

import argparse
import json
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
    """The output of one command: plain text, or JSON with --json."""

    is_json: bool

    def result(self, data: dict[str, Any], text: str) -> None:
        """Print the result of the command: `data` as JSON with --json, else `text`."""
        print(_as_json(data) if self.is_json else text, flush=True)  # noqa: T201

    def stream(self, text: str) -> None:
        """Print a piece of an answer as it arrives. With --json print nothing: `result` prints the whole answer."""
        if not self.is_json:
            print(text, end="", flush=True)  # noqa: T201

    def progress(self, key: str, **facts: Any) -> None:
        """Show the sentence of a wording key on stderr, in place of the previous one; only if stderr is a terminal."""
        if sys.stderr.isatty():
            self.end_progress()
            print(self.phrase(key, **facts).replace("\n", " "), end="", file=sys.stderr, flush=True)  # noqa: T201

    def end_progress(self) -> None:
        """Clear the line that `progress` has shown."""
        if sys.stderr.isatty():
            write = sys.stderr.write_control if isinstance(sys.stderr, SafeTerminal) else sys.stderr.write
            write("\r\x1b[K")
            sys.stderr.flush()

    def note(self, key: str, **facts: Any) -> None:
        """Print the sentence of a wording key as a line on stderr."""
        print(self.phrase(key, **facts), file=sys.stderr, flush=True)  # noqa: T201

    def phrase(self, key: str, **facts: Any) -> str:
        return wording.phrase(key, **facts)

    def error(self, error: AppError) -> None:
        """Print the error and the next step on stderr; with --json also an object on stdout."""
        self.failure(error.code, wording.describe_error(error))

    def failure(self, code: str, sentence: wording.ErrorMessage) -> None:
        """Print an error as `error` does, given its code and its translated message."""
        self.end_progress()
        print(sentence, file=sys.stderr, flush=True)  # noqa: T201
        if self.is_json:
            body = {"code": code, "message": sentence.message, "next": sentence.next}
            print(_as_json({"error": body}), flush=True)  # noqa: T201


def _as_json(data: dict[str, Any]) -> str:
    r"""Return one line of JSON, in which invisible characters are written as \\u202e."""
    return escape_json(json.dumps(data, ensure_ascii=False))


def time_left_suffix(seconds: float | None) -> str:
    """Return the time left in words of the current language, to follow a progress text; "" for None, unknown."""
    return "" if seconds is None else wording.phrase("base.and_left", left=wording.format_time_left(seconds))


Command = Callable[[argparse.Namespace, Paths, Output], int]
MISSING = "the following arguments are required: {}"  # argparse's English, which `wording.usage_problem` translates


def add_command(commands: Any, shared: argparse.ArgumentParser, name: str, help_text: str, run: Command | None) -> Any:
    """Add a subcommand with the shared options. `run`: as for `set_command`; None: it only groups subcommands."""
    parser = commands.add_parser(name, help=help_text, description=help_text, parents=[shared])
    if run is not None:
        set_command(parser, run)
    return parser


def set_command(parser: argparse.ArgumentParser, run: Command) -> None:
    """Set `run`, the function to execute, and `missing(name)`, which ends the program for an argument that is
    missing."""
    parser.set_defaults(run=run, missing=lambda name: parser.error(MISSING.format(name)))


def check_limit(option: str, value: float | None, low: float, high: float) -> None:
    """Raise AppError("bad_option") if an option's value is not from `low` to `high`. None, not given, is accepted."""
    if value is not None and not low <= value <= high:
        raise AppError("bad_option", option=option, value=value, expected=phrase("common.range", low=low, high=high))


SIMILAR_NAMES_MAX = 3  # names that an error message suggests
SIMILARITY_MIN = 0.5  # the cutoff of difflib.get_close_matches


def find_similar_names(mistyped: str, names: Sequence[str]) -> list[str]:
    """Return up to three of the `names` names that resemble `mistyped`, a mistyped one, the most similar first."""
    import difflib

    folded = {name.casefold(): name for name in reversed(names)}
    mistyped = mistyped.casefold()
    within = [name for name in folded if mistyped and (mistyped in name or name in mistyped)]
    alike = difflib.get_close_matches(mistyped, folded, SIMILAR_NAMES_MAX, SIMILARITY_MIN)
    return [folded[name] for name in dict.fromkeys([*within, *alike])][:SIMILAR_NAMES_MAX]
