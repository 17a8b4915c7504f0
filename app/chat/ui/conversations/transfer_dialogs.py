"""Dialogs of export and import: the choice of a format, and the conversations that were refused."""

from PySide6.QtWidgets import QButtonGroup, QPlainTextEdit, QRadioButton, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.chat.exchange import conversation_import
from app.chat.exchange.conversation_import import ImportedConversations
from app.uikit.dialogs import Dialog, DialogButton, scrolled_height
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import Label

INDENT_PX = 24  # aligns the sentence below a format with the format's name


class FormatChoice(QWidget):
    """Radio buttons for the formats, each with a sentence."""

    def __init__(self, theme: Theme, count: int, chosen: str) -> None:
        """`count` is the number of conversations. `chosen` and `value`: docx | markdown | json."""
        super().__init__()
        self.buttons: dict[str, QRadioButton] = {}
        self._group = QButtonGroup(self)
        column = make_column(into=self, margins_px=(0, 4, 0, 0), spacing_px=12)
        word, markdown = self._sentences_of_one() if count == 1 else self._sentences_of_several()
        everything = phrase("chat.to_move_to_another_pc")
        column.addLayout(self._row(theme, "docx", phrase("chat.word_docx"), word))
        column.addLayout(self._row(theme, "markdown", phrase("chat.markdown_md"), markdown))
        column.addLayout(self._row(theme, "json", phrase("chat.json_json"), everything))
        self.buttons[chosen].setChecked(True)

    @property
    def value(self) -> str:
        return next(key for key, button in self.buttons.items() if button.isChecked())

    def _sentences_of_one(self) -> tuple[str, str]:
        word = phrase("chat.for_reports_keeps_headings_tables")
        return word, phrase("chat.plain_text_to_be_pasted")

    def _sentences_of_several(self) -> tuple[str, str]:
        word = phrase("chat.for_reports_one_file_for")
        return word, phrase("chat.plain_text_one_file_for")

    def _row(self, theme: Theme, key: str, name: str, sentence: str) -> QVBoxLayout:
        button = self.buttons[key] = QRadioButton(name)
        button.setAccessibleDescription(sentence)
        self._group.addButton(button)
        words = Label(sentence, "caption", "text2", wraps=True)
        words.setContentsMargins(theme.px(INDENT_PX), 0, 0, 0)
        return make_column(button, words, spacing_px=2)


class ExportDialog(Dialog):
    """Asks for the format of an export. It emits `chosen` with export or cancel."""

    def __init__(self, theme: Theme, what: str, count: int, parent: QWidget) -> None:
        """`what` says which conversations are exported."""
        self.formats = FormatChoice(theme, count, "docx" if count == 1 else "json")
        super().__init__(
            theme,
            phrase("chat.export_in_which_format"),
            what,
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("export", phrase("chat.export"), "primary", is_default=True),
            ),
            parent,
            content=self.formats,
        )
        self.formats.buttons[self.formats.value].setFocus()


LINES_SHOWN = (5, 8)  # minimum and maximum height in lines; there may be thousands


def refusals_dialog(theme: Theme, result: ImportedConversations, parent: QWidget) -> Dialog:
    """Return a dialog with what was imported, and a line for each conversation that was refused."""
    listed = QPlainTextEdit("\n".join(conversation_import.refusal_line(refused) for refused in result.refused))
    listed.setReadOnly(True)
    listed.setProperty("field", True)
    listed.setAccessibleName(phrase("chat.conversations_that_were_not_imported"))
    shown = max(LINES_SHOWN[0], min(LINES_SHOWN[1], len(result.refused)))
    height_px = shown * listed.fontMetrics().lineSpacing() + theme.px(24)
    listed.setFixedHeight(scrolled_height(theme, parent, height_px))
    listed.setTabChangesFocus(True)
    close = DialogButton("cancel", phrase("common.close"), is_default=True)
    return Dialog(
        theme,
        conversation_import.import_headline(result),
        conversation_import.import_remarks(result),
        (close,),
        parent,
        icon=("triangle-alert", "warning"),
        content=listed,
    )
