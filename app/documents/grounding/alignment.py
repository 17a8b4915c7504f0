"""Find the statements of the sources that a sentence must be compared with, also those of exceptions (ただし…)."""

import dataclasses
import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon
from app.documents.grounding import answer_markup, modality, sentences, statements, value_attribution
from app.documents.grounding.statements import Phrase, PredicateFrame, Statement
from app.documents.grounding.value_attribution import AttributedValue
from app.documents.records import Passage
from app.documents.values import notation
from app.documents.values.quantities import Quantity

_EXCEPTION = lazy_pattern(r"\s*(?:ただし|但し|なお).*(?:この限りで(?:は)?な|別とす|適用しない|除く。?$)", re.DOTALL)
_EXCLUDED = lazy_pattern(r"[^、。]{0,8}(?:を除[いき](?!た)|以外は)")
_SETS = lazy_pattern(r"(?:に|で|について)?は|[^、。]{0,10}(?:場合|とき|際)(?:に|で)?(?:は|、)")  # 疑いがある場合は


def with_exceptions(sentences: Iterable[str]) -> list[Statement]:
    """Return the statements of a source, and for 「ただし…この限りでない」 the opposite of the statement before it."""
    found = [statements.parse_statement(text) for text in sentences]
    pairs = [(before, one) for before, one in pairwise(found) if before.frames and _EXCEPTION.match(one.text)]
    excepted = [re.match(r"\s*(?:ただし|但し)", one.text) is not None for one in found]
    found = [
        dataclasses.replace(one, has_exception=behind and not is_one)
        for one, is_one, behind in zip(found, excepted, [*excepted[1:], False], strict=True)
    ]
    inside = [without for one in found for without in _opposites_for_excepted_words(one)]
    limited = [_only_under_its_condition(one, before) for before, one in pairwise([None, *found]) if one]
    return [*limited, *inside, *(_excepted(before, one) for before, one in pairs)]


def _only_under_its_condition(statement: Statement, before: Statement | None) -> Statement:
    """Limit a sentence with ただし to answers that mention its condition, if it has words of its own, or its topic."""
    if not re.match(r"\s*(?:ただし|但し)", statement.text):
        return statement
    conditions = [frame for frame in statement.frames if frame.unit.is_condition]
    if not conditions:
        at = next((unit.number for unit in statement.units if _SETS.match(unit.tail)), -1)
        topic = statement.units[: at + 1]
        is_actor = at >= 0 and lexicon.is_agent(topic[-1].text)
        needed = frozenset() if is_actor else frozenset(key for unit in topic for key in unit.keys)
    else:
        needed = frozenset(key for frame in conditions for key in frame.keys | frame.argument_keys)
    bases = frozenset(key for key in needed if isinstance(key, str))  # 賃貸 and 賃借 share a synonym group
    bases = bases - lexicon.GRAMMATICAL - lexicon.GENERAL
    return dataclasses.replace(statement, required_keys=(bases - before.keys if before else bases) or bases)


def _opposites_for_excepted_words(statement: Statement) -> Iterable[Statement]:
    """Yield the opposite for the words that a clause excepts: 交差点では落とさない of 交差点を除いて落とす."""
    for unit in statement.units:
        main = statement.frames[-1] if statement.frames else None
        if main is None or main.unit is unit or not _EXCLUDED.match(unit.tail):
            continue
        before = statement.units[: unit.number]
        begin = next((other.number + 1 for other in reversed(before) if re.search("[、は]", other.tail)), 0)
        taken = statement.units[begin : unit.number + 1]
        flipped = dataclasses.replace(main.unit, kind=modality.opposite(main.unit.kind))
        frame = dataclasses.replace(main, unit=flipped, lead=(*taken, *main.lead))
        needed = frozenset(key for part in taken for key in part.keys if isinstance(key, str))
        yield dataclasses.replace(
            statement, frames=(frame,), required_keys=needed - lexicon.GENERAL, values=(), excepted_count=-1
        )


def _excepted(before: Statement, statement: Statement) -> Statement:
    """Return the opposite of the sentence `before` for the words of the exception `statement`."""
    main = before.frames[-1]
    flipped = dataclasses.replace(main.unit, kind=modality.opposite(main.unit.kind))
    units = [dataclasses.replace(unit, number=at) for at, unit in enumerate((*statement.units, *before.units))]
    frame = dataclasses.replace(main, unit=flipped, lead=(*statement.units, *main.lead))
    return Statement(
        statement.text, tuple(units), (*statement.frames, frame),
        statement.keys | before.keys, statement.kanji + before.kanji,
        required_keys=statement.keys - before.keys, excepted_count=len(statement.units),
    )  # fmt: skip


Place = tuple[int, int]  # start, end in the text of the answer's statement
SETTLED_MIN = 0.7  # share of a sentence's word weights in the source sentence with its value
_CASE = 2.0  # weight of a bounded value that both have, compared with weights of words
NEAR = 0.85  # share of the best fit from which other source statements may be meant too


@dataclass(frozen=True, slots=True)
class PassageFacts:
    """The statements of one passage. `text`: with headings; `sentences`: as `answer_markup.comparable_text`."""

    statements: tuple[Statement, ...]
    keys: frozenset[object]
    text: str
    sentences: frozenset[str]
    attributed: tuple[AttributedValue, ...]


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The statements of all sources of a sentence. `keys` and `text` include headings and the question."""

    statements: Sequence[Statement]
    keys: frozenset[object]
    text: str
    body: str  # as `text`, but without the question
    kanji: str
    sentences: frozenset[str]
    attributed: Sequence[AttributedValue]


@functools.lru_cache(maxsize=256)
def collect_facts(passage: Passage) -> PassageFacts:
    """Return the statements, words and values of a passage, to compare an answer with them."""
    section = passage.section
    pieces = [section.text[one.start : one.end] for one in sentences.split_for_comparison(section.text)]
    found = with_exceptions(pieces)
    where = "\n".join([*section.heading, section.tag, *section.captions, passage.document, passage.collection])
    keys = frozenset(key for one in found for key in one.keys) | statements.parse_statement(where).keys
    bare = frozenset(answer_markup.comparable_text(piece) for piece in pieces)
    return PassageFacts(
        tuple(found), keys, section.text + "\n" + where, bare, tuple(value_attribution.attribute_lines(section.text))
    )


def merge_facts(facts: Sequence[PassageFacts], question: str) -> SourceFacts:
    """Merge the facts of several passages."""
    body = re.sub(r"[\s|]", "", notation.flatten("\n".join(one.text for one in facts))[0])
    text = body + re.sub(r"[\s|]", "", notation.flatten(question)[0])
    return SourceFacts(
        [statement for one in facts for statement in one.statements],
        frozenset().union(statements.parse_statement(question).keys, *(one.keys for one in facts)),
        text,
        body,
        statements.kanji_of(text),
        frozenset().union(*(one.sentences for one in facts)),
        [attributed for one in facts for attributed in one.attributed],
    )


def weigh_shared_words(statement: Statement, facts: SourceFacts) -> dict[object, float]:
    """Return the weight of each key that the sentence shares with the sources; rarer words weigh more."""
    counts = Counter(key for one in facts.statements for key in one.keys if key in statement.keys)
    return {key: math.log((len(facts.statements) + 1) / (count + 0.5)) + 0.3 for key, count in counts.items()}


def nearest_statements(
    statement: Statement, facts: SourceFacts, weights: dict[object, float]
) -> list[Statement] | None:
    """Return the source statements that share most words with the sentence, the best first; None if none does."""
    rated = [(sum(weights.get(key, 0.0) for key in statement.keys & one.keys), one) for one in facts.statements]
    best = max((fit for fit, _ in rated), default=0.0)
    rated.sort(key=lambda one: -one[0])
    return [one for fit, one in rated if fit >= best * 0.6] if best > 0 else None


def is_confirmed_by_nearest(value: Quantity, statement: Statement, facts: SourceFacts) -> bool:
    """Whether the source sentence nearest to this one has this value, and no other value that could replace it."""
    word_weights = weigh_shared_words(statement, facts)
    near = nearest_statements(statement, facts, word_weights)
    if not near or sum(word_weights.get(key, 0.0) for key in statement.keys & near[0].keys) < SETTLED_MIN * sum(
        word_weights.values()
    ):
        return False
    same = [one for one in near if statement.keys & one.keys == statement.keys & near[0].keys]  # two rows of a table
    alike = [other for one in same for other in one.values if other.is_of_kind(value)]
    return bool(alike) and all(value.is_same(one) and one.bound == value.bound for one in alike)


def near_frames(
    frame: PredicateFrame, statement: Statement, facts: SourceFacts, weights: dict[object, float]
) -> list[tuple[Statement, PredicateFrame]]:
    """Return the predicates of the sources that a predicate of the answer may repeat, each with its statement."""
    rated = [
        (_fit(frame, other, statement, one, weights), one, other) for one in facts.statements for other in one.frames
    ]
    best = max((fit for fit, _, _ in rated), default=0.0)
    return [(one, other) for fit, one, other in rated if fit > 0 and fit >= best * NEAR]


def _fit(
    frame: PredicateFrame, other: PredicateFrame, statement: Statement, source: Statement, weights: dict[object, float]
) -> float:
    """Return how much two predicates with their arguments have in common; 0: they are different predicates."""
    if not (frame.keys & other.keys or shares_kanji(frame.unit, other.unit)):
        return 0.0
    if frame.unit.head.base in lexicon.LITTLE and not (
        (frame.keys - frame.unit.keys) & other.keys or frame.argument_keys & other.argument_keys
    ):
        return 0.0
    done_to = frame.keys - frame.unit.keys
    if done_to and other.keys - other.unit.keys and not done_to & other.keys:  # 検査を行う, 交換を行う
        return 0.0
    if source.required_keys and not source.required_keys & frame.scope:
        return 0.0
    is_same_case = shares_value(statement, source)
    is_of_rest = bool((statement.keys - frame.keys) & source.keys) or bool(done_to & other.keys) or is_same_case
    if statement.keys - frame.keys and not is_of_rest:
        return 0.0
    if frame.unit.is_condition != other.unit.is_condition and len(statement.frames) > 1 and len(source.frames) > 1:
        return 0.0
    arguments = sum(
        weights.get(key, 0.0)
        for key in (frame.argument_keys | source.required_keys & frame.scope)
        & (other.argument_keys | source.required_keys)
    )
    together = sum(weights.get(key, 0.0) for key in statement.keys & source.keys)
    share = 0.1 + arguments + 0.2 * together + (_CASE if is_same_case else 0.0)
    return 2 * share if source.required_keys else share


def shares_value(statement: Statement, source: Statement) -> bool:
    """Whether both statements have the same bounded value, and so concern the same case: 20歳未満の者には."""
    return any(
        one.bound and one.bound == two.bound and one.is_same(two) for one in statement.values for two in source.values
    )


def shares_kanji(unit: Phrase, other: Phrase) -> bool:
    """Whether the kanji of one phrase contain those of the other: 返す and 返金; 貸し出す and 貸出し."""
    one, two = unit.kanji, other.kanji
    return bool(one and two) and (one in two or two in one)


def share_of_words(own: Sequence[Phrase], theirs: Sequence[Phrase]) -> float:
    """Return the share (0 to 1) of the phrases `own` that `theirs` contains, without general ones if it has others."""
    content = [unit for unit in own if not unit.is_general] or list(own)
    there = [unit for unit in content if any(unit.keys & one.keys or shares_kanji(unit, one) for one in theirs)]
    return len(there) / len(content) if content else 0.0


def are_alike_acts(phrase: Phrase, other: Phrase) -> bool:
    """Whether both are actions that share a kanji: 配る and 配食."""
    return phrase.is_act and other.is_act and bool(set(phrase.kanji) & set(other.kanji))


def have_one_end(unit: Phrase, statement: Statement, other: Phrase, source: Statement) -> bool:
    """Whether the predicates of both phrases may be one: not 音 of 音がしたら and 監視員 of 監視員は出す."""
    own, theirs = (
        next((one for one in whole.units[at.number + 1 :] if one.kind), None)
        for at, whole in ((unit, statement), (other, source))
    )
    return own is None or theirs is None or bool(own.keys & theirs.keys) or shares_kanji(own, theirs)
