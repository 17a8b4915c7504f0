"""What follows from the values of a text by counting: how long it is between two days or hours, when a term ends."""

import dataclasses
import datetime
import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

from app.documents.values import dates, quantities, units
from app.documents.values.dates import Date
from app.documents.values.quantities import Quantity

_DAY = datetime.timedelta(days=1)
_SECONDS = 86_400
_UNTIL = re.compile(r"\s?(?:[(（][^()（）]{1,4}[)）])?\s?(?:から|より|[~～〜―–-])\s?")
_ITEM = re.compile(r"(?:^|[\s。、　])(?:[(（]?(?P<number>\d{1,2})[)）.．]|(?P<circled>[①-⑳]))")
_EACH = re.compile(
    r"(?<![\d一二三四五六七八九十百千])(?P<each>[年月週日時])(?:額|給|(?=[\d０-９]))|毎(?P<every>[年月週日時分秒])"
)
_PERIODS = {
    "年": ("か月", 12.0), "半期": ("か月", 6.0), "四半期": ("か月", 3.0), "月": ("か月", 1.0),
    "週": ("s", 604_800.0), "日": ("s", 86_400.0), "朝": ("s", 86_400.0), "夕": ("s", 86_400.0), "晩": ("s", 86_400.0),
}  # fmt: skip
_TIMES = r"(?!間?に?、?\s?[\d０-９一二三四五六七八九十]{1,3}\s?[回度])"  # 毎週2回 says how often itself
_INTERVAL = re.compile(
    rf"(?:毎|(?P<other>隔))(?P<unit>[年月週日朝夕晩]){_TIMES}"
    rf"|(?<![一-鿿\d０-９])(?P<each>年|月|週|日|四半期|半期)(?:ごと|毎)(?:に)?{_TIMES}"
)
_EACH_TIME = re.compile(rf"\s?(?:ごと|毎|(?P<skipping>おき))(?:に)?{_TIMES}")
_FIRST = re.compile("最初|初回|初めて|はじめて|冒頭|先頭")
_SHARE = re.compile("半|倍|分の|割")
_TOTAL = re.compile("(?:計|合わせ|あわせ|全部|総[額数量]|両方|足す|全体|トータル)[^、。,\\d]{0,8}(?:約|およそ)?$")
_DIFFERENCE = re.compile("差|違い|(?:より|に比べ|に対し).*(?:[多高長大短低少早遅安広狭重軽深浅増減]|上回|下回|差)")
_AND = re.compile("、|・|と(?!き)|や|及び|および|並びに|又は|または|,")
_CLOSE = 1e-6
_ALL = re.compile("全(?:額|量|数)")
_COUNTED = ("つ", "点", "項目", "種類", "個", "件")


def of_text(text: str) -> list[Quantity | Date]:
    """Return the values that a text does not write but gives: 2年間 of two dates, the end of a term, a list's count."""
    days = [day for day in dates.with_years(dates.parse(text)) if day.year and day.month]
    values = quantities.parse(text)
    return [
        *_lengths(text, days), *_ends(text, days, values), *_hours(values), *_counts(text), *_ones(text),
        *_often(values), *_each_of(text, values),
    ]  # fmt: skip


def is_worked_out(value: Quantity, text: str, given: Sequence[Quantity]) -> bool:
    """Whether a text says that it works a value out of given ones, and it comes to that.

    A total (合わせて80人), a difference (20分長い), a share (3分の1), or so many for each that it lists (2本ずつ).
    """
    written, following = text[value.start : value.end], text[value.end :]
    alike = [one.value * (60 if one.unit == "時" else 1) for one in given if _is_alike(one, value)]
    if _SHARE.search(written) and value.unit == "%":
        return any(
            one.unit == other.unit and other.value and value.has_value(100 * one.value / other.value)
            for one in given for other in given
            if one.unit not in ("", "%") and not one.unit.startswith("第") and one is not other
        )  # fmt: skip
    if following.startswith("ずつ"):
        times = _listed(text[: value.start])
        return times > 1 and any(abs(one - value.value * times) < _CLOSE * abs(one) for one in alike)
    numbers = list(dict.fromkeys(alike))
    if _TOTAL.search(text[: value.start]):
        own = [one.value for one in quantities.parse(text) if one.unit == value.unit and one.start != value.start]
        sums = [one + other for one, other in combinations(alike, 2)]
        sums += [sum(alike[at : at + many]) for many in range(3, 13) for at in range(len(alike) - many + 1)]
        sums += [sum(own)] if len(own) > 1 and all(one in numbers for one in own) else []
        if any(abs(one - value.value) < _CLOSE * abs(one) for one in sums):
            return True
    differences = [abs(one - other) for one, other in combinations(numbers, 2)] if _DIFFERENCE.search(text) else []
    return any(one and abs(one - value.value) < _CLOSE * one for one in differences)


def _is_alike(one: Quantity, value: Quantity) -> bool:
    return one.unit == value.unit or (one.unit == "時" and value.unit == "s")


def _listed(before: str) -> int:
    """How many things a clause lists before に2本ずつ: 朝と夕, 1号棟、2号棟及び3号棟; 毎朝夕 and 朝昼晩 as well."""
    clause = re.split(r"[。はが]、?", before)[-1]
    day = re.search(r"(?:朝|昼|夕|晩|夜){2,3}(?:に|で|の|食)?[^、。]{0,6}$", clause)
    return len(re.findall("[朝昼夕晩夜]", day.group())) if day else len(_AND.split(clause))


def intervals(text: str) -> list[Quantity]:
    """Return 毎週, 隔月 and 2年ごと as once in so long, behind the words that say so."""
    found = [
        _once(*_PERIODS[one["unit"] or one["each"]], (2 if one["other"] else 1), one.end())
        for one in _INTERVAL.finditer(text)
    ]
    for value in quantities.parse(text):
        each = _EACH_TIME.match(text, value.end) if value.unit in ("か月", "s") and value.value > 0 else None
        if each:
            found.append(_once(value.unit, value.value, 1, each.end()))
            if each["skipping"] and value.number == 1:  # 1日おき is every other day
                found.append(_once(value.unit, value.value, 2, each.end()))
    return sorted(found, key=lambda one: one.start)


def _once(unit: str, size: float, times: int, end: int) -> Quantity:
    return Quantity(1, "回", end, end, 1, bound_end=end, per=(unit, size * times))


def _lengths(text: str, days: list[Date]) -> Iterator[Quantity]:
    """Yield how long it is from one day to the next, with the last day and without it."""
    for begin, end in pairwise(sorted(days, key=lambda day: day.start)):
        if not _UNTIL.fullmatch(text, begin.end, end.start) or bool(begin.day) != bool(end.day):
            continue
        first, last = _calendar(begin), _calendar(end)
        if first is None or last is None or first > last:
            continue
        if not begin.day:
            yield _value((last.year - first.year) * 12 + last.month - first.month + 1, "か月")
            continue
        for stop in (last, last + _DAY):
            yield _value((stop - first).days * _SECONDS, "s")
            if stop.day == first.day:
                yield _value((stop.year - first.year) * 12 + stop.month - first.month, "か月")


def _ends(text: str, days: list[Date], values: list[Quantity]) -> Iterator[Date]:
    """Yield the last day of 2027年10月1日から2年間, and the day after it."""
    for day in days:
        first = _calendar(day)
        for value in values:
            is_next = value.unit in ("か月", "s") and _UNTIL.fullmatch(text, day.end, value.start)
            if first is None or not day.day or not is_next or not 0 < value.value < 1e10:
                continue
            try:
                if value.unit == "s":
                    stop = first + datetime.timedelta(seconds=value.value)
                else:
                    month = first.year * 12 + first.month - 1 + round(value.value)
                    stop = first.replace(year=month // 12, month=month % 12 + 1)
                ends = (stop, stop - _DAY)
            except (ValueError, OverflowError):  # no calendar has that day
                continue
            for end in ends:
                yield Date(end.year, end.month, end.day, day.start, value.end)


def _hours(values: list[Quantity]) -> Iterator[Quantity]:
    """Yield how long it is from 9時 to 17時, or over midnight."""
    for begin, end in pairwise(values):
        if begin.unit == end.unit == "時" and begin.is_range_start and end.is_range_end:
            yield _value((end.value - begin.value) % 1440 * 60, "s")


def _counts(text: str) -> Iterator[Quantity]:
    """Yield the number of items of each list that is numbered from 1."""
    last = 0
    for found in [*_ITEM.finditer(text), None]:
        number = 0
        if found is not None:
            number = int(found["number"]) if found["number"] else ord(found["circled"]) - ord("①") + 1
        if number != last + 1:
            if last > 1:
                yield from (_value(last, unit) for unit in _COUNTED)
                yield from (_value(nth, "第") for nth in range(1, last + 1))
            number = number if number == 1 else 0
        last = number


def _often(values: list[Quantity]) -> Iterator[Quantity]:
    """Yield the 6か月 of 年2回, as which it may be said: 6か月ごと."""
    for value in values:
        if value.per and value.unit == "回" and value.value > 0 and value.per[0] in ("か月", "s"):
            yield _value(value.per[1] / value.value, value.per[0])


def _each_of(text: str, values: list[Quantity]) -> Iterator[Quantity]:
    """Yield the 2回 of 朝と夕に1回ずつ."""
    for value in values:
        times = _listed(text[: value.start]) if text.startswith("ずつ", value.end) else 1
        if times > 1:
            yield _value(value.value * times, value.unit)


def _ones(text: str) -> Iterator[Quantity]:
    """Yield the 1か月 of 月額, 毎月 and 月2回, and the 100% of 全額."""
    for found in _EACH.finditer(text):
        each = found["each"] or found["every"]
        unit = units.of({"月": "か月", "時": "時間"}.get(each, each))
        yield _value(unit.factor, unit.name)
    if _FIRST.search(text):
        yield _value(1, "第")
    if _ALL.search(text):
        yield _value(100, "%")


def _times(text: str, values: list[Quantity]) -> Iterator[Quantity]:
    """Yield the 1回 of 2年ごと, which is once in two years; where a text names periods, of each length of time."""
    is_period = re.search("周期|間隔|頻度", text) is not None
    for value in values:
        if value.unit in ("s", "か月") and (is_period or re.match("ごと|毎|おき", text[value.end :])):
            yield dataclasses.replace(_value(1, "回"), number=1, per=(value.unit, value.value or 1.0))


def _calendar(day: Date) -> datetime.date | None:
    try:
        return datetime.date(day.year, day.month, day.day or 1)
    except ValueError:
        return None


def _value(value: float, unit: str) -> Quantity:
    return Quantity(value, unit, 0, 0, value)
