"""Values with their units in Japanese text, so that 24 N/mm², 24MPa and ２４Ｎ／ｍｍ２ are one and the same.

Dates (app.documents.values.dates), codes (SD345, T-25) and section numbers (3.2.1, 表2-1-1) are none.
"""

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from app.documents.values import dates, numerals, units
from app.documents.values.units import ROUNDED_TOLERANCE, Unit

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_MYRIAD = rf"(?:{_DIGITS}\s?(?:[千百]?[万億兆]|[千百]))+(?:{_DIGITS})?"
_KANJI = rf"[{numerals.KANJI}万億兆]{{1,12}}"
_EXPONENT = r"\^\{?[-+]?\^?\d{1,4}\}?\^?"
_POWER = rf"(?:\s?[×xX]\s?10(?P<power>{_EXPONENT}|-\d{{1,4}})|(?P<raised>{_EXPONENT}))?"
_BEFORE = r"(?:(?<=pH)|(?<![A-Za-z\d.,_]))(?<![A-Za-z]-)(?<![A-Za-z\d]\^)"
_HOUR = rf"(?:\d{{1,2}}|[{numerals.KANJI}]{{1,3}})"
_NUMBER = re.compile(
    rf"(?P<clock>{_BEFORE}(?:(?P<noon>午前|午後)\s?)?(?:(?P<hour>{_HOUR})\s?時(?![間々点期刻限価])(?:\s?(?P<minute>{_HOUR})\s?分(?!の|間)|(?P<half_hour>半))?"
    rf"|(?P<clock_hour>[5-9]|[01]\d|2[0-4]):(?P<clock_minute>[0-5]\d)(?![\d:])))"
    rf"|(?P<halved>(?<![\d{numerals.KANJI}前後大過夜])半(?P<half_unit>年|月(?!額)|日|時間|錠|個|本|枚|ダース|切れ)(?![\w]?径))"
    rf"|(?P<share>{_BEFORE}(?P<more_digits>\d{{1,6}}|[{numerals.KANJI}]{{1,6}})\s?(?P<more_unit>割|%|パーセント)(?:の)?(?P<more>増|引|減|安|加算))"
    rf"|(?P<spoon>大|小)(?:さじ|匙)\s?(?P<spoons>{_DIGITS}|[{numerals.KANJI}]{{1,6}})(?P<half_spoon>半)?"
    rf"|(?P<code>{_BEFORE}\d+(?:\.\d+){{2,}}|{_BEFORE}\d+(?:-\d+){{2,}}|{_BEFORE}\d+-\d+(?![\d.-]|\s?{units.PATTERN})"
    rf"|[表図式付録]\s?\d+(?:[-.]\d+)*)"
    rf"|{_BEFORE}(?P<slope>\d+(?:\.\d+)?)\s?:\s?(?P<run>\d+(?:\.\d+)?)(?![\d:])"
    rf"|{_BEFORE}(?P<top>\d+)\s?/\s?(?P<bottom>\d[\d,]*)(?![\d/])"
    rf"|(?P<share_bottom>(?<!\d){_DIGITS}|{_KANJI})分の(?P<share_top>\d+|{_KANJI})"
    rf"|(?P<ordinal>第\s?)?{_BEFORE}(?P<sign>(?<![A-Za-z\d)\]表図式第])[-+]\s?)?(?P<digits>{_MYRIAD}|{_DIGITS}){_POWER}(?:\s*(?P<unit>{units.PATTERN})(?P<and_half>半(?!分|径|数|額|\s?{units.PATTERN}))?)?"
    rf"|(?P<ordinal_kanji>第\s?)?(?P<kanji>{_KANJI})(?P<kanji_unit>{units.PATTERN})"
)
# 一つ, 一度, 一種, 一本… are words more often than numbers.
_WORDS = re.compile(r"一(?:つ|度|本|種|部|層|段|回|点|次|人|行|名|組|日|分|割|号|時間|面)|十分")
_LINK = re.compile(r"\s?(?:~|から|ないし|乃至|又は|または|及び|,|、|・|-)\s?")
_RANGE = re.compile(r"\s?(?:~|から|ないし|乃至|-)\s?")
_BOUND = re.compile(
    r"(?:強|弱)?\s?(?:程度|ほど)?\s?(?:\([^()]{0,20}\)\s?)?(?:の値)?"
    r"(?:(?P<least>以上|(?:を|は)?下回(?:らない|ってはならない))|(?P<most>以下|以内|(?:を|は)?(?:上回|超え)(?:らない|ない|てはならない))"
    r"|(?P<below>未満|(?:より|を)?(?:小さい|下回る|下回った))|(?P<above>を?超(?:え|過)?|を?上回(?:る|った)|より(?:も)?大き))"
)
_ABOUT = re.compile(r"(?:約|およそ|おおよそ|ほぼ|概ね|おおむね)\s?$")
_AROUND = re.compile(r"\s?(?:程度|前後|ほど|くらい|ぐらい)")
ABOUT_TOLERANCE = 0.07  # what is about 10 may be 9.5, and not 14
_SLOPE, _CLOCK = Unit("1:"), Unit("時")
_ALIKE = ({"度", "°"}, {"度", "°C"})
_SIGNS = {"least": ">=", "most": "<=", "below": "<", "above": ">"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """`value` in `unit` (app.documents.values.units); unit "" is a number alone, "第章" the number of a chapter.

    `number`: as written, before it is converted. `bound`: ">=" 以上, "<=" 以下, "<" 未満, ">" 超, "" none.
    `start`, `end`: places in the text, without the bound, which ends at `bound_end`. `is_range_start`: 10 of 10～20 m;
    `is_rounded`: its unit is converted with rounding. `step`: of what is said to be about so much (約2,300m), half of
    what its last digit counts, in the unit of `value`; else 0.
    """

    value: float
    unit: str
    start: int
    end: int
    number: float
    bound: str = ""
    bound_end: int = 0
    is_rounded: bool = False
    is_range_start: bool = False
    step: float = 0.0

    def is_same(self, other: "Quantity") -> bool:
        """Whether value and unit are the same."""
        return (self.unit == other.unit or {self.unit, other.unit} in _ALIKE) and self.has_value_of(other)

    def has_value_of(self, other: "Quantity") -> bool:
        return self.has_value(other.value, is_rounded=other.is_rounded)

    def has_value(self, value: float, *, is_rounded: bool = False) -> bool:
        """Whether this is that value, or is it rounded, and says so."""
        difference, larger = abs(self.value - value), max(abs(self.value), abs(value))
        tolerance = ROUNDED_TOLERANCE if self.is_rounded or is_rounded else 1e-6
        return difference <= max(tolerance * larger, min(self.step, ABOUT_TOLERANCE * larger))


class _Found(NamedTuple):
    """A number in the flattened text. `unit` None: none is written."""

    value: float
    unit: Unit | None
    start: int
    end: int
    prefix: str = ""  # 第


def parse(text: str) -> list[Quantity]:
    """The quantities of a text, in order."""
    flat, origin = numerals.flatten(text)
    taken = [(date.start, date.end) for date in dates.parse(flat)]
    found = list(_with_ranges(flat, [one for one in _numbers(flat) if not _lies_in(one, taken)]))
    return [
        Quantity(
            one.value * (one.unit.factor if one.unit else 1.0),
            one.prefix + (one.unit.name if one.unit else ""),
            origin(one.start),
            origin(one.end),
            one.value,
            _SIGNS[bound.lastgroup or ""] if bound else "",
            origin(bound.end() if bound else one.end),
            one.unit is not None and one.unit.is_rounded,
            is_start,
            _step(flat, one) * (one.unit.factor if one.unit else 1.0),
        )
        for one, bound, is_start in found
    ]


def _step(flat: str, one: _Found) -> float:
    """Half of what the last digit counts, where the number is said to be about so much; else 0."""
    if not _ABOUT.search(flat[max(0, one.start - 5) : one.start]) and not _AROUND.match(flat, one.end):
        return 0.0
    written = re.match(r"\d[\d,]*(?:\.(?P<places>\d+))?", flat[one.start : one.end])
    shown = float(written.group().replace(",", "")) if written else 0.0
    if written is None or not shown:
        return 0.0
    digits = written.group().replace(",", "")
    places = -len(written["places"]) if written["places"] else len(digits) - len(digits.rstrip("0"))
    return abs(one.value) / shown * 0.5 * float(10.0**places)  # 1.5万 shows 1.5


def _lies_in(one: _Found, taken: list[tuple[int, int]]) -> bool:
    at = bisect.bisect_right(taken, (one.start, len(taken) and taken[-1][1])) - 1
    return at >= 0 and one.start < taken[at][1]


def _numbers(flat: str) -> Iterator[_Found]:
    for found in _NUMBER.finditer(flat):
        if found["code"] or _WORDS.match(flat, found.start("kanji") if found["kanji"] else len(flat)):
            continue
        special = _special(found)
        if special is not None:
            yield special
            continue
        number = _value(found)
        if number is None:
            continue
        written = found["unit"] or found["kanji_unit"]
        unit = units.of(written) if written else None
        if found["slope"]:
            unit = _SLOPE
        is_ordinal = bool(found["ordinal"] or found["ordinal_kanji"]) or (written in units.REFERENCES)
        yield _Found(number, unit, found.start(), found.end(), "第" if is_ordinal else "")


def _special(found: re.Match[str]) -> _Found | None:
    """A time of the day in minutes, half of a unit, and a value that is more or less by a share: 5割増し is 1.5倍."""
    start, end = found.start(), found.end()
    if found["clock"]:
        hour = numerals.value(found["hour"] or found["clock_hour"])
        minute = 30.0 if found["half_hour"] else numerals.value(found["minute"] or found["clock_minute"] or "0")
        if hour > 24 or minute > 59:
            return None
        return _Found((hour + 12 if found["noon"] == "午後" and hour < 12 else hour) * 60 + minute, _CLOCK, start, end)
    if found["halved"]:
        unit = {"月": "か月"}.get(found["half_unit"], found["half_unit"])
        return _Found(0.5, units.of(unit), start, end)
    if found["spoon"]:
        spoons = numerals.value(found["spoons"]) + (0.5 if found["half_spoon"] else 0.0)
        return _Found(spoons * (15 if found["spoon"] == "大" else 5), units.of("mL"), start, end)
    if found["share"]:
        share = numerals.value(found["more_digits"]) / (10 if found["more_unit"] == "割" else 100)
        return _Found(1 + share if found["more"] in ("増", "加算") else 1 - share, units.of("倍"), start, end)
    return None


def _value(found: re.Match[str]) -> float | None:
    """None: kanji that are no number, a division by zero, or more than a number can hold."""
    try:
        if found["slope"]:
            return float(found["run"]) / float(found["slope"])
        if found["bottom"] or found["share_bottom"]:
            top = numerals.value(found["top"] or found["share_top"])
            return top / numerals.value(found["bottom"] or found["share_bottom"])
        value = numerals.value(re.sub(r"\s", "", found["digits"] or found["kanji"]))
        if found["and_half"]:
            value += 0.5
        if found["raised"]:
            value = value ** _exponent(found["raised"])
        sign = -1 if (found["sign"] or "").startswith("-") else 1
        return sign * value * 10.0 ** _exponent(found["power"] or "0")
    except (ValueError, ArithmeticError):
        return None


def _exponent(written: str) -> int:
    return int(re.sub(r"[\^{}]", "", written))


def _with_ranges(flat: str, found: list[_Found]) -> Iterator[tuple[_Found, re.Match[str] | None, bool]]:
    """Each number with its bound, and whether a range begins with it. 10～20 m, and 10、20 m, are all of m."""
    later: tuple[Unit | None, int] = (None, -1)  # unit of the number behind, and where that begins
    result: list[tuple[_Found, re.Match[str] | None, bool]] = []
    for one in reversed(found):
        between = flat[one.end : later[1]] if later[1] >= 0 else ""
        if one.unit is None and later[0] not in (None, _SLOPE) and _LINK.fullmatch(between):
            one = one._replace(unit=later[0])
        result.append((one, _BOUND.match(flat, one.end), bool(between and _RANGE.fullmatch(between))))
        later = (one.unit, one.start)
    return reversed(result)
