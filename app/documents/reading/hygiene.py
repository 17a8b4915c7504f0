"""What of a document's text is not what its author wrote or a reader sees, and how its lines are joined."""

import re
import unicodedata

# UTF-8 read as CP932 (縺ゅ→, 繧, 繝; but 縺れ is a word), as Latin-1 (ã‚³ãƒ³), and glyph numbers of a PDF.
_UPPER = "\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€"
_MOJIBAKE = re.compile(rf"[繧繝][\u0080-\uffff]|縺[^れるりらっ\0-\x7f]|(?:[ãäåæçè][{_UPPER}]{{1,2}}){{2,}}|\(cid:\d+\)")
_NOT_LETTERS = re.compile("[\ufdd0-\ufdef\ufffd-\uffff\ue000-\uf8ff\U000f0000-\U0010ffff]")


def garbled(text: str) -> int:
    """How many characters stand where others were meant."""
    return len(_NOT_LETTERS.findall(text)) + sum(len(match[0]) for match in _MOJIBAKE.finditer(text))


def is_japanese(character: str) -> bool:
    """Whether it is written without spaces around it: kana, ideographs, full-width signs."""
    return character != "" and unicodedata.east_asian_width(character) in "WF"


def join(first: str, second: str) -> str:
    """Two lines that only the page's width has broken: no space in Japanese, no hyphen left of a parted word."""
    if not first or not second:
        return first + second
    if first[-1] == "\u00ad" or (_is_parted(first) and second[0].islower()):
        return first[:-1] + second
    if is_japanese(first[-1]) or is_japanese(second[0]) or first[-1] == " " or second[0] == " ":
        return first.rstrip(" ") + second.lstrip(" ")
    return f"{first} {second}"


def _is_parted(line: str) -> bool:
    return len(line) > 2 and line[-1] in "-\u2010" and line[-2].isalpha() and line[-2].isascii()


def folded(text: str) -> str:
    """To compare lines by: without spaces, and without what NFKC and case tell apart."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()
