"""Terms of the documents' index: what a question and a document have in common when they mean the same.

For matching only; what is shown stays the original. Terms hold letters and digits, so that sqlite's tokenizer leaves
them whole.
"""

import re

from app.base import text
from app.documents.records import Section
from app.documents.values import dates, quantities
from app.documents.variants import MODERN

# Pairs of characters say more the fewer of them are kana: 橋脚, 滑り, ので.
WEIGHT_WORD, WEIGHT_MIXED, WEIGHT_KANA = 1.0, 0.5, 0.2
WEIGHT_LAST = 0.5  # the last character of a run alone
WEIGHT_NUMBER = 0.5  # 33 alone, which may be of anything

_JAPANESE = "\u3005-\u3007\u3041-\u309f\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_SPACED = re.compile(rf"(?<=[{_JAPANESE}])[ \u3000]+(?=[{_JAPANESE}])")
_KANA = re.compile("[\u3041-\u309f]")


def of_text(written: str) -> list[str]:
    """Terms of a text, in order. Old forms of kanji are taken for the new ones (橋梁の會社 has 会社)."""
    return text.terms(written.translate(MODERN))


def of_section(section: Section) -> tuple[list[str], list[str]]:
    """Terms of the heading path, and of the text with its values and dates. Tags would say the same of thousands."""
    heading = _SPACED.sub("", " ".join(section.heading))
    body = _SPACED.sub("", section.text)
    return of_text(heading), [*of_text(body), *of_values(body)]


def of_query(query: str) -> dict[str, float]:
    """Terms of a question with their weights (0 to 1)."""
    weights = {term: _weight(term) for term in of_text(query)}
    weights.update(dict.fromkeys(of_values(query), WEIGHT_WORD))
    return weights


def of_values(written: str) -> list[str]:
    """Terms of what is written in many ways: 24 N/mm² and ２４MPa, 昭和33年 and 1958年, 十年 and 10年."""
    found = [
        _letters(f"v{one.value:.6g}u{one.unit}")
        for one in quantities.parse(written)
        if one.unit and not one.unit.startswith("第")
    ]
    for date in dates.parse(written):
        if date.year:
            found += [f"date{date.year}"] + ([f"date{date.year}m{date.month}d{date.day}"] if date.month else [])
    return found


def _weight(term: str) -> float:
    if term.isdecimal():
        return WEIGHT_NUMBER
    if not _KANA.search(term):
        return WEIGHT_LAST if len(term) == 1 and not term.isascii() else WEIGHT_WORD
    is_all_kana = all(_KANA.match(character) or character == "ー" for character in term)
    weight = WEIGHT_KANA if is_all_kana else WEIGHT_MIXED
    return weight * WEIGHT_LAST if len(term) == 1 else weight


def _letters(value: str) -> str:
    """Signs as letters: the tokenizer would cut there."""
    return "".join(one if one.isalnum() else f"x{ord(one):x}" for one in value).casefold()
