"""What a value is said of: the words around it, the nearer ones weighing more.

5m and 0.5m stand in the same sentence; that the one is the height of a wall and the other its depth, only the words
beside them tell. Grammar is not read.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from app.documents.values import numerals

Words = Mapping[str, float]  # pairs of characters, and single ones that stand alone -> weight, 0 to 1

REACH = 60  # characters on either side
WORDS_MIN = 2.5  # as many words of the same weight, to be told by
_HALF = 8  # characters after which a word weighs half
_BEHIND = 0.6  # what follows a value says less of it than what comes before
_RUN = re.compile(r"[一-鿿々]+|[ァ-ヺー]+|[A-Za-z]+")
_BREAK = re.compile(r"[、,;。|\n]")
# Of a word before and behind such a sign, what is left of its weight.
_BREAKS = {"、": (0.9, 0.3), ",": (0.9, 0.3), ";": (0.7, 0.3), "。": (0.5, 0.2), "|": (0.8, 0.3), "\n": (0.3, 0.1)}
_VALUE = (0.5, 0.3)  # and of one on the other side of another value


def around(text: str, values: Iterable[tuple[int, int]]) -> list[Words]:
    """Of each value (start, end) of a text the words around it."""
    flat, origin = numerals.flatten(text)
    places = {origin(at): at for at in range(len(flat), -1, -1)}
    spans = [(places[start], places[end]) for start, end in values if start in places and end in places]
    others = sorted(spans)
    return [_of_one(flat, start, end, others) for start, end in spans]


def rarity(values: Sequence[Words]) -> dict[str, float]:
    """Of each word that stands around one of the values, how much it tells: the logarithm of how few have it."""
    having = Counter(word for words in values for word in words)
    return {word: math.log((len(values) + 1) / (count + 0.5)) for word, count in having.items()}


def fit(wanted: Words, found: Words, weights: Mapping[str, float]) -> float:
    """0 to 1: the share of the words around one value that are around the other, as near, the telling ones counting.

    `weights`: of `rarity`. 0 as well when there are too few words to tell by.
    """
    told = {word: weight * weights.get(word, 0.0) for word, weight in wanted.items()}
    total, squares = sum(told.values()), sum(weight**2 for weight in told.values())
    if not squares or total**2 / squares < WORDS_MIN:
        return 0.0
    return sum(min(weight, found.get(word, 0.0) * weights.get(word, 0.0)) for word, weight in told.items()) / total


def _of_one(flat: str, start: int, end: int, others: list[tuple[int, int]]) -> Words:
    first, last = max(0, start - REACH), min(len(flat), end + REACH)
    signs = [(found.start(), _BREAKS[found.group()]) for found in _BREAK.finditer(flat, first, last)]
    signs += [(one, _VALUE) for one, stop in others if stop > first and one < last and (one, stop) != (start, end)]
    taken = [(one, stop) for one, stop in others if stop > first and one < last]
    words: dict[str, float] = {}
    for run in _RUN.finditer(flat, first, last):
        if any(one < run.end() and run.start() < stop for one, stop in taken):
            continue
        is_before = run.end() <= start
        distance = start - run.end() if is_before else run.start() - end
        weight = (1.0 if is_before else _BEHIND) / (1 + max(0, distance) / _HALF)
        for at, (before, behind) in signs:
            if is_before and run.end() <= at < start:
                weight *= before
            elif not is_before and end <= at < run.start():
                weight *= behind
        for word in _pairs(run.group()):
            words[word] = max(words.get(word, 0.0), weight)
    return words


def _pairs(run: str) -> list[str]:
    if run.isascii():
        return [run.casefold()]
    return [one + other for one, other in pairwise(run)] or [run]
