"""Before the first byte of a model: its licence, what that asks, and where the file comes from."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.models.catalogue import ModelCard, ModelFile
from app.models.ui import words
from app.models.ui.care.marked_list import MarkedList
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import FactList, Label

WIDTH_PX = 560
SIDES_PX = 80  # margins of the dialog and of the terms, left and right


class DownloadConsent(Dialog):
    """`chosen` says accept or cancel; accept only when the licence is marked as read."""

    source_requested = Signal()  # another than `source` is wanted

    def __init__(self, theme: Theme, card: ModelCard, file: ModelFile, source: str, parent: QWidget) -> None:
        """`source`: where the file comes from, as it is shown."""
        self.read = QCheckBox(phrase("models.i_have_read_the_licence"))
        self.licence_button = Button(theme, phrase("common.read_the_licence_in_full"), "link", "external-link")
        self.licence_button.setVisible(bool(card.licence_url))
        self.source_button = Button(theme, phrase("models.choose_a_source"), "link", "folder-input")
        self._reason = Label(phrase("models.tick_this_to_be_able"), "caption", "muted")
        size = words.gigabytes(file.size_bytes)
        super().__init__(
            theme,
            phrase("models.download_name", name=card.title),
            phrase(
                "models.file_size_it_can_be",
                file=file.quantization,
                size=size if file.verified else phrase("common.about_size", size=size),
            ),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("accept", phrase("models.accept_and_download"), "primary", is_default=True),
            ),
            parent,
            content=self._content(theme, card, source, parent),
            width_px=WIDTH_PX,
        )
        self.buttons["accept"].setEnabled(False)
        self.read.toggled.connect(self._on_read)
        self.source_button.clicked.connect(self._on_source_clicked)
        self.read.setFocus()

    def _content(self, theme: Theme, card: ModelCard, source: str, parent: QWidget) -> QWidget:
        facts = FactList(theme)
        facts.set_facts(
            [
                (phrase("models.licence_2"), card.licence),
                (phrase("models.what_it_asks"), card.licence_notice or phrase("models.nothing_in_particular")),
                (phrase("models.source"), source),
            ]
        )
        facts.setContentsMargins(12, 8, 12, 8)
        terms = MarkedList(theme, phrase("models.licence_2"), parent)
        terms.add(facts)
        terms.fit(min(theme.px(WIDTH_PX), parent.width()) - theme.px(SIDES_PX))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(8)
        column.addWidget(terms)
        for button in (self.licence_button, self.source_button):
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.read)
        column.addWidget(self._reason)
        return content

    def _on_source_clicked(self) -> None:
        self.reject()
        self.source_requested.emit()

    def _on_read(self, is_read: bool) -> None:
        self.buttons["accept"].setEnabled(is_read)
        self._reason.setText("" if is_read else phrase("models.tick_this_to_be_able"))
