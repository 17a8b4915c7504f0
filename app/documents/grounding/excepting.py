"""Read the exceptions in a source: the condition of each, and the opposite of the rule, which it states."""

import dataclasses
import re
from collections.abc import Iterable
from itertools import pairwise

from app.documents.grounding import lexicon, modality, statements
from app.documents.grounding.statements import Statement

_EXCEPTION = re.compile(r"\s*(?:ただし|但し|なお).*(?:この限りで(?:は)?な|別とす|適用しない|除く。?$)", re.DOTALL)
_TAKEN_OUT = re.compile(r"[^、。]{0,8}(?:を除[いき](?!た)|以外は)")
_SETS = re.compile(r"(?:に|で|について)?は|[^、。]{0,10}(?:場合|とき|際)(?:に|で)?(?:は|、)")  # 疑いがある場合は


def with_exceptions(sentences: Iterable[str]) -> list[Statement]:
    """The statements of a source, and for 「ただし…この限りでない」 what it says: the opposite of what is before."""
    found = [statements.of(text) for text in sentences]
    pairs = [(before, one) for before, one in pairwise(found) if before.frames and _EXCEPTION.match(one.text)]
    excepted = [re.match(r"\s*(?:ただし|但し)", one.text) is not None for one in found]
    found = [
        dataclasses.replace(one, has_exception=behind and not is_one)
        for one, is_one, behind in zip(found, excepted, [*excepted[1:], False], strict=True)
    ]
    inside = [without for one in found for without in _without_excepted(one)]
    limited = [_only_under_its_condition(one, before) for before, one in pairwise([None, *found]) if one]
    return [*limited, *inside, *(_excepted(before, one) for before, one in pairs)]


def _only_under_its_condition(one: Statement, before: Statement | None) -> Statement:
    """「ただし、…のときは」 says nothing of what does not name its condition, or else its topic (下刈りは).

    What the sentence before has as well tells nothing of that, unless there is nothing else.
    """
    if not re.match(r"\s*(?:ただし|但し)", one.text):
        return one
    conditions = [frame for frame in one.frames if frame.unit.is_condition]
    if not conditions:
        at = next((unit.number for unit in one.units if _SETS.match(unit.tail)), -1)
        topic = one.units[: at + 1]
        is_actor = at >= 0 and lexicon.is_agent(topic[-1].text)
        needed = frozenset() if is_actor else frozenset(key for unit in topic for key in unit.keys)
    else:
        needed = frozenset(key for frame in conditions for key in frame.keys | frame.argument_keys)
    bases = frozenset(key for key in needed if isinstance(key, str))  # 賃貸 and 賃借 are of one group of synonyms
    bases = bases - lexicon.GRAMMATICAL - lexicon.GENERAL
    return dataclasses.replace(one, needed=(bases - before.keys if before else bases) or bases)


def _without_excepted(one: Statement) -> Iterable[Statement]:
    """That of what a clause takes out (交差点を除いて落とす) the opposite holds."""
    for unit in one.units:
        main = one.frames[-1] if one.frames else None
        if main is None or main.unit is unit or not _TAKEN_OUT.match(unit.tail):
            continue
        before = one.units[: unit.number]
        begin = next((other.number + 1 for other in reversed(before) if re.search("[、は]", other.tail)), 0)
        taken = one.units[begin : unit.number + 1]
        flipped = dataclasses.replace(main.unit, kind=modality.opposite(main.unit.kind))
        frame = dataclasses.replace(main, unit=flipped, lead=(*taken, *main.lead))
        needed = frozenset(key for part in taken for key in part.keys if isinstance(key, str))
        yield dataclasses.replace(one, frames=(frame,), needed=needed - lexicon.GENERAL, values=(), excepted=-1)


def _excepted(before: Statement, one: Statement) -> Statement:
    """That of what an exception names the opposite of the sentence before it holds."""
    main = before.frames[-1]
    flipped = dataclasses.replace(main.unit, kind=modality.opposite(main.unit.kind))
    units = [dataclasses.replace(unit, number=at) for at, unit in enumerate((*one.units, *before.units))]
    frame = dataclasses.replace(main, unit=flipped, lead=(*one.units, *main.lead))
    return Statement(
        one.text, tuple(units), (*one.frames, frame), one.keys | before.keys, one.kanji + before.kanji,
        needed=one.keys - before.keys, excepted=len(one.units),
    )  # fmt: skip
