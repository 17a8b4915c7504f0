"""The page 評価 while nothing is shown: what it is for, and the way in."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import Label

MARGIN_PX = 24


class Nothing(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.button = Button(theme, self.tr("質問集を追加"), "primary", "plus")
        self.said = Label(role="heading3", wraps=True)
        example = self.tr("例：窓口によくある質問 20 問に、資料を使う場合と使わない場合で答えさせて比べる")
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(12)
        column.addStretch(2)
        self._example = Label(example, tone="muted", wraps=True)
        column.addWidget(self.said)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._example)
        column.addStretch(3)
        self.show_listed(is_listed=False)

    def show_listed(self, *, is_listed: bool) -> None:
        """`is_listed`: there is something at the left, and the way in, too."""
        first = self.tr("質問集を追加すると、モデルを同じ問いで比べられます。")
        self.said.setText(self.tr("左の一覧から選んでください。") if is_listed else first)
        self.button.setVisible(not is_listed)
        self._example.setVisible(not is_listed)
