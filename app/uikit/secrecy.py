"""The window's side of the gate: asks before confidential content leaves the program. All else goes at once."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from app.base import export_gate
from app.base.confidentiality import HIGHEST, Label
from app.base.errors import AppError
from app.base.export_gate import CLIPBOARD, Export, Permit
from app.base.wording import phrase
from app.uikit import dialogs, phrases
from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme


class Secrecy:
    def __init__(self, theme: Theme, log: Path) -> None:
        """`log`: of exports."""
        self._theme = theme
        self._log = log
        self.dialog: Dialog | None = None  # the last one that was opened

    def export(self, parent: QWidget, export: Export, go: Callable[[Permit], None]) -> None:
        """Calls `go` at once, or after a yes that is on record; never without it."""
        question = phrase("uikit.export_confidential_content")
        body = phrase("uikit.the_time_and_destination_are")
        self._pass(parent, export, go, question, body, phrase("uikit.export"))

    def lower(self, parent: QWidget, export: Export, go: Callable[[Permit], None]) -> None:
        """Before a label is changed. Calls `go` at once, or after a yes where it is lowered from 機密."""
        question = phrase("uikit.lower_the_label_of_the")
        body = phrase("uikit.the_text_of_this_collection")
        label = phrases.label(export.becomes or HIGHEST)
        question = question.format(name=export.named, label=label)
        self._pass(parent, export, go, question, body, phrase("uikit.lower"))

    def train(self, parent: QWidget, label_now: Callable[[], Label], go: Callable[[bool], None]) -> None:
        """Before documents become training data. Calls `go` at once, or after a yes, and says whether there was one:
        what makes them passes the gate with it, when its first words are about to be written."""
        question = phrase("uikit.make_training_data_from_confidential")
        body = phrase("uikit.what_the_documents_hold_may")
        if label_now() == HIGHEST:
            self._ask(parent, question, body, phrase("common.make"), lambda: go(True))
        else:
            go(False)

    def copy(
        self, parent: QWidget | None, label_now: Callable[[], Label], text: str, put: Callable[[str, Permit], None]
    ) -> None:
        """Onto the clipboard, by `put`, from where it can go anywhere."""
        self._pass(
            parent,
            Export("copy", CLIPBOARD, label_now),
            lambda permit: put(text, permit),
            phrase("uikit.copy_confidential_content"),
            phrase("uikit.the_time_is_recorded_and"),
            phrase("uikit.copy"),
        )

    def _pass(
        self,
        parent: QWidget | None,
        export: Export,
        go: Callable[[Permit], None],
        question: str,
        body: str,
        verb: str,
    ) -> None:
        def pass_out(*, is_agreed: bool) -> None:
            try:
                permit = export_gate.pass_out(export, self._log, is_agreed=is_agreed)
            except AppError as error:
                if error.code not in ("secret_export", "secret_lowering"):
                    self.dialog = dialogs.problem(self._theme, error, parent)
                    self.dialog.open()
                    return
                self._ask(parent, question, body, verb, lambda: pass_out(is_agreed=True))
                return
            go(permit)

        pass_out(is_agreed=False)

    def _ask(self, parent: QWidget | None, question: str, body: str, verb: str, go: Callable[[], None]) -> None:
        choices = (Choice("cancel", phrase("common.cancel"), is_default=True), Choice("go", verb))
        self.dialog = Dialog(self._theme, question, body, choices, parent, icon=("triangle-alert", "warning"))
        self.dialog.chosen.connect(lambda key: go() if key == "go" else None)
        self.dialog.open()


def put_on_clipboard(text: str, _permit: Permit) -> None:
    QGuiApplication.clipboard().setText(text)
