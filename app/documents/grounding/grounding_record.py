"""Define what is stored with an answer, readable without its documents, and convert it for commands and exports."""

import math
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal, TypeVar

import msgspec

from app.base import invisible_characters
from app.base.confidentiality import Label
from app.base.wording import phrase
from app.documents.records import PageBox, Passage, Section, collection_title, shown_name

T = TypeVar("T")
# "near": passages come close to the question, and it is not certain that they answer it.
Verdict = Literal["answered", "near", "not_in_documents"]
COUNT_LIMITS = {
    "sources": 100,
    "claims": 10_000,
    "boxes": 1_000,
    "heading": 50,
    "missing": 1_000,
    "captions": 1_000,
    "recognized": 1_000,
    "follow_ups": 10,
    "pictures": 10,
    "unseen": 10,
    "regions": 4,  # as many pictures as a question shows
    "edges": 4,
    "documents": 1_000_000,  # as many as a collection may have; a scope beyond it would be lost
}
TEXT_MOST = 100_000  # characters of one field
PAGE_MOST = 1_000_000
POINTS_MOST = 1e6


@dataclass(frozen=True, slots=True)
class PageRegion:
    """A page, or a part of it, that a conversation asks about as a picture. `path`: of its document.

    `edges`: left, top, right and bottom in shares of the page; None: all of it. `text`, `recognized`: the words in the
    part, as in `messages.Rendered`. `heading`: of the clause there. `sha256`: of the document then; "": unknown.
    """

    path: str
    page: int  # from 1
    edges: tuple[float, float, float, float] | None = None
    text: str = ""
    heading: tuple[str, ...] = ()
    recognized: tuple[tuple[str, int], ...] | None = None
    sha256: str = ""

    def __post_init__(self) -> None:
        if not (1 <= self.page <= PAGE_MOST and all(0 <= edge <= 1 for edge in self.edges or ())):
            raise ValueError("no part of a page")

    @property
    def name(self) -> str:
        """Return the document's name, with the page and that it is a part of it."""
        name = shown_name(PurePath(self.path))
        return phrase("documents.part_of_page" if self.edges else "documents.whole_page", name=name, page=self.page)


@dataclass(frozen=True, slots=True)
class CollectionRef:
    """A collection in a conversation's scope, by name, as ids change. `documents`: paths of those asked; (): all.

    `regions`: of their pages, that each question is about.
    """

    id: int
    name: str
    documents: tuple[str, ...] = ()
    regions: tuple[PageRegion, ...] = ()

    @property
    def title(self) -> str:
        """Return the name, followed by the names of the documents if only these are asked."""
        named = [one.name for one in self.regions] or [shown_name(PurePath(path)) for path in self.documents]
        names = phrase("common.data_gap").join(named)
        title = collection_title(self.name)
        return phrase("documents.only_these", name=title, documents=names) if names else title


@dataclass(frozen=True, slots=True)
class Claim:
    """A checked sentence of an answer. `start`, `end`: offsets in the answer.

    `sources`: numbers of sources, from 1. `missing`: words and values that the sources lack, as written in the answer,
    and numbers that the sources have from uncertain text recognition only.
    """

    sentence: str
    start: int
    end: int
    sources: tuple[int, ...] = ()
    is_supported: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CitedSource:
    """A passage that the model received, or one of the nearest without an answer. `sha256`: of the document then."""

    collection: str
    label: Label
    document: str
    path: str
    text: str
    heading: tuple[str, ...] = ()
    tag: str = ""
    page: int = 0
    page_last: int = 0
    boxes: tuple[PageBox, ...] = ()
    captions: tuple[str, ...] = ()
    sha256: str = ""
    score: float = 0.0
    recognized: tuple[tuple[str, int], ...] | None = None

    @property
    def collection_title(self) -> str:
        """Return the name of the collection as people read it."""
        return collection_title(self.collection)


@dataclass(frozen=True, slots=True)
class Grounding:
    """The sources and claims of an answer. `sources[n - 1]` is the source of the mark [n].

    `is_excerpt`: 抜粋表示, the answer quotes the sources and no model generated it. `by_meaning`: "" (no embedding
    model is installed) | used | missed (its vectors were late or unusable). `reranked`: likewise, whether a reranker
    ordered the passages, and `rerank_s`: how long it took. `unchecked`: the number of sentences that could not be
    compared with the sources. `follow_ups`: questions that neighbouring clauses answer. `pictures`: names of the
    pictures that the model was shown. `unseen`: names of parts of pages of which it was only given the text.
    """

    verdict: Verdict = "answered"
    sources: tuple[CitedSource, ...] = ()
    claims: tuple[Claim, ...] = ()
    is_excerpt: bool = False
    retrieval_s: float = 0.0
    by_meaning: str = ""
    reranked: str = ""
    rerank_s: float = 0.0
    unchecked: int = 0
    follow_ups: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def has_answer(self) -> bool:
        """Whether the sources are those of an answer, be it certain or not, and not only the nearest passages."""
        return self.verdict != "not_in_documents"


def source_of(passage: Passage, sha256: str = "") -> CitedSource:
    section = passage.section
    return CitedSource(
        passage.collection, passage.label, passage.document, passage.path, section.text, section.heading, section.tag,
        section.page, section.page_last, section.boxes, section.captions, sha256, passage.score,
        section.recognized,
    )  # fmt: skip


def passage_of(source: CitedSource, number: int) -> Passage:
    """Return a stored source as a passage; its ids refer to no section."""
    section = Section(
        source.heading,
        source.text,
        source.tag,
        source.page,
        source.page_last,
        source.boxes,
        source.captions,
        source.recognized,
    )
    return Passage(
        number, section, 0, source.document, source.path, source.collection, source.label, source.score, number
    )


def from_dict(data: Any) -> Grounding:
    """Build a grounding from `dataclasses.asdict` of perhaps a later version or edited. Raises ValueError."""
    found = _convert(data, Grounding)
    _check_range(found.unchecked, COUNT_LIMITS["claims"])
    for source in found.sources:
        for page in (source.page, source.page_last, *(box.page for box in source.boxes)):
            _check_range(page, PAGE_MOST)
        for box in source.boxes:
            _check_range(max(abs(box.left), abs(box.top), abs(box.right), abs(box.bottom)), POINTS_MOST)
    for claim in found.claims:
        _check_range(claim.start, claim.end)
        for number in claim.sources:
            _check_range(number - 1, len(found.sources) - 1)
    return found


def references(data: Any) -> tuple[CollectionRef, ...]:
    """Build collection references. Raises ValueError for invalid data."""
    return _convert(data, tuple[CollectionRef, ...])


def _convert(data: Any, kind: type[T]) -> T:
    known = msgspec.to_builtins(msgspec.convert(data, kind))  # without unknown fields, however deep they are
    return msgspec.convert(_cleaned(known, "sources"), kind)


def _cleaned(value: Any, name: str) -> Any:
    """Return the parsed value of a field without invisible characters. Raises ValueError if it is too long."""
    match value:
        case dict():
            return {key: _cleaned(item, key) for key, item in value.items()}
        case tuple() if len(value) <= COUNT_LIMITS[name]:
            return [_cleaned(item, name) for item in value]
        case str() if len(value) <= TEXT_MOST and not re.search("[\ud800-\udfff]", value):
            return invisible_characters.remove(value)
        case float() if math.isfinite(value):
            return value
        case int() if abs(value) < 1 << 53:
            return value
        case None:
            return None
    raise ValueError(name)


def _check_range(value: float, most: float) -> None:
    if not 0 <= value <= most:
        raise ValueError(f"{value} is not from 0 to {most}")


def sources_to_json(grounding: Grounding) -> list[dict[str, Any]]:
    return [
        {
            "n": number,
            "collection": source.collection_title,
            "document": source.document,
            "heading": list(source.heading),
            "tag": source.tag,
            "page": source.page or None,
            "ocr": source.recognized is not None,
            "quote": source.text,
            "score": round(source.score, 4),
        }
        for number, source in enumerate(grounding.sources, start=1)
    ]


def claims_to_json(grounding: Grounding) -> list[dict[str, Any]]:
    return [
        {
            "sentence": claim.sentence,
            "sources": list(claim.sources),
            "supported": claim.is_supported,
            "numbers_missing": list(claim.missing),
        }
        for claim in grounding.claims
    ]
