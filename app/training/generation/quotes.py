"""Which words of a passage may be an answer's evidence: its sentences and rows, alone or two on a line together."""

import itertools

from app.documents.grounding import sentences, source_citations
from app.documents.grounding.sentences import Sentence
from app.documents.records import Passage
from app.training.data.duplicates import normalized
from app.training.generation import words

QUOTE_MIN, QUOTE_MAX = 15, 300  # characters, of the first without blanks


def alternatives(passage: Passage) -> list[str]:
    """Verbatim pieces of the passage's text, in its order, each once; none goes over the end of a line."""
    text = passage.section.text
    found = _quotable(passage)
    places = [(one.start, one.end) for one in found]
    for one, following in itertools.pairwise(found):
        if one.kind == following.kind == "text" and "\n" not in text[one.end : following.start]:
            places.append((one.start, following.end))
    pieces = (text[start:end] for start, end in sorted(places))
    return list(
        dict.fromkeys(piece for piece in pieces if len(normalized(piece)) >= QUOTE_MIN and len(piece) <= QUOTE_MAX)
    )


def _quotable(passage: Passage) -> list[Sentence]:
    """Without headings, those between two sections among them, captions, and rows that only name columns."""
    text = passage.section.text
    extents = [(start, end) for _, start, end in source_citations.part_extents(passage)]
    heads = {head.start for head in sentences.find_table_headers(text)}
    return [
        one
        for one in sentences.split(text)
        if one.kind != "heading"
        and one.start not in heads
        and not words.pattern("caption").match(text, one.start)
        and any(start <= one.start and one.end <= end for start, end in extents)
    ]
