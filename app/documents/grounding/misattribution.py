"""Find parts that an answer assigns to the wrong thing: crossed pairs in a sentence, or cells of another table row."""

import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from msgspec import structs

from app.base.lazy_pattern import lazy_pattern
from app.documents.grounding import alignment, roles, statements
from app.documents.grounding.alignment import Place
from app.documents.grounding.statements import Phrase, Statement
from app.documents.values import notation, quantities
from app.documents.values.quantities import Quantity

_TOPIC = lazy_pattern("[はも]、")
_NOT_THIS = lazy_pattern(r"で(?:は)?なく")
_NUMBER = lazy_pattern(r"(?:第\d+|\d+(?:号|番)?|[一二三四五六七八九十\d]次)$")
_OF_WHAT = lazy_pattern("(?:に|で|について)?は")
_NEAREST = 3  # number of source sentences considered
_PLACED = ("to", "at", "object", "from")
_ENDS = lazy_pattern("[、。]")


def find_crossed_parts(statement: Statement, near_statements: Sequence[Statement]) -> Iterable[Place]:
    """Yield the place of two crossed pairs: AはXに、BはYに for AはYに、BはXに, in two clauses of either side."""
    parts = _parts(statement)
    own = [[unit for unit in part if not _is_in_another(unit, part, parts)] for part in parts]
    sentences = [source for source in near_statements[:_NEAREST] if "|" not in source.text]
    theirs = [pair for source in sentences for pair in _with_values(_parts(source), source)]
    values = [found for _, found in _with_values(parts, statement)]
    mixed = [
        found
        for at, part in enumerate(own)
        if len(found := _items_by_clause(_labels(part, [one for one, _ in theirs]), _of_values(at, values, theirs))) > 1
    ]
    for one, two in combinations(mixed, 2):
        if len(one.keys() & two.keys()) > 1:
            units = [unit for number in one.keys() & two.keys() for unit in one[number]]
            yield min(unit.start for unit in units), max(unit.end for unit in units)
            return


def _with_values(parts: list[list[Phrase]], sentence: Statement) -> list[tuple[list[Phrase], list[Quantity]]]:
    """Return each clause of a sentence with the values in it."""
    found: list[tuple[list[Phrase], list[Quantity]]] = []
    start = 0
    for part in parts:
        last = part[-1]
        comma = _ENDS.search(last.tail)
        end = last.end + (comma.end() if comma else len(last.tail))
        found.append((part, [value for value in sentence.values if start <= value.start < end]))
        start = end
    return found


def _of_values(
    at: int, values: Sequence[Sequence[Quantity]], theirs: Sequence[tuple[Sequence[Phrase], Sequence[Quantity]]]
) -> dict[int, list[Quantity]]:
    """Return clause of the source -> its own values of a kind that only clause `at` of the answer has."""
    others = [value for number, part in enumerate(values) if number != at for value in part]
    found: dict[int, list[Quantity]] = {}
    for value in values[at]:
        there = [number for number, (_, held) in enumerate(theirs) if any(_is_value(value, one) for one in held)]
        is_paired = any(value.is_of_kind(one) for one in others) and not any(_is_value(value, one) for one in others)
        if len(there) == 1 and is_paired:
            found.setdefault(there[0], []).append(value)
    return found


def _is_value(quantity: Quantity, other: Quantity) -> bool:
    return quantity.is_same(other) and quantity.bound == other.bound


def _items_by_clause(
    units: dict[int, list[Phrase]], values: dict[int, list[Quantity]]
) -> dict[int, list[Phrase | Quantity]]:
    return {number: [*units.get(number, ()), *values.get(number, ())] for number in units.keys() | values.keys()}


def find_swapped_places(statement: Statement, near_statements: Sequence[Statement]) -> Iterable[Place]:
    """Yield phrases that the source has with another topic: 帳簿は棚に for 帳簿は机に、図面は棚に."""
    parts = _parts(statement)
    wholes = [statement.units] if any(part[-1].is_condition for part in parts[:1]) else parts
    for source in near_statements[:1]:
        theirs = _parts(source)
        for labels in (_labels(part, theirs) for part in wholes):
            yield from _words_of_other_topic(statement, theirs, labels)


def _words_of_other_topic(
    statement: Statement, source_clauses: Sequence[Sequence[Phrase]], answer_phrases: dict[int, list[Phrase]]
) -> Iterable[Place]:
    """Yield words of a source clause that the answer gives to another's topic, by phrases of the clauses of both."""
    for answer_phrase in answer_phrases:
        for two in answer_phrases:
            about = _about(source_clauses[two])
            if answer_phrase == two or not about or all(_is_mentioned(unit, statement) for unit in about):
                continue
            if not any(
                _is_same_name_or_act(unit, other)
                for unit in answer_phrases[answer_phrase]
                for other in _about(source_clauses[answer_phrase])
            ):
                continue
            for unit in answer_phrases[two]:
                same = [other for other in source_clauses[two] if unit.text == other.text and unit.role == other.role]
                rivals = [
                    other
                    for other in source_clauses[answer_phrase][len(_about(source_clauses[answer_phrase])) :]
                    if _has_same_role(unit, statement.units, other, source_clauses[answer_phrase])
                ]
                if same and rivals and not any(_is_mentioned(other, statement) for other in rivals):
                    yield unit.start, unit.end


def _about(part: Sequence[Phrase]) -> list[Phrase]:
    """Return the phrases of a clause up to its topic or condition."""
    topic = next((unit.number for unit in part if _OF_WHAT.match(unit.tail) or unit.is_condition), -1)
    return [unit for unit in part if unit.number <= topic]


def _has_same_role(unit: Phrase, units: Sequence[Phrase], other: Phrase, others: Sequence[Phrase]) -> bool:
    """Whether two phrases have the same role: 棚に and 机に; 右の棚に and 左の棚に."""
    if unit.role != other.role or unit.role not in (*_PLACED, "of"):
        return False
    following = [
        next((one.text for one in whole if one.number == at.number + 1), "")
        for at, whole in ((unit, units), (other, others))
    ]
    return unit.role != "of" or following[0] == following[1]


def _is_mentioned(unit: Phrase, statement: Statement) -> bool:
    return any(_is_same_name_or_act(unit, one) for one in statement.units)


def _parts(sentence: Statement) -> list[list[Phrase]]:
    """Return the clauses of a sentence between commas; a topic alone belongs to the next clause."""
    found: list[list[Phrase]] = []
    part: list[Phrase] = []
    for unit in sentence.units:
        part.append(_numbered(unit, sentence.text))
        is_open = _TOPIC.match(unit.tail) or statements.CLEFT.search(unit.tail) or unit.is_condition
        if _ENDS.search(unit.tail) and not is_open:
            found.append(part)
            part = []
    return [*found, part] if part else found


def _numbered(unit: Phrase, text: str) -> Phrase:
    """Add a number before the phrase to its first word, because 第1倉庫 differs from 第2倉庫."""
    found = _NUMBER.search(text, max(0, unit.start - 6), unit.start)
    if found is None:
        return unit
    first = unit.words[0]
    named = structs.replace(
        first, text=found.group() + first.text, base=found.group() + first.base, synonyms=frozenset()
    )
    return dataclasses.replace(unit, words=(named, *unit.words[1:]))


def _labels(part: Sequence[Phrase], theirs: Sequence[Sequence[Phrase]]) -> dict[int, list[Phrase]]:
    """Return clause of the source -> phrases of `part` that only it has, equal words before similar ones."""
    found: dict[int, list[Phrase]] = {}
    for unit in part:
        if _TOPIC.match(unit.tail) or _NOT_THIS.match(unit.tail):  # belongs to all clauses, or to none
            continue
        there = [number for number, other in enumerate(theirs) if any(unit.text == one.text for one in other)]
        for is_like in (_has_head_of, _is_same_name_or_act):
            there = there or [number for number, other in enumerate(theirs) if any(is_like(unit, one) for one in other)]
        if len(there) == 1:
            found.setdefault(there[0], []).append(unit)
    return found


def _is_in_another(unit: Phrase, part: Sequence[Phrase], parts: Sequence[Sequence[Phrase]]) -> bool:
    """Whether another clause has the same phrase."""
    others = [one for other in parts if other is not part for one in other]
    if any(unit.text == one.text for one in others):
        return True
    is_own = len(unit.words) > 1 and any(one.text != unit.text and one.kanji[-1:] == unit.kanji[-1:] for one in others)
    return not is_own and any(_is_same_name_or_act(unit, one) for one in others)  # 二次転圧 differs from 初転圧


def _has_head_of(phrase: Phrase, other: Phrase) -> bool:
    """Whether both actions have the same head: 運行中止 and 中止."""
    return phrase.is_act and other.is_act and phrase.head.base == other.head.base


def _is_same_name_or_act(phrase: Phrase, other: Phrase) -> bool:
    if _length(phrase) == _length(other) and roles.is_same_name(
        phrase, other
    ):  # so that コンテナ貨物 differs from ばら積み貨物
        return True
    return alignment.are_alike_acts(phrase, other)


def _length(unit: Phrase) -> int:
    """Return the number of words in a phrase without suffixes, such as 用 of 検査用."""
    return sum(not word.is_suffix for word in unit.words)


_LABELLED = lazy_pattern(
    r"\s*(?:[（(]?(?:\d{1,2}|[ア-ヲ一二三四五六七八九十])[)）.．、]|[-*・●①-⑳])?\s*(?P<label>[^：:|。、\s]{2,20})\s?[：:]\s*(?P<items>[^|]+)"
)
_BETWEEN = lazy_pattern(r"。|、|,|，|・|及び|および|並びに|又は|または")
_DENIES = lazy_pattern(r"(?:[でに]は|じゃ|[はがも])?(?:な[いくし]|ありませ|以外|を除|のほか|よりも?)")
_OTHERS = lazy_pattern("その他|他の|ほか|以外|それぞれ")


@dataclass(frozen=True, slots=True)
class LabelledEntry:
    """The items that a table row or list line has for its label. `span`: (table or list, column)."""

    span: tuple[int, int]
    label: str
    items: frozenset[str]


def find_swapped_entries(text: str, source: str) -> Iterator[tuple[int, int]]:
    """Yield the places of items in a sentence that tables and lists of the source have only for other labels."""
    flat, origin = notation.flatten(text)
    whole = notation.flatten(source)[0]
    labelled_entries = parse_entries(whole)
    named = {one.label for one in labelled_entries if one.label in flat}
    labels = [one for one in named if not any(one != other and one in other for other in named)]
    if not labels or _OTHERS.search(flat):
        return
    start = 0
    for part in [flat] if len(labels) == 1 else re.split("(?<=[、。])", flat):
        named = {label for label in labels if label in part}
        if len(named) == 1:
            for at, item in _of_others(part, named.pop(), labelled_entries, whole):
                yield origin(start + at), origin(start + at + len(item))
        start += len(part)


def _of_others(part: str, label: str, entries: Sequence[LabelledEntry], full_text: str) -> Iterator[tuple[int, str]]:
    """Yield items of a clause that the source has only for labels other than `label`, as (offset, item)."""
    own = [entry for entry in entries if entry.label == label]
    mine = frozenset(item for one in own for item in one.items)
    everywhere = [item for entry in entries for item in entry.items]
    for place in dict.fromkeys(one.span for one in own if not any(item in part for item in one.items)):
        theirs = {item for entry in entries if entry.span == place and entry.label != label for item in entry.items}
        for item in sorted(theirs - mine):
            at = part.find(item)
            if at < 0 or item in label or _DENIES.match(part, at + len(item)):
                continue
            if any(item in other for other in mine):
                continue
            if full_text.count(item) == sum(item in other for other in everywhere):  # nowhere else in the source
                yield at, item


@functools.lru_cache(maxsize=64)
def parse_entries(text: str) -> tuple[LabelledEntry, ...]:
    """Return the entries of a flattened text: those of tables with a header, and of lists of at least two labels."""
    found: list[LabelledEntry] = []
    rows: list[list[str]] = []
    listed: list[LabelledEntry] = []
    group = 0
    for line in [*text.split("\n"), ""]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        is_row = len(cells) > 1
        if is_row and not re.search(r"[^\s|:+=*_-]", line):
            continue
        labelled = None if is_row else _LABELLED.fullmatch(line)
        if rows and not is_row:
            found += _of_rows(rows, group)
            rows, group = [], group + 1
        if listed and not labelled:
            found += listed if len(listed) > 1 else []
            listed, group = [], group + 1
        if is_row:
            rows.append(cells)
        elif labelled:
            items = frozenset(filter(None, map(_label_before_value, _BETWEEN.split(labelled["items"]))))
            listed.append(LabelledEntry((group, 0), labelled["label"], items))
    return tuple(found)


def _of_rows(rows: list[list[str]], group: int) -> Iterator[LabelledEntry]:
    for row in rows[1:]:
        for column, cell in enumerate(row[1:], 1):
            item = _label_before_value(cell)
            yield LabelledEntry((group, column), row[0], frozenset([item] if item else []))


def _label_before_value(item: str) -> str:
    """Return the words of an item before its value, or "" for a value or a text that is too short to search for."""
    values = quantities.parse(item)
    words = item[: values[0].start] if values else item
    words = words.strip()
    return words if len(words) > 1 and re.search("[ァ-ヺ一-鿿]", words) else ""
