"""A field of a form with its name above, one sentence that explains it, and what is wrong with it below."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.uikit.localization import join_facts
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
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(title)
        if sentence:
            column.addWidget(Label(sentence, "caption", "muted", wraps=True))
        column.addWidget(control)
        column.addWidget(self.problem)

    def show_problem(self, words: str) -> None:
        """ "": there is none."""
        self.problem.setText(words)
        self.problem.setVisible(bool(words))
        self.control.setAccessibleDescription(join_facts(self._sentence, words))
