"""Define the stages of a pair from a model's reply to a line of the file, and the stored request to generate pairs.

A planned training keeps the request in its folder until its draft has imported the pairs.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.base import json_lines
from app.base.files import strict_json
from app.base.files.output_file import drive_errors, write_atomically
from app.documents.records import Passage

REQUEST_FILE = "pairs.json"
LEAST_PAIRS, MOST_PAIRS = 10, 10_000
USUAL_PAIRS = 200


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A request to generate pairs from a collection.

    `wanted`: number of pairs. `out`: name of the pairs' file in the draft's folder. `seed`: determines the order of
    passages.
    """

    collection_id: int
    collection: str
    model_id: str
    wanted: int
    out: str
    seed: int = 0


def write_request(folder: Path, request: GenerationRequest) -> None:
    """Store the request. Raises AppError("draft_unwritable" | "drive_space")."""
    with drive_errors(folder, "draft_unwritable"):
        write_atomically(folder / REQUEST_FILE, json.dumps(asdict(request), ensure_ascii=False).encode())


def read_request(folder: Path) -> GenerationRequest | None:
    """Return the stored request; None if there is none or it is unreadable."""
    try:
        return json_lines.convert(strict_json.load_file(folder / REQUEST_FILE), GenerationRequest)
    except (OSError, ValueError):
        return None


PARAPHRASE, UNANSWERABLE = "paraphrase", "unanswerable"  # categories that are not styles
QUESTION_MAX, ANSWER_MAX = 120, 400  # maximum characters
SCORE_MIN, SCORE_MAX = 2, 3  # quality scores; a pair below SCORE_MIN is rejected

# Reasons to reject a pair; each code has a text of its own.
REJECTION_REASONS = (
    "failed",
    "unreadable",
    "quote_too_short",
    "quote_not_in_passage",
    "question_empty",
    "question_too_short",
    "question_too_long",
    "not_a_question",
    "refers_to_text",
    "example_copied",
    "off_topic",
    "answer_asks",
    "answer_too_short",
    "answer_too_long",
    "broken",
    "not_japanese",
    "question_has_answer",
    "number_not_in_quote",
    "not_supported",
    "answerable_after_all",
    "unreadable_score",
    "low_quality",
    "near_duplicate",
)


@dataclass(frozen=True, slots=True)
class PairCandidate:
    """A pair as a model wrote it. `category`: a style's key, PARAPHRASE, or UNANSWERABLE (then `quote` is "")."""

    passage: Passage
    category: str
    quote: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class QuestionAnswerPair:
    """A candidate that passed every check. `score`: 0 to 3; None for UNANSWERABLE pairs, which get no score."""

    candidate: PairCandidate
    score: int | None = None


@dataclass(frozen=True, slots=True)
class PairWriter:
    """The model that wrote the pairs. `seed`: the seed of the passages' order."""

    model: str  # name of the model
    sha256: str  # hash of the model file; "": unknown
    adapter: str = ""  # hash of the adapter file; "": none
    seed: int = 0
    version: str = ""  # version of Kotae
