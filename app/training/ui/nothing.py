"""The page 学習 while no training is shown: what it is for, and the way in."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.flow import Flow
from app.uikit.widgets.labels import Label

MARGIN_PX = 24


class Nothing(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.button = Button(theme, self.tr("新しい学習"), "primary", "plus")
        self.return_button = Button(theme, self.tr("作業フォルダの結果を取り込む…"), "quiet", "file-down")
        said = self.tr("手元の質問と回答の組で学習させて、モデルの答え方をそろえられます。")
        example = self.tr("例：報告書の言い回しにそろえる、決まった書式で答えさせる、社内の用語を使わせる")
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(Label(said, "heading3", wraps=True))
        column.addWidget(Flow(self.button, self.return_button))
        column.addWidget(Label(example, tone="muted", wraps=True))
        column.addStretch(3)
