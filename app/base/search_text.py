"""Prepare Japanese text for searching: folded text, terms for the full-text index, and positions in the original.

With sqlite's own tokenizers a search does not find words inside a Japanese sentence (porter and unicode61), or only
words of at least three characters (trigram). So runs of Japanese are cut into overlapping pairs of characters: 橋脚の
gives 橋脚, 脚の, の.

Changing the terms requires a migration that builds the index again, because a contentless index deletes a message only
given exactly the terms that were inserted for it.
"""

import functools
import operator
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from app.base.lazy_pattern import lazy_pattern

_JAPANESE = (
    "\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
# A run of Japanese, a number, or a word of another script. So the query 13 finds D13, and 3.2 is 3 followed by 2.
_RUNS = lazy_pattern(rf"(?P<japanese>[{_JAPANESE}]+)|(?P<number>\d+)|[^\W\d_{_JAPANESE}]+")
_ANY_RUN = lazy_pattern(re.sub(r"\?P<\w+>", "?:", _RUNS.pattern))
_BEGINS_JAPANESE = lazy_pattern(f"[{_JAPANESE}]")
# Markdown's signs inside a sentence: a user who sees **かぶり**は without the signs searches for かぶりは.
_EMPHASIS = lazy_pattern(r"\*{2,}|`+")
_GAP = r"(?:[^\w\n]|_)"  # a sign between the runs of a word; the index ignores it, so 3.2.1 also matches 3-2-1
_JOINED = "\uff9e\uff9f"  # half-width voicing marks, which NFKC combines with the preceding character
# Characters that fold to one character each unless a combining mark follows. Most text consists of them.
_SIMPLE = lazy_pattern("[\0-)+-_a-\x7f\u3000-\u3098\u30a0-\u30fe\u4e00-\u9fff\uff01-\uff5e]+")
# Characters that NFKC may change, with the preceding character, with which they may combine. Applying NFKC only to
# these is ten times faster than to a whole text that has one full-width sign.
_UNSTABLE = lazy_pattern("[\\s\\S]?[^\0-\x7f\u3001\u3002\u3005-\u3035\u3041-\u3096\u30a1-\u30fe\u4e00-\u9fff]+")
_LINE_STARTS = lazy_pattern(r"^[ \t]*(?:[-*+>]|#{1,6}|\|?(?:[ \t]*:?-{3,}:?[ \t]*\|)+|\d{1,9}\.)(?=\s|$)", re.MULTILINE)


class Snippet(Struct, frozen=True):
    """A line of a text around a search hit. `marks`: start and end index in `text` of each of the query's words."""

    text: str
    marks: tuple[tuple[int, int], ...]


def fold(text: str) -> str:
    """Return the text in NFKC, case-folded, without Markdown's emphasis and code: ㌢ and センチ are equal."""
    if "**" in text or "`" in text:
        text = _EMPHASIS.sub("", text)
    return normalize_nfkc(text).casefold()


def normalize_nfkc(text: str) -> str:
    """Return the NFKC form, faster than `unicodedata` for Japanese text."""
    return text if unicodedata.is_normalized("NFKC", text) else _UNSTABLE.sub(_normalized, text)


def _normalized(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0])


def index_terms(text: str) -> list[str]:
    """Return the terms for the full-text index in order; the last character of a Japanese run is one, too."""
    return terms_of_runs(index_runs(text))


def index_runs(text: str) -> list[str]:
    """Return the runs of a text, folded, of which `terms_of_runs` makes its terms."""
    return _ANY_RUN.findall(fold(text))


def terms_of_runs(runs: Iterable[str]) -> list[str]:
    """Return the terms of runs: the pairs of characters and the last one of Japanese, and other runs whole."""
    terms: list[str] = []
    for run in runs:
        if is_japanese_run(run):
            terms += map(operator.add, run, run[1:])
            terms.append(run[-1])
        else:
            terms.append(run)
    return terms


def is_japanese_run(run: str) -> bool:
    return _BEGINS_JAPANESE.match(run) is not None


def split_query(query: str) -> list[str]:
    """Return the folded words of a query, separated by any spaces, without those that lack letters and digits."""
    return [word for word in fold(query).split() if _RUNS.search(word)]


def match_expression(query: str) -> str:
    """Return an FTS5 expression by which all words must occur, each as a phrase with an open end; "" for no words."""
    return " AND ".join(_phrase(word) for word in split_query(query))


def _phrase(word: str) -> str:
    """Return a word as an FTS5 phrase. Its terms consist of letters and digits, so quotes are enough to escape them."""
    terms = index_terms(word)
    last = list(_RUNS.finditer(word))[-1]
    if last.lastgroup == "japanese" and len(last.group()) > 1:
        terms.pop()  # the run may continue in the text
    return '"' + " ".join(terms) + '" *'


@functools.lru_cache(maxsize=64)
def compile_pattern(query_words: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for any of the words in folded text, which prefers the longest at each place."""
    return re.compile("|".join(map(_loose, sorted(set(query_words), key=len, reverse=True))))


def count_occurrences(folded: str, query_words: Sequence[str]) -> int:
    """Return the number of places that `find_occurrences` finds. `folded`: the text, folded by `fold`."""
    return len(compile_pattern(tuple(query_words)).findall(folded)) if query_words else 0


def find_occurrences(text: str, query_words: Sequence[str]) -> list[tuple[int, int]]:
    """Return (start, end) of the places of the words from `split_query` in `text`, in order, without overlaps."""
    if not query_words or not compile_pattern(tuple(query_words)).search(fold(text)):
        return []
    folded, origin = _folded_with_origin(text)
    places: list[tuple[int, int]] = []
    for hit in compile_pattern(tuple(query_words)).finditer(folded):
        first, last = origin[hit.start()], origin[hit.end()]
        if not places or first >= places[-1][1]:
            places.append((first, max(last, first + 1)))
    return places


def _loose(word: str) -> str:
    """Return a regular expression for what the index finds by a word; one without letters and digits matches itself."""
    expression, before = "", _RUNS.search(word)
    if before is None:
        return re.escape(word)
    for run in _RUNS.finditer(word):
        least = 1 if run.lastgroup == before.lastgroup else 0  # 3.2 is not 32
        expression += (_GAP + f"{{{least},3}}" if expression else "") + re.escape(run.group())
        before = run
    return expression


def make_snippet(text: str, query_words: Sequence[str], before: int = 16, length: int = 120) -> Snippet:
    """Return a line of `length` characters around the first hit, about `before` characters in, with … for the rest."""
    line = " ".join(_EMPHASIS.sub("", _LINE_STARTS.sub("", text)).replace("|", " ").split())
    places = find_occurrences(line, query_words)
    start = _snippet_start(line, places[0][0], before) if places else 0
    end = min(len(line), start + length)
    head, tail = "…" if start > 0 else "", "…" if end < len(line) else ""
    marks = tuple(
        (first - start + len(head), min(last, end) - start + len(head)) for first, last in places if first < end
    )
    return Snippet(head + line[start:end] + tail, marks)


def _snippet_start(line: str, hit: int, before: int) -> int:
    """Return an index about `before` characters before `hit`, which is not inside a word of Latin letters."""
    if hit <= before + before // 2:
        return 0
    start = hit - before
    space = line.find(" ", start, hit)
    is_inside_word = line[start - 1].isascii() and line[start].isascii() and line[start] != " "
    return space + 1 if is_inside_word and space >= 0 else start


def _folded_with_origin(text: str) -> tuple[str, list[int]]:
    """Return the folded text, and the index in `text` for each of its characters and for its end."""
    pieces: list[str] = []
    origin: list[int] = []
    for start, end in _foldable_spans(text):
        piece = fold(text[start:end])
        pieces.append(piece)
        is_simple = len(piece) == end - start
        origin += range(start, end) if is_simple else [start] * len(piece)
    origin.append(len(text))
    return "".join(pieces), origin


def _foldable_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of pieces to fold by themselves: plain runs, Markdown's signs, a character with its marks."""
    at = 0
    while at < len(text):
        match = _EMPHASIS.match(text, at) or _SIMPLE.match(text, at)
        end = match.end() if match else at + 1
        while end < len(text) and _is_mark(text[end]):
            end += 1
        if match and end > match.end() > at + 1:
            yield at, match.end() - 1
            at = match.end() - 1
        yield at, end
        at = end


def _is_mark(character: str) -> bool:
    """Return whether NFKC may join the character to the preceding one."""
    return bool(unicodedata.combining(character)) or character in _JOINED
