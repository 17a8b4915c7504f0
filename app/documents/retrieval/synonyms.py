"""Other words for what a question says: a list that comes with Kotae, and the user's own 用語集."""

import functools
import re
import tomllib
from pathlib import Path

from app.base import search_text
from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.base.paths import resources
from app.documents import encodings, terms

FILE = "documents/synonyms.toml"
OWN_BYTES_MAX = 4 << 20
_KANJI = "[\u3005\u3400-\u4dbf\u4e00-\u9fff]"


def of_query(query: str, own: Path | None = None) -> list[list[dict[str, float]]]:
    """For each listed word of the query, the other words that mean the same: the terms of each, with their weights.

    Longer words weigh not much more in all than short ones. Raises as `glossary`.
    """
    return [[dict.fromkeys(listed, 1 / len(listed) ** 0.5) for listed in others] for _, others in by_word(query, own)]


def by_word(query: str, own: Path | None = None) -> list[tuple[str, list[list[str]]]]:
    """Each listed word of the query with the terms of each other word that means the same. Raises as `glossary`."""
    folded = search_text.fold(query)
    found = []
    for word, others in (*_shipped().items(), *(glossary(own) if own else {}).items()):
        if word in folded and _stands_alone(word, folded):
            new = [terms.of_text(other) for other in others if other not in folded]
            pairs = [[term for term in listed if len(term) > 1] or listed for listed in new]
            found.append((word, [listed for listed in pairs if listed]))
    return found


def _stands_alone(word: str, folded: str) -> bool:
    """Whether a single kanji is a word there, and no part of one: 草の, and not 海草."""
    if not re.fullmatch(_KANJI, word):
        return True
    return re.search(f"(?<!{_KANJI}){word}(?!{_KANJI})", folded) is not None


def glossary(path: Path) -> dict[str, tuple[str, ...]]:
    """The user's list: one line of a text file holds words that mean the same, separated by commas or tabs.

    {} where there is none. Raises AppError("glossary_unreadable").
    """
    try:
        stamp = path.stat()
    except OSError:
        return {}
    return _glossary(path, stamp.st_mtime_ns, stamp.st_size)


@functools.lru_cache(maxsize=4)
def _glossary(path: Path, _modified_ns: int, size: int) -> dict[str, tuple[str, ...]]:
    try:
        if size > OWN_BYTES_MAX:
            raise ValueError("too large")
        data = read_regular(path, OWN_BYTES_MAX)
        codec = encodings.detect(data)
        if data and not codec:
            raise ValueError("not a text")
        lines = encodings.decode(data, codec or "utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise AppError("glossary_unreadable", path=str(path), reason=str(error)) from error
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        words = [search_text.fold(word.strip()) for word in line.replace("\t", ",").replace("、", ",").split(",")]
        words = [word for word in words if word and not word.startswith("#")]
        for word in words:
            found[word] = (*found.get(word, ()), *(other for other in words if other != word))
    return {word: others for word, others in found.items() if others}


@functools.cache
def _shipped() -> dict[str, tuple[str, ...]]:
    listed = tomllib.loads((resources() / FILE).read_text("utf-8"))["words"]
    found: dict[str, tuple[str, ...]] = {}
    for words, others in listed.items():
        for word in search_text.fold(words).split():
            found[word] = (*found.get(word, ()), *search_text.fold(others).split())
    return found
