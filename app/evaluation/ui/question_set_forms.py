"""Define the windows and forms for a question set: a change that becomes a version, its name and label, renaming."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from app.base import confidentiality
from app.base.confidentiality import LABELS, Label
from app.base.errors import AppError
from app.base.files.output_file import NAME_CHARACTERS_MAX
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.evaluation import question_sets
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.records import QuestionSet
from app.evaluation.ui import question_set_texts
from app.uikit.dialogs import Dialog, DialogButton, EditorWindow
from app.uikit.input_method import conversion_guard_of
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import labels as text
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import announce


class FormField(QWidget):
    def __init__(self, name: str, control: QWidget, sentence: str = "") -> None:
        super().__init__()
        self.control = control
        self._sentence = sentence
        control.setAccessibleName(name)
        control.setAccessibleDescription(sentence)
        title = text.Label(name, strong=True)
        title.setBuddy(control)
        self.problem = text.Label("", "caption", "danger", wraps=True)
        self.problem.hide()
        column = make_column(title, into=self, spacing_px=4)
        if sentence:
            column.addWidget(text.Label(sentence, "caption", "muted", wraps=True))
        column.addWidget(control)
        column.addWidget(self.problem)

    def show_problem(self, words: str) -> None:
        """Show a problem; "": there is none."""
        self.problem.setText(words)
        self.problem.setVisible(bool(words))
        self.control.setAccessibleDescription(join_facts(self._sentence, words))


StoreWork = Callable[[], QuestionSet]


class QuestionSetEditorWindow(EditorWindow):
    """A window that stays open until its change is stored.

    It runs the function that `work` returns, once `save_or_explain` finds nothing missing.
    """

    stored = Signal(object)  # QuestionSet

    def __init__(self, theme: Theme, parent: QWidget | None) -> None:
        super().__init__(theme, parent)
        self._is_storing = False
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shortcut = QShortcut(QKeySequence(Qt.KeyboardModifier.ControlModifier | key), self)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(self.submit)

    def work(self) -> StoreWork:
        """Return the function that stores the change.

        It runs in the background after `save_or_explain` found nothing missing.
        """
        raise NotImplementedError

    def submit(self) -> None:
        """Save as the button does; text still being converted by an input method is accepted first."""
        field = self.focusWidget()
        is_free = field is None or not field.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled)
        if is_free or conversion_guard_of(field).finish():
            self._on_save_clicked()

    def reject(self) -> None:
        if not self._is_storing:  # the window stays open while storing
            super().reject()

    def _on_save_clicked(self) -> None:
        if self._is_storing:
            return
        problem = self.save_or_explain()
        self._show_problem(problem)
        if not problem:
            self._set_storing(is_storing=True)
            background.run(self.work(), self._on_stored, self._on_refused)

    def _on_stored(self, question_set: QuestionSet) -> None:
        self._set_storing(is_storing=False)
        self._is_dirty = False
        self.stored.emit(question_set)
        self.accept()

    def _on_refused(self, error: AppError) -> None:
        self._set_storing(is_storing=False)
        self._show_problem(str(describe_error(question_set_texts.error_for_window(error))))

    def _set_storing(self, *, is_storing: bool) -> None:
        self._is_storing = is_storing
        for button in (self.save_button, self.cancel_button):
            button.setEnabled(not is_storing)


class NameForm(QWidget):
    """Asks for name and label.

    The name of an existing set adds a version to that set; with `is_new` it is refused.
    """

    changed = Signal()

    def __init__(self, sets: Sequence[StoredQuestionSet], name: str, floor: Label = LABELS[0], *, is_new: bool) -> None:
        """Fill the form. `floor`: the lowest label that the origin of the questions allows."""
        super().__init__()
        self._sets = sets
        self._floor = floor
        self._is_new = is_new
        self.name = QLineEdit(name)
        self.name.setMaxLength(NAME_CHARACTERS_MAX)
        self.note = text.Label("", "caption", "text2", wraps=True)
        self.label = QComboBox()
        self.label_note = text.Label("", "caption", "text2", wraps=True)
        self._build()
        self._fill_labels()
        self._show_effect()
        self.name.textChanged.connect(self._on_name_changed)
        self.label.activated.connect(lambda _: self.changed.emit())

    @property
    def existing(self) -> StoredQuestionSet | None:
        return question_sets.find_by_name(self._sets, self.name.text())

    @property
    def chosen_label(self) -> Label:
        return LABELS[LABELS.index(self.label.currentData())]

    @property
    def expected_sha256(self) -> str:
        """Return the argument `expected_sha256` for `question_sets.store`.

        It makes storing fail if the set has changed since the form was shown.
        """
        return self.existing.newest.sha256 if self.existing is not None else ""

    def check(self) -> str:
        """Show what is wrong with the name, and return that text; "" if the name is right."""
        self.field.show_problem(self._problem())
        return self.field.problem.text()

    def _build(self) -> None:
        self.field = FormField(phrase("evaluation.name_of_the_question_set"), self.name)
        sentence = phrase("evaluation.a_confidential_set_asks_before")
        self.label_field = FormField(phrase("common.batch_column.label"), self.label, sentence)
        self.label.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        make_column(self.field, self.note, 12, self.label_field, self.label_note, into=self, spacing_px=4)
        self.label_note.hide()

    def _problem(self) -> str:
        name, existing = self.name.text(), self.existing
        if existing is None or self._is_new:
            return _name_problem(name, existing)
        return _name_problem(existing.name) if existing.versions else phrase("evaluation.the_question_set_of_that")

    def _on_name_changed(self) -> None:
        self.field.show_problem("")
        self._fill_labels()
        self._show_effect()
        self.changed.emit()

    def _fill_labels(self) -> None:
        """Offer the labels that are allowed.

        A label below `floor`, or below that of the existing set, which the set keeps, is not allowed.
        """
        existing = self.existing
        floor = confidentiality.highest_label((self._floor, existing.label if existing is not None else self._floor))
        chosen = confidentiality.highest_label((floor, self.label.currentData() or confidentiality.DEFAULT_LABEL))
        self.label.clear()
        for key in LABELS[LABELS.index(floor) :]:
            self.label.addItem(phrase(f"common.label.{key}"), key)
        self.label.setCurrentIndex(self.label.findData(chosen))
        explanation = phrase("evaluation.the_content_it_is_made")
        self.label_note.setText(explanation.format(label=phrase(f"common.label.{floor}")) if floor != LABELS[0] else "")
        self.label_note.setVisible(floor != LABELS[0])

    def _show_effect(self) -> None:
        existing, words = self.existing, ""
        if existing is not None and existing.versions and not self._is_new:
            words = phrase("evaluation.this_question_set_exists_already", n=existing.newest.number + 1)
            announce(self, words)
        self.note.setText(words)
        self.note.setVisible(bool(words))


def _name_problem(name: str, stored_set: StoredQuestionSet | None = None) -> str:
    """Return a text on why no set can have the name; "" if one can. `stored_set`: an existing set of that name."""
    if not name.strip():
        return phrase("common.enter_a_name")
    if stored_set is not None:
        return phrase("evaluation.there_is_a_question_set")
    try:
        question_sets.checked_name(name)
    except AppError as error:
        return f"× {describe_error(error)}"
    return ""


class RenameDialog(Dialog):
    name_given = Signal(str)

    def __init__(self, theme: Theme, name: str, others: Sequence[StoredQuestionSet], parent: QWidget) -> None:
        self._others = others
        self.name = QLineEdit(name)
        self.name.setMaxLength(NAME_CHARACTERS_MAX)
        self.field = FormField(phrase("evaluation.name_of_the_question_set"), self.name)
        super().__init__(
            theme,
            phrase("evaluation.rename_the_question_set"),
            phrase("evaluation.results_so_far_keep_the"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("keep", phrase("evaluation.rename"), "primary", is_default=True),
            ),
            parent,
            content=self.field,
        )
        self.name.textChanged.connect(lambda: self.field.show_problem(""))
        self.name.selectAll()
        self.name.setFocus()

    def accept(self) -> None:
        name = self.name.text()
        problem = _name_problem(name, question_sets.find_by_name(self._others, name))
        self.field.show_problem(problem)
        self.fit_height()
        if problem:
            self.result_key = "cancel"
            self.name.setFocus()
        else:
            self.name_given.emit(name.strip())
            super().accept()
