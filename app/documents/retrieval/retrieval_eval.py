"""Whether passages hold the quotes that a right answer rests on: what finding and citing them is measured by."""

import math
import re
import unicodedata
from collections.abc import Sequence

SHARE = 0.5  # of a quote in one piece, where it goes beyond a passage's end
_SIGNS = re.compile(r"[\s|>*\\^]")  # Markdown's, which a quote may still have
_WAVES = re.compile("[〜～–]")


def normalized(text: str) -> str:
    return _WAVES.sub("~", _SIGNS.sub("", unicodedata.normalize("NFKC", text)))


def rank(texts: Sequence[str], quotes: Sequence[str]) -> int:
    """By which text, from 1, all quotes have been found; 0: not all are there. All normalized."""
    ranks = [next((at for at, text in enumerate(texts, 1) if holds(text, quote)), 0) for quote in quotes]
    return max(ranks, default=0) if all(ranks) else 0


def holds(text: str, quote: str) -> bool:
    """Whether a passage has the quote, or at least half of it in one piece. Both normalized."""
    if quote in text:
        return True
    length = max(1, math.ceil(len(quote) * SHARE))
    return any(quote[at : at + length] in text for at in range(len(quote) - length + 1))
