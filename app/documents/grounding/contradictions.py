"""Find where a sentence of an answer contradicts the statements of its sources.

Predicates of one word and most of their arguments are compared by modality (done, not done, required, permitted,
advised), who does it to whom, and order; only words that both have count, and no logical consequence. The file is long
because the comparisons share one alignment of two predicates.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon
from app.documents.grounding import (
    alignment,
    conditions,
    evidence,
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

_PART_MIN = 8  # smallest number of characters of a clause that is compared word for word
_ALL = lazy_pattern(
    r"(?:だれ|誰|どれ|どこ|いつ|なに|なん|何)[^、。]{0,2}(?:でも|にも)|(?:どの|どちらの?|いずれの)[^、。]{0,10}(?:でも|にも)|どの[^、。]{1,10}も(?!の|し)"
    rf"|{modality.EVERY}|すべて|全て|全員|一律|無制限|(?:制限|条件)な[くし]|(?<![一-鿿])常に|まったく"
    r"|を?問わ(?:ず|な)|にかかわらず|に関わらず|に関係な"
)
_ALL_IN_SOURCE = lazy_pattern(
    rf"{modality.EVERY}|すべて|全|だれで|誰で|一律|無制限|各|毎|それぞれ|どの|いつでも|どこでも|常に|いずれ|どちら|問わ|かかわら|関わら|関係な|何|ごと"
    r"|(?:制限|条件)[はをが]?(?:な[いくし]|し(?:な|ませ)|(?:設け|つけ|付け)(?:な|ませ))"
)
_ONLY = lazy_pattern(
    r"のみ(?!なら)|(?<!いた)(?<![頂戴])(?<!できる)(?<!出来る)(?<!なる)だけ(?!で(?:は)?な|でも)|に限(?:り|る|ら|っ)|しか(?![しも])|限定|専用"
)
_OTHERS = lazy_pattern("(?:ほか|(?<!その)他(?![一-鿿])|以外)")
_ONLY_IN_SOURCE = lazy_pattern(r"のみ|だけ|限|しか|専|以外|除")
_LIMIT = lazy_pattern("限[りるっ]|のみ|だけ")
_ALONE = lazy_pattern("(?:だけ|のみ)(?:では?|[をがに](?!は))")  # 子どもだけで泳いではならない is not a limit
_EXCEPT = lazy_pattern(r"以外|を除[いき]")
_EXCEPT_IN_SOURCE = lazy_pattern(r"以外|除|その他|ほか|他の|ただし|限|のみ|だけ")
_DIRECTION = lazy_pattern(
    rf"(?P<before>{lexicon.BEFORE}|まえ|に先(?:立|だ))|(?P<after>(?<!前){lexicon.AFTER})"
    r"|^(?P<inside>(?:の中|内)(?=[のにでとへはが]))|^(?P<outside>の?外(?=[のにでとへはが]))"
    r"|^(?P<least>以上)|^(?P<most>以下|以内)|^(?P<below>未満)|^(?P<beyond>を?超)"
)
_AXES = {  # direction -> all directions of its axis
    one: frozenset(axis.split())
    for axis in ("before after", "inside outside", "least most below beyond")
    for one in axis.split()
}
_WITHOUT_IT = lazy_pattern(r"なく|なしに|.?ずに|.?ないで|を?得(?:ず|ない)")
_HAVING_IT = lazy_pattern("に(?:従|よ[りっる]|基づ|沿)|の(?:下|もと)で|を(?:得|受け|もら|取)")
_DIRECTION_REACH = 14
_DENIES = lazy_pattern(r"\s?(?:と(?:は|も)?し|で(?:は|も)?|に(?:は|も)?な[らり])(?:な[いく]|(?:あり|なり)?ません?|ず)")
_BEYOND = lazy_pattern(r"(?:これ|それ|この値|上限|下限|基準|制限)を?(?:超|上回|下回)")
_BEYOND_IT = lazy_pattern("、(?:超|上回|遅れ|過ぎ)")
_SIDE = lazy_pattern(  # 3日前, 18℃を下回ってから
    rf"\s?(?:間|以上|以内)?(?:[をに]?(?:下回|上回|超え|達し|過ぎ|なっ)[るったて]{{0,2}})?の?"
    rf"(?:(?P<before>{lexicon.BEFORE}(?!後))|(?P<after>{lexicon.AFTER}|(?<=て)から))"
)

_SINCE = lazy_pattern("(?:[てで]から|[た日]?後|[たの]日から)(?:、|の)?$")
_TIMES = frozenset(["s", "か月", "年"])


def find_contradictions(statement: Statement, facts: SourceFacts) -> list[Place]:
    """Return the places where a sentence contradicts its sources, in order."""
    weights = alignment.weigh_shared_words(statement, facts)
    near = alignment.nearest_statements(statement, facts, weights)
    if near is None:
        return []
    frames = {frame.unit.number: alignment.near_frames(frame, statement, facts, weights) for frame in statement.frames}
    relevant = {  # a predicate of a sentence that shares little else with this one does not contradict it
        number: rated if any(one is other for one, _ in rated for other in near) else []
        for number, rated in frames.items()
    }
    kept, turned = prerequisites.compare_prerequisites(
        statement, prerequisites.related_statements(statement, near, facts.statements)
    )
    free = frozenset(number for own in kept for number in own.ends)
    found = {
        *_changed_modalities(statement, relevant, free),
        *_bounds(statement, near, facts),
        *_denied_values(statement, facts),
        *_directions(statement, facts, free),
        *_sides(statement, facts),
    }
    found |= {
        *conditions.find_waived_conditions(statement, near, facts),
        *conditions.find_dropped_exceptions(statement, near),
        *conditions.find_changed_obligations(statement, near, any(own.is_purpose for own in kept)),
        *conditions.find_ignored_cases(statement, facts),
        *misattribution.find_crossed_parts(statement, near),
        *misattribution.find_swapped_places(statement, near),
        *roles.find_other_actors(statement, near, facts),
    }
    alike = {number: [one for one in rated if _has_same_object(statement, *one)] for number, rated in frames.items()}
    acting = {number: rated or alike[number] for number, rated in relevant.items()}
    found |= {
        *roles.find_exchanged_roles(statement, near),
        *roles.find_other_fillers(statement, facts, acting),
        *_opposites(statement, near),
    }
    found = {place for place in found if not _is_verbatim(statement, place, facts)}
    found |= {*precedence.find_reversed_order(statement, facts), *_scopes(statement, near, facts, bool(kept))}
    return sorted({*found, *(own.span for own in turned)})


def _has_same_object(statement: Statement, source: Statement, frame: PredicateFrame) -> bool:
    """Whether the answer has a predicate's object, or half of its specific arguments, and no exception is stated."""
    done_to = [unit for unit in frame.arguments if not lexicon.is_agent(unit.text) and not unit.is_general]
    shared = [unit for unit in done_to if unit.keys & statement.keys]
    is_same = any(unit.role == "object" for unit in shared) or 2 * len(shared) >= len(done_to)
    return bool(shared) and is_same and not source.required_keys


def _is_verbatim(statement: Statement, span: Place, facts: SourceFacts) -> bool:
    """Whether the source contains the clause around the place word for word."""
    start = max(statement.text.rfind(sign, 0, span[0]) for sign in "、。") + 1
    stop = re.compile("[、。]").search(statement.text, span[1] - 1)
    part = re.sub(r"[\s|]", "", statement.text[start : stop.start() if stop else len(statement.text)])
    return len(part) >= _PART_MIN and part in facts.body


def _changed_modalities(
    statement: Statement, frames: Mapping[int, Sequence[tuple[Statement, PredicateFrame]]], free: frozenset[int]
) -> Iterable[Place]:
    """Yield the predicates whose modality differs from that of those in `frames` that they may repeat.

    `free`: those that agree together with their condition; one side may negate them.
    """
    for frame in statement.frames:
        if frame.unit.text in lexicon.WEIGHED or statements.is_attributive(frame.unit, statement):  # 標準とする
            continue
        if precedence.side_of(frame.unit) == "before":  # 入る前に does not assert that it is done
            continue
        if _is_carried(frame.unit, statement) or _is_only_alone(frame.unit, statement):
            continue
        if _negates_only_outside_limit(frame.unit, statement):
            continue
        rated = frames[frame.unit.number]
        near = [(one, other) for one, other in rated if not _is_about_other_thing(frame, one, other)]
        if _is_denied_for_contrast(frame.unit, statement):
            near = [(one, other) for one, other in near if _has_all(other, frame.arguments)]
        is_case = frame.unit.is_condition and not frame.unit.is_concession
        if is_case and frame.unit.kind not in modality.NEGATIVE:  # 送るときに does not say whether it is allowed
            near = [(one, other) for one, other in near if other.unit.is_condition]
        near = [pair for pair in near if alignment.shares_value(statement, pair[0])] or near
        is_final = _is_final(frame.unit, statement)
        if not near or any(
            _is_kept(_as_meant(one, other), frame, is_final)
            or _is_kept_with(one, other, frame)
            or _is_asked_for(one, other, frame)
            for one, other in near
        ):
            continue
        if _is_bounded_the_other_way(statement, near[0][0]):
            continue
        is_denied = frame.unit.kind in modality.NEGATIVE
        if frame.unit.number in free and any((other.unit.kind in modality.NEGATIVE) != is_denied for _, other in near):
            continue
        yield frame.unit.start, frame.unit.end + len(_ending(frame.unit))


def _is_bounded_the_other_way(statement: Statement, source: Statement) -> bool:
    """Whether both statements bound one value in complementary ways: 30分までできる and 30分を超えてはならない."""
    pairs = [{one.bound, other.bound} for one in statement.values for other in source.values if one.is_same(other)]
    return any(bounds in evidence.COMPLEMENTS for bounds in pairs)


def _is_only_alone(unit: Phrase, statement: Statement) -> bool:
    """Whether a negation only applies to being alone: 子どもだけでは泳げない does not negate swimming with others."""
    before = statement.units[unit.number - 1] if unit.number else None
    return before is not None and unit.kind in modality.NEGATIVE and re.match("だけでは?$", before.tail) is not None


def _is_denied_for_contrast(unit: Phrase, statement: Statement) -> bool:
    """Whether the predicate contrasts two things, as in 利用者の負担ではなく、事業者の負担です."""
    is_denied = re.match(r"で(?:は)?なく、?", unit.tail) is not None
    return is_denied and any(one.keys & unit.keys for one in statement.units[unit.number + 1 :])


def _has_all(frame: PredicateFrame, arguments: Sequence[Phrase]) -> bool:
    return all(unit.keys & frame.argument_keys for unit in arguments if not unit.is_general)


def _is_about_other_thing(frame: PredicateFrame, source: Statement, other: PredicateFrame) -> bool:
    """Whether the source's predicate is about another thing: 鉛筆で書いてはならない for ボールペンで書く."""
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


def _negates_only_outside_limit(unit: Phrase, statement: Statement) -> bool:
    """Whether the predicate negates only things outside a limit: 使えるのはA面だけで、ほかでは使えない."""
    limit = _ONLY.search(statement.text, 0, unit.start) if unit.kind in modality.NEGATIVE else None
    if limit is None or not _OTHERS.search(statement.text, limit.end(), unit.start):
        return False
    return any(one.keys & unit.keys for one in statement.units if one.end <= limit.start())


def _is_carried(unit: Phrase, statement: Statement) -> bool:
    """Whether the negation of the verb after this one applies to both verbs: 持って入れない."""
    following = statement.units[unit.number + 1 : unit.number + 2]
    is_joined = (
        unit.kind == modality.PLAIN and re.fullmatch("[しっいんえけせてべめれりちに]?[てで]", unit.tail) is not None
    )
    return is_joined and any(one.kind in modality.NEGATIVE for one in following)


def _is_final(unit: Phrase, statement: Statement) -> bool:
    """Whether the predicate ends a clause and so asserts something; one before のは (記録するのは) does not."""
    if unit is statement.units[-1] or modality.CHOICE.match(statement.text, unit.end):
        return True
    return re.search("(?<!の[はが])[。、]", unit.tail) is not None


def _as_meant(sentence: Statement, source: PredicateFrame) -> PredicateFrame:
    """Return a double negation as a duty: 同意なく外してはならない requires 同意. Other predicates stay unchanged."""
    if source.unit.kind != modality.DENIED or source.unit.is_condition or not _WITHOUT_IT.match(source.unit.tail):
        return source
    later = [one.unit.kind for one in sentence.frames if one.unit.number > source.unit.number]
    if not later or later[-1] not in modality.NEGATIVE:
        return source
    return dataclasses.replace(source, unit=dataclasses.replace(source.unit, kind=modality.DUTY))


def _is_kept_with(sentence: Statement, source: PredicateFrame, answer: PredicateFrame) -> bool:
    """Whether the modality agrees with a later predicate's: 努める of 換気をしながら使うよう努める."""
    if source.unit.is_condition or answer.unit.is_condition or source.unit.kind != modality.PLAIN:
        return False
    later = [frame.unit for frame in sentence.frames if frame.unit.number > source.unit.number]
    if (
        later
        and re.fullmatch("し?て", source.unit.tail)
        and modality.preserves_modality(later[0].kind, answer.unit.kind)
    ):
        return True
    kind = later[-1].kind if later else modality.DENIED
    return kind not in modality.NEGATIVE and modality.preserves_modality(kind, answer.unit.kind)


def _is_asked_for(sentence: Statement, source: PredicateFrame, answer: PredicateFrame) -> bool:
    """Whether the answer does what the source forbids to omit: 命令に従って行う for 命令によらずにしてはならない."""
    at = next(
        (one.number for one in reversed(sentence.units[: source.unit.number]) if _WITHOUT_IT.match(one.tail)), None
    )
    if at is None or source.unit.kind != modality.PROHIBITED or answer.unit.kind in modality.NEGATIVE:
        return False
    asked = sentence.units[max(0, at - 1) : at + 1]
    return any(_HAVING_IT.match(one.tail) and any(one.keys & two.keys for two in asked) for one in answer.arguments)


def _is_kept(source: PredicateFrame, answer: PredicateFrame, is_final: bool) -> bool:
    """Whether the modalities agree. `is_final`: the answer's predicate ends a clause and so asserts something."""
    kind, own = source.unit.kind, answer.unit.kind
    if answer.unit.is_concession and source.unit.is_condition and not source.unit.is_concession:
        return False  # 近いときも, if the source says what holds 近いときは
    if answer.unit.is_condition or source.unit.is_condition or not is_final:
        return (kind in modality.NEGATIVE) == (own in modality.NEGATIVE)
    return modality.preserves_modality(kind, own)


def _ending(unit: Phrase) -> str:
    return re.split("[。、]", unit.tail)[0][:_DIRECTION_REACH]


def _denied_values(statement: Statement, facts: SourceFacts) -> Iterable[Place]:
    """Yield the places of values that the answer negates and the source does not: 10日ではない for 10日."""
    for value in statement.values:
        found = _DENIES.match(statement.text, value.bound_end)
        same = [(one, other) for one in facts.statements for other in one.values if value.is_same(other)]
        if found and any(not _DENIES.match(one.text, other.bound_end) for one, other in same):
            yield value.start, found.end()


def _directions(statement: Statement, facts: SourceFacts, free: frozenset[int]) -> Iterable[Place]:
    """Yield where a time is on the other side of an event (出発の5日後 for 5日前), but none of the `free` ones."""
    for unit in statement.units:
        own = _direction(unit)
        if not own or unit.number in free:
            continue
        there = {_direction(other) for one in facts.statements for other in one.units if _share_words(unit, other)}
        if own == "after":  # 散布後 for 散布した
            there |= {
                "after"
                for one in facts.statements
                for other in one.units
                if re.match("し?[たっ]", other.tail) and _share_words(unit, other)
            }
        if there & _AXES[own] and own not in there:
            yield unit.start, unit.end + len(_ending(unit))


def _bounds(statement: Statement, near_statements: Sequence[Statement], facts: SourceFacts) -> Iterable[Place]:
    """Yield values with the complementary bound: 5mを超えるとき for 5m以下のとき, unless one side is negated."""
    for value in statement.values:
        there = {other.bound for one in near_statements for other in one.values if value.is_same(other)}
        if not value.bound or there & {value.bound, ""} or {value.bound} | there not in evidence.COMPLEMENTS:
            continue
        if has_rule_for_excess(value, facts):
            continue
        if any(
            _is_negative(one) == _is_negative(statement)
            for one in near_statements
            if any(map(value.is_same, one.values))
        ):
            yield value.start, value.bound_end


def has_rule_for_excess(value: Quantity, facts: SourceFacts) -> bool:
    """Whether a value is above a limit (6分を超え) and the source has a rule for that too: 6分まで。これを超えると."""
    if value.bound != ">":
        return False
    same = [(one, here) for here in facts.statements for one in here.values if value.is_same(one)]
    return _BEYOND.search(facts.body) is not None or any(_BEYOND_IT.search(here.text, one.end) for one, here in same)


def _is_negative(statement: Statement) -> bool:
    return re.search("しか(?![しも])", statement.text) is None and any(
        frame.unit.kind in modality.NEGATIVE for frame in statement.frames
    )


def _sides(statement: Statement, facts: SourceFacts) -> Iterable[Place]:
    """Yield the places of times with 後 for 前 or the reverse, whatever event they refer to: 3日後 for 3日前."""
    for value in statement.values:
        own = _side(statement.text, value)
        if not own:
            continue
        there = {_side(one.text, other) for one in facts.statements for other in one.values if value.is_same(other)}
        if there - {""} and own not in there and not _is_converse(statement, value, facts):
            yield value.start, value.end + 1


def _is_converse(statement: Statement, value: Quantity, facts: SourceFacts) -> bool:
    """Whether the answer states the same order from the other side: 撤去の7日前に警告する for 警告の7日後に撤去する."""
    of = next((one for one in reversed(statement.units) if one.end <= value.start), None)
    pairs = [(one, other) for one in facts.statements for other in one.values if value.is_same(other)]
    return of is not None and any(
        any(_share_words(of, unit) for unit in one.units if unit.start >= other.end)
        and not any(_share_words(of, unit) for unit in one.units if unit.end <= other.start)
        for one, other in pairs
    )


def _side(text: str, value: Quantity) -> str:
    """Return whether a time is "before" or "after" an event (3日前, 3日後); "" if the text has neither."""
    found = _SIDE.match(text, value.end)
    if found is None and value.unit in _TIMES and _SINCE.search(text[max(0, value.start - 4) : value.start]):
        return "after"  # 終えてから30分以内
    return found.lastgroup or "" if found else ""


def _direction(unit: Phrase) -> str:
    """Return the direction that a phrase's ending expresses (後, 以内, の外), a key of _AXES; "" for none."""
    if unit.is_general or re.search("(?:その|それより)(?:後|あと|のち)", unit.tail):  # 時間内
        return ""
    found = _DIRECTION.search(_ending(unit))
    return found.lastgroup or "" if found else ""


def _share_words(phrase: Phrase, other: Phrase) -> bool:
    return bool(phrase.keys & other.keys)


def _scopes(
    statement: Statement, near_statements: Sequence[Statement], facts: SourceFacts, is_kept: bool
) -> Iterable[Place]:
    """Yield すべて, だけ, 以外 without counterpart; `is_kept`: a condition agrees, so that only すべて counts."""
    source = "\n".join(one.text for one in near_statements)
    for own, theirs in ((_ALL, _ALL_IN_SOURCE), (_ONLY, _ONLY_IN_SOURCE), (_EXCEPT, _EXCEPT_IN_SOURCE)):
        found = own.search(statement.text) if own is _ALL or not is_kept else None
        is_alone = found is not None and _is_negative(statement) and _ALONE.match(statement.text, found.start())
        if own is _ONLY and (is_alone or (found and _is_of_exception(statement, found.start(), near_statements))):
            continue
        if found and not theirs.search(source if own is _ALL else facts.text):
            yield found.start(), found.end()


def _is_of_exception(statement: Statement, at: int, near_statements: Sequence[Statement]) -> bool:
    """Whether だけ at offset `at` limits the subject of an exception in the source: 二枚貝だけは."""
    own = next((one for one in reversed(statement.units) if one.end <= at), None)
    if near_statements[0].required_keys or near_statements[0].text.startswith("ただし"):
        return True
    exceptions = [one for one in near_statements if one.required_keys or one.text.startswith("ただし")]
    return own is not None and any(own.keys & one.keys for one in exceptions)


def _opposites(statement: Statement, near_statements: Sequence[Statement]) -> Iterable[Place]:
    """Yield the places of words for which the source has only an opposite: 上限 for 下限, 木曜日 for 月曜日."""
    there = [{word.base for unit in one.units for word in unit.words} for one in near_statements]
    everywhere = set().union(*there)
    is_denied = _is_negative(statement) != _is_negative(near_statements[0])  # 休業しない: 営業する
    for unit in statement.units:
        for word in unit.words:
            others = lexicon.opposites(word.base)
            is_turned = (
                is_denied and len(others) == 1 and _LIMIT.search(near_statements[0].text)
            )  # 午後は不可: 午前に限る
            is_paired = not is_turned and (word.base in lexicon.IN_SERIES or not is_denied)
            if any(one.kanji and one.kanji == unit.kanji for one in near_statements[0].units):  # 閉める for 閉じる
                continue
            if others & there[0] and word.base not in everywhere and is_paired:
                yield word.start, word.end
