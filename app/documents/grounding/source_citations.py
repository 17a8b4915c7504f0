"""Present the sources of a grounded answer: its marks [n], the sources it uses, the clause and page it relies on.

The last part states the results of the check as messages for files and the command line.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from app.base import wording
from app.base.wording import phrase
from app.documents.grounding import answer_markup, evidence, recognized_numbers, sentences
from app.documents.grounding.answer_markup import CITED_MARK, SourceMark
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.documents.records import PICTURE_SUFFIXES, Passage, Section
from app.documents.values import notation, quantities
from app.documents.values.quantities import Quantity

PLACES_OF_CLAIM_MAX = 3  # sentences of one source per claim
_COVERED_ENOUGH = 0.9  # share of a claim's terms and values from which no further sentence is added
_SHARE_MIN = 0.2  # smallest share of a claim's terms and values in a highlighted sentence
_QUOTED_MAX = 1_000  # characters of a quotation
_QUOTATIONS_TRIED = 3  # opening quotation marks of a claim at which its quotation may begin
_AMBIGUOUS = "([:"  # after [1], these would form a link
_PLACE = {"ja": ("　", "（{}）", "p.{}"), "en": (", ", " ({})", "p. {}")}  # separator; format of tag, page


def answer_marks(text: str, sources: Sequence[CitedSource] = ()) -> Iterator[SourceMark]:
    """Return the marks of sources in an answer, without those inside a word-for-word quotation of a source."""
    return (mark for mark in answer_markup.find_marks(text) if not _is_quoted(text, mark, sources))


def _is_quoted(text: str, mark: SourceMark, sources: Sequence[CitedSource]) -> bool:
    before = text[max(0, mark.start - _QUOTED_MAX) : mark.start]
    opened = max(before.rfind(sign) for sign in "「『“")
    if opened < 0 or any(sign in before[opened:] for sign in "」』”"):
        return False
    quoted = "".join((before[opened + 1 :] + text[mark.start : mark.end]).split())
    return any(quoted in "".join(source.text.split()) for source in sources)


def add_marks(text: str, grounding: Grounding | None) -> str:
    """Return the answer with [n] added to supported sentences that cite no source, except in table rows."""
    for claim in sorted(grounding.claims if grounding else (), key=lambda one: -one.end):
        sentence = text[claim.start : claim.end]
        is_bare = claim.is_supported and CITED_MARK.search(sentence) is None and not sentence.startswith("|")
        if sentence == claim.sentence and is_bare and text[claim.end : claim.end + 1] not in tuple(_AMBIGUOUS):
            chips = "".join(f"[{number}]" for number in claim.sources)
            text = text[: claim.end] + chips + text[claim.end :]
    return text


def used_sources(text: str, grounding: Grounding) -> tuple[int, ...]:
    """Return the numbers of the sources that the answer cites or its claims rely on; all numbers if there are none."""
    return cited_sources(text, grounding) or tuple(range(1, len(grounding.sources) + 1))


def cited_sources(text: str, grounding: Grounding) -> tuple[int, ...]:
    """Return the numbers of the sources that the answer cites or its claims rely on; () if there are none."""
    if not grounding.has_answer:
        return ()
    found = {number for claim in grounding.claims for number in claim.sources}
    found |= {number for mark in answer_marks(text, grounding.sources) for number in mark.numbers}
    return tuple(number for number in range(1, len(grounding.sources) + 1) if number in found)


def places_in_source(grounding: Grounding, number: int) -> list[tuple[int, int]]:
    """Return the sentences (start, end) of source [number] that the answer uses or, in doubt, is nearest to."""
    source = grounding.sources[number - 1]
    found: set[tuple[int, int]] = set()
    parts = [(part.start, part.end) for part in sentences.split_sentences(source.text)]
    for claim in grounding.claims:
        if number in claim.sources:
            found.update(_places_of(claim, source.text, parts))
    return sorted(found)


def _places_of(claim: Claim, text: str, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the quoted sentence, or the sentences that together have most of the claim's terms and values."""
    bare = CITED_MARK.sub("", claim.sentence)
    shown = answer_markup.neutralize_marks(text)  # in the form that excerpts quote
    searched = shown if len(shown) == len(text) else text
    begins = [0, *(sign.start() for sign in itertools.islice(re.finditer("[「“]", bare), _QUOTATIONS_TRIED))]
    for start in begins:  # a quotation may have a heading before it
        words = map(re.escape, bare[start:].strip("「」“”…").split())
        quoted = re.search(r"\s+".join(words), searched)
        if quoted is not None and quoted.group():
            return [quoted.span()]
    missing, values = evidence.content_terms(bare), quantities.parse(bare)
    count = len(missing) + len(values)
    chosen: list[tuple[int, int]] = []
    while len(chosen) < PLACES_OF_CLAIM_MAX and len(missing) + len(values) > (1 - _COVERED_ENOUGH) * count:
        rated = [(*_missing_found_in_sentence(missing, values, text[start:end]), (start, end)) for start, end in parts]
        terms, held, best = max(rated, key=lambda one: len(one[0]) + len(one[1]), default=(frozenset(), [], (0, 0)))
        if len(terms) + len(held) < _SHARE_MIN * count:
            break
        chosen.append(best)
        missing -= terms
        values = [value for value in values if value not in held]
    return chosen


def _missing_found_in_sentence(
    missing: frozenset[str], values: list[Quantity], text: str
) -> tuple[frozenset[str], list[Quantity]]:
    """Return those of the missing terms and values that occur in the sentence `text`."""
    there = quantities.parse(text)
    return missing & evidence.content_terms(text), [value for value in values if any(map(value.is_same, there))]


def describe_place(source: CitedSource) -> str:
    """Return the place to look up in the document, such as 文書 第2章 2.2（標準） p.14."""
    gap, tag, page = _PLACE[wording.current_language()]
    clause = " ".join(source.heading) + (tag.format(source.tag) if source.tag else "")
    recognized = phrase("common.recognized") if source.recognized is not None else ""
    parts = (source.document, clause, page.format(source.page) if source.page else "", recognized)
    return gap.join(part for part in parts if part)


def quote_source(grounding: Grounding, number: int) -> str:
    """Return the sentences of a source that the answer uses, or its whole passage, followed by its place."""
    source = grounding.sources[number - 1]
    used_places = places_in_source(grounding, number) or [(0, len(source.text))]
    quoted = source.text[slice(*used_places[0])].strip()
    for (_, before), (start, end) in itertools.pairwise(used_places):
        quoted += _gap(source.text, before, start) + source.text[start:end].strip()
    return quote_text(source, quoted)


def quote_text(source: CitedSource, text: str) -> str:
    """Return a text as a quotation, followed by the place of its source."""
    return f"{wording.phrase('documents.quoted', text=text.strip())}\n{describe_place(source)}"


def _gap(text: str, start: int, end: int) -> str:
    """Return the text between two quoted places: … for omitted sentences, a line break where a paragraph ends."""
    is_left_out = any(start <= part.start < end for part in sentences.split_sentences(text))
    return ("…" if is_left_out else "") + ("\n" if "\n" in text[start:end] else "")


def append_sources(text: str, grounding: Grounding) -> str:
    """Return the answer with its marks and a list of its sources below."""
    return "\n".join([add_marks(text, grounding).rstrip(), "", *used_places(text, grounding)])


def used_places(text: str, grounding: Grounding | None) -> list[str]:
    """Return a line for each source that `used_sources` names, with its number and place."""
    if grounding is None:
        return []
    return [f"[{number}] {describe_place(grounding.sources[number - 1])}" for number in used_sources(text, grounding)]


def sources_heading(grounding: Grounding) -> str:
    """Return the heading above the sources, or above the nearest passages if the documents contain no answer."""
    return phrase("common.sources" if grounding.has_answer else "common.nearest")


_BEGINNING = 12  # characters that identify a cut part


def locate_sources(grounding: Grounding, passages: Sequence[Passage]) -> Grounding:
    """Return the grounding with heading, tag and page of the part of each source's passage that the claims use most."""
    return dataclasses.replace(
        grounding,
        sources=tuple(
            _locate_source(source, passage, places_in_source(grounding, number))
            for number, (source, passage) in enumerate(zip(grounding.sources, passages, strict=True), start=1)
        ),
    )


def part_at(passage: Passage, offset: int) -> Section:
    """Return the part at this offset in the passage's text; the passage's own section if it is in none."""
    return next((part for part, start, end in part_extents(passage) if start <= offset < end), passage.section)


def found_part(passage: Passage) -> Section:
    """Return the part that the search found, from which the passage was widened."""
    found = passage.section
    same = [
        part for part in passage.parts if (part.heading, part.tag, part.page) == (found.heading, found.tag, found.page)
    ]
    return same[0] if same else found


def source_of_part(source: CitedSource, part: Section) -> CitedSource:
    """Return the source reduced to one part."""
    return dataclasses.replace(
        source, text=part.text, heading=part.heading, tag=part.tag, page=part.page, page_last=part.page_last,
        boxes=part.boxes, captions=part.captions, recognized=part.recognized,
    )  # fmt: skip


def _locate_source(source: CitedSource, passage: Passage, used: Sequence[tuple[int, int]]) -> CitedSource:
    best, most = passage.section, 0
    for part, start, end in part_extents(passage):
        length = sum(max(0, min(end, last) - max(start, first)) for first, last in used)
        if length > most:
            best, most = part, length
    return dataclasses.replace(source, heading=best.heading, tag=best.tag, page=best.page)


def part_extents(passage: Passage) -> list[tuple[Section, int, int]]:
    """Return the parts with their extents (start, end) in a passage's text; the last one may be cut."""
    text = passage.section.text
    if not passage.parts:
        return [(passage.section, 0, len(text))]
    found: list[tuple[Section, int, int]] = []
    at = 0
    for part in passage.parts:
        start = text.find(part.text, at)
        if start < 0:
            start = text.find(part.text[:_BEGINNING], at)
        if start < 0:
            break
        at = min(len(text), start + len(part.text))
        found.append((part, start, at))
    return found


def check_messages(grounding: Grounding | None) -> list[str]:
    """Return how an answer's check ended: each doubt, or the agreement; [] if nothing was to be compared."""
    if grounding is None:
        return []
    claims = grounding.claims
    near = [*picture_messages(grounding), *([phrase("documents.near")] if grounding.verdict == "near" else [])]
    doubts = [
        phrase(
            f"documents.doubt.{doubt_kind(grounding, [claim])}",
            n=number,
            claims=len(claims),
            sentence=claim.sentence,
            missing=phrase("common.batch_gap").join(claim.missing),
        )
        for number, claim in enumerate(claims, start=1)
        if not claim.is_supported
    ]
    if grounding.is_excerpt:
        return [*near, phrase("common.excerpts"), *doubts]
    if not grounding.has_answer:
        return [*picture_messages(grounding), *doubts]
    return [*near, *(doubts or source_agreement_messages(grounding)), *unchecked_messages(grounding)]


def picture_messages(grounding: Grounding) -> list[str]:
    """Return a message that only the text of a picture or a part of a page was read, if that was asked.

    If the model was shown pictures, it says instead whether all sentences agree with their recognized text.
    """
    if grounding.pictures:
        agrees = not grounding.unchecked and all(one.is_supported for one in grounding.claims)
        state = "not_compared" if not grounding.claims else "agrees" if agrees else "differs"
        return [phrase(f"documents.picture_seen.{state}")]
    if grounding.unseen:
        return [phrase("documents.only_text_of_part", names=phrase("common.data_gap").join(grounding.unseen))]
    names = (PurePath(one.document) for one in grounding.sources if one.recognized is not None)
    is_picture = any(name.suffix.lower() in PICTURE_SUFFIXES for name in names)
    return [phrase("documents.only_text_of_picture")] if is_picture else []


def source_agreement_messages(grounding: Grounding) -> list[str]:
    """Return a message that all compared sentences agree with the sources."""
    return [phrase("documents.all_supported", claims=len(grounding.claims))] if grounding.claims else []


def unchecked_messages(grounding: Grounding) -> list[str]:
    """Return a message with the number of sentences that could not be compared."""
    return [phrase("documents.unchecked", n=grounding.unchecked)] if grounding.unchecked else []


def doubt_kind(grounding: Grounding, claims: Iterable[Claim]) -> str:
    """Return the kind of doubt: "missing" values, else "unsupported"; "recognized": in uncertain recognized text only;
    "differing": a source has one of the values for something else."""
    found = [(value, claim) for claim in claims for value in claim.missing]
    sources = grounding.sources
    if found and all(
        recognized_numbers.is_uncertain(value, [sources[number - 1] for number in claim.sources])
        for value, claim in found
    ):
        return "recognized"
    if any(_occurs(value, grounding.sources[number - 1].text) for value, claim in found for number in claim.sources):
        return "differing"
    return "missing" if found else "unsupported"


def _occurs(value: str, text: str) -> bool:
    """Whether the value occurs as written, without bound (5 mm is not in 25 mm), or all kanji and katakana of words."""
    number = next(iter(quantities.parse(value)), None)
    if number is None and not re.search(r"\d", value):
        return all(character in text for character in re.findall("[ァ-ヺ一-鿿]", value))
    bare = value[number.start : number.end] if number else value
    pieces = re.findall(r"\d+|[^\d\s]", notation.flatten(bare)[0])
    wanted = r"\s*".join(map(re.escape, pieces))
    pattern = rf"(?<![\da-z.])(?<!\d,){wanted}(?![\da-z]|[.,]\d)"
    return re.search(pattern, notation.flatten(text)[0], re.IGNORECASE) is not None
