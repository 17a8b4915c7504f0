"""A window whose answer becomes a version of a question set: it stays open until that is stored."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error
from app.evaluation.records import QuestionSet
from app.evaluation.ui.sets import words
from app.uikit.editor_window import EditorWindow
from app.uikit.input_method import guard_of
from app.uikit.theme import Theme

Work = Callable[[], QuestionSet]


class StoringWindow(EditorWindow):
    """Subclasses say what is missing (`save`) and give the work that stores (`work`). Ctrl+Enter saves."""

    stored = Signal(object)  # QuestionSet

    def __init__(self, theme: Theme, parent: QWidget | None) -> None:
        super().__init__(theme, parent)
        self._is_storing = False
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shortcut = QShortcut(QKeySequence(Qt.KeyboardModifier.ControlModifier | key), self)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(self.submit)

    def work(self) -> Work:
        """Runs in the background, after `save` has found nothing missing."""
        raise NotImplementedError

    def submit(self) -> None:
        """As the button does. A conversion that is open is taken as it is."""
        field = self.focusWidget()
        is_free = field is None or not field.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled)
        if is_free or guard_of(field).finish():
            self._on_save_clicked()

    def reject(self) -> None:
        if not self._is_storing:  # what is being written is not given up halfway
            super().reject()

    def _on_save_clicked(self) -> None:
        if self._is_storing:
            return
        problem = self.save()
        self._show_problem(problem)
        if not problem:
            self._set_storing(is_storing=True)
            background.run(self.work(), self._on_stored, self._on_refused)

    def _on_stored(self, found: QuestionSet) -> None:
        self._set_storing(is_storing=False)
        self._is_dirty = False
        self.stored.emit(found)
        self.accept()

    def _on_refused(self, error: AppError) -> None:
        self._set_storing(is_storing=False)
        self._show_problem(str(describe_error(words.in_window(error))))

    def _set_storing(self, *, is_storing: bool) -> None:
        self._is_storing = is_storing
        for button in (self.save_button, self.cancel_button):
            button.setEnabled(not is_storing)
