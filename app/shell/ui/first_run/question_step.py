"""Step 3: an example that is put into the field for questions."""

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label


class QuestionStep(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.example = self.tr("モデルを追加するには？")
        self._build()

    def show_model(self, *, has_model: bool) -> None:
        self.without_model.setVisible(not has_model)

    def _build(self) -> None:
        self.without_model = Label(
            self.tr("▲ モデルがまだないので、回答はできません。モデルは「モデル」の画面でいつでも追加できます。"),
            tone="warning",
            wraps=True,
        )
        block = QFrame()
        block.setProperty("surface", "raised")
        inside = QVBoxLayout(block)
        inside.setContentsMargins(16, 12, 16, 12)
        inside.setSpacing(4)
        inside.addWidget(Label(self.tr("例"), "caption", "muted"))
        inside.addWidget(Label(self.example, "reading", wraps=True))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(Label(self.tr("質問してみる"), "heading2"))
        column.addWidget(
            Label(
                self.tr("「はじめる」を押すと、この例が質問の欄に入ります。書き直してから送信できます。"),
                tone="text2",
                wraps=True,
            )
        )
        column.addWidget(block)
        column.addWidget(self.without_model)
        column.addStretch(1)
