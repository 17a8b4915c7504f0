"""Parse values with their units in Japanese text, so that 24 N/mm², 24MPa and ２４Ｎ／ｍｍ２ are equal.

Dates (app.documents.values.notation), codes (SD345, T-25) and section numbers (3.2.1, 表2-1-1) are not values. The
file is over 450 lines because its patterns and what reads their matches are one grammar.
"""

import bisect
import functools
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec import Struct, structs

from app.base.lazy_pattern import lazy_pattern
from app.documents.values import notation
from app.documents.values.notation import ROUNDED_TOLERANCE, Date, Unit

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_MYRIAD = rf"(?:{_DIGITS}\s?(?:[千百]?[万億兆]|[千百]))+(?:{_DIGITS})?"
_KANJI_DIGIT = f"[{notation.KANJI_NUMERALS}万億兆]"
_KANJI = f"{_KANJI_DIGIT}{{1,32}}"
_EXPONENT = r"\^\{?[-+]?\^?\d{1,4}\}?\^?"
_POWER = rf"(?:\s?[×xX]\s?10(?P<power>{_EXPONENT}|-\d{{1,4}})|(?P<raised>{_EXPONENT}))?"
_BEFORE = r"(?:(?<=pH)|(?<![A-Za-z\d.,_]))(?<![A-Za-z]-)(?<![A-Za-z\d]\^)"
_HOUR = rf"(?:\d{{1,2}}|[{notation.KANJI_NUMERALS}]{{1,3}})"
_HALVED = "(?:年|月(?![額切])|日|時間|錠|個|本|枚|ダース|切れ)"
# Half of the unit before it (1時間半), and no word that begins with half (厚さ2ミリ半透明). A unit in Latin letters is
# seldom halved so (直径1m半円形), but 幅は1m半とする.
_AND_HALF = (
    r"半(?:(?<![A-Za-z\d%°]半)(?![分径数額円割球面断周角端島導減田透剛壊焼製固月期身ば折紙量波熟]|自動(?!車)|地下"
    rf"|\s?{_HALVED})|(?=[\s、。)のはがをでとに以未程]|$))"
)
_NTH = "目(?![盛的標安視地録次])"
# Each alternative begins with a quick look at its first character, as most characters of a text begin none.
_OPENS = rf"\d{notation.KANJI_NUMERALS}"
_NUMBER = lazy_pattern(
    rf"(?=[{_OPENS}万億兆午早朝夕夜晩深未正第半倍大小表図式付録(±+プ\-△▲マ氷毎秒分時¥])(?:"
    rf"(?P<clock>(?=[{_OPENS}午早朝夕夜晩深未]){_BEFORE}(?:(?P<noon>午前|午後|早朝|朝|夕方|夜|晩|深夜|未明)\s?)?(?:(?P<hour>{_HOUR})\s?時(?![間々点期刻限価])(?:\s?(?P<minute>{_HOUR})\s?分(?!の\d|間)|(?P<half_hour>半))?"
    rf"|(?P<clock_hour>[5-9]|[01]\d|2[0-4]):(?P<clock_minute>[0-5]\d)(?![\d:]))|正午)"
    rf"|(?P<nth>(?=[{_OPENS}]){_BEFORE}(?P<nth_number>\d{{1,3}}|[{notation.KANJI_NUMERALS}]{{1,4}})\s?[番回つ度]{_NTH}"
    rf"|第\s?(?P<nth_kanji>\d{{1,3}}|[{notation.KANJI_NUMERALS}]{{1,4}})(?=の|に[、,]|[・、,]\s?第))"
    rf"|(?P<halved>(?=半)(?<![\d{notation.KANJI_NUMERALS}前後大過夜])半(?P<half_unit>{_HALVED})(?![\w]?径))"
    rf"|(?P<share>(?=[{_OPENS}]){_BEFORE}(?P<more_digits>\d{{1,6}}|[{notation.KANJI_NUMERALS}]{{1,6}})\s?(?P<more_unit>割|%|パーセント)(?:の|を)?(?P<more>割?増|割?引|減|安|加算|オフ|OFF))"
    rf"|(?=[{_OPENS}]割){_BEFORE}(?P<tenths>\d|[{notation.KANJI_NUMERALS}])割(?P<hundredths>\d|[{notation.KANJI_NUMERALS}])分(?!の)"
    rf"|(?P<half>(?=半)(?<![前後大過夜])半(?:分|額|数|減(?!期))(?!\w?径))|(?P<double>(?=倍)(?<![\d{notation.KANJI_NUMERALS}数何・.])倍(?:額|増))"
    rf"|(?P<spoon>大|小)(?:さじ|匙)\s?(?P<spoons>{_DIGITS}|[{notation.KANJI_NUMERALS}]{{1,6}})(?P<half_spoon>半)?"
    rf"|(?P<code>(?=[\d表図式付録(])(?:{_BEFORE}\d+(?:\.\d+){{2,}}|{_BEFORE}\d+(?:-\d+){{2,}}|{_BEFORE}(?P<first>\d+)-(?P<last>\d+)(?![\d.-])"
    rf"|[表図式付録]\s?\d+(?:[-.]\d+)*|\(\d{{1,2}}\)))"
    rf"|(?=\d){_BEFORE}(?P<slope>\d+(?:\.\d+)?)\s?:\s?(?P<run>\d+(?:\.\d+)?)(?![\d:])"
    rf"|(?=\d){_BEFORE}(?P<top>\d+)\s?/\s?(?P<bottom>\d[\d,]*)(?![\d/])"
    rf"|(?=[{_OPENS}万億兆])(?P<share_bottom>(?<!\d){_DIGITS}|{_KANJI})分の(?P<share_top>\d+|{_KANJI})"
    rf"|(?P<ordinal>第\s?)?(?:(?=[\d±+プ\-△▲マ氷零毎秒分時¥]){_BEFORE}(?P<sign>(?:±|\+/-|プラス[・/]?マイナス)\s?|(?<![A-Za-z\d)\]表図式第])[-+△▲]\s?|マイナス\s?|プラス\s?|氷点下\s?|零下\s?)?(?P<speed>(?:毎[秒分時]|[秒分時]速)\s?)?(?:¥\s?(?=[\d,.]+(?P<yen>)))?(?P<digits>{_MYRIAD}|{_DIGITS}){_POWER}"
    rf"|(?P<kanji_speed>(?:毎[秒分時]|[秒分時]速)\s?)?(?<!{_KANJI_DIGIT})(?P<kanji>{_KANJI}))"
    # Kanji without a unit are words. The pattern of units stands here only: it takes as long to compile as the rest.
    rf"(?:(?(kanji)(?:\s(?=\S{{1,3}}目))?|\s*)(?P<unit>{notation.UNIT_PATTERN})(?P<and_half>{_AND_HALF})?|(?(kanji)(?!))))"
)
# 一つ, 一度, 一種, 一体… are usually words and not numbers, except in 年に一度, 一名以上 and 一回につき.
_WORDS = lazy_pattern(
    rf"(?<![年月週])(?<![年月週日]に)一(?:つ|度|本|体|種|部|層|段|回|点|次|人|行|名|組|日|分|割|号|面)(?![\d{notation.KANJI_NUMERALS}半]"
    r"|間?(?:以[上内下降]|未満|を?超え|まで|につき|に対し|[当あ]たり|ごと|ずつ|おき))|十分"
)
_COUNT = lazy_pattern(rf"(?:\d{{1,3}}|[{notation.KANJI_NUMERALS}]{{1,4}})\s?")
_NTH_END = lazy_pattern(_NTH)
_LINK = lazy_pattern(r"\s?(?:~|から|ないし|乃至|又は|または|及び|,|、|・|-)\s?")
_RANGE = lazy_pattern(r"\s?(?:~|から|ないし|乃至|-)\s?")
_FORBIDS = "は(?:ならない|なりません|いけない|いけません)"
_BOUND = lazy_pattern(
    r"(?:強|弱)?\s?(?:程度|ほど)?\s?(?:\([^()]{0,20}\)\s?)?(?:の値)?"
    rf"(?:(?P<least>(?:以上|以降|以後)(?!に(?:な|し)(?:ら|な)い)|未満であって{_FORBIDS}|を下限と|[をは]?下回(?:らない|って{_FORBIDS}|ること(?:が|の|は)な[いく]))"
    rf"|(?P<most>以下|以内|以前|まで(?!も)|を(?:上限|限度)と|[をは]?(?:上回(?:らない|って{_FORBIDS})|超え(?:ない|て{_FORBIDS})|(?:上回る|超える|超過する)(?:こと(?:が|の|は)な[いく])))"
    r"|(?P<below>未満|に(?:満た|達し|なら)ない|(?:より|を)?(?:小さい|下回る|下回った)|より(?:も)?(?:少な|低|短|軽|狭|浅|早)[いくか])"
    r"|(?P<above>を?超(?:え|過)?|を?上回(?:る|った)|より(?:も)?(?:大き|(?:多|高|長|重|広|深|遅)[いくか])))"
)
_BOUND_BEFORE = lazy_pattern(
    r"(?:(?P<most>最大|最長|最高|多くと?も|長くと?も|高くと?も)|(?P<least>最低|最短|最小|少なくと?も))(?:限|で|でも)?、?\s?$"
)
_PER = lazy_pattern(r"に|(?:に(?:つき|対して?)|あたり(?:に)?|[当あ]たり|当り|[毎ご]とに?|毎に)、?[^、。,;|\d\n~]{0,12}")
# Matches the period of a frequency or an amount: 月2回, 毎週1回, 年6,000円.
_EVERY = lazy_pattern(
    r"(?:(?<![一-鿿\d])|(?<=原則))(?:[毎各](?P<every>[年月週日])|隔(?P<other>[年月週日])|(?P<each>[年月週日]|四半期|半期))(?:間|額|給)?"
    r"(?:に(?:つき)?|[当あ]たり(?:に)?|ごとに?)?、?\s?(?:約|およそ|最[低大]で?も?|少なくとも|原則)?\s?$"
)
_EACH_TIME = lazy_pattern(r"の(?!み|う[ちえ]|[はがを])|につき|[当あ]たり")  # 1回の運転は15分
_SPAN = lazy_pattern(r"\s?(?:以上|超|を超え)?、?\s?(?:かつ)?、?\s?")  # 秒速30cm以上150cm以下
_SPEEDS = {"秒": 1.0, "分": 60.0, "時": 3600.0}
_MORNING = ("午前", "早朝", "朝", "深夜", "未明")
# 1分30秒 is one duration, but 1日8時間 is a rate per day.
_PARTED = (("か月", 12.0), ("s", 3600.0), ("m", 1e3), ("kg", 1e3))
_PART = lazy_pattern(rf"(?P<digits>{_DIGITS})\s?(?P<unit>{notation.UNIT_PATTERN})")
_ABOUT = lazy_pattern(r"(?:約|およそ|おおよそ|ほぼ|概ね|おおむね)\s?$")
_AROUND = lazy_pattern(r"\s?(?:程度|前後|ほど|くらい|ぐらい)")
_TOO_LARGE = 1e100  # no document means such a number, and its conversions and powers could overflow
ABOUT_TOLERANCE = 0.07  # relative: 約10 may be 9.5, but not 14
_SLOPE, _CLOCK, _PERCENT = Unit("1:"), Unit("時"), notation.unit_of("%")
_ALIKE = {("度", "°"): 1.0, ("度", "°C"): 1.0, ("キロ", "kg"): 1.0, ("キロ", "m"): 1000.0}
_SIGNS = {"least": ">=", "most": "<=", "below": "<", "above": ">"}


class Quantity(Struct, frozen=True):
    """A value with its unit. `value` is in `unit` (app.documents.values.notation).

    `unit`: "" for a bare number, "第章" for the number of a chapter. `number`: the number as written, before
    conversion. `bound`: ">=" 以上, "<=" 以下, "<" 未満, ">" 超, "" none. `start`, `end`: offsets in the text without
    the bound, which ends at `bound_end`. `is_range_start`: it is 10 of 10～20 m; `is_range_end`: it is 20.
    `is_rounded`: its unit is converted with rounding. `step`: half of the last digit's place value for an approximate
    value (約2,300m), in the unit of `value`; else 0. `per`: the base of a rate as (unit, number); in 1 m2当たり0.4 L
    the base of 0.4 L is 1 m2. `is_per`: this quantity is such a base.
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
    per: tuple[str, float] | None = None
    is_per: bool = False
    is_range_end: bool = False

    @property
    def rate(self) -> "Quantity":
        """Return a value with a base as a rate (10m/s for 毎秒10m), and any other value unchanged."""
        if self.per is None:
            return self
        unit, size = self.per
        return structs.replace(self, value=self.value / size, unit=f"{self.unit}/{unit}", per=None)

    def is_same(self, other: "Quantity") -> bool:
        """Whether value and unit are equal; 風速10m equals 毎秒10m, but not 毎分10m."""
        if self.per and other.per:
            one, two = (structs.replace(each.rate, unit=each.unit) for each in (self, other))
            if self.per[0] == other.per[0]:
                return one.is_same(two)
            parts, others = (set(each.per[0].split("·")) for each in (self, other) if each.per)
            if parts < others or others < parts:
                return one.is_same(two) or self.has_value_of(other)
            return any(a.is_same(structs.replace(b, per=None)) for a, b in ((self.rate, other), (other.rate, self)))
        if (self.per and "/" in other.unit) or (other.per and "/" in self.unit):
            return self.rate.is_same(other.rate)
        relation = _unit_relation(self.unit, other.unit)
        if relation == "same":
            return self.has_value_of(other)
        if relation == "share":
            share, percents = (self, other) if other.unit else (other, self)
            return 0 < share.value < 1 and percents.has_value(share.value * 100)
        if relation == "heads":
            one, two = (structs.replace(each, unit=each.unit.rpartition("/")[0]) for each in (self, other))
            return one.is_same(two)
        if relation == "scaled":
            factor = _ALIKE.get((self.unit, other.unit))
            if factor:
                return self.has_value(other.value / factor)
            return other.has_value(self.value / _ALIKE[other.unit, self.unit])
        return False

    def is_of_kind(self, other: "Quantity") -> bool:
        """Whether both measure one kind of thing: 340 in a table with kg/m3 is of the kind of 300kg."""
        if self.unit == other.unit or (self.unit, other.unit) in _ALIKE or (other.unit, self.unit) in _ALIKE:
            return True
        if {self.unit, other.unit} == {"", "%"}:
            return 0 < (self if not self.unit else other).value < 1
        return other.unit in (self.unit, self.rate.unit) or self.unit == other.rate.unit

    @property
    def names_part(self) -> bool:
        """Whether this is no value but names a part of a document, as in 第24条."""
        return self.unit.removeprefix("第") in notation.REFERENCES

    def has_value_of(self, other: "Quantity") -> bool:
        return self.has_value(other.value, is_rounded=other.is_rounded)

    def has_value(self, value: float, *, is_rounded: bool = False) -> bool:
        """Whether this value equals `value` within the tolerance for rounding and approximation."""
        difference, larger = abs(self.value - value), max(abs(self.value), abs(value))
        tolerance = ROUNDED_TOLERANCE if self.is_rounded or is_rounded else 1e-6
        return difference <= max(tolerance * larger, min(self.step, ABOUT_TOLERANCE * larger))


@functools.lru_cache(maxsize=4096)
def _unit_relation(unit: str, other: str) -> str:
    """Return how values in two units compare: same | share | heads | scaled | "".

    same: as numbers. share: one unit is % and the other value has none. heads: the units before the same / differ, such
    as kg/m and t/m. scaled: by the factor in `_ALIKE`. "": they are not comparable.
    """
    if unit == other or (_is_nth(unit) and _is_nth(other) and "第" in (unit, other)):
        return "same"
    if {unit, other} == {"", "%"}:
        return "share"
    (head, _, each), (other_head, _, other_each) = unit.rpartition("/"), other.rpartition("/")
    if head and each == other_each and head != other_head:
        return "heads"
    if frozenset([unit, other]) in notation.COUNTED_ALIKE:
        return "same"
    return "scaled" if (unit, other) in _ALIKE or (other, unit) in _ALIKE else ""


def _is_nth(unit: str) -> bool:
    """Whether the unit is an ordinal, which has several forms: 第三の, 第3回, 3人目."""
    return unit.startswith("第") and unit[1:] not in notation.REFERENCES


class _Found(NamedTuple):
    """A number in the flattened text. `unit`: None if the text has no unit."""

    value: float
    unit: Unit | None
    start: int
    end: int
    prefix: str = ""  # 第
    per: tuple[str, float] | None = None
    number: float | None = None  # the number as written; None: equal to `value`


def parse(text: str) -> list[Quantity]:
    """Return the quantities of a text, in order."""
    return parse_with_dates(text)[0]


def parse_with_dates(text: str) -> tuple[list[Quantity], list[Date]]:
    """Return the quantities of a text, in order, and its dates with their offsets in the flattened text."""
    flat, origin = notation.flatten(text)
    if not notation.NUMERIC.search(flat):  # most questions; the patterns take 0.02 s to compile
        return [], []
    dates = notation.dates_in_flat(flat)
    taken = [(date.start, date.end) for date in dates]
    found = [one for one in _numbers(flat) if not _lies_in(one, taken)]
    joined = [one for one in _joined(flat, found) if abs(one.value) < _TOO_LARGE]
    return [_quantity(one, flat, origin) for one in _with_ranges(flat, joined)], dates


class _Placed(NamedTuple):
    """A number with its bound, its place in a range, and its role in a rate."""

    mention: _Found
    bound: re.Match[str] | None
    is_start: bool  # whether it starts a range
    is_end: bool
    is_per: bool


def _quantity(placed: _Placed, flat: str, origin: Callable[[int], int]) -> Quantity:
    one, bound, is_start, is_end, is_per = placed
    factor = one.unit.factor if one.unit else 1.0
    if is_end and bound and bound.group().strip() == "まで":  # 10mから20mまで equals 10～20m
        bound = None
    before = None if bound else _BOUND_BEFORE.search(flat, max(0, one.start - 8), one.start)
    limit = bound or before
    return Quantity(
        one.value * factor,
        one.prefix + (one.unit.name if one.unit else ""),
        origin(one.start),
        origin(one.end),
        one.value if one.number is None else one.number,
        _SIGNS[limit.lastgroup or ""] if limit else "",
        origin(bound.end() if bound else one.end),
        one.unit is not None and one.unit.is_rounded,
        is_start,
        _step(flat, one) * factor,
        one.per,
        is_per,
        is_end,
    )


def _joined(flat: str, mentions: list[_Found]) -> list[_Found]:
    """Join two parts of one number, as in 1分30秒: the second follows directly and is less than one of the first."""
    joined: list[_Found] = []
    for one in _with_parts(flat, mentions):
        last = joined[-1] if joined else None
        if last is not None and last.unit and one.unit and _is_part(last, one, flat[last.end : one.start]):
            value = last.value + one.value * one.unit.factor / last.unit.factor
            one = last._replace(value=value, end=one.end)
            joined.pop()
        joined.append(one)
    return joined


def _with_parts(flat: str, mentions: list[_Found]) -> Iterator[_Found]:
    """Yield the numbers, and those after a Latin letter, which the main pattern misses: 50cm of 1m50cm."""
    for one in mentions:
        yield one
        part = _PART.match(flat, one.end) if one.unit and flat[one.end - 1].isascii() else None
        if part:
            yield _Found(notation.parse_numeral(part["digits"]), notation.unit_of(part["unit"]), *part.span())


def _is_part(outer: _Found, part: _Found, between: str) -> bool:
    own, other = outer.unit, part.unit
    if own is None or other is None or between.strip() or own.name != other.name or outer.prefix or part.prefix:
        return False
    is_parted = any(own.name == name and own.factor <= most for name, most in _PARTED)
    return is_parted and other.factor < own.factor and 0 < part.value * other.factor < own.factor


def _step(flat: str, mention: _Found) -> float:
    """Return half of the last digit's place value if the number is approximate; else 0."""
    if not _ABOUT.search(flat[max(0, mention.start - 5) : mention.start]) and not _AROUND.match(flat, mention.end):
        return 0.0
    written = re.match(r"\d[\d,]*(?:\.(?P<places>\d+))?", flat[mention.start : mention.end])
    shown = float(written.group().replace(",", "")) if written else 0.0
    if written is None or not shown:
        return 0.0
    digits = written.group().replace(",", "")
    places = -len(written["places"]) if written["places"] else len(digits) - len(digits.rstrip("0"))
    return abs(mention.value) / shown * 0.5 * float(10.0**places)  # 1.5万 shows 1.5


def _lies_in(mention: _Found, used_spans: list[tuple[int, int]]) -> bool:
    at = bisect.bisect_right(used_spans, (mention.start, len(used_spans) and used_spans[-1][1])) - 1
    return at >= 0 and mention.start < used_spans[at][1]


def _numbers(flat: str) -> Iterator[_Found]:
    end = 0
    while match := _NUMBER.search(flat, end):
        end = match.end()
        if match["last"] and _PART.match(flat, match.start("last")):  # 3-5m is a range, and no code
            end = match.end("first")
            yield _Found(notation.parse_numeral(match["first"]), None, match.start(), end)
            continue
        if nth_end := _nth_end(match, flat):
            end = nth_end
            yield _Found(notation.parse_numeral(match["digits"] or match["kanji"]), None, match.start(), end, "第")
            continue
        if match["code"] or _WORDS.match(flat, match.start("kanji") if match["kanji"] else len(flat)):
            continue
        special = _special(match)
        if special is not None or match["clock"]:  # a clock without a value is invalid, such as 25時70分
            yield from [special] if special else []
            continue
        found = _plain_number(match)
        if found is not None:
            yield found


def _nth_end(match: re.Match[str], flat: str) -> int:
    """Return where an ordinal ends that a number and its unit begin, such as 3日目; 0 if they begin none."""
    is_whole = match["unit"] is not None and match["and_half"] is None
    if is_whole and _COUNT.fullmatch(flat, match.start(), match.start("unit")):
        nth = _NTH_END.match(flat, match.end())
        return nth.end() if nth else 0
    return 0


def _plain_number(match: re.Match[str]) -> _Found | None:
    """Return a number with its unit, speed or ordinal; None for what `_value` has no number of."""
    number = _value(match)
    if number is None:
        return None
    if match["share_bottom"]:
        return _Found(number * 100, _PERCENT, match.start(), match.end(), number=number)
    written = match["unit"]
    unit = notation.unit_of(written) if written else notation.unit_of("円") if match["yen"] is not None else None
    if match["slope"]:
        unit = _SLOPE
    speed = match["speed"] or match["kanji_speed"]
    per = ("s", _SPEEDS[re.sub("[毎速\\s]", "", speed)]) if speed else None
    is_ordinal = bool(match["ordinal"]) or written in notation.REFERENCES
    return _Found(number, unit, match.start(), match.end(), "第" if is_ordinal else "", per)


def _special(match: re.Match[str]) -> _Found | None:
    """Return a time of day in minutes, half of a unit, or a value changed by a share: 1.5倍 for 5割増し."""
    start, end = match.start(), match.end()
    if match["clock"]:
        hour = notation.parse_numeral(match["hour"] or match["clock_hour"] or "12")
        minute = 30.0 if match["half_hour"] else notation.parse_numeral(match["minute"] or match["clock_minute"] or "0")
        if hour > 24 or minute > 59:
            return None
        is_afternoon = match["noon"] and match["noon"] not in _MORNING and hour < 12
        return _Found((hour + 12 if is_afternoon else hour) * 60 + minute, _CLOCK, start, end)
    if match["nth"]:
        return _Found(notation.parse_numeral(match["nth_number"] or match["nth_kanji"]), None, start, end, "第")
    if match["halved"]:
        unit = {"月": "か月"}.get(match["half_unit"], match["half_unit"])
        return _Found(0.5, notation.unit_of(unit), start, end)
    if match["spoon"]:
        spoons = notation.parse_numeral(match["spoons"]) + (0.5 if match["half_spoon"] else 0.0)
        return _Found(spoons * (15 if match["spoon"] == "大" else 5), notation.unit_of("mL"), start, end)
    if match["share"]:
        share = notation.parse_numeral(match["more_digits"]) / (10 if match["more_unit"] == "割" else 100)
        is_more = match["more"].endswith(("増", "加算"))
        return _Found(100 * (1 + share if is_more else 1 - share), _PERCENT, start, end)
    if match["tenths"]:
        return _Found(
            notation.parse_numeral(match["tenths"]) * 10 + notation.parse_numeral(match["hundredths"]),
            _PERCENT,
            start,
            end,
        )
    if match["half"] or match["double"]:
        return _Found(50 if match["half"] else 200, _PERCENT, start, end)
    return None


def _value(match: re.Match[str]) -> float | None:
    """Return the value of a match; None for kanji that are not a number, a division by zero, or an overflow."""
    try:
        if match["slope"]:
            return float(match["run"]) / float(match["slope"])
        if match["bottom"] or match["share_bottom"]:
            top = notation.parse_numeral(match["top"] or match["share_top"])
            return top / notation.parse_numeral(match["bottom"] or match["share_bottom"])
        value = notation.parse_numeral("".join((match["digits"] or match["kanji"]).split()))
        if match["and_half"]:
            value += 0.5
        if match["raised"]:
            value = value ** _exponent(match["raised"])
        sign = -1 if (match["sign"] or "").startswith(("-", "△", "▲", "マイナス", "氷点下", "零下")) else 1
        return sign * value * 10.0 ** _exponent(match["power"] or "0")
    except (ValueError, ArithmeticError):
        return None


def _exponent(numeral: str) -> int:
    return int(re.sub(r"[\^{}]", "", numeral))


def _with_ranges(flat: str, mentions: list[_Found]) -> list[_Placed]:
    """Return each number with bound and place in a range; of 10～20 m and 10、20 m all have the last one's unit."""
    mentions = _with_shared_units(flat, mentions)
    result: list[_Placed] = []
    for at, one in enumerate(mentions):
        before = mentions[at - 1] if at else None
        is_end = (
            before is not None and before.unit == one.unit and _RANGE.fullmatch(flat, before.end, one.start) is not None
        )
        if before is not None and is_end:
            one = _in_range(before, one, flat)
        elif before is not None and before.unit and not one.per and _is_each(before, one, flat):
            size = before.value * before.unit.factor or 1.0
            per = (before.unit.name, size)
            if before.per:  # 1人1日3L
                per = ("·".join(sorted([before.unit.name, before.per[0]])), size * before.per[1])
            one = one._replace(per=per)
            result[-1] = result[-1]._replace(is_per=True)
        elif (
            before is not None
            and before.per
            and before.unit == one.unit
            and _SPAN.fullmatch(flat, before.end, one.start)
        ):
            one = one._replace(per=one.per or before.per)
        one = _how_often(one, flat)
        is_per = one.unit is not None and one.unit.name == "回" and not one.per and _EACH_TIME.match(flat, one.end)
        if is_end:
            result[-1] = result[-1]._replace(is_start=True)
        mentions[at] = one
        result.append(_Placed(one, _BOUND.match(flat, one.end), is_start=False, is_end=is_end, is_per=bool(is_per)))
    return result


def _is_each(base: _Found, mention: _Found, flat: str) -> bool:
    """Whether the number `base` is the base of the value `mention`: 1m2当たり0.4L, 2年に1回, 1日2回, 1人3枚."""
    if _PER.fullmatch(flat, base.end, mention.start):
        return True
    if base.unit is None or mention.unit is None or base.prefix or flat[base.end : mention.start].strip():
        return False
    is_frequency = mention.unit.name == "回" and base.unit.name in ("s", "か月")
    return is_frequency or (base.value == 1 and base.unit.name != "階")


def _how_often(mention: _Found, flat: str) -> _Found:
    """Return a frequency or amount with its period: one month for 月2回. A count in 度 (年に1度) gets the unit 回."""
    unit_name = mention.unit.name if mention.unit else ""
    is_counted = unit_name and not mention.prefix
    before = _EVERY.search(flat, max(0, mention.start - 16), mention.start) if is_counted else None
    if before and unit_name not in ("か月", "s", "時") and not (mention.per and mention.per[0] in ("か月", "s")):
        every = before["every"] or before["other"] or before["each"]
        unit, size = notation.period_unit(every, is_every_other=bool(before["other"]))
        if mention.per:  # 1人につき週4食
            unit, size = "·".join(sorted([unit, mention.per[0]])), size * mention.per[1]
        mention = mention._replace(per=(unit, size))
    is_time = mention.per is not None and mention.per[0] in ("s", "か月")
    return mention._replace(unit=notation.unit_of("回")) if is_time and unit_name == "度" else mention


def _with_shared_units(flat: str, mentions: list[_Found]) -> list[_Found]:
    shared = list(mentions)
    for at in range(len(shared) - 2, -1, -1):
        one, later = shared[at], shared[at + 1]
        if one.unit is None and later.unit not in (None, _SLOPE) and _LINK.fullmatch(flat, one.end, later.start):
            shared[at] = one._replace(unit=later.unit)
    return shared


def _in_range(begin: _Found, end: _Found, flat: str) -> _Found:
    """Return the end of a range, completed by its start: 毎秒5～10m ends at 毎秒10m, 午後1時から5時まで at 17時."""
    is_clock = begin.unit == end.unit == _CLOCK and not flat.startswith(("午", "正"), end.start)
    if is_clock and end.value < begin.value and end.value + 720 > begin.value and end.value <= 720:
        return end._replace(value=end.value + 720)
    return end._replace(per=end.per or begin.per)
