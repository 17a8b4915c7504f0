"""Right answers made from a document's sentence in other words, and the same with one thing wrong.

Each function gives the changed text, or None where the text has nothing to change.
"""

import itertools
import random
import re
from collections.abc import Callable, Container
from typing import TypeVar

from app.documents.grounding import answer_markup
from app.documents.values import notation, quantities
from app.documents.values.notation import Date
from app.documents.values.quantities import Quantity

T = TypeVar("T")
Change = Callable[[str, random.Random], str | None]

SPELLINGS = {
    "N/mm²": "MPa",
    "N/mm2": "MPa",
    "MPa": "N/mm²",
    "mm": "ミリメートル",
    "cm": "センチメートル",
    "m": "メートル",
}
SPELLINGS |= {
    "km": "キロメートル",
    "m3/s": "㎥/秒",
    "m³/s": "立方メートル毎秒",
    "㎥/s": "m³/s",
    "m2": "㎡",
    "km2": "km²",
}
SPELLINGS |= {
    "％": "パーセント",
    "%": "％",
    "箇所": "か所",
    "か所": "箇所",
    "ヶ月": "か月",
    "か月": "ヶ月",
    "年間": "か年",
}
SPELLINGS |= {
    "kN": "キロニュートン",
    "kN/m²": "kPa",
    "kN/m2": "kPa",
    "℃": "°C",
    "km²": "平方キロメートル",
    "ha": "ヘクタール",
}
# Unit -> a smaller or larger one, and how many of it make one.
CONVERSIONS = {"m": ("cm", 100), "mm": ("cm", 0.1), "cm": ("mm", 10), "km": ("m", 1000), "時間": ("分", 60)}
CONVERSIONS |= {"kN": ("N", 1000), "ha": ("m²", 10_000), "分": ("秒", 60), "t": ("kg", 1000)}
OTHER_UNITS = {"mm": "cm", "cm": "mm", "m": "km", "km": "m", "N/mm²": "kN/mm²", "N/mm2": "kN/mm²", "MPa": "kPa"}
OTHER_UNITS |= {"%": "‰", "％": "割", "kN": "N", "時間": "分", "分": "時間", "年": "か月", "年間": "か月", "日": "年"}
OTHER_UNITS |= {"V": "kV", "km/h": "m/s", "℃": "％", "秒": "分", "倍": "％", "m3/s": "m/s", "㎥/s": "m/s", "m²": "m³"}
OTHER_UNITS |= {
    "回": "年",
    "か月": "年",
    "ヶ月": "年",
    "人": "件",
    "個": "回",
    "m2": "m³",
    "km2": "m²",
    "ha": "km²",
    "t": "kg",
}
OTHER_UNITS |= {
    "箇所": "%",
    "か所": "%",
    "週間": "か月",
    "円": "件",
    "cm/s": "m/s",
    "m/s": "m³/s",
    "割": "％",
    "度": "％",
}
OTHER_BOUNDS = {"以上": "以下", "以下": "以上", "以内": "以上", "未満": "以上"}
_ENDINGS = (
    ("としなければならない。", "とする必要があります。"),
    ("なければならない。", "なければなりません。"),
    ("とする。", "とします。"),
)
_ENDINGS += (
    ("である。", "です。"),
    ("する。", "します。"),
    ("される。", "されます。"),
    ("いる。", "います。"),
    ("れる。", "れます。"),
)
_ENDINGS += (("ない。", "ません。"), ("ある。", "あります。"))
_TURNED = (("なければならない。", "なくてもよい。"), ("てはならない。", "てもよい。"), ("とする。", "とはしない。"))
_TURNED += (("する。", "しない。"), ("である。", "ではない。"), ("できる。", "できない。"), ("される。", "されない。"))
_TURNED += (
    ("いる。", "いない。"),
    ("望ましい。", "望ましくない。"),
    ("を行う。", "を行わない。"),
    ("ある。", "ない。"),
)


# ---------------------------------------------------------------- right


def polite(text: str, _random: random.Random) -> str:
    """As somebody writes it who answers."""
    for ending, other in _ENDINGS:
        if text.endswith(ending):
            return text[: -len(ending)] + other
    return text


def other_width(text: str, _random: random.Random) -> str | None:
    """Full-width digits and letters for half-width ones, or the other way."""
    full = re.compile("[０-９Ａ-Ｚａ-ｚ．]")
    if full.search(text):
        return full.sub(lambda found: chr(ord(found.group()) - 0xFEE0), text)
    changed = re.sub("[0-9A-Za-z]", lambda found: chr(ord(found.group()) + 0xFEE0), text)
    return changed if changed != text else None


def other_spelling(text: str, random_: random.Random) -> str | None:
    return _each(text, random_, lambda value, written, unit: written[: -len(unit)] + SPELLINGS[unit], SPELLINGS)


def converted(text: str, random_: random.Random) -> str | None:
    def convert(value: Quantity, _written: str, unit: str) -> str:
        other, factor = CONVERSIONS[unit]
        return f"{value.number * factor:.10g}{other}"

    return _each(text, random_, convert, CONVERSIONS)


def in_kanji(text: str, random_: random.Random) -> str | None:
    """12回 as 十二回."""
    found = [one for one in _values(text) if one.number == int(one.number) and 2 <= one.number < 100 and one.unit]
    for one in _mixed(found, random_):
        written = text[one.start : one.end]
        digits = re.match(r"\d+", written)
        if digits and re.match("[ぁ-んァ-ヶ一-鿿]", written[digits.end() :]) and not one.is_range_start:
            tens, ones = divmod(int(one.number), 10)
            kanji = (
                ("" if tens < 2 else notation.KANJI_NUMERALS[tens])
                + "十" * (tens > 0)
                + (notation.KANJI_NUMERALS[ones] if ones else "")
            )
            return text[: one.start] + kanji + written[digits.end() :] + text[one.end :]
    return None


def other_commas(text: str, _random: random.Random) -> str | None:
    grouped = re.search(r"\d{1,3}(?:,\d{3})+", text)
    if grouped:
        return text[: grouped.start()] + grouped.group().replace(",", "") + text[grouped.end() :]
    days = notation.parse_dates(text)
    for one in _values(text):
        digits = re.match(r"\d{4,}", text[one.start : one.end])
        if digits and one.unit and not any(day.start < one.end and one.start < day.end for day in days):
            return text[: one.start] + f"{int(digits.group()):,}" + text[one.start + digits.end() :]
    return None


def other_era(text: str, random_: random.Random) -> str | None:
    """令和7年 as 2025年, and the other way."""
    for day in _mixed([one for one in notation.parse_dates(text) if one.year > 1989], random_):
        year = re.match(r"[^年]*年", text[day.start : day.end])
        if year:
            era, first = ("令和", 2018) if day.year > 2019 else ("平成", 1988)
            by_era = era + (str(day.year - first) if day.year - first > 1 else "元") + "年"
            other = by_era if re.match(r"[\d０-９]", year.group()) else f"{day.year}年"
            return text[: day.start] + other + text[day.start + year.end() :]
    return None


def range_in_words(text: str, _random: random.Random) -> str | None:
    """10～20m as 10mから20mまで."""
    values = _values(text)
    for first, last in itertools.pairwise(values):
        if first.is_range_start and re.fullmatch(r"\s?[~～〜]\s?", text[first.end : last.start]) and last.unit:
            unit = _unit(text[last.start : last.end])
            own = text[first.start : first.end]
            begins = own if _unit(own) else own + unit
            return f"{text[: first.start]}{begins}から{text[last.start : last.end]}まで{text[last.end :]}"
    return None


def bound_in_words(text: str, random_: random.Random) -> str | None:
    """5m以上 as 5mを下回らない値."""
    words = {"以上": "を下回らない値", "以下": "を超えない値", "未満": "より小さい値"}
    for one in _mixed(_values(text), random_):
        bound = text[one.end : one.bound_end]
        if bound in words and text[one.bound_end : one.bound_end + 1] in "とで、。":
            return text[: one.end] + words[bound] + text[one.bound_end :]
    return None


def rounded(text: str, random_: random.Random) -> str | None:
    """2,345m as 約2,300m."""
    for one in _mixed(_values(text), random_):
        written = text[one.start : one.end]
        digits = re.match(r"\d[\d,]*(?:\.\d+)?", written)
        if (
            digits
            and len(re.sub(r"\D", "", digits.group()).strip("0")) >= 3
            and one.unit
            and not one.bound
            and not one.is_range_start
        ):
            shown = f"{float(f'{one.number:.2g}'):,.10g}"
            return f"{text[: one.start]}約{shown}{written[digits.end() :]}{text[one.end :]}"
    return None


def shortened(text: str, random_: random.Random) -> str | None:
    """Without what stands between two commas and has no value."""
    clauses = text.split("、")
    spare = [at for at, clause in enumerate(clauses[:-1]) if not _values(clause) and not notation.parse_dates(clause)]
    if not spare or len(clauses) < 3:
        return None
    at = random_.choice(spare)
    return "、".join(clauses[:at] + clauses[at + 1 :])


RIGHT: dict[str, Change] = {
    "polite": polite,
    "shortened": shortened,
    "width": other_width,
    "unit spelled": other_spelling,
    "converted": converted,
    "kanji": in_kanji,
    "commas": other_commas,
    "era": other_era,
    "range": range_in_words,
    "bound": bound_in_words,
    "rounded": rounded,
}


# ---------------------------------------------------------------- wrong


def wrong_number(text: str, random_: random.Random) -> str | None:
    """One digit, or kanji, of a value is another."""
    values = [one for one in _values(text) if not one.unit.startswith("第")] or _values(text)
    for one in _mixed(values, random_):
        places = [at for at in range(one.start, one.end) if _row(text[at])]
        for at in _mixed(places, random_):
            row = _row(text[at])
            if "^" in text[max(0, at - 2) : at] or text[at - 1 : at] in "×m" or _unit_has(text, one, at):
                continue
            other = row[(row.index(text[at]) + random_.randint(1, 8)) % 9]
            return text[:at] + other + text[at + 1 :]
    return None


def wrong_unit(text: str, random_: random.Random) -> str | None:
    return _each(text, random_, lambda _value, written, unit: written[: -len(unit)] + OTHER_UNITS[unit], OTHER_UNITS)


def wrong_bound(text: str, random_: random.Random) -> str | None:
    for one in _mixed(_values(text), random_):
        bound = text[one.end : one.bound_end]
        if bound in OTHER_BOUNDS:
            return text[: one.end] + OTHER_BOUNDS[bound] + text[one.bound_end :]
    return None


def wrong_date(text: str, random_: random.Random) -> str | None:
    for date in _mixed(notation.parse_dates(text), random_):
        written = text[date.start : date.end]
        places = [at for at, character in enumerate(written) if character.isdigit()]
        for at in _mixed(places, random_):
            changed = written[:at] + ("6" if written[at] not in "6６" else "4") + written[at + 1 :]
            again = notation.parse_dates(changed)
            if again and again[0].end == len(changed) and not _is_same_day(again[0], date):
                return text[: date.start] + changed + text[date.end :]
    return None


def negated(text: str, _random: random.Random) -> str | None:
    """What is to be done is not to be done."""
    for ending, other in _TURNED:
        if text.endswith(ending):
            return text[: -len(ending)] + other
    return None


def swapped(text: str, passage: str, random_: random.Random) -> str | None:
    """A value is another one of the same unit that the passage says of something else."""
    there = quantities.parse(passage)
    for one in _mixed([value for value in _values(text) if value.unit], random_):
        own = text[one.start : one.end]
        others = [
            passage[other.start : other.end]
            for other in there
            if other.unit == one.unit and not other.has_value_of(one) and other.bound == one.bound
        ]
        others = [other for other in others if other not in text and _unit(other)]
        if others and _unit(own):
            return text[: one.start] + random_.choice(others) + text[one.end :]
    return None


WRONG: dict[str, Change] = {
    "number": wrong_number,
    "unit": wrong_unit,
    "date": wrong_date,
    "bound": wrong_bound,
    "negation": negated,
}


def _values(text: str) -> list[Quantity]:
    """Without those of marks of sources."""
    return quantities.parse(answer_markup.CITED_MARK.sub(lambda mark: "□" * len(mark.group()), text))


def _each(
    text: str, random_: random.Random, change: Callable[[Quantity, str, str], str], known: Container[str]
) -> str | None:
    """The text with one value changed whose unit is known."""
    for one in _mixed(_values(text), random_):
        written = text[one.start : one.end]
        unit = _unit(written)
        is_range_end = text[one.start - 1 : one.start] in "~～〜らし"  # its other end has no unit
        if unit in known and not one.is_range_start and not is_range_end:
            return text[: one.start] + change(one, written, unit) + text[one.end :]
    return None


def _unit(written: str) -> str:
    bare = re.sub(r"^(?:毎[秒分時]|[秒分時]速|マイナス)", "", written)
    return bare.lstrip("第0123456789０１２３４５６７８９., 　+-−．，一二三四五六七八九十百千万億〇")


def _unit_has(text: str, one: Quantity, at: int) -> bool:
    return at >= one.end - len(_unit(text[one.start : one.end]))


def _row(character: str) -> str:
    return next((row for row in ("123456789", "１２３４５６７８９", "一二三四五六七八九") if character in row), "")


def _is_same_day(one: Date, other: Date) -> bool:
    return (one.year, one.month, one.day) == (other.year, other.month, other.day)


def _mixed(found: list[T], random_: random.Random) -> list[T]:
    return random_.sample(found, len(found))
