"""What is asked of what, before a batch begins: the file of questions, its column, the documents, the target."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.chat.batch.questions import QuestionFile
from app.chat.ui.batch import words
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.uikit.localization import join_facts, label_name
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.form_rows import CheckRow
from app.uikit.widgets.labels import ElidedLabel, Label

PREVIEWED = 5  # questions
NAME_PX = 112
COLUMN_PX = 220


class Setup(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.out = Path()
        self._refs: list[CollectionRef] = []
        self._build()

    def show_file(self, found: QuestionFile, path: Path) -> None:
        self.name.setText(path.name)
        self.facts.setText(words.facts(found))
        self.columns.blockSignals(True)
        self.columns.clear()
        self.columns.addItems(words.columns(found))
        self.columns.setCurrentIndex(found.column)
        self.columns.blockSignals(False)
        self.columns.setEnabled(self.columns.count() > 1)
        skipped = words.skipped(found.skipped)
        self.skipped.setText(f"▲ {skipped}")
        self.skipped.setVisible(bool(skipped))
        for number, line in enumerate(self.preview):
            is_there = number < len(found.questions)
            line.setVisible(is_there)
            if is_there:
                question = found.questions[number]
                line.setText(phrase("chat.row_n_text", n=question.line, text=" ".join(question.text.split())))
        rest = len(found.questions) - PREVIEWED
        self.rest.setText(phrase("common.n_more", n=f"{rest:,}"))
        self.rest.setVisible(rest > 0)

    def show_target(self, out: Path) -> None:
        self.out = out
        self.target.setText(str(out))

    def show_model(self, name: str) -> None:
        self.model.setText(name or phrase("common.none_yet"))

    def show_collections(self, collections: Sequence[DocumentCollection], chosen: set[str]) -> None:
        """`chosen`: names, for those that are new here. What is marked already stays marked, and the rest unmarked."""
        kept = {ref.name for ref in self.scope()} | (chosen - {ref.name for ref in self._refs})
        while (item := self._scope_column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._refs = [CollectionRef(one.id, one.name) for one in collections]
        self._rows: list[CheckRow] = []
        for one in collections:
            facts = join_facts(phrase("chat.n_documents", n=f"{one.documents:,}"), label_name(one.label))
            row = CheckRow(one.name, facts, is_checked=one.name in kept)
            row.toggled.connect(self._show_scope)
            row.setContentsMargins(-12, -6, 0, 2)  # in line with what stands above and below
            self._rows.append(row)
            self._scope_column.addWidget(row)
            row.show()
        self._show_scope()

    def scope(self) -> tuple[CollectionRef, ...]:
        return tuple(ref for ref, row in zip(self._refs, self._rows, strict=True) if row.is_checked)

    # ------------------------------------------------------------------ private

    def _build(self) -> None:
        self._rows = []
        self.name = ElidedLabel(role="heading3")
        self.facts = Label(role="caption", tone="text2", wraps=True)
        self.other_button = Button(self._theme, phrase("chat.another_file"), "quiet", compact=True)
        self.columns = QComboBox()
        self.columns.setAccessibleName(phrase("chat.question_column_2"))
        self.columns.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.columns.setMinimumWidth(self._theme.px(COLUMN_PX))
        self.preview = [ElidedLabel(tone="text2") for _ in range(PREVIEWED)]
        self.rest = Label(role="caption", tone="muted")
        self.skipped = Label(tone="warning", wraps=True)
        self._scope_column = QVBoxLayout()
        self._scope_column.setSpacing(0)
        self.without = Label(phrase("chat.answered_without_documents_no_sources"), tone="text2", wraps=True)
        self.model = ElidedLabel()
        self.target = ElidedLabel()
        self.target_button = Button(self._theme, phrase("chat.change"), compact=True)
        self.start_button = Button(self._theme, phrase("chat.start"), "primary", "play")
        self._lay_out()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        column.addLayout(_row(self.name, self.other_button))
        column.addWidget(self.facts)
        column.addLayout(self._named(phrase("chat.question_column_2"), self.columns, stretches=False))
        previewed = QVBoxLayout()
        previewed.setSpacing(2)
        for line in (*self.preview, self.rest):
            previewed.addWidget(line)
        column.addLayout(self._named("", previewed))
        column.addLayout(self._named("", self.skipped))
        asked = QVBoxLayout()
        asked.setSpacing(2)
        asked.addLayout(self._scope_column)
        asked.addWidget(self.without)
        column.addLayout(self._named(phrase("chat.scope"), asked))
        column.addLayout(self._named(phrase("common.batch_column.model"), self.model))
        column.addLayout(self._named(phrase("chat.save_answers_to"), _row(self.target, self.target_button)))
        column.addSpacing(4)
        column.addWidget(self.start_button, 0, Qt.AlignmentFlag.AlignLeft)

    def _named(self, name: str, content: QWidget | QVBoxLayout | QHBoxLayout, *, stretches: bool = True) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(12)
        words = Label(name, tone="muted")
        words.setFixedWidth(self._theme.px(NAME_PX))
        is_line = isinstance(content, QComboBox | QHBoxLayout)
        row.addWidget(words, 0, Qt.AlignmentFlag.AlignVCenter if is_line else Qt.AlignmentFlag.AlignTop)
        if isinstance(content, QWidget):
            row.addWidget(content, 1)
        else:
            row.addLayout(content, 1)
        if not stretches:
            row.addStretch(1)
        return row

    def _show_scope(self) -> None:
        self.without.setVisible(not self.scope())


def _row(first: QWidget, second: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(12)
    row.addWidget(first, 1)
    row.addWidget(second)
    return row
