"""An answer's sources and claims as the command line and files give them to other programs."""

from typing import Any

from app.documents.grounding.grounding import Grounding


def sources(grounding: Grounding) -> list[dict[str, Any]]:
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


def claims(grounding: Grounding) -> list[dict[str, Any]]:
    return [
        {
            "sentence": claim.sentence,
            "sources": list(claim.sources),
            "supported": claim.is_supported,
            "numbers_missing": list(claim.missing),
        }
        for claim in grounding.claims
    ]
