"""Compare the conditions of actions in an answer with those in its source.

「CでなければAできない」, 「AするにはCが必要」 and 「AできるのはCだけ」 all make C the condition of A. Sentences become
pairs of both, with whether A goes with C or without it (two negations: with it), that agree in any wording.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon
from app.documents.grounding import evidence, modality, statements
from app.documents.grounding.alignment import Place, share_of_words, shares_kanji
from app.documents.grounding.statements import Phrase, PredicateFrame, Statement
from app.documents.values.quantities import Quantity

_WITHOUT = lazy_pattern(
    r"[^、。]{0,14}?(?:(?:な|無)(?:い限り|ければ(?!な[らり]|いけ)|いと(?!い|な[らり]|の|し)|くては(?!な[らり]|いけ)"
    r"|い(?:場合|とき|時|者|人|方|物|もの|うち)|くて?も|いまま|いで|しに|しで)|以外|を?除(?:いては?|き)|(?<![必ま])ずに)"
)
_LACKING = lazy_pattern(r"[をがのは]?(?:な[しく]に?|無しに|ずに|ないで|得(?:ずに|ないで))(?!も)")
_NEEDS = lazy_pattern(r"(?!.*(?:以外|除))" + _WITHOUT.pattern)
_WAY = lazy_pattern(
    r"(?:する)?(?:こと)?(?:な[しく]に?|無しに)(?!て?も)|[^、。]{0,4}ずに?(?!も)|[^、。]{0,4}ないで(?!も)"
)
_UNTIL = lazy_pattern(
    r"(?:する|[にが](?:来|あ)る)?まで(?!に(?!は)|で|と)|[^、。]{0,16}(?:過ぎる|経つ|たつ|経過する|済む|終わる|終える|なる|される|できる)まで(?!に)"
)
_WITH = lazy_pattern(
    r"ば(?!な)|[^、。]{0,14}?(?:に限(?:り|って)?|に(?:あって|おいて|ついて)は|では(?=、)|場合|とき|時[はに、]|際[はに、]|なら(?!な)|(?<!なけ)[れけせえめてねべげ]ば|たら|てから|でから|た後|だ後|たうえで|た上で|(?:のみ|だけ)(?![をの]|で(?:は)?な|なら)"
    r"|(?:てい|れ)?[るた](?:者|人|方)[はもにがのを]|(?:[がの]ある|した)(?:人|方|者)[はもにがのを])"
)
_IN_TIME = lazy_pattern(r"[^、。]{0,8}?(?:[てで]から|た?後|まで|たうえで|た上で)")
_BEFORE = lazy_pattern("[^、。]{0,6}(?<![午以])前(?:でも|なら|に限|(?:のみ|だけ)(?!で(?:は)?な|なら))")
_DONE = lazy_pattern("し?(?:てい)?た|さ?れた|してある")
_UNDER_WAY = frozenset(["途中", "最中"])  # 処理の途中でも: before it is finished
_ABSENT = frozenset(["不在", "留守", "欠席", "無人"])
_EVEN = lazy_pattern(r"[^、。]{0,14}?(?:ても|でも|とも)(?![よい良構かさ差]|ら[いうえっわ])")
_NONE_BEHIND = lazy_pattern(
    r"[がのはも](?:な|無)い$|(?:し|[らかわさまばれえけせてべげめねじき])?(?:[てで]い|でき)?ない$"
)
_FOR = lazy_pattern(r"(?:する|[るうくすつぬむぐぶ])?(?:に|のに|ため)は、?(?:[\d一二三四五六七八九十数][^、。]*)?")
_ENDS = lazy_pattern("[、。]|[はも](?!.*[はも])")
_MAIN_ENDS = lazy_pattern("。|が、|けれど")
_NEAR = 0.8  # share of the best fit from which a pair of the source is compared too
_STRICT = lazy_pattern("限[りるっ]|のみ|だけ|ただし|なければ|まで|以外|除")
_CONVERSES = (("貸", "借"), ("売", "買"), ("渡", "受"), ("払", "受"), ("教", "習"))
USES = frozenset(["使う", "用いる", "使用", "利用"])
_LASTING = frozenset([
    "置く", "待つ", "保つ", "続ける", "続く", "休む", "冷やす", "冷ます", "温める", "乾かす",
    "保管", "待機", "継続", "保持",
])  # fmt: skip
_ENDED = frozenset(["止まる", "終わる", "済む", "終了", "完了", "停止"])
_ACT_MIN = 0.6
_FITS, _SURE = 0.3, 0.5  # smallest fit of pairs about the same thing, and of a contradiction
_ALLOWS = (modality.PERMITTED, modality.ABLE, modality.PROHIBITED, modality.DENIED)
_BINDING = (modality.DUTY, modality.PERMITTED, modality.ABLE)
_ALLOWED = lazy_pattern(
    r"(?:(?:に|と)?は?、?(?:その)?|に?限[りっ]て?、?)?(?P<end>(?:認め|許|禁|でき|必要|義務|可能|可|不要|不可|任意)[^、。]*)"
)
_LIMITED = lazy_pattern(r"た?(?:者|人|方|もの|場合|とき)?(?:のみ|だけ)?(?:に限[るらり]|のみ|だけ)")


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """An action and its condition, as phrases of one statement.

    `does`: the predicate of the action. `is_together`: whether the action goes with the condition (True) or with its
    absence (False). `span`: start and end of the pair in the text. `values`: the values in the condition.
    """

    condition: tuple[Phrase, ...]
    act: tuple[Phrase, ...]
    does: Phrase
    is_together: bool
    span: Place
    values: tuple[Quantity, ...] = ()
    keys: frozenset[object] = frozenset()  # keys of the predicate; for 給油を受ける also those of 給油
    is_strict: bool = False  # whether the statement has 限り, なければ…ない or the like

    @property
    def is_in_time(self) -> bool:
        """Whether the condition is an earlier action: 確認してから, 停止した後."""
        return any(_IN_TIME.match(unit.tail) for unit in self.condition[-1:])

    @property
    def is_purpose(self) -> bool:
        """Whether the pair has the form AするにはCが必要."""
        return _FOR.fullmatch(self.does.tail) is not None or self.does.is_condition

    @property
    def ends(self) -> frozenset[int]:
        """Return the numbers of two phrases: the last one of the condition, and the predicate of the action."""
        return frozenset([self.condition[-1].number, self.does.number])


def parse_prerequisites(statement: Statement) -> list[Prerequisite]:
    """Return the pairs of an action and its condition that a statement expresses."""
    if statement.excepted_count < 0:
        return []
    if statement.excepted_count and statement.frames:
        condition, rest = statement.units[: statement.excepted_count], statement.units[statement.excepted_count :]
        main = statement.frames[-1].unit
        found = _excepted(condition, rest, main) if condition else []
    else:
        found = [*_clauses(statement), *_purposes(statement), *_clefts(statement), *_actors(statement)]
    is_strict = bool(statement.excepted_count) or _STRICT.search(statement.text) is not None
    keys = {frame.unit.number: frame.keys for frame in statement.frames}
    return [
        dataclasses.replace(
            one, values=_values(one, statement), keys=keys.get(one.does.number, one.does.keys), is_strict=is_strict
        )
        for one in found
    ]


def _excepted(condition: tuple[Phrase, ...], rest: tuple[Phrase, ...], main: Phrase) -> list[Prerequisite]:
    """Return the pairs of an exception, under which the rule `rest`, and what it requires, does not apply.

    `main`: the predicate of the rule, already reversed.
    """
    at = (condition[0].start, condition[-1].end)
    is_so = main.kind not in modality.NEGATIVE
    asked = next((number for number, one in enumerate(rest) if one is not main and _NEEDS.match(one.tail)), None)
    if asked is None:
        return [Prerequisite(condition, rest, main, is_so, at)]
    begin = _begin(rest, asked)
    needed, others = rest[begin : asked + 1], (*rest[:begin], *rest[asked + 1 :])
    return [
        Prerequisite(condition, others, main, is_so, at),
        Prerequisite(condition, needed, needed[-1], not is_so, at),
    ]


def _values(prerequisite: Prerequisite, statement: Statement) -> tuple[Quantity, ...]:
    """Return the values in the condition of a pair."""
    first, last = prerequisite.condition[0].start, prerequisite.condition[-1]
    return tuple(value for value in statement.values if first <= value.start < last.end + len(last.tail))


def _clauses(statement: Statement) -> Iterator[Prerequisite]:
    """Yield the prerequisites in sentences like Cしない限りAできない, Cの場合はAできる and AはCに限る."""
    for unit in statement.units:
        has_it = _sign(unit, statement)
        if has_it is None or _is_in_cleft(unit, statement):
            continue
        begin = _begin(statement.units, unit.number)
        condition = statement.units[begin : unit.number + 1]
        # 筆記具は鉛筆に限り、かばんは預ける: what is limited precedes the phrase.
        main = None if begin and unit.tail.startswith("に限り、") else _main(statement, unit)
        allowed = _modality_after_limit(unit)
        if begin and allowed:  # 撮影は報道の目的に限り認め
            act, is_so = statement.units[:begin], allowed not in modality.NEGATIVE
            yield Prerequisite(condition, act, act[-1], is_so == has_it, (condition[0].start, unit.end))
        elif main is not None:
            outside = [one for one in statement.units[: main.unit.number] if one not in condition]
            act = (*(one for one in outside if one.role == "topic" or one.number > unit.number), main.unit)
            is_so = main.unit.kind not in modality.NEGATIVE
            is_of_act = main.unit.kind in _ALLOWS
            if _WAY.match(unit.tail) and not is_of_act:  # 遅れることなく出す, 触らずに知らせる
                continue
            if _is_until(unit) and is_so and not is_of_act and _lasts(unit, main.unit, statement):  # 冷めるまで置く
                continue
            inner = next(
                (one for one in statement.units[unit.number + 1 : main.unit.number] if _LACKING.match(one.tail)), None
            )
            if inner is not None and is_of_act:  # 許可なしに入れない requires 許可
                yield Prerequisite(
                    condition, (inner,), inner, (not is_so) == has_it, (condition[0].start, main.unit.end)
                )
                continue
            yield Prerequisite(condition, act, main.unit, is_so == has_it, (condition[0].start, main.unit.end))
        elif begin and _LIMITED.match(unit.tail):
            topic = statement.units[begin - 1]
            yield Prerequisite(condition, statement.units[:begin], topic, True, (condition[0].start, unit.end))


def _lasts(end_phrase: Phrase, main: Phrase, statement: Statement) -> bool:
    """Whether まで expresses how long an action lasts (35℃まで冷ましてから入れる, 冷めるまで置く)."""
    following = next((one for one in statement.units[end_phrase.number + 1 :] if one.kind), main)
    return following is not main or main.head.base in _LASTING


def _is_in_cleft(unit: Phrase, statement: Statement) -> bool:
    """Whether the phrase comes after のは, as what the sentence names: 報道のとき of 撮影してよいのは報道のときだけ."""
    before = next(
        (one for one in reversed(statement.units[: unit.number]) if re.search("[、。]", one.tail) or one.kind), None
    )
    return before is not None and bool(before.kind) and statements.CLEFT.search(before.tail) is not None


def _modality_after_limit(unit: Phrase) -> str:
    """Return the modality of the verb after に限り or the like, such as 認め in 報道の目的に限り認め; "" for none."""
    found = _WITHOUT.match(unit.tail) or _WITH.match(unit.tail)
    behind = _ALLOWED.match(unit.tail, found.end()) if found else None
    return modality.classify_modality(behind["end"]) if behind else ""


def _sign(unit: Phrase, statement: Statement) -> bool | None:
    """Return True if a phrase ends a condition that must hold (鍵があれば), False for 鍵がなければ, else None."""
    found = _sign_of_end(unit, statement)
    return found if found is None or unit.text not in _ABSENT else not found


def _sign_of_end(unit: Phrase, statement: Statement) -> bool | None:
    if (unit.text in _UNDER_WAY and _EVEN.match(unit.tail)) or _BEFORE.match(unit.tail):
        return False
    following = statement.units[unit.number + 1] if unit.number + 1 < len(statement.units) else None
    if _WITHOUT.match(unit.tail) or _is_until(unit):
        return False
    if following is not None and following.tail[:1] in "はもをに" and _NONE_BEHIND.fullmatch(unit.tail):
        return False
    if following is not None and unit.kind == modality.PLAIN and _DONE.fullmatch(unit.tail):
        return True if following.tail.startswith("は") else None  # 登録した車は入れる
    return True if _WITH.match(unit.tail) or _EVEN.match(unit.tail) else None


def _is_until(unit: Phrase) -> bool:
    found = _UNTIL.match(unit.tail)
    return found is not None and (bool(unit.kind) or not found.group().startswith("まで"))


def _begin(units: Sequence[Phrase], at: int) -> int:
    return next((number + 1 for number in range(at - 1, -1, -1) if _ENDS.search(units[number].tail)), 0)


def _main(statement: Statement, unit: Phrase) -> PredicateFrame | None:
    """Return the main predicate after the clause that a phrase ends; None if there is none."""
    passed: PredicateFrame | None = None
    for frame in statement.frames:
        if frame.unit.number <= unit.number:
            continue
        if frame.unit.is_condition or _sign(frame.unit, statement) is not None:
            if passed is not None:  # 鳴ったら止め、30分過ぎるまで始めない
                break
        elif frame is statement.frames[-1] or _MAIN_ENDS.search(frame.unit.tail):
            return frame
        elif "、" in frame.unit.tail:
            if frame.unit.kind in (modality.PERMITTED, modality.ABLE, modality.PROHIBITED):
                return frame
            passed = frame
    return passed


def _purposes(statement: Statement) -> Iterator[Prerequisite]:
    """Yield the prerequisites in sentences like AするにはCが必要."""
    main = statement.frames[-1].unit if statement.frames else None
    for unit in statement.units:
        if main is None or main.number <= unit.number or not unit.kind or not _FOR.fullmatch(unit.tail):
            continue
        if main.kind in (modality.DUTY, modality.NEEDLESS):
            condition = statement.units[unit.number + 1 :]
            yield Prerequisite(
                condition, statement.units[: unit.number + 1], unit, main.kind == modality.DUTY, (unit.start, main.end)
            )


def _clefts(statement: Statement) -> Iterator[Prerequisite]:
    """Yield the prerequisites in sentences like AできるのはCの場合だけ."""
    for unit in statement.units[:-1]:
        if unit.kind and statements.CLEFT.search(unit.tail):
            later = statement.units[unit.number + 1 :]
            last = next((one.number for one in later if re.search("[、。]", one.tail)), len(statement.units) - 1)
            condition = statement.units[unit.number + 1 : last + 1]
            is_so = unit.kind not in modality.NEGATIVE
            act = statement.units[: unit.number + 1]
            yield Prerequisite(condition, act, unit, is_so, (unit.start, condition[-1].end))


def related_statements(
    statement: Statement, near_statements: Sequence[Statement], everything: Sequence[Statement]
) -> list[Statement]:
    """Return the nearest statements, then all others with a predicate of this one, whose conditions may be there."""
    does = frozenset(key for frame in statement.frames for key in frame.unit.keys if isinstance(key, str))
    others = (one for one in everything if any(frame.unit.keys & does for frame in one.frames))
    return [*near_statements, *(one for one in others if not any(one is other for other in near_statements))]


def _actors(statement: Statement) -> Iterator[Prerequisite]:
    """Yield the prerequisites in sentences like AはCが行い, where the actor C is the condition of A."""
    for unit in statement.units:
        if unit.role != "subject" or not lexicon.is_agent(unit.text):
            continue
        topic = next((one for one in reversed(statement.units[: unit.number]) if re.match("は、?$", one.tail)), None)
        main = next((frame.unit for frame in statement.frames if frame.unit.number > unit.number), None)
        if topic is None or main is None or not topic.is_act:
            continue
        is_so = main.kind not in modality.NEGATIVE
        yield Prerequisite((unit,), statement.units[: topic.number + 1], topic, is_so, (unit.start, unit.end))


def compare_prerequisites(
    statement: Statement, near_statements: Iterable[Statement]
) -> tuple[list[Prerequisite], list[Prerequisite]]:
    """Return the pairs of an answer that its source has too, and those that the source reverses or lacks."""
    near_statements = list(near_statements)
    theirs = [
        (other, bool(one.required_keys or one.excepted_count))
        for one in near_statements
        for other in parse_prerequisites(one)
    ]
    kept: list[Prerequisite] = []
    turned: list[Prerequisite] = []
    is_exception = False
    for own in parse_prerequisites(statement):
        rated = [(fit, other, is_one) for other, is_one in theirs if (fit := _fit(own, other)) >= _FITS]
        best = max((fit for fit, _, _ in rated), default=0.0)
        same = [is_one for fit, other, is_one in rated if fit >= best * _NEAR and _have_same_meaning(own, other)]
        if not rated and any(_says_the_same(own, other) for other, _ in theirs):
            kept.append(own)
        elif same and any(_names_other_actor(own, other) for fit, other, _ in rated if fit == best):
            turned.append(own)
        elif same:
            kept.append(own)
            is_exception = is_exception or any(same)
        elif (best >= _SURE and _has_end(own, rated)) or _has_other_condition(own, near_statements):
            turned.append(own)
    return kept, [] if is_exception else turned


def _has_end(own: Prerequisite, rated: Sequence[tuple[float, Prerequisite, bool]]) -> bool:
    """Whether a pair (fit, pair, from an exception) has the condition's last phrase, not only its modifiers."""
    ends = own.condition[-1:]
    return any(share_of_words(ends, (*other.condition, *other.act)) for _, other, _ in rated)


def _have_same_meaning(own: Prerequisite, other: Prerequisite) -> bool:
    """Whether condition and action of the answer and the source, about the same thing, mean the same."""
    pairs = [(one, two) for one in own.condition for two in other.condition if one.keys & two.keys]
    is_going_on = own.condition[-1].tail.startswith("中") and other.condition[-1].head.base in _ENDED
    is_denied = any(_is_denied(one, own) != _is_denied(two, other) for one, two in pairs)  # 免許のない者に限り
    is_denied ^= _precedes_negated_action(own, other)
    return (own.is_together == other.is_together) != (is_going_on != is_denied)  # 回転中でも means before it stops


def _precedes_negated_action(own: Prerequisite, other: Prerequisite) -> bool:
    """Whether the answer has an action before the only negated one: 報告し of 報告し、補ってはならない."""
    if own.keys & other.keys or other.does.kind not in modality.NEGATIVE:
        return False
    return any(one.kind and one.kind not in modality.NEGATIVE and own.keys & one.keys for one in other.act)


def _is_denied(unit: Phrase, pair: Prerequisite) -> bool:
    """Whether a phrase inside the condition is negated; a negation at its end is part of `is_together`."""
    return unit is not pair.condition[-1] and _NONE_BEHIND.fullmatch(unit.tail.removeprefix("を")) is not None


def _fit(own: Prerequisite, other: Prerequisite) -> float:
    """Return how similar two pairs are in condition and action, 0 to 1; 0 if they are about different things."""
    if own.values and other.values and not any(_is_same_value(one, two) for one in own.values for two in other.values):
        return 0.0
    straight = _mutual_overlap(own.condition, other.condition) * _action_overlap(own, other.act)
    if straight or own.is_in_time or other.is_in_time:
        return straight
    return _mutual_overlap(own.condition, other.act) * _action_overlap(own, other.condition)


def _is_same_value(quantity: Quantity, other: Quantity) -> bool:
    return quantity.is_same(other) and {quantity.bound, other.bound} not in evidence.COMPLEMENTS


def _says_the_same(own: Prerequisite, other: Prerequisite) -> bool:
    """Whether one condition has different words for one action: 受け取れない, 滞納している者には交付しない."""
    if own.is_together != other.is_together or _mutual_overlap(own.condition, other.condition) < 1:
        return False
    return own.does.kind in modality.NEGATIVE and other.does.kind in modality.NEGATIVE


def _names_other_actor(own: Prerequisite, other: Prerequisite) -> bool:
    """Whether the condition names an actor that the source lacks: 係長の許可 for 課長の許可."""
    mine, theirs = ([one for one in pair.condition if lexicon.is_agent(one.text)] for pair in (own, other))
    return (
        bool(mine and theirs)
        and not share_of_words(mine, (*theirs, *other.act))
        and not share_of_words(theirs, own.act)
    )


def _has_other_condition(own: Prerequisite, near_statements: Sequence[Statement]) -> bool:
    """Whether the answer allows the action under a condition that the source lacks, while the source sets others."""
    if not own.is_together or own.does.kind in (modality.DUTY, *modality.NEGATIVE):
        return False
    if statements.CLEFT.search(own.does.tail) and all(lexicon.is_agent(one.text) for one in own.condition):
        return False
    theirs = [(other, one) for one in near_statements for other in parse_prerequisites(one)]
    of_act = [(other, one) for other, one in theirs if _action_overlap(own, other.act) >= _ACT_MIN]
    is_set = any(other.is_together and other.is_strict for other, _ in of_act)
    named = [unit for unit in own.condition if not unit.kind] or own.condition
    binding = [one for one in near_statements[:1] if one.frames and one.frames[-1].unit.kind in _BINDING]
    if not is_set or any(share_of_words(named, one.units) for one in (*binding, *(one for _, one in of_act))):
        return False
    return not any(share_of_words(named, other.condition) for other, _ in theirs)


def _mutual_overlap(own: Sequence[Phrase], theirs: Sequence[Phrase]) -> float:
    """Return the mean of two shares, 0 to 1: of `own` phrases that are in `theirs`, and the reverse."""
    share = share_of_words(own, theirs)
    return (share + share_of_words(theirs, own)) / 2 if share else 0.0


def _action_overlap(own: Prerequisite, act: Sequence[Phrase]) -> float:
    """Return how similar the pair's action is to the phrases `act` of a source: 0 if different, else 0.5 to 1."""
    if not any(own.keys & one.keys or shares_kanji(own.does, one) or _is_converse(own.does, one) for one in act):
        is_use = own.does.head.base in USES and share_of_words(own.act, act) > 0  # 測定に使えない: 測定してはならない
        return 0.5 if is_use else 0.0
    return 0.5 + 0.5 * share_of_words(own.act, act)


def _is_converse(phrase: Phrase, other: Phrase) -> bool:
    """Whether two verbs describe one action from its two sides: 借りる and 貸し出す."""
    return any(
        (a in phrase.kanji and b in other.kanji) or (b in phrase.kanji and a in other.kanji) for a, b in _CONVERSES
    )
