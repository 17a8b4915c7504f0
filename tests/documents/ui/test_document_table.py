"""The table of documents: sorted by the model itself, with the selection kept."""

import dataclasses

import pytest
from PySide6.QtCore import Qt

from app.documents.records import Document, ReadingReport
from app.documents.ui.document_lists import (
    NAME,
    PAGES,
    STATE,
    DocumentRole,
    DocumentTable,
    DocumentView,
    ShownDocuments,
)
from app.uikit.theme import Theme

DESCENDING = Qt.SortOrder.DescendingOrder


def document(number: int, name: str, *, state: str = "done", pages: int = 0) -> Document:
    report = ReadingReport(pages=pages)
    return Document(number, 1, f"/data/{name}", name, state, report=report)  # type: ignore[arg-type]


@pytest.fixture
def view(theme: Theme, qtbot) -> DocumentView:
    table = DocumentTable()
    made = DocumentView(theme, ShownDocuments(table))
    made._documents.setParent(made)
    table.setParent(made)
    qtbot.addWidget(made)
    table.set_documents(
        [document(1, "い.pdf", pages=3), document(2, "あ.pdf", pages=9), document(3, "う.pdf", pages=5)]
    )
    return made


def shown(view: DocumentView) -> list[int]:
    rows = [view._documents.index(row, NAME).data(DocumentRole) for row in range(view._documents.rowCount())]
    assert view._documents.documents() == rows
    return [one.id for one in rows]


def chosen(view: DocumentView) -> list[int]:
    return [one.id for one in view.selected_documents()]


def test_documents_are_sorted_by_any_column_and_those_alike_stay_as_they_were_given(view: DocumentView) -> None:
    assert shown(view) == [2, 1, 3]
    view.sortByColumn(PAGES, DESCENDING)
    assert shown(view) == [2, 3, 1]
    view.sortByColumn(STATE, DESCENDING)
    assert shown(view) == [1, 2, 3]
    view.sortByColumn(NAME, DESCENDING)
    assert shown(view) == [3, 1, 2]


def test_what_is_selected_stays_selected_when_the_order_changes(view: DocumentView) -> None:
    resets: list[int] = []
    view._documents.modelReset.connect(lambda: resets.append(1))
    view.choose({1, 3})
    view.sortByColumn(PAGES, DESCENDING)
    assert chosen(view) == [3, 1]
    view.sortByColumn(STATE, Qt.SortOrder.AscendingOrder)
    table, failed = view._documents.table, dataclasses.replace(table_document(view, 1), state="failed")
    table.set_documents([failed, table_document(view, 2), table_document(view, 3)])
    assert chosen(view) == [1, 3] or chosen(view) == [3, 1]
    assert table_document(view, 1).state == "failed"
    assert not resets


def table_document(view: DocumentView, document_id: int) -> Document:
    table = view._documents.table
    return next(one for row in range(table.rowCount()) if (one := table.document(row)).id == document_id)


def test_the_filter_leaves_the_order(view: DocumentView) -> None:
    view.sortByColumn(PAGES, DESCENDING)
    view._documents.set_words("い")
    assert shown(view) == [1]
    view._documents.set_words("")
    assert shown(view) == [2, 3, 1]
