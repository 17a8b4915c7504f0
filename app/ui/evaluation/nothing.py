"""The page 評価 while nothing is shown: what it is for, and the way in."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.ui.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.labels import Label

MARGIN_PX = 24


class Nothing(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.button = Button(theme, self.tr("質問集を追加"), "primary", "plus")
        said = self.tr("質問集を追加すると、モデルを同じ問いで比べられます。")
        example = self.tr("例：窓口によくある質問 20 問に、資料を使う場合と使わない場合で答えさせて比べる")
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(Label(said, "heading3", wraps=True))
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(Label(example, tone="muted", wraps=True))
        column.addStretch(3)
