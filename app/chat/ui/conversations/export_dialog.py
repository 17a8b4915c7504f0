"""Asks in which form conversations are to be exported."""

from PySide6.QtWidgets import QButtonGroup, QRadioButton, QVBoxLayout, QWidget

from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

INDENT_PX = 24  # of the sentence below a form's name, from the left of its mark


class FormatChoice(QWidget):
    """The forms, each with one sentence; exactly one is chosen."""

    def __init__(self, theme: Theme, count: int, chosen: str) -> None:
        """`count`: of the conversations. `chosen` and `value`: docx | markdown | json."""
        super().__init__()
        self.buttons: dict[str, QRadioButton] = {}
        self._group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(12)
        word, markdown = self._sentences_of_one() if count == 1 else self._sentences_of_several()
        everything = self.tr("ほかの PC に移すときに。すべての枝を残し、Kotae に取り込めます。")
        column.addLayout(self._row(theme, "docx", self.tr("Word（.docx）"), word))
        column.addLayout(self._row(theme, "markdown", self.tr("Markdown（.md）"), markdown))
        column.addLayout(self._row(theme, "json", self.tr("JSON（.json）"), everything))
        self.buttons[chosen].setChecked(True)

    @property
    def value(self) -> str:
        return next(key for key, button in self.buttons.items() if button.isChecked())

    def _sentences_of_one(self) -> tuple[str, str]:
        word = self.tr("報告や回覧に。見出し、表、箇条書きを保ちます。")
        return word, self.tr("文字だけのファイル。ほかのソフトに貼り付けられます。")

    def _sentences_of_several(self) -> tuple[str, str]:
        word = self.tr("報告や回覧に。会話ごとに 1 つのファイルになります。")
        return word, self.tr("文字だけのファイル。会話ごとに 1 つになります。")

    def _row(self, theme: Theme, key: str, name: str, sentence: str) -> QVBoxLayout:
        button = self.buttons[key] = QRadioButton(name)
        button.setAccessibleDescription(sentence)
        self._group.addButton(button)
        words = Label(sentence, "caption", "text2", wraps=True)
        words.setContentsMargins(theme.px(INDENT_PX), 0, 0, 0)
        row = QVBoxLayout()
        row.setSpacing(2)
        row.addWidget(button)
        row.addWidget(words)
        return row


class ExportDialog(Dialog):
    """`chosen` says export or cancel."""

    def __init__(self, theme: Theme, what: str, count: int, parent: QWidget) -> None:
        """`what`: which conversations, in words."""
        self.formats = FormatChoice(theme, count, "docx" if count == 1 else "json")
        super().__init__(
            theme,
            self.tr("どの形で書き出しますか"),
            what,
            (
                Choice("cancel", self.tr("キャンセル")),
                Choice("export", self.tr("書き出す…"), "primary", is_default=True),
            ),
            parent,
            content=self.formats,
        )
        self.formats.buttons[self.formats.value].setFocus()
