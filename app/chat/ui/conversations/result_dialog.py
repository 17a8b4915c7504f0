"""After an import: which conversations could not be taken, and why."""

from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.base.wording import phrase
from app.chat.exchange import outcome
from app.chat.exchange.importing import Imported
from app.uikit.dialogs import Dialog, DialogButton, scrolled_height
from app.uikit.theme import Theme

LINES_SHOWN = (5, 8)  # at least and at most; there may be thousands


def refusals_dialog(theme: Theme, result: Imported, parent: QWidget) -> Dialog:
    """What was imported, and a line for each conversation that was not."""
    listed = QPlainTextEdit("\n".join(outcome.refusal(refused) for refused in result.refused))
    listed.setReadOnly(True)
    listed.setProperty("field", True)
    listed.setAccessibleName(phrase("chat.conversations_that_were_not_imported"))
    shown = max(LINES_SHOWN[0], min(LINES_SHOWN[1], len(result.refused)))
    wanted = shown * listed.fontMetrics().lineSpacing() + theme.px(24)
    listed.setFixedHeight(scrolled_height(theme, parent, wanted))
    listed.setTabChangesFocus(True)
    close = DialogButton("cancel", phrase("common.close"), is_default=True)
    return Dialog(
        theme,
        outcome.headline(result),
        outcome.remarks(result),
        (close,),
        parent,
        icon=("triangle-alert", "warning"),
        content=listed,
    )
