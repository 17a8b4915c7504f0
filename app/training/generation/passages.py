"""Select passages of a collection to ask about: enough Japanese text, no tables of contents, from all parts.

Each passage is one section, so a question about it has its answer in one place and small models have little to read.
The order is a shuffle by `seed` in which documents take turns, and within a document its headings. The same documents
and seed give the same passages.
"""

import hashlib
import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from app.documents.grounding import sentences
from app.documents.library import Library
from app.documents.records import DocumentCollection, Passage, Section
from app.inference.scoring_files import japanese_share
from app.training.data.duplicates import normalized
from app.training.data.rows import seeded_key
from app.training.generation import prompts

TEXT_MIN = 80  # characters; a question about a shorter section could only ask for all of it
LONGEST = 1200
JAPANESE_MIN = 0.5  # minimum share of Japanese letters
REPEATED_MAX = 2  # most sections with the same text; more come from a form or disclaimer
LISTED_SHARE = 0.4  # share of list-like lines that makes a text a table of contents or bibliography


@dataclass(frozen=True, slots=True)
class SelectedPassages:
    """The selected passages.

    `sections`: number of sections in the collection; `suitable`: number of them that are suitable for questions.
    """

    passages: tuple[Passage, ...]
    sections: int
    suitable: int


@dataclass(frozen=True, slots=True)
class _SectionPlace:
    section_id: int
    section: Section
    document: str


def select_passages(library: Library, collection: DocumentCollection, seed: int, limit: int) -> SelectedPassages:
    """Select at most `limit` passages that do not overlap. The order depends on `seed`."""
    places = [
        _SectionPlace(section_id, section, document.name)
        for document in library.documents(collection.id)
        for section_id, section in library.sections(document.id)
    ]
    texts = Counter(normalized(place.section.text) for place in places)
    suitable = [place for place in places if _is_suitable(place.section, texts)]
    order = _spread(_distinct(suitable), seed)
    found = map(_cut, library.passages([(place.section_id, 0.0) for place in order]))
    kept = itertools.islice((one for one in found if prompts.quotable_pieces(one)), limit)
    return SelectedPassages(tuple(kept), len(places), len(suitable))


def digest(passage: Passage) -> str:
    return sha256(passage.section.text)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _is_suitable(section: Section, texts: Counter[str]) -> bool:
    if len(section.text) < TEXT_MIN or texts[normalized(section.text)] > REPEATED_MAX:
        return False
    names = (section.tag, *section.heading[-1:])
    if any(prompts.pattern("skipped_heading").search(name.strip(" *\u3000")) for name in names):
        return False
    share = japanese_share(section.text)
    return share is not None and share >= JAPANESE_MIN and not _is_listing(section.text)


def _is_listing(text: str) -> bool:
    """Return whether the text is a table of contents or a bibliography."""
    lines = [line for line in text.splitlines() if line.strip()]
    listed = sum(prompts.pattern("listing_line").search(line) is not None for line in lines)
    return listed >= LISTED_SHARE * len(lines)


def _distinct(places: Iterable[_SectionPlace]) -> list[_SectionPlace]:
    return list({normalized(place.section.text): place for place in places}.values())


def _spread(places: Sequence[_SectionPlace], seed: int) -> list[_SectionPlace]:
    """Shuffle the sections so that documents take turns, and within a document its headings."""
    shuffled = sorted(places, key=lambda place: seeded_key(seed, place.document, place.section.text))
    by_heading = _in_turn(shuffled, [(place.document, place.section.heading) for place in shuffled])
    return _in_turn(by_heading, [place.document for place in by_heading])


def _in_turn(places: Sequence[_SectionPlace], keys: Sequence[Hashable]) -> list[_SectionPlace]:
    """Return the first place of each key, then each second place, and so on; within a round the order is kept."""
    seen: Counter[Hashable] = Counter()
    rounds = []
    for key in keys:
        rounds.append(seen[key])
        seen[key] += 1
    return [places[at] for at in sorted(range(len(places)), key=lambda at: rounds[at])]


def _cut(passage: Passage) -> Passage:
    """Cut a section that is too long for a prompt at the end of a sentence."""
    text = passage.section.text
    if len(text) <= LONGEST:
        return passage
    ends = [one.end for one in sentences.split_sentences(text) if one.end <= LONGEST]
    return replace(passage, section=replace(passage.section, text=text[: ends[-1] if ends else LONGEST]))
