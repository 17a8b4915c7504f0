"""Mark the sentences of an answer whose numbers rest on uncertain text recognition (OCR), as sources repeat errors.

On 54 pages with 1,800 numbers, most of them poor scans, RapidOCR read 164 wrong: 80 % of those and 8 % of the right
ones are below CERTAIN_FROM, chosen on two typefaces; on the third 61 % and 10 %, on clean pages of 150 dpi 5 % of the
right ones. Tesseract is less certain, and 28 % of its numbers were wrong: all are marked.
"""

import dataclasses
from collections.abc import Sequence

from app.documents.grounding.answer_markup import CITED_MARK
from app.documents.grounding.grounding_record import CitedSource, Claim
from app.documents.records import Section
from app.documents.values import notation, quantities

CERTAIN_FROM = 95  # percent


def mark_uncertain(claim: Claim, sources: Sequence[Section | CitedSource]) -> Claim:
    """Return the claim, unsupported with the numbers as `missing` that its sources have from uncertain text only."""
    own = [sources[number - 1] for number in claim.sources]
    if all(source.recognized is None for source in own):
        return claim
    sentence = CITED_MARK.sub("", claim.sentence)
    found = [written for written in _numbers(sentence) if is_uncertain(written, own)]
    if not found:
        return claim
    missing = tuple(dict.fromkeys((*claim.missing, *found)))
    return dataclasses.replace(claim, is_supported=False, missing=missing)


def is_uncertain(written: str, sources: Sequence[Section | CitedSource]) -> bool:
    """Whether a value, such as 24 N/mm², is in some source from uncertain recognition, and in no other one."""
    certain = [_is_certain(written, source) for source in sources]
    return False in certain and True not in certain


def _is_certain(written: str, source: Section | CitedSource) -> bool | None:
    """Whether a source has the value for certain; None if the source lacks it."""
    own = {number for number, _, _ in notation.numbers_in(written)}
    there = {number for number, _, _ in notation.numbers_in("\n".join([*source.heading, source.text]))}
    if not own <= there:  # in another unit perhaps, or in kanji
        values = quantities.parse(written)
        same = [one for one in quantities.parse(source.text) if any(map(one.is_same, values))]
        own = {number for one in same for number, _, _ in notation.numbers_in(source.text[one.start : one.end])}
    if not own:
        return None
    lowest = dict(source.recognized or ())
    return all(lowest.get(number, 100) >= CERTAIN_FROM for number in own)


def _numbers(sentence: str) -> list[str]:
    """Return the values of a sentence as written, and its other numbers: of clauses, tables, dates."""
    values = quantities.parse(sentence)
    others = [
        sentence[start:end]
        for _, start, end in notation.numbers_in(sentence)
        if not any(start < value.end and value.start < end for value in values)
    ]
    return [*(sentence[value.start : value.end] for value in values), *others]
