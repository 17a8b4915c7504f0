"""A pair as a line of the file: a row of training data and a question of a question set at once, with its origin."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from app.base.confidentiality import LABELS, Label, highest_label
from app.documents.grounding import evidence, source_citations
from app.documents.records import DocumentSection
from app.documents.values import notation, quantities
from app.training.generation.passages import digest, sha256
from app.training.generation.records import UNANSWERABLE, Candidate, Pair, Writer

ORIGIN = "generated"


def to_lines(pairs: Sequence[Pair], writer: Writer, least: Label = LABELS[0]) -> bytes:
    """`least`: the label of what the writing model was trained on."""
    return lines_of(row(pair, writer, least) for pair in pairs)


def lines_of(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows).encode("utf-8", "replace")


def row(pair: Pair, writer: Writer, least: Label = LABELS[0]) -> dict[str, Any]:
    """Rows of one document stay together in a split; its passages stand beside them, to be checked against."""
    candidate = pair.candidate
    passage, is_answerable = candidate.passage, candidate.category != UNANSWERABLE
    section = _section(candidate)
    place = {"document": passage.document, "heading": list(section.heading), "page": section.page}
    return {
        "id": _id(candidate),
        "question": candidate.question,
        "answer": candidate.answer,
        "must_include": must_include(candidate.question, candidate.answer) if is_answerable else [],
        "gold": [{"quote": candidate.quote, **place}] if is_answerable else [],
        "category": candidate.category,
        "group": passage.document,
        "answerable": is_answerable,
        "origin": ORIGIN,
        "quality": pair.score,
        "provenance": {
            "collection": passage.collection,
            **place,
            "tag": section.tag,
            "label": highest_label((passage.label, least)),
            "passage": passage.section.text,
            "passage_sha256": digest(passage),
            **asdict(writer),
        },
    }


def is_unchanged(row: dict[str, Any]) -> bool:
    """Whether the passage of a row is still the one that it was written from."""
    origin = row["provenance"]
    return bool(sha256(origin["passage"]) == origin["passage_sha256"])


def must_include(question: str, answer: str) -> list[str]:
    """Its values, ranges and dates, as they are written, each once; without what the question says itself."""
    asked = evidence.of_text(question)
    values = quantities.parse(answer)
    found = [
        (before.start if before is not None and before.is_range_start else one.start, one.end)
        for before, one in zip((None, *values), values, strict=False)
        if not (one.is_range_start or evidence.is_own_count(one) or asked.holds(one, answer[one.start : one.end]))
    ]
    found += [(date.start, date.end) for date in notation.parse_dates(answer) if not asked.holds_date(date)]
    written = (answer[start:end].strip() for start, end in sorted(found))
    return list(dict.fromkeys(one for one in written if not one.isdecimal()))  # 1 of a list, 2 of レベル2


def _section(candidate: Candidate) -> DocumentSection:
    """The clause that the quote is from."""
    passage = candidate.passage
    return (
        source_citations.part_at(passage, passage.section.text.find(candidate.quote))
        if candidate.quote
        else passage.section
    )


def _id(candidate: Candidate) -> str:
    """The same for the same pair of the same passage; with a letter, so that no spreadsheet makes a number of it."""
    told = [digest(candidate.passage), candidate.category, candidate.quote, candidate.question, candidate.answer]
    return "g" + hashlib.sha256(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[:15]
