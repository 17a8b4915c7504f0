"""What an answer frees from: a condition that its source sets, an exception that it makes, what is left or lost."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from app.documents.grounding import lexicon, modality, roles
from app.documents.grounding.alignment import Known, Place, shares_kanji
from app.documents.grounding.statements import Frame, Statement, Unit

_WITHOUT = re.compile(  # behind a noun: 許可がなくても, 補助者なしで
    r"[がはもの]?(?:なし|無し)(?:でも?|に(?!な))|[がはも](?:い|居)?な(?:くて|くと|い(?:まま|場合で|ときで|人で|者で))も?"
)
_NOT_DONE = re.compile(  # behind a verb: 受けずに, 修了していない技術員でも
    r"[しさらわかたばまえけせてべめれ]?(?:てい|てお)?(?:ら|さ)?(?:れ)?(?:ない(?:で|まま|場合|とき|者|人)?|なく[てと]も|ずに?(?!つ))"
)
_HAS_NONE = re.compile(rf"[がはもの]?(?:{modality.NONE}|不要|問わ)")
_EVERY = re.compile(
    rf"{modality.EVERY}|どの[^、。]{{1,8}}でも|みな(?!し)|みんな|全員|すべて|全て|一律|(?:誰|だれ|どこ|いつ)も|例外[はも]?(?:認め|設け|{modality.NONE})"
)
_EXCEPTS = re.compile("ただし|但し|除|以外|限り|別")
_SOME = re.compile(
    r"(?:一部|半分|片方|(?:どちら|いずれ|どれ)か(?:一[方つ])?)[^、。]{0,6}(?:だけ|でも|でよ|のみ|であれば|なら)"
)
_WHOLE = re.compile("全部|すべて|全て|全体|全員|両方|いずれも|ともに|かつ")
_PART = re.compile("一部|(?:どちら|いずれ|どれ)か|か一[方つ]")
_BY_ONESELF = re.compile("自分(?:たち)?(?:だけ)?で|自分の判断|自己の?判断|独断|勝手に|独自に|自由に")
_BINDS = re.compile(
    r"義務(?:です|で、|だ|であ|とな|が(?:あ|課)|づけ|付け)|必須|(?:な(?:けれ|きゃ)ば?|なくては|ないと)(?:な[らり]|いけ)"
    r"|禁[止じ]|厳禁|[てで]は(?:いけ|な[らり]|だめ)"
)
_BINDS_NOT = re.compile(r"(?:義務|必須|強制|決まり)(?:的)?では(?:な|あり?ませ)|任意|(?:すれ|掛けれ|れ)ば(?:足り|十分)")
_ADVISES = re.compile(r"(?:推奨|望まし|努め|勧め|薦め|奨励|好まし|心が?掛け|心がけ)[^。、]{0,8}。?$")
_PERMITS = re.compile(r"(?:こと[がも]でき|でき|[てで]も?(?:よ|構わ|差し?支え))[^。、]{0,5}。?$")
_FREES = re.compile("推奨|望ま|努め|勧め|薦め|奨励|好まし|心が?掛け|心がけ|でき|よい|任意|不要|必要(?:は|が)な|支えな")
_LIMITS = re.compile("限[りるっ]|のみ|だけ|以外|なけれ|ただし")
_ABOUT_MIN = 0.5  # of the words
_LOST = frozenset(["消滅", "失う", "無くなる", "なくなる", "喪失", "失効", "消える"])
_LASTING = frozenset(["存続", "残る", "継続", "維持", "続く", "保つ", "持続", "残存"])
_CONTRARY = re.compile("(?:で(?:は)?|が|の)(?:な[いく]|あり?ませ)|以外")
_IN_CASE = re.compile("[^、。]{0,8}(?:とき|場合|際|限り)|[のが](?:付い|付き|あ[るり]|入っ|済)|付き")
_SHARED_MIN = 2  # words
_BEGINS = frozenset(["着手", "開始", "始める", "始まる", "取り掛かる"])
_ENDS = frozenset(["終わる", "終える", "終了", "完了", "済む", "済ませる", "完成"])
_DURING = re.compile("の?(?:最)?中[にでのは、]")
_TIMED = re.compile("[^、。]{0,4}(?:まで|時点|とき|た後|たら|てから|次第|段階|ば|前)")
_BESIDES = re.compile("(?:と)?は?別に?(?!の)")
_INCLUDES = frozenset(["含む", "含まれる", "含める"])
_DAY = re.compile(
    r"当日|翌日|前日|即日|同日|翌々日|翌営業日|翌朝|当夜|翌週|当週|前週|翌月|当月|前月|翌年|当年|前年|翌年度|前年度"
)
_FREE = (modality.PLAIN, modality.ABLE, modality.PERMITTED)


def waived(said: Statement, near: Sequence[Statement], known: Known) -> Iterable[Place]:
    """許可がなくてもできる, where the source speaks of 許可 and nowhere does without it."""
    for frame, things in _done_without(said):
        main = _main(said, frame)
        if main is None or main.unit.kind not in _FREE:
            continue
        end = frame.unit.end if frame.unit.kind else things[0].end
        is_way = main.unit.kind == modality.PLAIN and re.match(r".?ず(?!に?も)|.?ないで(?!も)", said.text[end:])
        wanted = [one for one in things if any(_has(source, one) for source in near)]
        if not is_way and wanted and not any(_is_free(source, one) for source in known.statements for one in wanted):
            yield things[0].start, end


def _done_without(said: Statement) -> Iterable[tuple[Frame, list[Unit]]]:
    for frame in said.frames:
        unit = frame.unit
        if _WITHOUT.match(unit.tail):
            yield frame, [unit]
        elif unit.kind == modality.DENIED and _NOT_DONE.match(unit.tail):
            following = said.units[unit.number + 1 : unit.number + 2]
            is_still = "も" in unit.tail or any(re.match("でも", one.tail) for one in following)
            is_without = re.match(r".?ずに|.?ないで|.?ないまま", unit.tail)
            objects = [one for one in frame.lead if one.role in ("object", "subject")]
            if is_still or is_without:
                yield frame, [*objects[-1:], unit]


def _main(said: Statement, frame: Frame) -> Frame | None:
    """The predicate that the clause leads to."""
    later = [one for one in said.frames if one.unit.number > frame.unit.number]
    ends = (one for one in later if one is later[-1] or re.search("。|が、", one.unit.tail))
    return next((one for one in ends if not one.unit.is_condition), None)


def _has(source: Statement, thing: Unit) -> bool:
    return any(roles.is_same_name(thing, one) for one in source.units)


def _is_free(source: Statement, thing: Unit) -> bool:
    """Whether the source itself does without it."""
    for frame in source.frames:
        if frame.unit.kind == modality.NEEDLESS and thing.keys & (frame.keys | frame.argument_keys):
            return True
    if any(frame.unit.kind in (modality.PROHIBITED,) for frame in source.frames):
        return False
    return any(
        thing.keys & one.keys and _HAS_NONE.match(one.tail) and one.kind != modality.DUTY for one in source.units
    )


def unexcepted(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """例外なく, where the source goes on with ただし."""
    found = _EVERY.search(said.text)
    if not found or not near or _EVERY.search(near[0].text) or _EXCEPTS.search(said.text):
        return
    if near[0].has_exception or re.match(r"\s*(?:ただし|但し)", near[0].text):
        yield found.span()


def in_part(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """一部だけでもよい, where the source asks for all of it."""
    found = _SOME.search(said.text)
    there = "".join(one.text for one in near[:2])
    if found and _WHOLE.search(there) and not _PART.search(there):
        yield found.span()


def by_oneself(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """自分の判断で, where the source names somebody else who decides or does it, and the answer nobody."""
    found = _BY_ONESELF.search(said.text)
    is_denied = bool(said.frames) and said.frames[-1].unit.kind in modality.NEGATIVE
    if (
        found is None
        or is_denied
        or not near
        or re.search("自ら|自分|自己|自由|各自|本人", "".join(one.text for one in near))
    ):
        return
    others = [unit for one in near[:2] for unit in one.units if lexicon.is_agent(unit.text) and unit.role != "of"]
    if any(not any(roles.is_same_name(unit, one) for one in said.units) for unit in others):
        yield found.span()


def strengthened(said: Statement, near: Sequence[Statement], is_kept: bool) -> Iterable[Place]:
    """義務です for 推奨する, しなければならない for することができる, and 義務ではない for what is to be done.

    `is_kept`: whether the answer has a condition of the source, without which it must not be done.
    """
    if not near or not _is_about(said, near[0]):
        return
    there = near[0].text
    binds, frees = list(_BINDS.finditer(said.text)), _BINDS_NOT.search(said.text)
    if frees and not _FREES.search(there):
        yield frees.span()
    elif binds and not frees and said.text[binds[-1].end() :].count("、") == 0 and not _BINDS.search(there):
        is_permitted = _PERMITS.search(there) and not is_kept and not _LIMITS.search(there)
        if _ADVISES.search(there) or is_permitted:
            yield binds[-1].span()


def _is_about(said: Statement, source: Statement) -> bool:
    """Whether the source's statement has most of the answer's words."""
    telling = [unit for unit in said.units if not unit.is_general]
    shared = [unit for unit in telling if any(unit.keys & one.keys or shares_kanji(unit, one) for one in source.units)]
    return bool(telling) and len(shared) >= _ABOUT_MIN * len(telling)


def of_the_contrary(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """緊急でない手術でも電話の同意でよい, where the source lets 電話の同意 do in an emergency."""
    if not said.frames or said.frames[-1].unit.kind in modality.NEGATIVE:
        return
    for unit in said.units[:-1]:
        if not _CONTRARY.match(unit.tail) or unit.is_general:
            continue
        matter = [one for one in said.units if one is not unit and not one.is_general]
        for source in near[:3]:
            is_set = any(
                one.keys & unit.keys and _IN_CASE.match(source.text, one.end) and one.kind not in modality.NEGATIVE
                for one in source.units
            )
            is_so = bool(source.frames) and source.frames[-1].unit.kind not in modality.NEGATIVE
            shared = sum(any(one.keys & other.keys for other in source.units) for one in matter)
            if is_set and is_so and shared >= _SHARED_MIN:
                yield unit.start, unit.end + 1
                break


def allowed_otherwise(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """メールで送ることもできる for メールでは受け付けない: another word for what the source forbids."""
    main = said.frames[-1].unit if said.frames else None
    if main is None or main.kind not in (modality.PERMITTED, modality.ABLE) or not near or _LIMITS.search(said.text):
        return
    others = [one for one in said.units[: main.number] if not one.is_general and not one.is_condition]
    source = near[0]
    if source.needed or any(one.kind in modality.NEGATIVE for one in others):
        return
    if any(main.keys & frame.keys or shares_kanji(main, frame.unit) for frame in source.frames):
        return
    forbidding = [
        one
        for one in source.frames
        if one.unit.kind in (modality.PROHIBITED, modality.DENIED) and not one.unit.is_condition
    ]
    frees = any(one.unit.kind in (modality.PERMITTED, modality.ABLE, modality.NEEDLESS) for one in source.frames)
    if not others or not forbidding or frees or not all(_is_in(one, source) for one in others):
        return
    last = others[-1]
    if any(any(last.keys & one.keys for one in frame.arguments) for frame in forbidding):
        yield main.start, main.end


def _is_in(unit: Unit, source: Statement) -> bool:
    return any(unit.keys & one.keys or shares_kanji(unit, one) for one in source.units)


def at_another_stage(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """補修に着手した時点で for 補修が終わるまで: what has to be over has only begun."""
    is_so = [bool(whole.frames) and whole.frames[-1].unit.kind not in modality.NEGATIVE for whole in (said, near[0])]
    for one, two in pairwise(said.units):
        own = _stage(one, two)
        if not own or not _TIMED.match(said.text, two.end):
            continue
        during = [other for other in near[0].units if other.keys & one.keys and _DURING.match(other.tail)]
        if own == "ends" and all(is_so) and during:  # 研修が終わった後に for 研修中に
            yield two.start, two.end
            continue
        theirs = {
            _stage(*pair)
            for source in near
            for pair in pairwise(source.units)
            if pair[0].keys & one.keys and _TIMED.match(source.text, pair[1].end)
        }
        if theirs - {""} and own not in theirs:
            yield two.start, two.end


def _stage(unit: Unit, verb: Unit) -> str:
    """Whether a verb says that something begins or that it ends."""
    if not unit.role or not verb.kind:
        return ""
    return "begins" if verb.head.base in _BEGINS else "ends" if verb.head.base in _ENDS else ""


def included(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """料金とは別に for 料金に含む, and the other way round."""
    for own in said.units:
        sign = _inclusion(own, said)
        units = [(one, source) for source in near[:2] for one in source.units if sign and one.keys & own.keys]
        named = [pair for pair in units if pair[0].text == own.text] or units
        there = {_inclusion(*pair) for pair in named}
        if there - {""} and sign not in there:
            yield own.start, own.end


def _inclusion(unit: Unit, whole: Statement) -> str:
    following = whole.units[unit.number + 1 : unit.number + 2]
    if _BESIDES.match(unit.tail):
        return "besides"
    if not unit.tail.startswith("に") or not any(one.head.base in _INCLUDES for one in following):
        return ""
    return "besides" if following[0].kind in modality.NEGATIVE else "within"


def ended(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """権利は消滅する for 権利は存続する."""
    for frame in said.frames:
        own = _lasts(frame)
        if own is None:
            continue
        theirs = {
            _lasts(other)
            for one in near
            for other in one.frames
            if frame.argument_keys & (other.argument_keys | one.keys)
        }
        if (not own) in theirs and own not in theirs:
            yield frame.unit.start, frame.unit.end + len(re.split("[。、]", frame.unit.tail)[0])


def _lasts(frame: Frame) -> bool | None:
    """Whether something is said to last; None: neither that nor to end."""
    base = frame.unit.head.base
    if base not in _LOST and base not in _LASTING:
        return None
    return (base in _LASTING) != (frame.unit.kind in modality.NEGATIVE)


def other_day(said: Statement, near: Sequence[Statement], known: Known) -> Iterable[Place]:
    """翌週 for 当日."""
    for found in _DAY.finditer(said.text):
        if found.group() not in known.text and any(_DAY.search(one.text) for one in near[:2]):
            yield found.span()
