"""Derive values that a text implies: durations between dates or hours, ends of terms, counts, and rates."""

import datetime
import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise, permutations

from msgspec import structs

from app.base.lazy_pattern import lazy_pattern
from app.documents.values import notation, quantities
from app.documents.values.notation import Date
from app.documents.values.quantities import Quantity

_DAY = datetime.timedelta(days=1)
_SECONDS = 86_400
_UNTIL = lazy_pattern(r"\s?(?:[(（][^()（）]{1,4}[)）])?\s?(?:から|より|[~～〜―–-])\s?")
_ITEM = lazy_pattern(r"(?:^|[\s。、　])(?:[(（]?(?P<number>\d{1,2})[)）.．]|(?P<circled>[①-⑳]))")
_EACH = lazy_pattern(
    r"(?<![\d一二三四五六七八九十百千])(?:(?P<each>[年月週日時])(?:額|給|(?=[\d０-９]))|(?P<long>[年月週])間(?!隔))|毎(?P<every>[年月週日時分秒])"
)
_TIMES = r"(?!間?に?、?\s?[\d０-９一二三四五六七八九十]{1,3}\s?[回度])"  # 毎週2回 is already a rate
_INTERVAL = lazy_pattern(
    rf"(?:毎|(?P<other>隔))(?P<unit>[年月週日朝夕晩]){_TIMES}"
    rf"|(?<![一-鿿\d０-９かヶケカヵ])(?P<each>年|月|週|日|四半期|半期)(?:ごと|毎)(?:に)?{_TIMES}"
)
_WEEKDAYS = lazy_pattern(
    "(?:第\\s?[1-5１-５一二三四五](?:週の?)?(?:[日月火水木金土]曜日?)?(?:、|,|・|と|及び|および|並びに)?)+(?<=曜)日?"
)
_EACH_TIME = lazy_pattern(rf"\s?(?:ごと|毎|(?P<skipping>おき))(?:に)?{_TIMES}")
_RATIO = lazy_pattern(r"(?<!\d)(?P<one>\d{1,3})\s?(?:対|:)\s?(?P<other>\d{1,3})(?!\d)")
_FIRST = lazy_pattern("最初|初回|初めて|はじめて|冒頭|先頭")
_SHARE = lazy_pattern("半|倍|分の|割")
_TOTAL = lazy_pattern(
    r"(?:(?:合計|合わせ|あわせ|全部で|両方で|足すと|含め|加えて?る?と|トータル)[^。、]{0,6}、?[^。、]{0,10}"
    r"|(?:(?<![一-鿿])計|総[額数量]は|全体で)[^、。,\d]{0,4})$"
)
_SUPPOSED = lazy_pattern("[^、。\\d]{0,4}(?:なら|だと|であれば|だったら|(?:の|いる|ある)場合|のとき)")
_MORE = "(?:[多高長大短低少早速遅安広狭重軽深浅]|上回|下回|増え|減)"
_DIFFERENCE = lazy_pattern(rf"(?:ほど|だけ|も|分)?\s?{_MORE}|の(?:差|違い|開き)")  # matches after a value
_DIFFERS = lazy_pattern(r"(?:差|違い|開き)(?:は|が)[^、。]{0,4}$")  # matches before a value
_DAY_PARTS = lazy_pattern(  # 朝夕, 朝、昼及び晩, 午前と午後
    r"(?:(?:午前|午後|[朝昼夕晩夜])(?:食)?(?:方|前|後)?(?:、|・|と|や|及び|および|の)*){2,3}(?:に|で)?[^、。]{0,4}$"
)
_AND = lazy_pattern("、|・|と(?!き)|や|及び|および|並びに|又は|または|,")
_NEXT = {"<": (-1, "<="), ">": (1, ">="), "<=": (1, "<"), ">=": (-1, ">")}
_MOST = 8  # values in a calculation: with more, some combination gives any number
_MOST_OF_ITS_OWN = 40  # values of one sentence; with more it is not checked
_CLOSE = 1e-6
_ALL = lazy_pattern("全(?:額|量|数)")
_CYCLE = lazy_pattern("周期|間隔|頻度")
_COUNTED = ("つ", "点", "項目", "種類", "個", "件")


def derive_values(text: str) -> list[Quantity | Date]:
    """Return the values that a text implies: 2年間 between two dates, the end of a term, the length of a list."""
    days = [day for day in notation.with_years_filled(notation.parse_dates(text)) if day.year and day.month]
    values = quantities.parse(text)
    return [
        *_lengths(text, days), *_ends(text, days, values), *_hours(text, values), *_counts(text), *_ones(text),
        *_frequency_intervals(values), *_integer_limits(values), *_cycles(text),
    ]  # fmt: skip


def find_calculated_values(text: str, groups: Sequence[Sequence[Quantity]]) -> list[Quantity]:
    """Return values that are a total (合わせて80人), difference, share or amount for each of one group's values."""
    own = quantities.parse(text)
    if len(own) > _MOST_OF_ITS_OWN:
        return []
    return [value for value in own if any(_comes_to(value, text, group, own) for group in groups)]


def _comes_to(value: Quantity, text: str, group: Sequence[Quantity], own: Sequence[Quantity]) -> bool:
    """Whether the value is the result of a calculation with the values of the group."""
    before, written = text[: value.start], text[value.start : value.end]
    if value.unit == "%" and _SHARE.search(written):
        return (
            len(group) <= _MOST
            and not any(map(_is_share, group))
            and any(
                one.unit == other.unit and other.value and value.has_value(100 * one.value / other.value)
                for one, other in permutations(group, 2)
                if one.unit not in ("", "%", "時", "年生") and not one.unit.startswith("第")
            )
        )
    alike = [one.value * (60 if one.unit == "時" else 1) for one in group if _is_alike(one, value)]
    if not value.unit or not 0 < len(alike) <= _MOST:
        return False
    found: list[float] = []
    if text.startswith("ずつ", value.end):
        found += [one / times for one in alike if (times := _listed(before)) > 1]
    if _TOTAL.search(before):
        mine = [one for one in own if one.start != value.start]
        found += [one + other for one, other in combinations(alike, 2)]
        found += [sum(alike[at : at + many]) for many in range(3, _MOST) for at in range(len(alike) - many + 1)]
        found += [
            one.value * other.value for one, other in combinations(mine, 2) if value.unit in (one.unit, other.unit)
        ]
    if value.per and value.unit != "回":  # 8回で9,600円 is 1,200円 each
        unit, size = value.per
        found += [one / other.value * size for one in alike for other in group if other.unit == unit and other.value]
    if value.unit == "s" and re.search("から[^。]*まで", before):
        clocks = [one.value for one in group if one.unit == "時"]
        found += [(one - other) % 1440 * 60 for one, other in permutations(clocks, 2)]
    if ("より" in before and _DIFFERENCE.match(text, value.end)) or _DIFFERS.search(before):
        found += [abs(one - other) for one, other in combinations(alike, 2)]
    for many in own:  # 2枚なら100円
        is_each = any(one.unit == many.unit and one.is_per and one.number == 1 for one in group)
        if is_each and many.unit in notation.COUNTED and _SUPPOSED.match(text, many.end):
            if many.start == value.start:
                return True
            found += [one * many.value for one in alike]
    shares = [one for one in own if one.unit == "%" and re.fullmatch("の[^、。]{0,3}", text[one.end : value.start])]
    found += [one * share.value / 100 for one in alike for share in shares]
    if value.unit == "円":  # 6,500円とし、2人目は半額
        found += [one * share.value / 100 for one in alike for share in group if share.unit == "%" and _is_share(share)]
    return any(one and abs(one - value.value) <= _CLOSE * abs(one) for one in found)


def _is_share(value: Quantity) -> bool:
    """Whether the value is a half, a double, a third or the like."""
    return value.unit == "%" and (value.value in (50, 200) or value.number < 1)


def _is_alike(quantity: Quantity, value: Quantity) -> bool:
    return quantity.unit == value.unit or (quantity.unit == "時" and value.unit == "s")


def _listed(before: str) -> int:
    """Return the number of things that a clause lists before に2本ずつ: 朝と夕, 1号棟、2号棟及び3号棟, 朝昼晩."""
    clause = re.split(r"[。はが]、?", before)[-1]
    day = _DAY_PARTS.search(clause)
    return len(re.findall("午前|午後|[朝昼夕晩夜]", day.group())) if day else len(_AND.split(clause))


def parse_intervals(text: str) -> list[Quantity]:
    """Return the intervals of a text (毎週, 隔月, 2年ごと) as frequencies, such as once per week, at their places."""
    found = _named_intervals(text)
    for value in quantities.parse(text):
        each = _EACH_TIME.match(text, value.end) if value.unit in ("か月", "s") and value.value > 0 else None
        if each:
            found.append(_once(value.unit, value.value, value.start, each.end()))
            if each["skipping"] and value.number == 1:  # 1日おき is every other day
                found.append(_once(value.unit, value.value * 2, value.start, each.end()))
    return sorted(found, key=lambda one: one.start)


def parse_implied_counts(text: str) -> list[Quantity]:
    """Return the counts that a source implies: 朝と夕に1回ずつ, 8時と18時に, 第1、第3火曜日."""
    found: list[Quantity] = []
    for value in quantities.parse(text):
        times = _listed(text[: value.start]) if text.startswith("ずつ", value.end) else 1
        if times > 1 and value.unit and not value.per:  # 朝と夕に1回ずつ
            per = ("s", 86_400.0) if _DAY_PARTS.search(text[: value.start]) else None
            all_of_them = value.value * times
            found.append(structs.replace(value, value=all_of_them, number=value.number * times, per=per))
    clocks = [one for one in quantities.parse(text) if one.unit == "時"]
    times = 1
    for at, clock in enumerate(clocks):  # 8時と18時に is twice a day
        following = clocks[at + 1] if at + 1 < len(clocks) else None
        if following and _AND.fullmatch(text[clock.end : following.start].strip()):
            times += 1
            continue
        if times > 1:
            found.append(structs.replace(_once("s", 86_400.0, clock.end, clock.end), value=times, number=times))
        times = 1
    found += [  # 第1、第3火曜日 is twice a month
        structs.replace(_once("か月", 1, days.end(), days.end()), value=days.group().count("第"))
        for days in _WEEKDAYS.finditer(text)
    ]
    return sorted(found, key=lambda one: one.start)


def _named_intervals(text: str) -> list[Quantity]:
    found: list[Quantity] = []
    for one in _INTERVAL.finditer(text):
        unit, size = notation.period_unit(one["unit"] or one["each"], is_every_other=bool(one["other"]))
        found.append(_once(unit, size, *one.span()))
    return found


def other_intervals(text: str, values: Sequence[Quantity]) -> list[Quantity]:
    """Return the intervals of a text (毎月, 隔週) that differ from those of the given values, if they have some."""
    often = [one for one in values if one.unit == "回" and one.per and one.per[0] in ("か月", "s")]
    lengths = {(one.unit, one.value) for one in values} | {one.per for one in values}
    return [
        one
        for one in _named_intervals(text)
        if often and one.per not in lengths and not any(one.is_same(other) for other in often)
    ]


def _once(unit: str, size: float, start: int, end: int) -> Quantity:
    return Quantity(1, "回", start, end, 1, bound_end=end, per=(unit, size))


def _lengths(text: str, days: list[Date]) -> Iterator[Quantity]:
    """Yield the duration from one date to the next, with and without the last day."""
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
    """Yield the last day of a term (2027年10月1日から2年間), and the day after it."""
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
            except (ValueError, OverflowError):  # no such day
                continue
            for end in ends:
                yield Date(end.year, end.month, end.day, day.start, value.end)


def _hours(text: str, values: list[Quantity]) -> Iterator[Quantity]:
    """Yield the duration between two times of day (9時から17時), also over midnight, and the end of 9時から30分間."""
    for begin, end in pairwise(values):
        if begin.unit == end.unit == "時" and begin.is_range_start and end.is_range_end:
            yield _value((end.value - begin.value) % 1440 * 60, "s")
        elif begin.unit == "時" and end.unit == "s" and _UNTIL.fullmatch(text, begin.end, end.start):
            yield _value(begin.value + end.value / 60, "時")


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


def _frequency_intervals(values: list[Quantity]) -> Iterator[Quantity]:
    """Yield the interval of each frequency: 6か月 for 年2回."""
    for value in values:
        if value.per and value.unit == "回" and value.value > 0 and value.per[0] in ("か月", "s"):
            yield _value(value.per[1] / value.value, value.per[0])


def _cycles(text: str) -> Iterator[Quantity]:
    """Yield the frequency that a table cell gives as an interval: once a year for 1年 in the column 点検周期."""
    head: list[str] = []
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 2 or not head:
            head = cells if len(cells) > 1 else []
            continue
        for name, cell in zip(head, cells, strict=False):
            yield from (once for value in quantities.parse(cell) for once in once_per_period(value, name))


def once_per_period(value: Quantity, head: str) -> Iterator[Quantity]:
    """Yield the frequency of a duration in a table column like 点検周期 or 清掃の間隔: once per this duration."""
    if _CYCLE.search(head) and value.unit in ("か月", "s") and value.value > 0:
        yield _once(value.unit, value.value, value.start, value.end)


def _integer_limits(values: list[Quantity]) -> Iterator[Quantity]:
    """Yield the same limits with the other bound, for values that are whole numbers: 59歳以下 for 60歳未満."""
    for value in values:
        by, bound = _NEXT.get(value.bound, (0, ""))
        one = 86_400.0 if value.unit == "s" else 1.0
        is_whole = value.unit in notation.COUNTED or (value.unit == "s" and value.value == value.number * one)
        if by and is_whole and value.number == round(value.number):
            yield structs.replace(_value(value.value + by * one, value.unit), bound=bound)


def _ones(text: str) -> Iterator[Quantity]:
    """Yield the values that words with 1 imply: 1か月 for 月額, 毎月 and 月2回, and 100% for 全額."""
    for found in _EACH.finditer(text):
        each = found["each"] or found["long"] or found["every"]
        unit = notation.unit_of({"月": "か月", "時": "時間"}.get(each, each))
        yield _value(unit.factor, unit.name)
    for ratio in _RATIO.finditer(notation.flatten(text)[0]):
        one, other = int(ratio["one"]), int(ratio["other"])
        yield from (_value(100 * top / bottom, "%") for top, bottom in ((one, other), (other, one)) if bottom)
    if _FIRST.search(text):
        yield _value(1, "第")
    if _ALL.search(text):
        yield _value(100, "%")


def _calendar(day: Date) -> datetime.date | None:
    try:
        return datetime.date(day.year, day.month, day.day or 1)
    except ValueError:
        return None


def _value(value: float, unit: str) -> Quantity:
    return Quantity(value, unit, 0, 0, value)
