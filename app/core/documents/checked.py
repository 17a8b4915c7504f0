"""What the check of an answer against its documents has found, in sentences for files and the command line."""

from app.core.documents.grounding import Grounding
from app.core.wording import phrase


def lines(grounding: Grounding) -> list[str]:
    """Nothing where the documents do not have the answer, or nothing could be checked."""
    claims = grounding.claims
    if grounding.is_excerpt:
        return [phrase("excerpts")]
    if grounding.verdict != "answered" or not claims:
        return []
    if all(claim.is_supported for claim in claims):
        return [phrase("all_supported", claims=len(claims))]
    return [
        phrase(
            "unsupported_missing" if claim.missing else "unsupported",
            n=number,
            claims=len(claims),
            sentence=claim.sentence,
            missing=phrase("batch_gap").join(claim.missing),
        )
        for number, claim in enumerate(claims, start=1)
        if not claim.is_supported
    ]
