"""Define what is stored with an answer, so that it stays readable when the documents change or are removed.

Also converts sources and claims for the command line and export files.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from app.base import invisible_characters
from app.base.confidentiality import LABELS, Label
from app.documents.records import DocumentSection, PageBox, Passage

T = TypeVar("T")
Verdict = Literal["answered", "not_in_documents"]
COUNT_LIMITS = {"sources": 100, "claims": 10_000, "boxes": 1_000, "heading": 50, "missing": 1_000, "captions": 1_000}
TEXT_MOST = 100_000  # characters of one field
PAGE_MOST = 1_000_000
POINTS_MOST = 1e6


@dataclass(frozen=True, slots=True)
class CollectionRef:
    """A reference to a collection in the scope of a conversation. The name is decisive, as ids change with a new
    index."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A checked sentence. `start`, `end`: offsets in the answer. `sources`: [n], from 1. `missing`: as written in the
    answer."""

    sentence: str
    start: int
    end: int
    sources: tuple[int, ...] = ()
    is_supported: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CitedSource:
    """A passage that the model received, or one of the nearest if the answer was not in the documents.

    `text` is what the model read. `sha256`: of the document at that time. Other fields as in DocumentSection and
    Passage.
    """

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


@dataclass(frozen=True, slots=True)
class Grounding:
    """The sources and claims of an answer. `sources[n - 1]` is [n].

    `is_excerpt`: 抜粋表示, the answer quotes the sources and no model generated it. `by_meaning`: "" (no embedding
    model is installed) | used | missed (its vectors were late or unusable). `unchecked`: the number of sentences that
    could not be compared with the sources.
    """

    verdict: Verdict = "answered"
    sources: tuple[CitedSource, ...] = ()
    claims: tuple[Claim, ...] = ()
    is_excerpt: bool = False
    retrieval_s: float = 0.0
    by_meaning: str = ""
    unchecked: int = 0


def source_of(passage: Passage, sha256: str = "") -> CitedSource:
    section = passage.section
    return CitedSource(
        passage.collection, passage.label, passage.document, passage.path, section.text, section.heading, section.tag,
        section.page, section.page_last, section.boxes, section.captions, sha256, passage.score,
    )  # fmt: skip


def passage_of(source: CitedSource, number: int) -> Passage:
    """Return a stored source as a passage; its ids refer to no section."""
    section = DocumentSection(
        source.heading, source.text, source.tag, source.page, source.page_last, source.boxes, source.captions
    )
    return Passage(
        number, section, 0, source.document, source.path, source.collection, source.label, source.score, number
    )


def from_dict(data: Any) -> Grounding:
    """Build a grounding from the output of `dataclasses.asdict`, possibly read from an edited file. Raises
    ValueError."""
    fields = _fields(data, Grounding)
    if (
        fields.get("verdict", "answered") not in get_args(Verdict)
        or not 0 <= fields.get("unchecked", 0) <= COUNT_LIMITS["claims"]
    ):
        raise ValueError("verdict")
    sources = tuple(_source(one) for one in _list(fields.pop("sources", []), "sources"))
    claims = tuple(_claim(one, len(sources)) for one in _list(fields.pop("claims", []), "claims"))
    return Grounding(**fields, sources=sources, claims=claims)


def references(data: Any) -> tuple[CollectionRef, ...]:
    """Build collection references. Raises ValueError."""
    return tuple(_made(CollectionRef, _fields(one, CollectionRef)) for one in _list(data, "sources"))


def _source(data: Any) -> CitedSource:
    fields = _fields(data, CitedSource)
    if fields.get("label") not in LABELS or not (0 <= fields.get("page", 0) <= PAGE_MOST):
        raise ValueError("source")
    if not 0 <= fields.get("page_last", 0) <= PAGE_MOST:
        raise ValueError("page_last")
    boxes = tuple(_box(one) for one in _list(fields.pop("boxes", []), "boxes"))
    for key in ("heading", "captions"):
        fields[key] = tuple(_texts(fields.get(key, []), key))
    return _made(CitedSource, fields, boxes=boxes)


def _box(data: Any) -> PageBox:
    box = _made(PageBox, _fields(data, PageBox))
    if (
        not 0 <= box.page <= PAGE_MOST
        or max(abs(box.left), abs(box.top), abs(box.right), abs(box.bottom)) > POINTS_MOST
    ):
        raise ValueError("box")
    return box


def _claim(data: Any, sources: int) -> Claim:
    fields = _fields(data, Claim)
    fields["missing"] = tuple(_texts(fields.get("missing", []), "missing"))
    numbers = _list(fields.get("sources", []), "sources")
    if not all(isinstance(one, int) and 0 < one <= sources for one in numbers):
        raise ValueError("sources")
    claim = _made(Claim, {**fields, "sources": tuple(numbers)})
    if not 0 <= claim.start <= claim.end:
        raise ValueError("place")
    return claim


def _fields(data: Any, kind: type) -> dict[str, Any]:
    """Return the fields of a dataclass, checked for simple types; unknown ones (of a later version) are dropped."""
    if not isinstance(data, dict):
        raise ValueError(kind.__name__)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name in data:
            found[field.name] = _value(data[field.name], field.type, field.name)
    return found


def _value(value: Any, kind: Any, name: str) -> Any:
    is_right = {
        str: lambda: isinstance(value, str) and len(value) <= TEXT_MOST and _is_whole(value),
        int: lambda: isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53,
        bool: lambda: isinstance(value, bool),
        float: lambda: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
    }.get(kind)
    if is_right is not None and not is_right():
        raise ValueError(name)
    return invisible_characters.remove(value) if isinstance(value, str) else value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) > COUNT_LIMITS[name]:
        raise ValueError(name)
    return list(value)


def _texts(value: Any, name: str) -> list[str]:
    return [_value(one, str, name) for one in _list(value, name)]


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _made(kind: type[T], fields: dict[str, Any], **more: Any) -> T:
    try:
        return kind(**fields, **more)
    except TypeError as error:  # a required field is missing
        raise ValueError(kind.__name__) from error


def sources_to_json(grounding: Grounding) -> list[dict[str, Any]]:
    return [
        {
            "n": number,
            "collection": source.collection,
            "document": source.document,
            "heading": list(source.heading),
            "tag": source.tag,
            "page": source.page or None,
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
