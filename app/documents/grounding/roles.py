"""Who does what to whom: whether the answer gives somebody the part that another has in the source."""

import re
from collections.abc import Iterable, Sequence

from app.documents.grounding import alignment, lexicon, statements
from app.documents.grounding.alignment import Known, Place
from app.documents.grounding.statements import Frame, Statement, Unit

_PASSIVE = re.compile(r"(?:さ?れ|られ)(?:る|ま|た|て|、)")


def exchanged(said: Statement, near: Sequence[Statement]) -> Iterable[Place]:
    """The contractor asks the client, where the client asks the contractor."""
    own = [
        (unit, role)
        for unit in said.units
        if (role := role_of(unit, said)) not in ("", "is", "measure")
        and not any(is_same_name(unit, other) for other in said.units if other is not unit)
    ]
    roles = [[(unit, role) for unit in one.units if (role := role_of(unit, one))] for one in near]
    for at, (one, its) in enumerate(own):
        for two, others in own[at + 1 :]:
            if its == others or is_same_name(one, two):
                continue
            is_turned = any(_has(theirs, one, others, two, its) for theirs in roles)
            if is_turned and not any(_has(theirs, one, its, two, others) for theirs in roles):
                yield one.start, one.end


def _has(theirs: Sequence[tuple[Unit, object]], one: Unit, its: object, two: Unit, others: object) -> bool:
    """Whether the source has both, the one in this role and the other in that."""
    return any(
        role == its
        and is_same_name(one, unit)
        and any(also == others and other is not unit and is_same_name(two, other) for other, also in theirs)
        for unit, role in theirs
    )


def role_of(unit: Unit, whole: Statement) -> object:
    """topic and subject are one; of: with the word that it belongs to."""
    if unit.role in ("topic", "subject"):
        return "subject"
    if unit.role == "of":
        following = whole.units[unit.number + 1] if unit.number + 1 < len(whole.units) and unit.number >= 0 else None
        return ("of", following.head.base) if following is not None else ""
    if unit.kind and not unit.head.is_verbal_noun and not unit.head.kind.startswith(("動詞", "形容詞")):
        return "is"
    if not unit.role and re.match(r"\d", unit.tail):
        return "measure"
    if unit.role == "with":
        return "with" if unit.tail.startswith("と") else ""
    return unit.role if unit.role in ("to", "from", "object", "by", "at", "as") else ""


def is_same_name(one: Unit, two: Unit) -> bool:
    """All words of the shorter one are in the other: 部長 and 人事部長 may be, 所属長 and 人事部長 are not."""
    shorter, longer = sorted((one, two), key=lambda unit: len(unit.words))
    return all(statements.keys_of(word) & longer.keys for word in shorter.words)


def other_fillers(said: Statement, known: Known, weights: dict[object, float]) -> Iterable[Place]:
    """Who does it, where the source names another for the same predicate."""
    for frame in said.frames:
        if not _is_action(frame.unit):
            continue
        rated = [
            (alignment.fit(frame, other, said, one, weights), one, other)
            for one in known.statements
            for other in one.frames
        ]
        best = max((fit for fit, _, _ in rated), default=0.0)
        near = [(one, other) for fit, one, other in rated if fit > 0 and fit >= best * alignment.NEAR]
        if not near:
            continue
        places = [_other_filler(frame, said, one, other) for one, other in near]
        if all(place is not None for place in places):
            yield places[0]  # type: ignore[misc]


def _is_action(unit: Unit) -> bool:
    return unit.head.is_verbal_noun or unit.head.kind.startswith("動詞")


def _other_filler(frame: Frame, said: Statement, source: Statement, other: Frame) -> Place | None:
    if (turned := _turned_subject(frame, said, source, other)) is not None:
        return turned
    for role in ("subject", "to", "from", "at", "object"):
        own = _fillers(frame, role)
        theirs = _fillers(other, role)
        if not own or not theirs:
            continue
        clause = [*other.arguments, other.unit]
        for unit in own:
            is_elsewhere = any(_overlaps(unit, one) for one in clause) or any(
                _overlaps(unit, one) for one in source.units if role != "subject"
            )
            is_kept = role != "subject" and any(_overlaps(one, mine) for one in theirs for mine in said.units)
            is_topic_only = (
                role == "subject" and unit.role == "topic" and any(_overlaps(unit, one) for one in source.units)
            )
            if not is_elsewhere and not is_kept and not is_topic_only and _is_thing(unit):
                if (
                    role == "subject"
                    and unit.role == "topic"
                    and any(_overlaps(one, mine) for one in theirs for mine in said.units)
                ):
                    continue
                return unit.start, unit.end
    return None


def _turned_subject(frame: Frame, said: Statement, source: Statement, other: Frame) -> Place | None:
    """Who does it in the answer has another part in the source, and who does it there another in the answer."""
    if not frame.unit.keys & other.unit.keys or _PASSIVE.match(frame.unit.tail) or _PASSIVE.match(other.unit.tail):
        return None
    for mine in _fillers(frame, "subject"):
        for theirs in _fillers(other, "subject"):
            if _overlaps(mine, theirs):
                continue
            if _has_part(source.units, mine) and _has_part(said.units, theirs):
                return mine.start, mine.end
    return None


def _has_part(units: Sequence[Unit], name: Unit) -> bool:
    return any(unit.role in ("to", "from", "of", "with", "by") and is_same_name(unit, name) for unit in units)


def _overlaps(one: Unit, two: Unit) -> bool:
    return is_same_name(one, two) or bool(
        one.kanji and two.kanji and (one.kanji in two.kanji or two.kanji in one.kanji)
    )


def _is_thing(unit: Unit) -> bool:
    return unit.head.base not in lexicon.GENERAL


def _fillers(frame: Frame, role: str) -> list[Unit]:
    """Of its own clause; who does it may also be the topic of that clause, or else of the sentence."""
    found = [unit for unit in frame.lead if unit.role == role]
    if role == "subject" and not found:
        found = [unit for unit in (*frame.topics, *frame.lead) if unit.role == "topic"][-1:]
    return found
