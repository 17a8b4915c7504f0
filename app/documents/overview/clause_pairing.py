"""Pair the clauses of two editions: by their text, else by heading and text, else by the likeness of their texts.

Digits do not count in the likeness, so that an edition in which every value differs is still recognized.
"""

import difflib
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.base.lazy_pattern import lazy_pattern
from app.documents.reading import headings
from app.documents.values import notation
from app.documents.whole_document import PAUSE_S, WholeDocument

_ALIKE = 0.5  # least share of common pairs of characters in two clauses of one heading, or anywhere
_TITLE_GAIN = 0.2  # what the same title adds, and another takes away, as short clauses share 標準とする and the like
_CANDIDATES = 8  # clauses compared with one that has no partner
_PAIRS_KEPT = 60  # rarest pairs of characters by which candidates are found
_ARTICLE = lazy_pattern(rf"(第|条の)([{notation.KANJI_NUMERALS}]+)(?=[編章節款条項号の(　\s]|$)")
DIGITS = lazy_pattern(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Clause:
    """Sections of one heading and mark of obligation. `rows`: their indices. `number`, `title`: of its own heading."""

    rows: range
    path: tuple[str, ...]  # folded
    number: str
    title: str
    text: str


def clauses(document: WholeDocument) -> list[Clause]:
    """Return the clauses of a document in order."""
    found: list[Clause] = []
    sections = document.sections
    for (heading, tag), group in itertools.groupby(
        range(len(sections)), key=lambda row: (sections[row].heading, sections[row].tag)
    ):
        rows = list(group)
        path = tuple(map(_numbered, heading))
        number = headings.parse_number(path[-1]) or headings.parse_item(path[-1]) if path else None
        own, title = (path[-1][: number.length], path[-1][number.length :]) if number else ("", "".join(path[-1:]))
        text = "\n".join(sections[row].text for row in rows)
        found.append(Clause(range(rows[0], rows[-1] + 1), (*path, tag), own.strip(), title.strip(), text))
    return found


def _numbered(heading: str) -> str:
    """Return a heading folded, with the numbers of articles in digits: 第3条の2 for 第三条の二."""
    return _ARTICLE.sub(lambda found: f"{found[1]}{notation.parse_numeral(found[2]):g}", headings.fold(heading))


def plain_text(text: str) -> str:
    return "".join(notation.flatten(text)[0].split())


def pair_clauses(
    ours: Sequence[Clause], theirs: Sequence[Clause], report: Callable[[int, int], None]
) -> dict[int, int]:
    """Return the index of the new clause for each old one that has a partner."""
    texts = [[plain_text(one.text) for one in side] for side in (ours, theirs)]
    pairs: dict[int, int] = {}

    def pair_up(keys: Sequence[Sequence[object]], fit: Callable[[int, int], float]) -> None:
        """Pair the clauses without partners whose keys are equal, in order, each with the one that fits best."""
        waiting: dict[object, list[int]] = defaultdict(list)
        for at in sorted(set(range(len(theirs))).difference(pairs.values())):
            waiting[keys[1][at]].append(at)
        for at in sorted(set(range(len(ours))).difference(pairs)):
            found = max(waiting[keys[0][at]], key=lambda other: fit(at, other), default=None)
            if found is not None and fit(at, found) > 0:
                pairs[at] = found
                waiting[keys[0][at]].remove(found)

    paths = [[one.path for one in side] for side in (ours, theirs)]
    both = [list(zip(paths[side], texts[side], strict=True)) for side in (0, 1)]
    pair_up(both, lambda _a, _b: 1)
    pair_up(texts, lambda a, _b: len(texts[0][a]) - 1)
    grams = [[count_pairs(text) for text in side] for side in texts]
    pair_up(paths, lambda a, b: max(0.0, share(grams[0][a], grams[1][b]) - _ALIKE))
    _pair_alike(ours, theirs, grams, pairs, report)
    pair_up(paths, lambda _a, _b: 1)  # written anew
    return pairs


def count_pairs(text: str) -> Counter[str]:
    """Return the pairs of characters of a text, in which each number is the same."""
    masked = DIGITS.sub("0", text)
    return Counter(masked[at : at + 2] for at in range(max(1, len(masked) - 1)))


def share(one: Counter[str], other: Counter[str]) -> float:
    """Return the share of common pairs of characters, 0 to 1 (Dice)."""
    whole = one.total() + other.total()
    small, large = sorted((one, other), key=len)
    return 2 * sum(min(count, large[gram]) for gram, count in small.items()) / whole if whole else 1.0


def _pair_alike(
    ours: Sequence[Clause],
    theirs: Sequence[Clause],
    grams: Sequence[Sequence[Counter[str]]],
    pairs: dict[int, int],
    report: Callable[[int, int], None],
) -> None:
    """Pair clauses without partners by their text, the most alike first."""
    having: dict[str, list[int]] = defaultdict(list)
    for at in sorted(set(range(len(theirs))).difference(pairs.values())):
        for gram in grams[1][at]:
            having[gram].append(at)
    scored: list[tuple[float, int, int]] = []
    for at in sorted(set(range(len(ours))).difference(pairs)):
        report(at, len(ours) + len(theirs))
        if at % 20 == 0:
            time.sleep(PAUSE_S)
        rarest = sorted((gram for gram in grams[0][at] if gram in having), key=lambda gram: len(having[gram]))
        votes: Counter[int] = Counter()
        for gram in rarest[:_PAIRS_KEPT]:
            votes.update(having[gram])
        for other, _ in votes.most_common(_CANDIDATES):
            likeness = share(grams[0][at], grams[1][other])
            titles = ours[at].title, theirs[other].title
            if all(titles):
                likeness += _TITLE_GAIN if titles[0] == titles[1] else -_TITLE_GAIN
            if likeness >= _ALIKE:
                scored.append((-likeness, at, other))
    taken = set(pairs.values())
    for _, at, other in sorted(scored):
        if at not in pairs and other not in taken:
            pairs[at] = other
            taken.add(other)


def find_moved(pairs: dict[int, int]) -> set[int]:
    """Return the old clauses that stand elsewhere: those outside the longest runs of pairs in the same order."""
    old, new = sorted(pairs), [pairs[at] for at in sorted(pairs)]
    kept = difflib.SequenceMatcher(None, new, sorted(new), autojunk=False).get_matching_blocks()
    return set(old) - {at for block in kept for at in old[block.a : block.a + block.size]}
