"""Batches in words."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from app.base.wording import phrase
from app.chat.batch.questions import QuestionFile, Skipped, column_name
from app.chat.services.batch import Ended
from app.documents import encodings
from app.uikit.language import joined

translate = QCoreApplication.translate

SHOWN_SKIPPED = 3
COLUMN_CHARACTERS = 12


def facts(found: QuestionFile) -> str:
    """「質問 118 件　シート「一覧」」"""
    count = translate("Batch", "質問 {n} 件").format(n=f"{len(found.questions):,}")
    sheet = translate("Batch", "シート「{name}」").format(name=found.sheet) if found.sheet else ""
    codec = encodings.name_of(found.encoding) if found.encoding else ""
    blank = translate("Batch", "空の行 {n}").format(n=f"{found.blank_lines:,}") if found.blank_lines else ""
    return joined(count, sheet, translate("Batch", "文字コード {name}").format(name=codec) if codec else "", blank)


def skipped(rows: Sequence[Skipped]) -> str:
    """Which rows are no questions, and why; "" when all are."""
    if not rows:
        return ""
    first = [
        translate("Batch", "{line} 行目（{reason}）").format(line=row.line, reason=phrase(f"batch_reason_{row.reason}"))
        for row in rows[:SHOWN_SKIPPED]
    ]
    listed = phrase("batch_gap").join(first)
    if len(rows) > SHOWN_SKIPPED:
        listed = translate("Batch", "{rows} ほか").format(rows=listed)
    return translate("Batch", "{n} 行は質問にできません：{rows}。回答のファイルには、理由を付けて載せます。").format(
        n=f"{len(rows):,}", rows=listed
    )


def columns(found: QuestionFile) -> list[str]:
    """As long as there is room for in the smallest window."""
    shown = [name if len(name) <= COLUMN_CHARACTERS else name[: COLUMN_CHARACTERS - 1] + "…" for name in found.columns]
    return [column_name(shown, column) for column in range(len(shown))]


def ended(result: Ended) -> str:
    """「資料にありません 12 件　要確認のある回答 8 件」; what did not occur is left out."""
    counts = (
        (translate("Batch", "資料にありません {n} 件"), result.not_found),
        (translate("Batch", "要確認のある回答 {n} 件"), result.doubtful),
        (translate("Batch", "回答できなかった質問 {n} 件"), result.failed),
        (translate("Batch", "質問にできない行 {n} 行"), result.skipped),
    )
    return joined(*(words.format(n=f"{count:,}") for words, count in counts if count))
