"""Every text that a person reads, in Japanese and English, from `resources/wording`: the one reader of that folder.

`phrase("chat.no_answer")` is the entry `[no_answer]` of chat.toml, so that a search for a key finds both its text and
its uses. An error's two sentences, what happened and what to do next, are found by the error's code.
"""

import errno
import functools
import os
import re
import shlex
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.base.errors import AppError
from app.base.invisible_characters import spell_out
from app.base.paths import resources

LANGUAGES = ("ja", "en")

_MOST_BYTES = 1 << 62  # what is more is a number that somebody has made up
_UNKNOWN_FACT = re.compile(r'（[^（）]*\?[^（）]*）|「\?」| \([^()]*\?[^()]*\)|,? "\?",?')

_current = "ja"
_is_command = False


def use_language(language: str, *, is_command: bool = False) -> None:
    """Sets the language of everything that this process says. Called once, when it starts.

    `is_command`: it is read where commands are typed. The next step is then `ja_command` of an error that has one.
    """
    global _current, _is_command
    _current, _is_command = language, is_command


def current_language() -> str:
    return _current


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """One sentence on what happened and one on the next step, in the user's language."""

    message: str
    next: str

    def __str__(self) -> str:
        return f"{self.message}{self.next}" if self.message.endswith("。") else f"{self.message} {self.next}"


def describe(code: str, facts: Mapping[str, Any], language: str = "") -> ErrorMessage:
    """The sentence for an error code. A code without an entry is a bug in Kotae and is said to be one.

    `language`: ja or en; "" is the language in use.
    """
    language = language or _current
    entry = _entries().get(code)
    if entry is None:
        return describe("unexpected", {"detail": f"{code} {dict(facts)}"}, language)
    shown = _Facts(_shown(facts, language))
    step = entry.get(f"{language}_command") if _is_command else None
    return ErrorMessage(
        spell_out(_formatter.vformat(entry[language], (), shown)),  # names of files and models are in it
        spell_out(_formatter.vformat(step or entry[f"{language}_next"], (), shown)),
    )


def is_error(code: str) -> bool:
    """Return whether the program knows this code: a file may name any."""
    return code in _entries()


def describe_error(error: AppError, language: str = "") -> ErrorMessage:
    return describe(error.code, error.facts, language)


def outline_error(code: str) -> str:
    """What happened, without the brackets and quotes whose facts (sizes, names) are not known any more."""
    return _UNKNOWN_FACT.sub("", describe(code, {}).message)


def qt_words() -> Mapping[str, Mapping[str, str]]:
    """Return the Japanese of those words of Qt's own dialogs that its catalogue lacks: by context and English."""
    return _file("qt")


def phrase(key: str, /, **facts: Any) -> str:
    """Return the text of a key such as "chat.no_answer", with its placeholders filled.

    Without facts the placeholders stay, for a text that is filled later with `str.format`.
    Raises KeyError for an unknown key.
    """
    text = _entry(key)[_current]
    return _formatter.vformat(text, (), _Facts(_shown(facts, _current))) if facts else text


def phrases(key: str) -> list[str]:
    """Return such a text in every language, for what a person may have written in another one."""
    return [_entry(key)[language] for language in LANGUAGES]


def has_phrase(key: str) -> bool:
    try:
        return isinstance(_entry(key)[_current], str)
    except KeyError:
        return False


def field_name(key: str) -> str:
    """Return what a fact of a model is called; the key itself where it has no name."""
    entry: dict[str, str] | None = _file("system")["field"].get(key)
    return entry[_current] if entry else key


def format_size(size_bytes: int) -> str:
    """In 10^9 bytes, as drives and download pages count; what is small in 10^6 or 10^3."""
    if size_bytes >= 1e8:
        return f"{size_bytes / 1e9:.2f} GB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 5e4 else f"{size_bytes / 1e3:.1f} kB"


def help_text(key: str) -> str:
    """Return what `--help` says of a command, or of an option after its command ("ask", "ask --seed")."""
    entry: dict[str, str] = _file("help")[key]
    return entry[_current].replace("%", "%%")  # argparse fills %(default)s and the like


def usage_problem(message: str) -> str:
    """argparse's own English complaint in Japanese; unchanged where it is one we do not know, or in English."""
    if _current == "ja":
        for pattern, japanese in _file("system")["usage"]:
            found = re.fullmatch(pattern, message, re.DOTALL)
            if found:
                return str(found.expand(japanese)).replace("'", "")  # Python's quotes around choices
    return message


def error_codes() -> frozenset[str]:
    return frozenset(_entries())


def _shown(facts: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Adds `x_gb` (10^9 bytes, as drives and download pages count) for each number `x_bytes`; joins lists.

    What the system says of a file or folder is said in Japanese (`[system]`, `[reading]`).
    """
    shown = {key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in facts.items()}
    if language == "ja":
        said = _system_words()
        shown = {key: said.get(value, value) if isinstance(value, str) else value for key, value in shown.items()}
    for key, value in facts.items():
        if key.endswith("_bytes") and isinstance(value, int | float) and abs(value) < _MOST_BYTES:
            shown[key.removesuffix("_bytes") + "_gb"] = (
                f"{value / 1e9:.1f}" if value >= 1e8 else f"{max(value / 1e9, 0.0001):.4f}"
            )
    return shown


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def shell_word(text: str) -> str:
    """As it is typed at a prompt: in quotes where it holds more than letters, digits and what paths are made of."""
    if text and not re.search(r"[^\w@%+=:,./\\-]" if os.name == "nt" else r"[^\w@%+=:,./-]", text):
        return text
    return f'"{text}"' if os.name == "nt" else shlex.quote(text)


class _PlainFormatter(string.Formatter):
    """Fills `{name}` only: no attribute or item access, whatever a fact's text holds. `{name!q}`: in a command."""

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        return shell_word(str(value)) if conversion == "q" and value != "?" else value

    def get_field(self, field_name: str, _args: Any, kwargs: Any) -> tuple[Any, str]:
        return kwargs[field_name], field_name


_formatter = _PlainFormatter()


@functools.cache
def _system_words() -> dict[str, str]:
    """The system's English for an error, which it writes in no other language unless a program asks for it.

    And that of our own reader of files.
    """
    words = {getattr(errno, name, None): japanese for name, japanese in _file("system")["system"].items()}
    said = {os.strerror(number): japanese for number, japanese in words.items() if number is not None}
    reading: dict[str, str] = _file("system")["reading"]
    return said | reading


@functools.cache
def _file(name: str) -> dict[str, Any]:
    return tomllib.loads((resources() / "wording" / f"{name}.toml").read_text("utf-8"))


def _entry(key: str) -> dict[str, str]:
    """Find "room.key", or "room.group.member" in a table of entries of one kind."""
    name, _, rest = key.partition(".")
    entries = _file(name)
    if rest in entries:
        found: dict[str, str] = entries[rest]
    else:
        group, _, member = rest.partition(".")
        found = entries[group][member]
    return found


def _entries() -> dict[str, dict[str, str]]:
    return _file("errors")
