"""Other words for what a question says: a list that comes with Kotae, and the user's own 用語集."""

import functools
import tomllib
from pathlib import Path

from app.core import text
from app.core.documents import terms
from app.core.errors import AppError
from app.core.paths import resources

WEIGHT = 0.6  # of a word that was not asked for, beside one that was
FILE = "documents/synonyms.toml"
OWN_BYTES_MAX = 4 << 20


def of_query(query: str, own: Path | None = None) -> dict[str, float]:
    """Terms of the words that mean the same as words of the query, with their weights (0 to WEIGHT).

    Longer words weigh no more in all than short ones. Raises as `glossary`.
    """
    folded = text.fold(query)
    weights: dict[str, float] = {}
    for word, others in {**_shipped(), **(glossary(own) if own else {})}.items():
        if word not in folded:
            continue
        for other in others:
            found = [term for term in terms.of_text(other) if len(term) > 1] or terms.of_text(other)
            for term in found:
                weights[term] = max(weights.get(term, 0.0), WEIGHT / len(found) ** 0.5)
    return weights


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
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise AppError("glossary_unreadable", path=str(path), reason=str(error)) from error
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        words = [text.fold(word.strip()) for word in line.replace("\t", ",").replace("、", ",").split(",")]
        words = [word for word in words if word and not word.startswith("#")]
        for word in words:
            found[word] = (*found.get(word, ()), *(other for other in words if other != word))
    return {word: others for word, others in found.items() if others}


@functools.cache
def _shipped() -> dict[str, tuple[str, ...]]:
    listed = tomllib.loads((resources() / FILE).read_text("utf-8"))["words"]
    return {text.fold(word): tuple(others) for word, others in listed.items()}
