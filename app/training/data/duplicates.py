"""Find duplicate rows: identical rows, equal questions, near-duplicates, and answers contained in another answer.

Texts are compared in NFKC without white space. `near_duplicates` computes exact Jaccard indices, not estimates: rows
that could reach the threshold share some of their rarest n-grams (prefix filter: Bayardo, Ma, Srikant 2007; Xiao et al.
2008), and the index is computed for each such pair.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base.search_text import normalize_nfkc
from app.training.data.rows import TrainingRow
from app.training.data.split_record import DEFAULT_MEASURE, Part, SimilarityMeasure

Pair = tuple[int, int, float]  # indices of two rows, the lower first, and their Jaccard index

_Numbers = npt.NDArray[np.int64]
_ROUNDING = 1e-9
_BITS = 256

# Minimum length in characters of an answer to compare. A shorter one (yes, a number, "not in the documents")
# fits many unrelated questions; a sentence about one subject is seldom shorter in Japanese.
ANSWER_CHARACTERS = 20
# An answer in more rows than this is a set phrase: comparing it would keep all these rows together.
ANSWER_ROWS = 20
_STANDS = 0.8  # share of an answer's n-grams that another answer must contain
_AT_ONCE = 256


def normalized(text: str) -> str:
    return "".join(normalize_nfkc(text).split())


def exact_duplicates(rows: Sequence[TrainingRow]) -> list[tuple[int, ...]]:
    """Return groups of indices of rows whose texts are all equal, each group in order; unique rows are omitted."""
    return _alike(
        [(normalized(row.rejected), *((one.role, normalized(one.text)) for one in row.messages)) for row in rows]
    )


def repeated_questions(rows: Sequence[TrainingRow]) -> list[tuple[int, ...]]:
    """Return groups of indices of rows that are equal up to the answer: system message, earlier turns and question."""
    return _alike([tuple((message.role, normalized(message.text)) for message in row.messages[:-1]) for row in rows])


def same_answers(rows: Sequence[TrainingRow]) -> tuple[list[tuple[int, int]], frozenset[int]]:
    """Return pairs of indices of rows that share an answer, sorted, and the indices of all rows with compared answers.

    Two rows share an answer if one answer equals, nearly equals or is contained in the other. An assistant message is
    compared if it has at least ANSWER_CHARACTERS and occurs in at most ANSWER_ROWS rows.
    """
    owners: defaultdict[str, set[int]] = defaultdict(set)
    for place, row in enumerate(rows):
        for message in row.messages:
            if message.role == "assistant" and len(text := normalized(message.text)) >= ANSWER_CHARACTERS:
                owners[text].add(place)
    rows_of = list(owners.values())
    holders = _holders(NGramSets.from_texts(list(owners), DEFAULT_MEASURE.n), rows_of)
    pairs = {
        (min(pair), max(pair))
        for text, others in holders.items()
        for other in others & holders.keys()
        for pair in product(rows_of[text], rows_of[other])
        if pair[0] != pair[1]
    }
    return sorted(pairs), frozenset(row for text in holders for row in rows_of[text])


def _alike(keys: Sequence[Hashable]) -> list[tuple[int, ...]]:
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return [tuple(found) for found in places.values() if len(found) > 1]


def near_duplicates(rows: Sequence[TrainingRow], threshold: float = 0.8, n: int = 5, part: Part = "row") -> list[Pair]:
    """Return all pairs whose Jaccard index is at least `threshold`, sorted. A text shorter than `n` is one n-gram.

    The time grows with the number of pairs that share a rare n-gram: quadratic for rows made from one template.
    """
    grams = NGramSets.from_texts([_text(row, part) for row in rows], n)
    pairs = [
        (min(row, other), max(row, other), similarity)
        for row, candidates in _candidates(grams, threshold)
        for other, similarity in grams.similar(row, candidates, threshold)
    ]
    return sorted(pairs)


def nearest_rows(
    rows: Sequence[TrainingRow], row_indices: Sequence[int], among: Sequence[int], measure: SimilarityMeasure
) -> list[tuple[int, float]]:
    """Return for each of `row_indices` the index of the most similar row of `among` and their Jaccard index."""
    grams = NGramSets.from_texts([_text(row, measure.part) for row in rows], measure.n)
    others = np.asarray(among, np.int64)
    postings = _Postings.of(grams, others, grams.sizes[others])
    found = []
    for row in row_indices:
        shared = np.bincount(postings.rows_with(grams.row(row)), minlength=len(rows))[others]
        jaccard = shared / (grams.sizes[row] + grams.sizes[others] - shared)
        best = int(np.argmax(jaccard))
        found.append((int(others[best]), float(jaccard[best])))
    return found


@dataclass(frozen=True, slots=True)
class NGramSets:
    """The sets of n-grams of all rows in one array of numbers; the rarer an n-gram, the smaller its number."""

    numbers: _Numbers
    starts: _Numbers  # where each row's numbers start in `numbers`, plus the end
    kinds: int  # number of different n-grams

    @classmethod
    def from_texts(cls, texts: Sequence[str], n: int) -> "NGramSets":
        codes, owner = _codes([text.ljust(n, "\0") for text in texts], n)
        names, kinds = _numbered(codes)
        rank = np.empty(kinds, np.int64)
        rank[np.argsort(np.bincount(names, minlength=kinds), kind="stable")] = np.arange(kinds)
        owned = _set(owner * kinds + rank[names])
        starts = np.concatenate(([0], np.cumsum(np.bincount(owned // max(kinds, 1), minlength=len(texts)))))
        return cls(owned % max(kinds, 1), starts, kinds)

    @property
    def sizes(self) -> _Numbers:
        return np.diff(self.starts)

    def row(self, row: int) -> _Numbers:
        return self.numbers[self.starts[row] : self.starts[row + 1]]

    def bits(self) -> npt.NDArray[np.uint64]:
        """Return _BITS bits for each row, packed in uint64 words; an n-gram sets the bit of its number modulo _BITS."""
        bits = np.zeros((len(self.sizes), _BITS), bool)
        bits[np.repeat(np.arange(len(bits)), self.sizes), self.numbers % _BITS] = True
        return np.packbits(bits, axis=1).view(np.uint64)

    def similar(self, row: int, others: _Numbers, threshold: float) -> Iterator[tuple[int, float]]:
        """Yield the rows of `others` whose Jaccard index with the row `row` reaches `threshold`, with the index."""
        shared = self.shared(row, others)
        jaccard = shared / (self.sizes[row] + self.sizes[others] - shared)
        for index in np.flatnonzero(jaccard >= threshold):
            yield int(others[index]), float(jaccard[index])

    def shared(self, row: int, others: _Numbers) -> _Numbers:
        """Return the number of n-grams that each row of `others` shares with the row `row`."""
        if not len(others):
            return np.empty(0, np.int64)
        own = self.row(row)
        lengths = self.starts[others + 1] - self.starts[others]
        theirs = self.numbers[_ranges(self.starts[others], lengths)]
        at = np.minimum(np.searchsorted(own, theirs), len(own) - 1)
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        counted: _Numbers = np.add.reduceat(own[at] == theirs, starts, dtype=np.int64)
        return counted


@dataclass(frozen=True, slots=True)
class _Postings:
    """An inverted index that gives the rows containing each n-gram."""

    rows: _Numbers
    starts: _Numbers

    @classmethod
    def of(cls, grams: NGramSets, places: _Numbers, lengths: _Numbers) -> "_Postings":
        """Index the first `lengths[i]` (the rarest) n-grams of each row `places[i]`."""
        numbers = grams.numbers[_ranges(grams.starts[places], lengths)]
        order = np.argsort(numbers, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(numbers, minlength=grams.kinds))))
        return cls(np.repeat(places, lengths)[order], starts)

    def rows_with(self, numbers: _Numbers) -> _Numbers:
        """Return the rows containing each given n-gram, concatenated: a row occurs once for each of its n-grams."""
        return self.rows[_ranges(self.starts[numbers], self.starts[numbers + 1] - self.starts[numbers])]


def _candidates(grams: NGramSets, threshold: float) -> Iterator[tuple[int, _Numbers]]:
    """Yield each row with the rows of the same or a smaller size that may reach the threshold.

    Two sets of a >= b n-grams reach the threshold t with t (a + b) / (1 + t) n-grams in common, which is at least t a
    and at least 2 t b / (1 + t). So a prefix of one set shares an n-gram with a prefix of the other. The sets differ in
    at most (1 - t) (a + b) / (1 + t) n-grams, and their bits differ in no more places, since n-grams may share a bit.
    """
    sizes, words = grams.sizes, np.ascontiguousarray(grams.bits().T)
    asked = sizes - _least(threshold * sizes) + 1
    kept = sizes - _least(2 * threshold / (1 + threshold) * sizes) + 1
    places = np.arange(len(sizes))
    postings = _Postings.of(grams, places, kept)
    position = np.empty_like(places)
    position[np.lexsort((places, sizes))] = places
    for row in range(len(sizes)):
        found = postings.rows_with(grams.row(row)[: asked[row]])
        found = found[(position[found] < position[row]) & (sizes[found] >= threshold * sizes[row] - _ROUNDING)]
        different = np.zeros(len(found), np.int64)
        for word in words:  # numpy's sum along an axis of four words takes twice as long
            different += np.bitwise_count(word[found] ^ word[row])
        bound = (1 - threshold) / (1 + threshold) * (sizes[row] + sizes[found]) + _ROUNDING
        yield row, _set(found[different <= bound])


def _holders(grams: NGramSets, rows_of: Sequence[set[int]]) -> dict[int, set[int]]:
    """Return for each text the texts that contain it, including itself; texts in too many rows are omitted.

    A containing text may lack some n-grams. It shares at least one of the rarest n-grams if one more of them is
    searched than may be lacking.
    """
    sizes = grams.sizes
    asked = sizes - _least(_STANDS * sizes) + 1
    postings = _Postings.of(grams, np.arange(len(sizes)), sizes)
    found: dict[int, set[int]] = {}
    for text, least in enumerate(_STANDS * sizes - _ROUNDING):
        others = _set(postings.rows_with(grams.row(text)[: asked[text]]))
        others = others[sizes[others] >= least]
        texts, rows = set[int](), set[int]()
        for at in range(0, len(others), _AT_ONCE):
            some = others[at : at + _AT_ONCE]
            texts.update(some[grams.shared(text, some) >= least].tolist())
            rows = set[int]().union(*(rows_of[other] for other in texts))
            if len(rows) > ANSWER_ROWS:
                break
        else:
            found[text] = texts
    return found


def _least(value: npt.NDArray[np.floating[Any]]) -> _Numbers:
    """Return for each value the smallest integer that is not below it, within the rounding error."""
    least: _Numbers = np.ceil(value - _ROUNDING).astype(np.int64)
    return least


def _text(row: TrainingRow, part: Part) -> str:
    question = normalized(row.question)
    return question if part == "question" else f"{question}\n{normalized(row.answer)}"


def _codes(texts: Sequence[str], n: int) -> tuple[_Numbers, _Numbers]:
    """Return a number for each n-gram of each text (equal only for equal n-grams) and the index of the n-gram's text.

    No text may be shorter than `n`.
    """
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    is_used = np.bincount(points) > 0
    letters = (np.cumsum(is_used) - 1)[points]
    counts = np.array([len(text) - n + 1 for text in texts], np.int64)
    at = _ranges(np.cumsum(counts + n - 1) - counts - n + 1, counts)
    codes, base = letters[at], int(is_used.sum())
    bound = base
    for offset in range(1, n):
        if bound * base >= 2**63:
            codes, bound = _numbered(codes)
        codes, bound = codes * base + letters[at + offset], bound * base
    return codes, np.repeat(np.arange(len(texts)), counts)


def _numbered(values: _Numbers) -> tuple[_Numbers, int]:
    """Return the rank of each value among the distinct values, and the number of distinct values.

    It is ten times as fast as `numpy.unique`.
    """
    order = np.argsort(values)
    ordered = values[order]
    is_new = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(values) else np.empty(0, bool)
    numbers = np.empty_like(values)
    numbers[order] = np.cumsum(is_new) - 1
    return numbers, int(is_new.sum())


def _set(values: _Numbers) -> _Numbers:
    """Return the distinct values, sorted."""
    ordered = np.sort(values)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if len(values) else values


def _ranges(starts: _Numbers, lengths: _Numbers) -> _Numbers:
    """Return the ranges starts[0], starts[0] + 1, … (lengths[0] numbers), starts[1], … as one array."""
    ends = np.cumsum(lengths)
    counted: _Numbers = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
    return counted
