"""What an answer frees from: a condition that its source sets, an exception that it makes, what is left or lost."""

import re
from collections.abc import Iterable, Sequence

from app.documents.grounding import modality, roles
from app.documents.grounding.alignment import Known, Place
from app.documents.grounding.statements import Frame, Statement, Unit

_WITHOUT = re.compile(  # behind a noun: 許可がなくても, 補助者なしで
    r"[がはもの]?(?:なし|無し)(?:でも?|に(?!な))|[がはも](?:い|居)?な(?:くて|くと|い(?:まま|場合で|ときで|人で|者で))も?"
)
_NOT_DONE = re.compile(  # behind a verb: 受けずに, 修了していない技術員でも
    r"[しさらわかたばまえけせてべめれ]?(?:てい|てお)?(?:ら|さ)?(?:れ)?(?:ない(?:で|まま|場合|とき|者|人)?|なく[てと]も|ずに?(?!つ))"
)
_HAS_NONE = re.compile(rf"[がはもの]?(?:{modality.NONE}|不要|問わ)")
_EVERY = re.compile(rf"{modality.EVERY}|(?:誰|だれ|どこ|いつ)も|例外[はも]?(?:認め|設け|{modality.NONE})")
_LOST = frozenset(["消滅", "失う", "無くなる", "なくなる", "喪失", "失効", "消える"])
_LASTING = frozenset(["存続", "残る", "継続", "維持", "続く", "保つ", "持続", "残存"])
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
    return any(thing.keys & one.keys and _HAS_NONE.match(one.tail) for one in source.units)


def unexcepted(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """例外なく, where the source goes on with ただし."""
    found = _EVERY.search(said.text)
    if found and near and near[0].has_exception and not _EVERY.search(near[0].text):
        yield found.span()


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
