"""What the check of an answer against its documents has found, in sentences for files and the command line."""

import re
from collections.abc import Iterable

from app.base.wording import phrase
from app.documents.grounding.grounding import Claim, Grounding
from app.documents.values import numerals, quantities


def lines(grounding: Grounding) -> list[str]:
    """Nothing where the documents do not have the answer and nothing else is said."""
    claims = grounding.claims
    if grounding.is_excerpt:
        return [phrase("common.excerpts")]
    doubts = [
        phrase(
            f"documents.unsupported{manner(grounding, [claim])}",
            n=number,
            claims=len(claims),
            sentence=claim.sentence,
            missing=phrase("common.batch_gap").join(claim.missing),
        )
        for number, claim in enumerate(claims, start=1)
        if not claim.is_supported
    ]
    if grounding.verdict != "answered":
        return doubts
    return [*(doubts or agreement(grounding)), *left_out(grounding)]


def agreement(grounding: Grounding) -> list[str]:
    """That what was compared is as in the sources, and no more than that."""
    return [phrase("documents.all_supported", claims=len(grounding.claims))] if grounding.claims else []


def left_out(grounding: Grounding) -> list[str]:
    """How many sentences say something that could not be compared."""
    return [phrase("documents.unchecked", n=grounding.unchecked)] if grounding.unchecked else []


def manner(grounding: Grounding, claims: Iterable[Claim]) -> str:
    """How the key of a sentence on their missing values ends: _missing | _differing | "", they have none.

    _differing: a source that its claim is tied to has one of the values as it is written, said of something else.
    """
    found = [(value, claim) for claim in claims for value in claim.missing]
    if any(_stands(value, grounding.sources[number - 1].text) for value, claim in found for number in claim.sources):
        return "_differing"
    return "_missing" if found else ""


def _stands(value: str, text: str) -> bool:
    """Without its bound (以上), and by itself: 5 mm is not in 25 mm, nor 5 m in 5 mm; of words, their kanji."""
    number = next(iter(quantities.parse(value)), None)
    if number is None and not re.search(r"\d", value):
        return all(character in text for character in re.findall("[ァ-ヺ一-鿿]", value))
    bare = value[number.start : number.end] if number else value
    pieces = re.findall(r"\d+|[^\d\s]", numerals.flatten(bare)[0])
    wanted = r"\s*".join(map(re.escape, pieces))
    pattern = rf"(?<![\da-z.])(?<!\d,){wanted}(?![\da-z]|[.,]\d)"
    return re.search(pattern, numerals.flatten(text)[0], re.IGNORECASE) is not None
