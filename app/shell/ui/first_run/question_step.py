"""Step 3: an example that is put into the field for questions."""

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label


class QuestionStep(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.example = phrase("common.how_do_i_add_a")
        self._build()

    def show_model(self, *, has_model: bool) -> None:
        self.without_model.setVisible(not has_model)

    def _build(self) -> None:
        self.without_model = Label(
            phrase("shell.there_is_no_model_yet"),
            tone="warning",
            wraps=True,
        )
        block = QFrame()
        block.setProperty("surface", "raised")
        inside = QVBoxLayout(block)
        inside.setContentsMargins(16, 12, 16, 12)
        inside.setSpacing(4)
        inside.addWidget(Label(phrase("shell.example"), "caption", "muted"))
        inside.addWidget(Label(self.example, "reading", wraps=True))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(Label(phrase("shell.ask_something"), "heading2"))
        column.addWidget(
            Label(
                phrase("shell.start_puts_this_example_into"),
                tone="text2",
                wraps=True,
            )
        )
        column.addWidget(block)
        column.addWidget(self.without_model)
        column.addStretch(1)
