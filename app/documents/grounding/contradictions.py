"""What a sentence of an answer says that the statements of its sources do not, or say otherwise.

Each predicate of the answer is held against the one of the source that has the same word and most of the same
arguments: whether it is so, must, may or should be; who does it to whom; what comes first. Only what both have is
compared, and words that no source has are named. Whether one sentence follows from another is not judged.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from app.documents.grounding import (
    alignment,
    conditions,
    evidence,
    lexicon,
    misattribution,
    modality,
    precedence,
    prerequisites,
    roles,
    statements,
)
from app.documents.grounding.alignment import Place, SourceFacts
from app.documents.grounding.statements import Phrase, PredicateFrame, Statement
from app.documents.values.quantities import Quantity

_PART_MIN = 8  # characters
_ALL = re.compile(
    r"(?:だれ|誰|どれ|どこ|いつ|なに|なん|何)[^、。]{0,2}(?:でも|にも)|(?:どの|どちらの?|いずれの)[^、。]{0,10}(?:でも|にも)|どの[^、。]{1,10}も(?!の|し)"
    rf"|{modality.EVERY}|すべて|全て|全員|一律|無制限|(?:制限|条件)な[くし]|(?<![一-鿿])常に|まったく"
    r"|を?問わ(?:ず|な)|にかかわらず|に関わらず|に関係な"
)
_ALL_IN_SOURCE = re.compile(
    rf"{modality.EVERY}|すべて|全|だれで|誰で|一律|無制限|各|毎|それぞれ|どの|いつでも|どこでも|常に|いずれ|どちら|問わ|かかわら|関わら|関係な|何|ごと"
    r"|(?:制限|条件)[はをが]?(?:な[いくし]|し(?:な|ませ)|(?:設け|つけ|付け)(?:な|ませ))"
)
_ONLY = re.compile(
    r"のみ(?!なら)|(?<!いた)(?<![頂戴])(?<!できる)(?<!出来る)(?<!なる)だけ(?!で(?:は)?な|でも)|に限(?:り|る|ら|っ)|しか(?![しも])|限定|専用"
)
_OTHERS = re.compile("(?:ほか|(?<!その)他(?![一-鿿])|以外)")
_ONLY_IN_SOURCE = re.compile(r"のみ|だけ|限|しか|専|以外|除")
_LIMIT = re.compile("限[りるっ]|のみ|だけ")
_ALONE = re.compile("(?:だけ|のみ)(?:では?|[をがに](?!は))")  # 子どもだけで泳いではならない limits nothing
_EXCEPT = re.compile(r"以外|を除[いき]")
_EXCEPT_IN_SOURCE = re.compile(r"以外|除|その他|ほか|他の|ただし|限|のみ|だけ")
_WITHOUT = re.compile(rf"[はもが](?:{modality.NONE}|設け(?:ない|ませ|られていませ))")
_DIRECTION = re.compile(
    rf"(?P<before>{lexicon.BEFORE}|まえ|に先(?:立|だ))|(?P<after>(?<!前){lexicon.AFTER})"
    r"|^(?P<inside>(?:の中|内)(?=[のにでとへはが]))|^(?P<outside>の?外(?=[のにでとへはが]))"
    r"|^(?P<least>以上)|^(?P<most>以下|以内)|^(?P<below>未満)|^(?P<beyond>を?超)"
)
_AXES = {  # what each direction can be turned round to
    one: frozenset(axis.split())
    for axis in ("before after", "inside outside", "least most below beyond")
    for one in axis.split()
}
_WITHOUT_IT = re.compile(r"なく|なしに|.?ずに|.?ないで|を?得(?:ず|ない)")
_HAVING_IT = re.compile("に(?:従|よ[りっる]|基づ|沿)|の(?:下|もと)で|を(?:得|受け|もら|取)")
_DIRECTION_REACH = 14
_DENIES = re.compile(r"\s?(?:と(?:は|も)?し|で(?:は|も)?|に(?:は|も)?な[らり])(?:な[いく]|(?:あり|なり)?ません?|ず)")
_BEYOND = re.compile(r"(?:これ|それ|この値|上限|下限|基準|制限)を?(?:超|上回|下回)")
_BEYOND_IT = re.compile("、(?:超|上回|遅れ|過ぎ)")
_SIDE = re.compile(  # 3日前, 18℃を下回ってから
    rf"\s?(?:間|以上|以内)?(?:[をに]?(?:下回|上回|超え|達し|過ぎ|なっ)[るったて]{{0,2}})?の?"
    rf"(?:(?P<before>{lexicon.BEFORE}(?!後))|(?P<after>{lexicon.AFTER}|(?<=て)から))"
)

_SINCE = re.compile("(?:[てで]から|[た日]?後|[たの]日から)(?:、|の)?$")
_TIMES = frozenset(["s", "か月", "年"])


def find_contradictions(said: Statement, known: SourceFacts) -> list[Place]:
    """Where the sentence says something else than the source, in order."""
    weights = alignment.weights(said, known)
    near = alignment.nearest(said, known, weights)
    if near is None:
        return []
    frames = {frame.unit.number: alignment.near_frames(frame, said, known, weights) for frame in said.frames}
    telling = {  # a predicate of a sentence that has little else of this one denies nothing
        number: rated if any(one is other for one, _ in rated for other in near) else []
        for number, rated in frames.items()
    }
    kept, turned = prerequisites.compared(said, prerequisites.related(said, near, known.statements))
    free = frozenset(number for own in kept for number in own.ends)
    found = {
        *_kinds(said, telling, free),
        *_withouts(said, known),
        *_bounds(said, near, known),
        *_denied_values(said, known),
        *_directions(said, known, free),
        *_sides(said, known),
    }
    found |= {
        *conditions.waived(said, near, known),
        *conditions.unexcepted(said, near),
        *conditions.strengthened(said, near, any(own.is_purpose for own in kept)),
        *conditions.other_day(said, near, known),
        *conditions.in_spite(said, known),
        *misattribution.crossed_parts(said, near),
        *misattribution.swapped_places(said, near),
        *roles.other_actors(said, near, known),
    }
    alike = {number: [one for one in rated if _is_of_matter(said, *one)] for number, rated in frames.items()}
    acting = {number: rated or alike[number] for number, rated in telling.items()}
    found |= {*roles.exchanged(said, near), *roles.other_fillers(said, known, acting), *_opposites(said, near)}
    found = {place for place in found if not _stands_there(said, place, known)}
    found |= {*precedence.turned(said, known), *_scopes(said, near, known, bool(kept))}
    return sorted({*found, *(own.at for own in turned)})


def _is_of_matter(said: Statement, source: Statement, frame: PredicateFrame) -> bool:
    """Whether the source does it to what the answer does it to, so that only who does it may differ."""
    done_to = [unit for unit in frame.arguments if not lexicon.is_agent(unit.text) and not unit.is_general]
    shared = [unit for unit in done_to if unit.keys & said.keys]
    is_same = any(unit.role == "object" for unit in shared) or 2 * len(shared) >= len(done_to)
    return bool(shared) and is_same and not source.needed


def _stands_there(said: Statement, place: Place, known: SourceFacts) -> bool:
    """Whether the source has the part of the sentence between two commas word for word."""
    start = max(said.text.rfind(sign, 0, place[0]) for sign in "、。") + 1
    stop = re.compile("[、。]").search(said.text, place[1] - 1)
    part = re.sub(r"[\s|]", "", said.text[start : stop.start() if stop else len(said.text)])
    return len(part) >= _PART_MIN and part in known.body


def _kinds(
    said: Statement, frames: Mapping[int, Sequence[tuple[Statement, PredicateFrame]]], free: frozenset[int]
) -> Iterable[Place]:
    """`frames`: by the number of a predicate, those of the source that it may repeat.

    `free`: predicates that, with their condition, the source has; they may be denied together.
    """
    flips: list[tuple[PredicateFrame, PredicateFrame, Place]] = []
    for frame in said.frames:
        if frame.unit.text in lexicon.WEIGHED or statements.is_attributive(frame.unit, said):  # 標準とする
            continue
        if precedence.sign(frame.unit) == "before":  # 入る前に: what is before is not said to be done
            continue
        if _is_carried(frame.unit, said) or _is_only_alone(frame.unit, said):
            continue
        if _is_of_the_rest(frame.unit, said):
            continue
        near = [(one, other) for one, other in frames[frame.unit.number] if not _is_of_another(frame, one, other)]
        if _is_contrasted(frame.unit, said):
            near = [(one, other) for one, other in near if _has_all(other, frame.arguments)]
        is_case = frame.unit.is_condition and not frame.unit.is_concession
        if is_case and frame.unit.kind not in modality.NEGATIVE:  # 送るときに: nothing is said of whether one may
            near = [(one, other) for one, other in near if other.unit.is_condition]
        near = [pair for pair in near if alignment.shares_value(said, pair[0])] or near
        is_final = _is_final(frame.unit, said)
        if not near or any(
            _is_kept(_as_meant(one, other), frame, is_final)
            or _is_kept_with(one, other, frame)
            or _is_asked_for(one, other, frame, said)
            for one, other in near
        ):
            continue
        if _is_bounded_the_other_way(said, near[0][0]):
            continue
        is_denied = frame.unit.kind in modality.NEGATIVE
        if frame.unit.number in free and any((other.unit.kind in modality.NEGATIVE) != is_denied for _, other in near):
            continue
        flips.append((frame, near[0][1], (frame.unit.start, frame.unit.end + len(_ending(frame.unit)))))
    turned = [
        (frame.unit.kind in modality.NEGATIVE) != (other.unit.kind in modality.NEGATIVE) for frame, other, _ in flips
    ]
    conditions = [frame.unit.is_condition for frame, _, _ in flips]
    if sum(turned) == 2 and any(conditions) and not all(conditions):  # 予約がなければできる, and with one it cannot be
        return []
    return [place for frame, _, place in flips if not _is_contraposed(frame, said)]


def _is_bounded_the_other_way(said: Statement, source: Statement) -> bool:
    """30分までできる for 30分を超えてはならない."""
    pairs = [{one.bound, other.bound} for one in said.values for other in source.values if one.is_same(other)]
    return any(bounds in evidence.COMPLEMENTS for bounds in pairs)


def _is_only_alone(unit: Phrase, said: Statement) -> bool:
    """子どもだけでは泳げない: with somebody else they may."""
    before = said.units[unit.number - 1] if unit.number else None
    return before is not None and unit.kind in modality.NEGATIVE and re.match("だけでは?$", before.tail) is not None


def _is_contrasted(unit: Phrase, said: Statement) -> bool:
    """利用者の負担ではなく、事業者の負担です: the end is the same, and what it is of is told apart."""
    is_denied = re.match(r"で(?:は)?なく、?", unit.tail) is not None
    return is_denied and any(one.keys & unit.keys for one in said.units[unit.number + 1 :])


def _has_all(frame: PredicateFrame, arguments: Sequence[Phrase]) -> bool:
    return all(unit.keys & frame.argument_keys for unit in arguments if not unit.is_general)


def _is_of_another(frame: PredicateFrame, source: Statement, other: PredicateFrame) -> bool:
    """ボールペンで書く, where the source lets one use ボールペン and forbids to write with 鉛筆."""
    own, theirs = (
        frozenset(key for one in which.lead if one.role in ("at", "object") for key in one.keys)
        for which in (frame, other)
    )
    if not own or not theirs or own & (other.argument_keys | other.keys):
        return False
    is_denied = frame.unit.kind in modality.NEGATIVE
    having = [
        one
        for one in source.frames
        if one is not other
        and own & one.argument_keys
        and (one.unit.head.base in prerequisites.USES or one.keys & frame.keys)
    ]
    return any((one.unit.kind in modality.NEGATIVE) == is_denied for one in having)


def _is_of_the_rest(unit: Phrase, said: Statement) -> bool:
    """使えるのはA面だけで、ほかでは使えない: the other side of what is limited."""
    limit = _ONLY.search(said.text, 0, unit.start) if unit.kind in modality.NEGATIVE else None
    if limit is None or not _OTHERS.search(said.text, limit.end(), unit.start):
        return False
    return any(one.keys & unit.keys for one in said.units if one.end <= limit.start())


def _is_carried(unit: Phrase, said: Statement) -> bool:
    """Whether the verb that follows at once denies it as well: 持って入れない."""
    following = said.units[unit.number + 1 : unit.number + 2]
    is_joined = (
        unit.kind == modality.PLAIN and re.fullmatch("[しっいんえけせてべめれりちに]?[てで]", unit.tail) is not None
    )
    return is_joined and any(one.kind in modality.NEGATIVE for one in following)


def _is_final(unit: Phrase, said: Statement) -> bool:
    """Whether a clause ends with it, so that it says what is or must be; that of a cleft (記録するのは) does not."""
    if unit is said.units[-1] or modality.CHOICE.match(said.text, unit.end):
        return True
    return re.search("(?<!の[はが])[。、]", unit.tail) is not None


def _is_contraposed(frame: PredicateFrame, said: Statement) -> bool:
    """許可がなければ持ち出せない, which says that with it one may."""
    if frame.unit.kind != modality.DENIED or not frame.unit.is_condition or frame.unit.is_concession:
        return False
    main = next((one for one in said.frames if one.unit.number > frame.unit.number), None)
    return main is not None and main.unit.kind in modality.NEGATIVE


def _as_meant(whole: Statement, source: PredicateFrame) -> PredicateFrame:
    """同意なく外してはならない asks for 同意."""
    if source.unit.kind != modality.DENIED or source.unit.is_condition or not _WITHOUT_IT.match(source.unit.tail):
        return source
    later = [one.unit.kind for one in whole.frames if one.unit.number > source.unit.number]
    if not later or later[-1] not in modality.NEGATIVE:
        return source
    return dataclasses.replace(source, unit=dataclasses.replace(source.unit, kind=modality.DUTY))


def _is_kept_with(whole: Statement, source: PredicateFrame, answer: PredicateFrame) -> bool:
    """The end of 換気をしながら使うよう努める says it of both, and so does that of 併せて受けてはならない."""
    if source.unit.is_condition or answer.unit.is_condition or source.unit.kind != modality.PLAIN:
        return False
    later = [one.unit for one in whole.frames if one.unit.number > source.unit.number]
    if later and re.fullmatch("し?て", source.unit.tail) and modality.is_kept(later[0].kind, answer.unit.kind):
        return True
    kind = later[-1].kind if later else modality.DENIED
    return kind not in modality.NEGATIVE and modality.is_kept(kind, answer.unit.kind)


def _is_asked_for(whole: Statement, source: PredicateFrame, answer: PredicateFrame, said: Statement) -> bool:
    """命令に従って行う, where 命令によらずにしてはならない."""
    at = next((one.number for one in reversed(whole.units[: source.unit.number]) if _WITHOUT_IT.match(one.tail)), None)
    if at is None or source.unit.kind != modality.PROHIBITED or answer.unit.kind in modality.NEGATIVE:
        return False
    asked = whole.units[max(0, at - 1) : at + 1]
    units = said.units if answer.unit.is_condition else answer.arguments
    return any(_HAVING_IT.match(one.tail) and any(one.keys & two.keys for two in asked) for one in units)


def _is_kept(source: PredicateFrame, answer: PredicateFrame, is_final: bool) -> bool:
    """`is_final`: of the answer's."""
    kind, own = source.unit.kind, answer.unit.kind
    if answer.unit.is_concession and source.unit.is_condition and not source.unit.is_concession:
        return False  # 近いときも, where the source says what holds 近いときは
    if answer.unit.is_condition or source.unit.is_condition or not is_final:
        return (kind in modality.NEGATIVE) == (own in modality.NEGATIVE)
    return modality.is_kept(kind, own)


def _ending(unit: Phrase) -> str:
    return re.split("[。、]", unit.tail)[0][:_DIRECTION_REACH]


def _withouts(said: Statement, known: SourceFacts) -> Iterable[Place]:
    """上限はありません, where the source gives one."""
    for unit in said.units:
        found = _WITHOUT.match(unit.tail)
        if found is None or unit.is_condition:
            continue
        for one in known.statements:
            if any(other.keys & unit.keys and re.match(r"[はが]、?[^、。]{0,12}\d", other.tail) for other in one.units):
                yield unit.start, unit.end + found.end()
                break


def _denied_values(said: Statement, known: SourceFacts) -> Iterable[Place]:
    """10日ではない, where the source says 10日."""
    for value in said.values:
        found = _DENIES.match(said.text, value.bound_end)
        same = [(one, other) for one in known.statements for other in one.values if value.is_same(other)]
        if found and any(not _DENIES.match(one.text, other.bound_end) for one, other in same):
            yield value.start, found.end()


def _directions(said: Statement, known: SourceFacts, free: frozenset[int]) -> Iterable[Place]:
    """出発の5日後 for 出発の5日前. `free`: as of `_kinds`; 受けた後はできない: 受ける前に限りできる."""
    for unit in said.units:
        own = _direction(unit)
        if not own or unit.number in free:
            continue
        there = {_direction(other) for one in known.statements for other in one.units if _is_same(unit, other)}
        if own == "after":  # 散布後 for 散布した
            there |= {
                "after" for one in known.statements for other in one.units if _is_done(other) and _is_same(unit, other)
            }
        if there & _AXES[own] and own not in there:
            yield unit.start, unit.end + len(_ending(unit))


def _is_done(unit: Phrase) -> bool:
    return re.match("し?[たっ]", unit.tail) is not None


def _bounds(said: Statement, near: Sequence[Statement], known: SourceFacts) -> Iterable[Place]:
    """5mを超えるとき for 5m以下のとき. Both may be said of one rule only where one says that it is, the other not."""
    for value in said.values:
        there = {other.bound for one in near for other in one.values if value.is_same(other)}
        if not value.bound or there & {value.bound, ""} or {value.bound} | there not in evidence.COMPLEMENTS:
            continue
        if is_beyond(value, known):
            continue
        if any(_is_negative(one) == _is_negative(said) for one in near if any(map(value.is_same, one.values))):
            yield value.start, value.bound_end


def is_beyond(value: Quantity, known: SourceFacts) -> bool:
    """Whether the source says what holds beyond a value that it gives as a limit: 6分まで。これを超えると."""
    if value.bound != ">":
        return False
    same = [(one, here) for here in known.statements for one in here.values if value.is_same(one)]
    return _BEYOND.search(known.body) is not None or any(_BEYOND_IT.search(here.text, one.end) for one, here in same)


def _is_negative(one: Statement) -> bool:
    return re.search("しか(?![しも])", one.text) is None and any(
        frame.unit.kind in modality.NEGATIVE for frame in one.frames
    )


def _sides(said: Statement, known: SourceFacts) -> Iterable[Place]:
    """3日後 for 3日前, whatever it is of."""
    for value in said.values:
        own = _side(said.text, value)
        if not own:
            continue
        there = {_side(one.text, other) for one in known.statements for other in one.values if value.is_same(other)}
        if there - {""} and own not in there and not _is_converse(said, value, known):
            yield value.start, value.end + 1


def _is_converse(said: Statement, value: Quantity, known: SourceFacts) -> bool:
    """撤去の7日前に警告する for 警告の7日後に撤去する: what it is before is what comes then."""
    of = next((one for one in reversed(said.units) if one.end <= value.start), None)
    pairs = [(one, other) for one in known.statements for other in one.values if value.is_same(other)]
    return of is not None and any(
        any(_is_same(of, unit) for unit in one.units if unit.start >= other.end)
        and not any(_is_same(of, unit) for unit in one.units if unit.end <= other.start)
        for one, other in pairs
    )


def _side(text: str, value: Quantity) -> str:
    found = _SIDE.match(text, value.end)
    if found is None and value.unit in _TIMES and _SINCE.search(text[max(0, value.start - 4) : value.start]):
        return "after"  # 終えてから30分以内
    return found.lastgroup or "" if found else ""


def _direction(unit: Phrase) -> str:
    if unit.is_general or re.search("(?:その|それより)(?:後|あと|のち)", unit.tail):  # 時間内
        return ""
    found = _DIRECTION.search(_ending(unit))
    return found.lastgroup or "" if found else ""


def _is_same(one: Phrase, two: Phrase) -> bool:
    return bool(one.keys & two.keys)


def _scopes(said: Statement, near: Sequence[Statement], known: SourceFacts, is_kept: bool) -> Iterable[Place]:
    source = "\n".join(one.text for one in near)
    for own, theirs in ((_ALL, _ALL_IN_SOURCE), (_ONLY, _ONLY_IN_SOURCE), (_EXCEPT, _EXCEPT_IN_SOURCE)):
        found = own.search(said.text) if own is _ALL or not is_kept else None
        is_alone = found is not None and _is_negative(said) and _ALONE.match(said.text, found.start())
        if own is _ONLY and (is_alone or (found and _is_of_exception(said, found.start(), near))):
            continue
        if found and not theirs.search(source if own is _ALL else known.text):
            yield found.start(), found.end()


def _is_of_exception(said: Statement, at: int, near: Sequence[Statement]) -> bool:
    """Whether what stands before だけ is what an exception of the source is of: 二枚貝だけは."""
    own = next((one for one in reversed(said.units) if one.end <= at), None)
    if near[0].needed or near[0].text.startswith("ただし"):
        return True
    exceptions = [one for one in near if one.needed or one.text.startswith("ただし")]
    return own is not None and any(own.keys & one.keys for one in exceptions)


def _opposites(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """上限 for 下限, 木曜日 for 月曜日: a word of the answer, where the source has only one that excludes it."""
    there = [{word.base for unit in one.units for word in unit.words} for one in near]
    everywhere = set().union(*there)
    is_denied = _is_negative(said) != _is_negative(near[0])  # 休業しない: 営業する
    for unit in said.units:
        for word in unit.words:
            others = lexicon.opposites(word.base)
            is_turned = is_denied and len(others) == 1 and _LIMIT.search(near[0].text)  # 午後は不可: 午前に限る
            is_paired = not is_turned and (word.base in lexicon.IN_SERIES or not is_denied)
            if any(one.kanji and one.kanji == unit.kanji for one in near[0].units):  # 閉める for 閉じる
                continue
            if others & there[0] and word.base not in everywhere and is_paired:
                yield word.start, word.end
