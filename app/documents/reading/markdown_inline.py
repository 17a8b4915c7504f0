"""Markdown's signs inside a line taken away: what remains is what a reader sees."""

import html
import re
import unicodedata

LONGEST = 20_000  # characters; longer is no paragraph, and signs without an end would be looked for in all of it
_SUPERSCRIPTS = str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ")
_SUBSCRIPTS = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")
_DELETED = re.compile(r"~~.*?~~")
_COMMENT = re.compile(r"<!--.*?-->")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?>")
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)(?:\{[^}]*\})?")
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)(?:\{[^}]*\})?")
_SPAN = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\{[^}]*\}")
_ATTRIBUTES = re.compile(r"\s*\{[#.][^}]*\}")
_NOTE_MARK = re.compile(r"\[\^[^\]]+\]")
_RAISED = re.compile(r"(?<!\\)\^([^\s^]{1,24}?)(?<!\\)\^")
_LOWERED = re.compile(r"(?<![~\\])~([^\s~]{1,8})~(?!~)")
_STRONG = re.compile(r"(?<!\\)(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\\\w*])\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?![\w*])")
_CODE = re.compile(r"`+([^`]+)`+")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>~^|\"'$@&:])")
_ESCAPED_MARK = "\ue000"  # private use: stands for an escaped sign until all others are gone


def plain(text: str) -> str:
    """A line, or a paragraph whose lines are joined, without Markdown's signs.

    Raised and lowered digits become Unicode's (m³/s, H₂O), which NFKC folds back for matching.
    """
    if len(text) > LONGEST or not any(sign in text for sign in "*_`[]<>^~\\{&"):
        return text.strip()
    escaped: list[str] = []

    def set_aside(match: re.Match[str]) -> str:
        escaped.append(match[1])
        return _ESCAPED_MARK

    text = _ESCAPED.sub(set_aside, _DELETED.sub("", _COMMENT.sub("", text)))
    text = _IMAGE.sub("", text)
    text = _NOTE_MARK.sub("", text)
    for _ in range(3):  # a link around a link's number, as word processors write them
        text = _SPAN.sub(r"\1", _LINK.sub(r"\1", text))
    text = _ATTRIBUTES.sub("", text)
    text = _RAISED.sub(lambda match: _moved(match[1], _SUPERSCRIPTS), text)
    text = _LOWERED.sub(lambda match: _moved(match[1], _SUBSCRIPTS), text)
    text = _EMPHASIS.sub(r"\1", _STRONG.sub(r"\2", text))
    text = _TAG.sub("", _CODE.sub(r"\1", text))
    pieces = iter(escaped)
    return html.unescape(re.sub(_ESCAPED_MARK, lambda _match: next(pieces, ""), text)).strip()


def _moved(text: str, table: dict[int, int]) -> str:
    return unicodedata.normalize("NFKC", text).translate(table)


def joined(lines: list[str], width: int = 0) -> str:
    """Lines of one paragraph as one. Between Japanese characters there is no space.

    `width`: columns of the cell, 0: not a cell. A cell's lines are cut anywhere, also inside a word or a number: a
    line that fills its cell goes on without a space.
    """
    text = ""
    is_full = False
    for line in lines:
        piece = line.strip()
        if not piece:
            continue
        if text and not is_full and not (is_wide(text[-1]) or is_wide(piece[0])):
            is_number = width and piece[0].isdigit() and text[-1] in "0123456789."
            text += "" if is_number else " "
        text += piece
        is_full = 0 < width <= columns(line.rstrip()) + 1
    return text


def is_wide(character: str) -> bool:
    """Whether it takes two columns: Japanese, and what is as wide."""
    return unicodedata.east_asian_width(character) in "WF"


def columns(text: str) -> int:
    """Width in columns of a terminal, as pandoc counts it."""
    return sum(2 if is_wide(character) else 1 for character in text) if not text.isascii() else len(text)
