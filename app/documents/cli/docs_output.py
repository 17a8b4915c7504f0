"""Format documents and collections for `kotae docs`: as JSON, and as lines for a terminal."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.base.wording import ErrorMessage, describe_error, phrase
from app.documents import encodings, terms
from app.documents.grounding import source_citations
from app.documents.records import (
    DOUBTFUL_GARBLED_SHARE,
    Document,
    DocumentCollection,
    Passage,
    Section,
    page_ranges,
)

if TYPE_CHECKING:
    from app.documents.retrieval.named_clauses import MissingClause

QUOTED_CHARACTERS = 240  # characters of a passage on the terminal; JSON has the whole passage
NAMES_SHOWN = 3  # documents that cannot be read for one reason


def collection_data(collection: DocumentCollection, sources: list[str]) -> dict[str, Any]:
    facts = dataclasses.asdict(collection)
    del facts["id"]
    return {**facts, "sources": sources}


def collection_line(collection: DocumentCollection) -> str:
    notes = [
        phrase(f"documents.docs_note.{key}", n=n)
        for key in ("unfinished", "troubled")
        if (n := getattr(collection, key))
    ]
    counts = phrase("documents.docs_counts", documents=collection.documents, sections=collection.sections)
    return "\t".join([collection.name, phrase(f"common.label.{collection.label}"), counts, *notes])


def document_data(document: Document) -> dict[str, Any]:
    error = describe_error(document.failure) if document.failure else None
    return {
        "document": document.name,
        "path": document.path,
        "state": document.state,
        "size_bytes": document.size_bytes,
        "sha256": document.sha256,
        "report": {
            **dataclasses.asdict(document.report),
            "encoding": encodings.encoding_name(document.report.encoding),
        },
        "error": {"code": document.error_code, "message": error.message, "next": error.next} if error else None,
    }


def document_line(document: Document) -> str:
    sections = phrase("documents.docs_sections", n=document.report.sections)
    return f"{document.name}\t{phrase(f'documents.document_state.{document.state}')}\t{sections}"


def attention_data(document: Document) -> dict[str, Any]:
    """Return the JSON entry for a doubtful or failed document."""
    error = describe_error(document.failure) if document.failure else None
    look = phrase(
        "documents.docs_look" if not document.needs_recognition else "documents.docs_look_ocr", name=document.name
    )
    reason = error or ErrorMessage("".join(reading_warnings(document)), look)
    place = {"document": document.name, "path": document.path, "state": document.state}
    return {**place, "code": document.error_code, "message": reason.message, "next": reason.next}


def names_by_reason(rows: list[dict[str, str]]) -> dict[tuple[str, str, str], str]:
    """Return the first names of the documents with the same state, message and next step, by these three.

    `rows`: of `attention_data`. A folder may hold hundreds of pictures that cannot be read for one reason.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        found.setdefault((row["state"], row["message"], row["next"]), []).append(row["document"])
    for names in found.values():
        if len(names) > NAMES_SHOWN + 1:
            names[NAMES_SHOWN:] = [phrase("common.n_more", n=f"{len(names) - NAMES_SHOWN:,}")]
    return {reason: phrase("common.data_gap").join(names) for reason, names in found.items()}


def reading_warnings(document: Document) -> list[str]:
    """Return sentences that say what the user should check in a document."""
    report = document.report
    sentences = []
    if report.pages_without_text:
        pages = ", ".join(page_ranges(report.pages_without_text))
        sentences.append(phrase("documents.docs_blank_pages", pages=pages, total=report.pages))
    if report.garbled_share > DOUBTFUL_GARBLED_SHARE:
        sentences.append(phrase("documents.docs_garbled", percent=f"{100 * report.garbled_share:.1f}"))
    if report.invisible:
        sentences.append(phrase("documents.docs_invisible", n=f"{report.invisible:,}"))
    return [*sentences, *(phrase(f"documents.document_note.{code}") for code in report.notes)]


def report_lines(document: Document) -> list[str]:
    """Return the report on reading a document as lines, without rows that do not apply to the format."""
    report = document.report
    rows = [
        ("state", phrase(f"documents.document_state.{document.state}")),
        ("path", document.path),
        ("pages", str(report.pages or "")),
        ("headings", f"{report.headings:,}"),
        ("tables", f"{report.tables:,}"),
        ("characters", f"{report.characters:,}"),
        ("encoding", encodings.encoding_name(report.encoding)),
    ]
    lines = [f"{phrase(f'documents.docs_report.{key}')}\t{value}" for key, value in rows if value]
    error = describe_error(document.failure) if document.failure else None
    return [*lines, *reading_warnings(document), *([str(error)] if error else [])]


def section_data(section: Section) -> dict[str, Any]:
    return {
        "heading": list(section.heading),
        "tag": section.tag,
        "page": section.page or None,
        "captions": list(section.captions),
        "ocr": section.recognized is not None,
        "text": section.text,
    }


def section_lines(sections: list[Section]) -> list[str]:
    """Return the outline of a document as lines: each heading path once, with its page and length."""
    totals: dict[tuple[str, ...], tuple[int, int]] = {}
    for section in sections:
        page, characters = totals.get(section.heading, (section.page, 0))
        totals[section.heading] = page, characters + len(section.text)
    none = phrase("documents.docs_no_heading")
    return [
        "\t".join(
            filter(
                None, (" > ".join(heading) or none, page_of(page), phrase("documents.docs_characters", n=characters))
            )
        )
        for heading, (page, characters) in totals.items()
    ]


def page_of(page: int) -> str:
    return phrase("common.page", page=page) if page else ""


def passage_data(passage: Passage) -> dict[str, Any]:
    return {
        "rank": passage.rank,
        "document": passage.document,
        "heading": list(passage.section.heading),
        "page": passage.section.page or None,
        "ocr": passage.section.recognized is not None,
        "text": passage.section.text,
        "score": round(passage.score, 4),
    }


def missing_data(missing: "MissingClause") -> dict[str, Any]:
    near = [clause for clause, _ in missing.neighbours]
    return {"clause": missing.clause, "document": missing.document or None, "near": near}


def passage_lines(passage: Passage, query: str) -> list[str]:
    """Return the location of the passage's best part as lines, and a quote around the question's terms."""
    weights = terms.weigh_query_terms(query)
    found = source_citations.found_part(passage)
    section = max((found, *passage.parts), key=lambda part: _fit(part.text, weights))  # the first of equal ones
    recognized = phrase("common.recognized") if section.recognized is not None else ""
    place = (passage.document, " > ".join(section.heading), section.tag, page_of(section.page), recognized)
    quote = _quote(" ".join(section.text.split()), weights)
    return [f"{passage.rank}  {'  '.join(filter(None, place))}", f"    {quote}"]


def _fit(text: str, weights: Mapping[str, float]) -> float:
    own = frozenset(terms.extract_terms(text))
    return sum(weight for term, weight in weights.items() if term in own)


def _quote(line: str, weights: Mapping[str, float]) -> str:
    """Return the part of the line with most of the question's terms; the beginning if no part has more."""
    starts = range(0, max(1, len(line) - QUOTED_CHARACTERS // 2), QUOTED_CHARACTERS // 4)
    start = max(starts, key=lambda at: _fit(line[at : at + QUOTED_CHARACTERS - 2], weights))
    rest = line[start:]
    before = "…" if start else ""
    return before + (rest if len(before + rest) <= QUOTED_CHARACTERS else rest[: QUOTED_CHARACTERS - 2] + "…")
