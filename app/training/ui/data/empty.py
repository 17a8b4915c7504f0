"""Before there is any data: what is needed, where it can come from, and what it looks like."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.uikit.drop_zone import DropZone
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.flow import Flow
from app.uikit.widgets.labels import Label

MARGIN_PX = 24


class Empty(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.file_button = Button(theme, self.tr("ファイルを選ぶ…"), "primary", "file-text")
        self.pairs_button = Button(theme, self.tr("資料から作る…"), icon="library-big")
        self.drop_zone = DropZone(theme, self.tr("ここにファイルをドロップ"))
        need = self.tr("モデルに覚えさせる質問と回答の組を用意します。手元のファイルを使うか、資料から作れます。")
        forms = self.tr("読めるファイル：Excel（.xlsx）、CSV、TSV、JSON、JSONL、Markdown。")
        example = self.tr("例：一行目に「質問」「回答」と書いた表。JSONL なら、一行に一組ずつ書きます。")
        question, answer = self.tr("点検は年に何回ですか。"), self.tr("年に 2 回です。")
        line = f'{{"question": "{question}", "answer": "{answer}"}}'
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 24, MARGIN_PX, 16)
        column.setSpacing(12)
        column.addWidget(Label(need, wraps=True))
        column.addWidget(Flow(self.file_button, self.pairs_button))
        column.addWidget(self.drop_zone)
        column.addWidget(Label(forms, tone="muted", wraps=True))
        column.addWidget(Label(example, tone="muted", wraps=True))
        column.addWidget(Label(line, "mono", "text2", wraps=True))
        column.addStretch(1)

    def focus_first(self) -> None:
        self.file_button.setFocus(Qt.FocusReason.ShortcutFocusReason)
