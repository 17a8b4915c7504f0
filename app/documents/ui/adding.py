"""Let the user choose documents to add and where, and offer to ask them when they are read."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QComboBox, QFrame, QWidget

from app.base.wording import phrase
from app.documents import records
from app.documents.records import DocumentCollection
from app.documents.services.reading_offers import ReadingOffer
from app.uikit import desktop, untrusted_text
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, ElidedButton, IconButton
from app.uikit.widgets.containers import clear_layout, make_column, make_row
from app.uikit.widgets.labels import IconLabel, Label, plain_tooltip

NAME_WIDTH_PX = 150  # widest name of a collection in the choice


def choose_files(pickers: desktop.Pickers, window: QWidget, folder: str) -> list[Path]:
    """Let the user choose documents, beginning in a folder; [] if the user cancels."""
    known = " ".join(f"*{suffix}" for suffix in records.DOCUMENT_SUFFIXES)
    kinds = f"{phrase('documents.document')} ({known});;{phrase('common.all_files')} (*)"
    return [Path(path) for path in pickers.open_several(window, phrase("documents.choose_files_to_add"), folder, kinds)]


def choose_folder(pickers: desktop.Pickers, window: QWidget, folder: str) -> list[Path]:
    """Let the user choose a folder of documents, beginning in another; [] if the user cancels."""
    path = pickers.folder(window, phrase("documents.choose_a_folder_to_add"), folder)
    return [Path(path)] if path else []


class TargetDialog(Dialog):
    """A dialog that asks to which collection a folder is added."""

    collection_chosen = Signal(object)  # DocumentCollection; None: a new one

    def __init__(self, theme: Theme, new_name: str, collections: Sequence[DocumentCollection], parent: QWidget) -> None:
        self.choice = QComboBox()
        self.choice.setAccessibleName(phrase("documents.collection_to_add_to"))
        metrics, width = self.choice.fontMetrics(), theme.px(NAME_WIDTH_PX)
        for one in (None, *collections):
            name = one.name if one is not None else new_name
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, width)
            key = "documents.add_to_name" if one is not None else "documents.a_new_collection_name"
            self.choice.addItem(phrase(key, name=shown), one)
            self.choice.setItemData(self.choice.count() - 1, plain_tooltip(name), Qt.ItemDataRole.ToolTipRole)
        super().__init__(
            theme,
            phrase("documents.where_to_add_the_folder"),
            phrase("documents.a_question_can_be_asked_of_several"),
            cancel_or("add", phrase("common.add")),
            parent,
            content=self.choice,
        )
        self.chosen.connect(self._on_chosen)
        self.choice.setFocus()

    def _on_chosen(self, key: str) -> None:
        if key == "add":
            self.collection_chosen.emit(self.choice.currentData())


class AskOffer(QFrame):
    """A card, hidden until `show_offer` is called."""

    asked = Signal(object, str)  # tuple[CollectionRef, ...], and the question to ask at once; "": the user types it
    closed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._offer: ReadingOffer | None = None
        self.setProperty("surface", "card")
        self._heading = Label(strong=True, wraps=True)
        self.close_button = IconButton(theme, "x", phrase("documents.close_the_offer"))
        self.ask_button = Button(theme, phrase("documents.ask_these_documents"), "primary")
        self._example_words = Label(phrase("documents.they_answer_for_example"), "caption", "text2")
        self._questions = make_column(spacing_px=6)
        self.question_buttons: list[Button] = []
        make_column(
            make_row(IconLabel(theme, "circle-check", "success"), (self._heading, 1), self.close_button, spacing_px=8),
            self._example_words,
            self._questions,
            (self.ask_button, 0, Qt.AlignmentFlag.AlignLeft),
            into=self,
            margins_px=(16, 10, 10, 12),
            spacing_px=8,
        )
        self.ask_button.clicked.connect(lambda: self._ask(""))
        self.close_button.clicked.connect(self.dismiss)
        self.hide()

    @property
    def collection_id(self) -> int:
        """Return the id of the collection that the offer is about; 0 without an offer."""
        return self._offer.collection_id if self._offer is not None else 0

    def show_offer(self, offer: ReadingOffer) -> None:
        self._offer = offer
        self.setMinimumHeight(0)
        key = "documents.name_was_read" if offer.documents == 1 else "documents.n_documents_of_name_were_read"
        self._heading.setText(phrase(key, name=offer.title, n=f"{offer.documents:,}"))
        clear_layout(self._questions)
        self.question_buttons = []
        for question in offer.questions:
            button = ElidedButton(self._theme, untrusted_text.make_harmless(question))
            self.question_buttons.append(button)
            button.clicked.connect(lambda _=False, question=question: self._ask(question))
            self._questions.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        self._example_words.setVisible(bool(offer.questions))
        self.setAccessibleName(self._heading.text())
        self.show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for the height of wrapped lines, because a scrolling page grants only that of unwrapped ones."""
        super().resizeEvent(event)
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))  # -1 while no line is wrapped

    def dismiss(self) -> None:
        self._offer = None
        self.hide()
        self.closed.emit()

    def _ask(self, question: str) -> None:
        if self._offer is not None:
            self.asked.emit(self._offer.scope, question)
