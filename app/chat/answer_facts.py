"""What other programs get of an answer's check: one JSON form for `kotae ask`, files of answers and `kotae serve`."""

from typing import Any

from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import Grounding


def facts(grounding: Grounding | None) -> dict[str, Any]:
    """Return the sources, the claims, how many sentences could not be compared, and whether the answer is made of
    quotations alone; all empty of an answer that was asked of no documents."""
    kept = grounding or Grounding()
    return {
        "sources": grounding_record.sources_to_json(kept),
        "claims": grounding_record.claims_to_json(kept),
        "unchecked": kept.unchecked,
        "is_excerpt": kept.is_excerpt,
    }
