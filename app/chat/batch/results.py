"""The answer to one question of a file, and the form in which the journal keeps it."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from app.base.confidentiality import LABELS, Label, highest_label
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CitedSource, Grounding

Verdict = Literal["answered", "not_in_documents", "length", "failed"]


@dataclass(frozen=True, slots=True)
class Result:
    """`line`: where its question stands. `error`: why it failed, in words. Seconds are of this answer alone."""

    line: int
    verdict: Verdict
    answer: str = ""
    error_code: str = ""
    error: str = ""
    model: str = ""  # id
    label: Label = "internal"  # the highest of what was asked
    seed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    load_s: float = 0.0
    first_token_s: float = 0.0
    total_s: float = 0.0
    tokens_per_s: float = 0.0
    answered_at: float = 0.0  # seconds since 1970 (UTC)
    grounding: Grounding | None = None  # None: not asked of documents

    @property
    def sources(self) -> tuple[CitedSource, ...]:
        return self.grounding.sources if self.grounding else ()

    @property
    def doubts(self) -> int:
        """How many sentences have no source that says the same."""
        return sum(not claim.is_supported for claim in self.grounding.claims) if self.grounding else 0


def as_dict(result: Result) -> dict[str, Any]:
    return dataclasses.asdict(result)


def from_dict(data: dict[str, Any]) -> Result:
    """Raises ValueError for anything that `as_dict` has not made."""
    fields = dict(data)
    kept = fields.pop("grounding", None)
    if fields.get("verdict") not in get_args(Verdict) or fields.get("label") not in LABELS:
        raise ValueError("verdict or label")
    try:
        result = Result(**fields, grounding=grounding_record.from_dict(kept) if kept is not None else None)
    except TypeError as error:
        raise ValueError("not a result") from error
    if not isinstance(result.line, int) or not isinstance(result.answer, str):
        raise ValueError("line or answer")
    return result


def label_of(scope: Label, kept: Grounding | None) -> Label:
    """Of an answer: the highest of the collections that were asked and of the passages that were found."""
    return highest_label((scope, *(source.label for source in kept.sources))) if kept else scope
