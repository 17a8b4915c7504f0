"""Show the dialog to write or change a question with its right answer, and the gold quotes that support the answer."""

import dataclasses
import unicodedata
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QLineEdit, QSizePolicy, QWidget

from app.base.wording import phrase
from app.evaluation import question_sets
from app.evaluation.judge import rule_scoring
from app.evaluation.question_rows import NAME_CHARACTERS
from app.evaluation.records import Gold, Question
from app.evaluation.ui import question_set_texts
from app.evaluation.ui.question_set_forms import FormField, NameForm, QuestionSetEditorWindow, StoreWork
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.fields import CorrectedField
from app.uikit.widgets.labels import Label

QUOTE_LINES = (2, 6)
PAGE_DIGITS = 6
PAGE_PX = 96


class GoldRow(QWidget):
    """Edits one gold quote with its document and page. The quote's headings are not shown, and are kept."""

    changed = Signal()

    def __init__(self, theme: Theme, gold: Gold) -> None:
        super().__init__()
        self._gold = gold
        self.quote = CorrectedField(theme, phrase("evaluation.quote"), *QUOTE_LINES)
        self.quote.setPlainText(gold.quote)
        self.quote.setPlaceholderText(phrase("evaluation.copy_the_words_as_they"))
        self.document = _named_field(phrase("evaluation.document"), gold.document, NAME_CHARACTERS)
        page = str(gold.page) if gold.page else ""
        self.page = _named_field(phrase("common.batch_column.page"), page, PAGE_DIGITS)
        self.page.setFixedWidth(theme.px(PAGE_PX))
        self.remove_button = IconButton(theme, "x", phrase("evaluation.remove_this_evidence"))
        self.problem = Label("", "caption", "danger", wraps=True)
        self.problem.hide()
        where = make_row((self.document, 1), self.page, self.remove_button, spacing_px=8)
        make_column(self.quote, where, self.problem, into=self, spacing_px=6)
        for field_changed in (self.quote.textChanged, self.document.textChanged, self.page.textChanged):
            field_changed.connect(self._on_changed)

    @property
    def is_empty(self) -> bool:
        return not (self._quote or self.document.text().strip() or self.page.text().strip())

    def gold(self) -> Gold:
        """Return the quote as written; it is valid only if `check` returns None."""
        document = " ".join(self.document.text().split())
        return dataclasses.replace(self._gold, quote=self._quote, document=document, page=int(self._page or 0))

    def check(self) -> QWidget | None:
        """Show what must be corrected, and return the field to correct; None if everything is right."""
        words, page = "", self._page
        field: QWidget | None = None
        if not self.is_empty and not self._quote:
            words, field = phrase("evaluation.write_the_quote_or_remove"), self.quote
        elif page and not (page.isascii() and page.isdigit()):
            words, field = phrase("evaluation.write_the_page_as_a"), self.page
        self.problem.setText(words)
        self.problem.setVisible(bool(words))
        return field

    @property
    def _quote(self) -> str:
        return self.quote.toPlainText().strip()

    @property
    def _page(self) -> str:
        return unicodedata.normalize("NFKC", self.page.text().strip())

    def _on_changed(self) -> None:
        self.problem.hide()
        self.changed.emit()


def _named_field(name: str, text: str, most: int) -> QLineEdit:
    field = QLineEdit(text)
    field.setMaxLength(most)
    field.setAccessibleName(name)
    field.setPlaceholderText(name)
    return field


class GoldForm(QWidget):
    changed = Signal()

    def __init__(
        self, theme: Theme, golds: tuple[Gold, ...], submit: Callable[[], None], cancel: Callable[[], None]
    ) -> None:
        """Create a row for each quote. `submit`, `cancel`: called for the keys of these commands in a quote's field."""
        super().__init__()
        self._theme = theme
        self._submit, self._cancel = submit, cancel
        self.rows: list[GoldRow] = []
        self.add_button = Button(theme, phrase("evaluation.add_evidence"), "quiet", "plus", compact=True)
        self._rows = make_column(spacing_px=12)
        self._build()
        for gold in golds or (Gold(""),):
            self._add(gold)

    def golds(self) -> tuple[Gold, ...]:
        return tuple(row.gold() for row in self.rows if not row.is_empty)

    def check(self) -> QWidget | None:
        """Return the first field that must be corrected; None if everything is right."""
        found = [field for row in self.rows if (field := row.check()) is not None]
        return found[0] if found else None

    def _build(self) -> None:
        title = Label(phrase("evaluation.quotes_as_evidence"), strong=True)
        sentence = phrase("evaluation.words_of_a_document_that")
        words = Label(sentence, "caption", "muted", wraps=True)
        words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        make_column(title, words, self._rows, (self.add_button, 0, Qt.AlignmentFlag.AlignLeft), into=self, spacing_px=4)
        self.add_button.clicked.connect(lambda: self._add(Gold("")).quote.setFocus())

    def _add(self, gold: Gold) -> GoldRow:
        row = GoldRow(self._theme, gold)
        row.changed.connect(self.changed)
        row.quote.submitted.connect(self._submit)
        row.quote.cancelled.connect(self._cancel)
        row.remove_button.clicked.connect(lambda: self._remove(row))
        self.rows.append(row)
        self._rows.addWidget(row)
        return row

    def _remove(self, row: GoldRow) -> None:
        self.rows.remove(row)
        row.hide()
        row.deleteLater()
        self.add_button.setFocus()
        self.changed.emit()


TEXT_LINES, REFERENCE_LINES, WORD_LINES = (2, 6), (3, 10), (2, 6)

Prepare = Callable[[Question], StoreWork]


class QuestionDialog(QuestionSetEditorWindow):
    """Edits a question. The question's id and group and its quotes' headings are not shown, and are kept."""

    def __init__(
        self, theme: Theme, question: Question | None, prepare: Prepare, parent: QWidget, naming: NameForm | None = None
    ) -> None:
        """Fill the form. `question` None: a new question.

        `prepare`: returns the function that stores the question. `naming`: the form for the name of a new set.
        """
        super().__init__(theme, parent)
        self._question = question or Question("", "", origin="written")
        self._prepare = prepare
        self.naming = naming
        self.text = CorrectedField(theme, "", *TEXT_LINES)
        self.reference = CorrectedField(theme, "", *REFERENCE_LINES)
        self.must_include = CorrectedField(theme, "", *WORD_LINES)
        self.category = QLineEdit()
        self.category.setMaxLength(NAME_CHARACTERS)
        self.unanswerable_box = QCheckBox(phrase("evaluation.the_documents_do_not_answer_this_question"))
        self.unanswerable_note = Label("", "caption", "muted", wraps=True)
        self.golds = GoldForm(theme, self._question.gold, self.submit, self.reject)
        self.scoring = Label("", "caption", "warning", wraps=True)
        self._write()
        self._fill()
        self._listen()
        self._show_notes()
        self._set_title(is_new=question is None)
        (self.text if naming is None else naming.name).setFocus()

    @property
    def question(self) -> Question:
        """Return the question as written; it is valid only if `save_or_explain` returns ""."""
        return dataclasses.replace(self._question_without_quotes, gold=self.golds.golds())

    def save_or_explain(self) -> str:
        """Mark each missing field, and return a sentence about them; "" if nothing is missing."""
        wrong: list[QWidget] = []
        if self.naming is not None and self.naming.check():
            wrong.append(self.naming.name)
        wrong += self._check_question()
        if not wrong:
            return ""
        wrong[0].setFocus()
        return phrase("evaluation.put_right_what_is_marked")

    def work(self) -> StoreWork:
        return self._prepare(self.question)

    @property
    def _question_without_quotes(self) -> Question:
        """Return the question without gold quotes."""
        return dataclasses.replace(
            self._question,
            text=self.text.toPlainText().strip(),
            reference=self.reference.toPlainText().strip(),
            must_include=tuple(word for line in self.must_include.toPlainText().splitlines() if (word := line.strip())),
            gold=(),
            category=" ".join(self.category.text().split()),
            is_answerable=not self.unanswerable_box.isChecked(),
        )

    def _set_title(self, *, is_new: bool) -> None:
        sentence = phrase("evaluation.ctrl_enter_saves_too")
        if self.naming is not None:
            sentence = phrase("evaluation.write_the_first_question_to")
            self.set_words(phrase("evaluation.write_a_question_set"), sentence, phrase("evaluation.make_the_set"))
        elif is_new:
            self.set_words(phrase("evaluation.add_question"), sentence, phrase("common.add"))
        else:
            self.set_words(phrase("evaluation.edit_question"), sentence, phrase("common.save"))

    def _write(self) -> None:
        one = self._question
        self.text.setPlainText(one.text)
        self.reference.setPlainText(one.reference)
        self.must_include.setPlainText("\n".join(one.must_include))
        self.category.setText(one.category)
        self.unanswerable_box.setChecked(not one.is_answerable)

    def _fill(self) -> None:
        explained = phrase("evaluation.the_models_that_are_compared")
        self.text_field = FormField(phrase("evaluation.question_required"), self.text, explained)
        explained = phrase("evaluation.an_example_of_a_right")
        self.reference_field = FormField(phrase("evaluation.question_column.reference"), self.reference, explained)
        explained = phrase("evaluation.words_that_every_right_answer")
        self.words_field = FormField(phrase("evaluation.question_column.must_include"), self.must_include, explained)
        explained = phrase("evaluation.inspection_fees_and_so_on")
        self.category_field = FormField(phrase("evaluation.question_column.category"), self.category, explained)
        self.unanswerable_box.setAccessibleDescription(phrase("evaluation.saying_that_the_documents_do"))
        if self.naming is not None:
            self.column.addWidget(self.naming)
        scored: tuple[QWidget, ...] = (self.text_field, self.reference_field, self.words_field, self.scoring)
        for part in (*scored, self.unanswerable_box, self.unanswerable_note, self.golds, self.category_field):
            self.column.addWidget(part)
        self.column.setSpacing(14)
        self.column.addStretch(1)

    def _listen(self) -> None:
        for field in (self.text, self.reference, self.must_include):
            field.textChanged.connect(self._on_changed)
            field.submitted.connect(self.submit)
            field.cancelled.connect(self.reject)
        self.golds.changed.connect(self._on_changed)
        self.category.textChanged.connect(self._on_changed)
        self.unanswerable_box.toggled.connect(self._on_changed)
        if self.naming is not None:
            self.naming.changed.connect(self.note_change)

    def _on_changed(self) -> None:
        self.note_change()
        for field in (self.text_field, self.reference_field):
            field.show_problem("")
        self._show_notes()

    def _show_notes(self) -> None:
        """Show the notes that depend on the current input."""
        is_unanswerable = self.unanswerable_box.isChecked()
        explained = phrase("evaluation.saying_that_the_documents_do")
        if is_unanswerable:
            explained = phrase("evaluation.saying_that_the_documents_do_not_have")
        self.unanswerable_note.setText(explained)
        bare = self._question_without_quotes
        self.scoring.setText(phrase("evaluation.without_a_reference_answer_or"))
        self.scoring.setVisible(bool(bare.text) and not rule_scoring.can_be_scored(bare))

    def _check_question(self) -> list[QWidget]:
        """Mark and return the fields that must be corrected."""
        wrong: list[QWidget] = []
        bare = self._question_without_quotes
        of_text = question_sets.unfit_code(Question("", bare.text))
        of_rest = "" if of_text else question_sets.unfit_code(bare)
        for field, code in ((self.text_field, of_text), (self.reference_field, of_rest)):
            field.show_problem(question_set_texts.unfit_reason(code) if code else "")
            wrong += [field.control] if code else []
        gold = self.golds.check()
        return [*wrong, gold] if gold is not None else wrong
