"""A grounded answer as it is shown and taken along: its marks [n], the sources it uses, and what of them it uses."""

import itertools
import re
from collections.abc import Iterator, Sequence

from app.base import wording
from app.documents.grounding import evidence, sentences, source_marks
from app.documents.grounding.grounding import Claim, Grounding, Source
from app.documents.grounding.source_marks import CITED, Mark
from app.documents.values import quantities
from app.documents.values.quantities import Quantity

PLACES_MAX = 3  # sentences of one source that one claim may be traced to
_COVERED_ENOUGH = 0.9  # of a claim's terms and values
_SHARE_MIN = 0.2  # of them, for a sentence that is highlighted
_QUOTED_MAX = 1_000  # characters of a quotation
_AMBIGUOUS = "([:"  # behind [1] these would make a link of it
_PLACE = {"ja": ("　", "（{}）", "p.{}"), "en": (", ", " ({})", "p. {}")}  # between the parts; tag; page


def marks(text: str, sources: Sequence[Source] = ()) -> Iterator[Mark]:
    """The marks of sources in an answer; without those of a quotation that a source has itself, word for word."""
    return (mark for mark in source_marks.find(text) if not _is_quoted(text, mark, sources))


def _is_quoted(text: str, mark: Mark, sources: Sequence[Source]) -> bool:
    before = text[max(0, mark.start - _QUOTED_MAX) : mark.start]
    opened = max(before.rfind(sign) for sign in "「『“")
    if opened < 0 or any(sign in before[opened:] for sign in "」』”"):
        return False
    quoted = "".join((before[opened + 1 :] + text[mark.start : mark.end]).split())
    return any(quoted in "".join(source.text.split()) for source in sources)


def marked(text: str, grounding: Grounding) -> str:
    """The answer with [n] also behind sentences that were found in a source and name none. Rows of tables stay."""
    for claim in sorted(grounding.claims, key=lambda one: -one.end):
        sentence = text[claim.start : claim.end]
        is_bare = claim.is_supported and CITED.search(sentence) is None and not sentence.startswith("|")
        if sentence == claim.sentence and is_bare and text[claim.end : claim.end + 1] not in tuple(_AMBIGUOUS):
            chips = "".join(f"[{number}]" for number in claim.sources)
            text = text[: claim.end] + chips + text[claim.end :]
    return text


def used(text: str, grounding: Grounding) -> tuple[int, ...]:
    """Numbers of the sources that the answer cites or was tied to; all where it uses none, or where it is not there."""
    return cited(text, grounding) or tuple(range(1, len(grounding.sources) + 1))


def cited(text: str, grounding: Grounding) -> tuple[int, ...]:
    """As `used`, but none where there is none."""
    if grounding.verdict != "answered":
        return ()
    found = {number for claim in grounding.claims for number in claim.sources}
    found |= {number for mark in marks(text, grounding.sources) for number in mark.numbers}
    return tuple(number for number in range(1, len(grounding.sources) + 1) if number in found)


def places(grounding: Grounding, number: int) -> list[tuple[int, int]]:
    """Where in the text of source [number] the answer's sentences are from, or what is nearest to the doubtful ones:
    sentences, in order. Nothing for a source that the answer does not use."""
    source = grounding.sources[number - 1]
    found: set[tuple[int, int]] = set()
    parts = [(part.start, part.end) for part in sentences.split(source.text)]
    for claim in grounding.claims:
        if number in claim.sources:
            found.update(_places_of(claim, source.text, parts))
    return sorted(found)


def _places_of(claim: Claim, text: str, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The sentence that is quoted, or those that together have most of the claim's terms and values."""
    bare = CITED.sub("", claim.sentence)
    shown = source_marks.neutralised(text)  # as an excerpt quotes it
    looked_in = shown if len(shown) == len(text) else text
    quoted = re.search(r"\s+".join(re.escape(word) for word in bare.strip("「」“”…").split()), looked_in)
    if quoted is not None and quoted.group():
        return [quoted.span()]
    missing, values = evidence.content_terms(bare), quantities.parse(bare)
    count = len(missing) + len(values)
    chosen: list[tuple[int, int]] = []
    while len(chosen) < PLACES_MAX and len(missing) + len(values) > (1 - _COVERED_ENOUGH) * count:
        rated = [(*_held(missing, values, text[start:end]), (start, end)) for start, end in parts]
        terms, held, best = max(rated, key=lambda one: len(one[0]) + len(one[1]), default=(frozenset(), [], (0, 0)))
        if len(terms) + len(held) < _SHARE_MIN * count:
            break
        chosen.append(best)
        missing -= terms
        values = [value for value in values if value not in held]
    return chosen


def _held(missing: frozenset[str], values: list[Quantity], text: str) -> tuple[frozenset[str], list[Quantity]]:
    """What of both this sentence has."""
    there = quantities.parse(text)
    return missing & evidence.content_terms(text), [value for value in values if any(map(value.is_same, there))]


def place(source: Source) -> str:
    """文書　第2章 2.2（標準）　p.14, for people: what to look for in the document itself."""
    gap, tag, page = _PLACE[wording.current_language()]
    clause = " ".join(source.heading) + (tag.format(source.tag) if source.tag else "")
    return gap.join(part for part in (source.document, clause, page.format(source.page) if source.page else "") if part)


def quotation(grounding: Grounding, number: int) -> str:
    """What the answer uses of a source, or all of its passage, with where it is from."""
    source = grounding.sources[number - 1]
    used_places = places(grounding, number) or [(0, len(source.text))]
    quoted = source.text[slice(*used_places[0])].strip()
    for (_, before), (start, end) in itertools.pairwise(used_places):
        quoted += _gap(source.text, before, start) + source.text[start:end].strip()
    return f"{wording.phrase('documents.quoted', text=quoted)}\n{place(source)}"


def _gap(text: str, start: int, end: int) -> str:
    """Between two quoted places: … for sentences left out, and the end of a paragraph where there is one."""
    is_left_out = any(start <= part.start < end for part in sentences.split(text))
    return ("…" if is_left_out else "") + ("\n" if "\n" in text[start:end] else "")


def with_sources(text: str, grounding: Grounding) -> str:
    """The answer to be taken along: with its marks, and below it where they are from."""
    lines = [f"[{number}] {place(grounding.sources[number - 1])}" for number in used(text, grounding)]
    return "\n".join([marked(text, grounding).rstrip(), "", *lines])
