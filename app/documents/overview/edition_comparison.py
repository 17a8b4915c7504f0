"""Compare two editions of a document clause by clause: what was added, removed, changed, renumbered and moved.

Clauses are paired by their text, else by heading and text, else by the likeness of their texts, in which digits do not
count. Of changed ones the sentences are compared, and of these the values, not the ways to write them.
"""

import difflib
import itertools
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.base.lazy_pattern import lazy_pattern
from app.base.wording import phrase
from app.documents.grounding import sentences
from app.documents.overview.result_table import (
    Column,
    LinePair,
    Mark,
    Piece,
    ResultRow,
    ResultTable,
    clause_of,
    place_of,
    plain,
)
from app.documents.reading import headings
from app.documents.values import notation, quantities
from app.documents.whole_document import PAUSE_S, WholeDocument

T = TypeVar("T")
GROUPS = ("number", "changed", "added", "removed", "moved")
COLUMNS = (
    Column("change", share=2), Column("old_clause", "clause", 4), Column("old_page", "number"),
    Column("new_clause", "clause", 4), Column("new_page", "number"), Column("numbers", "clause", 5),
    Column("old_text", "text"), Column("new_text", "text"),
)  # fmt: skip
_ALIKE_SENTENCE = 0.4
_SENTENCES_COMPARED = 40_000  # sentences × sentences of one part that differs; those of a larger one are replaced
_TOKENS_COMPARED = 4_000_000  # tokens × tokens of two sentences
_WORD = lazy_pattern(r"\d+(?:\.\d+)*|[A-Za-z]+|\s+|.", re.DOTALL)
_LISTED = lazy_pattern(r"\(?\d{1,2}(?:[.)、]|\s)(?!\d)")  # the number of an entry of a list
_NAMES_PART = lazy_pattern(r"(?:[表図式録]\s?[\d.-]+|\d+(?:[.-]\d+){2,}|\(\d+)$")
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


@dataclass(frozen=True, slots=True)
class NumberChange:
    """A value that differs, as written in both editions; "": it is not in one. `names_part`: it names a clause, table
    or figure."""

    old: str
    new: str
    names_part: bool = False


@dataclass(frozen=True, slots=True)
class ComparedLine:
    """Sentences side by side, and the values that differ between them."""

    pair: LinePair
    numbers: tuple[NumberChange, ...] = ()

    @property
    def differs(self) -> bool:
        return plain(self.pair.old) != plain(self.pair.new)


def compare(
    old: WholeDocument, new: WholeDocument, report: Callable[[int, int], None] = lambda _done, _total: None
) -> ResultTable:
    """Return the differences as a table, in the order of the new edition; removed clauses follow the one before them.

    `report` is called with what is done and the total, and may raise to cancel the work.
    """
    ours, theirs = clauses(old), clauses(new)
    pairs = pair_clauses(ours, theirs, report)
    moved = find_moved(pairs)
    rows: dict[tuple[int, int], ResultRow | None] = {}  # by the new clause, and the removed one after it
    last = -1
    for at, clause in enumerate(ours):
        last = pairs.get(at, last)
        if at not in pairs:
            rows[last, at + 1] = _one_sided(old, clause, "removed")
    partner = {after: before for before, after in pairs.items()}
    for at, clause in enumerate(theirs):
        report(len(ours) + at, len(ours) + len(theirs))
        if at % 20 == 0:
            time.sleep(PAUSE_S)
        before = partner.get(at)
        if before is None:
            rows[at, 0] = _one_sided(new, clause, "added")
        else:
            rows[at, 0] = _compared(old, new, ours[before], clause, is_moved=before in moved)
    report(len(ours) + len(theirs), len(ours) + len(theirs))
    found = [row for _, row in sorted(rows.items(), key=lambda one: one[0]) if row]
    return _table(old, new, found, len(rows) - len(found))


# ----------------------------------------------------------------------- comparing


def _compared(
    old: WholeDocument, new: WholeDocument, before: Clause, after: Clause, *, is_moved: bool
) -> ResultRow | None:
    """Return the row of two clauses that belong together; None if nothing differs."""
    is_renamed = before.title and after.title and before.title != after.title
    lines = [_aligned(before.title, after.title)] if is_renamed else []
    if plain_text(before.text) != plain_text(after.text):
        lines += compare_texts(before.text, after.text)
    changes = [change for line in lines for change in line.numbers]
    is_renumbered = before.number != after.number
    kinds = ["number"] if any(not one.names_part for one in changes) else ["changed"] if lines else []
    kinds += ["moved"] if is_moved else []
    if not kinds and not is_renumbered:
        return None
    gap = phrase("common.batch_gap")
    words = [phrase(f"documents.difference.{kind}") for kind in [*kinds, *(["renumbered"] if is_renumbered else [])]]
    none = phrase("documents.no_value")
    numbers = gap.join(phrase("documents.old_to_new", old=one.old or none, new=one.new or none) for one in changes)
    shown = _shortened(lines)
    sides = [one.old for one in shown], [one.new for one in shown]
    texts = ("\n".join(filter(None, map(plain, side))) for side in sides)
    return ResultRow(
        (gap.join(words), *_clause(old, before), *_clause(new, after), numbers, *texts),
        kinds[0] if kinds else "moved", _place(new, after), _place(old, before), shown,
    )  # fmt: skip


def _one_sided(document: WholeDocument, clause: Clause, group: str) -> ResultRow:
    """Return the row of a clause that only one edition has."""
    change, found, place = phrase(f"documents.difference.{group}"), _clause(document, clause), _place(document, clause)
    pieces: tuple[Piece, ...] = ((clause.text, "changed"),)
    if group == "removed":
        cells = (change, *found, "", "", "", clause.text, "")
        return ResultRow(cells, group, old_place=place, lines=(LinePair(old=pieces),))
    return ResultRow((change, "", "", *found, "", "", clause.text), group, place, lines=(LinePair(new=pieces),))


def _clause(document: WholeDocument, clause: Clause) -> tuple[str, int | str]:
    row = clause.rows.start
    return clause_of(document, row), document.sections[row].page or ""


def _place(document: WholeDocument, clause: Clause) -> tuple[int, int]:
    return place_of(document, clause.rows.start)


_LEFT_OUT = LinePair((("…", ""),), (("…", ""),))


def _shortened(lines: Sequence[ComparedLine]) -> tuple[LinePair, ...]:
    """Return the lines that differ, with … for the equal ones between them."""
    found: list[LinePair] = []
    for line in lines:
        if line.differs:
            found.append(line.pair)
        elif not found or found[-1] is not _LEFT_OUT:
            found.append(_LEFT_OUT)
    return tuple(found)


def compare_texts(old: str, new: str) -> list[ComparedLine]:
    """Return the sentences of two texts side by side, with marks on what differs."""
    ours, theirs = _sentences(old), _sentences(new)
    found: list[ComparedLine] = []
    for is_equal, a, b, c, d in _runs(ours, theirs, plain_text):
        if is_equal:
            found += [ComparedLine(LinePair(((one, ""),), ((one, ""),))) for one in theirs[c:d]]
            continue
        for is_alike, e, f, g, h in _runs(ours[a:b], theirs[c:d], lambda one: DIGITS.sub("0", plain_text(one))):
            if is_alike:
                found += map(_aligned, ours[a + e : a + f], theirs[c + g : c + h])
            else:
                found += _replaced(ours[a + e : a + f], theirs[c + g : c + h])
    return found


def _sentences(text: str) -> list[str]:
    """Return the sentences, with the number or sign of their list, and the lines that are none, in order."""
    found: list[str] = []
    at = 0
    for one in sentences.split_for_comparison(text):
        start = max(at, text.rfind("\n", 0, one.start) + 1)
        found += [*text[at:start].split("\n"), text[start : one.end]]
        at = one.end
    return list(filter(None, map(str.strip, [*found, *text[at:].split("\n")])))


def _runs(
    ours: Sequence[T], theirs: Sequence[T], key: Callable[[T], object]
) -> Iterator[tuple[bool, int, int, int, int]]:
    """Yield runs of both sides: whether their keys are equal, and the first and last index of each side."""
    matcher = difflib.SequenceMatcher(None, list(map(key, ours)), list(map(key, theirs)), autojunk=False)
    yield from ((kind == "equal", a, b, c, d) for kind, a, b, c, d in matcher.get_opcodes())


def _replaced(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[ComparedLine]:
    """Yield the sentences of a part that differs; those that are alike stand in one line."""
    at = other = 0
    for index, partner in (*_alike(ours, theirs), (len(ours), len(theirs))):
        yield from (ComparedLine(LinePair(old=((one, "changed"),))) for one in ours[at:index])
        yield from (ComparedLine(LinePair(new=((one, "changed"),))) for one in theirs[other:partner])
        if index < len(ours):
            yield _aligned(ours[index], theirs[partner])
        at, other = index + 1, partner + 1


def _alike(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Return the indices of sentences that belong together, in order; those that are most alike are paired first."""
    if len(ours) * len(theirs) > _SENTENCES_COMPARED:
        return []
    grams = [[count_pairs(plain_text(one)) for one in side] for side in (ours, theirs)]
    scored = [(-share(one, other), a, b) for a, one in enumerate(grams[0]) for b, other in enumerate(grams[1])]
    found: list[tuple[int, int]] = []
    for likeness, a, b in sorted(scored):
        if -likeness >= _ALIKE_SENTENCE and all((a - x) * (b - y) > 0 for x, y in found):
            found.append((a, b))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class _Token:
    """A value, a word or a character. `key`: equal for the same value in another notation."""

    key: object
    start: int
    end: int
    is_value: bool = False
    names_part: bool = False


def _tokens(text: str) -> list[_Token]:
    """Return the words of a text. Values, dates and other numbers, such as those of clauses, are one token each."""
    values = _values(text)
    flat, origin = notation.flatten(text)
    listed = _LISTED.match(flat)
    found: list[_Token] = []
    at = 0
    for one in _WORD.finditer(flat):
        start, end = origin(one.start()), origin(one.end())
        while at < len(values) and values[at].end <= start:
            at += 1
        if at < len(values) and values[at].start < end:
            if not found or found[-1] is not values[at]:
                found.append(values[at])
        elif one[0][0].isdigit():
            names_part = (listed and one.end() <= listed.end()) or _NAMES_PART.search(flat, 0, one.end())
            found.append(_Token(one[0], start, end, True, bool(names_part)))
        elif not one[0].isspace():
            found.append(_Token(one[0], start, end))
    return found


def _values(text: str) -> list[_Token]:
    """Return the values of a text with their bounds, and its dates."""
    found = [
        _Token((round(one.value, 9), one.unit, one.bound, one.per, one.step > 0), one.start, one.bound_end, True,
               one.names_part)
        for one in quantities.parse(text)
    ]  # fmt: skip
    found += [_Token((one.year, one.month, one.day), one.start, one.end, True) for one in notation.parse_dates(text)]
    kept: list[_Token] = []
    for one in sorted(found, key=lambda one: one.start):
        if not kept or kept[-1].end <= one.start:
            kept.append(one)
    return kept


def _aligned(old: str, new: str) -> ComparedLine:
    """Return two sentences as one line, in which changed words and numbers are marked."""
    tokens = _tokens(old), _tokens(new)
    marked: tuple[list[tuple[int, int, Mark]], ...] = ([], [])
    numbers: list[NumberChange] = []
    runs: Iterable[tuple[bool, int, int, int, int]] = [(False, 0, len(tokens[0]), 0, len(tokens[1]))]
    if len(tokens[0]) * len(tokens[1]) <= _TOKENS_COMPARED:
        runs = _runs(*tokens, lambda one: one.key)
    for is_equal, a, b, c, d in runs:
        if is_equal:
            continue
        pieces = tokens[0][a:b], tokens[1][c:d]
        same: set[_Token] = set()
        for pair in itertools.zip_longest(*([one for one in piece if one.is_value] for piece in pieces)):
            written = [text[one.start : one.end] if one else "" for one, text in zip(pair, (old, new), strict=True)]
            if plain_text(written[0]) == plain_text(written[1]):  # words around it give it another base or unit
                same.update(one for one in pair if one)
            else:
                numbers.append(NumberChange(written[0], written[1], all(one.names_part for one in pair if one)))
        for side, piece in enumerate(pieces):
            marked[side].extend(
                (one.start, one.end, "number" if one.is_value else "changed") for one in piece if one not in same
            )
    return ComparedLine(LinePair(_pieces(old, marked[0]), _pieces(new, marked[1])), tuple(numbers))


def _pieces(text: str, marked: Iterable[tuple[int, int, Mark]]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    at = 0
    for start, end, mark in marked:
        if pieces and mark == "changed" == pieces[-1][1] and not text[at:start].strip():
            pieces[-1] = (pieces[-1][0] + text[at:end], mark)
        else:
            pieces += [(text[at:start], ""), (text[start:end], mark)]
        at = end
    return tuple(piece for piece in (*pieces, (text[at:], "")) if piece[0])


def _table(old: WholeDocument, new: WholeDocument, rows: Sequence[ResultRow], unchanged: int) -> ResultTable:
    counts = Counter(row.group for row in rows)
    counted = phrase("common.data_gap").join(
        f"{phrase(f'documents.difference.{group}')} {counts[group]:,}" for group in GROUPS if counts[group]
    )
    key = "documents.differences" if rows else "documents.no_differences"
    fact = phrase(key, counted=counted, unchanged=f"{unchanged:,}")
    ids = tuple(one.document.id for one in (old, new) if one.document)
    title = phrase("documents.old_to_new", old=old.name, new=new.name)
    return ResultTable("comparison", title, COLUMNS, tuple(rows), (fact,), ids, GROUPS)


# ------------------------------------------------------------------------- pairing


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
