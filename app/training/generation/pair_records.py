"""What passes from a model's reply to a row of the file, as frozen values.

Pairs that a planned training was asked to be given from a collection: kept until the draft has them.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.base.files import strict_json
from app.base.files.output_file import drive_error, write_atomically
from app.documents.records import Passage

REQUEST_FILE = "pairs.json"
LEAST_PAIRS, MOST_PAIRS = 10, 10_000  # pairs
USUAL_PAIRS = 200


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """`wanted`: pairs. `out`: the file that they are written to, in the draft's folder."""

    collection_id: int
    collection: str
    model_id: str
    wanted: int
    out: str
    seed: int = 0


def pairs_file(folder: Path, wish: GenerationRequest) -> Path:
    return folder / wish.out


def free_pairs_name(folder: Path) -> str:
    """Of a file of pairs that is not there yet."""
    number = 1
    while (folder / f"pairs-{number}.jsonl").exists():
        number += 1
    return f"pairs-{number}.jsonl"


def write_request(folder: Path, wish: GenerationRequest) -> None:
    """Raises AppError("draft_unwritable" | "drive_space")."""
    try:
        write_atomically(folder / REQUEST_FILE, json.dumps(asdict(wish), ensure_ascii=False).encode())
    except OSError as error:
        raise drive_error(error, folder, "draft_unwritable") from error


def read_request(folder: Path) -> GenerationRequest | None:
    """None where nothing is wanted, or nobody can read it."""
    try:
        return GenerationRequest(**strict_json.load_file(folder / REQUEST_FILE))
    except (OSError, ValueError, TypeError):
        return None


def delete_request(folder: Path) -> None:
    """The file of pairs stays."""
    (folder / REQUEST_FILE).unlink(missing_ok=True)


PARAPHRASE, UNANSWERABLE = "paraphrase", "unanswerable"  # categories beside the styles
QUESTION_MAX, ANSWER_MAX = 120, 400  # characters
SCORE_MIN, SCORE_MAX = 2, 3  # of the quality of a pair: what has less than the first is left out

# Why something that was asked for is no pair; each has its words in `[text.generation_CODE]`.
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
    """A pair as a model has written it. `category`: a style, PARAPHRASE or UNANSWERABLE, which has no quote."""

    passage: Passage
    category: str
    quote: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class QuestionAnswerPair:
    """A candidate that has passed every check. `score`: 0 to 3; None: nobody was asked (UNANSWERABLE)."""

    candidate: PairCandidate
    score: int | None = None


@dataclass(frozen=True, slots=True)
class PairWriter:
    """What has written the pairs. `seed`: of the passages' order."""

    model: str  # name
    sha256: str  # of its file; "": not known
    adapter: str = ""  # sha256 of its file; "": none
    seed: int = 0
    version: str = ""  # of Kotae
