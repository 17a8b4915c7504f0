"""One question with what is known of its right answer, written or changed."""

import dataclasses
from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QLineEdit, QWidget

from app.base.wording import phrase
from app.evaluation import question_sets
from app.evaluation.judge import marking
from app.evaluation.question_rows import NAME_CHARACTERS
from app.evaluation.records import Question
from app.evaluation.ui.sets import words
from app.evaluation.ui.sets.form import FormField
from app.evaluation.ui.sets.gold_form import GoldForm
from app.evaluation.ui.sets.name_form import NameForm
from app.evaluation.ui.sets.storing_window import StoringWindow, Work
from app.uikit.theme import Theme
from app.uikit.widgets.fields import CorrectedField
from app.uikit.widgets.labels import Label

TEXT_LINES, REFERENCE_LINES, WORD_LINES = (2, 6), (3, 10), (2, 6)

Prepare = Callable[[Question], Work]


class QuestionDialog(StoringWindow):
    """What of the question is not shown here (id, group, headings) stays as it is."""

    def __init__(
        self, theme: Theme, question: Question | None, prepare: Prepare, parent: QWidget, naming: NameForm | None = None
    ) -> None:
        """`question` None: a new one. `prepare`: gives the work that stores. `naming`: of a set that begins with it."""
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
        self._look()
        self._say_title(is_new=question is None)
        (self.text if naming is None else naming.name).setFocus()

    @property
    def question(self) -> Question:
        """As it is written; only where `save` finds nothing missing."""
        return dataclasses.replace(self._bare, gold=self.golds.golds())

    def save(self) -> str:
        """Marks what is missing at its field, and says how much."""
        wrong: list[QWidget] = []
        if self.naming is not None and self.naming.check():
            wrong.append(self.naming.name)
        wrong += self._check_question()
        if not wrong:
            return ""
        wrong[0].setFocus()
        return phrase("evaluation.put_right_what_is_marked")

    def work(self) -> Work:
        return self._prepare(self.question)

    # ------------------------------------------------------------------- private

    @property
    def _bare(self) -> Question:
        """Without what it rests on."""
        return dataclasses.replace(
            self._question,
            text=self.text.toPlainText().strip(),
            reference=self.reference.toPlainText().strip(),
            must_include=tuple(word for line in self.must_include.toPlainText().splitlines() if (word := line.strip())),
            gold=(),
            category=" ".join(self.category.text().split()),
            is_answerable=not self.unanswerable_box.isChecked(),
        )

    def _say_title(self, *, is_new: bool) -> None:
        if self.naming is not None:
            said = phrase("evaluation.write_the_first_question_to")
            self.set_words(phrase("evaluation.write_a_question_set"), said, phrase("evaluation.make_the_set"))
        elif is_new:
            self.set_words(
                phrase("evaluation.add_question"), phrase("evaluation.ctrl_enter_saves_too"), phrase("common.add")
            )
        else:
            self.set_words(
                phrase("evaluation.edit_question"), phrase("evaluation.ctrl_enter_saves_too"), phrase("common.save")
            )

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
        self._look()

    def _look(self) -> None:
        """What follows from what is written so far."""
        is_unanswerable = self.unanswerable_box.isChecked()
        explained = phrase("evaluation.saying_that_the_documents_do")
        if is_unanswerable:
            explained = phrase("evaluation.saying_that_the_documents_do_not_have")
        self.unanswerable_note.setText(explained)
        bare = self._bare
        self.scoring.setText(phrase("evaluation.without_a_reference_answer_or"))
        self.scoring.setVisible(bool(bare.text) and not marking.can_be_scored(bare))

    def _check_question(self) -> list[QWidget]:
        """The fields that have to be put right."""
        wrong: list[QWidget] = []
        bare = self._bare
        of_text = question_sets.why_unfit(Question("", bare.text))
        of_rest = "" if of_text else question_sets.why_unfit(bare)
        for field, code in ((self.text_field, of_text), (self.reference_field, of_rest)):
            field.show_problem(words.unfit(code) if code else "")
            wrong += [field.control] if code else []
        gold = self.golds.check()
        return [*wrong, gold] if gold is not None else wrong
