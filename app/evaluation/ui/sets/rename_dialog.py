"""Another name for a question set. It stays open until the name can be used."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.base.errors import AppError
from app.base.files.output_file import NAME_CHARACTERS_MAX
from app.base.wording import describe_error, phrase
from app.evaluation import question_sets
from app.evaluation.question_sets import KeptSet
from app.evaluation.ui.sets.form import FormField
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme


class RenameDialog(Dialog):
    name_given = Signal(str)

    def __init__(self, theme: Theme, name: str, others: Sequence[KeptSet], parent: QWidget) -> None:
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
        problem = self._problem(self.name.text())
        self.field.show_problem(problem)
        self.fit_height()
        if problem:
            self.result_key = "cancel"
            self.name.setFocus()
        else:
            self.name_given.emit(self.name.text().strip())
            super().accept()

    def _problem(self, name: str) -> str:
        if not name.strip():
            return phrase("common.enter_a_name")
        if question_sets.named(self._others, name) is not None:
            return phrase("evaluation.there_is_a_question_set")
        try:
            question_sets.checked_name(name)
        except AppError as error:
            return f"× {describe_error(error)}"
        return ""
