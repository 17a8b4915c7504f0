"""Ask for consent in a dialog before secret content is exported, and show confidentiality labels."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRect
from PySide6.QtGui import QGuiApplication, QPainter
from PySide6.QtWidgets import QWidget

from app.base import confidentiality
from app.base.confidentiality import CLIPBOARD, HIGHEST_LABEL, LABELS, ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.wording import phrase
from app.uikit import dialogs
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows

# Icon and colour of each label. The highest must stand out, but not in red, the colour of failures.
LABEL_LOOKS: dict[Label, tuple[str, str]] = {
    "public": ("", "muted"),
    "internal": ("lock", "text2"),
    "secret": ("lock", "warning"),
}


def label_text(label: Label) -> str:
    """Return the displayed name of a label; "" for the lowest, which restricts nothing."""
    return "" if label == LABELS[0] else phrase(f"common.label.{label}")


def draw_label(painter: QPainter, theme: Theme, area: QRect, label: Label, tone: str) -> int:
    """Draw a label in a list row, other than the highest in `tone`; return the width in pixels."""
    if label != confidentiality.HIGHEST_LABEL:
        return list_rows.draw_text(painter, theme, area, phrase(f"common.label.{label}"), "caption", tone)
    return list_rows.draw_sign(painter, theme, area, *LABEL_LOOKS[label], phrase(f"common.label.{label}"), weight=600)


class ConfidentialityGuard:
    """Asks before secret content is exported; callbacks are called at once if it is not, else only after consent."""

    def __init__(self, theme: Theme, log: Path) -> None:
        """`log`: the file that records exports with consent."""
        self._theme = theme
        self._log = log
        self.dialog: Dialog | None = None  # the dialog opened last

    def export(self, parent: QWidget, export: ExportRequest, go: Callable[[Permit], None]) -> None:
        """Call `go` with a permit for an export, at once or after consent, which is recorded."""
        question = phrase("uikit.export_confidential_content")
        body = phrase("uikit.the_time_and_destination_are")
        self._pass(parent, export, go, question, body, phrase("uikit.export"))

    def lower(self, parent: QWidget, export: ExportRequest, go: Callable[[Permit], None]) -> None:
        """Call `go` with a permit to change a label; if it is lowered from 機密 (secret), after consent."""
        question = phrase("uikit.lower_the_label_of_the")
        body = phrase("uikit.the_text_of_this_collection")
        label = phrase(f"common.label.{export.becomes or HIGHEST_LABEL}")
        question = question.format(name=export.content_name, label=label)
        self._pass(parent, export, go, question, body, phrase("uikit.lower"))

    def move(self, parent: QWidget, export: ExportRequest, go: Callable[[Permit], None]) -> None:
        """Call `go` with a permit to move content; if it loses the label 機密 (secret) by that, after consent."""
        facts = {"what": export.content_name, "name": export.target}
        label = phrase(f"common.label.{export.becomes or HIGHEST_LABEL}")
        question = phrase("uikit.move_to_a_lower_label", label=label, **facts)
        self._pass(parent, export, go, question, phrase("uikit.the_text_that_is_moved"), phrase("uikit.move"))

    def ask_before_training(self, parent: QWidget, label_now: Callable[[], Label], go: Callable[[bool], None]) -> None:
        """Call `go` before training data is made from documents, with True after consent, for `permit_export`."""
        question = phrase("uikit.make_training_data_from_confidential")
        body = phrase("uikit.what_the_documents_hold_may")
        if label_now() == HIGHEST_LABEL:
            self._ask_consent(parent, question, body, phrase("common.make"), lambda: go(True))
        else:
            go(False)

    def copy(
        self, parent: QWidget | None, label_now: Callable[[], Label], text: str, put: Callable[[str, Permit], None]
    ) -> None:
        """Call `put` with `text` and a permit to copy it to the clipboard, at once or after consent."""
        self._pass(
            parent,
            ExportRequest("copy", CLIPBOARD, label_now),
            lambda permit: put(text, permit),
            phrase("uikit.copy_confidential_content"),
            phrase("uikit.the_time_is_recorded_and"),
            phrase("uikit.copy"),
        )

    def _pass(
        self,
        parent: QWidget | None,
        export: ExportRequest,
        go: Callable[[Permit], None],
        question: str,
        body: str,
        verb: str,
    ) -> None:
        """Call `go` with a permit, or first open a dialog with `question`, `body` and a button `verb`."""

        def pass_out(*, is_agreed: bool) -> None:
            try:
                permit = confidentiality.permit_export(export, self._log, is_agreed=is_agreed)
            except AppError as error:
                if error.code not in ("secret_export", "secret_lowering", "secret_move"):
                    self.dialog = dialogs.problem_dialog(self._theme, error, parent)
                    self.dialog.open()
                    return
                self._ask_consent(parent, question, body, verb, lambda: pass_out(is_agreed=True))
                return
            go(permit)

        pass_out(is_agreed=False)

    def _ask_consent(self, parent: QWidget | None, question: str, body: str, verb: str, go: Callable[[], None]) -> None:
        """Open the dialog and call `go` if the user consents. `verb`: the text on the button for consent."""
        choices = (DialogButton("cancel", phrase("common.cancel"), is_default=True), DialogButton("go", verb))
        icon = ("triangle-alert", "warning")
        self.dialog = Dialog(self._theme, question, body, choices, parent, icon=icon).ask(go)


def put_on_clipboard(text: str, _permit: Permit) -> None:
    QGuiApplication.clipboard().setText(text)
