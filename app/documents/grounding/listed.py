"""The items that belong to a sentence which announces them: 次のとおりとする。 says nothing without what follows."""

import re
import unicodedata

ITEMS_MAX = 8
_LONGEST = 800  # characters, with the sentence

_ANNOUNCES = re.compile(
    r"(?<![目年順逐])[次左]の(?!日(?!程)|会(?![社員場計])|[回月年])"
    r"|[次左]に(?:掲|示|定|よ|該当)|(?<![^、。はを])以下[のに]|下記|(?<!前項)(?<!前条)各号|[：:]$"
)
_SIGN = re.compile(
    r"[\s　]*(?:[-*•・●○■]\s*|(?P<open>[（(]?)(?P<number>\d{1,2}|[①-⑳]|[一二三四五六七八九十]{1,3}|[ア-ヲ]|[a-z])"
    r"(?P<close>[）)．.、](?!\d)|(?=[\s　])|(?<=[①-⑳])))[\s　]*(?=\S)"
)
_FIRST = frozenset("1一アイai")  # イ: of イロハ


def end_of(text: str, start: int, end: int, last: int) -> tuple[int, bool]:
    """Where the items end that the sentence text[start:end] announces, and whether more follow; `end` for none.

    `last`: where the sentence's section ends.
    """
    if not _ANNOUNCES.search(text, start, end):
        return end, False
    line_end = _line_end(text, end, last)
    own, _ = _sign(text[text.rfind("\n", 0, start) + 1 : end])
    seen: set[str] = set()
    at, count = line_end, 0
    while at < last:
        following = _line_end(text, at + 1, last)
        kind, number = _sign(text[at + 1 : following])
        is_first = kind == "bullet" or (number in _FIRST and not (kind == "digits" and any(")" in one for one in seen)))
        is_item = bool(kind) and kind != own and (kind in seen or is_first)
        if not is_item:
            break
        if count == ITEMS_MAX or following - start > _LONGEST:
            return (at, True) if count else (end, False)
        seen.add(kind)
        at, count = following, count + 1
    return (at, False) if count else (end, False)


def _line_end(text: str, at: int, last: int) -> int:
    found = text.find("\n", at, last)
    return last if found < 0 else found


def _sign(line: str) -> tuple[str, str]:
    """The kind of sign that a line begins with, and its number; "": it begins with none."""
    found = _SIGN.match(line)
    if found is None:
        return "", ""
    if not found["number"]:
        return "bullet", ""
    number = unicodedata.normalize("NFKC", found["number"])
    if number.isdecimal():
        kind = "digits" if found["number"].isdecimal() else "circled"
    else:
        kind = "kana" if "ァ" <= number[0] <= "ヺ" else "letters" if number.isascii() else "kanji"
    signs = unicodedata.normalize("NFKC", f"{found['open']}{found['close']}")
    return f"{kind}{signs}", number
