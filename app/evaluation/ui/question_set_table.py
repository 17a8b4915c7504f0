"""Show the questions of one version of a set as a table, with search, keyboard, mouse and menu, and the head above it.

The head shows the set's name, the version, and how many questions have a right answer.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QSizePolicy,
    QWidget,
)

from app.base.wording import phrase
from app.evaluation.question_sets import QuestionSetVersion, StoredQuestionSet
from app.evaluation.records import Question
from app.evaluation.ui import question_set_texts
from app.uikit.localization import format_past_day, join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, Label, plain_tooltip
from app.uikit.widgets.tables import SIDE_PX, ColumnDelegate, ColumnTable

TEXT, REFERENCE, CATEGORY, ANSWERABLE = range(4)
COLUMNS = 4
TIP_CHARACTERS = 400

QuestionRole = Qt.ItemDataRole.UserRole

Index = QModelIndex | QPersistentModelIndex


def searchable(question: Question) -> str:
    """Return the text of a question in which a search looks for words."""
    parts = (question.text, question.reference, *question.must_include, question.category, question.group)
    return _plain("\n".join(parts))


class QuestionTableModel(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._all: Sequence[Question] = ()
        self._searchable: Sequence[str] = ()
        self._query = ""
        self._shown: list[int] = []

    def show_questions(self, questions: Sequence[Question], texts: Sequence[str]) -> None:
        """Show the questions. `texts`: the result of `searchable` for each."""
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
        """Return the row of a question; -1 if it is not shown."""
        return next((row for row, place in enumerate(self._shown) if self._all[place].id == id), -1)

    # ------------------------------------------------------------- methods for Qt

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
            text = question.shown_reference if index.column() == REFERENCE else question.text
            return plain_tooltip(text[:TIP_CHARACTERS]) if index.column() <= REFERENCE else None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            if index.column() != TEXT:
                return self._cell(question, index.column()) or phrase("common.none")
            return join_facts(*(self._cell(question, column) for column in range(COLUMNS)))
        return None

    def _cell(self, question: Question, column: int) -> str:
        if column == ANSWERABLE:
            return phrase("evaluation.yes") if question.is_answerable else phrase("evaluation.no")
        if column == REFERENCE:
            return question_set_texts.one_line(question.shown_reference)
        return question_set_texts.one_line(question.text if column == TEXT else question.category)

    def _filter(self) -> None:
        query = self._query
        self._shown = [place for place, text in enumerate(self._searchable) if query in text]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


WIDTHS_PX = {CATEGORY: 128, ANSWERABLE: 112}
LEAST_PX = {CATEGORY: 640, ANSWERABLE: 460, REFERENCE: 360}  # the column is hidden in a table below this width


class QuestionDelegate(ColumnDelegate):
    def _draw_cell(self, painter: QPainter, area: QRect, index: Index) -> None:
        theme, column = self._theme, index.column()
        is_unanswerable = column == ANSWERABLE and not index.data(QuestionRole).is_answerable
        tone = "text" if column == TEXT or is_unanswerable else "text2"
        list_rows.draw_text(painter, theme, area, index.data(), "ui", tone, weight=600 if is_unanswerable else 400)
        line = QRect(area.left() - SIDE_PX, area.bottom(), area.width() + 2 * SIDE_PX, 1)
        painter.fillRect(line, theme.color("line"))


class QuestionTable(ColumnTable):
    """The table of questions: Up and Down move, Enter edits, Delete deletes (which can be undone)."""

    edit_requested = Signal()
    remove_requested = Signal()

    def __init__(self, theme: Theme, table_model: QuestionTableModel) -> None:
        super().__init__(
            theme, table_model, QuestionDelegate, phrase("evaluation.list_of_questions"), WIDTHS_PX, LEAST_PX
        )
        self._table_model = table_model
        self.setAccessibleDescription(phrase("evaluation.enter_edits_delete_removes"))
        self.setMinimumHeight(theme.px(120))
        self.doubleClicked.connect(lambda: self.edit_requested.emit())

    @property
    def current(self) -> Question | None:
        return self._table_model.question(self.currentIndex().row())

    def selected_questions(self) -> list[Question]:
        """Return the selected questions from top to bottom."""
        return [question for row in self.selected_rows() if (question := self._table_model.question(row)) is not None]

    def choose_row(self, row: int) -> None:
        """Select the row `row`, or the nearest one that exists."""
        last = self._table_model.rowCount() - 1
        if last >= 0:
            self.setCurrentIndex(self._table_model.index(max(0, min(row, last)), TEXT))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            if not event.isAutoRepeat():
                self.edit_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            if not event.isAutoRepeat():
                self.remove_requested.emit()
        else:
            super().keyPressEvent(event)


ARROW_PX = 72  # width of the version list around its text


class SetHead(QWidget):
    version_chosen = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.title = ElidedLabel("", "heading2")
        self.facts = Label("", tone="text2", wraps=True)
        self.known_answers = Label("", tone="text2", wraps=True)
        self.not_scored = Label("", tone="warning", wraps=True)
        self.versions = QComboBox()
        self.versions.setAccessibleName(phrase("common.version"))
        self.versions.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._build()
        self.versions.activated.connect(lambda _: self.version_chosen.emit(self.versions.currentData()))

    def show_name(self, name: str) -> None:
        """Show only the name, before the set is read."""
        self.title.setText(name)
        for part in (self.facts, self.known_answers, self.not_scored, self.versions):
            part.hide()

    def show_version(
        self, stored_set: StoredQuestionSet, version: QuestionSetVersion, questions: Sequence[Question] | None
    ) -> None:
        """Show a version; `questions` None: the version is damaged."""
        self.title.setText(stored_set.name)
        made = phrase("common.data_gap").join(
            part for part in (question_set_texts.version_time(version), version.source) if part
        )
        facts = join_facts(
            phrase("evaluation.n_questions", n=f"{version.count:,}"),
            phrase(f"common.label.{stored_set.label}"),
            with_note(question_set_texts.version_name(version.number), made),
        )
        known_questions = questions or ()
        for label, text in (
            (self.facts, facts),
            (self.known_answers, question_set_texts.known_answers(known_questions)),
            (self.not_scored, question_set_texts.not_scored_warning(known_questions)),
        ):
            label.setText(text)
            label.setVisible(bool(text))
        self._fill_versions(stored_set, version)

    def _build(self) -> None:
        for label in (self.facts, self.known_answers, self.not_scored):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = make_row((self.title, 1), self.versions, spacing_px=8)
        make_column(row, self.facts, self.known_answers, self.not_scored, into=self, spacing_px=4)

    def _fill_versions(self, stored_set: StoredQuestionSet, set_version: QuestionSetVersion) -> None:
        """List the versions, newest first."""
        self.versions.clear()
        for version in reversed(stored_set.versions):
            newest = phrase("evaluation.newest") if version is stored_set.newest else format_past_day(version.made_at)
            self.versions.addItem(with_note(question_set_texts.version_name(version.number), newest), version.number)
        self.versions.setCurrentIndex(self.versions.findData(set_version.number))
        texts = [self.versions.itemText(at) for at in range(self.versions.count())]
        widest = max(map(self.versions.fontMetrics().horizontalAdvance, texts))
        self.versions.setMinimumWidth(widest + self._theme.px(ARROW_PX))  # Qt ignores the padding of the style sheet
        self.versions.setVisible(len(stored_set.versions) > 1)
