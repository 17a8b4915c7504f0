"""Japanese text for searching: folded forms, terms for the full-text index, and where a word stands in the original.

sqlite's own tokenizers find no two-character word inside a Japanese sentence (porter and unicode61) or only words of
three and more (trigram). So runs of Japanese are cut into overlapping pairs of characters: 橋脚の is 橋脚, 脚の, の.

Whatever changes the terms of a text needs a migration that makes the index anew: a contentless index forgets a
message only when it is told the very terms that were put into it.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_JAPANESE = (
    "\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
# A run of Japanese, a number, or a word of another script; 13 can be found in D13, and 3.2 is 3 next to 2.
_RUNS = re.compile(rf"(?P<japanese>[{_JAPANESE}]+)|(?P<number>\d+)|[^\W\d_{_JAPANESE}]+")
# Markdown's signs inside a sentence: who reads **かぶり**は on the screen looks for かぶりは.
_EMPHASIS = re.compile(r"\*{2,}|`+")
_GAP = r"(?:[^\w\n]|_)"  # between the runs of a word, as the index sees it: 3.2.1 is also 3-2-1
_JOINED = "\uff9e\uff9f"  # half-width voicing marks, which NFKC joins with the letter before
# Characters that fold to one character each, unless a mark follows; text is mostly made of them.
_SIMPLE = re.compile("[\0-)+-_a-\x7f\u3000-\u3098\u30a0-\u30fe\u4e00-\u9fff\uff01-\uff5e]+")
# What NFKC may change, with the character before, which it may change with it. One full-width sign in a text, and NFKC
# would take ten times as long for all of it.
_UNSTABLE = re.compile("[\\s\\S]?[^\0-\x7f\u3001\u3002\u3005-\u3035\u3041-\u3096\u30a1-\u30fe\u4e00-\u9fff]+")
_LINE_STARTS = re.compile(r"^[ \t]*(?:[-*+>]|#{1,6}|\|?(?:[ \t]*:?-{3,}:?[ \t]*\|)+|\d{1,9}\.)(?=\s|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a text around a word that was found; `marks` are the places (start, end) of words in it."""

    text: str
    marks: tuple[tuple[int, int], ...]


def fold(text: str) -> str:
    """Letters that people take for the same: full and half width, capitals, ㌢ and センチ (NFKC and case folding).

    Signs of emphasis and code are left out.
    """
    if "**" in text or "`" in text:
        text = _EMPHASIS.sub("", text)
    return normalize_nfkc(text).casefold()


def normalize_nfkc(text: str) -> str:
    """NFKC of Japanese text, most of which it leaves as it is, in a fraction of the time."""
    return text if unicodedata.is_normalized("NFKC", text) else _UNSTABLE.sub(_normalized, text)


def _normalized(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0])


def index_terms(text: str) -> list[str]:
    """The index terms of a text, in order. The last character of a run is a term too, so that 橋 alone is found."""
    found: list[str] = []
    for run in _RUNS.finditer(fold(text)):
        word = run.group()
        if run.lastgroup == "japanese":
            found += [word[at : at + 2] for at in range(len(word))]
        else:
            found.append(word)
    return found


def split_query(query: str) -> list[str]:
    """The words of a query, folded; spaces of any width separate them. Words without a letter or digit are left out."""
    return [word for word in fold(query).split() if _RUNS.search(word)]


def match_expression(query: str) -> str:
    """The query for FTS5: each word a phrase whose last term may go on; all must occur. "" when nothing is sought."""
    return " AND ".join(_phrase(word) for word in split_query(query))


def _phrase(word: str) -> str:
    """Terms hold letters and digits only, so quotes are enough for whatever was typed."""
    wanted = index_terms(word)
    last = list(_RUNS.finditer(word))[-1]
    if last.lastgroup == "japanese" and len(last.group()) > 1:
        wanted.pop()  # the run may go on in the text
    return '"' + " ".join(wanted) + '" *'


@functools.lru_cache(maxsize=64)
def compile_pattern(query_words: tuple[str, ...]) -> re.Pattern[str]:
    """Finds any of the words in folded text; the longest where several begin."""
    return re.compile("|".join(map(_loose, sorted(set(query_words), key=len, reverse=True))))


def count_occurrences(folded: str, query_words: Sequence[str]) -> int:
    """How many places `occurrences` finds in the text that was folded to this."""
    return len(compile_pattern(tuple(query_words)).findall(folded)) if query_words else 0


def find_occurrences(text: str, query_words: Sequence[str]) -> list[tuple[int, int]]:
    """Where `query_words` stand in `text`: (start, end) in the original's characters, in order, without overlaps."""
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
    """A regular expression for what the index finds by this word; a word of signs only is taken as it is."""
    expression, before = "", _RUNS.search(word)
    if before is None:
        return re.escape(word)
    for run in _RUNS.finditer(word):
        least = 1 if run.lastgroup == before.lastgroup else 0  # 3.2 is not 32
        expression += (_GAP + f"{{{least},3}}" if expression else "") + re.escape(run.group())
        before = run
    return expression


def make_snippet(text: str, query_words: Sequence[str], before: int = 16, length: int = 120) -> Snippet:
    """One line of about `length` characters around the first word found, with … where text is left out."""
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
    """About `before` characters before the hit, not inside a word that is written with spaces around it."""
    if hit <= before + before // 2:
        return 0
    start = hit - before
    space = line.find(" ", start, hit)
    is_inside_word = line[start - 1].isascii() and line[start].isascii() and line[start] != " "
    return space + 1 if is_inside_word and space >= 0 else start


def _folded_with_origin(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters (and its end) the place in the original it came from."""
    pieces: list[str] = []
    origin: list[int] = []
    for start, end in _pieces(text):
        piece = fold(text[start:end])
        pieces.append(piece)
        is_simple = len(piece) == end - start
        origin += range(start, end) if is_simple else [start] * len(piece)
    origin.append(len(text))
    return "".join(pieces), origin


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Runs of characters that fold one to one; between them signs of emphasis, and characters with their marks."""
    at = 0
    while at < len(text):
        found = _EMPHASIS.match(text, at) or _SIMPLE.match(text, at)
        end = found.end() if found else at + 1
        while end < len(text) and _is_mark(text[end]):
            end += 1
        if found and end > found.end() > at + 1:
            yield at, found.end() - 1
            at = found.end() - 1
        yield at, end
        at = end


def _is_mark(character: str) -> bool:
    """Whether NFKC may join it to the character before."""
    return bool(unicodedata.combining(character)) or character in _JOINED
