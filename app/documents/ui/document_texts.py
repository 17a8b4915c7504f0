"""Format documents and collections as texts of the page 資料."""

from collections import Counter
from datetime import datetime

from app.base import wording
from app.base.errors import AppError
from app.base.wording import phrase
from app.documents import encodings
from app.documents.records import DOUBTFUL_GARBLED_SHARE, DOUBTFUL_NOTES, Document, ReadingReport, page_ranges
from app.uikit import localization

# Icon and colour of each state, in the order of sorting: documents that need attention first.
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
        "waiting": phrase("common.waiting"),
        "reading": phrase("documents.reading"),
        "done": phrase("common.done"),
        "doubtful": phrase("documents.needs_attention"),
        "failed": phrase("common.failed"),
    }[document.state]


def reading(done: int, total: int) -> str:
    if not total:
        return phrase("documents.reading")
    return phrase("documents.reading_a_b", a=f"{done:,}", b=f"{total:,}")


def problems(document: Document) -> int:
    """Return the number of problems: pages without text, garbled text, some notes of the reader, a failure."""
    report = document.report
    is_garbled = report.garbled_share > DOUBTFUL_GARBLED_SHARE
    noted = len(DOUBTFUL_NOTES.intersection(report.notes))
    return len(report.pages_without_text) + is_garbled + noted + (document.state == "failed")


def error(document: Document) -> wording.ErrorMessage | None:
    """Return why a document could not be read; None if it did not fail."""
    if document.state != "failed" or not document.error_code:
        return None
    return wording.describe_error(AppError(document.error_code, **document.error_facts))


def facts(document: Document) -> list[tuple[str, str]]:
    """Return the rows of the report that apply to the format; [] for a document that was never read."""
    report = document.report
    if not document.indexed_at:
        return []
    blank = pages(report.pages_without_text)
    none = phrase("common.none")
    day = datetime.fromtimestamp(document.indexed_at).date()
    return [
        (phrase("documents.pages_without_text"), (blank or none) if report.pages else ""),
        (phrase("documents.garbled_text_suspected"), share(report.garbled_share) or none),
        (phrase("documents.docs_report.headings"), f"{report.headings:,}"),
        (phrase("documents.docs_report.tables"), f"{report.tables:,}"),
        (phrase("common.characters"), f"{report.characters:,}"),
        (phrase("documents.docs_report.encoding"), encodings.encoding_name(report.encoding)),
        (
            phrase("documents.read_on"),
            localization.format_date(day),
        ),
    ]


def notes(report: ReadingReport) -> list[str]:
    """Return the notes of the reader as sentences."""
    removed = [wording.phrase("documents.docs_invisible", n=f"{report.invisible:,}")] if report.invisible else []
    return [*(wording.phrase(f"documents.document_note.{code}") for code in report.notes), *removed]


def pages(numbers: tuple[int, ...]) -> str:
    """Return the number of pages and a list of them: 12 ページ（3、5–8、…）; "" for none."""
    if not numbers:
        return ""
    ranges = page_ranges(numbers)
    comma = phrase("common.data_gap")
    listed = comma.join(ranges[:LISTED_PAGES])
    if len(ranges) > LISTED_PAGES:
        listed += f"{comma}…"
    return localization.with_note(phrase("documents.n_pages", n=f"{len(numbers):,}"), listed)


def share(part: float) -> str:
    """Return a share in per cent; "" for none."""
    if part <= 0:
        return ""
    return phrase("common.p", p="< 0.1" if part < 0.001 else f"{100 * part:.1f}")


def skipped(counts: Counter[str]) -> str:
    """Return the skipped files of a folder: 隠しファイル 2、対応していない形式 5; "" for none."""
    kinds = ("hidden", "lock", "link", "unknown", "name", "unreadable")
    comma = phrase("common.data_gap")
    return comma.join(f"{phrase(f'documents.skipped_files.{key}')} {counts[key]:,}" for key in kinds if counts[key])


def shorten(name: str, most: int = 14) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
