"""The line below the header that says that a trial model answers. It has a lower edge: what scrolls ends there."""

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.chat.ui.transcript.centred import Centred
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import IconLabel, Label, Separator


class TrialNotice(QWidget):
    def __init__(self, theme: Theme, navigation: Navigation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = phrase("chat.this_is_a_small_trial")
        choose = Button(theme, phrase("common.choose_a_model"), "link")
        choose.clicked.connect(lambda: navigation.page_requested.emit("models"))
        content = QWidget()
        row = QHBoxLayout(content)
        row.setContentsMargins(0, 6, 0, 6)
        row.setSpacing(8)
        row.addWidget(IconLabel(theme, "info"))
        row.addWidget(Label(words, tone="text2", wraps=True), 1)
        row.addWidget(choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(Centred(theme, content))
        column.addWidget(Separator())
