"""The questions of one version of a set as a table, all of them or those that a search finds."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from app.base.wording import phrase
from app.evaluation.records import Question
from app.evaluation.ui.sets import words
from app.uikit.localization import join_facts
from app.uikit.widgets.labels import plain_tooltip

TEXT, REFERENCE, CATEGORY, ANSWERABLE = range(4)
COLUMNS = 4
TIP_CHARACTERS = 400

QuestionRole = Qt.ItemDataRole.UserRole

Index = QModelIndex | QPersistentModelIndex


def searchable(question: Question) -> str:
    """What a search looks through."""
    parts = (question.text, question.reference, *question.must_include, question.category, question.group)
    return _plain("\n".join(parts))


class Questions(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._all: Sequence[Question] = ()
        self._searchable: Sequence[str] = ()
        self._query = ""
        self._shown: list[int] = []

    def show_questions(self, questions: Sequence[Question], texts: Sequence[str]) -> None:
        """`texts`: the `searchable` of each."""
        self.beginResetModel()
        self._all, self._searchable = questions, texts
        self._filter()
        self.endResetModel()

    def search(self, query: str) -> None:
        if _plain(query) != self._query:
            self.beginResetModel()
            self._query = _plain(query)
            self._filter()
            self.endResetModel()

    @property
    def total(self) -> int:
        return len(self._all)

    def question(self, row: int) -> Question | None:
        return self._all[self._shown[row]] if 0 <= row < len(self._shown) else None

    def row_of(self, id: str) -> int:
        """-1: it is not shown."""
        return next((row for row, place in enumerate(self._shown) if self._all[place].id == id), -1)

    # --------------------------------------------------------------- what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else COLUMNS

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | None:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return (
            phrase("evaluation.question"),
            phrase("evaluation.question_column.reference"),
            phrase("evaluation.question_column.category"),
            phrase("evaluation.in_documents"),
        )[section]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        question = self.question(index.row())
        if question is None:
            return None
        if role == QuestionRole:
            return question
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(question, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            text = (question.text, question.reference)[index.column() == REFERENCE]
            return plain_tooltip(text[:TIP_CHARACTERS]) if index.column() <= REFERENCE else None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            if index.column() != TEXT:
                return self._cell(question, index.column())
            return join_facts(*(self._cell(question, column) for column in range(COLUMNS)))
        return None

    # ------------------------------------------------------------------- private

    def _cell(self, question: Question, column: int) -> str:
        if column == ANSWERABLE:
            return phrase("evaluation.yes") if question.is_answerable else phrase("evaluation.no")
        return words.one_line((question.text, question.reference, question.category)[column])

    def _filter(self) -> None:
        query = self._query
        self._shown = [place for place, text in enumerate(self._searchable) if query in text]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
