"""Read all texts that the user sees, in Japanese and English, from `resources/wording`. No other module reads them.

The key "chat.no_answer" is the entry `[no_answer]` of chat.toml. An error code is the key of an entry in errors.toml
with two sentences: what happened, and what to do next.
"""

import errno
import functools
import math
import os
import re
import shlex
import string
import time
import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from app.base.errors import AppError
from app.base.invisible_characters import spell_out
from app.base.lazy_pattern import lazy_pattern
from app.base.paths import resources

LANGUAGES = ("ja", "en")

_MOST_BYTES = 1 << 62  # no real size is larger
_UNKNOWN_FACT = re.compile(r'（[^（）]*\?[^（）]*）|「\?」| \([^()]*\?[^()]*\)|,? "\?",?')
# A number in an English text, with the noun that it counts, and a verb: "{n} empty rows are".
_COUNTED = lazy_pattern(
    r"((?:There are (?:only )?)?\{(\w+)\}(?: (?!with |in )[a-z-]+)??) (answer|attempt|character|choice|component"
    r"|connection|conversation|core|day|decision|document|download|duplicate|evaluation|example|file|group|image|item"
    r"|model|note|number|observation|packet|page|pair|passage|place|problem|question|response|result|row|run|score"
    r"|second|section|seed|sentence|size|step|system|thread|time|token|training)s\b"
    r"((?: (?:of (?:the )?|with |by )\S+)?)(?: (are|were|have|do|need|match|exist)\b)?"
)
_VERBS_OF_ONE = {"are": " is", "were": " was", "have": " has", "do": " does", "need": " needs"} | {
    "match": " matches",
    "exist": " exists",
}

_current = "ja"
_is_command = False


def use_language(language: str, *, is_command: bool = False) -> None:
    """Set the language (ja or en) of this process's texts, once; `is_command`: with the next steps of a terminal."""
    global _current, _is_command
    _current, _is_command = language, is_command


def current_language() -> str:
    return _current


class ErrorMessage(Struct, frozen=True):
    """One sentence about what happened and one about the next step, in the user's language."""

    message: str
    next: str

    def __str__(self) -> str:
        return f"{self.message}{self.next}" if self.message.endswith("。") else f"{self.message} {self.next}"


def describe(code: str, facts: Mapping[str, Any], language: str = "") -> ErrorMessage:
    """Return the message for an error code, in `language` or the current one; without an entry the unexpected
    error's."""
    language = language or _current
    if not is_error(code):
        return describe("unexpected", {"detail": f"{code} {dict(facts)}"}, language)
    entry = _section("errors", code)
    step = entry.get(f"{language}_command") if _is_command else None
    return ErrorMessage(
        spell_out(_fill(entry[language], facts, language)),  # facts include names of files and models
        spell_out(_fill(step or entry[f"{language}_next"], facts, language)),
    )


def is_error(code: str) -> bool:
    """Return whether there is an error with this code, which may come from a file."""
    return code in _sections("errors")


def describe_error(error: AppError, language: str = "") -> ErrorMessage:
    return describe(error.code, error.facts, language)


def outline_error(code: str) -> str:
    """Return the first sentence of an error without its placeholders and the brackets or quotes around them."""
    return _UNKNOWN_FACT.sub("", describe(code, {}).message)


def qt_words() -> Mapping[str, Mapping[str, str]]:
    """Return the Japanese texts that Qt's own catalogue lacks, by Qt's translation context and the English text."""
    return _load_file("qt")


def phrase(key: str, /, **facts: Any) -> str:
    """Return a text, filled with facts if there are any, else with its placeholders. Raises KeyError."""
    text = _find_entry(key)[_current]
    if not facts and "{{" not in text:
        return text
    return nest_quotes(_fill(text, facts, _current))


def nest_quotes(text: str) -> str:
    """Return the text with 『』 for each 「」 inside another, unless they are not in pairs, as in a shortened title."""
    if text.count("「") < 2:
        return text
    depth, parts = 0, []
    for mark in text:
        depth += mark == "「"
        parts.append({"「": "『", "」": "』"}.get(mark, mark) if depth == 2 else mark)
        depth -= mark == "」"
    return "".join(parts) if depth == 0 else text


def unique_name(name: str, used_names: Collection[str], characters: int = 100) -> str:
    """Return `name`, or, if it is in `used_names`, `name` with the first unused number from 2, of that length."""
    if name not in used_names:
        return name
    numbered = re.fullmatch(r"(.+?) ?[(\uff08]\d+[)\uff09]", name)  # a copy of a copy continues the numbers
    stem = numbered.group(1) if numbered else name
    number, found = 2, name
    while found in used_names:
        tail = phrase("common.numbered_name", name="", n=number)
        found = phrase("common.numbered_name", name=stem[: characters - len(tail)].rstrip(), n=number)
        number += 1
    return found


def phrase_or(key: str, otherwise: str) -> str:
    """Return the text of a key; `otherwise` if there is no such key, as may be for one from a file."""
    try:
        return phrase(key)
    except KeyError:
        return otherwise


def phrases(key: str) -> list[str]:
    """Return the text of a key in every language, to recognize it in files of any language."""
    return [_find_entry(key)[language] for language in LANGUAGES]


def field_name(key: str) -> str:
    """Return the displayed name of a field of model metadata; the key itself if there is none."""
    return phrase_or(f"system.field.{key}", key)


def shorten(text: str, characters: int) -> str:
    """Return the text, cut to at most `characters` characters; a text that is cut ends in …."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def format_size(size_bytes: int) -> str:
    """Return a size as text in GB (10^9 bytes), MB or kB."""
    if size_bytes >= 1e8:
        return f"{size_bytes / 1e9:.2f} GB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 5e4 else f"{size_bytes / 1e3:.1f} kB"


def format_time(seconds: float) -> str:
    """Return the local date and time as in "2026-11-30 04:15"; "" for 0. `seconds`: since 1970."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def format_duration(seconds: float) -> str:
    """Return a duration in words of the current language; "" for infinity and NaN, which mean unknown."""
    if not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    if minutes >= 60:
        return phrase("base.time_hours", h=minutes // 60, m=minutes % 60)
    if minutes:
        return phrase("base.time_minutes", m=minutes, s=rest)
    return phrase("base.time_seconds", s=rest)


def format_time_left(seconds: float) -> str:
    """Return the time left in words of the current language: in seconds below a minute, else rounded up to minutes."""
    if seconds < 60:
        return phrase("base.left_seconds", s=math.ceil(seconds))
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return phrase("base.left_minutes", m=minutes)
    return phrase("base.left_hours", h=minutes // 60, m=minutes % 60)


def help_text(key: str) -> str:
    """Return the help text of a command ("ask") or of an option of it ("ask --seed"), escaped for argparse."""
    help_: str = _section("help", key)[_current]
    return help_.replace("%", "%%")  # argparse would expand %(default)s and the like


def usage_problem(message: str) -> str:
    """Translate an English error message of argparse if the language is Japanese; else, or if unknown, return it."""
    if _current == "ja":
        for pattern, japanese in _load_file("system")["usage"]:
            match = re.fullmatch(pattern, message, re.DOTALL)
            if match:
                return str(match.expand(japanese)).replace("'", "")  # Python's quotes around choices
    return message


def error_codes() -> frozenset[str]:
    return frozenset(_sections("errors"))


def _fill(text: str, facts: Mapping[str, Any], language: str) -> str:
    """Return a text with its facts; in English the noun that a 1 counts is in the singular, with its verb."""
    if language == "en" and any(str(value) == "1" for value in facts.values()):
        text = _COUNTED.sub(lambda counted: _of_one(counted) if str(facts.get(counted[2])) == "1" else counted[0], text)
    return _formatter.vformat(text, (), _Facts(_prepare_facts(facts, language)))


def _of_one(counted: re.Match[str]) -> str:
    begin = counted[1].replace("There are", "There is")
    return f"{begin} {counted[3]}{counted[4]}{_VERBS_OF_ONE.get(counted[5], '')}"


def _prepare_facts(facts: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Return facts for a text: lists joined, `x_gb` for each `x_bytes`, and in Japanese the system's errors
    translated."""
    shown = {key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in facts.items()}
    if language == "ja":
        words = _system_words()
        shown = {key: words.get(value, value) if isinstance(value, str) else value for key, value in shown.items()}
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
    """Quote a text for a shell, unless it consists of letters, digits and the usual signs of paths."""
    if text and not re.search(r"[^\w@%+=:,./\\-]" if os.name == "nt" else r"[^\w@%+=:,./-]", text):
        return text
    return f'"{text}"' if os.name == "nt" else shlex.quote(text)


class _PlainFormatter(string.Formatter):
    """A formatter of {name} only, without attributes and items; {name!q} quotes the value for a shell."""

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        return shell_word(str(value)) if conversion == "q" and value != "?" else value

    def get_field(self, field_name: str, _args: Any, kwargs: Any) -> tuple[Any, str]:
        return kwargs[field_name], field_name


_formatter = _PlainFormatter()


@functools.cache
def _system_words() -> dict[str, str]:
    """Return Japanese by error text of the operating system and the document reader, from system.toml."""
    numbers = {getattr(errno, name, None): japanese for name, japanese in _load_file("system")["system"].items()}
    words = {os.strerror(number): japanese for number, japanese in numbers.items() if number is not None}
    reading: dict[str, str] = _load_file("system")["reading"]
    return words | reading


@functools.cache
def _load_file(name: str) -> dict[str, Any]:
    """Return the content of `resources/wording/NAME.toml`."""
    return tomllib.loads((resources() / "wording" / f"{name}.toml").read_text("utf-8"))


def _find_entry(key: str) -> dict[str, str]:
    """Return the entry of "file.key", or "file.group.member" of a table of similar ones. Raises KeyError."""
    name, _, rest = key.partition(".")
    if rest in _sections(name):
        return _section(name, rest)
    group, _, member = rest.partition(".")
    entry: dict[str, str] = _section(name, group)[member]
    return entry


@functools.cache
def _section(name: str, head: str) -> dict[str, Any]:
    """Return the content of `[head]` in `resources/wording/NAME.toml`. Raises KeyError.

    A page shows a tenth of its file, and parsing all of it would hold the window for a tenth of a second.
    """
    return tomllib.loads(_sections(name)[head])


@functools.cache
def _sections(name: str) -> dict[str, str]:
    """Return the unparsed sections of `resources/wording/NAME.toml` by their headings without quotes."""
    text = (resources() / "wording" / f"{name}.toml").read_text("utf-8")
    parts = f"\n{text}".split("\n[")[1:]
    return {head.replace('"', ""): body for head, _, body in (part.partition("]\n") for part in parts)}
