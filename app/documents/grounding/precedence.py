"""Find places where an answer reverses the order of two actions that its source states."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon
from app.documents.grounding import alignment, modality, statements
from app.documents.grounding.alignment import Place, SourceFacts
from app.documents.grounding.statements import Phrase, Statement

_AFTER = lazy_pattern(
    rf"(?:た|の|だ)?(?:(?<![午今前]){lexicon.AFTER}|のち|あと)|て(?:か|その)ら|で(?:から)|次第|(?<![時分日月年])(?:以後|以降)|たうえで|た上で"
    r"|^から\s?\d[^、。]{0,6}(?:以内|まで)に"
)
_BEFORE = lazy_pattern(
    rf"(?:(?<!午){lexicon.BEFORE}(?!後)|まえ)|に先(?:立|だ)|に先んじ|より(?:も)?先に"
    r"|(?:とき|場合|際|に)(?:に|は|には)?、?(?:あらかじめ|予め|事前に|前もって)"
)
_BOTH = lazy_pattern(r"[前後](?:だけ|と(?![すしな])|及|および|や|も|・|又|または)")  # 前だけでなく
_FOLLOWS = lazy_pattern(r"[はが]、?(?:その|それより)(?:後|あと|のち)")  # 停止はその後です
_GOES_ON = lazy_pattern(
    r"(?<!は)(?<!場合)(?<!とき)(?<!際)(?<!時)(?<!ば)(?<!たら)(?<!なら)、"
)  # 通報が先で、連絡はその後です
_OF_MATTER = lazy_pattern("は、|(?:する|した|[るうくすつぬむぐぶ])?(?:とき|際|場合|時)に?は?、")
_IN_FRONT = lazy_pattern("の前(?:まで(?!に)|へ|を|で|の)")  # 倉庫の前まで進める
_THEN = lazy_pattern("(?:し?、|[しっいん]?て、?|[いん]で、?)(?:その後に?、?|次に、?|続いて、?)?")
_FIRST_OF_ALL = lazy_pattern("(?:まず|最初に|(?<![よ優])(?<!より)先に)、?")  # まず止め、それから調べる
_NEXT = lazy_pattern("[^、。]{0,3}、(?:それから|その[後あ]と?に?|次に|つぎに|続いて|そして|最後に)")
_ASPECT = frozenset(["始める", "終える", "終わる", "済む", "済ませる", "開始", "終了", "完了", "行う", "先立つ"])
_MAX = 200  # phrases of a statement that are examined


@dataclass(frozen=True, slots=True)
class Precedence:
    """Two groups of phrases, `earlier` before `later`. `order_phrase`: whose ending has the word of order (後, 前)."""

    earlier: tuple[Phrase, ...]
    later: tuple[Phrase, ...]
    order_phrase: Phrase


def parse_precedences(statement: Statement) -> list[Precedence]:
    """Return each order of actions that a statement expresses."""
    found: list[Precedence] = []
    units = statement.units[:_MAX]
    for at, unit in enumerate(units):
        if _FOLLOWS.search(unit.tail):
            begin = next((one.number + 1 for one in reversed(units[:at]) if _GOES_ON.search(one.tail)), 0)
            before = _content(units[_begin(units, begin - 1) : begin])
            own = _content(units[begin : at + 1])
            found += [Precedence(before, own, unit)] if before and own else []
            continue
        if _NEXT.match(statement.text, unit.end) and (first := _first_of_all(statement, at)):
            end = next(
                (one.number for one in units[at + 1 :] if one.kind and re.search("[、。]", one.tail)), len(units)
            )
            found.append(Precedence(_content(first), _content(units[at + 1 : end + 1]), unit))
            continue
        side = side_of(unit)
        own, other = _clauses(units, at) if side else ((), ())
        matter = _matter(units, at) if side == "after" and not other else ()
        own, other = tuple(one for one in own if one not in matter), other or _content(matter)
        if own and other:
            # The earlier actions of the sentence: 電源を切り、停止を確認した後に.
            earlier = [one for one in units[: _begin(units, at)] if one.role != "topic"]
            chain = _content([one for one in earlier if one not in matter]) if side == "after" else ()
            found.append(Precedence(chain + own, other, unit) if side == "after" else Precedence(other, own, unit))
    return found


def _first_of_all(statement: Statement, at: int) -> Sequence[Phrase]:
    """Return the phrases from まず or 最初に up to phrase number `at`; [] if no such word is before it."""
    found = _FIRST_OF_ALL.search(statement.text, 0, statement.units[at].start)
    return [one for one in statement.units[: at + 1] if one.start >= found.end()] if found else []


def side_of(unit: Phrase) -> str:
    """Return "after" if a phrase ends in 後 or the like (確認した後に), "before" if in 前 (入る前に), else ""."""
    if _BOTH.search(unit.tail) or (not unit.is_act and _IN_FRONT.match(unit.tail)):
        return ""
    if _AFTER.search(unit.tail):
        return "after"
    before = _BEFORE.search(unit.tail)
    return "before" if before and not re.search(r"\d", unit.tail[: before.start()]) else ""  # 3日前


def _begin(units: Sequence[Phrase], at: int) -> int:
    """Return the first phrase of the clause with phrase `at`; one that ends in のは belongs to the clause after it."""
    ends = (one for one in reversed(units[: max(0, at)]) if one.kind and re.search("[、。]", one.tail))
    return next((one.number + 1 for one in ends if not statements.CLEFT.search(one.tail)), 0)


def _matter(units: Sequence[Phrase], at: int) -> tuple[Phrase, ...]:
    """Return the phrases up to a topic that is an action: 交換は of 交換は、電源を切ってから行う; or ()."""
    topic = next((one.number for one in units[:at] if one.is_act and _OF_MATTER.match(one.tail)), -1)
    return tuple(units[: topic + 1])


def _clauses(units: Sequence[Phrase], at: int) -> tuple[tuple[Phrase, ...], tuple[Phrase, ...]]:
    """Return the clause that ends in 後 or 前, and the one ordered with it, behind it or before it in のは."""
    begin = _begin(units, at)
    cleft = next(
        (unit.number for unit in reversed(units[begin:at]) if unit.kind and statements.CLEFT.search(unit.tail)), None
    )
    if cleft is not None:
        return _content(units[cleft + 1 : at + 1]), _content(units[begin : cleft + 1])
    topic = next((unit.number + 1 for unit in reversed(units[begin:at]) if unit.role == "topic"), begin)
    end = next(
        (unit.number for unit in units[at + 1 :] if unit.kind and re.search("[、。]", unit.tail)), len(units) - 1
    )
    rest = units[at + 1 : end + 1]
    nested = next((number + 1 for number, one in enumerate(rest) if side_of(one)), 0)
    of_it = [unit for unit in units[begin:topic] if not lexicon.is_agent(unit.text)]
    return _content(units[topic : at + 1]), _content([*of_it, *rest[nested:]])


def _content(units: Sequence[Phrase]) -> tuple[Phrase, ...]:
    """Drop phrases that only express beginning, end or execution (開始, 終了, 行う)."""
    return tuple(unit for unit in units if unit.head.base not in _ASPECT)


def find_reversed_order(statement: Statement, facts: SourceFacts) -> Iterable[Place]:
    """Yield words of order that reverse an order of the sources which none of them has as the answer does."""
    orders = parse_precedences(statement)
    theirs = [other for one in facts.statements for other in parse_precedences(one)] if orders else []
    chains = [other for one in facts.statements for other in _sequence(one)] if orders else []
    for own in orders:
        is_turned = any(_is_turned(own, other) for other in theirs) or any(
            _is_turned(own, other) and _has_acts(own.later, other.earlier) and _has_acts(own.earlier, other.later)
            for other in chains
        )
        if is_turned and not any(_is_kept(own, other) for other in theirs):
            yield own.order_phrase.start, own.order_phrase.end + len(re.split("[。、]", own.order_phrase.tail)[0][:14])


def _sequence(source: Statement) -> Iterable[Precedence]:
    """Yield each pair of consecutive actions that a source joins without a word of order: 電源を切り、報告する."""
    acts = [one for one in source.units[:_MAX] if one.kind and not one.is_condition]
    for one, two in pairwise(acts):
        if one.kind == modality.PLAIN and _THEN.fullmatch(one.tail):
            yield Precedence(_with_object(one, source), _with_object(two, source), one)


def _with_object(act: Phrase, source: Statement) -> tuple[Phrase, ...]:
    """Return an action and the object before it, if there is one: 遮断器を開放し."""
    return tuple(
        one for one in source.units[max(0, act.number - 1) : act.number + 1] if one is act or one.role == "object"
    )


def _has_acts(own: Sequence[Phrase], theirs: Sequence[Phrase]) -> bool:
    """Whether both groups of phrases share an action, and not only an object."""
    return any(_share_words_or_acts(one, two) for two in theirs if two.kind for one in own if one.kind)


def _is_turned(own: Precedence, other: Precedence) -> bool:
    """Whether the answer's order has more in common with the reverse of the source's order than with that order."""
    straight = _shared(own.earlier, other.earlier) + _shared(own.later, other.later)
    one, two = _shared(own.earlier, other.later), _shared(own.later, other.earlier)
    return one > 0 and two > 0 and one + two > straight


def _is_kept(own: Precedence, other: Precedence) -> bool:
    """Whether the answer's order has at least as much in common with the source's order as with its reverse."""
    one, two = _shared(own.earlier, other.earlier), _shared(own.later, other.later)
    crossed = _shared(own.earlier, other.later) + _shared(own.later, other.earlier)
    return one > 0 and two > 0 and one + two >= crossed


def _shared(own: Sequence[Phrase], other: Sequence[Phrase]) -> int:
    return sum(any(_share_words_or_acts(one, two) for two in other) for one in own)


def _share_words_or_acts(phrase: Phrase, other: Phrase) -> bool:
    return bool(phrase.keys & other.keys) or alignment.are_alike_acts(phrase, other)
