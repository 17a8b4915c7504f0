"""Which statements of the sources a sentence of an answer is to be held against, and how much two predicates share."""

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.documents.grounding import binding, excepting, lexicon, rendered, sentences, statements
from app.documents.grounding.binding import Owned
from app.documents.grounding.statements import Frame, Statement, Unit
from app.documents.records import Passage
from app.documents.values import numerals
from app.documents.values.quantities import Quantity

Place = tuple[int, int]  # in the text of the answer's statement
SETTLED_MIN = 0.7  # of the weight of a sentence's words, in the one that has its value
_CASE = 2.0  # what the bound value of both tells, beside the weights of words
NEAR = 0.85  # of the best fit, for another statement of the source that the answer may repeat as well


@dataclass(frozen=True, slots=True)
class Facts:
    """What one passage says. `text`: flattened; `sentences`: as app.documents.grounding.rendered.bare gives them."""

    statements: tuple[Statement, ...]
    keys: frozenset[object]
    text: str
    sentences: frozenset[str]
    owned: tuple[Owned, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What the sources of an answer's sentence say; its `keys` and `text` also have headings and the question."""

    statements: Sequence[Statement]
    keys: frozenset[object]
    text: str
    body: str  # of the passages alone
    kanji: str
    sentences: frozenset[str]
    owned: Sequence[Owned]


@functools.lru_cache(maxsize=256)
def of_passage(passage: Passage) -> Facts:
    section = passage.section
    pieces = [section.text[one.start : one.end] for one in sentences.comparable(section.text)]
    found = excepting.with_exceptions(pieces)
    where = "\n".join([*section.heading, section.tag, *section.captions, passage.document, passage.collection])
    keys = frozenset(key for one in found for key in one.keys) | statements.of(where).keys
    bare = frozenset(rendered.bare(piece) for piece in pieces)
    return Facts(tuple(found), keys, section.text + "\n" + where, bare, tuple(binding.of_lines(section.text)))


def known(facts: Sequence[Facts], question: str) -> Known:
    body = re.sub(r"[\s|]", "", numerals.flatten("\n".join(one.text for one in facts))[0])
    text = body + re.sub(r"[\s|]", "", numerals.flatten(question)[0])
    return Known(
        [statement for one in facts for statement in one.statements],
        frozenset().union(statements.of(question).keys, *(one.keys for one in facts)),
        text,
        body,
        statements.kanji_of(text),
        frozenset().union(*(one.sentences for one in facts)),
        [owned for one in facts for owned in one.owned],
    )


def weights(said: Statement, known: Known) -> dict[object, float]:
    """Of each word that both have, how much it tells: the fewer statements of the source have it, the more."""
    counts = Counter(key for one in known.statements for key in one.keys if key in said.keys)
    return {key: math.log((len(known.statements) + 1) / (count + 0.5)) + 0.3 for key, count in counts.items()}


def nearest(said: Statement, known: Known, weights: dict[object, float]) -> list[Statement] | None:
    """The statements of the source that have most of what the sentence says, the best first."""
    rated = [(sum(weights.get(key, 0.0) for key in said.keys & one.keys), one) for one in known.statements]
    best = max((fit for fit, _ in rated), default=0.0)
    rated.sort(key=lambda one: -one[0])
    return [one for fit, one in rated if fit >= best * 0.6] if best > 0 else None


def is_settled(value: Quantity, said: Statement, known: Known) -> bool:
    """Whether the one sentence that has most of this one has this value, and no other that could stand for it."""
    telling = weights(said, known)
    near = nearest(said, known, telling)
    if not near or sum(telling.get(key, 0.0) for key in said.keys & near[0].keys) < SETTLED_MIN * sum(telling.values()):
        return False
    same = [one for one in near if said.keys & one.keys == said.keys & near[0].keys]  # two rows of a table
    alike = [other for one in same for other in one.values if other.is_of_kind(value)]
    return bool(alike) and all(value.is_same(one) and one.bound == value.bound for one in alike)


def near_frames(
    frame: Frame, said: Statement, known: Known, weights: dict[object, float]
) -> list[tuple[Statement, Frame]]:
    """The predicates of the source that one of the answer may repeat, each with its statement."""
    rated = [(_fit(frame, other, said, one, weights), one, other) for one in known.statements for other in one.frames]
    best = max((fit for fit, _, _ in rated), default=0.0)
    return [(one, other) for fit, one, other in rated if fit > 0 and fit >= best * NEAR]


def _fit(frame: Frame, other: Frame, said: Statement, source: Statement, weights: dict[object, float]) -> float:
    """How much two predicates with their arguments have in common; 0: not the same predicate."""
    if not (frame.keys & other.keys or shares_kanji(frame.unit, other.unit)):
        return 0.0
    if frame.unit.head.base in lexicon.LITTLE and not (
        (frame.keys - frame.unit.keys) & other.keys or frame.argument_keys & other.argument_keys
    ):
        return 0.0
    done_to = frame.keys - frame.unit.keys
    if done_to and other.keys - other.unit.keys and not done_to & other.keys:  # 検査を行う, 交換を行う
        return 0.0
    if source.needed and not source.needed & frame.scope:
        return 0.0
    is_same_case = shares_value(said, source)
    is_of_rest = bool((said.keys - frame.keys) & source.keys) or bool(done_to & other.keys) or is_same_case
    if said.keys - frame.keys and not is_of_rest:
        return 0.0
    if frame.unit.is_condition != other.unit.is_condition and len(said.frames) > 1 and len(source.frames) > 1:
        return 0.0
    arguments = sum(
        weights.get(key, 0.0)
        for key in (frame.argument_keys | source.needed & frame.scope) & (other.argument_keys | source.needed)
    )
    together = sum(weights.get(key, 0.0) for key in said.keys & source.keys)
    share = 0.1 + arguments + 0.2 * together + (_CASE if is_same_case else 0.0)
    return 2 * share if source.needed else share


def shares_value(said: Statement, source: Statement) -> bool:
    """Whether both are of one case: 20歳未満の者には."""
    return any(
        one.bound and one.bound == two.bound and one.is_same(two) for one in said.values for two in source.values
    )


def shares_kanji(unit: Unit, other: Unit) -> bool:
    """返す and 返金; 貸し出す and 貸出し."""
    one, two = unit.kanji, other.kanji
    return bool(one and two) and (one in two or two in one)


def are_alike_acts(one: Unit, two: Unit) -> bool:
    """Return whether both say what is done and share a kanji: 配る and 配食."""
    return one.is_act and two.is_act and bool(set(one.kanji) & set(two.kanji))


def have_one_end(unit: Unit, said: Statement, other: Unit, source: Statement) -> bool:
    """Whether both belong to predicates that may be the same: not 音 of 音がしたら to 監視員 of 監視員は出す."""
    own, theirs = (
        next((one for one in whole.units[at.number + 1 :] if one.kind), None)
        for at, whole in ((unit, said), (other, source))
    )
    return own is None or theirs is None or bool(own.keys & theirs.keys) or shares_kanji(own, theirs)
