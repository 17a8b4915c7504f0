"""An answer as its reader sees it.

&#51;0日, 3**0**日 and a 3 and a 0 with an invisible sign between them are all 30日.
"""

import html
import re
import unicodedata

from app.documents.grounding import source_marks
from app.documents.values import numerals, units

_ESCAPED = r"\\(?=[!-/:-@\[-`{-~])"
_CIRCLED = rf"(?<=[^\s\n])[①-⑳㉑-㉟㊱-㊿⓪❶-❿⓫-⓴](?=\s?{units.PATTERN})"
_MARKUP = re.compile(f"(?P<entity>{source_marks.ENTITY})|(?P<escaped>{_ESCAPED})|(?P<circled>{_CIRCLED})")
_EMPHASIS = re.compile(r"(?<![\\`])(?P<sign>\*{1,3}|__|~~|`)(?![\s*`])(?P<inside>[^\n]*?[^\s\n])(?P=sign)(?![*`])")
_LINE_MARK = re.compile(r"[ \t]*[*+-][ \t]", re.MULTILINE)


def plain(answer: str) -> tuple[str, list[int]]:
    """The text without what draws it, and of each of its places, and its end, the place in the answer."""
    pieces = [(character, at) for at, character in enumerate(answer) if not _is_unseen(character)]
    pieces = _without_emphasis(pieces)
    text, origin = "".join(character for character, _ in pieces), [at for _, at in pieces]
    kept, places, begin = [], [], 0
    for found in _MARKUP.finditer(text):
        kept.append(text[begin : found.start()])
        places += origin[begin : found.start()]
        shown = _shown(found)
        kept.append(shown)
        places += [origin[found.start()]] * len(shown)
        begin = found.end()
    kept.append(text[begin:])
    places += origin[begin:]
    return "".join(kept), [*places, len(answer)]


def _shown(found: re.Match[str]) -> str:
    if found["escaped"]:
        return ""
    if found["circled"]:
        return str(int(unicodedata.numeric(found.group())))
    shown = html.unescape(found.group())
    return "".join(" " if character == "\xa0" else character for character in shown if not _is_unseen(character))


def _is_unseen(character: str) -> bool:
    """Signs without a picture of their own, and those that only draw on the one before."""
    if character < "\x7f":
        return character < " " and character not in "\t\n\r"
    kind = unicodedata.category(character)
    return (
        kind in ("Cf", "Me")
        or (kind == "Mn" and character not in "\u3099\u309a")
        or character in "\u115f\u1160\u3164\uffa0"
    )


def _without_emphasis(pieces: list[tuple[str, int]]) -> list[tuple[str, int]]:
    for _ in range(2):  # one kind within another
        text = "".join(character for character, _ in pieces)
        marks = {at for found in _LINE_MARK.finditer(text) for at in range(*found.span())}
        gone: set[int] = set()
        for found in _EMPHASIS.finditer(text):
            start, end = found.span()
            if start in marks:
                continue
            length = len(found["sign"])
            gone |= {*range(start, start + length), *range(end - length, end)}
        if not gone:
            break
        pieces = [piece for at, piece in enumerate(pieces) if at not in gone]
    return pieces


def bare(text: str) -> str:
    """In one spelling, without blanks, full stops and quotation marks: what sentences repeat word for word."""
    return re.sub(r"[\s。．.「」『』“”]+", "", numerals.flatten(text)[0])
