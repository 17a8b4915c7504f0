"""Make the result of a request without a model."""

from collections.abc import Callable, Iterator
from pathlib import Path

from app.base.errors import AppError
from app.documents import whole_document
from app.documents.overview import edition_comparison, required_values, summary
from app.documents.overview.result_table import OverviewRequest, ResultTable
from app.documents.whole_document import WholeDocument


def make(
    documents: Path,
    request: OverviewRequest,
    report: Callable[[int, int], None],
    check: Callable[[], None] = lambda: None,
) -> ResultTable:
    """Return the result. `documents`: the path of the library's database. `report` (done, total) and `check` may raise
    to cancel. Raises AppError("document_not_readable" | "chapter_unknown")."""

    def load() -> Iterator[WholeDocument]:
        for document_id in request.document_ids:
            document = whole_document.load(documents, document_id, check)
            if document is not None and document.sections:
                yield document
            elif request.kind != "values":
                raise AppError("document_not_readable")

    if request.kind == "values":  # of any number of documents, so one at a time
        return required_values.list_values(load(), len(request.document_ids), request.title, report)
    first, *others = load()
    if request.kind == "comparison":
        return edition_comparison.compare(first, others[0], report)
    return summary.quote_clauses(first, summary.rows_of_chapter(first, request.chapter), report)
