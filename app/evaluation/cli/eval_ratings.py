"""The scores of people, as commands that hold a judge against them read them."""

from collections.abc import Sequence
from pathlib import Path

from app.base.cli.commands import Output
from app.base.wording import phrase
from app.evaluation.judge import ratings
from app.evaluation.judge.ratings import Ratings, Skipped
from app.evaluation.records import Question

SHOWN_ROWS = 20  # on the terminal
REASONS = ("not_score", "no_answer", "unknown_question")


def read(path: Path, questions: Sequence[Question], output: Output) -> Ratings:
    """Told are how many scores count, and the rows that do not, with why. Raises AppError as `ratings.read`."""
    found = ratings.read(path, questions)
    output.note("evaluation.ratings_used", name=path.name, count=len(found.cases))
    empty = sum(row.reason == "not_rated" for row in found.skipped)
    if empty:
        output.note("evaluation.ratings_empty", count=empty)
    wrong = [row for row in found.skipped if row.reason != "not_rated"]
    for row in wrong[:SHOWN_ROWS]:
        output.note("evaluation.ratings_skipped", line=row.line, reason=_reason(row))
    if len(wrong) > SHOWN_ROWS:
        output.note("evaluation.ratings_skipped_more", count=len(wrong) - SHOWN_ROWS)
    return found


def _reason(row: Skipped) -> str:
    reason = phrase(f"evaluation.rating_{row.reason}" if row.reason in REASONS else f"common.data_bad.{row.reason}")
    return phrase("evaluation.questions_reason_detail", reason=reason, detail=row.detail) if row.detail else reason
