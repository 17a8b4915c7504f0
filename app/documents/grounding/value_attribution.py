"""Find the words that a value belongs to: those of its row and column in a table, or of its clause in a sentence.

With 5日 for one cement and 7日 for another in the source, each must occur with its own words in an answer.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from msgspec import structs

from app.base.lazy_pattern import lazy_pattern
from app.documents.grounding import modality, sentences, statements
from app.documents.grounding.statements import Phrase
from app.documents.values import notation, quantities, spans
from app.documents.values.notation import Date
from app.documents.values.quantities import Quantity

DATE = "日付"  # prefix of the unit of a date
Parse = Callable[[str], list[Quantity]]
_JOINED = lazy_pattern("それぞれ|各々|順に")
# Words belong to another value if it has this share of them, and this much more than the same value has.
_ALIGNED, _ALIGNED_LEAD = 0.8, 0.4
_ALIGNED_KEYS = 3  # smallest number of words for this comparison
_CLEFT = lazy_pattern(r"[^、。\d]{0,14}(?<![もそこ])の(?:は|が)、?")
_OF = lazy_pattern(r"[^、。]{0,12}(?:は|なら|のとき)、?[^、。]{0,4}")  # 5分以内の番組は1分
_ALL = lazy_pattern("いずれも|どれも|どちらも|(?:と|、)もに|共に|共通|双方とも|全て|すべて")
_BOTH = lazy_pattern(r"どちら|いずれ|両方|ともに|共に|双方|どれも|(?:も|とも)(?:同じ|等しく)")


@dataclass(frozen=True, slots=True)
class AttributedValue:
    """A value with keys (statements.keys_of) of its words: `own_keys` of its clause or table cell, `all_keys` also of
    the topic and what follows. `sentence`: that of the value; "" for a cell (`is_cell`)."""

    value: Quantity
    own_keys: frozenset[object]
    all_keys: frozenset[object]
    is_cell: bool = False
    sentence: str = ""


def attribute_lines(text: str) -> list[AttributedValue]:
    """Return the values of a source with their words; intervals like 毎週 count as once a week."""
    found: list[AttributedValue] = []
    table: list[list[str]] = []
    last = -1  # end of the table's last row
    for one in sentences.split_for_comparison(text):
        piece = text[one.start : one.end]
        is_row = "|" in piece and not piece.endswith("。")
        if table and not (is_row and not re.search(r"[^\s|:+=*_-]", text[last : one.start])):
            found += attribute_table(table, parse_source_values)
            table = []
        if is_row:
            table.append(cells(piece))
            last = one.end
        else:
            found += attribute_sentence(piece, parse_source_values)
    return [*found, *attribute_table(table, parse_source_values)]


def values(text: str) -> list[Quantity]:
    """Return the values and dates of a text, in order."""
    found = [*quantities.parse(text), *(_of_date(date, text) for date in notation.parse_dates(text))]
    return sorted(found, key=lambda one: (one.start, one.end))


def parse_values_with_intervals(text: str) -> list[Quantity]:
    """Return the values and dates of a text with its intervals: 毎週 is once a week."""
    return sorted([*values(text), *spans.parse_intervals(text)], key=lambda one: (one.start, one.end))


def parse_source_values(text: str) -> list[Quantity]:
    """Return the values, dates and intervals of a source, and the counts that it implies without writing them."""
    return sorted(
        [*parse_values_with_intervals(text), *spans.parse_implied_counts(text)], key=lambda one: (one.start, one.end)
    )


def _of_date(date: Date, text: str) -> Quantity:
    """Return a date as a value, comparable with equally exact ones; a topic (7月は) gets `is_per`, as a label."""
    exactness = "".join(name for name, part in zip("年月日", (date.year, date.month, date.day), strict=True) if part)
    is_topic = re.match("(?:に|で|から|まで)?は|の", text[date.end :]) is not None
    number = (date.year * 12 + date.month) * 31 + date.day  # small enough that rounding never merges two days
    return Quantity(number, DATE + exactness, date.start, date.end, number, bound_end=date.end, is_per=is_topic)


def cells(line: str) -> list[str]:
    bare = line.strip()
    return [cell.strip() for cell in bare.removeprefix("|").removesuffix("|").split("|")]


def attribute_table(
    rows: Sequence[Sequence[str]], parse: Parse = parse_values_with_intervals
) -> Iterator[AttributedValue]:
    """Yield the values of a table whose first row names the columns."""
    if not rows:
        return
    head = [_keys(cell) for cell in rows[0]]
    for row in rows[1:]:
        labels = frozenset(key for cell in row if not quantities.parse(cell) for key in _keys(cell))
        first = _keys(row[0]) | {_as_label(value) for value in quantities.parse(row[0])}
        for column, cell in enumerate(row):
            if not column and len(row) > 1:
                continue  # 15℃以上 names its row
            above = head[column] if column < len(head) else frozenset()
            name = rows[0][column] if column < len(head) else ""
            own = labels | above | _keys(cell) | first
            for value in _values(parse(cell), name):
                yield AttributedValue(value, own, own, is_cell=True)
                yield from (
                    AttributedValue(once, own, own, is_cell=True) for once in spans.once_per_period(value, name)
                )


def _values(values: Sequence[Quantity], head: str) -> Iterator[Quantity]:
    """Yield the values of a cell; a bare number gets the unit in the column's header: 165 under 水(kg)."""
    named = next(iter(notation.units_of_heads(notation.flatten(head)[0])), None)
    for value in values:
        if value.unit or named is None:
            yield value
        else:
            yield structs.replace(value, unit=named.name, value=value.value * named.factor)


def _as_label(value: Quantity) -> object:
    return value.unit, round(value.value, 9)


def group_values(owned: Sequence[AttributedValue], keys: frozenset[object]) -> list[list[Quantity]]:
    """Return the groups of values (of a sentence, the tables, a shared word) from which a text may calculate.

    A percentage only counts if it belongs to such a word: 団体は半額 does not apply to others.
    """
    groups: dict[str, list[AttributedValue]] = {}
    for one in owned:
        groups.setdefault(one.sentence, []).append(one)
    named = [one for one in owned if one.own_keys & keys]
    return [
        [one.value for one in group if one.value.unit != "%" or one.own_keys & keys]
        for group in (named, *groups.values())
        if any(one.own_keys & keys for one in group)
    ]


def attribute_row(header: Sequence[str], row: Sequence[str]) -> list[AttributedValue]:
    return list(attribute_table([header, row]))


def place_in_row(attributed: Sequence[AttributedValue], text: str) -> list[AttributedValue]:
    """Return the values of a row's cells with offsets in the whole row. `text`: the row."""
    there = values(text)
    return [
        dataclasses.replace(one, value=next(iter([value for value in there if value.is_same(one.value)]), one.value))
        for one in attributed
    ]


def attribute_sentence(text: str, parse: Parse = parse_values_with_intervals) -> list[AttributedValue]:
    """Return each value of a sentence with its words: those since the last value of its unit, and the topic."""
    values = parse(text)
    if not values:
        return []
    words = _in_place(statements.parse_statement(text))
    # 1 of 1回の計測時間 only modifies, so the words after it may still be the topic.
    first = next((one.start for one in values if not text.startswith("の", one.end)), values[0].start)
    topics = [unit for unit in words if unit.end <= first]
    topic_end = max((at + 1 for at, unit in enumerate(topics) if re.match(r"[^、]{0,8}は", unit.tail)), default=0)
    common = topics[:topic_end]
    closing = [unit for unit in words if unit.kind and re.search("[、。]", unit.tail) and not _is_condition(unit)]
    found: list[AttributedValue] = []
    clefts: list[int] = []
    for at, value in enumerate(values):
        same = [one for one in values[:at] if one.unit == value.unit and one.end <= value.start]
        closes = [unit.end for unit in closing if re.search("[、。]", text[unit.end : max(unit.end, value.start)])]
        joint = text.rfind("、また、", 0, value.start) + 1
        begin = max([joint, *(one.end for one in same), *closes, *(end for end in clefts if end <= value.start)])
        begin = _own_topic(words, values, value, begin, text)
        part = [unit for unit in words if begin <= unit.start and unit.end <= value.start]
        behind = _phrases_after_value(text, value, values[at + 1 :], words)
        cleft = _CLEFT.match(text, max(value.end, value.bound_end))
        if cleft:  # 32mなのはA棟で
            end = min([text.find(sign, cleft.end()) % (len(text) + 1) for sign in "、。"])
            begin, named = value.end, [unit for unit in words if cleft.end() <= unit.start and unit.end <= end]
            part, clefts = named or part, [*clefts, end]
        labels = {  # 5人槽が30万円: the amount belongs to 5人
            _as_label(one)
            for one in values
            if one.unit != value.unit
            and not (one.is_per and value.unit == "回")
            and (begin <= one.start < value.start or (cleft and begin < one.start < clefts[-1]))
        }
        if not text.startswith("の", max(value.end, value.bound_end)):
            labels |= {_as_label(one) for one in same[-1:] if _OF.fullmatch(text, one.bound_end, value.start)}
        own = _union(part if part else behind) | labels
        is_contrasted = any(re.match(r"[^、]{0,8}は", unit.tail) for unit in part)
        if is_contrasted:
            shared = _union(_matter(topics, value, text))
        else:
            shared = _union(common) if topics else _topic(words, values, value, begin, text)
        if _ALL.search(text, begin, value.start):  # …、いずれも69歳まで applies to all before
            floor = text.rfind("。", 0, begin) + 1
            own |= _union([unit for unit in words if floor <= unit.start and unit.end <= begin])
        found.append(AttributedValue(value, own, own | shared | _union(behind), sentence=text))
    return _as_ranges(found, text)


def _is_condition(unit: Phrase) -> bool:
    """Whether the phrase ends a condition, so that its words belong to the value after it: 土曜日に使うと、600円."""
    return unit.is_condition or re.match("[^、。]{0,4}(?<!こ)と、", unit.tail) is not None


def _own_topic(words: Sequence[Phrase], values: Sequence[Quantity], value: Quantity, begin: int, text: str) -> int:
    """Return the start of a value's clause with a topic of its own after another value (Aは2m、Bは3%), or `begin`."""
    last = max((one.end for one in values if begin <= one.start < value.start), default=-1)
    for unit in words:
        if last >= 0 and last <= unit.start and unit.end <= value.start and re.match("[にで]?は", unit.tail):
            comma = text.rfind("、", last, unit.start)
            return comma + 1 if comma >= 0 else begin
    return begin


def _matter(topics: Sequence[Phrase], value: Quantity, text: str) -> list[Phrase]:
    """Return the phrases of the topic that contrasted clauses share: 速度は of 速度は、Aでは2m、Bでは3m."""
    at = next((at for at, unit in enumerate(topics) if re.match(r"[^、]{0,8}は、", unit.tail)), -1)
    is_ended = "。" in text[topics[at].end : value.start] if at >= 0 else True
    return [] if is_ended else list(topics[: at + 1])


def _topic(
    words: Sequence[Phrase], values: Sequence[Quantity], value: Quantity, begin: int, text: str
) -> frozenset[object]:
    """Return the keys of the last topic before a value that has none of its own: Aは of Aは縦が3m、横が5m."""
    floor = text.rfind("。", 0, begin) + 1
    at = next(
        (u for u in reversed(words) if floor <= u.start and u.end <= begin and re.match("[にで]?は", u.tail)), None
    )
    if at is None:
        return frozenset()
    start = max(floor, text.rfind("、", 0, at.start) + 1)
    labels = {_as_label(one) for one in values if one.unit != value.unit and start <= one.start < at.start}
    return _union([unit for unit in words if start <= unit.start <= at.start]) | labels


def _in_place(statement: statements.Statement) -> list[Phrase]:
    """Return the phrases with their offsets in the sentence before flattening, where ℃ is one character."""
    if not statement.origin:
        return list(statement.units)
    return [
        dataclasses.replace(unit, start=statement.origin[unit.start], end=statement.origin[unit.end])
        for unit in statement.units
    ]


def _as_ranges(attributed: Sequence[AttributedValue], text: str) -> list[AttributedValue]:
    """Give both ends of a range the words of both: 7歳以上15歳未満, 1日1回から1日3回."""
    joined = list(attributed)
    for at in range(len(joined) - 2, -1, -1):
        one = joined[at]
        alike = (then for then in (at + 1, at + 2) if joined[then:] and one.value.unit == joined[then].value.unit)
        behind = next(alike, at)
        after = joined[behind]
        between = text[one.value.bound_end or one.value.end : after.value.start]
        if behind > at and re.fullmatch(r"[\s~～〜ー―–-]*|から(?:\d+[^\d、。]{1,3})?|、?かつ|で", between):
            own, everything = one.own_keys | after.own_keys, one.all_keys | after.all_keys
            joined[at] = dataclasses.replace(one, own_keys=own, all_keys=everything)
            joined[behind] = dataclasses.replace(after, own_keys=own, all_keys=everything)
    return joined


def _phrases_after_value(
    text: str, value: Quantity, later: Sequence[Quantity], words: Sequence[Phrase]
) -> list[Phrase]:
    """Return the phrases after a value that it belongs to: 幅 of 2mの幅, and the predicate at the end of its clause."""
    rest = [unit for unit in words if unit.start >= value.end]
    closing = next(
        (unit for unit in rest if unit.kind and re.search("[、。]|^$", unit.tail)), rest[-1] if rest else None
    )
    following = text[max(value.end, value.bound_end) :]
    stop = re.match(r"(?:(?!\s[(（]?\d{1,2}[)）])[^、。，,|])*", following)
    end = len(text) - len(following) + (stop.end() if stop else 0)
    end = min([end, *(one.start for one in later if one.unit == value.unit)])
    near = (
        []
        if re.match(r"\s*(?:と(?!な|す|し)|や|及び|および|又は|または|、|,|・|で、|/|が)", following)
        else [unit for unit in rest if unit.end <= end]
    )
    return near if closing is None or closing in near or not _is_action(closing) else [*near, closing]


def _is_action(unit: Phrase) -> bool:
    return bool(unit.kind) and (unit.head.is_verbal_noun or unit.head.kind.startswith("動詞"))


def _keys(text: str) -> frozenset[object]:
    return statements.parse_statement(text).keys


def _union(words: Sequence[Phrase]) -> frozenset[object]:
    return frozenset(key for unit in words for key in unit.keys)


def is_exchanged(
    claimed: AttributedValue, besides: Sequence[AttributedValue], source: Sequence[AttributedValue], text: str
) -> bool | None:
    """Whether the source has another value with this one's words; None if unclear. `besides`: its sentence's values."""
    held = [
        one
        for one in source
        if one.value.is_same(claimed.value)
        and (one.value.unit or one.is_cell)
        and _has_bound(one, claimed)
        and not (claimed.value.per and one.value.is_per)
    ]
    if _has_other_bound(claimed, held, source, text):
        return True
    if not held or _JOINED.search(text) or claimed.value.unit.startswith("第") or claimed.value.is_per:
        return None
    if claimed.is_cell and not any(claimed.all_keys & one.all_keys for one in held):
        return True if any(claimed.all_keys & one.all_keys for one in source) else None
    if _fits_other_value_better(claimed, held, [other for other in source if _is_other(other, claimed)]):
        return True
    if any(_are_crossed(claimed, held, also, source) for also in besides):
        return True
    if not claimed.is_cell and any(not one.all_keys for one in held):  # the source does not say what it belongs to
        return None
    for one in held:
        rivals = [other for other in source if _is_other(other, claimed) and one.is_cell == other.is_cell]
        verdicts = [_is_rival(claimed, one, other, besides, text) for other in rivals]
        if True not in verdicts:
            return False if False in verdicts else None
    return True


def _are_crossed(
    claimed: AttributedValue,
    source_values: Sequence[AttributedValue],
    also: AttributedValue,
    source: Sequence[AttributedValue],
) -> bool:
    """Whether two values of the answer have exchanged words: each has those of the other one in the source."""
    if len(source_values) != 1:
        return False
    others = [one for one in source if one.value.is_same(also.value) and not one.value.is_same(claimed.value)]
    if len(others) != 1 or (source_values[0].sentence == others[0].sentence and not source_values[0].is_cell):
        return False
    mine, theirs = source_values[0].all_keys - others[0].all_keys, others[0].all_keys - source_values[0].all_keys
    is_said = bool(claimed.own_keys & theirs) and not claimed.own_keys & mine
    return is_said and bool(also.own_keys & mine)


def _has_other_bound(
    claimed: AttributedValue, source_values: Sequence[AttributedValue], source: Sequence[AttributedValue], text: str
) -> bool:
    """Whether the source, in the same polarity (3mを超えるときは要る), has words and value with another bound."""
    sign = modality.polarity_of(text) if claimed.value.bound else 0
    others = [
        other
        for other in source
        if sign
        and other.value.is_same(claimed.value)
        and not _has_bound(other, claimed)
        and modality.polarity_of(other.sentence) == sign
    ]
    return _fits_other_value_better(claimed, source_values, others)


def _fits_other_value_better(
    claimed: AttributedValue, source_values: Sequence[AttributedValue], others: Sequence[AttributedValue]
) -> bool:
    """Whether one of `others` shares nearly all words of the claimed value, and its own occurrences far fewer."""
    if len(claimed.own_keys) < _ALIGNED_KEYS or not others:
        return False
    best = max((_share(claimed, one) for one in source_values), default=0.0)
    return any(_share(claimed, other) >= max(_ALIGNED, best + _ALIGNED_LEAD) for other in others)


def _share(claimed: AttributedValue, other: AttributedValue) -> float:
    return len(claimed.own_keys & other.all_keys) / len(claimed.own_keys)


def _is_other(other: AttributedValue, claimed: AttributedValue) -> bool:
    is_comparable = other.value.is_of_kind(claimed.value) and not other.value.is_per
    return is_comparable and not other.value.is_same(claimed.value)


def _has_bound(source_value: AttributedValue, claimed: AttributedValue) -> bool:
    bounds = {source_value.value.bound, claimed.value.bound} - {""}
    return len(bounds) < 2 or source_value.value.is_range_start


def _is_rival(
    claimed: AttributedValue,
    source_value: AttributedValue,
    other: AttributedValue,
    besides: Sequence[AttributedValue],
    text: str,
) -> bool | None:
    """Return whether the words belong to the value `other` (True) or to `source_value` (False); None if unclear."""
    mine, theirs = source_value.all_keys - other.all_keys, other.all_keys - source_value.all_keys
    if source_value.is_cell:
        has_mine, has_theirs = bool(claimed.all_keys & mine), bool(claimed.all_keys & theirs)
    else:
        mine_own, theirs_own = source_value.own_keys - other.all_keys, other.own_keys - source_value.all_keys
        has_mine = bool(claimed.all_keys & (mine_own or mine))
        has_theirs = bool(claimed.own_keys & theirs_own)
        if not mine and source_value.sentence != other.sentence:  # an earlier sentence names what it belongs to
            return None
    if has_theirs and has_mine and _BOTH.search(text):
        return not any(one.value.has_value_of(other.value) for one in besides)
    if has_theirs and not has_mine:
        return True
    return False if has_mine else None
