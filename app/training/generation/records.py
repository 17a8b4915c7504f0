"""What passes from a model's reply to a row of the file, as frozen values."""

from dataclasses import dataclass

from app.documents.records import Passage

PARAPHRASE, UNANSWERABLE = "paraphrase", "unanswerable"  # categories beside the styles
QUESTION_MAX, ANSWER_MAX = 120, 400  # characters
SCORE_MIN, SCORE_MAX = 2, 3  # of the quality of a pair: what has less than the first is left out

# Why something that was asked for is no pair; each has its words in `[text.generation_CODE]`.
REASONS = (
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
class Candidate:
    """A pair as a model has written it. `category`: a style, PARAPHRASE or UNANSWERABLE, which has no quote."""

    passage: Passage
    category: str
    quote: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate that has passed every check. `score`: 0 to 3; None: nobody was asked (UNANSWERABLE)."""

    candidate: Candidate
    score: int | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """What has written the pairs. `seed`: of the passages' order."""

    model: str  # name
    sha256: str  # of its file; "": not known
    adapter: str = ""  # sha256 of its file; "": none
    seed: int = 0
    version: str = ""  # of Kotae
