"""Define the window for a change that becomes a version of a question set, and the form field that it uses."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error
from app.evaluation.records import QuestionSet
from app.evaluation.ui.sets import question_set_texts
from app.uikit.editor_window import EditorWindow
from app.uikit.input_method import conversion_guard_of
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import Label


class FormField(QWidget):
    def __init__(self, name: str, control: QWidget, sentence: str = "") -> None:
        super().__init__()
        self.control = control
        self._sentence = sentence
        control.setAccessibleName(name)
        control.setAccessibleDescription(sentence)
        title = Label(name, strong=True)
        title.setBuddy(control)
        self.problem = Label("", "caption", "danger", wraps=True)
        self.problem.hide()
        column = make_column(title, into=self, spacing_px=4)
        if sentence:
            column.addWidget(Label(sentence, "caption", "muted", wraps=True))
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
