"""The numbers of Japanese headings: what level they stand for, whatever the format says of it."""

import re
import unicodedata
from dataclasses import dataclass

# Ranks, from the outermost. Decimal numbers follow: 1 is DECIMAL + 1, 1.1 is DECIMAL + 2.
PART, CHAPTER, SECTION, SUBSECTION, ARTICLE, DECIMAL = 10, 20, 30, 35, 38, 40
ITEM = 60  # （１）, 1), ①, ア: inside a clause
LONGEST = 80  # characters of a heading

_RANKS = {
    "編": PART,
    "部": PART + 2,
    "章": CHAPTER,
    "節": SECTION,
    "款": SUBSECTION,
    "目": SUBSECTION + 1,
    "条": ARTICLE,
}
DIGITS = "0-9〇一二三四五六七八九十百千"
_ORDINAL = re.compile(
    rf"第\s*([{DIGITS}]+(?:\s*[-‐ー]\s*[0-9]+)*)\s*([編部章節款目条])((?:の[{DIGITS}]+){{0,3}})(?=[\s（(「]|[^\s]|$)"
)
_NAMED_PART = re.compile(r"\S{1,18}編(?:\s*[（(][^）)]{1,12}[）)])?")
_APPENDIX = re.compile(r"(?:[附付]\s?則|付録|別表|別紙|別記|参考資料|巻末資料|Appendix\b)")
SUPPLEMENT = r"[附付]\s?則(?:\s?[（(][^（）()。]{1,60}[）)])?(?:\s?抄)?"
_SUPPLEMENT = re.compile(SUPPLEMENT)
_NUMBER = re.compile(
    r"(\d{1,3}(?:[.．]\d{1,3})+|\d{1,3}(?:[.．]\s\d{1,3}){2,}|\d{1,2}(?:[-‐]\d{1,2}){1,3}|\d{1,2})[.．]?(?=\s|[^\d\s.,%％～~/A-Za-z°])"
)
_ITEM = re.compile(
    r"(?:[（(](\d{1,2}|[アイウエオカキクケコa-zivx])[）)]|(\d{1,2})[）)]|([①-⑳])|([アイウエオカキクケコイロハニホヘト])[.．、)）\s])\s*"
)
_SPOKEN = re.compile(r"(?:[、.,，．:：とはがをにでて]|参照|による|ずる|する|れる|こと|である|ない)$")
_UNIT = re.compile(
    r"倍|割|分|秒|時間|年|月|日|回|度|点|万|億|千|百|以上|以下|未満|程度|から|まで|メートル|センチ|ミリ|キロ|パーセント|トン"
    r"|[kcmμ]?m\b|kg\b"
)
_KANJI = {character: value for value, character in enumerate("〇一二三四五六七八九")}
_UNITS = {"十": 10, "百": 100, "千": 1000}


@dataclass(frozen=True, slots=True)
class Number:
    """What the number of a heading says. `ordinal`: its last part; 0: it has none (附則, 調査編)."""

    rank: int
    ordinal: int
    length: int  # characters of the folded text that are the number


def fold(text: str) -> str:
    """For reading numbers: full width as half width, one space for many."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def number_of(folded: str) -> Number | None:
    """The number that a folded line begins with; None: it has none that a heading could have."""
    if match := _ORDINAL.match(folded):
        return Number(_RANKS[match[2]], value_of(re.split(r"\s*[-‐ー]\s*", match[1])[-1]), match.end())
    if _APPENDIX.match(folded):
        return Number(CHAPTER, 0, 0)
    if match := _NUMBER.match(folded):
        parts = [int(part) for part in re.split(r"[-‐.．]", match[1])]
        if all(parts):  # 127.0.1.1 and 1.0 are no clauses
            return Number(DECIMAL + len(parts), parts[-1], match.end())
    if _NAMED_PART.fullmatch(folded):
        return Number(PART, 0, 0)
    return None


def item_of(folded: str) -> Number | None:
    """（１）, 1), ① or ア at the beginning of a line."""
    if match := _ITEM.match(folded):
        kind = next(place for place, group in enumerate(match.groups()) if group is not None)
        return Number(ITEM + kind, 0, match.end())
    return None


def is_spoken(folded: str) -> bool:
    """Whether it ends like a sentence or goes on: no heading does."""
    return "。" in folded or bool(_SPOKEN.search(folded))


def is_strong(folded: str) -> bool:
    """Whether a line of plain text is a heading by itself: 第3章 …, or 3.2.1 … with a title and no sentence."""
    if not folded or len(folded) > LONGEST or is_spoken(folded):
        return False
    number = number_of(folded)
    if number is None or number.ordinal == 0 or number.length == len(folded) > 6:
        return False
    title = folded[number.length :].strip()
    if number.rank < DECIMAL:
        return len(title) <= 50 and not title.startswith(("の", "に", "を", "は", "が", "で", "、", "及び", "から"))
    return number.rank >= DECIMAL + 2 and 0 < len(title) <= 50 and not title[0].isdigit() and not _is_quantity(title)


def is_supplement(folded: str) -> bool:
    """附則 or 附則(令和2年規則第10号)抄, whose articles are counted anew."""
    return bool(_SUPPLEMENT.fullmatch(folded))


def split_running(text: str) -> list[str]:
    """第2章 … 第8節 … on one line are two headings."""
    places = [match.start() for match in re.finditer(r"第\s*[0-9０-９]+\s*[編章節](?=[\s　])", text)]
    if len(places) < 2 or places[0] != 0:
        return [text]
    return [text[start:end].strip() for start, end in zip(places, [*places[1:], len(text)], strict=True)]


def value_of(digits: str) -> int:
    """12, 十二, 一〇 or 百 as a number."""
    if digits.isdigit():
        return int(digits)
    value, unit = 0, 0
    for character in digits:
        if character in _KANJI:
            unit = unit * 10 + _KANJI[character]
        else:
            value += max(1, unit) * _UNITS[character]
            unit = 0
    return value + unit


def _is_quantity(title: str) -> bool:
    """2.5 倍 or 3.2 メートル is no heading."""
    return bool(_UNIT.match(title))
