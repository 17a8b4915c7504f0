"""Read the marks of sources in answers ([1], ［出典2］, [1, 3-5]), and make look-alikes in documents harmless.

One grammar serves both, also in full width, with Markdown and HTML entities: &#51;0日 and 3**0**日 are 30日.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from app.base import invisible_characters
from app.base.lazy_pattern import lazy_pattern
from app.documents.values import notation

_OPEN, _CLOSE = r"[\[［]", r"[\]］]"
_DIGITS = "[0-9０-９]{1,2}"
_COMMA = r"\s*[、,，]\s*"
# Includes the spaces before; the lookbehind prevents quadratic search in a long run of spaces.
CITED_MARK = lazy_pattern(
    rf"(?:(?<!\s)\s+)?{_OPEN}(?:資料|出典)?\s*({_DIGITS}(?:(?:{_COMMA}|\s*-\s*){_DIGITS})*){_CLOSE}"
)
MARKS_AT_END = lazy_pattern(rf"[」』）)]*(?:{CITED_MARK.pattern}(?:{_COMMA}(?={_OPEN}))?)*")
_RANGE = lazy_pattern(rf"({_DIGITS})(?:\s*-\s*({_DIGITS}))?")

# Look-alikes of marks, in flattened text (`notation.flatten`): similar brackets that contain only numbers, words for a
# source, conjunctions, and characters that Markdown hides. Possessive, so that nothing is tried twice.
_WORDS = (
    "参考文献|参考|参照|文献|資料|出典|引用|根拠|番号|注|第|及び|および|から|まで|と"
    "|references|reference|refs|ref|sources|source|citations|citation|cites|cite|documents|document|docs|doc"
    "|notes|note|nos|no|and|to"
)
_NUMBER = r"(?<!\d)\d{1,3}(?!\d)|[①-⑳]|(?<![〇一二三四五六七八九十])[〇一二三四五六七八九十]{1,3}"
_EMPTY_LINK = r"!?\[[\s\\*_`~]*\]\([^()\n]{0,300}\)"
_FORGED = lazy_pattern(
    rf"[\[【〔〚⟦⦋](?=(?P<inside>(?:{_EMPTY_LINK}|{_NUMBER}|{_WORDS}|[\s\\*_`~^!.:,、;・&+-])++)[\]】〕〛⟧⦌])",
    re.IGNORECASE,
)
_HAS_NUMBER = lazy_pattern("[\\d①-⑳〇一二三四五六七八九十]")
HTML_ENTITY = r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,30});"


class SourceMark(NamedTuple):
    """A mark of sources in a text. `start`, `end`: offsets of its brackets. `numbers`: the sources, from 1."""

    start: int
    end: int
    numbers: tuple[int, ...]


def find_marks(text: str) -> Iterator[SourceMark]:
    """Yield the marks of a text, in order."""
    for found in CITED_MARK.finditer(text):
        start = found.start() + len(found.group()) - len(found.group().lstrip())
        yield SourceMark(start, found.end(), tuple(numbers_in_mark(found.group(1))))


def written_numbers(text: str, mark: SourceMark) -> list[SourceMark]:
    """Return each number between the brackets of a mark with its place: for 1-3 the first and the last."""
    found = re.compile(_DIGITS).finditer(text, mark.start, mark.end)
    return [SourceMark(number.start(), number.end(), (int(number[0]),)) for number in found]


def numbers_in_mark(inside: str) -> list[int]:
    """Return the source numbers in the text between brackets: 1, 3-5 stands for 1, 3, 4 and 5."""
    found = _RANGE.findall(inside)
    return [number for first, last in found for number in range(int(first), int(last or first) + 1)]


def neutralize_marks(text: str) -> str:
    """Return a document's text with （2） instead of [2], and without entities and hidden characters that could form
    it."""
    text = invisible_characters.to_plain_text(re.sub(HTML_ENTITY, _decoded, text))
    flat, origin = notation.flatten(text)
    characters = list(text)
    for found in _FORGED.finditer(flat):
        if _HAS_NUMBER.search(found["inside"]):
            characters[origin(found.start())], characters[origin(found.end("inside"))] = "（", "）"
    return "".join(characters)


def _decoded(match: re.Match[str]) -> str:
    """Decode an HTML entity, but keep one for <, > or &."""
    shown = html.unescape(match[0])
    return match[0] if set("<>&") & set(shown) else shown


_ESCAPED = r"\\(?=[!-/:-@\[-`{-~])"
_CIRCLED = rf"(?<=[^\s\n])[①-⑳㉑-㉟㊱-㊿⓪❶-❿⓫-⓴](?=\s?{notation.UNIT_PATTERN})"
_MARKUP = lazy_pattern(f"(?P<entity>{HTML_ENTITY})|(?P<escaped>{_ESCAPED})|(?P<circled>{_CIRCLED})")
_EMPHASIS = lazy_pattern(
    r"(?<![\\`])(?P<sign>\*{1,3}|__|~~|`)(?![\s*`])(?P<inside>[^\n]{0,2000}?[^\s\n])(?P=sign)(?![*`])"
)
_LINE_MARK = lazy_pattern(r"[ \t]*[*+-][ \t]", re.MULTILINE)
_TABLE = lazy_pattern(
    r"^[ \t]*\|.+\|[ \t]*\n[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*$(?:\n[ \t]*\|.*\|[ \t]*$)*", re.MULTILINE
)
_HEADING = lazy_pattern(r"^#{1,6}[ \t]+", re.MULTILINE)
_BULLET = lazy_pattern(r"^([ \t]*)[-*+][ \t]+", re.MULTILINE)
_CODE_BLOCK = lazy_pattern(r"(^[ \t]*```.*?(?:^[ \t]*```[ \t]*$|\Z))", re.MULTILINE | re.DOTALL)
# What is shown of a line, by the group that has it. Signs that may belong to a formula or a name are none of emphasis:
# 2**10, 幅**2 + 高さ**2, 5~~7 mm, 幅*高さ*奥行, __init__.
_SHOWN = lazy_pattern(
    r"(?<!`)(?P<ticks>`{1,2})(?!`)(?P<code>[^\n]{0,2000}?[^`\n])(?P=ticks)(?!`)"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])"
    rf"|(?P<entity>{HTML_ENTITY})"
    r"|(?:(?<![\dA-Za-z)）*~])|(?<![*~])(?=[*~]+[^\dA-Za-z(（*~]))(?P<strong>\*{2,3}|~~)(?![\s*~])"
    r"(?P<strongly>[^\n]{0,2000}?[^\s\\])(?P=strong)(?![\d*])"
    r"|(?<![\w)）*])(?P<light>\*)(?![\s*])(?P<lightly>[^\n*]{0,2000}?[^\s\\*])\*(?![\w(（*])"
    r"|(?<!\w)__(?![\s_])(?P<under>[^\n_]{0,2000}[^\x00-\x7f][^\n_]{0,2000}(?<!\s))__(?!\w)"
)


def plain_answer(answer: str) -> str:
    """Return an answer for places that render no Markdown: cells of a spreadsheet, and answers compared blind.

    It keeps source marks, code and other text. The cells of a table are joined by " / ", and items begin with ・,
    because spreadsheets interpret a leading hyphen as a formula; a single item has no sign.
    """
    parts = _CODE_BLOCK.split(answer)
    parts[::2] = map(_plain_part, parts[::2])
    text = "".join(parts).strip()
    return text if "\n" in text else text.removeprefix("・")


def _plain_part(text: str) -> str:
    return _SHOWN.sub(_shown, _BULLET.sub(r"\1・", _HEADING.sub("", _TABLE.sub(_plain_table, text))))


def _shown(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    inside = found[kind]
    if kind == "entity":
        return html.unescape(inside)
    return inside if kind in ("code", "escaped") else _SHOWN.sub(_shown, inside)  # emphasis may nest


def _plain_table(found: re.Match[str]) -> str:
    head, _, *rows = (re.split(r"(?<!\\)\|", line.strip()[1:-1]) for line in found[0].split("\n"))
    return "\n".join(" / ".join(cell.strip() for cell in row) for row in (head, *rows))


def strip_markup(answer: str) -> tuple[str, list[int]]:
    """Return the text without markup, and for each position in it and its end the position in the answer."""
    pieces = [(character, at) for at, character in enumerate(answer) if not _is_invisible(character)]
    pieces = _without_emphasis(pieces)
    text, origin = "".join(character for character, _ in pieces), [at for _, at in pieces]
    kept, places, begin = [], [], 0
    for match in _MARKUP.finditer(text):
        kept.append(text[begin : match.start()])
        places += origin[begin : match.start()]
        shown = _visible_text(match)
        kept.append(shown)
        places += [origin[match.start()]] * len(shown)
        begin = match.end()
    kept.append(text[begin:])
    places += origin[begin:]
    return "".join(kept), [*places, len(answer)]


def _visible_text(match: re.Match[str]) -> str:
    if match["escaped"]:
        return ""
    if match["circled"]:
        return str(int(unicodedata.numeric(match.group())))
    shown = html.unescape(match.group())
    return "".join(" " if character == "\xa0" else character for character in shown if not _is_invisible(character))


def _is_invisible(character: str) -> bool:
    """Whether a character is invisible or only modifies the one before it."""
    if character < "\x7f":
        return character < " " and character not in "\t\n\r"
    kind = unicodedata.category(character)
    return (
        kind in ("Cf", "Me")
        or (kind == "Mn" and character not in "\u3099\u309a")
        or character in "\u115f\u1160\u3164\uffa0"
    )


def _without_emphasis(pieces: list[tuple[str, int]]) -> list[tuple[str, int]]:
    for _ in range(2):  # emphasis may nest
        text = "".join(character for character, _ in pieces)
        marks = {at for found in _LINE_MARK.finditer(text) for at in range(*found.span())}
        gone: set[int] = set()
        for match in _EMPHASIS.finditer(text):
            start, end = match.span()
            if start in marks:
                continue
            length = len(match["sign"])
            gone |= {*range(start, start + length), *range(end - length, end)}
        if not gone:
            break
        pieces = [piece for at, piece in enumerate(pieces) if at not in gone]
    return pieces


def comparable_text(text: str) -> str:
    """Return the flattened text without blanks, full stops and quotation marks, to compare sentences."""
    return re.sub(r"[\s。．.「」『』“”]+", "", notation.flatten(text)[0])
