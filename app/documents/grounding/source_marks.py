"""Marks of sources ([1], ［出典2］, [1, 3-5]): how they are read, and how those of a document lose their shape.

One grammar for both. What is read is a part of what is neutralised, in whatever way a text that was copied out of a
document is shown later: in full width, with signs of Markdown, or as entities of HTML.
"""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from app.base import invisible_characters
from app.documents.values import numerals

_OPEN, _CLOSE = r"[\[［]", r"[\]］]"
_DIGITS = "[0-9０-９]{1,2}"
_COMMA = r"\s*[、,，]\s*"
# With the spaces before; the condition keeps a long run of spaces from being tried at each of them.
CITED = re.compile(rf"(?:(?<!\s)\s+)?{_OPEN}(?:資料|出典)?\s*({_DIGITS}(?:(?:{_COMMA}|\s*-\s*){_DIGITS})*){_CLOSE}")
AT_END = re.compile(rf"[」』）)]*(?:{CITED.pattern}(?:{_COMMA}(?={_OPEN}))?)*")
_RANGE = re.compile(rf"({_DIGITS})(?:\s*-\s*({_DIGITS}))?")

# What a document may have for it, in flattened text (`numerals.flatten`): brackets that look alike, and between them
# nothing but numbers, words for a source, what joins those, and signs that Markdown hides. Possessive: no piece is
# tried twice.
_WORDS = (
    "参考文献|参考|参照|文献|資料|出典|引用|根拠|番号|注|第|及び|および|から|まで|と"
    "|references|reference|refs|ref|sources|source|citations|citation|cites|cite|documents|document|docs|doc"
    "|notes|note|nos|no|and|to"
)
_NUMBER = r"(?<!\d)\d{1,3}(?!\d)|[①-⑳]|(?<![〇一二三四五六七八九十])[〇一二三四五六七八九十]{1,3}"
_EMPTY_LINK = r"!?\[[\s\\*_`~]*\]\([^()\n]{0,300}\)"
_FORGED = re.compile(
    rf"[\[【〔〚⟦⦋](?=(?P<inside>(?:{_EMPTY_LINK}|{_NUMBER}|{_WORDS}|[\s\\*_`~^!.:,、;・&+-])++)[\]】〕〛⟧⦌])",
    re.IGNORECASE,
)
_HAS_NUMBER = re.compile("[\\d①-⑳〇一二三四五六七八九十]")
ENTITY = r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,30});"  # of HTML


class Mark(NamedTuple):
    """`start`, `end`: of the brackets."""

    start: int
    end: int
    numbers: tuple[int, ...]


def find(text: str) -> Iterator[Mark]:
    """The marks of a text, in order."""
    for found in CITED.finditer(text):
        start = found.start() + len(found.group()) - len(found.group().lstrip())
        yield Mark(start, found.end(), tuple(numbers(found.group(1))))


def written_numbers(text: str, mark: Mark) -> list[Mark]:
    """Return each number between the brackets of a mark, with its place: of 1-3 the first and the last."""
    found = re.compile(_DIGITS).finditer(text, mark.start, mark.end)
    return [Mark(number.start(), number.end(), (int(number[0]),)) for number in found]


def numbers(inside: str) -> list[int]:
    """Of what stands between the brackets: 1, 3-5 names 1, 3, 4 and 5."""
    found = _RANGE.findall(inside)
    return [number for first, last in found for number in range(int(first), int(last or first) + 1)]


def neutralised(text: str) -> str:
    """Return a document's text with （2） for its own [2], so that nothing in it is read as the mark of a source.

    Entities of HTML are decoded and what nobody sees is left out: either could make a mark later.
    """
    text = invisible_characters.to_plain_text(re.sub(ENTITY, _decoded, text))
    flat, origin = numerals.flatten(text)
    letters = list(text)
    for found in _FORGED.finditer(flat):
        if _HAS_NUMBER.search(found["inside"]):
            letters[origin(found.start())], letters[origin(found.end("inside"))] = "（", "）"
    return "".join(letters)


def _decoded(found: re.Match[str]) -> str:
    """Signs of markup stay as they are written."""
    shown = html.unescape(found[0])
    return found[0] if set("<>&") & set(shown) else shown
