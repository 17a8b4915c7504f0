"""Format the states and problems of documents for the page 資料."""

from app.base.wording import phrase
from app.documents.collection_updates import RefreshResult
from app.documents.records import DOUBTFUL_GARBLED_SHARE, DOUBTFUL_NOTES, Document

# Icon and colour of each state, in the order of sorting: documents that need attention first.
STATES = {
    "failed": ("circle-x", "danger"),
    "doubtful": ("triangle-alert", "warning"),
    "reading": ("refresh-cw", "accent"),
    "waiting": ("ellipsis", "muted"),
    "done": ("circle-check", "success"),
}
RANKS = {state: rank for rank, state in enumerate(STATES)}


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


def changes(result: RefreshResult) -> str:
    facts = {"a": result.new, "b": result.changed, "c": len(result.removed_ids)}
    return phrase("documents.new_a_changed_b_gone", **facts)


def problems(document: Document) -> int:
    """Return the number of problems: pages without text, garbled text, some notes of the reader, a failure."""
    report = document.report
    is_garbled = report.garbled_share > DOUBTFUL_GARBLED_SHARE
    noted = len(DOUBTFUL_NOTES.intersection(report.notes))
    return len(report.pages_without_text) + is_garbled + noted + (document.state == "failed")
