"""Prompts, styles and patterns of `resources/evaluation/generation.toml`."""

import functools
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from app.base.paths import resources


@dataclass(frozen=True, slots=True)
class Style:
    """What a question asks for. `fits`: found in the passages that it suits; None suits all.

    `is_sentence` False: it is written as words for a search.
    """

    key: str
    instruction: str
    fits: re.Pattern[str] | None
    is_sentence: bool = True


@functools.cache
def styles() -> tuple[Style, ...]:
    return tuple(
        Style(
            one["key"],
            one["instruction"],
            re.compile(one["fits"], re.MULTILINE) if one["fits"] else None,
            one.get("is_sentence", True),
        )
        for one in _document()["style"]
    )


def prompt(key: str, **facts: str) -> str:
    text: str = _document()["prompts"][key]
    return text.format(**facts)


@functools.cache
def pattern(key: str) -> re.Pattern[str]:
    return re.compile(_document()["patterns"][key])


def grammar(key: str) -> tuple[str, ...]:
    """How a question may end, and what ends a sentence."""
    return tuple(_document()["grammar"][key])


def review(key: str) -> tuple[str, ...]:
    """What a column or a decision of the table may be called: in Japanese, in English, otherwise."""
    return tuple(_document()["review"][key])


@functools.cache
def _document() -> dict[str, Any]:
    return tomllib.loads((resources() / "evaluation" / "generation.toml").read_text("utf-8"))
