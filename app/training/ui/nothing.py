"""The page 学習 while no training is shown: what it is for, and the way in."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import Label

MARGIN_PX = 24


class Nothing(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.button = Button(theme, phrase("training.new_run"), "primary", "plus")
        self.return_button = Button(theme, phrase("training.take_in_the_result_of"), "quiet", "file-down")
        said = phrase("training.train_a_model_on_your")
        example = phrase("training.for_example_the_wording_of")
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(Label(said, "heading3", wraps=True))
        column.addWidget(FlowBox(self.button, self.return_button))
        column.addWidget(Label(example, tone="muted", wraps=True))
        column.addStretch(3)
