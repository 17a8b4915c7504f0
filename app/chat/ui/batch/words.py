"""Batches in words."""

from collections.abc import Sequence

from app.base.wording import phrase
from app.chat.batch.questions import QuestionFile, Skipped, column_name
from app.chat.services.batch import Ended
from app.documents import encodings
from app.uikit.localization import join_facts

SHOWN_SKIPPED = 3
COLUMN_CHARACTERS = 12


def facts(found: QuestionFile) -> str:
    """「質問 118 件　シート「一覧」」"""
    count = phrase("chat.n_questions", n=f"{len(found.questions):,}")
    sheet = phrase("chat.sheet_name", name=found.sheet) if found.sheet else ""
    codec = encodings.encoding_name(found.encoding) if found.encoding else ""
    blank = phrase("chat.n_empty_rows", n=f"{found.blank_lines:,}") if found.blank_lines else ""
    return join_facts(count, sheet, phrase("chat.encoding_name", name=codec) if codec else "", blank)


def skipped(rows: Sequence[Skipped]) -> str:
    """Which rows are no questions, and why; "" when all are."""
    if not rows:
        return ""
    first = [
        phrase("chat.row_line_reason", line=row.line, reason=phrase(f"chat.batch_reason.{row.reason}"))
        for row in rows[:SHOWN_SKIPPED]
    ]
    listed = phrase("common.batch_gap").join(first)
    if len(rows) > SHOWN_SKIPPED:
        listed = phrase("chat.rows_and_more", rows=listed)
    return phrase("chat.n_rows_are_no_questions", n=f"{len(rows):,}", rows=listed)


def columns(found: QuestionFile) -> list[str]:
    """As long as there is room for in the smallest window."""
    shown = [name if len(name) <= COLUMN_CHARACTERS else name[: COLUMN_CHARACTERS - 1] + "…" for name in found.columns]
    return [column_name(shown, column) for column in range(len(shown))]


def ended(result: Ended) -> str:
    """「資料にありません 12 件　要確認のある回答 8 件」; what did not occur is left out."""
    counts = (
        (phrase("chat.n_not_in_the_documents"), result.not_found),
        (phrase("chat.n_with_sentences_to_check"), result.doubtful),
        (phrase("chat.n_could_not_be_answered"), result.failed),
        (phrase("chat.n_rows_that_are_no"), result.skipped),
    )
    return join_facts(*(words.format(n=f"{count:,}") for words, count in counts if count))
