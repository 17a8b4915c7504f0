"""Japanese text for searching: folded forms, terms for the full-text index, and where a word stands in the original.

sqlite's own tokenizers find no two-character word inside a Japanese sentence (porter and unicode61) or only words of
three and more (trigram). So runs of Japanese are cut into overlapping pairs of characters: 橋脚の is 橋脚, 脚の, の.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_JAPANESE = (
    "\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
# A run of Japanese, a number, or a word of another script; 13 can be found in D13, and 3.2 is 3 next to 2.
_RUNS = re.compile(rf"(?P<japanese>[{_JAPANESE}]+)|\d+|[^\W\d_{_JAPANESE}]+")
_JOINED = "\uff9e\uff9f"  # half-width voicing marks, which NFKC joins with the letter before


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a text around a word that was found; `marks` are the places (start, end) of words in it."""

    text: str
    marks: tuple[tuple[int, int], ...]


def fold(text: str) -> str:
    """Letters that people take for the same: full and half width, capitals, ㌢ and センチ (NFKC and case folding)."""
    return unicodedata.normalize("NFKC", text).casefold()


def terms(text: str) -> list[str]:
    """The index terms of a text, in order. The last character of a run is a term too, so that 橋 alone is found."""
    found: list[str] = []
    for run in _RUNS.finditer(fold(text)):
        word = run.group()
        if run.lastgroup == "japanese":
            found += [word[at : at + 2] for at in range(len(word))]
        else:
            found.append(word)
    return found


def words(query: str) -> list[str]:
    """The words of a query, folded; spaces of any width separate them. Words without a letter or digit are left out."""
    return [word for word in fold(query).split() if _RUNS.search(word)]


def match_expression(query: str) -> str:
    """The query for FTS5: each word a phrase whose last term may go on; all must occur. "" when nothing is sought."""
    return " AND ".join(_phrase(word) for word in words(query))


def _phrase(word: str) -> str:
    """Terms hold letters and digits only, so quotes are enough for whatever was typed."""
    wanted = terms(word)
    last = list(_RUNS.finditer(word))[-1]
    if last.lastgroup == "japanese" and len(last.group()) > 1:
        wanted.pop()  # the run may go on in the text
    return '"' + " ".join(wanted) + '" *'


def occurrences(text: str, query_words: Sequence[str]) -> list[tuple[int, int]]:
    """Where the folded `query_words` stand in `text`: (start, end) in the original's characters, without overlaps."""
    folded, origin = _folded_with_origin(text)
    found = sorted(
        (hit.start(), hit.end()) for word in set(query_words) for hit in re.finditer(re.escape(word), folded)
    )
    places: list[tuple[int, int]] = []
    for start, end in found:
        first, last = origin[start], origin[end]
        if not places or first >= places[-1][1]:
            places.append((first, max(last, first + 1)))
    return places


def snippet(text: str, query_words: Sequence[str], before: int = 16, length: int = 80) -> Snippet:
    """One line of about `length` characters around the first word found, with … where text is left out."""
    line = re.sub(r"\s+", " ", text).strip()
    places = occurrences(line, query_words)
    start = max(0, places[0][0] - before) if places else 0
    end = min(len(line), start + length)
    head, tail = "…" if start > 0 else "", "…" if end < len(line) else ""
    marks = tuple(
        (first - start + len(head), min(last, end) - start + len(head)) for first, last in places if first < end
    )
    return Snippet(head + line[start:end] + tail, marks)


def _folded_with_origin(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters (and its end) the place in the original it came from."""
    if text.isascii():
        return text.casefold(), list(range(len(text) + 1))
    pieces: list[str] = []
    origin: list[int] = []
    for start, cluster in _clusters(text):
        piece = fold(cluster)
        pieces.append(piece)
        origin += [start] * len(piece)
    origin.append(len(text))
    return "".join(pieces), origin


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """Characters with the marks that NFKC may join to them."""
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not (unicodedata.combining(text[at]) or text[at] in _JOINED):
            yield start, text[start:at]
            start = at
