"""Documents and collections in words, as the page 資料 says them."""

from collections import Counter
from datetime import datetime

from PySide6.QtCore import QCoreApplication

from app.base import wording
from app.base.errors import AppError
from app.documents import encodings
from app.documents.records import DOUBTFUL_GARBLED_SHARE, DOUBTFUL_NOTES, Document, Report, page_ranges
from app.uikit import language

translate = QCoreApplication.translate

# Icon and colour of each state, and where it stands when sorted: what needs a person first.
STATES = {
    "failed": ("circle-x", "danger"),
    "doubtful": ("triangle-alert", "warning"),
    "reading": ("refresh-cw", "accent"),
    "waiting": ("ellipsis", "muted"),
    "done": ("circle-check", "success"),
}
RANKS = {state: rank for rank, state in enumerate(STATES)}
LISTED_PAGES = 12


def state(document: Document) -> str:
    return {
        "waiting": translate("Documents", "待機"),
        "reading": translate("Documents", "読み取り中"),
        "done": translate("Documents", "完了"),
        "doubtful": translate("Documents", "要確認"),
        "failed": translate("Documents", "失敗"),
    }[document.state]


def reading(done: int, total: int) -> str:
    if not total:
        return translate("Documents", "読み取り中")
    return translate("Documents", "読み取り中 {a}／{b}").format(a=f"{done:,}", b=f"{total:,}")


def problems(document: Document) -> int:
    """What a person should look at: pages without text, garbled text, some of what readers note, a failure."""
    report = document.report
    is_garbled = report.garbled_share > DOUBTFUL_GARBLED_SHARE
    noted = len(DOUBTFUL_NOTES.intersection(report.notes))
    return len(report.pages_without_text) + is_garbled + noted + (document.state == "failed")


def error(document: Document) -> wording.Sentence | None:
    """Why it could not be read."""
    if document.state != "failed" or not document.error_code:
        return None
    return wording.describe_error(AppError(document.error_code, **document.error_facts))


def facts(document: Document) -> list[tuple[str, str]]:
    """Of the report, without what does not apply to the format; [] for what was never read."""
    report = document.report
    if not document.indexed_at:
        return []
    blank = pages(report.pages_without_text)
    none = translate("Documents", "なし")
    day = datetime.fromtimestamp(document.indexed_at).date()
    return [
        (translate("Documents", "文字のないページ"), (blank or none) if report.pages else ""),
        (translate("Documents", "文字化けの疑い"), share(report.garbled_share) or none),
        (translate("Documents", "見出し"), f"{report.headings:,}"),
        (translate("Documents", "表"), f"{report.tables:,}"),
        (translate("Documents", "文字数"), f"{report.characters:,}"),
        (translate("Documents", "文字コード"), encodings.name_of(report.encoding)),
        (
            translate("Documents", "読み取った日"),
            language.full_date(day),
        ),
    ]


def notes(report: Report) -> list[str]:
    """What else was noticed, in sentences."""
    removed = [wording.phrase("docs_invisible", n=f"{report.invisible:,}")] if report.invisible else []
    return [*(wording.phrase(f"note_{code}") for code in report.notes), *removed]


def pages(numbers: tuple[int, ...]) -> str:
    """How many, and which: 12 ページ（3、5–8、…）; "" for none."""
    if not numbers:
        return ""
    ranges = page_ranges(numbers)
    comma = translate("Documents", "、")
    listed = comma.join(ranges[:LISTED_PAGES])
    if len(ranges) > LISTED_PAGES:
        listed += f"{comma}…"
    return language.noted(translate("Documents", "{n} ページ").format(n=f"{len(numbers):,}"), listed)


def share(part: float) -> str:
    """In per cent; "" for none."""
    if part <= 0:
        return ""
    return translate("Documents", "{p} %").format(p="< 0.1" if part < 0.001 else f"{100 * part:.1f}")


def skipped(counts: Counter[str]) -> str:
    """What a folder holds and was not taken: 隠しファイル 2、対応していない形式 5; "" for nothing."""
    names = {
        "hidden": translate("Documents", "隠しファイル"),
        "lock": translate("Documents", "編集中の一時ファイル"),
        "link": translate("Documents", "フォルダの外へのリンク"),
        "unknown": translate("Documents", "対応していない形式"),
        "name": translate("Documents", "文字にならない名前"),
        "unreadable": translate("Documents", "読めないもの"),
    }
    comma = translate("Documents", "、")
    return comma.join(f"{name} {counts[key]:,}" for key, name in names.items() if counts[key])


def short(name: str, most: int = 14) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
