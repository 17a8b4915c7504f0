"""Compare who does what to whom: find actors and places of an answer that the source has in another role."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon
from app.documents.grounding import alignment, modality, statements
from app.documents.grounding.alignment import Place, SourceFacts
from app.documents.grounding.statements import Phrase, PredicateFrame, Statement

_PASSIVE = lazy_pattern(r"(?:さ?れ|られ)(?:る|ま|た|て|、)")

_NAMES = lazy_pattern("(?:です|で、|だ|である|。|$)")  # 提出先は整備課です
_DOER = lazy_pattern("(?:し)?(?:て?い)?[たる](?:者|人|方)が")  # 訂正した者が署名する
_CAUSES = lazy_pattern("を?[かさたなまらわば]?せ(?:[るてなま]|ら|$)")
_ACTING = ("subject", "topic", "by", "of")
_SHARED_MIN = 2  # shared phrases that identify a statement


def find_exchanged_roles(statement: Statement, near_statements: Sequence[Statement]) -> Iterable[Place]:
    """Yield the first of two names in exchanged roles, AがBに頼む for BがAに頼む, but not of causative verbs."""
    made_to = {
        argument.number for frame in statement.frames if _CAUSES.match(frame.unit.tail) for argument in frame.arguments
    }
    own = [
        (unit, role)
        for unit in statement.units
        if (role := role_of(unit, statement)) not in ("", "is", "measure")
        and unit.number not in made_to
        and (unit.role != "topic" or lexicon.is_agent(unit.text))
        and not any(_has_same_words(unit, other) for other in statement.units if other is not unit)
    ]
    roles = [[(unit, role) for unit in one.units if (role := role_of(unit, one))] for one in near_statements]
    for at, (one, its) in enumerate(own):
        for two, others in own[at + 1 :]:
            if its == others or is_same_name(one, two):
                continue
            is_turned = any(_has_names_in_roles(theirs, one, others, two, its) for theirs in roles)
            if is_turned and not any(_has_names_in_roles(theirs, one, its, two, others) for theirs in roles):
                yield one.start, one.end


def _has_names_in_roles(
    source_roles: Sequence[tuple[Phrase, object]],
    phrase: Phrase,
    phrase_role: object,
    other_phrase: Phrase,
    others: object,
) -> bool:
    """Whether the source's phrases with roles have both names in these roles."""
    return any(
        role == phrase_role
        and is_same_name(phrase, unit)
        and any(
            also == others and other is not unit and is_same_name(other_phrase, other) for other, also in source_roles
        )
        for unit, role in source_roles
    )


def role_of(unit: Phrase, sentence: Statement) -> object:
    """Return a phrase's role, topic and subject as one, ("of", its word) with の, and "" for none."""
    if unit.is_condition:  # 離れる際に
        return ""
    if unit.role in ("topic", "subject"):  # 承認が必要, 資格がない have no actor
        if unit.role == "subject" and unit.kind:
            return ""
        act = next((one for one in sentence.units[unit.number + 1 : unit.number + 2] if one.kind), None)
        is_done_to = act is not None and not lexicon.is_agent(unit.text) and _PASSIVE.match(act.tail)
        return "object" if is_done_to else "subject"  # 橋が供用されている equals 橋を供用している
    if unit.role == "of":
        if unit.tail != "の":  # おそれのあるもの
            return ""
        following = (
            sentence.units[unit.number + 1] if unit.number + 1 < len(sentence.units) and unit.number >= 0 else None
        )
        return ("of", following.head.base) if following is not None else ""
    if unit.kind and not unit.head.is_verbal_noun and not unit.head.kind.startswith(("動詞", "形容詞")):
        return "is"
    if not unit.role and re.match(r"\d", unit.tail):
        return "measure"
    if unit.role == "with":
        return "with" if unit.tail.startswith("と") else ""
    return unit.role if unit.role in ("to", "from", "object", "by", "at", "as") else ""


def is_same_name(phrase: Phrase, other: Phrase) -> bool:
    """Whether the longer of two names has all words of the shorter one: 部長, 人事部長; not 所属長, 人事部長."""
    shorter, longer = (phrase, other) if len(phrase.words) <= len(other.words) else (other, phrase)
    return not any(keys.isdisjoint(longer.phrase_and_word_keys) for keys in shorter.word_keys)


def _has_same_words(phrase: Phrase, other: Phrase) -> bool:
    shorter, longer = sorted(({word.base for word in unit.words} for unit in (phrase, other)), key=len)
    return shorter <= longer


def find_other_fillers(
    statement: Statement, facts: SourceFacts, frames: Mapping[int, Sequence[tuple[Statement, PredicateFrame]]]
) -> Iterable[Place]:
    """Yield actors, recipients, locations or objects that differ in the source's similar predicates (`frames`)."""
    known_units: dict[str, bool] = {}

    def is_there(unit: Phrase) -> bool:
        if unit.text not in known_units:
            known_units[unit.text] = any(_is_in(unit, one) for one in facts.statements)
        return known_units[unit.text]

    for frame in statement.frames:
        near = frames[frame.unit.number]
        if not near or not _is_action(frame.unit):
            continue
        if any(_is_possessor_of_action(unit, frame, facts) for unit in _fillers(frame, "subject")):
            continue
        places = [_other_filler(frame, statement, one, other, facts, is_there) for one, other in near]
        if places[0] is not None and all(places):
            yield places[0]


def find_other_actors(
    statement: Statement, near_statements: Sequence[Statement], facts: SourceFacts
) -> Iterable[Place]:
    """Yield an actor that the source has only in other statements, if the answer lacks that of the repeated one."""
    theirs = [
        unit for unit in near_statements[0].units if lexicon.is_agent(unit.text) and unit.role in (*_ACTING, "to")
    ]
    if not theirs or any(_overlaps(one, unit) for one in theirs for unit in statement.units):
        return
    matter = [one for one in statement.units if not lexicon.is_agent(one.text) and not one.is_general]
    shared = sum(_is_in(one, near_statements[0]) for one in matter)
    for unit in statement.units:
        is_named = unit.role == "subject" or (bool(unit.kind) and _NAMES.match(unit.tail) is not None)
        is_topic = unit.role == "topic" and any(unit in (*frame.topics, *frame.lead) for frame in statement.frames)
        before = statement.units[unit.number - 1] if unit.number else None
        is_cleft = before is not None and bool(before.kind) and statements.CLEFT.search(before.tail) is not None
        is_who = (
            lexicon.is_agent(unit.text)
            or lexicon.is_someone(unit.text)
            or (is_cleft and any(one.role == "object" for one in statement.units))
        )
        if not (is_named or is_topic or is_cleft) or not is_who or _is_in(unit, near_statements[0]):
            continue
        others = [sum(_is_in(one, other) for one in matter) for other in facts.statements if _is_in(unit, other)]
        if others and shared >= _SHARED_MIN and shared > max(others):
            yield unit.start, unit.end


def _is_in(unit: Phrase, sentence: Statement) -> bool:
    return any(_overlaps(unit, one) for one in sentence.units)


def _is_possessor_of_action(name: Phrase, frame: PredicateFrame, facts: SourceFacts) -> bool:
    """Whether a source has the actor as 賃貸人の負担 for 賃貸人が負担する, and no exception for this action."""
    if any(one.required_keys & frame.scope for one in facts.statements):
        return False
    return any(
        unit.role == "of" and following.keys & frame.unit.keys and is_same_name(name, unit)
        for one in facts.statements
        for unit, following in pairwise(one.units)
    )


def _is_action(unit: Phrase) -> bool:
    return unit.head.is_verbal_noun or unit.head.kind.startswith("動詞")


def _actors(frame: PredicateFrame, sentence: Statement) -> list[Phrase]:
    """Return the actors of a predicate: named in its clause, or else before it in the sentence."""
    before = [unit for unit in sentence.units if unit.number < frame.unit.number and unit.number >= 0]
    found = [filler for filler in _fillers(frame, "subject") if lexicon.is_agent(filler.text)]
    found = found or [
        one
        for one in frame.lead
        if one.role == "subject"
        and not one.kind
        and one.tail.startswith("が")
        and not modality.CONDITION.match(one.tail)
    ]
    found = found or _doers(frame, sentence)
    acting = [one for one in before if one.role in ("subject", "topic") and lexicon.is_agent(one.text)]
    return found or acting[-1:]


def _is_only_other(
    unit: Phrase, frame: PredicateFrame, other: PredicateFrame, is_better: Callable[[Phrase], bool]
) -> bool:
    """Whether two predicates differ only in the place: 忘れ物は守衛室で預かる for 忘れ物は事務室で預かる."""
    rest = [one for one in frame.arguments if one is not unit and one.role != "of" and not one.is_general]
    is_same = bool(rest) and all(any(is_same_name(one, two) for two in other.arguments) for one in rest)
    return unit.role in ("to", "at", "from") and is_same and bool(frame.unit.keys & other.unit.keys) and is_better(unit)


def _doers(frame: PredicateFrame, sentence: Statement) -> list[Phrase]:
    """Return the actor if a clause describes it (苦情を受けた者が); else []."""
    before = (one for one in reversed(sentence.units[: frame.unit.number]) if one.role == "subject")
    return [one for one in [next(before, None)] if one is not None and _DOER.match(one.tail)]


def _other_filler(
    frame: PredicateFrame,
    statement: Statement,
    source: Statement,
    other: PredicateFrame,
    facts: SourceFacts,
    is_there: Callable[[Phrase], bool],
) -> Place | None:
    """Return the phrase whose role another one has in the source, or None; `is_there`: a source has a phrase."""

    def is_better(unit: Phrase) -> bool:
        """Whether the statement shares more words with the answer than each statement that has the phrase."""
        rest = statement.keys - unit.phrase_and_word_keys
        others = (len(one.keys & rest) for one in facts.statements if _is_in(unit, one))
        return len(source.keys & rest) > max(others, default=0)

    if (turned := _exchanged_subject(frame, statement, source, other)) is not None:
        return turned
    for role in ("subject", "to", "from", "at", "object"):
        own = _fillers(frame, role)
        theirs = _fillers(other, role)
        if role == "subject":
            own = _doers(frame, statement) or own
        if role == "subject" and any(lexicon.is_agent(unit.text) or _DOER.match(unit.tail) for unit in own):
            theirs = _actors(other, source)
        if not own or not theirs or (role != "to" and all(one.is_general for one in theirs)):
            continue
        is_own = role == "subject" and any(one in other.lead and one.role == "subject" for one in theirs)
        clause = [*(other.lead if is_own else other.arguments), other.unit, *theirs]
        clause = [one for one in clause if one in theirs or not (one.role == "subject" and lexicon.is_agent(one.text))]
        for unit in own:
            is_actor = role == "subject" and (lexicon.is_agent(unit.text) or _DOER.match(unit.tail) is not None)
            is_actor = is_actor or (role == "to" and all(lexicon.is_agent(one.text) for one in (unit, *theirs)))
            is_elsewhere = any(
                _overlaps(unit, one) and not _are_distinguished(unit, one, source) for one in clause
            ) or (not is_actor and is_there(unit) and not _is_only_other(unit, frame, other, is_better))
            is_kept = role != "subject" and any(_overlaps(one, mine) for one in theirs for mine in statement.units)
            is_topic = role == "subject" and unit.role == "topic"
            if not is_elsewhere and not is_kept and not is_topic and _is_thing(unit):
                return unit.start, unit.end
    return None


def _exchanged_subject(
    frame: PredicateFrame, statement: Statement, source: Statement, other: PredicateFrame
) -> Place | None:
    """Return the answer's actor if the source has that name in another role (園は保護者に知らせる), or None."""
    if not frame.unit.keys & other.unit.keys or _PASSIVE.match(frame.unit.tail) or _PASSIVE.match(other.unit.tail):
        return None
    if other.unit.head.is_verbal_noun and not re.match(r"を?[しすさせで]", other.unit.tail):  # 同意なく
        return None
    for mine in _fillers(frame, "subject"):
        if not lexicon.is_agent(mine.text):
            continue
        receives = [filler for filler in _fillers(other, "to") if is_same_name(filler, mine)]
        addressees = [
            filler for filler in _fillers(frame, "to") if lexicon.is_agent(filler.text) and not _overlaps(filler, mine)
        ]
        if receives and addressees and not any(lexicon.is_agent(filler.text) for filler in _fillers(other, "subject")):
            return mine.start, mine.end  # 保護者が園に知らせる for 保護者に知らせる
        for theirs in _actors(other, source):
            if _overlaps(mine, theirs):
                continue
            if _has_part(source.units, mine) and any(is_same_name(theirs, unit) for unit in statement.units):
                return mine.start, mine.end
    return None


def _has_part(units: Sequence[Phrase], name: Phrase) -> bool:
    return any(unit.role in ("to", "from", "of", "with", "by") and is_same_name(unit, name) for unit in units)


def _are_distinguished(phrase: Phrase, other: Phrase, source: Statement) -> bool:
    """Whether one sentence of the source has both names, so that they are different: 団長 and 分団長."""
    written = {unit.text for unit in source.units}
    return phrase.text != other.text and {phrase.text, other.text} <= written


def _overlaps(phrase: Phrase, other: Phrase) -> bool:
    return is_same_name(phrase, other) or alignment.shares_kanji(phrase, other)


def _is_thing(unit: Phrase) -> bool:
    return unit.head.base not in lexicon.GENERAL and not lexicon.is_everyday(unit.head.text)


def _fillers(frame: PredicateFrame, role: str) -> list[Phrase]:
    """Return the phrases with this role in the predicate's clause, as subject also a topic."""
    found = [unit for unit in frame.lead if unit.role == role]
    if role == "subject":  # 市が定め、使用者が納める: each が belongs to its own verb
        ends = [at for at, unit in enumerate(found[:-1]) if unit.tail.startswith("が")]
        found = found[ends[-1] + 1 :] if ends else found
    if role == "subject" and not found:
        found = [unit for unit in (*frame.topics, *frame.lead) if unit.role == "topic"][-1:]
    return found
