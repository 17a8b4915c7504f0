"""The exact clause and page that an answer rests on, where its passages have more than one."""

import dataclasses
from collections.abc import Sequence

from app.documents.grounding import citing
from app.documents.grounding.grounding import Grounding, Source
from app.documents.records import Passage, Section

_BEGINNING = 12  # characters, by which a part is known that was cut


def placed(kept: Grounding, passages: Sequence[Passage]) -> Grounding:
    """Each source with the heading, tag and page of the part that the claims use most of. `passages`: the same ones."""
    return dataclasses.replace(
        kept,
        sources=tuple(
            _placed(source, passage, citing.places(kept, number))
            for number, (source, passage) in enumerate(zip(kept.sources, passages, strict=True), start=1)
        ),
    )


def part_at(passage: Passage, place: int) -> Section:
    """The part that this place of the passage's text is in; the passage's own section where it is in none."""
    return next((part for part, start, end in extents(passage) if start <= place < end), passage.section)


def found_part(passage: Passage) -> Section:
    """The part that the search found, which the passage was widened from."""
    found = passage.section
    same = [
        part for part in passage.parts if (part.heading, part.tag, part.page) == (found.heading, found.tag, found.page)
    ]
    return same[0] if same else found


def source_of_part(source: Source, part: Section) -> Source:
    """A source that is that part alone."""
    return dataclasses.replace(
        source, text=part.text, heading=part.heading, tag=part.tag, page=part.page, page_last=part.page_last,
        boxes=part.boxes, captions=part.captions,
    )  # fmt: skip


def _placed(source: Source, passage: Passage, used: Sequence[tuple[int, int]]) -> Source:
    best, most = passage.section, 0
    for part, start, end in extents(passage):
        length = sum(max(0, min(end, last) - max(start, first)) for first, last in used)
        if length > most:
            best, most = part, length
    return dataclasses.replace(source, heading=best.heading, tag=best.tag, page=best.page)


def extents(passage: Passage) -> list[tuple[Section, int, int]]:
    """Where in a passage's text each part is; the last may have been cut. Between them stand their headings."""
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
